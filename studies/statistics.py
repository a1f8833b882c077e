"""How precise a score is: spread over seeds, differences, correlations, lines.

Seeds are S runs that differ in the initialisation alone. Every interval is at the
95 % level, and every deviation over seeds divides by S - 1.
"""

import dataclasses
import functools
import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

LEVEL = 0.95
NAN = float("nan")

Values = Sequence[float] | np.ndarray
Pair = tuple[int, int]
Interval = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Spread:
    """Values over seeds, and what the paper's Fig. 4 says of them."""

    values: np.ndarray  # One per seed, float64 [S].
    mean: float
    std: float  # Of the sample; NaN for one seed.
    mean_absolute_deviation: float  # Mean distance from the mean, the paper's MAE.
    normal_half_width: float  # Of the normal interval of the mean, the paper's CI.
    t_half_width: float  # Of the interval of the mean by Student's t.

    @property
    def by_extremes(self) -> float:
        """The smallest difference that counts, as the paper reasons."""
        return difference_by_extremes(self.values)

    @property
    def by_bound(self) -> float:
        """The same as a 95 % bound, whatever the number of seeds."""
        return difference_by_bound(self.std, len(self.values) - 1)


@dataclasses.dataclass(frozen=True)
class Correlation:
    """A correlation of `count` pairs of values; NaN where a side does not vary."""

    value: float
    count: int

    def interval(self, claims: int = 1) -> tuple[float, float]:
        """Computes Fisher's 95 % interval, for so many claims; NaN below 4 pairs.

        A correlation of 1 would be certain by it, though a few pairs agree by chance as
        well. The other end is that of a correlation halfway to the next that ranks can
        have.

        >>> [round(end, 3) for end in Correlation(0.905, 7).interval()]
        [0.477, 0.986]
        >>> [round(end, 3) for end in Correlation(1.0, 7).interval()]
        [0.88, 1.0]
        """
        count, value = self.count, np.clip(self.value, -1, 1)
        if count < 4 or not np.isfinite(value):
            return NAN, NAN
        almost = value
        if abs(value) > 1 - 1e-9:  # But for rounding it is 1.
            almost *= 1 - 6 / (count * (count**2 - 1))
        half = normal_half_width(1, count - 3, claims)
        low, high = np.tanh(np.arctanh(almost) + np.array([-half, half]))
        low, high = min(low, value), max(high, value)
        return float(low), float(high)


@dataclasses.dataclass(frozen=True)
class LogFit:
    """A straight line through scores against log2 of the number of clips."""

    slope: float  # Gain per doubling of the clips.
    slope_error: float  # By the line's residuals; NaN below 3 sizes.
    intercept: float  # The line's value at one clip.
    r_squared: float  # Share of the variance between sizes that the line explains.
    curvature: float  # Of the squared log2 when one is added; NaN below 4 sizes.
    curvature_error: float  # Its standard error.
    count: int  # Sizes.
    span: float = NAN  # Doublings from the smallest to the largest size.

    def slope_interval(self, claims: int = 1) -> tuple[float, float]:
        """Computes the 95 % t interval of the slope, corrected for so many lines."""
        half = t_half_width(self.slope_error, 1, self.count - 2, claims)
        return self.slope - half, self.slope + half

    def curvature_half_width(self, claims: int = 1) -> float:
        """Computes half the 95 % t interval of the curvature, corrected likewise."""
        return t_half_width(self.curvature_error, 1, self.count - 3, claims)

    def bend_interval(self, claims: int = 1) -> tuple[float, float]:
        """Computes how much the gain changes from middle to end, relative to itself.

        The parabola's gain per doubling changes by twice the curvature over each
        doubling; its interval is that of the curvature. NaN for a slope of 0.
        """
        scale = self.span / self.slope if self.slope else NAN
        half = abs(scale) * self.curvature_half_width(claims)
        return self.curvature * scale - half, self.curvature * scale + half

    def at(self, clips: Values | float) -> np.ndarray:
        """Computes the line at some numbers of clips."""
        return self.intercept + self.slope * np.log2(clips)


def describe(values: Values) -> Spread:
    """Computes mean, deviations and intervals of one value per seed.

    >>> one = describe([0.84, 0.85, 0.86])
    >>> round(one.mean, 3), round(one.std, 3), round(one.mean_absolute_deviation, 4)
    (0.85, 0.01, 0.0067)

    Raises:
        ValueError: There is no value.
    """
    values = np.asarray(values, np.float64)
    if not values.size:
        raise ValueError("values over seeds are empty; give one value per seed.")
    mean, std, count = float(values.mean()), _std(values), len(values)
    distance = float(np.abs(values - mean).mean())
    normal, by_t = normal_half_width(std, count), t_half_width(std, count, count - 1)
    return Spread(values, mean, std, distance, normal, by_t)


