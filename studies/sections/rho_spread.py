"""How far rho 1 and rho 2 move with other seeds and with other test clips."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from msd_tagger.pages.tables import ABSENT, Table
from studies import resampling
from studies.records import RunRecord
from studies.sections.annotated_clips import AnnotatedClips

# From `all`, `four` and `annotated` to one training's score on every resample [R].
Resampled = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class RhoSpread:
    """Both correlations of one set, again and again; NaN where nothing varies.

    Attributes:
        seeds: `rho_1` (where known) and `rho_2` of each seed alone [S].
        clips: the same of means over seeds, on resamples of the test clips [R].
    """

    seeds: Mapping[str, np.ndarray]
    clips: Mapping[str, np.ndarray]


def resampled_curves(
    points: Mapping[str, RunRecord],
    columns: Sequence[int],
    answers: AnnotatedClips | None,
    resamples: int,
) -> dict[str, Resampled]:
    """Scores of every training on the same resamples of the test clips.

    Args:
        points: trainings scored on the same N clips.
        columns: of the instrumentation tags.
        answers: of the re-annotation; its clips are resampled with the others.
        resamples: R.
    """
    num_clips = len(next(iter(points.values())).arrays["predictions_test"]["track_id"])
    weights = resampling.bootstrap_weights(num_clips, resamples)
    return {
        name: _resampled(one.arrays["predictions_test"], columns, answers, weights)
        for name, one in points.items()
    }


def spread_of_rho(
    curves: Mapping[str, Sequence[np.ndarray]],
    seeds: Sequence[Sequence[int]],
    resampled: Sequence[Resampled],
) -> RhoSpread:
    """Correlates the curves of one set seed by seed and resample by resample.

    Args:
        curves: from `all`, `four` and, where known, `annotated` to the scores of every
            seed, one array for each training.
        seeds: their numbers, of the same trainings; those that all have are used.
        resampled: of the same trainings, in the same order.
    """
    common = sorted(set.intersection(*map(set, seeds)))
    places = [[list(one).index(seed) for seed in common] for one in seeds]
    by_seed = {
        name: np.array([v[at] for v, at in zip(values, places, strict=True)])
        for name, values in curves.items()
    }
    by_clips = {name: np.array([one[name] for one in resampled]) for name in curves}
    return RhoSpread(_rhos(by_seed), _rhos(by_clips))


def table(found: Mapping[str, RhoSpread], names: Mapping[str, str]) -> Table:
    """Ranges over seeds and 95 % intervals over test clips."""
    rows = [
        [
            names[key],
            *(
                text
                for rho in ("rho_1", "rho_2")
                for text in (
                    _ends(one.seeds.get(rho), 0, 100),
                    _ends(one.clips.get(rho), 2.5, 97.5),
                )
            ),
        ]
        for key, one in found.items()
    ]
    header = ("", "ρ₁, seeds", "ρ₁, test clips", "ρ₂, seeds", "ρ₂, test clips")
    caption = (
        "How far the correlations move: lowest to highest of single seeds, and the "
        "middle 95 % over resamples of the test clips."
    )
    return Table.of_rows(caption, header, rows)


def correlate(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Pearson's correlation of every column of x with that of y, both [P, R].

    >>> correlate(np.array([[1.0], [2], [3]]), np.array([[2.0], [4], [6]])).round(6)
    array([1.])
    """
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    scale = np.sqrt((x**2).sum(axis=0) * (y**2).sum(axis=0))
    with np.errstate(invalid="ignore", divide="ignore"):
        return (x * y).sum(axis=0) / scale


def _resampled(
    arrays: Mapping[str, np.ndarray],
    columns: Sequence[int],
    answers: AnnotatedClips | None,
    weights: np.ndarray,
) -> Resampled:
    """The three scores of one training, mean over seeds."""
    scores = arrays["scores"]
    per_seed = resampling.auc_per_seed(arrays["tags"], scores, weights)
    per_tag = np.ma.masked_invalid(per_seed.mean(axis=0))
    found = {
        "all": per_tag.mean(axis=1).filled(np.nan),
        "four": per_tag[:, columns].mean(axis=1).filled(np.nan),
    }
    if answers is not None:
        heard = scores[:, answers.rows][:, :, columns]
        found["annotated"] = np.mean(
            [answers.auc(one, weights[answers.rows]) for one in heard], axis=0
        )
    return found


def _rhos(curves: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    found = {"rho_2": correlate(curves["all"], curves["four"])}
    if "annotated" in curves:
        found["rho_1"] = correlate(curves["four"], curves["annotated"])
    return found


def _ends(values: np.ndarray | None, low: float, high: float) -> str:
    known = [] if values is None else values[np.isfinite(values)]
    if len(known) < 2:
        return ABSENT
    ends = np.percentile(known, [low, high])
    return f"{ends[0]:.3f} to {ends[1]:.3f}".replace("-", "−")
