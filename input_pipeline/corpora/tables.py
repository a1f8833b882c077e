"""What the tables of all corpora share: their lines, and what may stand in them.

Vocabularies are K tags in the order of the label vectors. Paths may not leave the
directory of the corpus. Where a table has no splits, a hash makes them.
"""

import hashlib
import math
import os
import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from msd_tagger.common.contents import check_characters
from msd_tagger.common.csv_files import (
    cell_number,
    check_is_text,
    check_no_nul,
    named_rows,
    not_utf8,
)

# Files that are looked for to tell how they end; fewer if some are there.
MOST_SOUGHT, ENOUGH_FOUND = 2000, 10
# A path of Windows with its drive, or an address.
ELSEWHERE = re.compile(r"[A-Za-z]:/|[A-Za-z][\w+.-]+://")
_SPLIT_SHARES = (("train", 0.8), ("valid", 0.9), ("test", 1.0))  # Cumulative.


class Row(dict[str, str]):
    """One row of a table: column to text. Knows where it stands, for messages."""

    def __init__(self, written: Mapping[str, str], where: str) -> None:
        super().__init__((name, value.strip()) for name, value in written.items())
        self.where = where  # File and line.
        self._written = written

    def path_inside(self, directory: Path, column: str) -> Path:
        """Joins a path, with the blanks around it where such a file is there."""
        text, written = self[column], self._written[column]
        if written != text and os.path.exists(directory / written):  # noqa: PTH110
            text = written
        return path_inside(directory, text, self.where)


def read_table(
    table: Path,
    separator: str,
    needed: tuple[str, ...],
    hint: str,
    missing: str,
    optional: tuple[str, ...] | None = None,
) -> Iterator[Row]:
    """Yields the rows of a table of UTF-8 text; empty lines are left out.

    Args:
        table: The file.
        separator: "comma" or "tab".
        needed: Columns that must be there, in any order.
        hint: What to do about a line with another number of values than the header.
        missing: What to do where there is no such file.
        optional: The only columns allowed beside them; None allows any.

    Raises:
        ValueError: Names the file, the line and what is wrong.
    """
    try:
        for where, row in named_rows(table, needed, optional, separator, hint):
            yield Row(row, where)
    except FileNotFoundError as error:
        raise ValueError(f"{table} does not exist; {missing}") from error
    except OSError as error:
        raise ValueError(f"{table} cannot be read: {error}") from error


def read_text(path: Path) -> str:
    """Reads UTF-8 text, without a byte order mark and without NUL characters."""
    try:
        check_is_text(path)
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    except UnicodeDecodeError as error:
        raise ValueError(not_utf8(path)) from error
    line = text.partition("\0")[0].count("\n") + 1
    check_no_nul(text, f"{path}, line {line}")
    return text


def is_line(text: str) -> bool:
    """Tells whether a text can be a line of a prepared set, as a tag is."""
    return bool(text.strip()) and len(text.splitlines()) == 1 and "\0" not in text


def read_array(path: Path) -> np.ndarray:
    """Reads a `.npy` file of another's, without executing what it may hold.

    Raises:
        ValueError: It is not an array, or is cut.
    """
    try:
        # Mapped, so that a length that the file claims is no reason to allocate.
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # A damaged header raises whatever its parser does.
        reason = str(error)[:200] or type(error).__name__
        raise ValueError(f"{path} is not an array: {reason}") from error
    if isinstance(found, np.lib.npyio.NpzFile):
        found.close()
        raise ValueError(f"{path} is not an array but an archive of several")
    check_characters(found, str(path))
    return found


def digest(*tables: Path) -> str:
    """Returns eight hexadecimal digits that change with the content of the files."""
    content = b"".join(table.read_bytes() for table in tables)
    return hashlib.sha256(content).hexdigest()[:8]


