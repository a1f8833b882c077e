"""How precise a score is: spread over seeds, intervals, differences, correlations.

Seeds are S trainings that differ in the initialisation alone. Every interval is at the
95 % level, and every deviation over seeds divides by S - 1.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
from scipy import stats

LEVEL = 0.95
TAIL = (1 + LEVEL) / 2


@dataclasses.dataclass(frozen=True)
class Spread:
    """Values over seeds, and what the paper's Fig. 4 says of them.

    Attributes:
        values: one per seed, float64 [S].
        mean: their mean.
        std: sample standard deviation (divided by S - 1); NaN for one seed.
        mean_absolute_deviation: mean distance from the mean, the paper's MAE.
        normal_half_width: of the 95 % normal interval of the mean, the paper's CI.
        t_half_width: of the 95 % interval of the mean by Student's t.
    """

    values: np.ndarray
    mean: float
    std: float
    mean_absolute_deviation: float
    normal_half_width: float
    t_half_width: float

    @property
    def by_extremes(self) -> float:
        """The smallest difference that counts, as the paper reasons."""
        return difference_by_extremes(self.values)

    @property
    def by_bound(self) -> float:
        """The same as a 95 % bound, whatever the number of seeds."""
        return difference_by_bound(self.std, len(self.values) - 1)


@dataclasses.dataclass(frozen=True)
class Difference:
    """A difference of two trainings, paired over seeds.

    Attributes:
        values: second minus first, one per seed, float64 [S].
        mean: their mean.
        std: deviation of a single one, over these seeds or pooled over many pairs.
        degrees_of_freedom: of `std`.
        half_width: of the 95 % t interval of the mean; NaN where `std` is unknown.
    """

    values: np.ndarray
    mean: float
    std: float
    degrees_of_freedom: int
    half_width: float

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper end of the t interval."""
        return self.mean - self.half_width, self.mean + self.half_width

    @property
    def p_value(self) -> float:
        """Two-sided, of a mean of zero, by Student's t; NaN where `std` is unknown."""
        if not self.degrees_of_freedom or np.isnan(self.std):
            return float("nan")
        if self.std == 0:
            return float(self.mean == 0)
        t = self.mean / self.std * np.sqrt(len(self.values))
        return float(2 * stats.t.sf(abs(t), self.degrees_of_freedom))


@dataclasses.dataclass(frozen=True)
class Correlation:
    """A correlation coefficient.

    Attributes:
        value: between -1 and 1; NaN where a side does not vary or n < 2.
        low: lower end of its 95 % interval; NaN where n < 4.
        high: upper end.
        count: n, the pairs of values.
    """

    value: float
    low: float
    high: float
    count: int


def describe(values: Sequence[float]) -> Spread:
    """Mean, deviations and intervals of one value per seed.

    >>> one = describe([0.84, 0.85, 0.86])
    >>> round(one.mean, 3), round(one.std, 3), round(one.mean_absolute_deviation, 4)
    (0.85, 0.01, 0.0067)

    Raises:
        ValueError: there is no value.
    """
    values = np.asarray(values, np.float64)
    if not values.size:
        raise ValueError("values over seeds are empty; give one value per seed.")
    mean, std = float(values.mean()), _std(values)
    return Spread(
        values=values,
        mean=mean,
        std=std,
        mean_absolute_deviation=float(np.abs(values - mean).mean()),
        normal_half_width=normal_half_width(std, len(values)),
        t_half_width=t_half_width(std, len(values), len(values) - 1),
    )


def normal_half_width(std: float, count: int) -> float:
    """Half the 95 % normal interval of a mean, 1.96 s / sqrt(n).

    >>> round(normal_half_width(0.00136, 15), 5)  # Fig. 4
    0.00069
    """
    return float(stats.norm.ppf(TAIL) * std / np.sqrt(count))


def t_half_width(std: float, count: int, degrees_of_freedom: int) -> float:
    """Half the 95 % interval of a mean by Student's t; NaN without freedom.

    >>> round(t_half_width(0.00136, 15, 14), 5)
    0.00075
    """
    if degrees_of_freedom < 1:
        return float("nan")
    return float(stats.t.ppf(TAIL, degrees_of_freedom) * std / np.sqrt(count))


def largest_deviations(values: Sequence[float], count: int = 2) -> list[tuple]:
    """The values that lie farthest from the mean.

    >>> [(seed, round(far, 3)) for seed, far in largest_deviations([0.1, 0.2, 0.6])]
    [(2, 0.3), (0, -0.2)]

    Returns:
        Index and signed distance from the mean, the farthest first.
    """
    values = np.asarray(values, np.float64)
    far = values - values.mean()
    order = np.argsort(-np.abs(far), kind="stable")[:count]
    return [(int(index), float(far[index])) for index in order]


def difference_by_extremes(values: Sequence[float]) -> float:
    """The smallest difference that counts, as the paper reasons in section IV-A.

    The sum of the two largest distances from the mean: two equal trainings may differ
    by up to that much. It grows with the number of seeds; NaN for one seed.

    >>> round(difference_by_extremes([0.1, 0.2, 0.6]), 3)
    0.5
    """
    if len(values) < 2:
        return float("nan")
    return sum(abs(far) for _, far in largest_deviations(values))


def difference_by_bound(std: float, degrees_of_freedom: int) -> float:
    """The smallest difference that counts, as a 95 % bound: t sqrt(2) s.

    Two single trainings that differ in nothing but the initialisation lie farther apart
    than this in 5 % of all cases. It does not grow with the number of seeds.

    >>> round(difference_by_bound(0.00136, 14), 5)
    0.00413
    """
    return t_half_width(np.sqrt(2) * std, 1, degrees_of_freedom)


