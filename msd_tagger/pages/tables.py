"""Tables ready to print, and numbers as people read them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

ABSENT = "–"

# How a cell becomes text: a function, or what `format` takes, such as ".4f".
Formats = Mapping[str, Callable[[Any], str] | str]


@dataclasses.dataclass(frozen=True, eq=False)
class Table:
    """A frame, and how to print it."""

    frame: pd.DataFrame  # Its first column holds the rows' names.
    caption: str = ""  # What it shows.
    # Of some columns, by name; the others are printed as they are.
    formats: Formats = dataclasses.field(default_factory=dict)
    strong: Collection[int] = ()  # Rows (by number) to set in bold.

    @classmethod
    def of_rows(
        cls,
        caption: str,
        header: Sequence[str],
        rows: Sequence[Sequence[str]],
        strong: Collection[int] = (),
    ) -> Table:
        """Makes a table of cells that are text already."""
        frame = pd.DataFrame(list(rows), columns=list(header), dtype=object)
        return cls(frame, caption, strong=strong)

    @property
    def header(self) -> list[str]:
        """The names of the columns."""
        return list(self.frame.columns)

    @property
    def rows(self) -> list[list[str]]:
        """The cells as text, a dash where nothing is known."""
        return cells(self.frame, self.formats)


def cells(frame: pd.DataFrame, formats: Formats) -> list[list[str]]:
    """Prints the cells of a frame, row by row, a dash where nothing is known.

    >>> frame = pd.DataFrame({"tag": ["rock", "sad"], "auc": [0.71234, None]})
    >>> cells(frame, {"auc": ".3f", "tag": str.upper})
    [['ROCK', '0.712'], ['SAD', '–']]
    """
    found = [formats.get(name, "") for name in frame.columns]
    return [
        [_text(value, one) for value, one in zip(row, found, strict=True)]
        for row in frame.itertuples(index=False, name=None)
    ]


def _text(value: Any, form: Callable[[Any], str] | str) -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ABSENT
    return form(value) if callable(form) else format(value, form)


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


def signed(value: float, digits: int = 4) -> str:
    """Prints a difference with its sign.

    >>> signed(0.01234), signed(-0.5, 1), signed(float("nan"))
    ('+0.0123', '−0.5', '–')
    """
    if not np.isfinite(value):
        return ABSENT
    return f"{value:+.{digits}f}".replace("-", "−")


def interval(ends: tuple[float, float], digits: int = 4) -> str:
    """Prints an interval of differences.

    >>> interval((-0.001, 0.0123)), interval((float("nan"), 1))
    ('−0.0010 to +0.0123', '–')
    """
    if not np.isfinite(ends).all():
        return ABSENT
    return " to ".join(signed(end, digits) for end in ends)


def with_spread(mean: float | None, std: float | None, digits: int = 4) -> str:
    """Prints a mean over seeds with its standard deviation, if there is one.

    >>> with_spread(0.7, 0.0123), with_spread(0.7, None)
    ('0.7000 ± 0.0123', '0.7000')
    """
    spread = "" if std is None else f" ± {number(std, digits)}"
    return number(mean, digits) + spread


def over_seeds(values: np.ndarray, digits: int = 4) -> str:
    """Prints the mean of one number per seed, with the deviation of several.

    >>> over_seeds(np.array([0.70, 0.74])), over_seeds(np.array([0.7]), 2)
    ('0.7200 ± 0.0283', '0.70')
    """
    if not np.isfinite(values).all():
        return ABSENT
    std = float(values.std(ddof=1)) if len(values) > 1 else None
    return with_spread(float(values.mean()), std, digits)


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
    """Finds the columns of words, to be set to the left; numbers are set to the right.

    A column is of numbers if every cell starts like one or is empty. The first column
    holds names, whatever they look like.

    >>> table = Table.of_rows("", ("", "a", "b"), [["90s", "–", "0.7 or so"],
    ...                                            ["rock", "pop", "< 3 %"]])
    >>> sorted(columns_of_words(table))
    [0, 1]
    """
    start = re.compile(r"[<>~≈±+−-]?\s?[\[(]?[+−-]?\.?\d|[–-]?$")
    columns = zip(*table.rows, strict=True)
    words = {k for k, cells in enumerate(columns) if not all(map(start.match, cells))}
    return {0} | words
