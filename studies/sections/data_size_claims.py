"""What section IV-B says of Fig. 5, and whether it holds here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from msd_tagger.common import paper
from msd_tagger.pages.tables import ABSENT, number, percent
from studies import comparison, log_fit
from studies.comparison import Comparison
from studies.log_fit import LogFit
from studies.records import RunRecord
from studies.run_sets import KINDS
from studies.study import FAILS, HOLDS, UNDECIDED, Claim

# A line is called one if it explains this share of the variance between sizes.
LINE_R_SQUARED = 0.9


def of_kinds(differences: Mapping[float, Comparison]) -> list[Claim]:
    """That mel and STFT differ little, and that neither is better."""
    found = list(differences.values())
    return [_small(found), _no_winner(found)]


def of_line(lines: Mapping[str, LogFit]) -> Claim:
    """That AUC rises with the logarithm of the data."""
    known = [one for one in lines.values() if np.isfinite(one.slope_error)]
    verdict, why = UNDECIDED, "a line needs at least three sizes."
    if known:
        rises = [one.slope_interval[0] > 0 for one in known]
        straight = [one.r_squared >= LINE_R_SQUARED for one in known]
        verdict = UNDECIDED
        if all(rises) and all(straight):
            verdict = HOLDS
        elif any(
            one.slope_interval[1] <= 0
            or (one.r_squared < LINE_R_SQUARED and one.is_curved)
            for one in known
        ):
            verdict = FAILS
        why = (
            f"{sum(rises)} of {len(known)} slopes are above zero beyond their "
            f"interval, {sum(straight)} of {len(known)} lines explain at least "
            f"{percent(LINE_R_SQUARED)} of the variance between sizes; "
            f"{sum(one.is_curved for one in known)} are curved beyond the interval of "
            "the curvature."
        )
    here = "; ".join(
        f"{KINDS[kind]}: {line.slope:.4f} per doubling (95 % "
        f"{comparison.interval(line.slope_interval)}), R² {number(line.r_squared, 3)}"
        for kind, line in lines.items()
    )
    return Claim(
        statement="Exponentially more data gain linearly more AUC.",
        where="IV-B, Fig. 5",
        paper="as a sentence, no number",
        here=here or ABSENT,
        verdict=verdict,
        why=why,
    )


def of_saturation(
    curves: Mapping[str, Mapping[float, RunRecord]], gains: Sequence[Comparison]
) -> Claim:
    """That the last step gains less than the line through the smaller sizes says.

    It holds where the shortfall is beyond the uncertainty of the gain (seeds and test
    clips) and of the line together, and fails where it is less than half of what the
    line says even with that uncertainty.
    """
    gain, line = comparison.average("last step", gains), _expected(curves)
    verdict, why = UNDECIDED, "four sizes are needed."
    if gain and line:
        expected, error = line
        low, high = gain.clips
        shortfall = expected - gain.seeds.mean
        error = float(
            np.hypot(np.hypot(gain.seeds.half_width, (high - low) / 2), error)
        )
        if shortfall > error:
            verdict = HOLDS
        elif shortfall + error < expected / 2:
            verdict = FAILS
        why = (
            f"the line through the smaller sizes predicts {expected:+.4f} for that "
            f"step; the measured gain is {comparison.sentence(gain)}; it falls short "
            f"by {comparison.signed(shortfall)} ± {number(error)}, spreads together."
        )
    here = [f"{one.name}: {comparison.signed(one.seeds.mean)}" for one in gains]
    return Claim(
        statement="AUC starts to converge at 64 % and 100 % of the data.",
        where="IV-B, Fig. 5",
        paper="64 % to 100 %, as a sentence",
        here="; ".join(here) or ABSENT,
        verdict=verdict,
        why=why,
    )


def of_cost(times: Mapping[float, tuple[float, float]]) -> Claim:
    """That mel is cheaper."""
    ratios = [stft / mel for mel, stft in times.values()]
    verdict, why = UNDECIDED, "no size has the times of both."
    if ratios:
        low, high = min(ratios), max(ratios)
        verdict = HOLDS if low > 1 else FAILS if high <= 1 else UNDECIDED
        why = (
            f"the ratio lies between {low:.2f} and {high:.2f} over {len(ratios)} sizes."
        )
    return Claim(
        statement="Mel leads to reduced computation in training.",
        where="IV-B",
        paper="its smaller size, no number",
        here=f"STFT takes {np.median(ratios):.2f} times as long per clip"
        if ratios
        else ABSENT,
        verdict=verdict,
        why=why,
    )


def _small(found: Sequence[Comparison]) -> Claim:
    far = max(found, key=lambda one: abs(one.seeds.mean), default=None)
    if far is None:
        verdict, here, why = UNDECIDED, ABSENT, "no size has both."
    else:
        here = f"at most {abs(far.seeds.mean):.4f} ({far.name})"
        why = f"the largest: {comparison.sentence(far)}."
        beyond = [
            one
            for one in comparison.significant(found)
            if abs(one.seeds.mean) > paper.MAX_MEL_STFT_DIFFERENCE
        ]
        verdict = FAILS if beyond else UNDECIDED
        if all(one.is_within(paper.MAX_MEL_STFT_DIFFERENCE) for one in found):
            verdict = HOLDS
        names = ", ".join(one.name for one in beyond) or "none"
        why += f" Above the paper's and beyond both spreads: {names}."
    return Claim(
        statement="Mel and STFT differ by at most 0.007 at any size.",
        where="IV-B, Fig. 5",
        paper=f"at most {paper.MAX_MEL_STFT_DIFFERENCE}",
        here=here,
        verdict=verdict,
        why=why,
    )


def _no_winner(found: Sequence[Comparison]) -> Claim:
    mean = comparison.average("mean of sizes", found)
    ahead = sum(one.seeds.mean > 0 for one in found)
    verdict, why = UNDECIDED, "no size has both."
    if mean is not None:
        limit = paper.MAX_MEL_STFT_DIFFERENCE
        if mean.beyond_both:
            verdict = FAILS
        elif mean.is_within(limit):
            verdict = HOLDS
        why = (
            f"mel minus STFT, mean of sizes: {comparison.sentence(mean)}; it holds "
            f"where both intervals lie within ± {limit}."
        )
    return Claim(
        statement="Neither mel nor STFT outperforms the other.",
        where="IV-B, Fig. 5",
        paper="neither",
        here=f"mel is ahead at {ahead} of {len(found)} sizes" if found else ABSENT,
        verdict=verdict,
        why=why,
    )


def _expected(
    curves: Mapping[str, Mapping[float, RunRecord]],
) -> tuple[float, float] | None:
    """The last step's gain by the lines through all sizes but the largest.

    Returns:
        The mean over mel and STFT, and half its 95 % interval by the lines' residuals.
    """
    found = []
    for points in curves.values():
        shares = list(points)
        means = [comparison.auc(points[share]).mean() for share in shares]
        line = log_fit.fit(shares[:-1], means[:-1])
        if line is not None and len(shares) > 3:
            half_width = line.slope_interval[1] - line.slope
            step = np.log2(shares[-1] / shares[-2])
            found.append((line.slope * step, half_width * step))
    if not found:
        return None
    expected, half_widths = np.array(found).T
    return float(expected.mean()), float(np.hypot.reduce(half_widths) / len(found))