def seconds(text: str, name: str, where: str, may_be_0: bool) -> float:
    """Reads a number of seconds.

    >>> seconds("12.5", "start_s", "tags.csv, line 2", may_be_0=True)
    12.5
    """
    value = cell_number(text)
    if not (math.isfinite(value) and (value > 0 or (may_be_0 and value == 0))):
        allowed = "seconds from 0, or empty" if may_be_0 else "seconds above 0"
        raise ValueError(f"{where}: {name} is {text!r}; it must be {allowed}")
    return value


def label_vector(tags: Iterable[str], columns: Mapping[str, int]) -> np.ndarray:
    """Makes uint8 `[K]` of tags: 1 in the columns of those that have one."""
    vector = np.zeros(len(columns), np.uint8)
    vector[[columns[tag] for tag in tags if tag in columns]] = 1
    return vector


def vocabulary_by_count(counts: Mapping[str, int]) -> tuple[str, ...]:
    """Sorts tags by falling count, equal ones by name.

    >>> vocabulary_by_count({"pop": 1, "rock": 3, "jazz": 1})
    ('rock', 'jazz', 'pop')
    """
    return tuple(sorted(counts, key=lambda tag: (-counts[tag], tag)))


def find_vocabulary(
    directory: Path, names: Sequence[str] = ("tags.txt",)
) -> tuple[str, ...] | None:
    """Reads the list of tags, one a line, in the first of some names that is there.

    Raises:
        ValueError: The file cannot be read, is empty, or lists a tag twice.
    """
    files = (directory / name for name in names)
    # A link to nowhere, or a folder, is a list that cannot be read, and not none.
    listed = next(filter(os.path.lexists, files), None)
    if listed is None:
        return None
    lines = read_text(listed).splitlines()
    tags = tuple(line.strip() for line in lines if line.strip())
    repeated = [tag for tag, count in Counter(tags).items() if count > 1]
    if not tags or repeated:
        raise ValueError(
            f"{listed}: {len(tags)} tags, repeated: {repeated}; it must list every "
            "tag once, one a line"
        )
    return tags


def usual_ending(
    folder: Path, stems: Sequence[str], endings: Iterable[str]
) -> str | None:
    """Returns the ending that most files of some stems have; None without any file."""
    found: Counter[str] = Counter()
    for stem in stems[:: max(1, len(stems) // MOST_SOUGHT)]:
        found.update(e for e in endings if (folder / (stem + e)).is_file())
        if found.total() >= ENOUGH_FOUND:
            break
    return found.most_common(1)[0][0] if found else None


def path_inside(directory: Path, text: str, where: str) -> Path:
    r"""Joins a path from a table to the directory that it must not leave.

    Backslashes separate folders, unless a file of that very name is there; one in the
    directory itself is asked for as `./a\1.mp3`.

    >>> path_inside(Path("music"), r"a\1.mp3", "tags.csv, line 2").as_posix()
    'music/a/1.mp3'

    Raises:
        ValueError: The path is empty, an address, absolute and not in the directory,
            or leaves it by name.
    """
    # A table of Windows has no slashes, so that few files are looked for.
    has_both = "/" in text and "\\" in text
    is_name = has_both and os.path.exists(directory / text)  # noqa: PTH110 (any text)
    text_or_name = text if is_name else text.replace("\\", "/")
    path = posixpath.normpath(text_or_name)
    top = os.path.abspath(directory)  # noqa: PTH100 (links stay as they are)
    if path.startswith(f"{top}/"):
        text_or_name = path = path.removeprefix(f"{top}/")
    is_elsewhere = posixpath.isabs(path) or ELSEWHERE.match(text_or_name)
    leaves = is_elsewhere or path.split("/")[0] == ".."
    if not text or leaves or "\0" in path:
        raise ValueError(
            f"{where}: the path {text!r} is not inside {directory}; give paths "
            "relative to it (links inside it are followed)"
        )
    return directory / path


def split_of(key: str) -> str:
    """Assigns a split by hash: 80 % train, 10 % valid, 10 % test, on every machine.

    >>> split_of("Nina Simone"), split_of("Sun Ra")
    ('train', 'valid')
    """
    digest = hashlib.sha256(key.encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    return next(split for split, upto in _SPLIT_SHARES if share < upto)
