"""Preparation: what ends up on disk, whatever happens on the way."""

import csv
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from input_pipeline import catalogue, plan, prepare, shards
from input_pipeline.batches import open_shards
from input_pipeline.corpora import folder
from input_pipeline.order import sort_key
from msd_tagger.frontend import audio
from msd_tagger.frontend.audio_error import AudioError
from msd_tagger.frontend.spectrogram import spectrogram
from tests.preparing import files as _files
from tests.preparing import in_this_process
from tests.preparing import prepare_folder as _prepare
from tests.preparing import start as _start
from tests.reading import whole
from tests.small_corpus import DAMAGED, RECIPE, STFT, write_folder, write_table

ROOT = Path(__file__).parents[2]


def _ledger(directory):
    with (directory / "ledger.csv").open(newline="") as file:
        return {row["track_id"]: row for row in csv.DictReader(file)}


def _damaged_folder(directory):
    """Twenty good clips, one file of each damaged kind, one repeated id."""
    rows = [(name, f"bad/{name}", "train", "rock") for name in DAMAGED]
    rows.append(("id-003", "audio/004.wav", "test", "rock"))
    write_folder(directory, 20, rows)
    (directory / "bad").mkdir()
    for name, (make, _) in DAMAGED.items():
        make(directory / "bad" / name)
    return directory


def test_shards_hold_what_audio_makes(corpus, prepared):
    for recipe in (RECIPE, STFT):
        data = open_shards(prepared[recipe.kind], recipe, corpus.tags, check=True)
        assert data.corpus["name"] == "tones"
        assert data.corpus["num_clips"] == {"train": 15, "valid": 4, "test": 4}
        clips = {clip.track_id: clip for clip in corpus.clips}
        for split in ("train", "valid", "test"):
            labels = data.labels(split)
            expected = [i for i, clip in clips.items() if clip.split == split]
            expected.sort(key=sort_key)
            assert labels["track_id"].tolist() == expected
            batch = whole(data, split)
            for row, track_id in enumerate(labels["track_id"]):
                clip = clips[track_id]
                samples = audio.read_clip(clip.path, recipe)
                found = spectrogram(samples, recipe)
                np.testing.assert_array_equal(batch["spectrogram"][row], found)
                np.testing.assert_array_equal(labels["tags"][row], clip.tags)
                np.testing.assert_array_equal(labels["true_tags"][row], clip.true_tags)


def test_tfds_opens_the_directory(prepared):
    import tensorflow_datasets as tfds

    for kind, directory in prepared.items():
        data = open_shards(directory)
        builder = tfds.builder_from_directory(str(directory))
        for split, info in builder.info.splits.items():
            assert info.num_examples == data.num_clips(split)
            labels = data.labels(split)
            batch = whole(data, split)
            examples = builder.as_dataset(split=split).as_numpy_iterator()
            rows = {name: row for row, name in enumerate(labels["track_id"])}
            seen = set()
            for example in examples:
                row = rows[example["track_id"].decode()]
                seen.add(row)
                np.testing.assert_array_equal(
                    example["spectrogram"], batch["spectrogram"][row]
                )
                np.testing.assert_array_equal(example["tags"], labels["tags"][row])
                np.testing.assert_array_equal(
                    example["true_tags"], labels["true_tags"][row]
                )
            assert len(seen) == info.num_examples, kind


def test_damaged_files_end_in_the_ledger(tmp_path, capfd):
    directory = _damaged_folder(tmp_path / "corpus")
    found = _prepare(directory, tmp_path, max_bad_share=0.5, clips_per_shard=3)
    ledger = _ledger(found)
    reasons = {name: reason for name, (_, reason) in DAMAGED.items()}
    assert {name: row["reason"] for name, row in ledger.items()} == {
        **reasons,
        "id-003": "id in two splits",
    }
    assert ledger["nan.wav"]["path"] == "bad/nan.wav"
    data = open_shards(found, check=True)
    counts = data.corpus
    assert counts["num_clips"] == {"train": 12, "valid": 4, "test": 4}
    assert sum(counts["left_out"].values()) == len(DAMAGED) + 1
    # Some shards hold damaged files only.
    assert 0 in counts["shard_lengths"]["train"]
    _check_tfds_reads_past_empty_shards(found)
    output, errors = capfd.readouterr()
    assert f"20 clips in 13 shards, {len(DAMAGED) + 1} left out (" in output
    num_truncated = list(reasons.values()).count("truncated")
    assert f"{num_truncated} truncated" in output
    assert "1 id in two splits" in output
    assert "libmpg123" not in errors


