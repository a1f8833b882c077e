"""Similarity of label vectors against co-occurrence (V-A)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator


def similarity_by_co_occurrence(
    either: np.ndarray,
    similarity: np.ndarray,
    named: Mapping[str, tuple[float, float]],
    kind: str,
) -> Figure:
    """One point a pair of tags, some of them named.

    Args:
        either: max(C(i, j), C(j, i)) of each pair [P].
        similarity: S(i, j) of each pair [P].
        named: from a name to the place of its pair.
        kind: "cosine" or "dot".

    Returns:
        The figure, one column wide.
    """
    figure = Figure(figsize=(3.5, 3.1))
    axes = figure.subplots()
    look = {"ms": 2.5, "color": "C0", "alpha": 0.35, "mew": 0}
    axes.plot(100 * either, similarity, "o", **look)
    # Their names stand below each other at the right, in the order of their heights.
    from_above = sorted(named.items(), key=lambda item: -item[1][1])
    for number, (name, (share, value)) in enumerate(from_above):
        axes.plot(100 * share, value, "D", ms=4, mfc="none", color="C1")
        axes.annotate(
            name,
            (100 * share, value),
            xytext=(0.98, 0.94 - 0.07 * number),
            textcoords="axes fraction",
            fontsize=7,
            color="C1",
            ha="right",
            va="center",
            bbox={"fc": axes.get_facecolor(), "ec": "none", "alpha": 0.8, "pad": 0.6},
            arrowprops={"arrowstyle": "-", "lw": 0.5, "color": "C1"},
        )
    axes.axhline(0, lw=0.8, color=axes.xaxis.label.get_color())
    axes.set(xlabel="max(C(i, j), C(j, i)), %", ylabel=f"S(i, j), {kind}")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6))
    return figure
