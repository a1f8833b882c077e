"""Section IV-A, Fig. 4: how far trainings lie apart that differ in nothing but luck."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from msd_tagger.common import paper
from msd_tagger.pages.page import Illustration
from msd_tagger.pages.style import ink
from msd_tagger.pages.tables import ABSENT, Table, number, percent
from studies import comparison, judges, resampling, statistics
from studies.records import RunRecord, SweepRecord
from studies.statistics import Spread
from studies.study import Claim, Study

PREFIX = "variance"
TITLE = "Variance over initialisations (Fig. 4)"

# Below this many runs the share of their pairs says nothing about 95 %.
MIN_RUNS = 8

# Of the scores against weak or true labels.
Spreads = dict[str, Spread]


def study(record: SweepRecord) -> Study:
    """Redraws Fig. 4 from the point of many seeds, whose name starts with `variance`.

    Without that point a sentence says so.
    """
    points = record.select(PREFIX)
    if not points:
        return Study(PREFIX, TITLE, ["The point of many seeds is not complete."])
    name, point = next(iter(points.items()))
    known = comparison.known_labels({name: point})
    spreads = {one: statistics.describe(comparison.auc(point, one)) for one in known}
    spreads = {k: one for k, one in spreads.items() if np.isfinite(one.mean)}
    if "weak" not in spreads:
        return Study(PREFIX, TITLE, ["No tag of the test split can be scored."])
    return Study(
        name=PREFIX,
        title=TITLE,
        paragraphs=_paragraphs(record, name, point, spreads["weak"]),
        illustrations=[_illustration(*one) for one in spreads.items()],
        tables=[_table(spreads)],
        claims=claims(spreads),
    )


def claims(spreads: Spreads) -> list[Claim]:
    """Whether scores repeat as precisely as the paper's, and 0.005 is more than luck.

    Args:
        spreads: From kinds of labels to the spread over seeds; `weak` is judged.
    """
    weak, limit = spreads["weak"], paper.NON_SIGNIFICANT_BELOW
    seeds = len(weak.values)
    ends = statistics.std_interval(weak.std, seeds - 1)
    pairs = f"{seeds * (seeds - 1) // 2} pairs of runs"
    share = statistics.share_of_pairs_within(weak.values, limit)
    if seeds > 1:
        pairs += f", of which {percent(share)} differ by less than {limit}"
    if seeds < MIN_RUNS:
        of_std = judges.unknown(f"{MIN_RUNS} runs are needed, here are {seeds}")
        of_pairs = judges.unknown(f"{pairs}; {MIN_RUNS} runs are needed.")
    else:
        of_std = judges.below(ends, paper.VARIANCE_STD, _where(ends))
        of_pairs = judges.fact(share >= statistics.LEVEL, f"{pairs}.")
    verdict, why = of_std
    low, high = (number(end, 5) for end in ends)
    return [
        Claim(
            "Equal trainings score alike: they scatter no more than by a standard "
            "deviation of 0.00136.",
            "IV-A, Fig. 4",
            f"s = {paper.VARIANCE_STD}, MAE = {paper.VARIANCE_MAE}, CI = ± "
            f"{paper.VARIANCE_CI95}",
            "; ".join(
                f"{labels} labels: s = {number(one.std, 5)}, MAE = "
                f"{number(one.mean_absolute_deviation, 5)}, CI = ± "
                f"{number(one.normal_half_width, 5)} (t: ± "
                f"{number(one.t_half_width, 5)})"
                for labels, one in spreads.items()
            ),
            verdict,
            f"s = {number(weak.std, 5)} (95 %: {low} to {high}): {why}.",
        ),
        Claim(
            "Differences of less than 0.005 between two runs are not significant, "
            "larger ones are.",
            "IV-A",
            "0.0028 + 0.0026, about 0.005",
            "; ".join(
                f"{labels} labels: {number(one.by_extremes)} by the two largest "
                f"distances, {number(one.by_bound)} by t·√2·s"
                for labels, one in spreads.items()
            ),
            *of_pairs,
        ),
    ]


def runs_and_spread(frame: pd.DataFrame, colour: str = "C0") -> Figure:
    """Every run and the mean on the left, error bars on the right (Fig. 4).

    Args:
        frame: `run`, `roc_auc_macro` and `from_mean`, one row a run.
        colour: Of the runs.

    Returns:
        The figure, two columns wide.
    """
    spread = statistics.describe(frame["roc_auc_macro"])
    figure = Figure(figsize=(7, 2.7))
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3.2, 1))
    _draw_runs(left, frame, spread, colour)
    bars = {
        "CI": spread.normal_half_width,
        "CI (t)": spread.t_half_width,
        "MAE": spread.mean_absolute_deviation,
        "Std": spread.std,
    }
    known = {name: half for name, half in bars.items() if np.isfinite(half)}
    right.errorbar(
        range(len(known)),
        [spread.mean] * len(known),
        yerr=list(known.values()),
        fmt="o",
        ms=4,
        capsize=4,
        color=ink(right),
    )
    right.set_xticks(range(len(known)), list(known), fontsize=8)
    right.set_xlim(-0.6, max(len(known), 1) - 0.4)
    right.tick_params(axis="y", length=0)
    ends = [*spread.values, spread.mean - spread.std, spread.mean + spread.std]
    low, high = np.nanmin(ends), np.nanmax(ends)
    room = 0.15 * max(high - low, 1e-3)
    left.set_ylim(low - room, high + room)
    right.grid(visible=False, axis="x")
    return figure


def _draw_runs(axes: Axes, frame: pd.DataFrame, spread: Spread, colour: str) -> None:
    """Points from the mean's line to each run; the two farthest are named."""
    runs = frame["run"]
    axes.axhline(spread.mean, ls="--", lw=1, color=ink(axes))
    axes.vlines(runs, spread.mean, spread.values, color=colour, lw=1, alpha=0.6)
    axes.plot(runs, spread.values, "o", ms=5, color=colour)
    far = statistics.largest_deviations(spread.values) if len(runs) > 1 else []
    for index, distance in far:
        axes.annotate(
            f"Δ {abs(distance):.4f}",
            (runs[index], spread.values[index]),
            xytext=(0, 7 if distance > 0 else -7),
            textcoords="offset points",
            ha="center",
            va="bottom" if distance > 0 else "top",
            fontsize=8,
        )
    axes.set(xlabel="run", ylabel="macro ROC-AUC", xlim=(0.2, len(runs) + 0.8))
    axes.set_title(f"mean of {len(runs)}, dashed: {spread.mean:.4f}")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=15, integer=True))
    axes.grid(visible=False, axis="x")


