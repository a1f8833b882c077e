"""Streaming where the store fails: it is asked again, and nothing changes."""

import gc
import logging
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from input_pipeline import order, stream
from input_pipeline.batches import open_shards
from input_pipeline.index import Split
from tests.input_pipeline.test_batches import READ
from tests.reading import assert_equal, take


@pytest.fixture
def away(prepared, tmp_path):
    """A set whose folder can be taken away and put back."""
    import shutil

    here, there = tmp_path / "set", tmp_path / "away"
    shutil.copytree(prepared["mel"], here)
    return here, there


@pytest.mark.parametrize("way", ["train", "evaluate"])
@pytest.mark.parametrize("before", [0, 1])
def test_a_store_that_comes_back_changes_nothing(
    away, monkeypatch, caplog, way, before
):
    monkeypatch.setattr(stream, "_WAITS_S", (0.2,) * 20)
    here, there = away
    data = open_shards(here, window_shards=1, threads=1)

    def batches():
        if way == "train":
            return data.train_batches(2, 0)
        return data.evaluation_batches("train", 2)

    def put_back():
        # What was read ahead may be all there is: then nobody sees that it is away.
        until = time.monotonic() + (1.0 if before else 60.0)
        while time.monotonic() < until and "trying again in" not in caplog.text:
            time.sleep(0.05)
        there.rename(here)

    undisturbed = take(batches(), 8)
    disturbed = batches()
    found = take(disturbed, before)
    here.rename(there)
    threading.Thread(target=put_back).start()
    with caplog.at_level(logging.WARNING):
        found += take(disturbed, 8 - before)
    assert_equal(found, undisturbed)
    if not before:
        assert f"{here}: " in caplog.text
        assert "trying again in" in caplog.text


def test_a_store_that_stays_away_ends_with_a_sentence(away, monkeypatch):
    monkeypatch.setattr(stream, "_WAITS_S", (0.01,) * 3)
    here, there = away
    data = open_shards(here, window_shards=1)
    here.rename(there)
    message = rf"{here} cannot be read, after 3 attempts in .*give the same command"
    for read in (READ["train"], READ["evaluate"]):
        with pytest.raises(ValueError, match=message):
            read(data)


def test_damage_is_told_from_a_store_that_fails(away, monkeypatch):
    """Nobody waits for a minute because of a damaged record."""
    monkeypatch.setattr(stream, "_WAITS_S", (1000,))
    here, _ = away
    path = here / "clips-train.tfrecord-00002-of-00004"
    content = bytearray(path.read_bytes())
    content[-10] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="00002-of-00004, record 3 "):
        take(open_shards(here).train_batches(4, 0), 8)


FIRST_BATCH = """
import sys
from input_pipeline.batches import open_shards
next(open_shards(sys.argv[1]).train_batches(2, 0))
"""


def test_the_first_batch_comes_without_a_warning(prepared):
    """In a process of its own: AutoGraph warns of a function once."""
    call = [sys.executable, "-c", FIRST_BATCH, prepared["mel"]]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def made_up(shard_clips, window_shards, threads=2):
    """A reader of shards that are not there: their rows can be named."""
    size, clips = sum(shard_clips), np.array(shard_clips)
    ids, tags = np.array([f"id-{n}" for n in range(size)]), np.zeros((size, 3), "u1")
    split = Split("train", Path("nowhere"), ids, tags, None, clips, clips)
    return stream.Reader(split, (2, 2), clips, threads, window_shards)


@pytest.mark.parametrize("window_shards", [7, 10**6])
def test_the_order_of_uneven_shards_does_not_depend_on_threads(window_shards):
    """As where clips were left out: shards end at different times."""
    shard_clips = np.random.default_rng(0).integers(0, 9, 50)
    orders = set()
    for threads in (1, 2, 3, 16, 64):
        reader = made_up(shard_clips, window_shards, threads)
        rows = stream.train_rows(reader, 8, 0, 0)
        orders.add(tuple(np.concatenate(take(rows, 60)).tolist()))
    assert len(orders) == 1


def test_the_next_window_is_fetched_early_wherever_a_run_goes_on(monkeypatch):
    """Here in a last window of one shard, before one of 39."""
    starts, windows = [], order.windows

    def watched(*arguments):
        for window in windows(*arguments):
            starts.append(window.start)
            yield window

    monkeypatch.setattr(order, "windows", watched)
    rows = stream.train_rows(made_up([64] * 40, 39), 8, 0, 39 * 8)
    take(rows, 13)  # 104 clips: the second window has 2,496, and 152 are on their way.
    ends_s = time.monotonic() + 600
    while 79 * 64 not in starts and time.monotonic() < ends_s:
        time.sleep(0.01)
    assert 79 * 64 in starts


def test_dropped_streams_leave_no_threads(prepared):
    data, counts = open_shards(prepared["mel"]), []
    for _ in range(3):
        for _ in range(4):
            next(data.train_batches(4, 0))
            next(data.evaluation_batches("train", 4))
        gc.collect()
        counts.append(len(list(Path("/proc/self/task").iterdir())))
    assert counts[2] <= counts[0]
