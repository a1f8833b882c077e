"""The paper's Fig. 2: scores by different labels over sets of trainings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

# The paper's colours and dashes: its caption, not the sentence that swaps two of them.
CURVES = {
    "all": ("C4", "-", "o", "all tags, ground truth"),
    "four": ("C0", "--", "s", "instrumentation tags, ground truth"),
    "annotated": ("C1", ":", "^", "instrumentation tags, re-annotation"),
}


def three_sets(
    names: Mapping[str, Sequence[str]],
    curves: Mapping[str, Mapping[str, Sequence[np.ndarray]]],
    titles: Mapping[str, str],
    units: Mapping[str, str],
) -> Figure:
    """Three curves for each set of trainings, side by side.

    Args:
        names: from a set to the short names of its P trainings.
        curves: from a set to its curves (`all`, `four`, `annotated`), each P arrays of
            one score per seed.
        titles: from a set to what stands above it.
        units: from a set to what its names are, where that needs to be said.

    Returns:
        The figure, two columns wide.
    """
    figure = Figure(figsize=(7, 3.3))
    panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for axes, name in zip(panels, names, strict=True):
        for key, values in curves[name].items():
            colour, dashes, marker, label = CURVES[key]
            means = [np.mean(one) for one in values]
            spread = [np.std(one, ddof=1) if len(one) > 1 else 0 for one in values]
            look = {"color": colour, "ls": dashes, "marker": marker, "ms": 4}
            bars = {"yerr": spread, "capsize": 2, "elinewidth": 0.8}
            first = {"label": label} if axes is panels[0] else {}
            axes.errorbar(range(len(means)), means, **look, **bars, **first)
        axes.set_title(titles[name], fontsize=9)
        axes.set_xlabel(units.get(name, ""), fontsize=8)
        upright = max(map(len, names[name]), default=0) <= 5
        turned = {} if upright else {"rotation": 40, "ha": "right"}
        axes.set_xticks(range(len(names[name])), names[name], fontsize=7, **turned)
        axes.margins(x=0.08)
    panels[0].set_ylabel("macro ROC-AUC")
    figure.legend(loc="outside lower center", ncols=3, fontsize=8)
    return figure
