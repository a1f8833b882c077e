"""A set is copied to a local disk once, whole, and gives the same batches there."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from input_pipeline import staging, storage
from input_pipeline.batches import open_shards
from input_pipeline.catalogue import CORPUS_FILE
from input_pipeline.originals import ORIGINALS
from input_pipeline.staging import stage
from input_pipeline.storage import RemotePath
from tests.reading import assert_equal, take


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def copies(monkeypatch):
    """The names of the files that are copied, in their order."""
    copied, copy_file = [], staging.copy_file

    def noting(source, target):
        copy_file(source, target)
        copied.append(target.name)

    monkeypatch.setattr(staging, "copy_file", noting)
    return copied


def test_what_is_staged_is_what_a_run_of_the_set_reads(prepared, tmp_path):
    source = prepared["mel"]
    target = stage(source, tmp_path / "disk")
    assert target.parts[-2:] == (source.parent.name, source.name)
    assert target.is_relative_to(tmp_path / "disk")
    assert contents(target) == contents(source)
    here, there = open_shards(source), open_shards(target)
    assert there.order_digest() == here.order_digest()
    one, other = (x.train_batches(4, 0) for x in (here, there))
    assert_equal(take(one, 6), take(other, 6))


def test_a_set_is_copied_once(prepared, tmp_path, copies):
    stage(prepared["mel"], tmp_path)
    whole = len(copies)
    assert copies[-1] == CORPUS_FILE and whole == len(contents(prepared["mel"]))
    stage(prepared["mel"], tmp_path)
    assert len(copies) == whole


def test_a_copy_that_was_cut_off_is_completed(prepared, tmp_path, copies):
    target = stage(prepared["mel"], tmp_path)
    lost = sorted(target.glob("clips-train*"))
    lost[0].unlink()
    lost[1].write_bytes(b"half")
    (target / CORPUS_FILE).unlink()
    copies.clear()
    stage(prepared["mel"], tmp_path)
    assert sorted(copies) == sorted([lost[0].name, lost[1].name, CORPUS_FILE])
    assert contents(target) == contents(prepared["mel"])


@pytest.mark.parametrize("changed", [CORPUS_FILE, ORIGINALS])
def test_another_set_of_the_same_name_is_copied_beside(prepared, tmp_path, changed):
    """Also one of other audio of the same length, which its counts do not show."""
    mine = tmp_path / "data" / "set" / "mel"
    shutil.copytree(prepared["mel"], mine)
    first = stage(mine, tmp_path / "disk")
    kept = contents(first)
    shard = next(mine.glob("clips-train*"))
    shard.write_bytes(shard.read_bytes()[::-1])
    (mine / changed).write_bytes((mine / changed).read_bytes() + b" ")
    second = stage(mine, tmp_path / "disk")
    assert contents(second) == contents(mine)
    assert contents(first) == kept  # Somebody may be reading it.


def test_tasks_of_one_machine_copy_once_together(prepared, tmp_path, copies):
    with ThreadPoolExecutor(4) as pool:  # Locks are of open files, not of processes.
        tasks = [pool.submit(stage, prepared["mel"], tmp_path) for _ in range(4)]
    [target] = {task.result() for task in tasks}
    assert contents(target) == contents(prepared["mel"])
    assert len(copies) == len(contents(target))


def test_a_set_on_another_store_is_staged_too(prepared, tmp_path):
    store = RemotePath("ram://staged/set/mel")
    staging.copy_folder(prepared["mel"], store, CORPUS_FILE)
    target = stage(store, tmp_path)
    assert contents(target) == contents(prepared["mel"])
    storage.tensorflow().io.gfile.rmtree("ram://staged")


def test_a_disk_that_is_too_small_is_named(prepared, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(ValueError, match=r"disk has 1e-06 GB free, and .* takes 0\.\d"):
        stage(prepared["mel"], tmp_path / "disk")


def test_a_folder_that_cannot_be_made_is_named(prepared, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"input.local_dir=.*file: .*cannot be copied"):
        stage(prepared["mel"], tmp_path / "file")
