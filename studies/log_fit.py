"""Score against the logarithm of the training set's size, and what it is worth."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy import stats

from studies.statistics import NAN, TAIL, Values, t_half_width

NUM_DRAWS = 20_000


@dataclasses.dataclass(frozen=True)
class LogFit:
    """A straight line through scores against log2 of the number of clips.

    Attributes:
        slope: Gain per doubling of the clips.
        slope_error: Its standard error from the line's residuals; NaN below 3 sizes.
        intercept: The line's value at one clip.
        r_squared: Share of the variance between sizes that the line explains.
        curvature: Coefficient of the squared log2 when one is added; NaN below 4 sizes.
        curvature_half_width: Of its 95 % t interval.
        count: Sizes.
    """

    slope: float
    slope_error: float
    intercept: float
    r_squared: float
    curvature: float
    curvature_half_width: float
    count: int

    @property
    def slope_interval(self) -> tuple[float, float]:
        """The 95 % t interval of the slope."""
        half = t_half_width(self.slope_error, 1, self.count - 2)
        return self.slope - half, self.slope + half

    @property
    def is_curved(self) -> bool:
        """Whether the interval of the curvature leaves out zero."""
        return abs(self.curvature) > self.curvature_half_width

    def at(self, clips: Values | float) -> np.ndarray:
        """The line at some numbers of clips."""
        return self.intercept + self.slope * np.log2(clips)


def fit(clips: Values, scores: Values) -> LogFit | None:
    """Fits the line by least squares; None below two different sizes.

    >>> fit([100, 200, 400], [0.70, 0.72, 0.74]).slope.__round__(4)
    0.02
    """
    if len(set(clips)) < 2:
        return None
    x, y = np.log2(np.asarray(clips, np.float64)), np.asarray(scores, np.float64)
    line = stats.linregress(x, y)
    known = len(x) > 2
    return LogFit(
        float(line.slope),
        float(line.stderr) if known else NAN,
        float(line.intercept),
        float(line.rvalue**2) if known else NAN,
        *_curvature(x, y),
        len(x),
    )


def data_factor(
    gap: float, gap_error: float, line: LogFit
) -> tuple[float, tuple[float, float]]:
    """How many times the data closes a gap in score: 2^(gap / slope).

    The interval comes from draws of the gap (normal, with its standard error) and of
    the slope (Student's t). A slope of zero or less closes no gap: the factor is
    infinite.

    >>> data_factor(0.02, 0.0, LogFit(0.02, 0.0, 0.5, 1.0, 0.0, 0.0, 7))
    (2.0, (2.0, 2.0))

    Returns:
        The factor and its 95 % interval.
    """
    rng = np.random.default_rng(0)
    gaps = gap + gap_error * rng.standard_normal(NUM_DRAWS)
    noise = rng.standard_t(max(line.count - 2, 1), NUM_DRAWS)
    slopes = line.slope + np.nan_to_num(line.slope_error, nan=np.inf) * noise
    low, high = np.quantile(_factors(gaps, slopes), [1 - TAIL, TAIL], method="nearest")
    point = _factors(np.array([gap]), np.array([line.slope]))[0]
    return float(point), (float(low), float(high))


def _factors(gaps: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    rises = slopes > 0
    doublings = np.divide(gaps, slopes, out=np.full(len(gaps), np.inf), where=rises)
    with np.errstate(over="ignore"):
        return np.exp2(doublings)


def _curvature(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Coefficient of x^2 in a parabola, and half its 95 % t interval."""
    freedom = len(x) - 3
    if freedom < 1 or len(set(x)) < 4:
        return NAN, NAN
    # Centred, as powers of x alone are nearly dependent.
    found, covariance = np.polyfit(x - x.mean(), y, 2, cov=True)
    return float(found[0]), t_half_width(np.sqrt(covariance[0, 0]), 1, freedom)
