import errno
import io
import os
import time
import tracemalloc
import zipfile
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
    (tmp_path / "run-2" / "logs").mkdir()
    assert files.unused(tmp_path / "run", "logs") == tmp_path / "run-2"
    (tmp_path / "run-2" / "config.json").touch()
    assert files.unused(tmp_path / "run", "logs") == tmp_path / "run-3"


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


JSON = {
    "deep": (b'{"a":' * 10_000, "recursion"),
    "deep, and closed": (b"[" * 300 + b"]" * 300, "more than 100 levels"),
    "cp1252": ('{"a": "é"}'.encode("cp1252"), "'utf-8' codec"),
    "half a character": (rb'{"a": "\ud83d"}', "surrogates not allowed"),
    "NaN": (b'{"a": NaN}', "NaN is not a number"),
    "a name twice": (b'{"b": [{"a": 1, "c": 2, "a": 3}]}', "'a' is given twice in one"),
    "digits": (b"9" * 5000, "4300 digits"),
    "list": (b"[1]", "must hold a JSON object, not a list"),
    "number": (b"12", "must hold a JSON object, not a int"),
    "empty": (b"", "Expecting value"),
}


@pytest.mark.parametrize("name", JSON)
def test_json_that_is_none_is_named(tmp_path, name):
    content, message = JSON[name]
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ValueError, match=rf"a\.json .*{message}"):
        files.read_json(tmp_path / "a.json")


def test_json_of_other_programs_is_read(tmp_path):
    text = '\ufeff{"a": "\\ud83d\\ude00"}'  # A byte order mark, an escaped emoji.
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    assert files.read_json(tmp_path / "a.json") == {"a": "\U0001f600"}


def test_names_that_are_no_utf8_are_read_back(tmp_path):
    content = {"audio_dir": tmp_path / os.fsdecode(b"musique\xe9")}
    files.write_json(tmp_path / "a.json", content)
    read = files.read_json(tmp_path / "a.json")
    assert read == {"audio_dir": str(content["audio_dir"])}
    files.write_json(tmp_path / "b.json", read)
    assert (tmp_path / "b.json").read_bytes() == (tmp_path / "a.json").read_bytes()


def header(**changes):
    """The start of a .npy file; 7 TiB by default."""
    values = {"descr": "<f8", "fortran_order": False, "shape": (10**12,)} | changes
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, values)
    return stream.getvalue()


def zipped(**members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return stream.getvalue()


def bits_flipped(content, at):
    return bytes([*content[:at], content[at] ^ 1, *content[at + 1 :]])


WHOLE = zipped(a=header(shape=(3,)) + bytes(24), b=header(shape=()) + bytes(8))
ARCHIVES = {
    "7 TiB": zipped(a=header()),
    "more than it has": zipped(a=header(shape=(3,)) + bytes(16)),
    "less than it has": zipped(a=header(shape=(3,)) + bytes(32)),
    "nested types": zipped(a=b"\x93NUMPY\1\0\0\4" + b"(" * 1024),
    "bomb": zipped(a=header(shape=(2**24,)) + bytes(2**27)),
    "objects": zipped(a=header(shape=(1,), descr="|O") + b"N."),
    "two of a name": WHOLE.replace(b"b.npy", b"a.npy"),
    "no archive": b"<html>404</html>",
    "cut": WHOLE[:-30],
    "a flipped bit": bits_flipped(WHOLE, 60),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_that_is_damaged_or_a_trap_is_named(tmp_path, name):
    (tmp_path / "a.npz").write_bytes(ARCHIVES[name])
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"a\.npz (is not an arch|holds two arr)"):
        files.read_npz(tmp_path / "a.npz")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10e6


def test_every_flipped_bit_of_an_archive_is_seen_or_changes_nothing(tmp_path):
    path = tmp_path / "a.npz"
    arrays = {"track_id": np.array(["a", "b"]), "tags": np.eye(2, dtype=np.uint8)}
    files.write_npz(path, **arrays)
    content, refused = bytearray(path.read_bytes()), 0
    for bit in range(0, 8 * len(content), 7):
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        content[bit // 8] ^= 1 << bit % 8
        try:
            found = files.read_npz(path)
        except ValueError:
            refused += 1
            continue
        assert found.keys() == arrays.keys()
        assert all(np.array_equal(found[name], arrays[name]) for name in arrays)
    assert refused > len(content) // 2


def test_long_names_and_names_that_are_not_utf8_are_written(tmp_path):
    files.write_text(tmp_path / ("x" * 250), "caf\udce9")
    assert (tmp_path / ("x" * 250)).read_text() == r"caf\udce9"
    with pytest.raises(OSError, match=r"x+ cannot be written: File name too long"):
        files.write_text(tmp_path / ("x" * 256), "")
