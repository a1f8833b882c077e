"""Section IV-A, Fig. 4: how far trainings lie apart that differ in nothing but luck."""

from __future__ import annotations

import functools

import numpy as np

from msd_tagger.common import paper
from msd_tagger.pages.page import Illustration
from msd_tagger.pages.tables import ABSENT, Table, number, percent
from studies import comparison, resampling, statistics
from studies.records import RunRecord, SweepRecord
from studies.statistics import Spread
from studies.study import FAILS, HOLDS, UNDECIDED, Claim, Study
from studies.study_figures.variance import runs_and_spread

PREFIX = "variance"
TITLE = "Variance over initialisations (Fig. 4)"

# Below this many runs the share of their pairs says nothing about 95 %.
MIN_RUNS = 8


def study(record: SweepRecord) -> Study:
    """Reads the point of many seeds and redraws Fig. 4 for it.

    Args:
        record: a study with a point whose name starts with `variance`.

    Returns:
        The section; without that point, a sentence that says so.
    """
    points = record.select(PREFIX)
    if not points:
        return Study(PREFIX, TITLE, ["The point of many seeds is not complete."])
    name, point = next(iter(points.items()))
    kinds = comparison.known_labels({name: point})
    spreads = {kind: statistics.describe(comparison.auc(point, kind)) for kind in kinds}
    spreads = {k: one for k, one in spreads.items() if np.isfinite(one.mean)}
    if "weak" not in spreads:
        return Study(PREFIX, TITLE, ["No tag of the test split can be scored."])
    return Study(
        name=PREFIX,
        title=TITLE,
        paragraphs=_paragraphs(record, name, point, spreads),
        illustrations=[_illustration(kind, one) for kind, one in spreads.items()],
        tables=[_table(spreads)],
        claims=[_std_claim(spreads), _threshold_claim(spreads)],
    )


def _paragraphs(
    record: SweepRecord, name: str, point: RunRecord, spreads: dict[str, Spread]
) -> list[str]:
    """What was trained, and how the spread over seeds compares to that over clips."""
    weak = spreads["weak"]
    seeds, clips = len(weak.values), point.summary["scores"]["test"]["num_clips"]
    found = [
        f"{seeds} trainings of the same network on the same batches in the same order, "
        f"which differ in their initialisation alone, scored on {clips} test clips."
    ]
    if seeds == 1:
        return [*found, "One run has no spread: train more seeds for Fig. 4."]
    extremes = statistics.difference_by_extremes(weak.values)
    bound = statistics.difference_by_bound(weak.std, seeds - 1)
    found.append(
        "The smallest difference that counts: the paper adds the two largest distances "
        f"from the mean, which gives {extremes:.4f} here; that sum grows with the "
        "number of runs. Two runs that differ in the initialisation alone lie farther "
        f"apart than t·√2·s = {bound:.4f} in 5 % of all cases, whatever the number of "
        "runs. Differences of single runs below these are not significant."
    )
    resampled = comparison.resampled_auc(
        {name: point}, "weak", comparison.num_resamples(record)
    )
    if resampled:
        found.append(_against_clips(weak, resampled[name]))
    return found


def _against_clips(weak: Spread, resampled: np.ndarray) -> str:
    """How far other test clips would move the mean, beside other seeds."""
    low, high = resampling.interval(resampled)
    std = float(np.std(resampled, ddof=1))
    times = std / weak.std if weak.std else float("nan")
    return (
        "Other test clips would move the mean as well: over "
        f"{len(resampled)} resamples of them it has a standard deviation of {std:.4f} "
        f"(95 %: {low:.4f} to {high:.4f}), {number(times, 1)} times that of a run over "
        "seeds. Most of it is common to all runs and cancels where two are compared on "
        "the same clips."
    )


def _illustration(kind: str, spread: Spread) -> Illustration:
    """Fig. 4 against one kind of labels."""
    name = "fig4_variance" + ("" if kind == "weak" else f"_{kind}")
    rows = [
        [str(run + 1), f"{value:.6f}", f"{value - spread.mean:+.6f}"]
        for run, value in enumerate(spread.values)
    ]
    seeds = len(rows)
    return Illustration(
        name=name,
        plot=functools.partial(runs_and_spread, spread, {"weak": "C0"}.get(kind, "C1")),
        alt=f"{seeds} runs, mean macro ROC-AUC {spread.mean:.4f}, standard deviation "
        f"{number(spread.std, 5)}, against the {kind} labels.",
        caption=f"Fig. 4 against the {kind} labels. Left: every run, their mean "
        "dashed, the two farthest from it named. Right: the 95 % interval of the mean "
        "(normal, as in the paper, and by Student's t), mean absolute deviation, "
        "standard deviation. The vertical axis does not start at chance (0.5).",
        numbers=Table.of_rows(
            f"{kind} labels", ("run", "roc_auc_macro", "from_mean"), rows
        ),
    )


