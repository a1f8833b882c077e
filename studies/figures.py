"""The figures of a run's report, one function each.

Each draws in the colours of the current theme (`msd_tagger/pages/style.py` has the
palette; `matrices.py` draws what lies over pairs of tags) and returns the figure. A
frame of something over time has a row a step and a column a seed, as
`records.per_seed` makes it; K is the number of tags.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator

from msd_tagger.pages import style
from msd_tagger.pages.style import BLUE, GREEN, ORANGE, PINK, ink
from studies.records import RunRecord, per_seed

WEAK, TRUE, OTHER = BLUE, ORANGE, GREEN
LABEL_NAMES = {"weak": "weak labels", "true": "true labels"}
LABEL_COLOURS = {"weak": WEAK, "true": TRUE}

# How something is drawn, as matplotlib names it.
Look = dict[str, Any]

# Up to here every seed gets a colour and a name; beyond, seeds are a bundle.
MAX_NAMED_SEEDS = 6
# More rows than this make a picture that nobody can open.
MAX_DRAWN_TAGS = 200
# More bars than this stand in two columns.
MAX_BARS = 30
# As many runs over each other have looks that can be told apart.
MAX_NAMED_POINTS = 12


def training_loss(loss: pd.DataFrame, valid: pd.DataFrame) -> Figure:
    """Draws the training loss of every seed, and the mean of the validation's."""
    figure, axes = _canvas("Loss", "step", "binary cross-entropy")
    _draw_seeds(axes, loss, what="training, ")
    if len(valid):
        look: Look = {"color": ink(axes), "marker": "." if len(valid) < 3 else ""}
        axes.plot(valid.index, valid.mean(axis=1), "--", label="validation", **look)
    _legend(axes)
    return figure


def validation_curve(
    values: pd.DataFrame, best: Iterable[float], average: str
) -> Figure:
    """Draws a validation score of every seed, a ring around the parameters it keeps.

    `best` is the step whose parameters each seed keeps, NaN for none, and `average` the
    name of the score.
    """
    figure, axes = _canvas(f"Validation {average}, weak labels", "step", average)
    lines = _draw_seeds(axes, values, marker=".")
    for seed, step in enumerate(best):
        if step in values.index:
            ring: Look = {"mfc": "none", "mec": lines[seed].get_color(), "mew": 1.6}
            axes.plot(step, values.loc[step].iloc[seed], "o", ms=10, **ring)
    _legend(axes)
    return figure


def training_speed(clips_per_s: pd.Series) -> Figure:
    """Clips per second over the run, its median dashed; the index is the step."""
    median = clips_per_s.median()
    figure, axes = _canvas(f"Training speed, median {median:.3g}", "step", "clips / s")
    marker = "." if len(clips_per_s) < 3 else ""
    axes.plot(clips_per_s.index, clips_per_s, color=OTHER, marker=marker)
    axes.axhline(median, ls="--", lw=1, color=ink(axes))
    axes.set_ylim(bottom=0)
    return figure


def scores_overview(
    network: Mapping[str, np.ndarray], baseline: Mapping[str, float]
) -> Figure:
    """Draws the seeds and the linear baseline, if any, for each kind of labels."""
    figure, axes = _canvas("", "macro ROC-AUC", "", height=1.0 + 0.5 * len(network))
    diamond: Look = {"mfc": "none", "mec": ink(axes), "ms": 7, "mew": 1.5}
    for row, (labels, values) in enumerate(network.items()):
        look: Look = {"color": LABEL_COLOURS[labels], "alpha": 0.75}
        axes.plot(values, np.full(len(values), row), "o", **look)
        if labels in baseline:
            axes.plot(baseline[labels], row, "D", **diamond)
    name_rows(axes, [LABEL_NAMES[one] for one in network], grid=True)
    axes.margins(x=0.12)
    handles = axes.plot([], [], "o", color=ink(axes), label="network, one per seed")
    if baseline:
        diamond |= {"mew": None, "label": "linear baseline"}
        handles += axes.plot([], [], "D", **diamond)
    figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=8)
    return figure


