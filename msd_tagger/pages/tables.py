"""Tables ready to print, and numbers as people read them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

import numpy as np

ABSENT = "–"


@dataclasses.dataclass(frozen=True)
class Table:
    """A table ready to print.

    Attributes:
        caption: what it shows.
        header: names of the columns; the first holds the rows' names.
        rows: cells as text, as many per row as the header has.
        strong: rows (by number) to set in bold.
    """

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    strong: Sequence[int] = ()


def number(value: float | None, digits: int = 4) -> str:
    """Prints a score, or a dash where there is none.

    >>> number(0.71234), number(None), number(float("nan"))
    ('0.7123', '–', '–')
    """
    if value is None or not np.isfinite(value):
        return ABSENT
    return f"{value:.{digits}f}"


def percent(share: float) -> str:
    """Prints a share.

    >>> percent(0.02), percent(1.0), percent(0.125)
    ('2 %', '100 %', '12.5 %')
    """
    return f"{100 * share:.3g} %"


def with_spread(mean: float | None, std: float | None, digits: int = 4) -> str:
    """Prints a mean over seeds with its standard deviation, if there is one.

    >>> with_spread(0.7, 0.0123), with_spread(0.7, None)
    ('0.7000 ± 0.0123', '0.7000')
    """
    spread = "" if std is None else f" ± {number(std, digits)}"
    return number(mean, digits) + spread


def duration(seconds: float | None) -> str:
    """Prints a time for people.

    >>> duration(42.34), duration(251.3), duration(7512)
    ('42.3 s', '4 min 11 s', '2 h 5 min')
    """
    if seconds is None:
        return ABSENT
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest_s = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest_s} s"
    return f"{minutes // 60} h {minutes % 60} min"


def readable(cell: str) -> str:
    """Sets commas into a cell that is a number of 1,000 or more, and leaves others.

    >>> readable("201680"), readable("71126.9"), readable("999"), readable("track 2010")
    ('201,680', '71,126.9', '999', 'track 2010')
    """
    found = re.fullmatch(r"([+-]?)(\d{4,})(\.\d+)?", cell)
    return f"{found[1]}{int(found[2]):,}{found[3] or ''}" if found else cell


def columns_of_words(table: Table) -> set[int]:
    """Which columns hold words, to be set to the left; numbers are set to the right.

    A column is of numbers if every cell starts like one or is empty. The first column
    holds names, whatever they look like.

    >>> sorted(columns_of_words(Table("", ("", "a", "b"), [["90s", "–", "0.7 or so"],
    ...                                                    ["rock", "pop", "< 3 %"]])))
    [0, 1]
    """
    start = re.compile(r"[<>~≈±+−-]?\s?[\[(]?[+−-]?\.?\d|[–-]?$")
    columns = range(1, len(table.header))
    words = {k for k in columns if not all(start.match(row[k]) for row in table.rows)}
    return {0} | words
