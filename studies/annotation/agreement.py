"""How far listeners agree with each other."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Sequence

import numpy as np

from studies.annotation.answers import Answer


@dataclasses.dataclass(frozen=True)
class Agreement:
    """Two listeners on one label.

    Attributes:
        label: its name.
        first: one annotator.
        second: the other.
        num_clips: clips on which both said yes or no.
        share: of these, where they said the same; NaN without any.
        kappa: Cohen's; NaN where chance alone would make them agree always.
    """

    label: str
    first: str
    second: str
    num_clips: int
    share: float
    kappa: float


def agreements(answers: Iterable[Answer], labels: Sequence[str]) -> list[Agreement]:
    """Compares every two listeners on every label that both answered.

    Args:
        answers: of one or several listeners.
        labels: in the order of the result.

    Returns:
        One for each label and pair of annotators with clips in common.
    """
    sure: dict[tuple[str, str], dict[str, bool]] = {}
    for one in answers:
        if one.answer != "unsure":
            of_one = sure.setdefault((one.label, one.annotator), {})
            of_one[one.track_id] = one.answer == "yes"
    names = sorted({annotator for _, annotator in sure})
    return [
        _compare(label, pair, [sure.get((label, name), {}) for name in pair])
        for label in labels
        for pair in itertools.combinations(names, 2)
        if sure.get((label, pair[0]), {}).keys() & sure.get((label, pair[1]), {}).keys()
    ]


def cohens_kappa(first: np.ndarray, second: np.ndarray) -> float:
    """Agreement beyond chance of two listeners who said yes or no.

        kappa = (p_o - p_e) / (1 - p_e)

    with the share p_o of equal answers and the share p_e expected if each had answered
    at random with their own rate of yes (Cohen 1960, doi:10.1177/001316446002000104).

    Args:
        first: bool [N].
        second: bool [N].

    Returns:
        At most 1; NaN without clips, or where both gave one and the same answer only.

    >>> cohens_kappa(np.array([1, 1, 0, 0]), np.array([1, 0, 0, 0]))
    0.5
    """
    if not len(first):
        return float("nan")
    yes_first, yes_second = np.mean(first), np.mean(second)
    chance = yes_first * yes_second + (1 - yes_first) * (1 - yes_second)
    if chance == 1:
        return float("nan")
    return float((np.mean(first == second) - chance) / (1 - chance))


def _compare(
    label: str, pair: tuple[str, str], answers: list[dict[str, bool]]
) -> Agreement:
    """Compares two listeners' sure answers on one label."""
    common = sorted(answers[0].keys() & answers[1].keys())
    first, second = (np.array([one[clip] for clip in common]) for one in answers)
    return Agreement(
        label=label,
        first=pair[0],
        second=pair[1],
        num_clips=len(common),
        share=float(np.mean(first == second)),
        kappa=cohens_kappa(first, second),
    )
