"""Bundles copied, brought up to date, and written for other programs."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from msd_tagger.bundle.format import read_bundle, write_bundle
from msd_tagger.commands.command_line import Options
from msd_tagger.commands.export import export, write_programs
from msd_tagger.tagging.songs import excerpts
from msd_tagger.tagging.tagger import Tagger
from tests.bundles import make_bundle
from tests.fakes import RECIPE
from tests.small_corpus import write_sound

ROOT = Path(__file__).resolve().parents[3]
OLD = ROOT / "tests" / "old_bundle"


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """A run's bundle as ONNX."""
    folder = tmp_path_factory.mktemp("exported")
    write_bundle(folder / "run" / "bundle", make_bundle())
    made = Options(workdir=str(folder / "run"), out=str(folder / "onnx"), format="onnx")
    export(made)
    return folder / "onnx"


def test_a_bundle_of_the_first_version_is_brought_up_to_date(tmp_path):
    export(Options(bundle=str(OLD), out=str(tmp_path / "new")))
    assert (tmp_path / "new" / "README.md").exists()
    before, after = read_bundle(OLD), read_bundle(tmp_path / "new")
    for name, kernel in before.weights.params["tags"].items():
        np.testing.assert_array_equal(kernel, after.weights.params["tags"][name])


def test_an_edited_card_goes_along(tmp_path):
    write_bundle(tmp_path / "run" / "bundle", make_bundle())
    (tmp_path / "run" / "bundle" / "README.md").write_text("mine")
    export(Options(workdir=str(tmp_path / "run"), out=str(tmp_path / "new")))
    assert (tmp_path / "new" / "README.md").read_text() == "mine"


def test_an_interrupted_export_leaves_an_empty_folder(tmp_path, monkeypatch):
    def stop(folder, bundle):
        (folder / "from_spectrogram.onnx").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr("msd_tagger.bundle.onnx_graph.write", stop)
    with pytest.raises(KeyboardInterrupt):
        write_programs(tmp_path / "out", make_bundle(), "onnx")
    assert not list((tmp_path / "out").iterdir())


def test_programs_come_with_the_names_of_the_tags(programs):
    found = sorted(path.name for path in programs.iterdir())
    programs_of_it = ["from_spectrogram.onnx", "from_waveform.onnx"]
    assert found == [*programs_of_it, "network.json", "tags.json"]
    known = json.loads((programs / "network.json").read_text())
    assert known["recipe"]["sample_rate_hz"] > 0 and known["thresholds"]["tags"]
    assert json.loads((programs / "tags.json").read_text()) == ["rock", "pop", "jazz"]


def test_the_snippet_of_the_documentation_tags_a_song(programs, tmp_path, capsys):
    text = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
    snippet, _ = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    song = write_sound(
        tmp_path / "song.wav", rate_hz=12_000, duration_s=2 * RECIPE.duration_s
    )
    snippet = snippet.replace("song.mp3", str(song))
    exec(snippet.replace("networks/onnx", str(programs)), {})
    found = eval(capsys.readouterr().out)
    stored = excerpts(song, RECIPE).spectrograms
    scores = Tagger(make_bundle(), batch_size=2).scores(stored).mean((0, 1))
    expected = dict(zip(("rock", "pop", "jazz"), scores, strict=True))
    # Decibels are not rounded to float16.
    assert dict(found) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({}, "--workdir names a run .*: neither is given"),
        ({"bundle": str(OLD), "workdir": "a"}, "--workdir names .*: both are given"),
        ({"bundle": "{tmp}/batch", "format": "onnx"}, "onnx: this bundle normalises"),
        ({"bundle": "{tmp}/batch", "format": "stablehlo"}, "--calibrate=FOLDER"),
        (
            {"bundle": str(OLD), "format": "onnx", "out": "{tmp}/batch"},
            r"batch holds files",
        ),
    ],
)
def test_mistakes_write_nothing(flags, message, tmp_path):
    write_bundle(tmp_path / "batch", make_bundle()._replace(batch_statistics=True))
    given = {"out": str(tmp_path / "new")} | {
        name: value.format(tmp=tmp_path) for name, value in flags.items()
    }
    with pytest.raises(ValueError, match=message):
        export(Options(**given))
    assert [path.name for path in tmp_path.iterdir()] == ["batch"]
