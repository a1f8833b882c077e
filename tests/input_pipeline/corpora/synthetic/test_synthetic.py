"""The embedded corpus as files: format, determinism, resuming, refusals."""

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from input_pipeline.corpora import synthetic
from msd_tagger.common.facts import SPLITS

ROOT = Path(__file__).resolve().parents[4]
NUM_CLIPS = (6, 1, 2)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """One small corpus, written by this process."""
    directory = tmp_path_factory.mktemp("corpus")
    return synthetic.write_corpus(
        directory, NUM_CLIPS, seed=3, num_processes=1, clip_duration_s=2.0
    )


def contents(directory):
    files = [path for path in sorted(directory.rglob("*")) if path.is_file()]
    return {str(path.relative_to(directory)): path.read_bytes() for path in files}


def write(directory, **changes):
    settings = {"num_clips": NUM_CLIPS, "seed": 3, "num_processes": 1}
    settings |= {"clip_duration_s": 2.0} | changes
    return synthetic.write_corpus(directory, **settings)


def rows_of(directory):
    with (directory / "tags.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_same_bytes_from_two_workers(written, tmp_path):
    assert contents(write(tmp_path, num_processes=2)) == contents(written)


@pytest.mark.parametrize("num_clips", [(8, 1, 2), (6, 1, 5), (7, 3, 3)])
def test_larger_splits_hold_the_smaller(written, tmp_path, num_clips):
    larger = write(tmp_path, num_clips=num_clips)
    rows = rows_of(larger)
    counts = Counter(row["split"] for row in rows)
    assert counts == dict(zip(SPLITS, num_clips, strict=True))
    assert all(row in rows for row in rows_of(written))
    audio = contents(written / "audio")
    assert audio.items() <= contents(larger / "audio").items()


def test_other_seed_gives_other_clips(written, tmp_path):
    other = contents(write(tmp_path, seed=4) / "audio")
    same = contents(written / "audio")
    assert all(other[name] != same[name] for name in same)


def test_resumes_after_partial_write(written, tmp_path):
    shutil.copytree(written, tmp_path / "cut")
    directory = tmp_path / "cut"
    (directory / "tags.csv").unlink()
    (directory / "audio" / "clip-000004.flac").unlink()
    (directory / "audio" / ".clip-000004.flac.0a1b2c3d.1@killed.tmp").touch()
    os.utime(directory / "audio" / ".clip-000004.flac.0a1b2c3d.1@killed.tmp", (0, 0))
    kept = directory / "audio" / "clip-000003.flac"
    written_at = kept.stat().st_mtime_ns
    write(directory)
    assert contents(directory) == contents(written)
    assert kept.stat().st_mtime_ns == written_at


def test_missing_clip_of_a_finished_corpus_comes_back(written, tmp_path):
    shutil.copytree(written, tmp_path / "damaged")
    (tmp_path / "damaged" / "audio" / "clip-000000.flac").unlink()
    assert contents(write(tmp_path / "damaged")) == contents(written)


def test_finished_corpus_is_not_written_again(written, monkeypatch):
    def fail(*args):
        raise AssertionError("a finished corpus was written again")

    monkeypatch.setattr(synthetic, "_write_audio", fail)
    assert write(written) == written


@pytest.mark.parametrize("num_processes", [1, 2])
def test_survives_a_kill(written, tmp_path, num_processes):
    call = (
        "from input_pipeline.corpora import synthetic; synthetic.write_corpus("
        f"{str(tmp_path)!r}, {NUM_CLIPS}, seed=3, num_processes={num_processes}, "
        "clip_duration_s=2.0)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", call], cwd=ROOT, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 600
    while not list(tmp_path.rglob("*.flac")) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert list(tmp_path.rglob("*.flac"))
    workers = children_of(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    while any(map(is_running, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(is_running, workers))
    assert contents(write(tmp_path)) == contents(written)


def children_of(process):
    listed = Path(f"/proc/{process}/task/{process}/children")
    return list(map(int, listed.read_text().split())) if listed.exists() else []


def is_running(process):
    state = Path(f"/proc/{process}/stat")
    return state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_table(written):
    rows = rows_of(written)
    assert list(rows[0]) == ["track_id", "path", "split", "tags", "true_tags"]
    counts = Counter(row["split"] for row in rows)
    assert counts == {"train": 6, "valid": 1, "test": 2}
    assert all((written / row["path"]).exists() for row in rows)
    vocabulary = (written / "tags.txt").read_text(encoding="utf-8").splitlines()
    assert tuple(vocabulary) == synthetic.TAGS
    labels = [row[key].split("|") for row in rows for key in ("tags", "true_tags")]
    assert all(set(tags) <= set(vocabulary) for tags in labels)


def test_table_has_the_labels_of_label_only(written):
    true, weak = synthetic.label_only(sum(NUM_CLIPS), seed=3, tagability_exponent=0.5)
    for key, labels in (("true_tags", true), ("tags", weak)):
        expected = [[synthetic.TAGS[k] for k in np.flatnonzero(y)] for y in labels]
        assert [row[key].split("|") for row in rows_of(written)] == expected


def test_labels_go_with_the_numbers_of_clips(tmp_path):
    directory = write(tmp_path, num_clips=(1, 1, 4))
    true, weak = synthetic.label_only(18, seed=3, tagability_exponent=0.5)
    rows = rows_of(directory)
    assert [int(row["track_id"][5:]) for row in rows] == [0, 6, 7, 8, 16, 17]
    for row in rows:
        for key, labels in (("true_tags", true), ("tags", weak)):
            number = int(row["track_id"].removeprefix("clip-"))
            tags = [synthetic.TAGS[k] for k in np.flatnonzero(labels[number])]
            assert row[key].split("|") == tags


def test_default_corpus_is_900_clips_in_a_row():
    assert synthetic.clip_numbers(synthetic.NUM_CLIPS).tolist() == list(range(900))


def test_flac_format(tmp_path):
    sound = synthetic.synthesize(0, 1, 29.0)
    path = tmp_path / "clip.flac"
    path.write_bytes(synthetic.encode_flac(sound))
    info = soundfile.info(path)
    assert (info.samplerate, info.channels, info.format) == (22050, 1, "FLAC")
    assert info.frames == len(sound) == 29 * 22050
    decoded, _ = soundfile.read(path)
    np.testing.assert_allclose(decoded, sound, atol=2**-15)
    assert 0.05 < np.abs(decoded).max() < 1


@pytest.mark.parametrize("name", ["mine.txt", "audio/mine.wav", "notes/a.txt"])
def test_foreign_file_is_refused(tmp_path, name):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("not ours")
    with pytest.raises(ValueError, match=path.relative_to(tmp_path).parts[0]):
        write(tmp_path)
    assert path.read_text() == "not ours"
    assert not list(tmp_path.rglob("*.flac"))


def test_what_systems_put_into_folders_does_not_matter(written, tmp_path):
    shutil.copytree(written, tmp_path / "shown")
    for name in (".DS_Store", "Thumbs.db", "audio/desktop.ini", "audio/._clip.flac"):
        (tmp_path / "shown" / name).touch()
    assert write(tmp_path / "shown") == tmp_path / "shown"


def test_settings_that_cannot_be_read_are_named(written, tmp_path):
    shutil.copytree(written, tmp_path / "cut")
    (tmp_path / "cut" / "corpus.json").write_text("")
    with pytest.raises(ValueError, match=r"cut/corpus\.json cannot.* Delete .*/cut"):
        write(tmp_path / "cut")


def test_folder_corpus_of_others_is_refused(tmp_path):
    (tmp_path / "tags.csv").write_text("track_id,path,split,tags\n")
    with pytest.raises(ValueError, match=r"tags\.csv but no corpus\.json"):
        write(tmp_path)


def test_other_settings_are_refused(written):
    with pytest.raises(ValueError, match="'seed': 5"):
        write(written, seed=5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"num_clips": (8, 0, 1)},
            r"num_clips\.valid is 0; .*whole number from 1 to",
        ),
        ({"num_clips": (8, 1, 20.5)}, r"num_clips\.test is 20\.5"),
        ({"seed": -1}, "seed is -1"),
        ({"tagability_exponent": 3}, "tagability_exponent is 3"),
        ({"clip_duration_s": 0.1}, "clip_duration_s is 0.1"),
        ({"num_processes": -2}, "num_processes is -2"),
    ],
)
def test_wrong_argument_is_named(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        write(tmp_path / "new", **changes)
    assert not (tmp_path / "new").exists()
