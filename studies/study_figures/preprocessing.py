"""The paper's Fig. 7: scores by preprocessing, beside those by size."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from msd_tagger.pages.tables import percent

WEIGHTINGS = {
    "per_frequency": ("C4", "per-frequency"),
    "a_weighting": ("C0", "A-weighting"),
    "bypass": ("C2", "bypass"),
}
BAR = 0.26


def scores_by_preprocessing(
    groups: Mapping[str, Mapping[str, np.ndarray]], sizes: Mapping[float, np.ndarray]
) -> Figure:
    """Four groups of three bars, and bars of smaller training sets at the right.

    Args:
        groups: from a group's name to its scores by weighting, each [S].
        sizes: from a share of the training clips to the scores of its point [S].

    Returns:
        The figure, two columns wide. The vertical axis starts below the lowest bar.
    """
    figure = Figure(figsize=(7, 3.2))
    if sizes:
        widths = (max(len(groups), 1), 0.4 + 0.35 * len(sizes))
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=widths)
        values = [sizes[share] for share in sizes]
        _bars(right, np.arange(len(sizes)), values, 0.7, color="C3")
        labels = [percent(share).removesuffix(" %") for share in sizes]
        right.set_xticks(range(len(sizes)), labels)
        right.set_xlabel("% of the training clips")
        right.tick_params(axis="y", length=0)
    else:
        left = figure.subplots()
    _draw_groups(left, groups)
    scores = [one for group in groups.values() for one in group.values()]
    left.set_ylim(*_limits([*scores, *sizes.values()]))
    left.set_ylabel("macro ROC-AUC")
    figure.legend(loc="outside upper center", ncols=3, fontsize=8)
    return figure


def _draw_groups(axes: Axes, groups: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    """Three bars a group."""
    for index, (weighting, (colour, label)) in enumerate(WEIGHTINGS.items()):
        known = [
            (place, group[weighting])
            for place, group in enumerate(groups.values())
            if weighting in group
        ]
        if known:
            places, values = zip(*known, strict=True)
            at = np.array(places) + (index - 1) * BAR
            _bars(axes, at, values, BAR * 0.92, color=colour, label=label)
    axes.set_xticks(range(len(groups)), list(groups))


def _bars(axes: Axes, at: np.ndarray, values: list, width: float, **look: str) -> None:
    """Bars of means with the deviation over seeds."""
    means = [np.mean(one) for one in values]
    spread = [np.std(one, ddof=1) if len(one) > 1 else 0 for one in values]
    ink = axes.xaxis.label.get_color()
    error = {"ecolor": ink, "capsize": 2, "elinewidth": 1}
    axes.bar(at, means, width, yerr=spread, error_kw=error, **look)
    axes.grid(visible=False, axis="x")
    axes.tick_params(axis="x", length=0)


def _limits(values: list[np.ndarray]) -> tuple[float, float]:
    """From a little below the lowest score to a little above the highest."""
    low = min(float(np.min(one)) for one in values)
    high = max(float(np.max(one)) for one in values)
    margin = 0.25 * max(high - low, 0.01)
    return low - margin, high + 0.6 * margin
