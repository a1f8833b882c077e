"""Names of files and times, as people read them."""

import os
import unicodedata
from collections.abc import Sequence


def text_path(path: os.PathLike | str) -> str:
    r"""Returns a path as valid text; bytes that are not UTF-8 are written out.

    >>> print(text_path(os.fsdecode(b"caf\xe9.mp3")))
    caf\xe9.mp3
    """
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def printable(name: os.PathLike | str) -> str:
    r"""Returns a name in one line that cannot control a terminal.

    Spaces of other scripts and the joiner of emoji stay.

    >>> print(printable("two\nlines.mp3"))
    two\nlines.mp3
    """
    return "".join(
        c if _is_harmless(c) else c.encode("unicode_escape").decode()
        for c in text_path(name)
    )


def _is_harmless(character: str) -> bool:
    is_space = unicodedata.category(character) == "Zs"
    return character.isprintable() or is_space or character == "\u200d"


def split_name(split: str) -> str:
    """Names a split in full, for people.

    >>> split_name("valid"), split_name("test")
    ('validation', 'test')
    """
    return "validation" if split == "valid" else printable(split)


def short_names(paths: Sequence[str]) -> tuple[str, list[str]]:
    """Returns the folder that all files are in ("" for none), and their names in it.

    >>> short_names(["/music/a/1.mp3", "/music/b/2.mp3"])
    ('/music', ['a/1.mp3', 'b/2.mp3'])
    >>> short_names(["./a/1.mp3", "/b/2.mp3"])
    ('', ['./a/1.mp3', '/b/2.mp3'])
    """
    folders = {os.path.dirname(path) for path in paths}  # noqa: PTH120 (of text)
    try:
        folder = os.path.commonpath(folders)
    except ValueError:  # Some are absolute and some are not.
        folder = ""
    if folder:
        paths = [os.path.relpath(path, folder) for path in paths]
    return printable(folder), [printable(path) for path in paths]


def clock(seconds: float) -> str:
    """Formats a time as on a clock.

    >>> clock(29), clock(10_800.4)
    ('0:29', '3:00:00')
    """
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
