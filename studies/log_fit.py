"""Score against the logarithm of the training set's size, and what it is worth."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy import stats

from studies.statistics import TAIL

NUM_DRAWS = 20_000


@dataclasses.dataclass(frozen=True)
class LogFit:
    """A straight line through scores against log2 of the number of clips.

    Attributes:
        slope: gain per doubling of the clips.
        slope_error: its standard error from the line's residuals; NaN below 3 sizes.
        intercept: the line's value at one clip.
        r_squared: share of the variance between sizes that the line explains.
        curvature: coefficient of the squared log2 when one is added; NaN below 4 sizes.
        curvature_half_width: of its 95 % t interval.
        count: sizes.
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
        half = _t(self.count - 2) * self.slope_error
        return self.slope - half, self.slope + half

    @property
    def is_curved(self) -> bool:
        """Whether the interval of the curvature leaves out zero."""
        return abs(self.curvature) > self.curvature_half_width

    def at(self, clips: Sequence[float] | float) -> np.ndarray:
        """The line at some numbers of clips."""
        return self.intercept + self.slope * np.log2(clips)


def fit(clips: Sequence[float], scores: Sequence[float]) -> LogFit | None:
    """Fits the line by least squares; None below two different sizes.

    >>> fit([100, 200, 400], [0.70, 0.72, 0.74]).slope.__round__(4)
    0.02
    """
    if len(set(clips)) < 2:
        return None
    x, y = np.log2(np.asarray(clips, np.float64)), np.asarray(scores, np.float64)
    line = stats.linregress(x, y)
    known = len(x) > 2
    curvature, half_width = _curvature(x, y)
    return LogFit(
        slope=float(line.slope),
        slope_error=float(line.stderr) if known else float("nan"),
        intercept=float(line.intercept),
        r_squared=float(line.rvalue**2) if known else float("nan"),
        curvature=curvature,
        curvature_half_width=half_width,
        count=len(x),
    )


def data_factor(
    gap: float, gap_error: float, line: LogFit
) -> tuple[float, tuple[float, float]]:
    """How many times the data closes a gap in score: 2^(gap / slope).

    >>> data_factor(0.02, 0.0, LogFit(0.02, 0.0, 0.5, 1.0, 0.0, 0.0, 7))
    (2.0, (2.0, 2.0))

    Args:
        gap: a difference of scores.
        gap_error: its standard error.
        line: the fitted line.

    Returns:
        The factor and its 95 % interval, by draws of the gap (normal) and the slope
        (Student's t). A slope of zero or less closes no gap: the factor is infinite.
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
        return float("nan"), float("nan")
    design = np.vander(x - x.mean(), 3)
    found, *_ = np.linalg.lstsq(design, y, rcond=None)
    variance = ((y - design @ found) ** 2).sum() / freedom
    error = np.sqrt(variance * np.linalg.inv(design.T @ design)[0, 0])
    return float(found[0]), float(_t(freedom) * error)


def _t(freedom: int) -> float:
    return float(stats.t.ppf(TAIL, freedom)) if freedom > 0 else float("nan")
