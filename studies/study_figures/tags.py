"""How tags are spread over clips (II-A), and what the input looks like (Figs 6, 8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from scipy import stats

from msd_tagger.pages.tables import percent

# From a weighting to its name, colour and line.
WEIGHTINGS = {
    "bypass": ("bypass", "C2", "-"),
    "a_weighting": ("A-weighting", "C0", "--"),
    "per_frequency": ("per-frequency", "C1", "-."),
}

# How far the linear panel of Fig. 6 reaches, in deviations; the rest is in its inset.
_LINEAR_RANGE = (-2, 5)

# Twice the peak of a normal distribution.
_HIGHEST_DENSITY = 0.8


def rank_curve(
    shares: np.ndarray,
    printed: Mapping[str, tuple[Sequence[int], Sequence[float], Sequence[str]]],
) -> Figure:
    """The share of clips that carry the tag of each rank, both axes logarithmic.

    Args:
        shares: of the clips with each tag, in any order [K].
        printed: other corpora: from a name to ranks, shares and names of tags.

    Returns:
        The figure, one column wide.
    """
    figure = Figure(figsize=(3.5, 2.9))
    axes = figure.subplots()
    curve = np.sort(shares[shares > 0])[::-1]
    ranks = np.arange(1, len(curve) + 1)
    axes.plot(ranks, 100 * curve, "o-", ms=2.5, lw=1, label="here")
    looks, names = zip(("C1", "C2"), "Ds", strict=True), set()
    for (name, found), (colour, mark) in zip(printed.items(), looks, strict=False):
        positions, values, tags = found
        percent = 100 * np.asarray(values)
        look = {"ms": 5, "mfc": "none", "color": colour}
        axes.plot(positions, percent, mark, label=name, **look)
        for at in zip(positions, percent, tags, strict=True):
            look = {"xytext": (5, 3), "textcoords": "offset points", "fontsize": 7}
            if at[2] not in names:
                axes.annotate(at[2], at[:2], color=colour, **look)
        names |= set(tags)
    axes.set(xscale="log", yscale="log", xlabel="rank of the tag")
    axes.set_ylabel("clips with the tag, %")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_locator(NullLocator())
    axes.margins(x=0.15, y=0.12)
    axes.legend(fontsize=7, loc="lower left")
    return figure


def tags_per_clip(clips: np.ndarray) -> Figure:
    """The share of clips with 0, 1, 2, … tags.

    Args:
        clips: clips with as many tags as their place says [T].

    Returns:
        The figure, one column wide.
    """
    figure = Figure(figsize=(3.5, 2.4))
    axes = figure.subplots()
    tags = np.flatnonzero(clips)
    axes.bar(tags, 100 * clips[tags] / clips.sum(), color="C0")
    axes.set(yscale="log", xlabel="tags of a clip", ylabel="clips, %")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(NullLocator())
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(visible=False, axis="x")
    return figure


def magnitude_histograms(edges: np.ndarray, shares: Mapping[str, np.ndarray]) -> Figure:
    """How standardised bins are spread, in decibels and as power (Fig. 6).

    Args:
        edges: of the intervals, in standard deviations [I + 1].
        shares: from `db` and `linear` to the share of bins per interval [I]; the
            outermost intervals hold what lies beyond.

    Returns:
        The figure, two columns wide: decibels with the normal density on the left,
        power on the right, with all of both on a logarithmic axis in its inset.
    """
    figure = Figure(figsize=(7, 2.8))
    left, right = figure.subplots(1, 2)
    centres, width = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    density = {kind: share / width for kind, share in shares.items()}
    left.stairs(density["db"], edges, fill=True, color="C0", alpha=0.7)
    normal = stats.norm.pdf(centres)
    left.plot(centres, normal, "--", lw=1.2, color=_ink(left), label="normal")
    left.set(title="decibels", xlim=(-4.5, 4.5), ylabel="density")
    left.legend(fontsize=8, loc="upper right")
    _cut_peak(left, edges, shares["db"])
    right.stairs(density["linear"], edges, fill=True, color="C1", alpha=0.7)
    right.set(title="power", xlim=_LINEAR_RANGE)
    for axes in (left, right):
        axes.set_xlabel("magnitude, standard deviations from the mean")
        axes.set_ylim(bottom=0)
    _draw_tails(right.inset_axes((0.5, 0.3, 0.5, 0.6)), density, edges)
    return figure


def _cut_peak(axes: Axes, edges: np.ndarray, shares: np.ndarray) -> None:
    """Cuts off a peak that would flatten the rest: the floor, where silence ends."""
    highest = int(np.argmax(shares / np.diff(edges)))
    if shares[highest] / (edges[highest + 1] - edges[highest]) <= _HIGHEST_DENSITY:
        return
    axes.set_ylim(top=_HIGHEST_DENSITY)
    axes.annotate(
        f"cut: {percent(shares[highest])} of the bins",
        (edges[highest + 1], 0.93 * _HIGHEST_DENSITY),
        xytext=(5, 0),
        textcoords="offset points",
        va="center",
        fontsize=7,
    )


def _draw_tails(
    axes: Axes, density: Mapping[str, np.ndarray], edges: np.ndarray
) -> None:
    """Both densities on a logarithmic axis: what is rare and extreme."""
    for kind, name, colour in (("db", "decibels", "C0"), ("linear", "power", "C1")):
        # The outermost intervals hold everything beyond them, which is no density.
        known = np.where(density[kind] > 0, density[kind], np.nan)[1:-1]
        look = {"color": colour, "lw": 1, "label": name}
        axes.stairs(known, edges[1:-1], baseline=None, **look)
    axes.set(yscale="log", xlim=(edges[0], edges[-1]))
    axes.tick_params(labelsize=6)
    axes.yaxis.set_major_locator(LogLocator(numticks=5))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_title("both, density on a logarithmic axis", fontsize=6.5)
    axes.legend(fontsize=6.5, loc="upper right")


def band_means(centres_hz: np.ndarray, means: Mapping[str, np.ndarray]) -> Figure:
    """Mean magnitude of each band for each frequency weighting (Fig. 8).

    Args:
        centres_hz: of the bands [M]; one at 0 Hz is left out.
        means: from a key of `WEIGHTINGS` to the mean of each band, in standard
            deviations of a clip [M].

    Returns:
        The figure, one column wide.
    """
    figure = Figure(figsize=(3.5, 2.7))
    axes = figure.subplots()
    known = centres_hz > 0
    for kind, (name, colour, line) in WEIGHTINGS.items():
        if kind in means:
            look = {"ls": line, "color": colour, "label": name}
            axes.plot(centres_hz[known] / 1000, means[kind][known], **look)
    axes.set(xscale="log", xlabel="frequency, kHz")
    axes.set_ylabel("mean magnitude,\nstandard deviations")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_locator(NullLocator())
    figure.legend(fontsize=8, loc="outside upper center", ncols=3)
    return figure


def _ink(axes: Axes) -> str:
    """Returns the theme's colour of text and lines without a role of their own."""
    return axes.xaxis.label.get_color()
