"""What the paper could not know: how well 400 annotated clips predict rho 1.

On a corpus that knows the truth, rho 1 is computed with the truth of all test clips and
with that of many random subsets of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from msd_tagger.common import paper
from msd_tagger.pages.tables import Table, number
from studies import resampling
from studies.records import RunRecord
from studies.sections.rho_spread import correlate


@dataclasses.dataclass(frozen=True)
class PredictionOfRho:
    """Correlation rho 1 of one set of trainings, from all test clips and from subsets.

    Attributes:
        full: with the truth of all test clips.
        subsets: with the truth of one subset each [R]; NaN where nothing varies.
        size: clips of a subset.
        num_clips: clips of the test split.
    """

    full: float
    subsets: np.ndarray
    size: int
    num_clips: int


def predictions_of_rho(
    sets: Mapping[str, Mapping[str, RunRecord]], tags: Sequence[str], num_subsets: int
) -> dict[str, PredictionOfRho]:
    """Draws subsets without replacement and correlates with the weak labels' scores.

    Args:
        sets: trainings by set and name, all with the same test clips.
        tags: the instrumentation tags.
        num_subsets: R.

    Returns:
        One for each set; none where the truth is unknown.
    """
    points = {name: one for of_set in sets.values() for name, one in of_set.items()}
    arrays = {name: one.arrays["predictions_test"] for name, one in points.items()}
    if any("true_tags" not in one for one in arrays.values()):
        return {}
    num_clips = len(next(iter(arrays.values()))["track_id"])
    size = subset_size(num_clips)
    everything = np.ones((num_clips, 1))
    weights = resampling.subset_weights(num_clips, size, num_subsets)
    both = np.hstack([everything, weights])
    weak = {name: _auc(points[name], tags, "tags", everything)[0] for name in points}
    true = {name: _auc(points[name], tags, "true_tags", both) for name in points}
    found = {}
    for key, of_set in sets.items():
        x = np.array([weak[name] for name in of_set])
        rhos = correlate(x[:, None], np.array([true[name] for name in of_set]))
        found[key] = PredictionOfRho(float(rhos[0]), rhos[1:], size, num_clips)
    return found


def subset_size(num_clips: int) -> int:
    """400 clips, or half of a test split that has fewer than twice as many.

    >>> subset_size(28_540), subset_size(900), subset_size(300)
    (400, 400, 150)
    """
    return min(paper.SUBSET_400, num_clips // 2)


def sentences(
    found: Mapping[str, PredictionOfRho], names: Mapping[str, str]
) -> list[str]:
    """What subsets tell."""
    if not found:
        return ["Without true labels nobody knows how well 400 clips predict ρ₁."]
    some = next(iter(found.values()))
    fewer = (
        f" (the test split of {some.num_clips} clips is too small to draw "
        f"{paper.SUBSET_400})"
        if some.size < paper.SUBSET_400
        else ""
    )
    text = (
        f"With the truth known for all {some.num_clips} test clips, "
        f"{len(some.subsets)} random subsets of {some.size}{fewer} show how well a "
        "re-annotation of that size predicts ρ₁, in the median: "
    )
    parts = [
        f"{number(np.nanmedian(np.abs(one.subsets - one.full)), 3)} off ({names[key]})"
        for key, one in found.items()
        if np.isfinite(one.subsets).any()
    ]
    return [text + (", ".join(parts) or "nothing varies") + "."]


def tables(
    found: Mapping[str, PredictionOfRho], names: Mapping[str, str]
) -> list[Table]:
    """Correlation rho 1 of all clips, and the middle 95 % of that of subsets."""
    if not found:
        return []
    rows = [
        [names[key], number(one.full, 3), *_subsets(one.subsets - one.full, one.full)]
        for key, one in found.items()
    ]
    size = next(iter(found.values())).size
    header = (
        "",
        "ρ₁, truth of all test clips",
        f"mean over subsets of {size}",
        "middle 95 % of subsets",
        "median distance",
    )
    return [Table.of_rows("How well a subset's truth predicts ρ₁.", header, rows)]


def _subsets(errors: np.ndarray, full: float) -> list[str]:
    errors = errors[np.isfinite(errors)]
    if not len(errors):
        return [number(None)] * 3
    low, high = resampling.interval(errors + full)
    return [
        number(errors.mean() + full, 3),
        f"{number(low, 3)} to {number(high, 3)}",
        number(np.median(np.abs(errors)), 3),
    ]


def _auc(
    point: RunRecord, tags: Sequence[str], labels: str, weights: np.ndarray
) -> np.ndarray:
    """Macro ROC-AUC of the tags, mean over seeds, on every subset [R]."""
    arrays = point.arrays["predictions_test"]
    columns = [list(point.summary["tags"]).index(tag) for tag in tags]
    scores = arrays["scores"][:, :, columns]
    return resampling.macro_auc(arrays[labels][:, columns], scores, weights)
