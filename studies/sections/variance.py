"""Section IV-A, Fig. 4: how far runs lie apart that differ in nothing but luck."""

import functools
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from msd_tagger.common import paper
from msd_tagger.pages.page import Illustration
from msd_tagger.pages.style import ink
from msd_tagger.pages.tables import ABSENT, Table, number
from studies import comparison, judges, statistics
from studies.figures import LABEL_COLOURS, WEAK, Look
from studies.records import RunRecord, SweepRecord
from studies.statistics import Spread
from studies.study import Claim, Study
from studies.texts import captioned, claim, figure, rows, say, span

PREFIX = "variance"
ABOUT = 2  # "About 0.005" is within this factor, which is ours.
TITLE = "Variance over initialisations (Fig. 4)"

# Of the scores against weak or true labels.
Spreads = dict[str, Spread]


def study(record: SweepRecord) -> Study:
    """Redraws Fig. 4 from the point of many seeds, which is named `variance…`."""
    points = record.select(PREFIX)
    if not points:
        return Study(PREFIX, TITLE, ["The point of many seeds is not complete."])
    name, point = next(iter(points.items()))
    one = {name: point}
    aucs = {k: comparison.auc(point, k) for k in comparison.known_labels(one)}
    spreads = {
        k: statistics.describe(v) for k, v in aucs.items() if np.isfinite(v).all()
    }
    if "weak" not in spreads:
        return Study(PREFIX, TITLE, ["No tag of the test split can be scored."])
    placed = comparison.place(one, "weak")
    error = placed.error({name: 1.0})
    paragraphs = _paragraphs(point, spreads["weak"], error)
    drawn = [_illustration(*item) for item in spreads.items()]
    informed = bool(comparison.informed(one, "weak", placed))
    judged = claims(spreads, informed, comparison.gaps(record, name))
    return Study(PREFIX, TITLE, paragraphs, drawn, [_table(spreads)], judged)


def claims(
    spreads: Spreads, is_informed: bool = True, gaps: Sequence[str] = ()
) -> list[Claim]:
    """Judges if scores repeat as precisely as the paper's, and 0.005 is more than luck.

    Spreads are by kinds of labels, of which `weak` is judged; gaps are seeds that
    failed.
    """
    weak, limit = spreads["weak"], paper.NON_SIGNIFICANT_BELOW
    seeds = len(weak.values)
    ends = statistics.std_interval(weak.std, seeds - 1)
    # How far 95 % of two single runs lie apart whose deviation is known: 2.77 s.
    low, high = (statistics.normal_half_width(np.sqrt(2) * end, 1) for end in ends)
    bounds = low, high
    why = say("variance.bound", limit=limit, ends=span(bounds, 4), factor=ABOUT)
    freedoms = (seeds - 1, paper.VARIANCE_RUNS - 1)
    ratio = statistics.ratio_interval(weak.std, paper.VARIANCE_STD, freedoms)
    if reason := _unknown_because(weak, is_informed):
        of_std = of_pairs = judges.unknown(reason)
    else:
        said = say("variance.ratio", low=ratio[0], high=ratio[1])
        of_std = judges.below(ratio, 1, said)
        of_pairs = judges.between(bounds, limit / ABOUT, limit * ABOUT, why)
    verdict, why = judges.whole(of_std, gaps)
    scatter, smallest = (
        "; ".join(say(key, labels=k, **_printed(one)) for k, one in spreads.items())
        for key in ("variance.scatter", "variance.smallest")
    )
    why = f"s = {number(weak.std, 5)} (95 %: {span(ends, 5)}); {why}"
    return [
        claim("scatter", scatter, verdict, why),
        claim("not-significant", smallest, *judges.whole(of_pairs, gaps)),
    ]


def _unknown_because(weak: Spread, is_informed: bool) -> str:
    if len(weak.values) == 1:
        return "one run has no spread."
    if not weak.std:
        return "equal scores do not show a spread."
    return "" if is_informed else "the scores cannot be told from chance."


