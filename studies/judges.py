"""The rules by which the claims of the paper are judged: all of them, and once each.

A judge takes what was measured and says whether the claim holds, with the reason:
`Claim(statement, where, paper, here, *judges.below(interval, limit, why))`. The reason
starts with the `why` that the section gives.
"""

import math
from collections.abc import Sequence

from msd_tagger.pages.tables import ABSENT, percent
from studies.comparison import Comparison, Ends
from studies.statistics import LogFit
from studies.study import FAILS, HOLDS, UNDECIDED

# A verdict and what it rests on, in whole sentences.
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


def whole(judged: Judged, gaps: Sequence[str]) -> Judged:
    """Leaves open what holds in a part: a claim of all needs all that was asked for.

    A claim that fails already has failed: one that contradicts is enough.
    """
    verdict, why = judged
    if verdict != HOLDS or not gaps:
        return judged
    return unknown(f"{why} So far it holds, but {'; '.join(gaps)}.")


def complete(judged: Judged, gaps: Sequence[str]) -> Judged:
    """Leaves open what is asked of an average or a line of which parts are lacking.

    A part may lie on the other side of the limit.
    """
    verdict, why = judged
    if verdict == UNDECIDED or not gaps:
        return judged
    return unknown(f"{why} It takes several points together, and {'; '.join(gaps)}.")


def fact(found: bool, why: str) -> Judged:
    """Judges what is counted, or compared with a threshold, without uncertainty."""
    return decide(found, not found, why)


def between(ends: Ends, low: float, high: float, why: str) -> Judged:
    """Asks for a whole interval between two limits; one that lies outside fails."""
    return decide(low < ends[0] and ends[1] < high, _is_outside(ends, low, high), why)


def above(ends: Ends, limit: float, why: str) -> Judged:
    """Asks for a whole interval above a limit; one below it fails."""
    return between(ends, limit, math.inf, why)


def below(ends: Ends, limit: float, why: str) -> Judged:
    """Asks for a whole interval below a limit; one above it fails."""
    return between(ends, -math.inf, limit, why)


def every(
    ends: Sequence[Ends], corrected: Sequence[Ends], low: float, high: float, why: str
) -> Judged:
    """Asks for all of several intervals between two limits; one that is outside fails.

    That all are inside needs no correction, as each alone would be wrong in 2.5 %. That
    one of many is outside does: `corrected` are the same intervals, for so many at
    once.
    """
    inside = [low < one[0] and one[1] < high for one in ends]
    outside = [_is_outside(one, low, high) for one in corrected]
    return decide(bool(inside) and all(inside), any(outside), why)


def _is_outside(ends: Ends, low: float, high: float) -> bool:
    return ends[1] < low or ends[0] > high


def beyond_chance(
    p_value: float, level: float, why: str, opposite: float = 1.0
) -> Judged:
    """Asks for what chance alone would do more rarely than the level allows.

    It fails where the contrary, of the p-value `opposite`, is as rare.
    """
    contrary = opposite < level
    return decide(p_value < level and not contrary, contrary, why)


def falls_short(
    shortfall: float, error: float, expected: float, why: str, can_fail: bool = True
) -> Judged:
    """Asks for less than expected, beyond the error.

    It fails where the shortfall is less than half of what is expected, even with the
    error, unless too little is expected.
    """
    fails = can_fail and shortfall + error < expected / 2
    return decide(shortfall > error, fails, why)


def rise_straight(lines: Sequence[LogFit], share: float, bend: float) -> Judged:
    """Asks for lines that rise, explain that share of the variance and hardly bend.

    A line bends by how much its gain changes from the middle to an end, relative to the
    gain, with its interval. The claim fails where one does not rise or bends more, by
    intervals for so many lines at once.
    """
    count = len(lines)
    rises = [one.slope_interval()[0] > 0 for one in lines]
    explains = [one.r_squared >= share for one in lines]
    sinks = [one.slope_interval(count)[1] <= 0 for one in lines]
    within = [max(map(abs, one.bend_interval())) < bend for one in lines]
    bent = [_is_outside(one.bend_interval(count), -bend, bend) for one in lines]
    return decide(
        all(rises) and all(explains) and all(within),
        any(sinks) or any(bent),
        f"{sum(rises)} of {count} slopes are above zero beyond their interval, "
        f"{sum(explains)} of {count} lines explain at least {percent(share)} of "
        f"the variance between sizes, {sum(within)} bend by less than {percent(bend)} "
        f"of their slope from the middle to an end, with the interval; {sum(bent)} "
        "bend more.",
    )


def differences(
    found: Sequence[Comparison], low: float, high: float, why: str
) -> Judged:
    """Asks for differences between two limits, each by its interval.

    From 0 to infinity that is "greater in all", within ± 0.005 "no difference". One
    that lies outside fails, by intervals for so many comparisons at once; the reason
    ends with their names. Where both sides cannot be told from chance, a difference
    counts neither for the claim nor against it.
    """
    informed = [one for one in found if one.is_informed]
    ends = [one.interval() for one in informed]
    inside = sum(low < one[0] and one[1] < high for one in ends)
    outside = [
        one.name for one in informed if _is_outside(one.interval(len(found)), low, high)
    ]
    within = f"above {low:g}" if math.isinf(high) else f"within ± {high:g}"
    why += f" The intervals of {inside} of {len(found)} lie {within}"
    why += f"; beyond, for so many comparisons: {', '.join(outside) or 'none'}."
    far = max((abs(end) for one in ends for end in one), default=math.nan)
    if math.isfinite(high) and math.isfinite(far) and len(informed) == len(found):
        # Each alone is beyond its interval in 5 %, so all are within the widest.
        why += f" All are within ± {far:.4f} (95 %)."
    if near_chance := [one.name for one in found if not one.is_informed]:
        why += f" Both sides cannot be told from chance: {', '.join(near_chance)}."
    return decide(0 < inside == len(found), bool(outside), why)