def _check_tfds_reads_past_empty_shards(found):
    import tensorflow_datasets as tfds

    builder = tfds.builder_from_directory(str(found))
    for part, expected in (("train", 12), ("train[:50%]", 6), ("test", 4)):
        examples = list(builder.as_dataset(split=part).as_numpy_iterator())
        assert len({example["track_id"] for example in examples}) == expected


def test_too_many_damaged_files_are_an_error_that_can_be_allowed(tmp_path):
    directory = _damaged_folder(tmp_path / "corpus")
    message = (
        rf"{len(DAMAGED) + 1} of {len(DAMAGED) + 21} clips \(4\d\.\d%\).*"
        r"prepare.max_bad_share=0.1 allows; see .*ledger.csv.* size of a file changes"
    )
    with pytest.raises(ValueError, match=message):
        _prepare(directory, tmp_path)
    shards = list(tmp_path.glob("shards/*/*/*.tfrecord-*"))
    before = {path: path.stat().st_mtime_ns for path in shards}
    found = _prepare(directory, tmp_path, max_bad_share=0.5)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert catalogue.is_complete(found)
    with pytest.raises(ValueError, match=message):
        _prepare(directory, tmp_path)


def test_a_mended_file_is_tried_again(tmp_path):
    directory = write_folder(tmp_path / "corpus", 20)
    bad = sorted((directory / "audio").glob("*.wav"))[:5]
    good = {path: path.read_bytes() for path in bad}
    for path in bad:
        path.write_bytes(bytes(len(good[path])))  # As long as before.
    with pytest.raises(ValueError, match="5 of 20 clips"):
        _prepare(directory, tmp_path)
    for path, content in good.items():
        path.write_bytes(content)
    assert _ledger(_prepare(directory, tmp_path)) == {}


def test_no_rejection_outlives_its_cause(tmp_path, monkeypatch):
    """Neither another version of a decoder nor a disk that was away."""
    directory = write_folder(tmp_path / "corpus", 5)
    (directory / "audio" / "000.wav").write_bytes(bytes(5000))
    task = plan.shard_tasks(folder.load(directory), 64)[0]
    target = shards.Target(RECIPE, tmp_path / "set", RECIPE.mel_filters())
    (target.directory / shards.PARTS).mkdir(parents=True)
    shards.write_shard(task, [target])
    part = shards.read_part(target.directory, task)
    assert [row[2] for row in part["rejected"]] == ["not audio"]
    with monkeypatch.context() as other:
        other.setattr(shards, "DECODERS", "another version")
        assert shards.read_part(target.directory, task) is None

    def fail(path, *_):
        raise AudioError(path, "unreadable", "Input/output error")

    with monkeypatch.context() as other:
        other.setattr(audio, "read_excerpts", fail)
        shards.write_shard(task, [target])
    assert shards.read_part(target.directory, task, retry=True) is None


def test_a_file_that_opens_and_cannot_be_read_is_left_out(tmp_path, monkeypatch):
    """It is tried by every job, and keeps none from completing the set."""
    directory = write_folder(tmp_path / "corpus", 20)
    bad, read = directory / "audio" / "000.wav", os.pread

    def fail(number, count, start):
        if os.fstat(number).st_ino == bad.stat().st_ino:
            raise OSError(errno.EIO, "Input/output error")
        return read(number, count, start)

    monkeypatch.setattr(os, "pread", fail)
    written = in_this_process(monkeypatch)
    with pytest.raises(ValueError, match=r"prepare\.max_bad_share=0 allows"):
        _prepare(directory, tmp_path, max_bad_share=0)
    first = [*written]
    found = _prepare(directory, tmp_path)
    assert len(written) == len(first) + 1
    assert _ledger(found)["id-000"]["reason"] == "unreadable"


def test_a_split_without_clips_is_an_error(tmp_path):
    directory = write_folder(tmp_path / "corpus", 10)
    (directory / "audio" / "003.wav").unlink()
    (directory / "audio" / "008.wav").write_bytes(b"")
    with pytest.raises(ValueError, match=r"no clips in valid .*ledger.csv"):
        _prepare(directory, tmp_path, max_bad_share=0.5)
    rows = [("a", "audio/000.wav", "train", "rock")]
    write_table(directory, rows)
    with pytest.raises(ValueError, match=r"no clips in valid, test"):
        _prepare(directory, tmp_path)


def test_a_complete_set_is_recognised(tmp_path, monkeypatch):
    directory = write_folder(tmp_path / "corpus", 10)
    found = _prepare(directory, tmp_path)
    before = _files(found)
    monkeypatch.setattr(prepare, "run_workers", None)
    start_s = time.perf_counter()
    assert _prepare(directory, tmp_path, clips_per_shard=2) == found
    assert time.perf_counter() - start_s < 0.5
    assert _files(found) == before


