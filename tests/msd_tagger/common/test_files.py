import errno
import os
import time
from pathlib import Path

import numpy as np
import pytest

from msd_tagger.common import files, processes


def test_json_takes_arrays_and_refuses_nan(tmp_path):
    path = tmp_path / "deep" / "a.json"
    files.write_json(path, {"a": np.arange(3), "b": np.float32(0.5)})
    assert files.read_json(path) == {"a": [0, 1, 2], "b": 0.5}
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(path, {"a": float("nan")})
    assert files.read_json(path)["b"] == 0.5  # The old file is still there.
    assert [p.name for p in path.parent.iterdir()] == ["a.json"]


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "folder").touch()
    with pytest.raises(OSError, match=f"{tmp_path}/folder/a.json cannot be written: "):
        files.write_json(tmp_path / "folder" / "a.json", {})


def test_starting_anew_takes_a_folder_of_its_own(tmp_path):
    assert files.unused(tmp_path / "run") == tmp_path / "run"
    (tmp_path / "run").mkdir()
    (tmp_path / "run-2").mkdir()
    assert files.unused(tmp_path / "run") == tmp_path / "run-3"


def test_two_writers_of_one_process_number_do_not_meet(tmp_path):
    path = tmp_path / "a.txt"
    with files.replacing(path) as first, files.replacing(path) as second:
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"  # It came last.
    assert list(tmp_path.iterdir()) == [path]


def left(folder, name, hours=0):
    path = folder / name
    path.touch()
    then_s = time.time() - 3600 * hours
    os.utime(path, (then_s, then_s))
    return path.name


def test_what_killed_processes_left_is_removed_and_nothing_else(tmp_path):
    with files.replacing(tmp_path / "a.txt") as ours:
        others = {
            left(tmp_path, "my.notes.tmp", hours=25),
            left(tmp_path, ".b.txt.01234567.1@elsewhere.tmp2", hours=25),
        }
        unknown = {
            left(tmp_path, ours.name, hours=25),  # Its writer is this process.
            left(tmp_path, ".b.txt.01234567.1@elsewhere.tmp", hours=23),
        }
        left(tmp_path, ".b.txt.89abcdef.1@elsewhere.tmp", hours=25)
        dead = tmp_path / f".c.01234567.{2**30}@{processes.this_host()}.tmp"
        dead.mkdir()
        (dead / "c.txt").touch()
        files.remove_abandoned(tmp_path)
        assert {path.name for path in tmp_path.iterdir()} == others | unknown
        files.remove_abandoned(tmp_path, is_alone=True)
        assert {path.name for path in tmp_path.iterdir()} == others
        ours.touch()


@pytest.mark.parametrize(
    "name",
    [
        ".clips-train.tfrecord-00000-of-00004.1234@node7.tmp",
        ".clips-train.tfrecord-00000-of-00004.node7-1234.tmp",
        "clips-train.tfrecord-00000-of-00004.1234.tmp",
        "a.json.0f3a99b2.77@node7.tmp",
    ],
)
def test_names_of_older_versions_are_swept_when_old(tmp_path, name):
    left(tmp_path, name, hours=23)
    files.remove_abandoned(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    left(tmp_path, name, hours=25)
    files.remove_abandoned(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_container_of_the_same_name_is_another_host(tmp_path, monkeypatch):
    """There, processes have other numbers: its living one seems dead here."""

    def unfinished(namespace):
        with monkeypatch.context() as patch:
            patch.setattr(os, "getpid", lambda: 2**30)
            patch.setattr(Path, "readlink", lambda _: namespace)
            processes.this_host.cache_clear()
            path = files.temporary(tmp_path / "a")
            path.touch()
        processes.this_host.cache_clear()
        return path

    here = Path("/proc/self/ns/pid").readlink()
    theirs, ours = unfinished("pid:[4026539999]"), unfinished(here)
    files.remove_abandoned(tmp_path)
    assert (theirs.exists(), ours.exists()) == (True, False)


@pytest.mark.parametrize("has_links", [True, False])
def test_of_several_writers_the_first_wins(tmp_path, monkeypatch, has_links):
    def link(_, path):
        raise FileExistsError if path.exists() else PermissionError

    if not has_links:
        monkeypatch.setattr(os, "link", link)
    path = tmp_path / "folder" / "a.txt"
    for text in ("first", "second"):
        files.write_once(path, text)
    assert path.read_text() == "first"
    assert list(path.parent.iterdir()) == [path]


def test_a_full_disk_leaves_no_part_of_what_is_written_once(tmp_path, monkeypatch):
    def fill(path, text, encoding):
        path.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(type(tmp_path), "write_text", fill)
    with pytest.raises(OSError, match=f"{tmp_path}/a.txt cannot be written: No space"):
        files.write_once(tmp_path / "a.txt", "text")
    assert not list(tmp_path.iterdir())
