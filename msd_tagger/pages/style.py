"""How figures look: one palette, two themes, files for the paper and for the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib import rcsetup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from msd_tagger.common import files

# Okabe and Ito's palette, told apart by every kind of colour vision; the dark theme
# swaps in its lighter members. "C0" is the weak labels, "C1" the true ones.
_LIGHT = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_DARK = ("#56B4E9", "#E69F00", "#2FC79A", "#E79BC5", "#F0E442", "#7FA6FF")

_COMMON = {
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.axisbelow": True,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "figure.constrained_layout.use": True,
    "font.size": 9,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    # TrueType: publishers refuse matplotlib's usual Type 3 fonts.
    "pdf.fonttype": 42,
    "savefig.transparent": False,
    # Paths instead of fonts: the page looks the same where DejaVu is not installed.
    "svg.fonttype": "path",
    "svg.hashsalt": "msd-tagger",
}


def _theme(
    palette: tuple[str, ...], background: str, ink: str, grid: str
) -> dict[Any, Any]:
    """Returns the settings of one theme."""
    inked = ("text.color", "axes.labelcolor", "xtick.color", "ytick.color")
    settings = dict.fromkeys((*inked, "axes.edgecolor"), ink)
    settings |= {"axes.facecolor": background, "figure.facecolor": background}
    cycle = rcsetup.cycler(color=list(palette))
    return {**_COMMON, **settings, "grid.color": grid, "axes.prop_cycle": cycle}


THEMES = {
    "light": _theme(_LIGHT, "#ffffff", "#24292f", "#e3e6ea"),
    "dark": _theme(_DARK, "#1b1f24", "#dfe3e8", "#353b43"),
}


def ink(axes: Axes) -> str:
    """Returns the theme's colour of text and of lines without a role of their own."""
    return str(axes.xaxis.label.get_color())


def svg(draw: Callable[[], Figure], theme: str) -> bytes:
    """Draws a figure in a theme as SVG, the same bytes for the same figure."""
    buffer = io.BytesIO()
    with matplotlib.rc_context(THEMES[theme]):
        draw().savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def data_uri(content: bytes) -> str:
    """Returns an SVG file as text for an `src` attribute.

    >>> data_uri(b"<svg/>")
    'data:image/svg+xml;base64,PHN2Zy8+'
    """
    return f"data:image/svg+xml;base64,{base64.b64encode(content).decode()}"


def save_figure(draw: Callable[[], Figure], stem: Path, *, pdf: bool = False) -> bytes:
    """Writes `<stem>.png` (200 dots an inch) and `<stem>.svg`, in the light theme.

    Also `<stem>.pdf` where that is asked for. Returns the SVG file's content.
    """
    with matplotlib.rc_context(THEMES["light"]):
        figure = draw()
        save(figure, stem.with_name(f"{stem.name}.png"), dpi=200)
        if pdf:
            metadata = {"CreationDate": None}
            save(figure, stem.with_name(f"{stem.name}.pdf"), metadata=metadata)
    content = svg(draw, "light")
    files.write_bytes(stem.with_name(f"{stem.name}.svg"), content)
    return content


def save(figure: Figure, path: Path, **options: Any) -> None:
    """Writes a figure whole or not at all, in the format of the file's ending."""
    with files.replacing(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:], **options)