def tail(claims: int = 1) -> float:
    """Returns the quantile that two-sided intervals end at, for so many claims at once.

    Together they are wrong in 5 % (Bonferroni).

    >>> tail(), tail(5)
    (0.975, 0.995)
    """
    return 1 - (1 - LEVEL) / 2 / max(claims, 1)


def normal_half_width(std: float, count: int, claims: int = 1) -> float:
    """Computes half the normal interval of a mean, 1.96 s / sqrt(n).

    >>> round(normal_half_width(0.00136, 15), 5)  # Fig. 4
    0.00069
    """
    return float(_normal_quantile(tail(claims)) * std / np.sqrt(count))


def t_half_width(
    std: float, count: int, degrees_of_freedom: float, claims: int = 1
) -> float:
    """Computes half the interval of a mean by Student's t; NaN without freedom.

    >>> round(t_half_width(0.00136, 15, 14), 5)
    0.00075
    """
    if degrees_of_freedom < 1:
        return NAN
    return float(_t_quantile(tail(claims), degrees_of_freedom) * std / np.sqrt(count))


def largest_deviations(values: Values, count: int = 2) -> list[tuple[int, float]]:
    """Finds the values farthest from the mean: index and signed distance.

    >>> [(seed, round(far, 3)) for seed, far in largest_deviations([0.1, 0.2, 0.6])]
    [(2, 0.3), (0, -0.2)]
    """
    far = np.asarray(values, np.float64) - np.mean(values)
    order = np.argsort(-np.abs(far), kind="stable")[:count]
    return [(int(index), float(far[index])) for index in order]


def difference_by_extremes(values: Values) -> float:
    """Computes the smallest difference that counts, as section IV-A reasons.

    The sum of the two largest distances from the mean: two equal runs may differ
    by up to that much. It grows with the number of seeds; NaN for one seed.
    """
    if len(values) < 2:
        return NAN
    return sum(abs(far) for _, far in largest_deviations(values))


def difference_by_bound(std: float, degrees_of_freedom: int) -> float:
    """Computes the smallest difference that counts, as a bound: t sqrt(2) s.

    Two single runs that differ in nothing but the initialisation lie farther apart
    than this in 5 % of all cases. It does not grow with the number of seeds.

    >>> round(difference_by_bound(0.00136, 14), 5)
    0.00413
    """
    return t_half_width(np.sqrt(2) * std, 1, degrees_of_freedom)


def mean_interval(values: Values, claims: int = 1) -> tuple[float, float]:
    """Computes the t interval of a mean over seeds, for so many claims at once.

    It is NaN for one seed.
    """
    values = np.asarray(values, np.float64)
    half = t_half_width(_std(values), len(values), len(values) - 1, claims)
    return float(values.mean() - half), float(values.mean() + half)


def count_interval(values: Values) -> tuple[float, float]:
    """Computes the t interval of a mean of whole numbers; NaN for one seed.

    Rounding adds 1/12 to their variance: two equal numbers do not make it certain.

    >>> [round(end, 1) for end in count_interval([7, 7])]
    [4.4, 9.6]
    """
    std, count = np.hypot(_std(np.asarray(values)), 12**-0.5), len(values)
    half, mean = t_half_width(std, count, count - 1), float(np.mean(values))
    return mean - half, mean + half


def share_interval(hits: int, count: int, claims: int = 1) -> tuple[float, float]:
    """Computes the exact interval of a share (Clopper and Pearson), for so many claims.

    >>> [round(end, 3) for end in share_interval(9, 10)]
    [0.555, 0.997]
    """
    level = 2 * tail(claims) - 1
    found = stats.binomtest(hits, count).proportion_ci(level, method="exact")
    return float(found.low), float(found.high)


def std_interval(std: float, degrees_of_freedom: int) -> tuple[float, float]:
    """Computes the interval of a standard deviation, by the chi-square distribution."""
    if degrees_of_freedom < 1:
        return NAN, NAN
    bounds = [_chi2_quantile(at, degrees_of_freedom) for at in (tail(), 1 - tail())]
    low, high = std * np.sqrt(degrees_of_freedom / np.array(bounds))
    return float(low), float(high)


def pooled_std(groups: Sequence[Values]) -> tuple[float, int]:
    """Computes the standard deviation within groups, and its degrees of freedom.

    It is the root of the squared distances from the own group's mean over the freedom,
    the sum of (size - 1); NaN and 0 where no group has two values.

    >>> pooled_std([[1, 3], [7, 7, 7]])
    (0.816496580927726, 3)
    """
    known = [np.asarray(group, np.float64) for group in groups if len(group) > 1]
    freedom = sum(len(group) - 1 for group in known)
    if not freedom:
        return NAN, 0
    squares = sum(((group - group.mean()) ** 2).sum() for group in known)
    return float(np.sqrt(squares / freedom)), freedom


