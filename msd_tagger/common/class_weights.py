"""How much the two answers of each tag weigh in the loss."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from msd_tagger.common.tag_numbers import Pair, by_tag, in_order, number, read_rows

COLUMNS = ("tag", "positive", "negative")


class ClassWeights(NamedTuple):
    """Weights of K tags, float64 `[K]` each."""

    positive: np.ndarray  # Of a clip that has the tag.
    negative: np.ndarray  # Of a clip that lacks it.


def balanced(tags: np.ndarray) -> ClassWeights:
    """Weighs the answers of labels `[N, K]` by their inverse frequency.

    Clips with a tag and clips without it weigh N / 2 together, so that the mean weight
    is 1. A tag that all clips have, or none, keeps the weight 1.

    >>> balanced(np.array([[1, 0], [0, 0], [0, 0], [0, 0]]))[0].tolist()
    [2.0, 1.0]
    """
    share = np.asarray(tags, np.float64).mean(0)
    tells = (share > 0) & (share < 1)
    share = np.where(tells, share, 0.5)
    return ClassWeights(0.5 / share, 0.5 / (1 - share))


def read(path: Path) -> dict[str, Pair]:
    """Reads a CSV file with the columns `tag`, `positive` and `negative`.

    Raises:
        ValueError: The file cannot be read, or a weight is none. It names the place.
    """
    return by_tag(read_rows(path, COLUMNS), _weights)


def arrange(known: dict[str, Pair], tags: Sequence[str], path: Path) -> ClassWeights:
    """Puts weights of a file into the order of the corpus's tags.

    Raises:
        ValueError: The file lacks a tag of the corpus, or has one that it lacks.
    """
    return ClassWeights(*in_order(known, tags, path, "1,1"))


def _weights(where: str, _: str, *cells: Any) -> Pair:
    problem = "is not a weight, a number of at least 0"
    first, second = (number(x, math.inf, f"{where}: {x!r} {problem}") for x in cells)
    return first, second
