"""Figures of the ground truth's errors: what Table I prints, with its uncertainty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Series by name: colour and marker. Ours are filled, the paper's hollow.
LOOKS = {
    "positive labels": ("C0", "o"),
    "negative labels": ("C1", "s"),
    "precision": ("C0", "o"),
    "recall": ("C1", "s"),
    "ground truth": ("C0", "o"),
    "Eq. 2": ("C1", "s"),
    "Subset400": ("C2", "^"),
    "all clips": ("C3", "D"),
}

# Of one series: values [L] and 95 % intervals [L, 2], or None where there is no doubt.
Series = tuple[np.ndarray, np.ndarray | None]
# From a panel's title to its series by name: ours, and the paper's or None.
Panels = Mapping[str, Mapping[str, tuple[Series, Series | None]]]


def panels(labels: Sequence[str], content: Panels) -> Figure:
    """Points with intervals, in per cent, one panel beside the other.

    Args:
        labels: L names, top first.
        content: what each panel shows.

    Returns:
        The figure, two columns wide.
    """
    rows = np.arange(len(labels))
    figure = Figure(figsize=(7, 1.1 + 0.42 * len(labels)))
    grid = figure.subplots(1, len(content), sharey=True, squeeze=False)[0]
    for axes, (title, series) in zip(grid, content.items(), strict=True):
        nudges = np.linspace(-0.24, 0.24, len(series)) if len(series) > 1 else [0.0]
        for (name, (here, printed)), nudge in zip(series.items(), nudges, strict=True):
            both = printed is not None
            _draw(axes, rows + nudge - 0.06 * both, here, name, hollow=False)
            if both:
                _draw(axes, rows + nudge + 0.06, printed, name, hollow=True)
        axes.set_title(f"{title} [%]", fontsize=9)
        axes.grid(visible=False, axis="y")
        right = axes.get_xlim()[1]
        axes.set_xlim(-0.03 * right, 1.03 * right)  # Markers at 0 and 100 stay whole.
        below = {"loc": "upper center", "bbox_to_anchor": (0.5, 0)}
        axes.legend(**below, borderaxespad=3, ncols=2, fontsize=7.5)
    grid[0].set_yticks(rows, labels)
    grid[0].set_ylim(len(rows) - 0.5, -0.5)
    return figure


def _draw(
    axes: Axes, rows: np.ndarray, series: Series, name: str, *, hollow: bool
) -> None:
    """Draws one series."""
    colour, marker = LOOKS[name]
    values, intervals = series
    values = 100 * np.asarray(values, float)
    reach = None
    if intervals is not None:
        ends = 100 * np.asarray(intervals, float).T
        # An interval of a resampled ratio may miss its own point by a rounding error.
        reach = np.maximum([values - ends[0], ends[1] - values], 0)
    axes.errorbar(
        values,
        rows,
        xerr=reach,
        fmt=marker,
        color=colour,
        ms=5,
        mfc="none" if hollow else colour,
        elinewidth=0.8 if hollow else 1.4,
        alpha=0.75 if hollow else 1.0,
        label=f"{name}, paper" if hollow else name,
    )
