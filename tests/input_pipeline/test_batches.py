"""Shards to batches: order, resuming, subsets, exact evaluation."""

import itertools
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from input_pipeline import order
from input_pipeline.batches import open_shards
from tests.small_corpus import RECIPE, STFT

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def data(prepared):
    return open_shards(prepared["mel"])


def _take(batches, number):
    return list(itertools.islice(batches, number))


def _rows(batches):
    return np.concatenate([batch["row"][batch["mask"]] for batch in batches])


def test_a_batch_has_the_shapes_of_the_contract(data):
    batch = next(data.train_batches(6, data_seed=0))
    shapes = {name: (value.shape, value.dtype.name) for name, value in batch.items()}
    assert shapes == {
        "spectrogram": ((6, 96, 47), "float16"),
        "tags": ((6, 3), "uint8"),
        "mask": ((6,), "bool"),
        "row": ((6,), "int64"),
    }
    assert batch["mask"].all()


def test_spectrograms_and_labels_belong_to_their_rows(data):
    everything = data.read("train", np.arange(15))
    for batch in _take(data.train_batches(4, data_seed=1), 8):
        expected = everything["spectrogram"][batch["row"]]
        np.testing.assert_array_equal(batch["spectrogram"], expected)
        labels = data.labels("train")["tags"][batch["row"]]
        np.testing.assert_array_equal(batch["tags"], labels)


@pytest.mark.parametrize("batch_size", [1, 4, 15, 40])
def test_the_order_is_that_of_the_data_seed_and_epoch(data, batch_size):
    num_steps = -(-45 // batch_size)
    found = _rows(_take(data.train_batches(batch_size, data_seed=7), num_steps))[:45]
    epochs = [order.permutation(15, 7, epoch) for epoch in range(3)]
    np.testing.assert_array_equal(found, np.concatenate(epochs))


def test_resuming_goes_on_with_the_same_batches(data):
    whole = _take(data.train_batches(4, data_seed=0), 10)
    resumed = _take(data.train_batches(4, data_seed=0, first_step=6), 4)
    for expected, found in zip(whole[6:], resumed, strict=True):
        for name in expected:
            np.testing.assert_array_equal(found[name], expected[name])


def test_a_far_step_is_as_quick_as_the_first(data):
    batch = next(data.train_batches(4, data_seed=0, first_step=10**9))
    np.testing.assert_array_equal(
        batch["row"], order.rows_of_step(np.arange(15), 4, 0, 10**9)
    )


def test_processes_share_one_batch(data):
    whole = _take(data.train_batches(6, data_seed=0), 4)
    halves = [
        _take(data.train_batches(6, data_seed=0, rows=rows), 4)
        for rows in (slice(0, 3), slice(3, 6))
    ]
    for expected, first, second in zip(whole, *halves, strict=True):
        for name in expected:
            both = np.concatenate([first[name], second[name]])
            np.testing.assert_array_equal(both, expected[name])


def test_fractions_are_nested_and_fill_batches(data):
    subsets = []
    for fraction in (0.05, 0.2, 0.6, 1.0):
        batches = _take(data.train_batches(8, data_seed=0, fraction=fraction), 4)
        subsets.append(set(_rows(batches).tolist()))
        assert all(batch["spectrogram"].shape[0] == 8 for batch in batches)
        assert subsets[-1] == set(data.subset("train", fraction).tolist())
    assert [len(subset) for subset in subsets] == [1, 3, 9, 15]
    assert all(a < b for a, b in itertools.pairwise(subsets))


@pytest.mark.parametrize("batch_size", [1, 3, 5, 15, 64])
def test_evaluation_sees_every_clip_once(data, batch_size):
    batches = list(data.evaluation_batches("train", batch_size))
    assert len(batches) == -(-15 // batch_size)
    assert {len(batch["mask"]) for batch in batches} == {batch_size}
    np.testing.assert_array_equal(_rows(batches), np.arange(15))
    kept = np.concatenate([batch["spectrogram"][batch["mask"]] for batch in batches])
    expected = data.read("train", np.arange(15))["spectrogram"]
    np.testing.assert_array_equal(kept, expected)
    padding = ~batches[-1]["mask"]
    assert not batches[-1]["spectrogram"][padding].any()
    assert not batches[-1]["tags"][padding].any()
    assert (batches[-1]["row"][padding] == -1).all()


def test_evaluation_of_a_fraction(data):
    batches = list(data.evaluation_batches("train", 4, fraction=0.4))
    np.testing.assert_array_equal(_rows(batches), data.subset("train", 0.4))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda data: data.num_clips("dev"),
            "split is 'dev'; allowed are train, valid",
        ),
        (lambda data: data.evaluation_batches("dev", 4), "split is 'dev'"),
        (lambda data: data.train_batches(0, 0), "batch_size is 0"),
        (lambda data: data.train_batches(4, 0, fraction=2), "train.fraction is 2"),
    ],
)
def test_bad_arguments_are_named_at_once(data, call, message):
    with pytest.raises(ValueError, match=message):
        call(data)


