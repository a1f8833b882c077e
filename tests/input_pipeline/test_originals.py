"""Audio that was replaced is noticed; audio that was only touched costs nothing."""

import dataclasses
import os
import shutil

import numpy as np
import pytest

from input_pipeline import catalogue, originals, plan, prepare, shards
from input_pipeline.batches import open_shards
from input_pipeline.corpora import folder
from input_pipeline.plan import Slice
from tests.preparing import files, in_this_process, prepare_folder
from tests.reading import whole
from tests.small_corpus import RECIPE, write_folder, write_sound


@pytest.fixture
def corpus_dir(tmp_path):
    return write_folder(tmp_path / "corpus", 10)


@pytest.fixture
def written(monkeypatch):
    return in_this_process(monkeypatch)


def replace(corpus_dir, number=3, seed=99):
    """Puts other audio of the same size in the place of a clip's."""
    path = corpus_dir / "audio" / f"{number:03d}.wav"
    before = path.stat()
    write_sound(path, seed)
    assert path.stat().st_size == before.st_size
    assert path.stat().st_mtime_ns != before.st_mtime_ns
    return path


def touch(corpus_dir):
    for path in (corpus_dir / "audio").iterdir():
        os.utime(path, ns=(10**18, 10**18))


def test_replaced_audio_is_prepared_anew_beside_the_old_set(
    tmp_path, corpus_dir, written, capsys
):
    old = prepare_folder(corpus_dir, tmp_path)
    before = files(old)
    path = replace(corpus_dir)
    new = prepare_folder(corpus_dir, tmp_path)
    assert new == old.parent.with_name(f"{old.parent.name}-2") / old.name
    said = capsys.readouterr().out
    assert f"audio was replaced since {old} was made ({path}); the shards of " in said
    assert files(old) == before
    a, b = (whole(open_shards(one), "valid") for one in (old, new))
    differs = (a["spectrogram"] != b["spectrogram"]).any((1, 2))
    ids = open_shards(new).labels("valid")["track_id"]
    assert ids[differs].tolist() == ["id-003"]
    # From here on that is the set; a third one follows it.
    written.clear()
    assert prepare_folder(corpus_dir, tmp_path) == new
    assert written == []
    assert "audio was replaced" not in capsys.readouterr().out
    replace(corpus_dir, seed=98)
    assert prepare_folder(corpus_dir, tmp_path).parent.name == f"{old.parent.name}-3"


def test_audio_that_is_put_back_has_its_set_already(tmp_path, corpus_dir, written):
    shutil.copytree(corpus_dir / "audio", tmp_path / "kept")
    old = prepare_folder(corpus_dir, tmp_path)
    replace(corpus_dir)
    prepare_folder(corpus_dir, tmp_path)
    written.clear()
    for path in (tmp_path / "kept").iterdir():
        shutil.copyfile(path, corpus_dir / "audio" / path.name)
    assert prepare_folder(corpus_dir, tmp_path) == old
    assert written == []


def test_touched_audio_is_read_once_and_not_prepared_again(
    tmp_path, corpus_dir, written, monkeypatch
):
    old = prepare_folder(corpus_dir, tmp_path)
    before = files(old)
    written.clear()
    touch(corpus_dir)
    assert prepare_folder(corpus_dir, tmp_path) == old
    assert written == []
    after = files(old)
    assert before.pop("originals.npz") != after.pop("originals.npz")
    assert after == before
    monkeypatch.setattr(originals, "checksum", None)  # Nothing is read a second time.
    assert prepare_folder(corpus_dir, tmp_path) == old


def begin(corpus_dir, tmp_path):
    """Writes all shards of a set, of four clips, and does not complete it."""
    corpus = folder.load(corpus_dir)
    where = plan.shard_directories(corpus, [RECIPE], tmp_path)
    prepare.begin(corpus, where, 4)
    prepare.write_missing(plan.shard_tasks(corpus, 4), where, num_processes=1)
    return where[RECIPE]


