"""The paper's Fig. 4: scores of equal trainings, and how they scatter."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from studies.statistics import Spread, largest_deviations

AUC_LABEL = "macro ROC-AUC"


def runs_and_spread(spread: Spread, colour: str = "C0") -> Figure:
    """Every run and the mean on the left, error bars on the right (Fig. 4).

    Args:
        spread: of one score per seed.
        colour: of the runs.

    Returns:
        The figure, two columns wide.
    """
    figure = Figure(figsize=(7, 2.7))
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3.2, 1))
    _draw_runs(left, spread, colour)
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
        color=_ink(right),
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


def _draw_runs(axes: Axes, spread: Spread, colour: str) -> None:
    """Points from the mean's line to each run; the two farthest are named."""
    runs = np.arange(1, len(spread.values) + 1)
    axes.axhline(spread.mean, ls="--", lw=1, color=_ink(axes))
    axes.vlines(runs, spread.mean, spread.values, color=colour, lw=1, alpha=0.6)
    axes.plot(runs, spread.values, "o", ms=5, color=colour)
    far = largest_deviations(spread.values) if len(runs) > 1 else []
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
    axes.set(xlabel="run", ylabel=AUC_LABEL, xlim=(0.2, len(runs) + 0.8))
    axes.set_title(f"mean of {len(runs)}, dashed: {spread.mean:.4f}")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=15, integer=True))
    axes.grid(visible=False, axis="x")


def _ink(axes: Axes) -> str:
    """Returns the theme's colour of text and lines without a role of their own."""
    return axes.xaxis.label.get_color()
