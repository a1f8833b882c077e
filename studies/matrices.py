"""Draws square matrices over tags, as Figs 1 and 9 show them."""

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from msd_tagger.pages import style
from msd_tagger.pages.style import BLUE, ORANGE
from studies.figures import Look

# More tags than this leave no room for numbers in the cells.
MAX_NUMBERED = 30
# Inches a row where there are no numbers, so that names can be read; up to a limit.
PITCH, LARGEST = 0.13, 14.0


def co_occurrence(frame: pd.DataFrame) -> Figure:
    """Draws C(i, j) in per cent, i along x and j along y as in Fig. 1.

    Two columns wide, or wider for many tags. `frame` has columns `i`, `j` and
    `C(i, j)`, one row for every two different tags, in the order to draw.
    """
    shown = 100 * _square(frame, "C(i, j)").T
    top = np.nanmax([1.0, shown.max(axis=None)])
    colours = LinearSegmentedColormap.from_list("one sided", [_background(), BLUE])
    figure, axes, image = _draw(shown, colours, Normalize(0, top))
    axes.set(xlabel="tag i", ylabel="tag j")
    figure.colorbar(image, ax=axes, shrink=0.6, label="C(i, j), % of the clips with i")
    return figure


def similarity(frame: pd.DataFrame, measure: str) -> Figure:
    """Draws S(i, j) times 100, each pair once as in Fig. 9.

    Two columns wide. `frame` has columns `i`, `j` and `S(i, j)`, one row a pair, in the
    order to draw; the measure is "cosine" or "dot".
    """
    # The first row and the last column would have no pair.
    shown = 100 * _square(frame, "S(i, j)").T.iloc[1:, :-1]
    top = np.nanmax([1.0, shown.abs().max(axis=None)])
    # For negative, 0 and positive.
    ends = [ORANGE, _background(), BLUE]
    colours = LinearSegmentedColormap.from_list("two sided", ends)
    figure, axes, image = _draw(shown, colours, Normalize(-top, top))
    label = f"S(i, j) × 100, {measure} of label vectors"
    bar = figure.colorbar(image, ax=axes, shrink=0.6, label=label)
    bar.ax.set_ylim(np.nanmin([0.0, shown.min(axis=None)]), top)
    return figure


def _square(frame: pd.DataFrame, values: str) -> pd.DataFrame:
    """Returns a matrix with the tags in their order; NaN where there is no row."""
    tags = pd.unique(frame[["i", "j"]].to_numpy().ravel())
    square = frame.pivot(index="i", columns="j", values=values)
    return square.reindex(index=tags, columns=tags)


def _draw(
    shown: pd.DataFrame, colours: Colormap, scale: Normalize
) -> tuple[Figure, Axes, AxesImage]:
    """Draws a matrix, and its numbers where there is room; NaN stays empty."""
    has_room = max(shown.shape) <= MAX_NUMBERED
    side = min(PITCH * len(shown), LARGEST)
    figure = Figure(figsize=(7, 6.2) if has_room else (side + 2.6, side + 1.3))
    axes = figure.subplots()
    image = axes.imshow(shown, cmap=colours, norm=scale)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    for row, column in np.argwhere(np.isfinite(shown.to_numpy())) if has_room else ():
        value = shown.iat[row, column]
        text = f"{round(value)}".replace("-", "−")
        colour, size = _readable_on(colours(scale(value))), 5.6 * 23 / len(shown)
        look: Look = {"color": colour, "fontsize": min(8.0, size)}
        axes.text(column, row, text, ha="center", va="center", **look)
    size = 7 if has_room else min(7, 0.8 * 72 * side / len(shown))
    columns, rows = (
        [*map(style.label, names)] for names in (shown.columns, shown.index)
    )
    axes.set_xticks(range(len(columns)), columns, rotation=90, fontsize=size)
    axes.set_yticks(range(len(rows)), rows, fontsize=size)
    axes.tick_params(length=0)
    return figure, axes, image


def _background() -> str:
    return matplotlib.rcParams["axes.facecolor"]


def _readable_on(colour: tuple[float, ...]) -> str:
    """Returns black or white, whichever stands out more from a background.

    >>> _readable_on((1.0, 1.0, 1.0, 1.0)), _readable_on((0.0, 0.2, 0.4, 1.0))
    ('black', 'white')
    """
    red, green, blue = colour[:3]
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "white"
