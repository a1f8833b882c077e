"""The rules by which the claims of the paper are judged: all of them, and once each.

A judge takes what was measured and says whether the claim holds, with the reason:
`Claim(statement, where, paper, here, *judges.below(interval, limit, why))`. The reason
starts with the `why` that the section gives.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from msd_tagger.pages.tables import ABSENT, percent
from studies import comparison
from studies.comparison import Comparison
from studies.statistics import LogFit
from studies.study import FAILS, HOLDS, UNDECIDED

# A verdict and what it rests on.
Judged = tuple[str, str]


def decide(holds: bool, fails: bool, why: str) -> Judged:
    """Decides as all other judges do: what neither holds nor fails cannot be said."""
    return (HOLDS if holds else FAILS if fails else UNDECIDED), why


def unknown(why: str) -> Judged:
    """Leaves open what was measured, but not well enough to judge by."""
    return UNDECIDED, why


def no_data(why: str) -> tuple[str, str, str]:
    """Returns the last three fields of a claim for which nothing was measured."""
    return ABSENT, UNDECIDED, why


def fact(found: bool, why: str) -> Judged:
    """Judges what is counted, or compared with a threshold, without uncertainty."""
    return decide(found, not found, why)


def above(ends: tuple[float, float], limit: float, why: str) -> Judged:
    """Asks for a whole interval above a limit; one below it fails."""
    return decide(ends[0] > limit, ends[1] < limit, why)


def below(ends: tuple[float, float], limit: float, why: str) -> Judged:
    """Asks for a whole interval below a limit; one above it fails."""
    return decide(ends[1] < limit, ends[0] > limit, why)


def beyond_chance(
    p_value: float, level: float, why: str, opposite: float = 1.0
) -> Judged:
    """Asks for what chance alone would do more rarely than the level allows.

    It fails where the contrary, of the p-value `opposite`, is as rare.
    """
    contrary = opposite < level
    return decide(p_value < level and not contrary, contrary, why)


def falls_short(shortfall: float, error: float, expected: float, why: str) -> Judged:
    """Asks for less than expected, beyond the error.

    It fails where the shortfall is less than half of what is expected, even with the
    error.
    """
    return decide(shortfall > error, shortfall + error < expected / 2, why)


def agrees(ends: tuple[float, float], value: float, widest: float, why: str) -> Judged:
    """Asks for an interval around a value; one without it fails.

    An interval whose upper end is more than `widest` times the lower one says nothing.
    """
    low, high = ends
    inside, narrow = low <= value <= high, high <= widest * low
    if inside and not narrow:
        why += f" It is wider than a factor of {widest:g}."
    return decide(inside and narrow, not inside, why)


def rise_straight(lines: Sequence[LogFit], share: float) -> Judged:
    """Asks for lines that rise, and explain that share of the variance.

    It fails where one does not rise, or where one explains less and is curved.
    """
    rises = [one.slope_interval[0] > 0 for one in lines]
    straight = [one.r_squared >= share for one in lines]
    return decide(
        all(rises) and all(straight),
        any(
            one.slope_interval[1] <= 0 or (one.r_squared < share and one.is_curved)
            for one in lines
        ),
        f"{sum(rises)} of {len(lines)} slopes are above zero beyond their interval, "
        f"{sum(straight)} of {len(lines)} lines explain at least {percent(share)} of "
        f"the variance between sizes; {sum(one.is_curved for one in lines)} are curved "
        "beyond the interval of the curvature.",
    )


def all_of(verdicts: Sequence[str]) -> str:
    """Joins the verdicts on several things that are claimed at once."""
    order = (FAILS, UNDECIDED, HOLDS)
    return next((one for one in order if one in verdicts), UNDECIDED)


def always_greater(found: Sequence[Comparison], mean: Comparison, why: str) -> Judged:
    """Asks for differences above zero whose mean is beyond both spreads.

    It fails where one is significantly below zero, or the mean is.
    """
    below = [one for one in comparison.significant(found) if one.seeds.mean < 0]
    return decide(
        all(one.seeds.mean > 0 for one in found) and mean.beyond_both,
        bool(below) or (mean.beyond_both and mean.seeds.mean < 0),
        why,
    )


def all_within(found: Sequence[Comparison], limit: float, why: str) -> Judged:
    """Asks for differences within ± limit; one that is significantly larger fails.

    The reason ends with the names of those.
    """
    significant = comparison.significant(found)
    beyond = [one.name for one in significant if abs(one.seeds.mean) > limit]
    names = ", ".join(beyond) or "none"
    why += f" Above the paper's and beyond both spreads: {names}."
    return decide(all(one.is_within(limit) for one in found), bool(beyond), why)


def level(mean: Comparison, limit: float, why: str) -> Judged:
    """Asks that neither side is ahead: both intervals within ± limit and around 0."""
    beyond = mean.beyond_both
    return decide(mean.is_within(limit) and not beyond, beyond, why)


def no_difference(
    found: Sequence[Comparison], control: Comparison | None, limit: float, why: str
) -> Judged:
    """Asks that no difference is significant, in an experiment that can see one.

    It holds where no difference reaches the limit, what two seeds make (NaN if
    unknown), nor lies beyond both spreads (corrected for the number of pairs), while
    the control, dB minus linear, which the paper does claim, is beyond both. It fails
    where one does both.
    """
    if not np.isfinite(limit):
        return unknown(f"{why}; one seed tells no threshold.")
    large = [one for one in found if abs(one.seeds.mean) >= limit]
    why += f"; {len(large)} reach {limit:.4f}, which two seeds differ by in 5 %"
    beyond = comparison.significant(found)
    why += f"; {len(beyond)} are beyond both spreads, corrected for their number"
    if set(map(id, large)) & set(map(id, beyond)):
        return FAILS, f"{why}: {', '.join(one.name for one in beyond)}."
    if large or beyond:
        return unknown(f"{why}; none is both.")
    if control is None or not control.beyond_both:
        return unknown(
            f"{why}; but these runs do not tell dB from linear beyond both spreads, so "
            "they could not have seen a difference."
        )
    return HOLDS, f"{why}; the same runs do tell dB from linear beyond both spreads."
