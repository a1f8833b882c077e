"""Names of files and times, as people read them."""

import os
import re
import unicodedata
from collections.abc import Sequence

# What a spreadsheet computes, with apostrophes before it that kept it from that.
_FORMULA = re.compile(r"'*[=+\-@＝＋－＠\t\r\n]")


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


def csv_cell(value: object) -> object:
    """Returns a cell of CSV that no spreadsheet takes for a formula; numbers stay.

    >>> csv_cell("=1+2"), csv_cell("-0nBq3"), csv_cell("-0.5"), csv_cell("jazz")
    ("'=1+2", "'-0nBq3", '-0.5', 'jazz')
    """
    if not isinstance(value, str) or not _FORMULA.match(value):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value


def from_csv_cell(text: str) -> str:
    """Returns what `csv_cell` was given.

    >>> from_csv_cell("'=1+2"), from_csv_cell("'t was")
    ('=1+2', "'t was")
    """
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


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
