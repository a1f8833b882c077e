"""How figures look: one palette, two themes, files for the paper and for the page."""

from __future__ import annotations

import base64
import io
import re
import unicodedata
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import matplotlib
from matplotlib import rcsetup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from msd_tagger.common import files
from msd_tagger.common.text import printable
from msd_tagger.pages import fonts

T = TypeVar("T")

# Okabe and Ito's palette, told apart by every kind of colour vision; the dark theme
# swaps in its lighter members.
_LIGHT = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_DARK = ("#56B4E9", "#E69F00", "#2FC79A", "#E79BC5", "#F0E442", "#7FA6FF")
# How figures name the colours of the current theme.
BLUE, ORANGE, GREEN, PINK, YELLOW = (f"C{number}" for number in range(5))

# Longer names keep their start and their end: a figure has no room for 300 characters.
MAX_LABEL = 40

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
    # Names may hold dollars, carets and underlines: no text is a formula.
    "text.parse_math": False,
    "text.usetex": False,
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


_OTHERS = {
    "light": ("#ffffff", "#24292f", "#e3e6ea"),
    "dark": ("#1b1f24", "#dfe3e8", "#353b43"),
}
THEMES = {
    "light": _theme(_LIGHT, *_OTHERS["light"]),
    "dark": _theme(_DARK, *_OTHERS["dark"]),
}
_DARK_FOR = {
    light.lower().encode(): dark.lower().encode()
    for light, dark in zip(
        _LIGHT + _OTHERS["light"], _DARK + _OTHERS["dark"], strict=True
    )
}


def ink(axes: Axes) -> str:
    """Returns the theme's colour of text and of lines without a role of their own."""
    return str(axes.xaxis.label.get_color())


def label(name: str) -> str:
    """Returns a user's name as figures show it, in one line that is not too long.

    >>> label("rock & roll"), label("ab" * 150)
    ('rock & roll', 'ababababababababababababab…abababababab')
    """
    line = printable(name)
    is_wide = any(unicodedata.east_asian_width(c) in "WF" for c in line)
    room = MAX_LABEL // (1 + is_wide)
    if len(line) <= room:
        return line
    return f"{line[: room * 2 // 3]}…{line[1 - room // 3 :]}"


def svg(draw: Callable[[], Figure], theme: str) -> bytes:
    """Draws a figure in a theme as SVG, the same bytes for the same figure."""
    return _drawn(draw, theme, _svg)


def dark_svg(draw: Callable[[], Figure], light: bytes) -> bytes:
    """Gives a figure's SVG in the dark theme, by that in the light one.

    Themes differ in colours alone. To replace these takes no time, but pictures in a
    figure are of pixels, and drawn.
    """
    if b"<image" in light:
        return svg(draw, "dark")
    colour = re.compile(rb"#[0-9a-f]{6}\b")
    return colour.sub(lambda one: _DARK_FOR.get(one[0], one[0]), light)


def _svg(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def _drawn(draw: Callable[[], Figure], theme: str, write: Callable[[Figure], T]) -> T:
    """Draws in a theme, and again where fonts have to be added for its characters."""
    settings = THEMES[theme] | {"font.family": [*fonts.FAMILIES]}
    with matplotlib.rc_context(), warnings.catch_warnings(record=True) as said:
        # Matplotlib has read what a file in the current folder says, if there is one.
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(settings)
        warnings.filterwarnings("always", "Glyph .* missing from", UserWarning)
        figure = draw()
        figure.draw_without_rendering()  # It lays out what each format did again.
        figure.set_layout_engine("none")
        written = write(figure)
    lacking = fonts.lacking(str(one.message) for one in said)
    for one in said:
        if not fonts.lacking([str(one.message)]):
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    return _drawn(draw, theme, write) if fonts.add_for(lacking) else written


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

    def write(figure: Figure) -> bytes:
        _save(figure, stem.with_name(f"{stem.name}.png"), dpi=200)
        if pdf:
            metadata = {"CreationDate": None}
            _save(figure, stem.with_name(f"{stem.name}.pdf"), metadata=metadata)
        content = _svg(figure)
        files.write_bytes(stem.with_name(f"{stem.name}.svg"), content)
        return content

    return _drawn(draw, "light", write)


def save(draw: Callable[[], Figure], path: Path, **options: Any) -> None:
    """Writes a figure in the light theme, in the format of the file's ending."""
    _drawn(draw, "light", lambda figure: _save(figure, path, **options))


def _save(figure: Figure, path: Path, **options: Any) -> None:
    """Writes a figure whole or not at all."""
    with files.replacing(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:], **options)
