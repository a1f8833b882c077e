"""The paper's Fig. 5: mel against STFT by the number of training clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from studies.log_fit import LogFit

LOOKS = {
    "mel": {"color": "C0", "marker": "o", "label": "mel spectrogram"},
    "stft": {"color": "C1", "marker": "s", "label": "STFT"},
}
# Half the distance between the two marks of a size, as a factor.
NUDGE = 1.05


def scores_by_size(
    clips: Mapping[str, np.ndarray],
    values: Mapping[str, Sequence[np.ndarray]],
    lines: Mapping[str, LogFit],
    differences: Mapping[float, float],
    ticks: Mapping[float, str],
) -> Figure:
    """Mean and deviation over seeds on a logarithmic axis, with fitted lines.

    Args:
        clips: from `mel` or `stft` to the number of training clips of its points [P].
        values: from the same to the scores of every seed, P arrays [S].
        lines: from the same to the fitted line.
        differences: from a number of clips to mel minus STFT, printed above.
        ticks: from a number of clips to its name.

    Returns:
        The figure, two columns wide.
    """
    figure = Figure(figsize=(7, 3.4))
    axes = figure.subplots()
    tops: dict[float, float] = {}
    for kind, sizes in clips.items():
        means = np.array([np.mean(one) for one in values[kind]])
        spread = [np.std(one, ddof=1) if len(one) > 1 else 0 for one in values[kind]]
        nudge = {"mel": 1 / NUDGE, "stft": NUDGE}[kind] if len(clips) > 1 else 1
        look = {"ms": 5, "capsize": 3, "ls": "", **LOOKS[kind]}
        axes.errorbar(sizes * nudge, means, yerr=spread, **look)
        if kind in lines:
            ends = np.array([sizes.min(), sizes.max()])
            style = {"color": LOOKS[kind]["color"], "ls": "--", "lw": 1, "alpha": 0.8}
            axes.plot(ends, lines[kind].at(ends), **style)
        for size, top in zip(sizes, means + spread, strict=True):
            tops[size] = max(tops.get(size, 0), top)
    for size, difference in differences.items():
        text = f"{difference:+.4f}".replace("-", "−")
        at = {"xytext": (0, 6), "textcoords": "offset points", "fontsize": 8}
        axes.annotate(text, (size, tops[size]), ha="center", va="bottom", **at)
    axes.set(xscale="log", xlabel="training clips", ylabel="macro ROC-AUC")
    axes.minorticks_off()
    axes.set_xticks(list(ticks), list(ticks.values()))
    axes.margins(x=0.06, y=0.15)
    axes.grid(visible=False, axis="x")
    axes.legend(loc="lower right", fontsize=8)
    return figure
