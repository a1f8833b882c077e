"""Files that say two numbers of every tag: error rates, or weights."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from msd_tagger.common.csv_files import cell_number, csv_cells

Pair = tuple[float, float]
Row = tuple[str, str, Any, Any]  # Where it stands, for messages, its tag, two cells.


def read_rows(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    """Yields the rows of a CSV file with three columns, and perhaps others."""
    for where, cells in csv_cells(path, columns, others=None):
        tag, first, second = (cells[name] for name in columns)
        yield where, tag, first, second


def by_tag(
    rows: Iterable[Row], pair_of: Callable[[str, str, Any, Any], Pair]
) -> dict[str, Pair]:
    """Collects the two numbers that `pair_of` makes of each tag's only row.

    Raises:
        ValueError: A tag stands there twice.
    """
    found: dict[str, Pair] = {}
    for where, tag, *cells in rows:
        if tag in found:
            raise ValueError(f"{where}: the tag {tag} stands there twice")
        found[tag] = pair_of(where, tag, *cells)
    return found


def number(value: Any, below: float, says: str) -> float:
    """Reads a number of at least 0 and below a limit; else a ValueError `says` so."""
    found = cell_number(str(value))
    if not 0 <= found < below:
        raise ValueError(says)
    return found


def in_order(
    known: dict[str, Pair],
    tags: Sequence[str],
    path: Path,
    neutral: str,
) -> np.ndarray:
    """Puts two numbers of each tag, read from a file, into the order of a corpus.

    `neutral` is what a row says that changes nothing. Returns float64 `[2, K]`.

    Raises:
        ValueError: The file lacks a tag of the corpus, or has one that it lacks.
    """
    if lacking := [tag for tag in tags if tag not in known]:
        raise ValueError(
            f"{path} has no row for {_some(lacking)}; give every tag of the corpus a "
            f"row, with {neutral} where its labels count as they are"
        )
    if strange := [tag for tag in known if tag not in tags]:
        raise ValueError(
            f"{path} has rows for tags that the corpus lacks: {_some(strange)}; it has "
            f"{_some(tags)}"
        )
    return np.array([known[tag] for tag in tags], np.float64).reshape(-1, 2).T


def _some(names: Sequence[str]) -> str:
    """Lists the first few names, and how many there are.

    >>> _some("abcdef")
    'a, b, c, d, e, … (6)'
    """
    more = ", …" if len(names) > 5 else ""
    return f"{', '.join(names[:5])}{more} ({len(names)})"