def test_workers_and_moving_the_corpus_change_no_byte(tmp_path):
    directory = write_folder(tmp_path / "corpus", 12)
    found = _prepare(directory, tmp_path / "a", num_processes=1)
    moved = shutil.move(directory, tmp_path / "elsewhere" / "corpus")
    again = _prepare(moved, tmp_path / "b", num_processes=3)
    assert again.parts[-2:] == found.parts[-2:]
    assert _files(again) == _files(found)


def test_another_clip_list_or_recipe_is_another_folder(tmp_path):
    directory = write_folder(tmp_path / "corpus", 10)
    first = plan.shard_directories(folder.load(directory), [RECIPE, STFT], tmp_path)
    assert first[RECIPE].parent == first[STFT].parent
    assert first[RECIPE] != first[STFT]
    (directory / "audio" / "000.wav").write_bytes(b"changed")
    second = plan.shard_directories(folder.load(directory), [RECIPE], tmp_path)
    table = directory / "tags.csv"
    table.write_text(table.read_text().replace("rock|pop|jazz", "rock"))
    third = plan.shard_directories(folder.load(directory), [RECIPE], tmp_path)
    assert len({first[RECIPE], second[RECIPE], third[RECIPE]}) == 3


def test_a_set_goes_on_with_the_plan_it_was_begun_with(tmp_path, capsys):
    directory = write_folder(tmp_path / "corpus", 10)
    expected = _files(_prepare(directory, tmp_path / "expected", clips_per_shard=2))
    corpus = folder.load(directory)
    where = plan.shard_directories(corpus, [RECIPE], tmp_path)
    assert prepare.begin(corpus, where, 2) == 2
    # Three tasks of six clips of train in twos, as if stopped there.
    tasks = [task for task in plan.shard_tasks(corpus, 2) if task.split == "train"]
    prepare.write_missing(tasks, where, num_processes=1)
    assert len(list(where[RECIPE].glob("*.tfrecord-*"))) == 3
    assert _files(_prepare(directory, tmp_path, clips_per_shard=5)) == expected
    assert (
        "2 clips per shard, with which this set was begun, not"
        in capsys.readouterr().out
    )


def test_files_of_a_plan_that_was_given_up_are_removed(tmp_path):
    directory = write_folder(tmp_path / "corpus", 10)
    expected = _files(_prepare(directory, tmp_path / "expected", clips_per_shard=5))
    corpus = folder.load(directory)
    where = plan.shard_directories(corpus, [RECIPE], tmp_path)
    prepare.begin(corpus, where, 2)
    prepare.write_missing(plan.shard_tasks(corpus, 2), where, num_processes=1)
    (where[RECIPE] / "parts" / "plan.json").unlink()
    with pytest.raises(ValueError, match=rf"Delete {where[RECIPE]}/parts while no job"):
        _prepare(directory, tmp_path, clips_per_shard=5)
    shutil.rmtree(where[RECIPE] / "parts")
    assert _files(_prepare(directory, tmp_path, clips_per_shard=5)) == expected


def test_the_second_kind_does_not_repeat_the_first(tmp_path):
    directory = write_folder(tmp_path / "corpus", 10)
    first = _prepare(directory, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in first.iterdir()}
    corpus = folder.load(directory)
    found = prepare.prepare(corpus, [RECIPE, STFT], tmp_path)
    assert found["mel"] == first
    assert {path: path.stat().st_mtime_ns for path in first.iterdir()} == before
    assert open_shards(found["stft"], STFT).num_clips("train") == 6


def test_recipes_must_share_the_clip(tmp_path, corpus):
    other = type(RECIPE)("stft", duration_s=2.0)
    with pytest.raises(ValueError, match=r"kinds \['mel', 'stft'\].*1.0.*2.0"):
        prepare.prepare(corpus, [RECIPE, other], tmp_path)
    with pytest.raises(ValueError, match=r"\['mel', 'mel'\]"):
        prepare.prepare(corpus, [RECIPE, RECIPE], tmp_path)
    with pytest.raises(ValueError, match="clips_per_shard is 0"):
        prepare.prepare(corpus, [RECIPE], tmp_path, clips_per_shard=0)


def test_a_target_that_cannot_be_written_is_named(tmp_path, corpus):
    (tmp_path / "shards").write_text("not a folder")
    with pytest.raises(ValueError, match=f"cannot write shards below {tmp_path}"):
        prepare.prepare(corpus, [RECIPE], tmp_path)


# The part below runs in processes of its own, which are killed, stopped and starved.