def runs_and_spread(frame: pd.DataFrame, colour: str = WEAK) -> Figure:
    """Draws every run and the mean on the left, error bars on the right (Fig. 4).

    Two columns wide. `frame` has `run` and `roc_auc_macro`, one row a run; the colour
    is that of the runs.
    """
    spread = statistics.describe(frame["roc_auc_macro"])
    drawn = Figure(figsize=(7, 2.7))
    left, right = drawn.subplots(1, 2, sharey=True, width_ratios=(3.2, 1))
    _draw_runs(left, frame, spread, colour)
    bars = {
        "CI": spread.normal_half_width,
        "CI (t)": spread.t_half_width,
        "MAE": spread.mean_absolute_deviation,
        "Std": spread.std,
    }
    known = {name: half for name, half in bars.items() if np.isfinite(half)}
    at, means = range(len(known)), [spread.mean] * len(known)
    look: Look = {"fmt": "o", "ms": 4, "capsize": 4, "color": ink(right)}
    right.errorbar(at, means, yerr=list(known.values()), **look)
    right.set_xticks(at, list(known), fontsize=8)
    right.set_xlim(-0.6, max(len(known), 1) - 0.4)
    right.tick_params(axis="y", length=0)
    ends = [*spread.values, spread.mean - spread.std, spread.mean + spread.std]
    low, high = np.nanmin(ends), np.nanmax(ends)
    room = 0.25 * max(high - low, 1e-3)  # For the names of the farthest.
    left.set_ylim(low - room, high + room)
    right.grid(visible=False, axis="x")
    return drawn


def _draw_runs(axes: Axes, frame: pd.DataFrame, spread: Spread, colour: str) -> None:
    """Points from the mean's line to each run; the two farthest are named."""
    runs = frame["run"]
    axes.axhline(spread.mean, ls="--", lw=1, color=ink(axes))
    axes.vlines(runs, spread.mean, spread.values, color=colour, lw=1, alpha=0.6)
    axes.plot(runs, spread.values, "o", ms=5, color=colour)
    far = statistics.largest_deviations(spread.values) if len(runs) > 1 else []
    near: Look = {"textcoords": "offset points", "fontsize": 8}
    # The names of the first and the last run would lie over an axis.
    sides = {0: "left", len(runs) - 1: "right"}
    for index, distance in far:
        name, place = f"Δ {abs(distance):.4f}", (runs[index], spread.values[index])
        above, below = ((0, 7), "bottom"), ((0, -7), "top")
        offset, va = above if distance > 0 else below
        axes.annotate(name, place, offset, va=va, ha=sides.get(index, "center"), **near)
    axes.set(xlabel="run", ylabel="macro ROC-AUC", xlim=(0.2, len(runs) + 0.8))
    axes.set_title(f"mean of {len(runs)}, dashed: {spread.mean:.4f}")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=15, integer=True))
    axes.grid(visible=False, axis="x")


def _paragraphs(point: RunRecord, weak: Spread, error: float) -> list[str]:
    """Says what was trained; the error is that of the mean score over test clips."""
    seeds, clips = len(weak.values), point.summary["scores"]["test"]["num_clips"]
    found = [say("variance.trained", seeds=seeds, clips=clips)]
    if seeds == 1:
        return [*found, "One run has no spread: train more seeds for Fig. 4."]
    found.append(say("variance.counts", one=weak))
    if np.isfinite(error):
        half = statistics.normal_half_width(error, 1)
        ends = f"{weak.mean - half:.4f} to {weak.mean + half:.4f}"
        times = number(error / weak.std if weak.std else None, 1)
        found.append(say("variance.clips", error=error, ends=ends, times=times))
    return found


def _illustration(labels: str, spread: Spread) -> Illustration:
    runs = len(spread.values)
    frame = pd.DataFrame({"run": range(1, runs + 1), "roc_auc_macro": spread.values})
    frame["from_mean"] = spread.values - spread.mean
    plot = functools.partial(runs_and_spread, colour=LABEL_COLOURS[labels])
    shown = {"runs": runs, "mean": spread.mean, "std": number(spread.std, 5)}
    return figure("fig4_variance", plot, frame, labels=labels, **shown)


def _table(spreads: Spreads) -> Table:
    columns: dict[str, tuple[str, ...]] = {}
    for labels, one in spreads.items():
        cells = zip(*rows("variance.table", **_printed(one)), strict=True)
        columns[""], columns["paper"], columns[f"here, {labels} labels"] = cells
    return captioned("fig4", columns)


def _printed(spread: Spread) -> dict[str, str]:
    """Prints all that is said of a spread, by the names of its attributes."""
    five = ("std", "mean_absolute_deviation", "normal_half_width", "t_half_width")
    digits = dict.fromkeys(("mean", "by_extremes", "by_bound"), 4)
    digits |= dict.fromkeys(five, 5)
    found = {name: number(getattr(spread, name), d) for name, d in digits.items()}
    runs = len(spread.values)
    found |= {"runs": f"{runs}", "ends": "", "largest": ABSENT, "second": ABSENT}
    if runs > 1:
        ends = statistics.std_interval(spread.std, runs - 1)
        found["ends"] = f" (95 %: {span(ends, 5)})"
        far = statistics.largest_deviations(spread.values)
        found["largest"], found["second"] = (f"{abs(one):.4f}" for _, one in far)
    return found