def auc_per_tag(frame: pd.DataFrame) -> Figure:
    """Draws the ROC-AUC of every tag with its interval, and the clips that carry it.

    `frame` has one row a tag, in the order to draw, top first: `tag`, `clips (weak)`,
    and `ROC-AUC (weak)` and perhaps `ROC-AUC (true)`, arrays of one value per seed; NaN
    where a tag cannot be scored. The ends of intervals are in `95 % (weak)` and `95 %
    (true)`.
    """
    figure, left, right = _two_columns(frame["tag"])
    known = [one for one in LABEL_NAMES if f"ROC-AUC ({one})" in frame]
    for number, labels in enumerate(known):
        rows = np.arange(len(frame)) + 0.34 * (number - (len(known) - 1) / 2)
        look: Look = {"color": LABEL_COLOURS[labels]}
        ends = np.array(frame[f"95 % ({labels})"].tolist()).reshape(-1, 2).T
        left.hlines(rows, *ends, lw=1.2, alpha=0.45, **look)
        values = frame[f"ROC-AUC ({labels})"].map(np.mean)
        left.plot(values, rows, "o", ms=4, label=LABEL_NAMES[labels], **look)
    left.axvline(0.5, ls="--", lw=1, color=ink(left))
    left.set_xlabel("ROC-AUC (dashed: chance)")
    left.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0)
    _draw_counts(right, frame["clips (weak)"], "positive test clips")
    return figure


def curve_frame(points: Mapping[str, RunRecord]) -> pd.DataFrame:
    """Collects the validation macro ROC-AUC of runs: a row a step of each.

    Columns are `point`, `step`, and over seeds the `mean`, `low` and `high`.
    """
    parts = []
    for name, record in points.items():
        values = per_seed(record.evaluations, "roc_auc_macro")
        columns = {"mean": values.mean(axis=1)}
        columns |= {"low": values.min(axis=1), "high": values.max(axis=1)}
        frame = pd.DataFrame({"point": name, "step": values.index, **columns})
        parts.append(frame.dropna())
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def curves_of_points(frame: pd.DataFrame) -> Figure:
    """Runs over each other, from the frame of `curve_frame`; two columns wide."""
    figure = Figure(figsize=(7, 3.6))
    axes = figure.subplots()
    best = frame.groupby("point", sort=False)["mean"].max()
    named = set(best.nlargest(MAX_NAMED_POINTS).index)
    others: Look = {"color": ink(axes), "alpha": 0.25, "lw": 0.8}
    for number, name in enumerate(sorted(best.index, key=lambda one: one not in named)):
        of_one = frame[frame["point"] == name].set_index("step")
        look: Look = {"color": f"C{number % 6}", "label": style.label(name)}
        look["ls"] = ("-", "--")[number // 6 % 2]
        look["marker"] = "." if len(of_one) < 3 else ""
        axes.plot(of_one["mean"], **(look if name in named else others))
        if name in named and (of_one["high"] > of_one["low"]).any():
            ends = of_one[["low", "high"]].T.to_numpy()
            axes.fill_between(of_one.index, *ends, color=look["color"], alpha=0.15)
    axes.set(xlabel="step", ylabel="macro ROC-AUC, validation")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    figure.legend(loc="outside right upper", fontsize=8)
    return figure


def tag_counts(frame: pd.DataFrame, label: str = "training clips") -> Figure:
    """Draws bars of how many clips carry each tag, the most frequent first.

    Many tags stand in two columns, so that the figure is not a tower. `frame` has `tag`
    and `clips`.
    """
    frame = frame.sort_values("clips", ascending=False, kind="stable")
    columns = 2 if len(frame) > MAX_BARS else 1
    length = -(-len(frame) // columns)
    figure = Figure(figsize=(4.8 * columns, 0.8 + 0.17 * length))
    grid = figure.subplots(1, columns, sharex=True, squeeze=False)[0]
    for number, axes in enumerate(grid):
        shown = frame[number * length : (number + 1) * length]
        _name_tags(axes, shown["tag"], length)
        _draw_counts(axes, shown["clips"], label)
    return figure


def tags_per_split(
    tags: Sequence[str],
    positives: Mapping[str, Sequence[int]],
    clips: Mapping[str, int],
) -> Figure:
    """Draws how large a share of every split carries each tag, the most frequent first.

    Shares stand on the left, on a logarithmic scale where those without a clip are at
    its left end; on the right are bars of all clips with the tag. `positives` has the
    clips with each of K tags, `clips` those of the split; of many tags the most
    frequent are drawn.
    """
    counts = pd.DataFrame(dict(positives), [*tags])
    counts["all"] = counts.sum(axis=1)
    counts = counts.sort_values("all", ascending=False, kind="stable")[:MAX_DRAWN_TAGS]
    rows = np.arange(len(counts))
    shares = {
        split: counts[split] / number for split, number in clips.items() if number
    }
    floor = min([1.0, *(share[share > 0].min() for share in shares.values())]) / 2
    figure, left, right = _two_columns(counts.index)
    looks = zip((WEAK, TRUE, PINK), (-0.25, 0, 0.25), strict=True)
    for (split, share), (colour, nudge) in zip(shares.items(), looks, strict=False):
        look: Look = {"ms": 3.5, "color": colour, "label": split}
        left.plot(100 * share.clip(lower=floor), rows + nudge, "o", **look)
    left.set(xscale="log", xlabel="% of the split's clips (left end: none)")
    most = max([floor, *(share.max() for share in shares.values())])
    # Over three decades there is room for their names alone.
    subs = (1, 2, 5) if most < 100 * floor else (1,)
    left.xaxis.set_major_locator(LogLocator(subs=subs))
    left.xaxis.set_major_formatter("{x:g}")
    left.xaxis.set_minor_formatter("")
    if shares:
        left.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0)
    _draw_counts(right, counts["all"], "clips")
    return figure


def _two_columns(names: Sequence[str]) -> tuple[Figure, Axes, Axes]:
    """Returns a figure with one row a name: wide axes, and narrow ones on the right."""
    figure = Figure(figsize=(5.6, 1.2 + 0.17 * len(names)))
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 1))
    _name_tags(left, names)
    return figure, left, right


