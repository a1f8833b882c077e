"""Sets on another store: `ram://` is one that TensorFlow reads and a path is not."""

import logging
import shutil
from pathlib import Path

import pytest

from input_pipeline import elsewhere, staging, storage
from input_pipeline.batches import open_shards
from input_pipeline.catalogue import CORPUS_FILE
from input_pipeline.storage import RemotePath
from tests.input_pipeline.test_batches import READ
from tests.reading import assert_equal, take
from tests.small_corpus import RECIPE, STFT

OPTIONS = {"num_processes": 1, "clips_per_shard": 4}


@pytest.fixture
def store(request):
    """An empty place in memory."""
    tf = storage.tensorflow()
    where = RemotePath(f"ram://{request.node.name.replace('[', '-').replace(']', '')}")
    yield where
    if where.exists():
        tf.io.gfile.rmtree(str(where))


@pytest.fixture
def copied(prepared, store):
    staging.copy_folder(prepared["mel"], store / "set", CORPUS_FILE)
    return store / "set"


def test_a_set_elsewhere_gives_the_same_batches(prepared, copied):
    here, there = open_shards(prepared["mel"]), open_shards(str(copied), RECIPE)
    there.check("train")
    assert there.directory == copied
    assert there.order_digest() == here.order_digest()
    for first_step in (0, 5):
        one, other = (x.train_batches(4, 0, first_step) for x in (here, there))
        assert_equal(take(one, 6), take(other, 6))
    one, other = (x.evaluation_batches("test", 3) for x in (here, there))
    assert_equal(list(one), list(other))


def test_damage_elsewhere_is_named(copied, tmp_path):
    name = "clips-train.tfrecord-00001-of-00004"
    content = bytearray((copied / name).read_bytes())
    content[20_000] ^= 4
    (tmp_path / name).write_bytes(content)
    (copied / name).put(tmp_path / name)
    for read in READ.values():
        with pytest.raises(ValueError, match=rf"{copied / name}, record 2 "):
            read(open_shards(copied))
    storage.tensorflow().io.gfile.remove(str(copied / name))
    with pytest.raises(ValueError, match=f"{name} is missing, expected"):
        open_shards(copied)


@pytest.mark.parametrize("name", ["corpus.json", "index.npz", "recipe.json"])
def test_an_incomplete_set_elsewhere_is_refused(copied, name):
    storage.tensorflow().io.gfile.remove(str(copied / name))
    with pytest.raises(ValueError, match=rf"{copied} .*prepare again"):
        open_shards(copied)


def test_what_is_prepared_is_copied_and_then_found(
    corpus, store, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(elsewhere, "WORKING_FOLDER", tmp_path / "here")
    found = elsewhere.prepare_in(store, corpus, [RECIPE], **OPTIONS)["mel"]
    assert isinstance(found, RemotePath)
    said = capsys.readouterr().out
    assert f"copied to {found}; {tmp_path / 'here'}" in said
    assert f"23 clips in 6 shards, 0 left out: {found}" in said
    whole = list(open_shards(found).evaluation_batches("train", 15))
    shutil.rmtree(tmp_path / "here")
    again = elsewhere.prepare_in(store, corpus, [RECIPE, STFT], **OPTIONS)
    assert again["mel"] == found
    assert {path.name for path in (tmp_path / "here").rglob("*x47-*")} == {
        again["stft"].name
    }
    assert_equal(open_shards(found).evaluation_batches("train", 15), whole)


def test_a_copy_that_was_cut_off_is_made_again(
    corpus, store, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(elsewhere, "WORKING_FOLDER", tmp_path / "here")
    put, number = RemotePath.put, 0

    def fail(self, source):
        nonlocal number
        number += 1
        if number == 4:
            raise OSError(f"{self}: the store is full")
        put(self, source)

    monkeypatch.setattr(RemotePath, "put", fail)
    with pytest.raises(ValueError, match="the store is full"):
        elsewhere.prepare_in(store, corpus, [RECIPE], **OPTIONS)
    monkeypatch.setattr(RemotePath, "put", put)
    with caplog.at_level(logging.INFO):
        found = elsewhere.prepare_in(store, corpus, [RECIPE], **OPTIONS)["mel"]
    open_shards(found).check("train")


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("gss://bucket/x", "--data_dir=gss://bucket/x cannot be used: .*gss"),
        ("nfs://host/x", "--data_dir=nfs://host/x cannot be used: .*nfs"),
    ],
)
def test_an_address_that_nothing_reads_is_named(corpus, where, message):
    with pytest.raises(ValueError, match=message):
        elsewhere.check(storage.place(where))
    with pytest.raises(ValueError, match=message):
        elsewhere.prepare_in(storage.place(where), corpus, [RECIPE], **OPTIONS)


def test_a_folder_needs_nothing_of_it(corpus, tmp_path):
    found = elsewhere.prepare_in(tmp_path, corpus, [RECIPE], **OPTIONS)["mel"]
    assert found.is_relative_to(tmp_path)
    assert elsewhere.working_folder(tmp_path) == tmp_path


def test_an_address_is_a_place_with_the_names_of_a_path():
    place = storage.place("gs://bucket/a//b/")
    assert str(place) == "gs://bucket/a/b"
    assert (place.name, str(place.parent)) == ("b", "gs://bucket/a")
    assert place / "c" == RemotePath("gs://bucket/a/b/c")
    assert place.with_name("d") == RemotePath("gs://bucket/a/d")
    assert str(storage.place("hdfs:///x/../y")) == "hdfs:///y"
    assert storage.place("data/a:b") == Path("data/a:b")
