"""Two readers, one stream: equal batches, errors that arrive, threads that end."""

import gc
import itertools
import logging
import threading
import time

import numpy as np
import pytest

from input_pipeline import streams
from input_pipeline.batches import open_shards


@pytest.fixture(scope="module", params=["mel", "stft"])
def both(prepared, request):
    return [open_shards(prepared[request.param], reader=r) for r in streams.READERS]


def _assert_equal(first, second, num_batches=None):
    pairs = list(itertools.islice(itertools.zip_longest(first, second), 0, num_batches))
    assert pairs
    for one, other in pairs:
        assert list(one) == list(other) == ["spectrogram", "tags", "mask", "row"]
        for name, value in one.items():
            assert value.dtype == other[name].dtype
            np.testing.assert_array_equal(value, other[name])


@pytest.mark.parametrize("first_step", [0, 7, 10**9])
@pytest.mark.parametrize("fraction", [0.05, 0.6, 1.0])
@pytest.mark.parametrize(("batch_size", "rows"), [(4, (0, 4)), (32, (8, 24))])
def test_both_readers_train_on_the_same(both, first_step, fraction, batch_size, rows):
    one, other = (
        data.train_batches(batch_size, 3, first_step, fraction, slice(*rows))
        for data in both
    )
    _assert_equal(one, other, 9)


@pytest.mark.parametrize("fraction", [0.4, 1.0])
@pytest.mark.parametrize("batch_size", [1, 4, 5, 64])
def test_both_readers_evaluate_the_same(both, batch_size, fraction):
    for split in ("train", "valid", "test"):
        _assert_equal(
            *(data.evaluation_batches(split, batch_size, fraction) for data in both)
        )


def _batch(step):
    return {
        "spectrogram": np.full((1, 2, 3), step, np.float16),
        "tags": np.zeros((1, 2), np.uint8),
        "mask": np.ones(1, bool),
        "row": np.array([step]),
    }


def _fails_at_3(step):
    if step == 3:
        raise ValueError("shard 7 ends at byte 12")
    return _batch(step)


@pytest.mark.parametrize("reader", list(streams.READERS))
def test_an_error_arrives_after_the_batches_before_it(reader):
    batches = streams.stream(reader, _fails_at_3, 0, 10)
    assert [int(next(batches)["row"][0]) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match=r"^shard 7 ends at byte 12$"):
        next(batches)
    if reader == "plain":
        _wait_for_no_thread()


def _threads():
    return [t for t in threading.enumerate() if t.name.startswith("batches")]


def _wait_for_no_thread():
    deadline = time.monotonic() + 5
    while _threads() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _threads()


@pytest.mark.parametrize("way", ["end", "close", "forget", "never start"])
def test_no_thread_is_left(way):
    batches = streams.stream("plain", _batch, 0, 50)
    if way == "end":
        assert len(list(batches)) == 50
    elif way != "never start":
        next(batches)
        assert _threads()
    if way == "close":
        batches.close()
    del batches
    gc.collect()
    _wait_for_no_thread()


def test_only_a_few_batches_are_fetched_ahead():
    loaded = []
    batches = streams.stream("plain", lambda s: loaded.append(s) or _batch(s), 0, 100)
    next(batches)
    time.sleep(0.1)
    assert sorted(loaded) == [0, 1, 2]
    batches.close()


def test_an_unknown_reader_is_named(prepared):
    with pytest.raises(ValueError, match=r"reader is 'torch'; allowed are tf.data, pl"):
        open_shards(prepared["mel"], reader="torch")


def test_without_tensorflow_tf_data_means_plain(monkeypatch, caplog):
    streams.has_tensorflow.cache_clear()
    monkeypatch.setattr(streams, "find_spec", lambda name: None)
    with caplog.at_level(logging.INFO):
        for _ in range(2):
            found = list(streams.stream("tf.data", _batch, 4, 6))
    streams.has_tensorflow.cache_clear()
    assert [int(batch["row"][0]) for batch in found] == [4, 5]
    assert caplog.text.count("TensorFlow is not installed") == 1
