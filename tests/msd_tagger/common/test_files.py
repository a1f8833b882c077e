import socket

import numpy as np
import pytest

from msd_tagger.common import files


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


def test_what_killed_processes_left_is_removed_and_nothing_else(tmp_path):
    with files.replacing(tmp_path / "a.txt") as ours:
        ours.write_text("being written")
        (tmp_path / ".b.txt.01234567.1@elsewhere.tmp").touch()
        dead = tmp_path / f".c.01234567.{2**30}@{socket.gethostname()}.tmp"
        dead.mkdir()
        (dead / "c.txt").touch()
        files.remove_abandoned(tmp_path)
        assert {path.name[:6] for path in tmp_path.iterdir()} == {".a.txt", ".b.txt"}
    files.remove_abandoned(tmp_path, is_alone=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_no_cell_is_a_formula_for_a_spreadsheet(tmp_path):
    cells = ["=1+2", "+x", "-x", "@x", "\tx", "\rx", "＝x", "-0.5", "+1e-3", -2, "a=b"]
    files.write_csv(tmp_path / "x.csv", [[cell] for cell in cells])
    (first, *_), *others = [row for _, row in files.csv_rows(tmp_path / "x.csv")]
    assert first == "'=1+2"
    assert [row[0] for row in others] == [
        *("'+x", "'-x", "'@x", "'\tx", "'\rx", "'＝x", "-0.5", "+1e-3", "-2", "a=b")
    ]


def test_long_names_and_names_that_are_not_utf8_are_written(tmp_path):
    files.write_text(tmp_path / ("x" * 250), "caf\udce9")
    assert (tmp_path / ("x" * 250)).read_text() == r"caf\udce9"
    with pytest.raises(OSError, match=r"x+ cannot be written: File name too long"):
        files.write_text(tmp_path / ("x" * 256), "")
