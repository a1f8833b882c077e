"""Compares trained points of a study: how large a difference is, against what.

Every difference of macro ROC-AUC on the test split has one interval for two kinds of
chance: over seeds (paired: point A's seed 3 with point B's seed 3) and over test clips
(paired: both points on the same clips). They add up as independent errors do.
"""

import dataclasses
import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from msd_tagger.pages.tables import Formats, Table, interval, number, signed
from studies import clip_spread, statistics
from studies.records import RunRecord, SweepRecord, labels_of
from studies.texts import captioned

CHANCE = 0.5  # The AUC of scores that know nothing.
ROUNDING = 1e-12  # Of differences of scores.
# Points by name.
Points = Mapping[str, RunRecord]
Ends = tuple[float, float]
# The array of `predictions_test.npz` for each kind of labels.
LABEL_ARRAYS = {"weak": "tags", "true": "true_tags"}
# Names of inputs, as they are printed.
INPUTS = {"mel": "mel", "stft": "STFT"}
# The columns of a table of comparisons, and how they are printed.
FORMATS: Formats = {
    "comparison": str,
    "difference": signed,
    "95 %": interval,
    "± over seeds": number,
    "± over test clips": number,
    "in deviations of a run": functools.partial(signed, digits=1),
    "differs": str,
}


@dataclasses.dataclass(frozen=True)
class Placed:
    """Where the clips of a test split lie among each other, by one kind of labels."""

    labels: np.ndarray  # [N, K].
    placements: Mapping[str, np.ndarray]  # Of points, each [N, K].

    def error(self, weights: Mapping[str, float]) -> float:
        """Computes the error over test clips of a weighted sum of points' scores."""
        if not weights.keys() <= self.placements.keys():
            return float("nan")
        placed = np.zeros(self.labels.shape)
        for name, weight in weights.items():
            placed += weight * self.placements[name]
        return clip_spread.standard_error(self.labels, placed)


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The macro ROC-AUC of some points minus that of others."""

    name: str  # Such as "dB − linear".
    weights: Mapping[str, float]  # Of points; they sum to 0.
    values: pd.Series  # The difference for each seed that both sides have.
    run_std: float  # Of a single run over seeds, pooled over the compared points.
    clips_error: float  # Standard error over test clips; NaN where it is unknown.
    # Whether a side can be told from chance: else the difference means nothing.
    is_informed: bool
    # Where the sides have no two seeds in common, `values` is the difference of means,
    # and this its standard error and freedom (Welch 1947).
    unpaired: tuple[float, float] | None = None

    @functools.cached_property
    def mean(self) -> float:
        """The difference, averaged over seeds."""
        return float(self.values.mean())

    @functools.cached_property
    def seeds_error(self) -> float:
        """Standard error over seeds, of this difference alone; NaN for one seed."""
        return self.unpaired[0] if self.unpaired else float(self.values.sem())

    def half_widths(self, claims: int = 1) -> Ends:
        """Computes half the interval over seeds alone, and half that over clips."""
        freedom = self.unpaired[1] if self.unpaired else len(self.values) - 1
        # Equal differences do not make it certain that all are.
        error = self.seeds_error if self.seeds_error > ROUNDING else math.nan
        over_seeds = statistics.t_half_width(error, 1, freedom, claims)
        return over_seeds, statistics.normal_half_width(self.clips_error, 1, claims)

    def interval(self, claims: int = 1) -> Ends:
        """Computes the 95 % interval over seeds and clips, for so many claims."""
        half = math.hypot(*self.half_widths(claims))
        return self.mean - half, self.mean + half

    @property
    def standard_error(self) -> float:
        """Of the difference, over seeds and test clips."""
        return math.hypot(self.seeds_error, self.clips_error)

    @property
    def in_run_stds(self) -> float:
        """The difference in standard deviations of a single run; NaN if unknown."""
        return self.mean / self.run_std if self.run_std else float("nan")

    def answer(self, claims: int = 1) -> str:
        """Says in a table whether the two sides differ, as one of so many."""
        spreads = dict(zip(("seeds", "clips"), self.half_widths(), strict=True))
        unknown = [name for name, half in spreads.items() if not np.isfinite(half)]
        if unknown:
            return f"unknown ({' and '.join(unknown)})"
        if not self.is_informed:
            return "both near chance"
        differs = excludes_zero(self.interval(claims))
        return "yes" if differs else "cannot be said"


def excludes_zero(ends: Ends) -> bool:
    """Tells whether an interval lies on one side of zero; no, if an end is unknown."""
    return bool(np.isfinite(ends).all() and (ends[0] > 0 or ends[1] < 0))


def auc(
    record: RunRecord, labels: str = "weak", score: str = "roc_auc_macro"
) -> np.ndarray:
    """Returns each seed's score on the test split `[S]`, NaN if not scored.

    It is `[S, K]` for one of each tag, such as `roc_auc_per_tag`.
    """
    per_seed = record.summary["scores"]["test"][labels]["per_seed"]
    return np.array([one[score] for one in per_seed], np.float64)


def baseline_auc(record: RunRecord, labels: str) -> float:
    """Returns the linear baseline's macro ROC-AUC on the test split, NaN without."""
    scores = (record.summary.get("baseline") or {}).get("scores", {}).get("test", {})
    value = (scores.get(labels) or {}).get("mean", {}).get("roc_auc_macro")
    return float("nan") if value is None else float(value)


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
    return [one for one in LABEL_ARRAYS if found and all(one in each for each in found)]


