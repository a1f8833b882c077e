"""How far the labels of a corpus can be trusted (section III-B): Table I and Eq. 2.

Somebody who knows (listeners, or a corpus that knows its truth) judged some clips that
carry a label and some that do not. Arrays hold one value for each of L labels.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
from scipy import stats

from msd_tagger.common import paper
from studies.statistics import LEVEL, tail

NUM_NULL = 1999  # Simulations of `homogeneity`.


@dataclasses.dataclass(frozen=True)
class Draws:
    """How low and how high something may be that is known from counts `[R, ...]`.

    R draws each, from distributions whose percentiles are the ends of exact intervals.
    What is computed from several takes of each that side which makes it lowest, or
    highest, so that its interval is too wide rather than too narrow (Fay et al. 2015,
    https://doi.org/10.1111/biom.12231). A bootstrap has no width where no error was
    found, and Bayes' prior decides there.
    """

    low: np.ndarray
    high: np.ndarray

    def minus(self, other: Draws | np.ndarray) -> Draws:
        """Subtracts what is independent of this, or known."""
        other = as_draws(other)
        return Draws(self.low - other.high, self.high - other.low)

    def apart(self, other: Draws | np.ndarray) -> Draws:
        """Computes the distance from something."""
        far = self.minus(other)
        nearest = np.maximum(np.maximum(far.low, -far.high), 0)
        return Draws(nearest, np.maximum(np.abs(far.low), np.abs(far.high)))

    def over(self, whole: int) -> Draws:
        """Makes numbers shares of a whole."""
        return Draws(self.low / whole, self.high / whole)

    def of(self, columns: Sequence[int]) -> Draws:
        """Takes some labels, the last axis."""
        return Draws(self.low[..., columns], self.high[..., columns])

    def mean(self) -> Draws:
        """Averages over labels, the last axis."""
        return Draws(self.low.mean(axis=-1), self.high.mean(axis=-1))

    def interval(self, claims: int = 1) -> np.ndarray:
        """Finds the 95 % interval, float64 `[..., 2]`, corrected for so many claims."""
        high = 100 * tail(claims)
        ends = (self.low, 100 - high), (self.high, high)
        return np.stack([np.percentile(one, at, axis=0) for one, at in ends], axis=-1)


def as_draws(one: Draws | np.ndarray) -> Draws:
    """Makes draws of what is known exactly."""
    return one if isinstance(one, Draws) else Draws(one, one)


@dataclasses.dataclass(frozen=True)
class Checked:
    """Counts of judged clips, int `[L]` each."""

    positives: np.ndarray  # Judged clips that carry the label.
    wrong_positives: np.ndarray  # Of these, where it does not hold.
    negatives: np.ndarray  # Judged clips that do not carry the label.
    wrong_negatives: np.ndarray  # Of these, where it holds.

    @property
    def error_positive(self) -> np.ndarray:
        """Error rate p+ of positive labels `[L]`; NaN without any."""
        return _ratio(self.wrong_positives, self.positives)

    @property
    def error_negative(self) -> np.ndarray:
        """Error rate p- of negative labels `[L]`; NaN without any."""
        return _ratio(self.wrong_negatives, self.negatives)


@dataclasses.dataclass(frozen=True)
class Estimates:
    """What the error rates say, float64 `[..., L]` each."""

    error_positive: np.ndarray  # p+.
    error_negative: np.ndarray  # p-.
    # Share of the clips with a label for which it holds.
    precision: np.ndarray
    # Share of the clips for which a label holds that carry it, if half of all clips
    # carried it, as in Table I.
    recall: np.ndarray
    occurrences: np.ndarray  # Clips for which it holds, by Eq. 2.
    tagability: np.ndarray  # Share of these that carry it: recall at the real balance.


@dataclasses.dataclass(frozen=True)
class Findings:
    """Table I of L labels, from counts of judged clips, and how sure it is."""

    labels: Sequence[str]
    checked: Checked  # Counts of Subset100.
    occurrences: np.ndarray  # N+, clips that carry the label, int [L].
    total: int  # T, clips of the corpus.
    hits: np.ndarray  # Clips of Subset400 for which the label holds, int [L].
    judged: np.ndarray  # Clips of Subset400 that were judged on it, int [L].
    num_samples: int = 2000  # R draws.
    seed: int = 0  # Of the draws, which are always the same for one seed.

    @functools.cached_property
    def estimates(self) -> Estimates:
        """What follows from `checked` `[L]`."""
        rates = (self.checked.error_positive, self.checked.error_negative)
        return estimate(*rates, self.occurrences, self.total)

    @property
    def share(self) -> np.ndarray:
        """Share of Subset400 for which the label holds `[L]`; NaN where not judged."""
        return _ratio(self.hits, self.judged)

    @functools.cached_property
    def draws(self) -> dict[str, Draws]:
        """How low and high each estimate and the share may be `[R, L]`, by name."""
        rng, size = np.random.default_rng(self.seed), self.num_samples
        positive = draw_shares(
            self.checked.wrong_positives, self.checked.positives, size, rng
        )
        negative = draw_shares(
            self.checked.wrong_negatives, self.checked.negatives, size, rng
        )
        found = draw_estimates(positive, negative, self.occurrences, self.total)
        return found | {"share": draw_shares(self.hits, self.judged, size, rng)}

    @functools.cached_property
    def intervals(self) -> dict[str, np.ndarray]:
        """From the name of a share to its 95 % intervals `[L, 2]`.

        Those of counted clips are Wilson's, those of what follows from them come from
        draws.
        """
        checked, draws = self.checked, self.draws
        positive = wilson(checked.wrong_positives, checked.positives)
        return {
            "error_positive": positive,
            "error_negative": wilson(checked.wrong_negatives, checked.negatives),
            "precision": 1 - positive[:, ::-1],
            "recall": draws["recall"].interval(),
            "tagability": draws["tagability"].interval(),
            "eq2": draws["occurrences"].interval() / self.total,
            "subset400": wilson(self.hits, self.judged),
        }


def find_paper() -> Findings:
    """Derives the paper's findings from Table I's columns a, b, e and g."""
    rows = list(paper.TABLE_1.values())
    side = paper.SUBSET_100 // 2
    positive, negative = (
        np.array([round(side * getattr(row, name)) for row in rows])
        for name in ("error_positive", "error_negative")
    )
    sides = np.full(len(rows), side)
    return Findings(
        tuple(paper.TABLE_1),
        Checked(sides, positive, sides, negative),
        np.array([row.occurrences for row in rows]),
        paper.CLIPS_TOTAL,
        np.array([row.subset400 for row in rows]),
        np.full(len(rows), paper.SUBSET_400),
    )


def count_errors(tagged: np.ndarray, truth: np.ndarray) -> Checked:
    """Counts the clips that carry a label and should not, and the other way round.

    `tagged` says whether the corpus gives the label `[N, L]`, `truth` is 1 where it
    holds, 0 where not, and NaN where nobody judged.
    """
    tagged, holds, not_so = np.asarray(tagged) > 0, truth == 1, truth == 0
    return Checked(
        positives=(tagged & (holds | not_so)).sum(axis=0),
        wrong_positives=(tagged & not_so).sum(axis=0),
        negatives=(~tagged & (holds | not_so)).sum(axis=0),
        wrong_negatives=(~tagged & holds).sum(axis=0),
    )


def estimate(
    error_positive: np.ndarray,
    error_negative: np.ndarray,
    occurrences: np.ndarray,
    total: int,
) -> Estimates:
    """Derives the columns of Table I from the error rates.

    With TP = 1 - p+ and FN = p- the precision is TP and the recall TP / (TP + FN), both
    for as many clips with the label as without. Eq. 2 estimates how many clips it
    holds for:

        N = N+ (1 - p+) + (T - N+) p-

    and by Bayes' rule N+ (1 - p+) / N of them carry it. `error_positive` is p+,
    `error_negative` p- `[..., L]`, `occurrences` N+ `[L]` and `total` T. An estimate is
    NaN where a rate is, or where there is nothing to divide by.
    """
    found = 1 - error_positive
    kept = occurrences * found
    estimated = kept + (total - occurrences) * error_negative
    return Estimates(
        error_positive=error_positive,
        error_negative=error_negative,
        precision=found,
        recall=_ratio(found, found + error_negative),
        occurrences=estimated,
        tagability=_ratio(kept, estimated),
    )


def draw_shares(
    hits: np.ndarray, number: np.ndarray, num_draws: int, rng: np.random.Generator
) -> Draws:
    """Draws how low and how high shares may be `[R, L]`; NaN without any clip.

    The percentiles are the ends of Clopper's and Pearson's interval.
    """
    hits, number = np.asarray(hits), np.asarray(number)
    missed, known = number - hits, np.where(number > 0, 1.0, np.nan)
    size = (num_draws, len(hits))
    low = rng.beta(np.maximum(hits, 1), missed + 1, size)
    high = rng.beta(hits + 1, np.maximum(missed, 1), size)
    return Draws(
        known * np.where(hits > 0, low, 0.0), known * np.where(missed > 0, high, 1.0)
    )


def draw_estimates(
    positive: Draws, negative: Draws, occurrences: np.ndarray, total: int
) -> dict[str, Draws]:
    """Derives how low and high each estimate may be from draws of the error rates.

    Precision, recall and tagability fall with both rates; Eq. 2 falls with that of
    positive labels and rises with that of negative ones.
    """
    corners = {
        (p, n): estimate(getattr(positive, p), getattr(negative, n), occurrences, total)
        for p in ("low", "high")
        for n in ("low", "high")
    }
    worst, best = corners["high", "high"], corners["low", "low"]
    fewest, most = corners["high", "low"], corners["low", "high"]
    found = {
        name: Draws(getattr(worst, name), getattr(best, name))
        for name in ("precision", "recall", "tagability")
    }
    found["occurrences"] = Draws(fewest.occurrences, most.occurrences)
    return found | {"error_positive": positive, "error_negative": negative}


def homogeneity(checked: Checked, seed: int = 0) -> tuple[float, float]:
    """Tests whether all labels have the same recall, TP / (TP + FN).

    Cochran's Q of the logarithms of its odds, (1 - p+) / p-, of which each label has
    half a clip more on either side. Chance is simulated with the recall common to all,
    as the chi-square distribution does not fit so few clips. Returns Q, and the share
    of simulations with as large a Q; NaN below two judged labels.
    """
    known = (checked.positives > 0) & (checked.negatives > 0)
    if np.count_nonzero(known) < 2:
        return float("nan"), float("nan")
    columns = [np.asarray(one)[known] for one in vars(checked).values()]
    positives, wrong_positives, negatives, _ = columns
    statistic, odds = _cochran(*columns)
    missed = (wrong_positives + 0.5) / (positives + 1)
    overlooked = np.minimum((1 - missed) / odds, 1)
    rng, size = np.random.default_rng(seed), (NUM_NULL, len(positives))
    drawn, _ = _cochran(
        *(positives, rng.binomial(positives, missed, size)),
        *(negatives, rng.binomial(negatives, overlooked, size)),
    )
    as_large = np.count_nonzero(drawn >= statistic - 1e-9)
    return float(statistic), (1 + as_large) / (1 + NUM_NULL)


def _cochran(
    positives: np.ndarray,
    wrong_positives: np.ndarray,
    negatives: np.ndarray,
    wrong_negatives: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Returns Cochran's Q over the last axis, and the odds that labels have in common.

    Weights are the inverse variances, by the delta method.
    """
    missed = (wrong_positives + 0.5) / (positives + 1)
    overlooked = (wrong_negatives + 0.5) / (negatives + 1)
    log_odds = np.log((1 - missed) / overlooked)
    variances = missed / (1 - missed) / (positives + 1)
    variances = variances + (1 - overlooked) / overlooked / (negatives + 1)
    mean = np.average(log_odds, axis=-1, weights=1 / variances, keepdims=True)
    statistic = (np.square(log_odds - mean) / variances).sum(-1)
    return statistic, np.exp(mean)


def wilson(hits: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Computes Wilson's 95 % interval of shares `[L, 2]`; NaN without any clip.

    See doi:10.1080/01621459.1927.10502953.

    >>> wilson(np.array([12]), np.array([50])).round(4).tolist()
    [[0.143, 0.3741]]
    """
    intervals = [
        stats.binomtest(int(k), int(n)).proportion_ci(LEVEL, method="wilson")
        if n
        else (np.nan, np.nan)
        for k, n in zip(hits, number, strict=True)
    ]
    return np.array([tuple(one) for one in intervals]).reshape(-1, 2)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Divides; NaN where the whole is 0."""
    part, whole = np.asarray(part, float), np.asarray(whole, float)
    found = np.full(np.broadcast_shapes(part.shape, whole.shape), np.nan)
    return np.divide(part, whole, out=found, where=whole != 0)
