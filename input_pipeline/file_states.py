"""What state audio files are in, without decoding them, and which have one content."""

import functools
import hashlib
import os
import stat
from collections.abc import Hashable, Sequence
from typing import NamedTuple

from input_pipeline.many import grouped, in_threads

PROBLEMS = ("missing", "empty", "unreadable")

_SAMPLE_BYTES = 16 * 1024


class FileStates(NamedTuple):
    """States of F files."""

    problems: list[str]  # For each file one of `PROBLEMS`, or "".
    total_bytes: int  # Of all files together.
    # Groups of two or more files with equal content, by their numbers.
    copies: list[list[int]]


def examine(paths: Sequence[str]) -> FileStates:
    """Looks at every file; reads only as much as it takes to find equal ones.

    Clips of one length and bit rate are of one size, so the sizes alone tell few files
    apart. Of files of one size 16 kB from the middle are read, and of those that agree
    in that too the whole content: equal digests (BLAKE2b, 256 bits) mean equal files.
    """
    look = functools.partial(in_threads, per_task=64)
    sizes = list(look(size_bytes, paths, "looking for files"))
    problems = [size if isinstance(size, str) else "" for size in sizes]
    known = {n: size for n, size in enumerate(sizes) if isinstance(size, int)}
    keys: dict[int, Hashable] = {**known}
    for digest, description in (
        (sample_digest, "comparing samples"),
        (whole_digest, "comparing contents"),
    ):
        numbers = [number for group in _groups(keys) for number in group]
        named = [paths[number] for number in numbers]
        found = look(digest, named, description)
        values = dict(zip(numbers, found, strict=True))
        keys = {number: (keys[number], one) for number, one in values.items() if one}
        for number in values.keys() - keys.keys():
            problems[number] = "unreadable"
    return FileStates(problems, sum(known.values()), _groups(keys))


def size_bytes(path: str) -> int | str:
    """Returns the size of a file, or why it is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 (3 times faster)
    except (FileNotFoundError, NotADirectoryError):
        return "missing"
    except OSError:
        return "unreadable"
    if not (stat.S_ISREG(found.st_mode) and os.access(path, os.R_OK)):
        return "unreadable"
    return found.st_size or "empty"


def sample_digest(path: str) -> bytes | None:
    """Returns a digest of bytes from the middle: files often begin and end alike."""
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 (faster)
            length = file.seek(0, os.SEEK_END)
            file.seek(max(0, (length - _SAMPLE_BYTES) // 2))
            return hashlib.blake2b(file.read(_SAMPLE_BYTES), digest_size=32).digest()
    except OSError:
        return None


def whole_digest(path: str) -> bytes | None:
    """Returns the digest of a file's content, None if it cannot be read."""
    begin = functools.partial(hashlib.blake2b, digest_size=32)
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 (faster)
            return hashlib.file_digest(file, begin).digest()
    except OSError:
        return None


def _groups(keys: dict[int, Hashable]) -> list[list[int]]:
    """Groups of two or more numbers with one key."""
    return [group for group in grouped(keys, keys.get).values() if len(group) > 1]