def welch(first: Values, second: Values) -> tuple[float, float]:
    """Computes the standard error of a difference of means, and its freedom.

    The two groups may scatter differently (Welch 1947,
    https://doi.org/10.1093/biomet/34.1-2.28).

    >>> error, freedom = welch([1, 3], [6, 8])
    >>> round(error, 3), round(freedom, 3)
    (1.414, 2.0)
    """
    groups = [np.asarray(one, np.float64) for one in (first, second)]
    parts = [float(one.var(ddof=1)) / len(one) for one in groups]
    each = [part**2 / (len(one) - 1) for part, one in zip(parts, groups, strict=True)]
    return math.sqrt(sum(parts)), sum(parts) ** 2 / sum(each) if any(each) else 0.0


def ratio_interval(std: float, other: float, freedoms: Pair) -> tuple[float, float]:
    """Computes the interval of the ratio of two deviations, by the F distribution.

    >>> low, high = ratio_interval(0.00136, 0.00136, (14, 14))
    >>> round(low, 2), round(high, 2)
    (0.58, 1.73)
    """
    if min(freedoms) < 1:
        return NAN, NAN
    bounds = [_f_quantile(at, *freedoms) for at in (tail(), 1 - tail())]
    low, high = std / other / np.sqrt(bounds)
    return float(low), float(high)


def pearson(x: Values, y: Values) -> Correlation:
    """Computes Pearson's correlation.

    >>> pearson([1, 2, 3, 4], [1, 2, 3, 5]).value.__round__(4)
    0.9827
    """
    pair, count = np.array([x, y], np.float64), len(x)
    if count < 2 or not (np.isfinite(pair).all() and np.ptp(pair, 1).all()):
        return Correlation(NAN, count)
    return Correlation(float(stats.pearsonr(x, y).statistic), count)


def spearman(x: Values, y: Values) -> Correlation:
    """Correlates the ranks of two sides; ties take their average rank."""
    return pearson(stats.rankdata(x), stats.rankdata(y))


def fit_line(clips: Values, scores: Values) -> LogFit | None:
    """Fits scores against log2 of the clips; None below two different sizes.

    >>> fit_line([100, 200, 400], [0.70, 0.72, 0.74]).slope.__round__(4)
    0.02
    """
    if len(set(clips)) < 2:
        return None
    x, y = np.log2(np.asarray(clips, np.float64)), np.asarray(scores, np.float64)
    line = stats.linregress(x, y)
    error, explained = (line.stderr, line.rvalue**2) if len(x) > 2 else (NAN, NAN)
    straight = float(line.slope), float(error), float(line.intercept), float(explained)
    return LogFit(*straight, *_curvature(x, y), len(x), float(np.ptp(x)))


def read_off(shares: Values, gaps: Values, halves: Values) -> tuple[float, Interval]:
    """Finds the share of the clips at which a score is reached, and its interval.

    A gap is that score minus the one of so many clips, with half its interval; between
    shares all are interpolated over the logarithm. In the interval are the shares whose
    gap may be 0. Beyond the shares that were compared an end is open, 0 or infinite,
    and the share itself is the last one.

    >>> read_off([0.25, 0.5, 1], [0.02, 0.0, -0.02], [0.01, 0.01, 0.01])[0]
    0.5
    >>> read_off([0.5, 1], [0.01, -0.01], [0.02, 0.02])[1]
    (0.0, inf)
    """
    grid, middle, half = (np.asarray(one, np.float64) for one in (shares, gaps, halves))
    least, most = float(grid[0]), float(grid[-1])
    first = _zero(grid, middle - half, most)
    last = _zero(grid[::-1], -(middle + half)[::-1], least)
    ends = first if first > least else 0.0, last if last < most else np.inf
    return _zero(grid[::-1], -middle[::-1], least), ends


def _zero(shares: np.ndarray, values: np.ndarray, beyond: float) -> float:
    """Finds the first share at which values are not above zero, interpolated."""
    found = np.flatnonzero(values <= 0)
    if not len(found):
        return beyond
    at = found[0]
    if not at:
        return float(shares[0])
    part = values[at - 1] / (values[at - 1] - values[at])
    return float(shares[at - 1] ** (1 - part) * shares[at] ** part)


# Asking scipy takes longer than all else about an interval.
_normal_quantile = functools.cache(stats.norm.ppf)
_t_quantile = functools.cache(stats.t.ppf)
_chi2_quantile = functools.cache(stats.chi2.ppf)
_f_quantile = functools.cache(stats.f.ppf)


def _std(values: np.ndarray) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else NAN


def _curvature(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Computes the coefficient of x^2 in a parabola, and its standard error."""
    freedom = len(x) - 3
    if freedom < 1 or len(set(x)) < 4:
        return NAN, NAN
    # Centred, as powers of x alone are nearly dependent.
    found, covariance = np.polyfit(x - x.mean(), y, 2, cov=True)
    return float(found[0]), float(np.sqrt(covariance[0, 0]))
