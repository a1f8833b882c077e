"""What the tables of all corpora share: their lines, and what may stand in them.

Vocabularies are K tags in the order of the label vectors. Paths may not leave the
directory of the corpus. Where a table has no splits, a hash makes them.
"""

import csv
import hashlib
import posixpath
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

SEPARATORS = {"comma": ",", "tab": "\t"}
_SPLIT_SHARES = (("train", 0.8), ("valid", 0.9), ("test", 1.0))  # Cumulative.


def read_lines(
    table: Path, separator: str, hint: str, missing: str
) -> Iterator[tuple[str, list[str]]]:
    """Reads a table of UTF-8 text; empty lines are left out.

    Args:
        table: The file.
        separator: A key of `SEPARATORS`.
        hint: What to do about a line with another number of values than the header.
        missing: What to do where there is no such file.

    Yields:
        File and line number, and the values of a line: the header first.

    Raises:
        ValueError: Names the file, the line and what is wrong.
    """
    try:
        # utf-8-sig: spreadsheets write a byte order mark.
        with table.open(encoding="utf-8-sig", newline="") as file:
            is_strict = separator == "comma"  # A tab needs no quotation marks.
            reader = csv.reader(file, delimiter=SEPARATORS[separator], strict=is_strict)
            header = next(reader, [])
            yield f"{table}, line 1", header
            for values in filter(None, reader):
                where = f"{table}, line {reader.line_num}"
                if len(values) != len(header):
                    raise ValueError(
                        f"{where}: {len(values)} values for {len(header)} columns; "
                        f"{hint}"
                    )
                yield where, values
    except FileNotFoundError as error:
        raise ValueError(f"{table} does not exist; {missing}") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(
            f"{table} cannot be read as {separator}-separated UTF-8 text: {error}"
        ) from error


def vocabulary_by_count(counts: Mapping[str, int]) -> tuple[str, ...]:
    """Sorts tags by falling count, equal ones by name.

    >>> vocabulary_by_count({"pop": 1, "rock": 3, "jazz": 1})
    ('rock', 'jazz', 'pop')
    """
    return tuple(sorted(counts, key=lambda tag: (-counts[tag], tag)))


def read_vocabulary(listed: Path) -> tuple[str, ...]:
    """Reads a list of tags, one a line.

    Raises:
        ValueError: The file cannot be read, is empty, or lists a tag twice.
    """
    try:
        lines = listed.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{listed} cannot be read as UTF-8 text: {error}") from error
    tags = tuple(line.strip() for line in lines if line.strip())
    repeated = [tag for tag, count in Counter(tags).items() if count > 1]
    if not tags or repeated:
        raise ValueError(
            f"{listed}: {len(tags)} tags, repeated: {repeated}; it must list every "
            "tag once, one a line"
        )
    return tags


def path_inside(directory: Path, text: str, where: str) -> Path:
    r"""Joins a path from a table to the directory that it must not leave.

    >>> path_inside(Path("music"), r"a\1.mp3", "tags.csv, line 2").as_posix()
    'music/a/1.mp3'

    Raises:
        ValueError: The path is empty, absolute, or leaves the directory by name.
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
    """Assigns a split by hash: 80 % train, 10 % valid, 10 % test, on every machine.

    >>> split_of("Nina Simone"), split_of("Sun Ra")
    ('train', 'valid')
    """
    digest = hashlib.sha256(key.encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    return next(split for split, upto in _SPLIT_SHARES if share < upto)
