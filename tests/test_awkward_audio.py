"""Awkward files give the same through preparation, tagging and the page."""

import csv
import json

import numpy as np
import pytest

from input_pipeline import prepare
from input_pipeline.corpora import folder
from msd_tagger.frontend.recipe import Recipe
from msd_tagger.tagging import output
from msd_tagger.tagging.songs import tag_files
from tests import serving
from tests.awkward_audio import KINDS
from tests.small_corpus import write_table

# Longer than the files: whatever is missing from one is noticed.
RECIPE = Recipe("mel", duration_s=10.0)
EXPECTED = {name: wanted for name, (_, wanted) in KINDS.items() if wanted is not None}


@pytest.fixture(scope="module")
def awkward(tmp_path_factory):
    directory = tmp_path_factory.mktemp("awkward")
    for name, (make, _) in KINDS.items():
        (directory / name).write_bytes(make())
        (directory / f"._{name}").write_bytes(b"\0\5\x16\7" + bytes(100))
    return directory


def refused(expected):
    return {name: one for name, one in expected.items() if isinstance(one, str)}


def reason_of(sentence):
    return sentence.partition(" (")[0]


def test_preparation_leaves_out_what_has_no_sound(tmp_path, awkward):
    splits = ("train", "valid", "test")
    rows = [(name, name, splits[n % 3], "pop") for n, name in enumerate(KINDS)]
    write_table(awkward, rows)
    corpus = folder.load(awkward)
    made = prepare.prepare(
        corpus, [RECIPE], tmp_path, num_processes=1, max_bad_share=1.0
    )
    with (made["mel"] / "ledger.csv").open(newline="") as file:
        found = {row["track_id"]: row["reason"] for row in csv.DictReader(file)}
    assert found == refused(EXPECTED)


class Tagger:
    """Stands in for the network."""

    def __init__(self, bundle):
        self.bundle, self.batch_size = bundle, 8

    def scores(self, spectrograms):
        return np.full((2, len(spectrograms), len(self.bundle.tags)), 0.5, np.float32)


def test_tagging_says_how_long_each_is_or_why_not(awkward, monkeypatch):
    monkeypatch.setattr(serving, "RECIPE", RECIPE)
    bundle = serving.make_bundle()
    found = {}
    for one in tag_files(Tagger(bundle), [awkward]):
        told = json.loads(output.to_json(one, bundle))
        name = told["path"].rpartition("/")[2]
        is_refused = "error" in told
        found[name] = reason_of(told["error"]) if is_refused else told["duration_s"]
    found.pop("named.raw", None)
    expected = {name: one for name, one in EXPECTED.items() if name != "named.raw"}
    assert refused(found) == refused(expected)
    lengths = {name: one for name, one in expected.items() if isinstance(one, float)}
    assert {name: found[name] for name in lengths} == pytest.approx(lengths, abs=0.07)


def test_the_page_says_the_same(awkward, monkeypatch):
    monkeypatch.setattr(serving, "RECIPE", RECIPE)
    # Every reason, and every fourth of the others: each answer draws a picture.
    names = [*refused(EXPECTED), *list(EXPECTED)[::4]]
    with serving.serving(upload_bytes=30_000_000) as server:
        for name in names:
            body = (awkward / name).read_bytes()
            status, _, told = serving.ask(server.port, body=body)
            if isinstance(EXPECTED[name], str):
                assert (status, reason_of(told["error"])) == (
                    422,
                    f"The file cannot be tagged: {EXPECTED[name]}",
                ), name
            else:
                assert status == 200, (name, told)
                assert told["duration_s"] == pytest.approx(EXPECTED[name], abs=0.07)
