"""The networks layer by layer (Fig. 3, Table II)."""

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from msd_tagger.common import paper
from msd_tagger.pages.page import Illustration
from msd_tagger.pages.style import BLUE, GREEN, ORANGE, ink
from msd_tagger.pages.tables import Formats, Table, percent
from studies import judges
from studies.comparison import INPUTS
from studies.figures import Look
from studies.record_contents import NETWORKS
from studies.records import SweepRecord, read_json
from studies.study import Claim, Study
from studies.texts import captioned, claim, figure, say

NAME = "network"
TITLE = "The networks (Fig. 3, Table II)"
FILE = "network.json"

# Sizes go from 1 to 1360: drawn lengths grow with a root, so that all can be seen.
ROOT = 3.0
SHEETS = 4  # Feature maps that are drawn of each layer, one behind the other.
SHIFT = 0.012
GAP = 0.062
ROW_HEIGHT_IN = 2.1

# What `network.json` holds of one network.
Network = Mapping[str, Any]


def study(record: SweepRecord) -> Study:
    """Draws the networks of `network.json`, and sets Table II beside them."""
    path = record.workdir / FILE
    if not path.exists():
        return Study(NAME, TITLE, [f"There is no {FILE}: the networks are left out."])
    networks = read_json(path, NETWORKS)
    networks = {kind: networks[kind] for kind in INPUTS if kind in networks}
    shown = {INPUTS[kind]: network for kind, network in networks.items()}
    tables = [_poolings(shown), *(_costs(*item) for item in shown.items())]
    asked = (record.config.get("model") or {}).get("pools")
    kind = (record.config.get("spectrogram") or {}).get("kind")
    own = kind if asked and kind in networks else None
    texts, drawn = _paragraphs(networks, own), [_illustration(shown)]
    return Study(NAME, TITLE, texts, drawn, tables, _claims(networks, own))


def bands_left(bands: int, pools: Iterable[tuple[int, int]]) -> list[int]:
    """Counts the bands that each pooling leaves, rounded down.

    >>> bands_left(96, ((2, 4), (4, 4), (4, 5), (2, 4), (4, 4)))
    [48, 12, 3, 1, 0]
    """
    left = []
    for pool, _ in pools:
        bands //= pool
        left.append(bands)
    return left


def schematic(frame: pd.DataFrame, networks: Mapping[str, Network]) -> Figure:
    """Draws the maps between the layers of each network, from the input to the tags.

    Two columns wide, one row a network; lengths are cube roots of the sizes. `frame`
    has `network`, `feature maps`, `bands` and `frames`, one row a layer.
    """
    drawn = Figure(figsize=(7, ROW_HEIGHT_IN * len(networks)))
    rows = drawn.subplots(len(networks), 1, squeeze=False)[:, 0]
    tallest = max(n["input"][1] for n in networks.values()) ** (1 / ROOT)
    for axes, (name, network) in zip(rows, networks.items(), strict=True):
        of_one = frame[frame["network"] == name]
        outputs = of_one[["feature maps", "bands", "frames"]].values.tolist()
        between = [_between(layer) for layer in network["layers"]]
        _draw_network(axes, [network["input"], *outputs], between, tallest)
        millions = network["multiply_adds"] / 1e6
        title = f"{name}: {network['parameters']:,} parameters, {millions:.0f} M "
        axes.set_title(f"{title}multiply-adds a clip", fontsize=9)
    return drawn


def _draw_network(
    axes: Axes, sizes: Sequence[Sequence[int]], between: Sequence[str], tallest: float
) -> None:
    """Boxes from left to right, what lies between them above, their sizes below."""
    axes.set(xlim=(0, 1), ylim=(-0.34, 1.12))
    axes.axis("off")
    *maps, tags = sizes
    widths = [frames ** (1 / ROOT) for _, _, frames in maps]
    sheets = SHIFT * (SHEETS - 1)
    unit = (0.95 - len(maps) * (GAP + sheets)) / sum(widths)
    x = 0.01
    for size, width, layer in zip(maps, widths, between, strict=True):
        height = 0.8 * size[1] ** (1 / ROOT) / tallest
        _draw_map(axes, x, width * unit, height, size)
        end = x + width * unit + (sheets if size[0] > 1 else 0)
        x += width * unit + sheets + GAP
        look: Look = {"arrowstyle": "-|>", "lw": 0.8, "color": ink(axes)}
        axes.annotate("", (x, 0.45), (end, 0.45), arrowprops=look)
        axes.text((end + x) / 2, 0.98, layer, ha="center", va="center", fontsize=6.5)
    x += 0.004
    axes.add_patch(Rectangle((x, 0.1), 0.014, 0.7, facecolor=GREEN, lw=0))
    text = f"{math.prod(tags)}\ntags"
    axes.text(x + 0.007, -0.06, text, ha="center", va="top", fontsize=7)


def _draw_map(
    axes: Axes, x: float, width: float, height: float, size: Sequence[int]
) -> None:
    """Draws feature maps as sheets, centred on the row, and their size below."""
    channels, bands, frames = size
    many = channels > 1
    sheets = SHEETS if many else 1
    look: Look = {"facecolor": matplotlib.rcParams["axes.facecolor"], "lw": 1}
    look["edgecolor"] = BLUE if many else ORANGE
    for sheet in reversed(range(sheets)):
        corner = (x + sheet * SHIFT, 0.45 - height / 2 + sheet * 2 * SHIFT)
        axes.add_patch(Rectangle(corner, width, height, **look))
    text = f"{channels} × {bands}\n× {frames}" if many else f"{bands} × {frames}"
    centre = x + width / 2 + (sheets - 1) * SHIFT / 2
    axes.text(centre, -0.06, text, ha="center", va="top", fontsize=7)