@pytest.fixture
def copy(prepared, tmp_path):
    return shutil.copytree(prepared["mel"], tmp_path / "copy")


SHARD = "clips-train.tfrecord-00001-of-00004"


def test_a_missing_shard_is_named(copy):
    (copy / SHARD).unlink()
    with pytest.raises(ValueError, match=f"{SHARD} is missing, expected "):
        open_shards(copy)


def test_a_cut_shard_is_named(copy):
    content = (copy / SHARD).read_bytes()
    (copy / SHARD).write_bytes(content[:-7])
    with pytest.raises(ValueError, match=rf"{SHARD} has {len(content) - 7}, expected"):
        open_shards(copy)


def test_a_flipped_bit_is_found_when_asked_for(copy):
    content = bytearray((copy / SHARD).read_bytes())
    content[20_000] ^= 4
    (copy / SHARD).write_bytes(content)
    open_shards(copy)
    with pytest.raises(ValueError, match=f"{SHARD}, record 2 .*its checksum"):
        open_shards(copy, check=True)


@pytest.mark.parametrize("reader", ["tf.data", "plain"])
def test_a_flipped_bit_is_found_when_it_is_read(copy, reader):
    content = bytearray((copy / SHARD).read_bytes())
    content[20_000] ^= 4
    (copy / SHARD).write_bytes(content)
    data = open_shards(copy, reader=reader)
    message = rf"{SHARD} is damaged: the content .* in clip id-.*\. Delete {copy} and"
    with pytest.raises(ValueError, match=message):
        list(data.evaluation_batches("train", 4))


@pytest.mark.parametrize("reader", ["tf.data", "plain"])
def test_a_shard_of_other_clips_is_found(copy, reader):
    shutil.copy(copy / SHARD.replace("00001", "00000"), copy / SHARD)
    with pytest.raises(ValueError, match=f"{SHARD} holds other clips"):
        open_shards(copy, check=True)
    data = open_shards(copy, reader=reader)
    message = (
        rf"{SHARD} is damaged: the record is of the clip 'id-.*, in clip id-.*\. D"
    )
    with pytest.raises(ValueError, match=message):
        list(data.evaluation_batches("train", 4))


@pytest.mark.parametrize("name", ["train_track_id", "train_offset", "train_tags"])
def test_an_index_of_other_clips_is_found(copy, name):
    """Damage that no checksum shows, as of an index made from a damaged part."""
    with np.load(copy / "index.npz") as stored:
        arrays = dict(stored)
    arrays[name][[0, 1]] = arrays[name][[1, 0]]
    np.savez(copy / "index.npz", **arrays)
    with pytest.raises(ValueError, match=r"holds other clips than index\.npz says"):
        open_shards(copy, check=True)
    if name != "train_tags":  # Only an audit compares all labels.
        with pytest.raises(
            ValueError, match=r"damaged: .*the clip 'id-.*, in clip id-"
        ):
            open_shards(copy).read("train", np.arange(4))


