"""A finished shard is one whose part says so, to the bit."""

import json
import os

import pytest

from input_pipeline import plan, prepare, shards
from input_pipeline.corpora import folder
from tests.preparing import files, in_this_process, prepare_folder
from tests.small_corpus import RECIPE, write_folder


@pytest.fixture(scope="module")
def corpus_dir(tmp_path_factory):
    """Twelve good clips in seven shards, and one that is left out."""
    rows = [("bad", "audio/none.wav", "train", "rock")]
    return write_folder(tmp_path_factory.mktemp("parts") / "corpus", 12, rows)


@pytest.fixture
def begun(corpus_dir, tmp_path):
    """All shards of a set that nobody has completed: its folder and its tasks."""
    corpus = folder.load(corpus_dir)
    where = plan.shard_directories(corpus, [RECIPE], tmp_path)
    prepare.begin(corpus, where, 2)
    tasks = plan.shard_tasks(corpus, 2)
    target = shards.Target(RECIPE, where[RECIPE], RECIPE.mel_filters())
    for task in tasks:
        shards.write_shard(task, [target])
    return where[RECIPE], tasks


@pytest.fixture(scope="module")
def whole(corpus_dir, tmp_path_factory):
    return prepare_folder(
        corpus_dir, tmp_path_factory.mktemp("whole"), clips_per_shard=2
    )


def part_of(directory, task):
    return directory / shards.PARTS / f"{task.file_name}.json"


def test_no_flipped_bit_of_a_part_is_believed(begun):
    directory, tasks = begun
    # A clip that was left out is in it.
    parts = [shards.read_part(directory, task) for task in tasks]
    task = next(t for t, part in zip(tasks, parts, strict=True) if part["rejected"])
    path = part_of(directory, task)
    content = path.read_bytes()
    expected = repr(shards.read_part(directory, task))
    assert "'missing'" in expected
    with path.open("r+b", buffering=0) as file:
        for place, byte in enumerate(content):
            for altered in [byte ^ 1 << bit for bit in range(8)] + [byte]:
                os.pwrite(file.fileno(), bytes([altered]), place)
                found = shards.read_part(directory, task)
                assert found is None or repr(found) == expected, (place, altered)
    assert found is not None


def test_no_flipped_bit_of_a_plan_is_believed(begun):
    directory, _ = begun
    path = directory / shards.PARTS / plan.PLAN
    content = path.read_bytes()
    for place in range(len(content)):
        altered = bytearray(content)
        altered[place] ^= 1 << place % 8
        path.write_bytes(altered)
        with pytest.raises(ValueError, match=rf"{path} is missing or damaged .*Dele"):
            plan.agree_on_plan([directory], 5)
    path.write_bytes(content)
    assert plan.agree_on_plan([directory], 5) == 2


def unsealed(part):
    return {name: value for name, value in part.items() if name != "seal"}


DAMAGES = {
    "of an older version": lambda one, other: unsealed(one),
    "of another shard": lambda one, other: other,
    "with a key less": lambda one, other: shards.sealed(
        {k: v for k, v in unsealed(one).items() if k != "stamps"}
    ),
    "with the id of another clip": lambda one, other: shards.sealed(
        unsealed(one) | {"track_id": other["track_id"][:1]}
    ),
    "with the seal of another": lambda one, other: one | {"seal": other["seal"]},
    "a list": lambda one, other: [1],
    "a very deep list": lambda one, other: None,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_shard_of_a_wrong_part_is_written_again(
    damage, begun, whole, corpus_dir, tmp_path, monkeypatch
):
    directory, tasks = begun
    paths = [part_of(directory, task) for task in tasks[:2]]
    wrong = DAMAGES[damage](*(json.loads(path.read_bytes()) for path in paths))
    paths[0].write_text(json.dumps(wrong) if wrong else "[" * 100_000)
    written = in_this_process(monkeypatch)
    assert prepare_folder(corpus_dir, tmp_path) == directory
    assert written == [tasks[0].file_name]
    assert files(directory) == files(whole)