def _wait_for_parts(process, data_dir, number):
    deadline_s = time.monotonic() + 600
    while time.monotonic() < deadline_s and process.poll() is None:
        parts = list(Path(data_dir).glob("shards/*/*/parts/clips-*.json"))
        if len(parts) >= number:
            return
        time.sleep(0.002)
    pytest.fail(f"no {number} shards: {process.communicate()}")


def _survivors(process):
    """Processes of its session that are neither gone nor waiting to be reaped."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[3]) == process.pid and fields[0] not in "ZX":
            found.append(stat.parent.name)
    return found


def _wait_until_all_are_gone(process):
    deadline_s = time.monotonic() + 600
    while _survivors(process) and time.monotonic() < deadline_s:
        time.sleep(0.02)
    assert not _survivors(process)


@pytest.fixture(scope="module")
def many_clips(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("many") / "corpus", 160)


@pytest.fixture(scope="module")
def uninterrupted(many_clips, tmp_path_factory):
    return _prepare(many_clips, tmp_path_factory.mktemp("whole"))


def _finished_shards(data_dir):
    """Finished shards by name, and when they were written."""
    found = {}
    for part in Path(data_dir).glob("shards/*/*/parts/clips-*.json"):
        shard = part.parents[1] / part.stem
        found[shard] = shard.stat().st_mtime_ns
    return found


def test_two_jobs_at_once_do_not_disturb_each_other(
    tmp_path, many_clips, uninterrupted, warm_starts
):
    processes = [_start(many_clips, tmp_path) for _ in range(2)]
    for process in processes:
        _, errors = process.communicate(timeout=600)
        assert process.returncode == 0, errors
    (found,) = tmp_path.glob("shards/*/*")
    assert _files(found) == _files(uninterrupted)


@pytest.mark.parametrize("name", ["SIGKILL", "SIGINT"])
def test_an_interrupted_preparation_goes_on(tmp_path, many_clips, uninterrupted, name):
    process = _start(many_clips, tmp_path)
    _wait_for_parts(process, tmp_path, 3)
    process.send_signal(getattr(signal, name))
    _, errors = process.communicate(timeout=600)
    assert process.returncode != 0
    _wait_until_all_are_gone(process)
    finished = _finished_shards(tmp_path)
    assert 3 <= len(finished) < 40
    if name == "SIGINT":
        assert "Finished shards stay; the same command goes on" in errors
        assert not list(tmp_path.rglob("*.tmp"))
    found = _prepare(many_clips, tmp_path, num_processes=2)
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    assert _files(found) == _files(uninterrupted)


def test_a_full_disk_is_named_and_leaves_nothing_half_written(tmp_path, many_clips):
    # No file of the process may grow beyond 20 kB; a shard needs 36.
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (20000,) * 2)"
    process = _start(many_clips, tmp_path, before=limit)
    _, errors = process.communicate(timeout=600)
    assert process.returncode != 0
    assert f"ValueError: cannot write shards below {tmp_path}" in errors
    assert "run the same command again" in errors
    assert not list(tmp_path.glob("shards/*/*/*.tfrecord-*"))
    assert not list(tmp_path.rglob("*.tmp"))
    _wait_until_all_are_gone(process)


def test_a_killed_worker_is_named(tmp_path, many_clips):
    process = _start(many_clips, tmp_path)
    _wait_for_parts(process, tmp_path, 1)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    for child in children.split():
        command = Path(f"/proc/{child}/cmdline").read_bytes()
        if b"spawn_main" in command:
            os.kill(int(child), signal.SIGKILL)
            break
    _, errors = process.communicate(timeout=600)
    assert "a worker process died" in errors
    _wait_until_all_are_gone(process)


def test_workers_import_little():
    code = (
        "import sys, input_pipeline.shards\n"
        "print(sorted({'tensorflow', 'librosa', 'jax', 'scipy.signal'}\n"
        "             & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert found.stdout == "[]\n", found.stderr


def test_without_tfds_a_set_is_complete_and_registered_later(tmp_path, monkeypatch):
    directory = write_folder(tmp_path / "corpus", 10)
    with monkeypatch.context() as patch:
        patch.setattr(catalogue, "find_spec", lambda name: None)
        found = _prepare(directory, tmp_path)
        assert catalogue.is_complete(found)
    assert not (found / "dataset_info.json").exists()
    assert not catalogue.is_complete(found)
    monkeypatch.setattr(prepare, "run_workers", None)  # No shard is written again.
    assert _prepare(directory, tmp_path) == found
    assert json.loads((found / "dataset_info.json").read_text())["name"] == "clips"
