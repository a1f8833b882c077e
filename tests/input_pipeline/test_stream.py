"""Streaming where the store fails: it is asked again, and nothing changes."""

import logging
import threading

import pytest

from input_pipeline import stream
from input_pipeline.batches import open_shards
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
def test_a_store_that_comes_back_changes_nothing(away, monkeypatch, caplog, way):
    monkeypatch.setattr(stream, "_WAITS_S", (0.2,) * 20)
    here, there = away
    data = open_shards(here, window_shards=1, threads=1)

    def batches():
        if way == "train":
            return data.train_batches(2, 0)
        return data.evaluation_batches("train", 2)

    undisturbed = take(batches(), 8)
    disturbed = batches()
    found = take(disturbed, 1)
    here.rename(there)
    threading.Timer(1.0, lambda: there.rename(here)).start()
    with caplog.at_level(logging.WARNING):
        found += take(disturbed, 7)
    assert_equal(found, undisturbed)
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