@pytest.mark.parametrize("num_workers", [1, 2])
def test_of_a_set_half_way_only_shards_of_replaced_audio_are_written_again(
    tmp_path, corpus_dir, written, num_workers, capsys
):
    directory = begin(corpus_dir, tmp_path)
    assert len(written) == 4
    written.clear()
    touch(corpus_dir)
    replace(corpus_dir)
    for worker in range(num_workers):
        slice_ = Slice(worker, num_workers)
        assert prepare_folder(corpus_dir, tmp_path, own=slice_) == directory
    assert written == ["clips-valid.tfrecord-00000-of-00001"]
    assert catalogue.is_complete(directory)
    expected = prepare_folder(corpus_dir, tmp_path / "anew")
    assert files(directory) == files(expected)
    # The valid shard is of the first job, which then waited for nobody.
    assert "are still missing" not in capsys.readouterr().out


def test_a_job_of_several_waits_for_shards_of_replaced_audio(
    tmp_path, corpus_dir, written, capsys
):
    directory = begin(corpus_dir, tmp_path)
    replace(corpus_dir)
    prepare_folder(corpus_dir, tmp_path, own=Slice(1, 2))
    assert "1 of 4 shards of the set are still missing" in capsys.readouterr().out
    assert not catalogue.is_written(directory)


def test_a_file_that_could_not_be_read_is_looked_at_each_time(tmp_path, monkeypatch):
    path = write_sound(tmp_path / "a.wav")
    with monkeypatch.context() as patch:
        patch.setattr(originals, "open", refuse, raising=False)
        known = originals.original(path)
        assert known.checksum == originals.UNREADABLE
        assert originals.is_same(path, known, originals.stamp(path))
    # Now it can be read.
    assert not originals.is_same(path, known, originals.stamp(path))


def refuse(*arguments, **options):
    raise PermissionError


@pytest.mark.parametrize("size", [0, 1, 2**23, 2**23 + 1, 3 * 2**23])
def test_a_checksum_is_of_the_whole_file_or_of_many_places(tmp_path, size):
    path = tmp_path / "a"
    content = np.random.default_rng(0).bytes(size)
    path.write_bytes(content)
    expected = originals.checksum(path)
    assert expected >= 0
    for place in (0, size // 2, size - 1) if 0 < size <= 2**23 else ():
        altered = bytearray(content)
        altered[place] ^= 1
        path.write_bytes(altered)
        assert originals.checksum(path) != expected
    for first in (0, size // 2, size - 400_000) if size > 2**23 else ():
        altered = bytearray(content)  # Three seconds of an MP3.
        altered[first : first + 400_000] = bytes(400_000)
        path.write_bytes(altered)
        assert originals.checksum(path) != expected
    assert originals.checksum(tmp_path / "none") == originals.UNREADABLE


def test_a_set_of_an_older_version_is_read_and_watched_from_then_on(
    tmp_path, corpus_dir, written, capsys
):
    old = prepare_folder(corpus_dir, tmp_path)
    (old / "originals.npz").unlink()
    os.utime(old, ns=(10**18, 10**18))
    written.clear()
    assert prepare_folder(corpus_dir, tmp_path) == old
    said = capsys.readouterr().out
    assert f"10 audio files are newer than {old}, which was made by a version" in said
    assert prepare_folder(corpus_dir, tmp_path) == old
    assert "newer" not in capsys.readouterr().out
    assert written == []
    replace(corpus_dir)
    assert prepare_folder(corpus_dir, tmp_path).parent.name == f"{old.parent.name}-2"


def test_damaged_notes_are_named(tmp_path, corpus_dir, written):
    old = prepare_folder(corpus_dir, tmp_path)
    content = (old / "originals.npz").read_bytes()
    for damaged in (b"", content[:-30], content.replace(b"originals", b"recipes99")):
        (old / "originals.npz").write_bytes(damaged)
        message = rf"{old}/originals.npz is damaged .*Delete"
        with pytest.raises(ValueError, match=message):
            prepare_folder(corpus_dir, tmp_path)


def test_excerpts_of_one_file_are_read_once(tmp_path, corpus_dir, monkeypatch):
    corpus = folder.load(corpus_dir)
    [task, *_] = plan.shard_tasks(corpus, 4)
    path = task.clips[0].path
    task = dataclasses.replace(
        task, clips=tuple(clip._replace(path=path) for clip in task.clips)
    )
    read = []
    checksum = originals.checksum
    monkeypatch.setattr(
        originals, "checksum", lambda path: read.append(path) or checksum(path)
    )
    target = shards.Target(RECIPE, tmp_path / "out", RECIPE.mel_filters())
    shards.write_shard(task, [target])
    assert read == [path]