def gaps(record: SweepRecord, *prefixes: str) -> list[str]:
    """Lists points that are missing, have failed seeds, or have no score."""
    found = [f"{k} is missing" for k in record.missing if k.startswith(prefixes)]
    for name, point in record.points.items():
        failed = [str(one["seed"]) for one in point.summary.get("failed_seeds", ())]
        if failed and name.startswith(prefixes):
            found.append(f"{name} failed with seed {', '.join(failed)}")
        elif name.startswith(prefixes) and not np.isfinite(auc(point)).all():
            found.append(f"{name} has no score")
    return found


def scope(record: SweepRecord, points: Points, prefix: str) -> dict[str, Any]:
    """Says for a text how many points there are, how scored, and what they lack."""
    seeds = sorted({int(one.summary["num_seeds"]) for one in points.values()})
    clips = next(iter(points.values())).summary["scores"]["test"]["num_clips"]
    each = " or ".join(map(str, seeds))
    lacks = gaps(record, prefix)
    last = [
        step == one.summary.get("steps")
        for one in points.values()
        for step in one.summary.get("best_step") or ()
    ]
    cut = f" {sum(last)} of {len(last)} networks were best at their last evaluation."
    return {
        "points": len(points),
        "scored": f"{each} seed(s) each, scored on {clips} test clips",
        "missing": f" Not complete: {'; '.join(lacks)}." if lacks else "",
        # Their scores say what was learnt by then.
        "cut": cut if any(last) else "",
    }


def place(points: Points, labels: str) -> Placed:
    """Places the test clips by each point's scores, averaged over seeds.

    A point without predictions, or with other clips than the first one, is left out.
    """
    key = LABEL_ARRAYS[labels]
    known = {
        name: one.arrays.get("predictions_test", {}) for name, one in points.items()
    }
    known = {name: arrays for name, arrays in known.items() if key in arrays}
    if not known:
        return Placed(np.empty((0, 0)), {})
    first = next(iter(known.values()))
    placed = {
        name: clip_spread.placements(arrays[key], arrays["scores"])
        for name, arrays in known.items()
        if np.array_equal(arrays["track_id"], first["track_id"])
    }
    return Placed(first[key], placed)


def run_spread(points: Mapping[str, RunRecord], labels: str) -> tuple[float, int]:
    """Pools the deviation of a run over seeds over points; also returns its freedom."""
    return statistics.pooled_std([auc(point, labels) for point in points.values()])


def compare(
    points: Points,
    pairs: Mapping[str, tuple[str, str]],
    placed: Placed,
    labels: str = "weak",
) -> list[Comparison]:
    """Compares pairs of points; a pair that lacks a point is left out.

    Pairs go from a comparison's name to (minuend, subtrahend). Without two common seeds
    they are compared by the seeds of each, if both have two, else their difference is
    NaN. `placed` is what `place` found for the same labels.
    """
    scores = {
        name: pd.Series(auc(one, labels), seed_numbers(one))
        for name, one in points.items()
    }
    together = {
        name: pd.DataFrame({one: scores[one] for one in pair}).dropna()
        for name, pair in pairs.items()
        if {*pair} <= scores.keys()
    }
    used = {part: points[part] for name in together for part in pairs[name]}
    run_std, _ = run_spread(used, labels)
    known = informed(used, labels, placed)
    found = []
    for name, table in together.items():
        first, second = pairs[name]
        weights = {first: 1.0, second: -1.0}
        sides = scores[first], scores[second]
        values, unpaired = table[first] - table[second], None
        if len(values) < 2 <= min(map(len, sides)):
            values = pd.Series([sides[0].mean() - sides[1].mean()])
            unpaired = statistics.welch(*sides)
        found.append(
            Comparison(
                name,
                weights,
                values=values,
                run_std=run_std,
                clips_error=placed.error(weights),
                is_informed=bool(known & {*pairs[name]}),
                unpaired=unpaired,
            )
        )
    return found


