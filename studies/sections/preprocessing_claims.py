"""What sections IV-C and IV-D say of Fig. 7, and whether it holds here."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from msd_tagger.common import paper
from msd_tagger.pages.tables import ABSENT, number
from studies import comparison, log_fit
from studies.comparison import Comparison
from studies.log_fit import LogFit
from studies.study import FAILS, HOLDS, UNDECIDED, Claim

# An interval wider than this (upper over lower end) cannot tell 2 from 1 or 4.
WIDEST_FACTOR = 4.0


def of_decibels(found: Sequence[Comparison]) -> Claim:
    """That decibels always outperform power."""
    mean = comparison.average("mean of pairs", found)
    verdict, here, why = UNDECIDED, ABSENT, "no pair of dB and linear is complete."
    if mean is not None:
        verdict = _always_above(found, mean)
        above = sum(one.seeds.mean > 0 for one in found)
        here = f"above in {above} of {len(found)} pairs, by {_size(mean)} in the mean"
        seeds = sum(one.seeds.mean > 0 and one.beyond_seeds for one in found)
        clips = sum(one.seeds.mean > 0 and one.beyond_clips for one in found)
        why = (
            f"{seeds} of {len(found)} pairs are above beyond the spread over seeds, "
            f"{clips} beyond that over test clips; mean: {comparison.sentence(mean)}."
        )
    return Claim(
        statement="Decibel-scaled mel spectrograms always outperform linear ones.",
        where="IV-C, Fig. 7",
        paper="in all six pairs",
        here=here,
        verdict=verdict,
        why=why,
    )


def of_stft(found: Sequence[Comparison]) -> Claim:
    """That decibels outperform power for the STFT as well (footnote 5)."""
    verdict, here, why = UNDECIDED, ABSENT, "dB and linear STFT are not both complete."
    mean = comparison.average("STFT", found)
    if mean is not None:
        verdict = _always_above(found, mean)
        here = _size(mean)
        why = f"dB minus linear: {comparison.sentence(mean)}."
    return Claim(
        statement="Decibel-scaled STFT outperforms linear STFT.",
        where="IV-C, footnote 5",
        paper="unreported experiments, no number",
        here=here,
        verdict=verdict,
        why=why,
    )


def of_nothing(
    statement: str,
    found: Sequence[Comparison],
    control: Sequence[Comparison],
    limit: float,
) -> Claim:
    """That something makes no significant difference.

    It holds where no difference reaches what two seeds make, nor lies beyond both
    spreads (corrected for the number of pairs), in an experiment that can see the
    difference that the paper does claim (dB against linear). It fails where one does
    both.

    Args:
        statement: the paper's.
        found: the differences.
        control: dB minus linear of the same grid.
        limit: the smallest difference of two runs that counts.
    """
    verdict, here, why = UNDECIDED, ABSENT, "no pair is complete."
    if found:
        far = max(found, key=lambda one: abs(one.seeds.mean))
        here = f"at most {abs(far.seeds.mean):.4f} ({far.name})"
        verdict, why = _judge_nothing(found, far, control, limit)
    return Claim(
        statement=statement,
        where="IV-D, Fig. 7",
        paper=f"small, below {paper.NON_SIGNIFICANT_BELOW}",
        here=here,
        verdict=verdict,
        why=why,
    )


def of_data(found: Sequence[Comparison], line: LogFit | None) -> Claim:
    """That dB is worth about twice the data."""
    mean = comparison.average("mean of pairs", found)
    verdict, here, why = UNDECIDED, ABSENT, "points of several sizes are needed."
    if mean is not None and line is not None:
        error = _standard_error(mean)
        factor, (low, high) = log_fit.data_factor(mean.seeds.mean, error, line)
        here = f"{_times(factor)} the data (95 %: {_times(low)} to {_times(high)})"
        why = (
            f"dB minus linear {mean.seeds.mean:+.4f}, a doubling of the clips gains "
            f"{line.slope:.4f}; the interval has the spread over seeds and test clips "
            "and the line's."
        )
        if not (np.isfinite(error) and np.isfinite(line.slope_error)):
            here, why = f"{_times(factor)} the data", why + " One of them is unknown."
        elif not low <= paper.DATA_WORTH_OF_DB <= high:
            verdict = FAILS
        elif high <= WIDEST_FACTOR * low:
            verdict = HOLDS
        else:
            why += f" It is wider than a factor of {WIDEST_FACTOR:g}."
    return Claim(
        statement="Seemingly twice the data make up for linear magnitudes.",
        where="IV-C, Fig. 7",
        paper=f"{paper.DATA_WORTH_OF_DB:g} times the data",
        here=here,
        verdict=verdict,
        why=why,
    )


def _always_above(found: Sequence[Comparison], mean: Comparison) -> str:
    """All above zero, and their mean beyond both spreads."""
    if all(one.seeds.mean > 0 for one in found) and mean.beyond_both:
        return HOLDS
    below = [one for one in comparison.significant(found) if one.seeds.mean < 0]
    return FAILS if below or (mean.beyond_both and mean.seeds.mean < 0) else UNDECIDED


def _judge_nothing(
    found: Sequence[Comparison],
    far: Comparison,
    control: Sequence[Comparison],
    limit: float,
) -> tuple[str, str]:
    """Verdict and reason of `of_nothing`."""
    why = f"the largest of {len(found)}: {comparison.sentence(far)}"
    if not np.isfinite(limit):
        return UNDECIDED, f"{why}; one seed tells no threshold."
    large = [one for one in found if abs(one.seeds.mean) >= limit]
    why += f"; {len(large)} reach {limit:.4f}, which two seeds differ by in 5 %"
    beyond = comparison.significant(found)
    why += f"; {len(beyond)} are beyond both spreads, corrected for their number"
    if set(map(id, large)) & set(map(id, beyond)):
        return FAILS, f"{why}: {', '.join(one.name for one in beyond)}."
    if large or beyond:
        return UNDECIDED, f"{why}; none is both."
    seen = comparison.average("control", control)
    if seen is None or not seen.beyond_both:
        return UNDECIDED, (
            f"{why}; but these runs do not tell dB from linear beyond both spreads, so "
            "they could not have seen a difference."
        )
    return HOLDS, f"{why}; the same runs do tell dB from linear beyond both spreads."


def _standard_error(one: Comparison) -> float:
    """Of the mean difference, over seeds and over test clips together."""
    if one.resampled is None:
        return float("nan")
    over_seeds = one.seeds.std / np.sqrt(len(one.seeds.values))
    return float(np.hypot(over_seeds, np.std(one.resampled, ddof=1)))


def _size(one: Comparison) -> str:
    half = one.seeds.half_width
    spread = f" ± {number(half)}" if np.isfinite(half) else ""
    return comparison.signed(one.seeds.mean) + spread


def _times(factor: float) -> str:
    """Prints a factor; without an end where no amount of data helps.

    >>> _times(2.04), _times(float("inf")), _times(12345.0)
    ('2.04 times', 'no amount of', 'over 1000 times')
    """
    if not np.isfinite(factor):
        return "no amount of"
    return f"{factor:.3g} times" if factor < 1000 else "over 1000 times"
