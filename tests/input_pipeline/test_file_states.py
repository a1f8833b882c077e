"""Files are told apart by their content, and only as much of it is read as needed."""

import os

import numpy as np
import pytest

from input_pipeline import file_states, many

SIZE = 100_000


def noise(seed, size=SIZE):
    return bytearray(np.random.default_rng(seed).bytes(size))


def write(tmp_path, contents):
    for name, content in contents.items():
        (tmp_path / name).write_bytes(bytes(content))
    return [str(tmp_path / name) for name in contents]


def changed(content, at):
    content = bytearray(content)
    content[at] ^= 1
    return content


def test_only_files_of_equal_content_are_copies(tmp_path):
    first = noise(0)
    contents = {
        "first": first,
        "begins otherwise": changed(first, 0),
        "copy": first,
        "ends otherwise": changed(first, -1),
        "middle otherwise": changed(first, SIZE // 2),
        "longer": [*first, 0],
        "other": noise(1),
        "small": b"a",
        "small copy": b"a",
        "other small": b"b",
    }
    states = file_states.examine(write(tmp_path, contents))
    assert states.copies == [[0, 2], [7, 8]]
    assert states.problems == [""] * 10
    assert states.total_bytes == 7 * SIZE + 1 + 3


def test_of_different_files_only_a_sample_is_read(tmp_path, monkeypatch):
    whole = []
    digest = file_states.whole_digest
    monkeypatch.setattr(
        file_states, "whole_digest", lambda path: whole.append(path) or digest(path)
    )
    paths = write(
        tmp_path, {"a": noise(0), "b": noise(1), "c": noise(2), "d": noise(1)}
    )
    assert file_states.examine(paths).copies == [[1, 3]]
    assert sorted(whole) == [paths[1], paths[3]]


def test_what_is_no_readable_file_is_named(tmp_path):
    paths = write(tmp_path, {"good": b"x", "empty": b"", "also empty": b""})
    (tmp_path / "folder").mkdir()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe")
    others = ("nowhere", "folder", "good/below a file", "dangling", "pipe", "x" * 300)
    paths += [str(tmp_path / name) for name in others]
    problems = file_states.examine(paths).problems
    assert problems[:3] == ["", "empty", "empty"]
    assert problems[3:] == [
        *("missing", "unreadable", "missing", "missing", "unreadable", "unreadable")
    ]


def test_a_file_that_cannot_be_opened_is_unreadable_and_no_copy(tmp_path, monkeypatch):
    paths = write(tmp_path, {"a": b"same", "b": b"same", "c": b"same"})
    digest = file_states.sample_digest
    monkeypatch.setattr(
        file_states,
        "sample_digest",
        lambda path: None if path == paths[1] else digest(path),
    )
    states = file_states.examine(paths)
    assert states.problems == ["", "unreadable", ""]
    assert states.copies == [[0, 2]]


@pytest.mark.parametrize("num_threads", [1, 5])
def test_many_files_in_any_number_of_threads(tmp_path, num_threads, monkeypatch):
    monkeypatch.setattr(many, "NUM_THREADS", num_threads)
    contents = {str(n): b"%03d" % (n % 150) for n in range(200)}
    states = file_states.examine(write(tmp_path, contents))
    assert states.copies == [[n, n + 150] for n in range(50)]


def test_an_interruption_ends_at_once(tmp_path, monkeypatch):
    def interrupt(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(file_states, "size_bytes", interrupt)
    with pytest.raises(KeyboardInterrupt):
        file_states.examine(["a"] * 1000)


def test_no_files():
    assert file_states.examine([]) == ([], 0, [])