def std_interval(std: float, degrees_of_freedom: int) -> tuple[float, float]:
    """The 95 % interval of a standard deviation, by the chi-square distribution."""
    if degrees_of_freedom < 1:
        return float("nan"), float("nan")
    bounds = stats.chi2.ppf([TAIL, 1 - TAIL], degrees_of_freedom)
    low, high = std * np.sqrt(degrees_of_freedom / bounds)
    return float(low), float(high)


def share_of_pairs_within(values: Sequence[float], limit: float) -> float:
    """Share of all pairs of values that differ by less than `limit`.

    >>> share_of_pairs_within([0.1, 0.2, 0.6], 0.3)
    0.3333333333333333
    """
    pairs = list(itertools.combinations(values, 2))
    if not pairs:
        return float("nan")
    return sum(abs(a - b) < limit for a, b in pairs) / len(pairs)


def pooled_std(groups: Sequence[Sequence[float]]) -> tuple[float, int]:
    """Standard deviation within groups, and its degrees of freedom.

    >>> pooled_std([[1, 3], [7, 7, 7]])
    (0.816496580927726, 3)

    Returns:
        sqrt(sum of squared distances from the own group's mean / freedom) and the
        freedom, sum of (size - 1); NaN and 0 where no group has two values.
    """
    groups = [np.asarray(group, np.float64) for group in groups if len(group) > 1]
    freedom = sum(len(group) - 1 for group in groups)
    if not freedom:
        return float("nan"), 0
    squares = sum(((group - group.mean()) ** 2).sum() for group in groups)
    return float(np.sqrt(squares / freedom)), freedom


def paired_difference(first: Sequence[float], second: Sequence[float]) -> Difference:
    """Second minus first, value by value of the same seeds.

    >>> paired_difference([0.80, 0.82], [0.84, 0.84]).mean.__round__(3)
    0.03

    Raises:
        ValueError: the numbers of seeds differ.
    """
    if len(first) != len(second):
        raise ValueError(
            f"{len(first)} and {len(second)} values cannot be paired; give the same "
            "seeds of both."
        )
    values = np.subtract(second, first, dtype=np.float64)
    return _difference(values, _std(values), len(values) - 1)


def pooled(differences: Sequence[Difference]) -> list[Difference]:
    """The same differences, each judged by the deviation within all of them.

    With two or three seeds a pair's own deviation says little; that of many pairs of
    one experiment says more, if differences scatter alike in all of them.
    """
    std, freedom = pooled_std([one.values for one in differences])
    return [_difference(one.values, std, freedom) for one in differences]


def mean_difference(differences: Sequence[Difference]) -> Difference:
    """The mean over pairs, with the t interval that the scatter within pairs gives.

    Pairs are taken as independent of each other.

    Raises:
        ValueError: there is none.
    """
    if not differences:
        raise ValueError("no differences to average; give at least one pair.")
    values = np.concatenate([one.values for one in differences])
    std, freedom = pooled_std([one.values for one in differences])
    found = _difference(values, std, freedom)
    return dataclasses.replace(
        found, mean=float(np.mean([one.mean for one in differences]))
    )


def pearson(x: Sequence[float], y: Sequence[float]) -> Correlation:
    """Pearson's correlation with Fisher's 95 % interval.

    >>> pearson([1, 2, 3, 4], [1, 2, 3, 5]).value.__round__(4)
    0.9827
    """
    if not _varies(x, y):
        return _no_correlation(x)
    found = stats.pearsonr(x, y)
    if len(x) < 4:
        return dataclasses.replace(_no_correlation(x), value=float(found.statistic))
    low, high = found.confidence_interval(LEVEL)
    return Correlation(float(found.statistic), float(low), float(high), len(x))


def spearman(x: Sequence[float], y: Sequence[float]) -> Correlation:
    """Spearman's rank correlation, ties by average rank.

    Its interval is Fisher's with the variance (1 + r^2 / 2) / (n - 3) of Bonett and
    Wright (Psychometrika 2000, doi:10.1007/BF02294183).

    >>> spearman([1, 2, 3, 4], [1, 2, 4, 3]).value.__round__(4)
    0.8
    """
    if not _varies(x, y):
        return _no_correlation(x)
    value = float(stats.spearmanr(x, y).statistic)
    if len(x) < 4:
        return dataclasses.replace(_no_correlation(x), value=value)
    # The logarithm ends at 1; there the interval is a point, as for Pearson's.
    centre = np.arctanh(np.clip(value, -1 + 1e-12, 1 - 1e-12))
    half = stats.norm.ppf(TAIL) * np.sqrt((1 + value**2 / 2) / (len(x) - 3))
    low, high = np.tanh([centre - half, centre + half])
    return Correlation(value, float(low), float(high), len(x))


def _difference(values: np.ndarray, std: float, freedom: int) -> Difference:
    half_width = t_half_width(std, len(values), freedom)
    return Difference(values, float(values.mean()), std, freedom, half_width)


def _std(values: np.ndarray) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else float("nan")


def _varies(x: Sequence[float], y: Sequence[float]) -> bool:
    """Whether both sides take more than one value, and all of them are known."""
    pair = np.array([x, y], np.float64)
    return bool(pair.shape[1] > 1 and np.isfinite(pair).all() and np.ptp(pair, 1).all())


def _no_correlation(x: Sequence[float]) -> Correlation:
    return Correlation(float("nan"), float("nan"), float("nan"), len(x))