@pytest.mark.parametrize(
    "name", ["corpus.json", "index.npz", "recipe.json", "tags.txt"]
)
def test_an_incomplete_set_is_refused(copy, name):
    (copy / name).unlink()
    with pytest.raises(ValueError, match=r"copy.*prepare"):
        open_shards(copy)


@pytest.mark.parametrize(
    "name", ["corpus.json", "index.npz", "recipe.json", "tags.txt"]
)
def test_a_damaged_description_is_refused(copy, name):
    content = (copy / name).read_bytes()
    (copy / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"copy.* prepare again"):
        open_shards(copy)


@pytest.mark.parametrize("name", ["corpus.json", "recipe.json", "tags.txt"])
def test_a_changed_letter_in_a_description_is_refused(copy, name):
    content = bytearray((copy / name).read_bytes())
    for place in range(2, len(content) - 2, 23):
        altered = content.copy()
        altered[place] ^= 1
        (copy / name).write_bytes(altered)
        with pytest.raises(ValueError, match=r"copy.*prepare again"):
            open_shards(copy)
    (copy / name).write_bytes(content)
    assert "digest" not in open_shards(copy).corpus


def test_sets_from_before_there_was_a_digest_are_read(copy):
    description = json.loads((copy / "corpus.json").read_text())
    del description["digest"]
    (copy / "corpus.json").write_text(json.dumps(description))
    assert open_shards(copy).corpus == description


INDEXES = {
    "train_offset": (lambda array: None, "has no 'train_offset'"),
    "valid_tags": (lambda array: array[:, :2], "valid_tags has the size 2, .* has 3"),
    "test_track_id": (lambda array: array[1:], "test_shard has the size 4, .* has 3"),
    "train_shard": (lambda array: array + 9, "train_shard names other than 4 shards"),
    "test_shard_bytes": (lambda array: array / 2, "test_shard_bytes is float64"),
}


@pytest.mark.parametrize("name", INDEXES)
def test_an_index_that_does_not_fit_is_refused(copy, name):
    change, message = INDEXES[name]
    arrays = dict(np.load(copy / "index.npz"))
    arrays[name] = change(arrays[name])
    kept = {key: array for key, array in arrays.items() if array is not None}
    np.savez(copy / "index.npz", **kept)
    with pytest.raises(ValueError, match=rf"index\.npz.*{message}.*prepare again"):
        open_shards(copy)


@pytest.mark.parametrize(
    ("name", "value"), [("hop_samples", "256"), ("duration_s", None), ("version", 2.5)]
)
def test_a_recipe_of_another_form_is_refused(copy, name, value):
    """In a set from before there was a digest."""
    for file, change in (("corpus.json", {}), ("recipe.json", {name: value})):
        content = json.loads((copy / file).read_text()) | change
        content.pop("digest", None)
        (copy / file).write_text(json.dumps(content))
    with pytest.raises(ValueError, match=f"the recipe: {name} is .*prepare again"):
        open_shards(copy)


def test_another_recipe_or_tag_order_is_refused(prepared):
    with pytest.raises(ValueError, match=r"holds the recipe .*kind='mel'.*kind='stft'"):
        open_shards(prepared["mel"], recipe=STFT)
    with pytest.raises(ValueError, match=r"tag order \('rock', 'pop', 'jazz'\)"):
        open_shards(prepared["mel"], RECIPE, tags=("pop", "rock", "jazz"))


def test_reading_needs_no_tensorflow(prepared):
    code = (
        "import sys\n"
        "from input_pipeline.batches import open_shards\n"
        f"data = open_shards({str(prepared['mel'])!r}, check=True)\n"
        "print(data.read('train', [3, -1])['mask'].tolist(),\n"
        "      'tensorflow' in sys.modules)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert found.stdout == "[True, False] False\n", found.stderr
