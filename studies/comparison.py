"""Compares trained points of a study: how large a difference is, against what.

Every difference of macro ROC-AUC on the test split stands beside two spreads: over
seeds (paired: point A's seed 3 with point B's seed 3) and over test clips (bootstrap,
paired: both points on the same resamples).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from msd_tagger.pages.tables import Formats, Table, interval, number, signed
from studies import resampling, statistics
from studies.records import RunRecord, SweepRecord, labels_of

NUM_RESAMPLES = 200
# Points by name, and what `resampled_auc` finds for them.
Points = Mapping[str, RunRecord]
Resampled = Mapping[str, np.ndarray]
# The array of `predictions_test.npz` for each kind of labels.
LABELS = {"weak": "tags", "true": "true_tags"}
# Names of inputs, as they are printed.
INPUTS = {"mel": "mel", "stft": "STFT"}
# The columns of a table of comparisons, and how they are printed.
FORMATS: Formats = {
    "comparison": str,
    "difference": signed,
    "95 % over seeds (t)": interval,
    "in deviations of a run": functools.partial(signed, digits=1),
    "95 % over test clips": interval,
    "larger than": str,
}


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The macro ROC-AUC of one point minus that of another."""

    name: str  # Such as "dB − linear".
    seeds: statistics.Difference  # Paired over seeds.
    # Deviation of a single run over seeds, pooled over the compared points.
    run_std: float
    # The difference on each resample of the test clips [R]; None where the two were not
    # scored on the same clips.
    resampled: np.ndarray | None

    @property
    def clips(self) -> tuple[float, float]:
        """The 95 % interval over test clips."""
        if self.resampled is None:
            return float("nan"), float("nan")
        return resampling.interval(self.resampled)

    @property
    def beyond_seeds(self) -> bool:
        """Whether the interval over seeds lies on one side of zero."""
        return _excludes_zero(self.seeds.interval)

    @property
    def beyond_clips(self) -> bool:
        """Whether the interval over test clips lies on one side of zero."""
        return _excludes_zero(self.clips)

    @property
    def beyond_both(self) -> bool:
        """Whether neither another seed nor other clips would change the sign."""
        return self.beyond_seeds and self.beyond_clips

    @property
    def in_run_stds(self) -> float:
        """The difference in standard deviations of a single run; NaN if unknown."""
        return self.seeds.mean / self.run_std if self.run_std else float("nan")

    @property
    def larger_than(self) -> str:
        """Says which spreads it is larger than, and which are not known."""
        spreads = {"seeds": self.seeds.interval, "clips": self.clips}
        beyond = [name for name, ends in spreads.items() if _excludes_zero(ends)]
        found = f"{beyond[0]} alone" if beyond else "neither"
        found = "both spreads" if len(beyond) == 2 else found
        unknown = [k for k, ends in spreads.items() if not np.isfinite(ends).all()]
        return found + (f" ({' and '.join(unknown)} unknown)" if unknown else "")

    def is_within(self, limit: float) -> bool:
        """Whether both intervals lie between -limit and limit; False if one is NaN."""
        ends = (*self.seeds.interval, *self.clips)
        return all(abs(end) <= limit for end in ends)


def auc(record: RunRecord, labels: str = "weak") -> np.ndarray:
    """Returns each seed's macro ROC-AUC on the test split `[S]`, NaN if not scored."""
    per_seed = record.summary["scores"]["test"][labels]["per_seed"]
    return np.array([one["roc_auc_macro"] for one in per_seed], np.float64)


def seed_numbers(record: RunRecord) -> list[int]:
    """Returns the seeds that a point was trained with, in the order of its scores."""
    if record.summary.get("seeds"):
        return list(record.summary["seeds"])
    start = int(record.config.get("seed", 0))
    return [start + index for index in range(int(record.summary["num_seeds"]))]


def train_clips(record: RunRecord) -> int:
    """Returns how many clips a point learnt from."""
    corpus = record.summary["corpus"]
    share = float(record.config["train"]["fraction"])
    used = corpus.get("train_clips_used") or round(share * corpus["counts"]["train"])
    return int(used)


def scored(points: Mapping[str, RunRecord]) -> dict[str, RunRecord]:
    """Returns the points of which every seed has a score."""
    return {name: one for name, one in points.items() if np.isfinite(auc(one)).all()}


def known_labels(points: Mapping[str, RunRecord]) -> list[str]:
    """Returns `weak`, and `true` if every point was scored against the truth."""
    found = [labels_of(one.summary["scores"]["test"]) for one in points.values()]
    return [one for one in LABELS if found and all(one in each for each in found)]


def seeds_and_clips(points: Mapping[str, RunRecord]) -> str:
    """Says how many seeds every point has, and how many clips it is scored on."""
    seeds = sorted({int(one.summary["num_seeds"]) for one in points.values()})
    some = next(iter(points.values()))
    clips = some.summary["scores"]["test"]["num_clips"]
    return f"{' or '.join(map(str, seeds))} seed(s) each, scored on {clips} test clips"


def not_complete(record: SweepRecord, prefix: str) -> str:
    """Names the points of a study that are missing, if there are any."""
    missing = [name for name in record.missing if name.startswith(prefix)]
    return f" Not complete: {', '.join(missing)}." if missing else ""


def num_resamples(record: SweepRecord) -> int:
    """Returns how many resamples of the test clips to draw."""
    settings = record.config.get("analysis", {})
    return int(settings.get("num_resamples", NUM_RESAMPLES))