def _between(layer: Mapping[str, Any]) -> str:
    if layer["pool"] is None:
        return "dense\nW, sigmoid"
    kernel, pool = ("×".join(map(str, layer[key])) for key in ("kernel", "pool"))
    return f"conv {kernel}\npool {pool}"


def _paragraphs(networks: Mapping[str, Network], own: str | None) -> list[str]:
    product = math.prod(pool for pool, _ in paper.TABLE_2_POOLS)
    bands = paper.TABLE_2_INPUT[1]
    left = ", ".join(map(str, bands_left(bands, paper.TABLE_2_POOLS)))
    text = say("network.poolings", product=product, left=left)
    if own:
        pools = ", ".join(_pools_of(networks[own]))
        text += say("network.own", kind=INPUTS[own], pools=pools)
    if "mel" in networks and own != "mel":
        text += say("network.mel", pools=", ".join(_pools_of(networks["mel"])))
    if "stft" in networks and own != "stft":
        text += say("network.stft", bins=networks["stft"]["input"][1])
    left_out = [INPUTS[kind] for kind in INPUTS if kind not in networks]
    text += "".join(say("network.left_out", kind=kind) for kind in left_out)
    return [say("network.layers"), text]


def _illustration(networks: Mapping[str, Network]) -> Illustration:
    rows = [
        (name, layer["name"], *layer["output"])
        for name, network in networks.items()
        for layer in network["layers"]
    ]
    header = ["network", "layer", "feature maps", "bands", "frames"]
    plot = functools.partial(schematic, networks=networks)
    return figure("network", plot, pd.DataFrame(rows, columns=header))


def _poolings(networks: Mapping[str, Network]) -> Table:
    """Tabulates Table II, and the poolings and maps of each network beside it."""
    printed = [
        f"({paper.TABLE_2_CHANNELS}, {_tuple(paper.TABLE_2_KERNEL)}) and {_tuple(pool)}"
        for pool in paper.TABLE_2_POOLS
    ]
    tags = f"({paper.TABLE_2_OUTPUTS})"
    columns: dict[str, list[str | None]] = {
        "": ["input", *(f"conv{k + 1}" for k in range(len(printed))), "tags"],
        "Table II": [_tuple(paper.TABLE_2_INPUT), *printed, tags],
    }
    for name, network in networks.items():
        layers = network["layers"]
        columns[name] = [None, *map(_layer, layers)]
        maps = [network["input"], *(layer["output"] for layer in layers)]
        columns[f"{name}: map after it"] = [_tuple(size) for size in maps]
    # A network of other layers than the table's leaves dashes.
    return captioned("table_2", columns)


def _costs(name: str, network: Network) -> Table:
    keys = {"name": "layer", "parameters": "parameters"}
    keys |= {"multiply_adds": "multiply-adds"}
    layers = pd.DataFrame([*network["layers"], {**network, "name": "all"}])
    frame = layers[[*keys]].rename(columns=keys)
    frame["share"] = frame["multiply-adds"] / network["multiply_adds"]
    formats: Formats = {"parameters": ",", "multiply-adds": ",", "share": percent}
    return captioned("costs", frame, formats, [len(frame) - 1], name=name)


def _claims(networks: Mapping[str, Network], own: str | None) -> list[Claim]:
    """Judges what the paper says of its networks; nothing is claimed of the user's."""
    found = []
    if "mel" in networks and own != "mel":
        mel = networks["mel"]
        ours, bands = _pools_of(mel), mel["input"][1]
        pools = [_tuple(pool) for pool in paper.TABLE_2_POOLS]
        left = bands_left(bands, paper.TABLE_2_POOLS)[-1]
        counted = (
            f"counted over {len(mel['layers'])} layers, batch statistics left out."
        )
        of_size = judges.fact(mel["parameters"] == paper.MEL_PARAMETERS, counted)
        if (channels := mel["layers"][0]["output"][0]) != paper.TABLE_2_CHANNELS:
            of_size = judges.unknown(f"{channels} feature maps were asked for.")
        why = f"the table's poolings leave {left} of {bands} bands."
        of_pools, printed = judges.fact(ours == pools, why), ", ".join(pools)
        found = [
            claim("mel-parameters", f"{mel['parameters']:,}", *of_size),
            claim("mel-poolings", ", ".join(ours), *of_pools, printed=printed),
        ]
    if len(networks) == len(INPUTS) and not own:
        mel, stft = (networks[kind]["multiply_adds"] for kind in ("mel", "stft"))
        here = f"STFT takes {stft / mel:.2f} times the multiply-adds of mel"
        why = say("network.cost", stft=stft / 1e6, mel=mel / 1e6)
        found.append(claim("mel-computation", here, *judges.fact(stft > mel, why)))
    return found


def _pools_of(network: Network) -> list[str]:
    return [_tuple(layer["pool"]) for layer in network["layers"] if layer["pool"]]


def _layer(layer: Mapping[str, Any]) -> str:
    if not layer["pool"]:
        return f"({layer['output'][0]})"
    kernel, pool = _tuple(layer["kernel"]), _tuple(layer["pool"])
    return f"({layer['output'][0]}, {kernel}) and {pool}"


def _tuple(sizes: Iterable[int]) -> str:
    return f"({', '.join(map(str, sizes))})"
