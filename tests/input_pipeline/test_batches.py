"""Shards to batches: order, resuming, subsets, exact evaluation."""

import itertools
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from input_pipeline.batches import open_shards
from tests.reading import assert_equal, rows, take, whole
from tests.small_corpus import RECIPE, STFT

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def data(prepared):
    return open_shards(prepared["mel"])


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
    everything = whole(data, "train")
    for batch in take(data.train_batches(4, data_seed=1), 8):
        expected = everything["spectrogram"][batch["row"]]
        np.testing.assert_array_equal(batch["spectrogram"], expected)
        labels = data.labels("train")["tags"][batch["row"]]
        np.testing.assert_array_equal(batch["tags"], labels)


@pytest.mark.parametrize("window_shards", [1, 2, 0])
def test_the_order_does_not_depend_on_batches_and_threads(prepared, window_shards):
    orders = set()
    for batch_size, threads in ((1, 1), (4, 2), (15, 3), (40, 16)):
        data = open_shards(
            prepared["mel"], threads=threads, window_shards=window_shards
        )
        batches = data.train_batches(batch_size, data_seed=7)
        orders.add(tuple(rows(take(batches, -(-60 // batch_size)))[:60].tolist()))
    assert len(orders) == 1
    epochs = np.array(orders.pop()).reshape(4, 15)
    assert (np.sort(epochs, axis=1) == np.arange(15)).all()
    assert len({tuple(epoch) for epoch in epochs}) == 4


def test_data_seeds_and_windows_have_orders_of_their_own(prepared):
    found = set()
    for seed, window_shards in itertools.product((0, 1), (1, 2, 4)):
        data = open_shards(prepared["mel"], window_shards=window_shards)
        found.add(tuple(next(data.train_rows(15, seed)).tolist()))
    assert len(found) == 6


def test_the_order_stays_what_it_is(prepared):
    """As it was written down: a new TensorFlow must not change a run that goes on."""
    data = open_shards(prepared["mel"], window_shards=2)
    assert next(data.train_rows(15, 3)).tolist() == PINNED


PINNED = [5, 1, 6, 3, 4, 0, 2, 7, 9, 13, 11, 14, 10, 12, 8]


def test_a_window_of_all_shards_is_a_full_permutation(prepared):
    """Every clip comes first in its share of epochs, and any two in either order."""
    data = open_shards(prepared["mel"])
    epochs = np.array(take(data.train_rows(15, 0), 600))
    counts = np.bincount(epochs[:, 0], minlength=15)
    assert abs(counts - 40).max() < 32  # Five standard deviations.
    places = np.argsort(epochs, axis=1)
    before = (places[:, :, None] < places[:, None]).mean(0)
    assert abs(before[~np.eye(15, dtype=bool)] - 0.5).max() < 0.11


@pytest.mark.parametrize("first_step", [0, 3, 7, 10**9])
@pytest.mark.parametrize("fraction", [0.05, 0.6, 1.0])
def test_rows_alone_come_in_the_order_of_the_batches(prepared, first_step, fraction):
    data = open_shards(prepared["mel"], window_shards=2)
    batches = take(data.train_batches(4, 3, first_step, fraction), 6)
    found = take(data.train_rows(4, 3, first_step, fraction), 6)
    np.testing.assert_array_equal(np.concatenate(found), rows(batches))


def test_resuming_goes_on_with_the_same_batches(data):
    whole = take(data.train_batches(4, data_seed=0), 10)
    resumed = take(data.train_batches(4, data_seed=0, first_step=6), 4)
    for expected, found in zip(whole[6:], resumed, strict=True):
        for name in expected:
            np.testing.assert_array_equal(found[name], expected[name])


def test_processes_share_one_batch(data):
    whole = take(data.train_batches(6, data_seed=0), 4)
    halves = [
        take(data.train_batches(6, data_seed=0, rows=rows), 4)
        for rows in (slice(0, 3), slice(3, 6))
    ]
    for expected, first, second in zip(whole, *halves, strict=True):
        for name in expected:
            both = np.concatenate([first[name], second[name]])
            np.testing.assert_array_equal(both, expected[name])


@pytest.mark.parametrize("batch_size", [4, 6, 8, 20, 64])
def test_processes_share_an_evaluation(data, batch_size):
    """Also where the last batch ends before the rows of some of them."""
    expected = list(data.evaluation_batches("train", batch_size))
    half = batch_size // 2
    parts = [slice(0, half), slice(half, batch_size)]
    halves = [list(data.evaluation_batches("train", batch_size, 1.0, x)) for x in parts]
    assert len(halves[0]) == len(halves[1]) == len(expected)
    for whole_batch, *own in zip(expected, *halves, strict=True):
        for name, array in whole_batch.items():
            both = np.concatenate([batch[name] for batch in own])
            assert both.dtype == array.dtype
            np.testing.assert_array_equal(both, array)


def test_fractions_are_nested_and_fill_batches(data):
    subsets = []
    for fraction in (0.05, 0.2, 0.6, 1.0):
        batches = take(data.train_batches(8, data_seed=0, fraction=fraction), 4)
        subsets.append(set(rows(batches).tolist()))
        assert all(batch["spectrogram"].shape[0] == 8 for batch in batches)
        assert subsets[-1] == set(range(data.num_clips("train", fraction)))
    assert [len(subset) for subset in subsets] == [1, 3, 9, 15]
    assert all(a < b for a, b in itertools.pairwise(subsets))


@pytest.mark.parametrize("batch_size", [1, 3, 5, 15, 64])
def test_evaluation_sees_every_clip_once(data, batch_size):
    batches = list(data.evaluation_batches("train", batch_size))
    assert len(batches) == -(-15 // batch_size)
    assert {len(batch["mask"]) for batch in batches} == {batch_size}
    np.testing.assert_array_equal(rows(batches), np.arange(15))
    kept = np.concatenate([batch["spectrogram"][batch["mask"]] for batch in batches])
    np.testing.assert_array_equal(kept, whole(data, "train")["spectrogram"])
    padding = ~batches[-1]["mask"]
    assert not batches[-1]["spectrogram"][padding].any()
    assert not batches[-1]["tags"][padding].any()
    assert (batches[-1]["row"][padding] == -1).all()


def test_evaluation_of_a_fraction(data):
    batches = list(data.evaluation_batches("train", 4, fraction=0.4))
    np.testing.assert_array_equal(rows(batches), np.arange(6))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda data: data.num_clips("dev"),
            "split is 'dev'; choose from train, valid",
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


@pytest.mark.parametrize("name", ["[1]*?%41#", "\udce9"])
def test_a_folder_of_any_name_is_read(prepared, data, tmp_path, name):
    """Also one that is not UTF-8, as old disks have."""
    copy = shutil.copytree(prepared["mel"], tmp_path / name)
    found, expected = (
        take(one.evaluation_batches("train", 8), 9) for one in (open_shards(copy), data)
    )
    assert_equal(found, expected)
    content = (copy / SHARD).read_bytes()
    (copy / SHARD).write_bytes(content[:-2] + bytes([content[-2] ^ 4]) + content[-1:])
    with pytest.raises(ValueError, match=rf"{SHARD}, record 3 .* its checksum"):
        READ["evaluate"](open_shards(copy))


def test_a_missing_shard_is_named(copy):
    (copy / SHARD).unlink()
    with pytest.raises(ValueError, match=f"{SHARD} is missing, expected "):
        open_shards(copy)


def test_a_cut_shard_is_named(copy):
    content = (copy / SHARD).read_bytes()
    (copy / SHARD).write_bytes(content[:-7])
    with pytest.raises(ValueError, match=rf"{SHARD} has {len(content) - 7}, expected"):
        open_shards(copy)


@pytest.mark.parametrize("way", ["check", "evaluate", "train"])
@pytest.mark.parametrize("place", [3, 9, 20_000, -2])
def test_a_flipped_bit_is_found_when_it_is_read(copy, way, place):
    content = bytearray((copy / SHARD).read_bytes())
    content[place] ^= 4
    (copy / SHARD).write_bytes(content)
    record = {20_000: 2, -2: 3}.get(place, 0)
    message = rf"{SHARD}, record {record} .* its checksum\. Delete {copy} and prepare"
    data = open_shards(copy)
    with pytest.raises(ValueError, match=message):
        READ[way](data)


READ = {
    "check": lambda data: data.check("train"),
    "evaluate": lambda data: list(data.evaluation_batches("train", 4)),
    "train": lambda data: take(data.train_batches(4, 0), 4),
}


@pytest.mark.parametrize("way", READ)
def test_a_shard_of_other_clips_is_found(copy, way):
    shutil.copy(copy / SHARD.replace("00001", "00000"), copy / SHARD)
    with pytest.raises(ValueError, match=f"{SHARD} holds other clips than index.npz"):
        READ[way](open_shards(copy))


@pytest.mark.parametrize("way", READ)
def test_a_shard_that_lost_a_record_is_found(copy, way):
    """Without a byte less: nothing but the records themselves shows it."""
    content = (copy / SHARD).read_bytes()
    size = int.from_bytes(content[:8], "little") + 16
    (copy / SHARD).write_bytes(content[size:] + bytes(size))
    with pytest.raises(ValueError, match=f"{SHARD}"):
        READ[way](open_shards(copy))


def test_a_shard_of_another_shape_is_found(copy, prepared):
    name = SHARD.replace("00001", "00000")
    stft = (prepared["stft"] / name).read_bytes()
    (copy / name).write_bytes(stft)
    with np.load(copy / "index.npz") as stored:
        arrays = dict(stored)
    arrays["train_shard_bytes"][0] = len(stft)
    np.savez(copy / "index.npz", **arrays)
    message = rf"{name}, record 0 .*: it is not of this set"
    with pytest.raises(ValueError, match=message):
        READ["evaluate"](open_shards(copy))


@pytest.mark.parametrize("name", ["train_track_id", "train_tags"])
def test_an_index_of_other_clips_is_found(copy, name):
    """Damage that no checksum shows, as of an index made from a damaged part."""
    with np.load(copy / "index.npz") as stored:
        arrays = dict(stored)
    values = arrays[name]
    values[0] = "id-x" if name == "train_track_id" else 1 - values[0]
    np.savez(copy / "index.npz", **arrays)
    for read in READ.values():
        with pytest.raises(ValueError, match=r"holds other clips than index\.npz says"):
            read(open_shards(copy))


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
    "train_shard_clips": (lambda array: array + 1, "shard_clips are 19 clips in all"),
    "valid_tags": (lambda array: array[:, :2], "valid_tags has the size 2, .* has 3"),
    "test_track_id": (lambda array: array[1:], "test_tags has the size 4, .* has 3"),
    "train_shard_bytes": (lambda array: None, "has no 'train_shard_bytes'"),
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


@pytest.mark.parametrize("version", [1, 2, 4])
def test_a_set_of_another_version_is_named(copy, version):
    content = json.loads((copy / "recipe.json").read_text()) | {"version": version}
    (copy / "recipe.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=f"made by version {version} of the spectro"):
        open_shards(copy)


def test_without_tensorflow_a_sentence_says_what_to_install(prepared):
    code = (
        "import sys\n"
        "sys.modules['tensorflow'] = None\n"
        "from input_pipeline.batches import open_shards\n"
        f"data = open_shards({str(prepared['mel'])!r})\n"
        "print(data.num_clips('train'))\n"
        "try:\n"
        "    next(data.train_batches(4, 0))\n"
        "except ValueError as error:\n"
        "    print(error)\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert found.stdout.startswith("15\nshards are read with TensorFlow"), found
    assert "pip install -r requirements.txt" in found.stdout


def test_tfds_reads_the_same_clips_in_the_same_order(prepared, data):
    import tensorflow_datasets as tfds

    builder = tfds.builder_from_directory(prepared["mel"])
    for number in (1, 6, 15):
        config = tfds.ReadConfig(interleave_cycle_length=1)
        found = builder.as_dataset(split=f"train[:{number}]", read_config=config)
        expected = whole(data, "train", number / 15)
        for at, clip in enumerate(tfds.as_numpy(found)):
            assert clip["track_id"].decode() == data.labels("train")["track_id"][at]
            for name in ("spectrogram", "tags"):
                np.testing.assert_array_equal(clip[name], expected[name][at])
        assert at + 1 == number