def resampled_auc(
    points: Mapping[str, RunRecord], labels: str, resamples: int
) -> dict[str, np.ndarray]:
    """Computes each point's macro ROC-AUC `[R]`, averaged over seeds, on resamples.

    All points see the same resamples of the test clips. A point without predictions, or
    with other clips than the first one, is left out.
    """
    key = LABELS[labels]
    known = {
        name: one.arrays.get("predictions_test", {}) for name, one in points.items()
    }
    known = {name: arrays for name, arrays in known.items() if key in arrays}
    if not known:
        return {}
    clips = next(iter(known.values()))["track_id"]
    weights = resampling.bootstrap_weights(len(clips), resamples)
    return {
        name: resampling.macro_auc(arrays[key], arrays["scores"], weights)
        for name, arrays in known.items()
        if np.array_equal(arrays["track_id"], clips)
    }


def run_spread(points: Mapping[str, RunRecord], labels: str) -> tuple[float, int]:
    """Pools the deviation of a run over seeds over points; also returns its freedom."""
    return statistics.pooled_std([auc(point, labels) for point in points.values()])


def smallest_difference(points: Mapping[str, RunRecord], labels: str = "weak") -> float:
    """Returns how far 95 % of two runs that differ in the seed alone lie apart."""
    return statistics.difference_by_bound(*run_spread(points, labels))


def compare(
    points: Mapping[str, RunRecord],
    pairs: Mapping[str, tuple[str, str]],
    resampled: Mapping[str, np.ndarray],
    labels: str = "weak",
) -> list[Comparison]:
    """Compares pairs of points; a pair that lacks a point or common seeds is left out.

    Args:
        points: By name.
        pairs: From a comparison's name to (minuend, subtrahend).
        resampled: What `resampled_auc` found for the same labels.
        labels: `weak` or `true`; the scatter over seeds is pooled over all pairs.
    """
    paired = {
        name: difference
        for name, (first, second) in pairs.items()
        if first in points
        and second in points
        and (difference := _paired(points[first], points[second], labels))
    }
    used = {part: points[part] for name in paired for part in pairs[name]}
    std, _ = run_spread(used, labels)
    found = []
    for name, seeds in zip(paired, statistics.pooled([*paired.values()]), strict=True):
        both = [resampled[one] for one in pairs[name] if one in resampled]
        clips = both[0] - both[1] if len(both) == 2 else None
        found.append(Comparison(name, seeds, std, clips))
    return found


def average(name: str, comparisons: Sequence[Comparison]) -> Comparison | None:
    """Averages several comparisons; None without any."""
    if not comparisons:
        return None
    seeds = statistics.mean_difference([one.seeds for one in comparisons])
    known = [one.resampled for one in comparisons if one.resampled is not None]
    clips = np.mean(known, axis=0) if len(known) == len(comparisons) else None
    return Comparison(name, seeds, comparisons[0].run_std, clips)


def significant(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Selects those that are beyond both spreads although many were looked at.

    Over seeds the level is Bonferroni's, 5 % divided by the number of comparisons.
    """
    level = (1 - statistics.LEVEL) / max(len(comparisons), 1)
    return [
        one for one in comparisons if one.beyond_clips and one.seeds.p_value < level
    ]


def table(caption: str, comparisons: Sequence[Comparison]) -> Table:
    """Makes a table of comparisons, bold where one is beyond both spreads."""
    rows = [
        (x.name, x.seeds.mean, x.seeds.interval, x.in_run_stds, x.clips, x.larger_than)
        for x in comparisons
    ]
    frame = pd.DataFrame(rows, columns=list(FORMATS))
    strong = [row for row, one in enumerate(comparisons) if one.beyond_both]
    return Table(frame, caption, FORMATS, strong)


def sentence(one: Comparison) -> str:
    """Prints a difference and its two spreads.

    A half width that is not known (one seed) is left out, and said to be.
    """
    seeds = len(one.seeds.values)
    over_seeds = (
        f"95 % {interval(one.seeds.interval)} over seeds, "
        f"{number(abs(one.in_run_stds), 1)} deviations of a run"
        if np.isfinite(one.seeds.half_width)
        else f"spread over seeds unknown from {seeds} paired difference"
    )
    over_clips = (
        f"{interval(one.clips)} over test clips"
        if np.isfinite(one.clips[0])
        else "spread over test clips unknown"
    )
    return f"{signed(one.seeds.mean)} ({over_seeds}; {over_clips})"


def _paired(
    first: RunRecord, second: RunRecord, labels: str
) -> statistics.Difference | None:
    """First minus second over the seeds that both have, None if nothing is known."""
    sides = [pd.Series(auc(one, labels), seed_numbers(one)) for one in (second, first)]
    both = pd.concat(sides, axis=1, join="inner").sort_index().to_numpy().T
    if not both.size or not np.isfinite(both).all():
        return None
    return statistics.paired_difference(*both)


def _excludes_zero(ends: tuple[float, float]) -> bool:
    return bool(np.isfinite(ends).all() and (ends[0] > 0 or ends[1] < 0))


def score_frame(
    points: Iterable[tuple[tuple, RunRecord]], columns: Sequence[str], labels: str
) -> pd.DataFrame:
    """Lists every seed's macro ROC-AUC, one row each, as figures draw them.

    Args:
        points: What stands in the columns beside each point, and the point.
        columns: Their names; `seed` and `roc_auc_macro` follow.
        labels: `weak` or `true`.
    """
    rows = [
        (*what, seed, value)
        for what, point in points
        for seed, value in enumerate(auc(point, labels))
    ]
    return pd.DataFrame(rows, columns=[*columns, "seed", "roc_auc_macro"])
