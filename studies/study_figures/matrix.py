"""Square matrices over tags, as Figs 1 and 9 show them."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

# More tags than this leave no room for numbers in the cells.
MAX_NUMBERED = 30


def co_occurrence(tags: Sequence[str], C: np.ndarray) -> Figure:
    """Normalised co-occurrence in percent, i along x and j along y as in Fig. 1.

    Args:
        tags: K names, in the order to draw.
        C: C(i, j) [K, K]; the diagonal, 100 % of itself, is left empty.

    Returns:
        The figure, two columns wide.
    """
    shown = 100 * C.T
    np.fill_diagonal(shown, np.nan)
    top = max(float(np.nanmax(shown, initial=0)), 1.0)
    figure, axes = _canvas(tags)
    image = _draw(axes, shown, _from_background("C0"), Normalize(0, top))
    _name(axes, tags, tags)
    axes.set(xlabel="tag i", ylabel="tag j")
    figure.colorbar(image, ax=axes, shrink=0.6, label="C(i, j), % of the clips with i")
    return figure


def similarity(tags: Sequence[str], S: np.ndarray, kind: str) -> Figure:
    """Similarity of label vectors times 100, each pair once as in Fig. 9.

    Args:
        tags: K names, in the order to draw.
        S: symmetric [K, K].
        kind: "cosine" or "dot".

    Returns:
        The figure, two columns wide.
    """
    shown = np.where(np.tri(len(tags), k=-1, dtype=bool), 100 * S, np.nan)
    # The first row and the last column have no pair that is not shown elsewhere.
    shown = shown[1:, :-1]
    top = max(float(np.nanmax(np.abs(shown), initial=0)), 1.0)
    figure, axes = _canvas(tags)
    image = _draw(axes, shown, _two_sided(), Normalize(-top, top))
    _name(axes, tags[1:], tags[:-1])
    label = f"S(i, j) × 100, {kind} of label vectors"
    bar = figure.colorbar(image, ax=axes, shrink=0.6, label=label)
    bar.ax.set_ylim(min(float(np.nanmin(shown, initial=0)), 0), top)
    return figure


def _canvas(tags: Sequence[str]) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(7, 6.2) if len(tags) <= MAX_NUMBERED else (7, 6.4))
    return figure, figure.subplots()


def _draw(
    axes: Axes, values: np.ndarray, colours: Colormap, scale: Normalize
) -> matplotlib.image.AxesImage:
    """Draws a matrix, and its numbers where there is room; NaN stays empty."""
    image = axes.imshow(values, cmap=colours, norm=scale)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    if len(values) <= MAX_NUMBERED:
        size = min(8.0, 5.6 * 23 / len(values))
        for row, column in np.argwhere(np.isfinite(values)):
            value = values[row, column]
            text = f"{round(value)}".replace("-", "−")
            ink = _readable_on(colours(scale(value)))
            look = {"ha": "center", "va": "center", "fontsize": size, "color": ink}
            axes.text(column, row, text, **look)
    return image


def _name(axes: Axes, rows: Sequence[str], columns: Sequence[str]) -> None:
    size = 7 if len(rows) <= MAX_NUMBERED else max(2.5, 5.2 * 50 / len(rows))
    axes.set_xticks(range(len(columns)), columns, rotation=90, fontsize=size)
    axes.set_yticks(range(len(rows)), rows, fontsize=size)
    axes.tick_params(length=0)


def _background() -> object:
    return matplotlib.rcParams["axes.facecolor"]


def _palette(number: int) -> str:
    return matplotlib.rcParams["axes.prop_cycle"].by_key()["color"][number]


def _from_background(colour: str) -> Colormap:
    """From the page's background to one of the palette's colours."""
    ends = [_background(), _palette(int(colour[1:]))]
    return LinearSegmentedColormap.from_list("one sided", ends)


def _two_sided() -> Colormap:
    """Orange for negative, the background for 0, blue for positive."""
    ends = [_palette(1), _background(), _palette(0)]
    return LinearSegmentedColormap.from_list("two sided", ends)


def _readable_on(colour: tuple[float, ...]) -> str:
    """Black or white, whichever stands out more from a background.

    >>> _readable_on((1.0, 1.0, 1.0, 1.0)), _readable_on((0.0, 0.2, 0.4, 1.0))
    ('black', 'white')
    """
    red, green, blue = colour[:3]
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "white"