def average(
    name: str, comparisons: Sequence[Comparison], placed: Placed
) -> Comparison | None:
    """Averages several comparisons of `compare`, seed by seed; None without any."""
    if not comparisons:
        return None
    some, count = comparisons[0], len(comparisons)
    weights: dict[str, float] = {}
    for one in comparisons:
        for point, weight in one.weights.items():
            weights[point] = weights.get(point, 0) + weight / count
    of_seeds = pd.concat([one.values for one in comparisons], axis=1).dropna()
    return dataclasses.replace(
        some,
        name=name,
        weights=weights,
        values=of_seeds.mean(axis=1),
        clips_error=placed.error(weights),
        is_informed=all(one.is_informed for one in comparisons),
        unpaired=None,
    )


def informed(
    points: Points, labels: str = "weak", placed: Placed | None = None
) -> set[str]:
    """Names the points whose scores lie above chance by more than chance would.

    The spread over seeds is pooled over the points, as two seeds hardly tell their own,
    or is the point's own where that is larger. One that is unknown, as with one seed,
    does not count.
    """
    placed = placed or place(points, labels)
    std, freedom = run_spread(points, labels)
    found = set()
    for name, point in points.items():
        values = auc(point, labels)
        pooled = statistics.t_half_width(std, len(values), freedom)
        own = statistics.normal_half_width(
            statistics.pooled_std([values])[0], len(values)
        )
        over_clips = statistics.normal_half_width(placed.error({name: 1.0}), 1)
        over_seeds = max(np.nan_to_num((pooled, own)))
        half = math.hypot(over_seeds, np.nan_to_num(over_clips))
        if values.mean() - half > CHANCE:
            found.add(name)
    return found


def table(
    key: str, comparisons: Sequence[Comparison], claims: int = 1, **values: Any
) -> Table:
    """Makes a table of comparisons, as of so many; bold where the sides differ."""
    rows = [
        (
            *(one.name, one.mean, one.interval(claims), *one.half_widths(claims)),
            *(one.in_run_stds, one.answer(claims)),
        )
        for one in comparisons
    ]
    frame = pd.DataFrame(rows, columns=list(FORMATS))
    strong = [n for n, one in enumerate(comparisons) if one.answer(claims) == "yes"]
    return captioned(key, frame, FORMATS, strong, **values)


def left_out(names: Iterable[str]) -> str:
    """Says which points were left out as they cannot be told from chance, if any."""
    listed = ", ".join(names)
    return f" Near chance and left out: {listed}." if listed else ""


def sentence(one: Comparison) -> str:
    """Prints a difference, its interval, and what is known of the spreads in it."""
    over_seeds, over_clips = one.half_widths()
    ends = f"95 % {interval(one.interval())}; "
    if not np.isfinite(over_seeds + over_clips):
        ends = ""
    seeds = (
        f"± {number(over_seeds)} over seeds, "
        f"{number(abs(one.in_run_stds), 1)} deviations of a run"
        if np.isfinite(over_seeds)
        else f"spread over seeds unknown (paired seeds: {len(one.values)})"
    )
    clips = (
        f"± {number(over_clips)} over test clips"
        if np.isfinite(over_clips)
        else "spread over test clips unknown"
    )
    return f"{signed(one.mean)} ({ends}{seeds}; {clips})"


def score_columns(points: Points, start: str = "") -> dict[str, list[np.ndarray]]:
    """Makes a column for each kind of labels, with every seed's macro ROC-AUC."""
    return {
        f"{start}{one} labels": [auc(point, one) for point in points.values()]
        for one in known_labels(points)
    }


def score_frame(
    points: Iterable[tuple[tuple, RunRecord]], columns: Sequence[str], labels: str
) -> pd.DataFrame:
    """Lists every seed's macro ROC-AUC, one row each, as figures draw them.

    Beside each point is given what stands in the columns before `seed` and
    `roc_auc_macro`.
    """
    rows = [
        (*what, seed, value)
        for what, point in points
        for seed, value in enumerate(auc(point, labels))
    ]
    return pd.DataFrame(rows, columns=[*columns, "seed", "roc_auc_macro"])
