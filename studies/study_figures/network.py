"""A schematic of the network (Fig. 3)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

# Sizes go from 1 to 1360: drawn lengths grow with a root, so that all can be seen.
_ROOT = 3.0
_SHEETS = 4  # Feature maps that are drawn of each layer, one behind the other.
_SHIFT = 0.012
_GAP = 0.062
_ROW_HEIGHT_IN = 2.1


def schematic(networks: Mapping[str, Mapping[str, Any]]) -> Figure:
    """The maps between the layers of each network, from the input to the tags.

    Args:
        networks: from a name to what `network.json` holds of it.

    Returns:
        The figure, two columns wide, one row a network. Lengths are cube roots of the
        sizes.
    """
    figure = Figure(figsize=(7, _ROW_HEIGHT_IN * len(networks)))
    rows = figure.subplots(len(networks), 1, squeeze=False)[:, 0]
    tallest = max(n["input"][1] for n in networks.values()) ** (1 / _ROOT)
    for axes, (name, network) in zip(rows, networks.items(), strict=True):
        _draw_network(axes, network, tallest)
        axes.set_title(_title(name, network), fontsize=9)
    return figure


def _title(name: str, network: Mapping[str, Any]) -> str:
    return (
        f"{name}: {network['parameters']:,} parameters, "
        f"{network['multiply_adds'] / 1e6:.0f} M multiply-adds a clip"
    )


def _draw_network(axes: Axes, network: Mapping[str, Any], tallest: float) -> None:
    """Boxes from left to right, what lies between them above, their sizes below."""
    axes.set(xlim=(0, 1), ylim=(-0.34, 1.12))
    axes.axis("off")
    layers = network["layers"]
    maps = [network["input"], *(layer["output"] for layer in layers[:-1])]
    widths = [frames ** (1 / _ROOT) for _, _, frames in maps]
    sheets = _SHIFT * (_SHEETS - 1)
    unit = (0.95 - len(maps) * (_GAP + sheets)) / sum(widths)
    x = 0.01
    for number, (size, width) in enumerate(zip(maps, widths, strict=True)):
        height = 0.8 * size[1] ** (1 / _ROOT) / tallest
        _draw_map(axes, x, width * unit, height, size)
        end = x + width * unit + (sheets if size[0] > 1 else 0)
        x += width * unit + sheets + _GAP
        _draw_arrow(axes, end, x, _between(layers[number]))
    _draw_outputs(axes, x + 0.004, layers[-1])


def _draw_map(
    axes: Axes, x: float, width: float, height: float, size: Sequence[int]
) -> None:
    """Feature maps as sheets, centred on the row, and their size below."""
    number = _SHEETS if size[0] > 1 else 1
    face = matplotlib.rcParams["axes.facecolor"]
    colour = "C0" if size[0] > 1 else "C1"
    for sheet in reversed(range(number)):
        corner = (x + sheet * _SHIFT, 0.45 - height / 2 + sheet * 2 * _SHIFT)
        axes.add_patch(
            Rectangle(corner, width, height, facecolor=face, edgecolor=colour, lw=1)
        )
    channels, bands, frames = size
    text = (
        f"{channels} × {bands}\n× {frames}" if channels > 1 else f"{bands} × {frames}"
    )
    centre = x + width / 2 + (number - 1) * _SHIFT / 2
    axes.text(centre, -0.06, text, ha="center", va="top", fontsize=7)


def _draw_arrow(axes: Axes, start: float, end: float, text: str) -> None:
    look = {"arrowstyle": "-|>", "lw": 0.8, "color": axes.xaxis.label.get_color()}
    axes.annotate("", (end, 0.45), (start, 0.45), arrowprops=look)
    axes.text((start + end) / 2, 0.98, text, ha="center", va="center", fontsize=6.5)


def _between(layer: Mapping[str, Any]) -> str:
    """What a layer does, in few words."""
    if layer["pool"] is None:
        return "dense\nW, sigmoid"
    kernel, pool = ("×".join(map(str, layer[key])) for key in ("kernel", "pool"))
    return f"conv {kernel}\npool {pool}"


def _draw_outputs(axes: Axes, x: float, layer: Mapping[str, Any]) -> None:
    """The tags, as a column."""
    tags = math.prod(layer["output"])
    axes.add_patch(Rectangle((x, 0.1), 0.014, 0.7, facecolor="C2", lw=0))
    axes.text(x + 0.007, -0.06, f"{tags}\ntags", ha="center", va="top", fontsize=7)
