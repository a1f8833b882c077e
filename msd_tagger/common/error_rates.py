"""Errors of labels: how often a tag is missing or wrong.

The rates of each tag are m = P(no label | true) and f = P(label | not true).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from msd_tagger.common import files, metrics
from msd_tagger.common.tag_numbers import (
    Pair,
    Row,
    by_tag,
    in_order,
    number,
    read_rows,
)

COLUMNS = ("tag", "missing", "false")
# Rates that were counted or estimated are cut here: labels with m + f = 1 say nothing.
MOST = 0.999
_HINT = "; docs/label_noise.md describes such a file"


class Rates(NamedTuple):
    """Error rates of K tags, float64 `[K]` each."""

    missing: np.ndarray  # m = P(no label | true).
    false: np.ndarray  # f = P(label | not true).


class LabelNoise(NamedTuple):
    """What is known of errors in the labels that a run learns from."""

    found: Rates | None = None  # Counted, where the truth is known; NaN without clips.
    corrected: Rates | None = None  # What the loss corrects for, if it does.

    def record(self) -> dict[str, Any]:
        """Says the same for a run's summary, rates as lists with None for NaN."""
        return {
            name: rates
            and {k: metrics.finite_or_none(one) for k, one in rates._asdict().items()}
            for name, rates in self._asdict().items()
        }


NOTHING_KNOWN = LabelNoise()


def read_rates(path: Path) -> dict[str, Pair]:
    """Reads m and f of every tag that a CSV or JSON file names.

    A CSV file has the columns `tag`, `missing` and `false`, and may have others; a JSON
    file is an object such as `{"rock": {"missing": 0.4, "false": 0.01}}`.

    Raises:
        ValueError: The file cannot be read, or a rate is none. It names the place.
    """
    is_json = path.suffix.lower() == ".json"
    try:
        return by_tag(_read_json(path) if is_json else read_rows(path, COLUMNS), _rates)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error


def _rates(where: str, tag: str, *cells: Any) -> Pair:
    share = "it must be a share, at least 0 and less than 1"
    missing, false = (
        number(value, 1, f"{where}: {name} is {value!r}; {share}")
        for name, value in zip(COLUMNS[1:], cells, strict=True)
    )
    if missing + false >= 1:
        raise ValueError(
            f"{where}: missing and false of {tag} sum to {missing + false:g}; they "
            "must sum to less than 1, or its labels say nothing of it"
        )
    return missing, false


def arrange(known: dict[str, Pair], tags: Sequence[str], path: Path) -> Rates:
    """Puts rates of a file into the order of the corpus's tags.

    Raises:
        ValueError: The file lacks a tag of the corpus, or has one that it lacks.
    """
    return Rates(*in_order(known, tags, path, "0,0"))


def count_rates(labels: np.ndarray, truth: np.ndarray) -> Rates:
    """Counts the rates of labels `[N, K]`; NaN where no clip can tell.

    >>> count_rates(np.array([[0], [1], [0], [1]]), np.array([[1], [1], [0], [0]]))
    Rates(missing=array([0.5]), false=array([0.5]))
    """
    given, holds = np.asarray(labels) > 0, np.asarray(truth) > 0
    with np.errstate(invalid="ignore"):
        missing = (holds & ~given).sum(0) / holds.sum(0)
        false = (given & ~holds).sum(0) / (~holds).sum(0)
    return Rates(missing, false)


def usable(rates: Rates, factor: float = 1.0) -> Rates:
    """Makes counted or estimated rates such that a loss can correct for them.

    Unknown ones become 0. The odds of all are multiplied by a factor: a small rate by
    just that, while one near 1 stays below it. At most they sum to `MOST`.
    """
    known = (np.clip(np.nan_to_num(one), 0, MOST) for one in rates)
    missing, false = (factor * one / (1 - one + factor * one) for one in known)
    false = np.minimum(false, MOST)
    return Rates(np.minimum(missing, MOST - false), false)


def _read_json(path: Path) -> Iterator[Row]:
    for tag, one in files.read_json(path).items():
        if not isinstance(one, dict) or not {*COLUMNS[1:]} <= one.keys():
            raise ValueError(
                f"{path}: {tag} is {one!r}; it must be an object with the numbers "
                f"missing and false{_HINT}"
            )
        yield f"{path}, {tag}", tag, one["missing"], one["false"]