def _name_tags(axes: Axes, names: Sequence[str], rows: int = 0) -> None:
    """Names the rows from top to bottom; there may be room for more."""
    axes.set_yticks(range(len(names)), [*map(style.label, names)], fontsize=8)
    axes.set_ylim(max(rows, len(names)) - 0.4, -0.6)


def name_rows(
    axes: Axes, names: Iterable[str], *, grid: bool = False, **look: Any
) -> None:
    """Names the rows from top to bottom, without lines of the grid through them."""
    named = list(names)
    axes.set_yticks(range(len(named)), named, **look)
    axes.set_ylim(len(named) - 0.5, -0.5)
    axes.grid(visible=grid, axis="y")


def _canvas(
    title: str, x_label: str, y_label: str, height: float = 3.0
) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(4.8, height))
    axes = figure.subplots()
    axes.set(title=title, xlabel=x_label, ylabel=y_label)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=x_label == "step"))
    return figure, axes


def _draw_seeds(
    axes: Axes, values: pd.DataFrame, what: str = "", **style: Any
) -> list[Line2D]:
    """Draws one line per seed, a column each; many seeds share one colour."""
    named = values.shape[1] <= MAX_NAMED_SEEDS
    # A line through one point would not be seen.
    style = {"marker": "."} | style if len(values) < 3 else style
    lines = []
    for seed in values:
        look: Look = {"color": WEAK, "alpha": 0.35}
        if named:
            look = {"label": f"{what}seed {seed}"}
        lines += axes.plot(values.index, values[seed], **look, **style)
    if not named:
        axes.plot(values.mean(axis=1), color=TRUE, label=f"{what}mean of seeds")
    return lines


def _draw_counts(axes: Axes, counts: np.ndarray | pd.Series, label: str) -> None:
    """Draws horizontal bars of counts, row by row, with the number at their end."""
    bars = axes.barh(range(len(counts)), counts, color=OTHER, height=0.65)
    axes.bar_label(bars, [f"{int(c):,}" for c in counts], fontsize=7, padding=2)
    axes.set_xlabel(label)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=2, integer=True))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))  # As 2.5k or 1M.
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.margins(x=0.2)


def _legend(axes: Axes) -> None:
    if len(axes.get_legend_handles_labels()[1]) > 1:
        axes.legend(fontsize=8)


def mean_and_std(frame: pd.DataFrame, by: str | list[str]) -> pd.DataFrame:
    """Computes mean and deviation over seeds of `roc_auc_macro`, 0 for one seed."""
    found = frame.groupby(by, sort=False)["roc_auc_macro"].agg(["mean", "std"])
    return found.fillna({"std": 0})
