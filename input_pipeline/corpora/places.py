"""Where a clip belongs: its file, inside of a directory, and its split."""

import hashlib
import posixpath
from pathlib import Path

_SPLIT_SHARES = (("train", 0.8), ("valid", 0.9), ("test", 1.0))  # Cumulative.


def path_inside(directory: Path, text: str, where: str) -> Path:
    """Joins a path from a data file to the directory that it must not leave.

    Args:
        text: the path as it is written in the file; a backslash counts as a slash.

    Raises:
        ValueError: the path is empty, absolute, or leaves the directory by name.
    """
    path = posixpath.normpath(text.replace("\\", "/"))
    leaves = posixpath.isabs(path) or path.split("/")[0] == ".."
    if not text or leaves or "\0" in path:
        raise ValueError(
            f"{where}: the path {text!r} is not inside of {directory}; "
            "give paths relative to it (links inside of it are followed)"
        )
    return directory / path


def split_of(key: str) -> str:
    """Split by hash: 80 % train, 10 % valid, 10 % test, the same on every machine.

    >>> split_of("Nina Simone"), split_of("Sun Ra")
    ('train', 'valid')
    """
    digest = hashlib.sha256(key.encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    return next(split for split, upto in _SPLIT_SHARES if share < upto)