def _paragraphs(
    record: SweepRecord, name: str, point: RunRecord, weak: Spread
) -> list[str]:
    """What was trained, and how the spread over seeds compares to that over clips."""
    seeds, clips = len(weak.values), point.summary["scores"]["test"]["num_clips"]
    found = [
        f"{seeds} trainings of the same network on the same batches in the same order, "
        f"which differ in their initialisation alone, scored on {clips} test clips."
    ]
    if seeds == 1:
        return [*found, "One run has no spread: train more seeds for Fig. 4."]
    found.append(
        "The smallest difference that counts: the paper adds the two largest distances "
        f"from the mean, which gives {weak.by_extremes:.4f} here; that sum grows with "
        "the number of runs. Two runs that differ in the initialisation alone lie "
        f"farther apart than t·√2·s = {weak.by_bound:.4f} in 5 % of all cases, "
        "whatever the number of runs. Differences of single runs below these are not "
        "significant."
    )
    resamples = comparison.num_resamples(record)
    resampled = comparison.resampled_auc({name: point}, "weak", resamples)
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


def _illustration(labels: str, spread: Spread) -> Illustration:
    """Fig. 4 against one kind of labels."""
    seeds = len(spread.values)
    columns = {
        "run": range(1, seeds + 1),
        "roc_auc_macro": spread.values,
        "from_mean": spread.values - spread.mean,
    }
    colour = "C0" if labels == "weak" else "C1"
    return Illustration(
        name="fig4_variance" + ("" if labels == "weak" else f"_{labels}"),
        plot=functools.partial(runs_and_spread, colour=colour),
        alt=f"{seeds} runs, mean macro ROC-AUC {spread.mean:.4f}, standard deviation "
        f"{number(spread.std, 5)}, against the {labels} labels.",
        caption=f"Fig. 4 against the {labels} labels. Left: every run, their mean "
        "dashed, the two farthest from it named. Right: the 95 % interval of the mean "
        "(normal, as in the paper, and by Student's t), mean absolute deviation, "
        "standard deviation. The vertical axis does not start at chance (0.5).",
        frame=pd.DataFrame(columns),
        formats={"roc_auc_macro": ".6f", "from_mean": "+.6f"},
    )


def _table(spreads: Spreads) -> Table:
    """The numbers of Fig. 4, ours beside the paper's."""
    first, second = paper.LARGEST_DIFFERENCES
    printed = {
        "runs": str(paper.VARIANCE_RUNS),
        "mean": ABSENT,
        "95 % interval, normal: ± 1.96 s / √S": f"{paper.VARIANCE_CI95:.5f}",
        "95 % interval, Student's t": ABSENT,
        "mean absolute deviation (the paper's MAE)": f"{paper.VARIANCE_MAE:.5f}",
        "standard deviation s (divided by S − 1)": f"{paper.VARIANCE_STD:.5f}",
        "largest distance from the mean": f"{first:.4f}",
        "second largest": f"{second:.4f}",
        "smallest difference that counts, sum of both": "~0.005",
        "smallest difference that counts, t·√2·s": ABSENT,
    }
    columns = {"": list(printed), "paper": list(printed.values())}
    columns |= {f"here, {k} labels": _numbers(one) for k, one in spreads.items()}
    caption = "Numbers of Fig. 4: macro ROC-AUC on the test split."
    return Table(pd.DataFrame(columns), caption)


def _numbers(spread: Spread) -> list[str]:
    """One column of the table."""
    runs = len(spread.values)
    far = [f"{abs(x):.4f}" for _, x in statistics.largest_deviations(spread.values)]
    low, high = statistics.std_interval(spread.std, runs - 1)
    around = f" (95 %: {low:.5f} to {high:.5f})" if runs > 1 else ""
    return [
        str(runs),
        number(spread.mean),
        number(spread.normal_half_width, 5),
        number(spread.t_half_width, 5),
        number(spread.mean_absolute_deviation, 5),
        number(spread.std, 5) + around,
        *(far if runs > 1 else (ABSENT, ABSENT)),
        number(spread.by_extremes),
        number(spread.by_bound),
    ]


def _where(ends: tuple[float, float]) -> str:
    """Says on which side of the paper's deviation an interval lies."""
    if ends[0] > paper.VARIANCE_STD:
        return "the whole interval lies above the paper's deviation"
    if ends[1] <= paper.VARIANCE_STD:
        return "the whole interval lies below the paper's deviation"
    return "the interval contains the paper's deviation"