def _table(spreads: dict[str, Spread]) -> Table:
    """The numbers of Fig. 4, ours beside the paper's."""
    columns = [_numbers(one) for one in spreads.values()]
    first, second = paper.LARGEST_DIFFERENCES
    printed = {
        "runs": str(paper.VARIANCE_RUNS),
        "95 % interval, normal: ± 1.96 s / √S": f"{paper.VARIANCE_CI95:.5f}",
        "mean absolute deviation (the paper's MAE)": f"{paper.VARIANCE_MAE:.5f}",
        "standard deviation s (divided by S − 1)": f"{paper.VARIANCE_STD:.5f}",
        "largest distance from the mean": f"{first:.4f}",
        "second largest": f"{second:.4f}",
        "smallest difference that counts, sum of both": "~0.005",
    }
    rows = [
        [label, printed.get(label, ABSENT), *(column[label] for column in columns)]
        for label in columns[0]
    ]
    header = ("", "paper", *(f"here, {kind} labels" for kind in spreads))
    return Table.of_rows(
        "Numbers of Fig. 4: macro ROC-AUC on the test split.", header, rows
    )


def _numbers(spread: Spread) -> dict[str, str]:
    """One column of the table."""
    far = [f"{abs(x):.4f}" for _, x in statistics.largest_deviations(spread.values)]
    freedom = len(spread.values) - 1
    low, high = statistics.std_interval(spread.std, freedom)
    std = number(spread.std, 5)
    return {
        "runs": str(len(spread.values)),
        "mean": number(spread.mean),
        "95 % interval, normal: ± 1.96 s / √S": number(spread.normal_half_width, 5),
        "95 % interval, Student's t": number(spread.t_half_width, 5),
        "mean absolute deviation (the paper's MAE)": number(
            spread.mean_absolute_deviation, 5
        ),
        "standard deviation s (divided by S − 1)": std
        + (f" (95 %: {low:.5f} to {high:.5f})" if freedom else ""),
        "largest distance from the mean": far[0] if freedom else ABSENT,
        "second largest": far[1] if freedom else ABSENT,
        "smallest difference that counts, sum of both": number(
            statistics.difference_by_extremes(spread.values)
        ),
        "smallest difference that counts, t·√2·s": number(
            statistics.difference_by_bound(spread.std, freedom)
        ),
    }


def _std_claim(spreads: dict[str, Spread]) -> Claim:
    """Whether scores repeat as precisely as the paper's."""
    weak = spreads["weak"]
    seeds, theirs = len(weak.values), paper.VARIANCE_STD
    low, high = statistics.std_interval(weak.std, seeds - 1)
    if seeds < MIN_RUNS:
        verdict, why = UNDECIDED, f"{MIN_RUNS} runs are needed, here are {seeds}"
    elif low > theirs:
        verdict, why = FAILS, "the whole interval lies above the paper's deviation"
    elif high <= theirs:
        verdict, why = HOLDS, "the whole interval lies below the paper's deviation"
    else:
        verdict, why = UNDECIDED, "the interval contains the paper's deviation"
    return Claim(
        statement="Equal trainings score alike: they scatter no more than by a "
        "standard deviation of 0.00136.",
        where="IV-A, Fig. 4",
        paper=f"s = {paper.VARIANCE_STD}, MAE = {paper.VARIANCE_MAE}, CI = ± "
        f"{paper.VARIANCE_CI95}",
        here=_here(spreads),
        verdict=verdict,
        why=f"s = {number(weak.std, 5)} (95 %: {number(low, 5)} to {number(high, 5)}): "
        f"{why}.",
    )


def _here(spreads: dict[str, Spread]) -> str:
    return "; ".join(
        f"{kind} labels: s = {number(one.std, 5)}, MAE = "
        f"{number(one.mean_absolute_deviation, 5)}, CI = ± "
        f"{number(one.normal_half_width, 5)} (t: ± {number(one.t_half_width, 5)})"
        for kind, one in spreads.items()
    )


def _threshold_claim(spreads: dict[str, Spread]) -> Claim:
    """Whether 0.005 is more than initialisations do, by all pairs of runs."""
    limit = paper.NON_SIGNIFICANT_BELOW
    weak = spreads["weak"]
    share = statistics.share_of_pairs_within(weak.values, limit)
    seeds = len(weak.values)
    if seeds < MIN_RUNS:
        verdict = UNDECIDED
    else:
        verdict = HOLDS if share >= statistics.LEVEL else FAILS
    return Claim(
        statement="Differences of less than 0.005 between two runs are not "
        "significant, larger ones are.",
        where="IV-A",
        paper="0.0028 + 0.0026, about 0.005",
        here="; ".join(
            f"{kind} labels: {number(statistics.difference_by_extremes(one.values))} "
            "by the two largest distances, "
            f"{number(statistics.difference_by_bound(one.std, seeds - 1))} by t·√2·s"
            for kind, one in spreads.items()
        ),
        verdict=verdict,
        why=f"{seeds * (seeds - 1) // 2} pairs of runs"
        + (
            f", of which {percent(share)} differ by less than {limit}"
            if seeds > 1
            else ""
        )
        + (f"; {MIN_RUNS} runs are needed." if seeds < MIN_RUNS else "."),
    )
