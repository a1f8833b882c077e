"""The networks layer by layer (Fig. 3, Table II)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from msd_tagger.common import paper
from msd_tagger.pages.page import Illustration
from msd_tagger.pages.tables import ABSENT, Table, percent
from studies.records import SweepRecord, read_json
from studies.study import FAILS, HOLDS, Claim, Study
from studies.study_figures.network import schematic

NAME = "network"
TITLE = "The networks (Fig. 3, Table II)"
FILE = "network.json"
KINDS = {"mel": "mel", "stft": "STFT"}

Network = Mapping[str, Any]


def study(record: SweepRecord) -> Study:
    """Draws the networks that `network.json` describes, and sets Table II beside them.

    Args:
        record: a study's folder.

    Returns:
        The section; without that file, a sentence that says so.
    """
    path = record.workdir / FILE
    if not path.exists():
        return Study(NAME, TITLE, [f"There is no {FILE}: the networks are left out."])
    networks = read_json(path)
    networks = {kind: networks[kind] for kind in KINDS if kind in networks}
    shown = {KINDS[kind]: network for kind, network in networks.items()}
    return Study(
        name=NAME,
        title=TITLE,
        paragraphs=_paragraphs(networks),
        illustrations=[_illustration(shown)],
        tables=[_poolings(shown), *(_costs(*item) for item in shown.items())],
        claims=_claims(networks),
    )


def bands_left(bands: int, pools: tuple[tuple[int, int], ...]) -> list[int]:
    """How many bands each pooling leaves, rounded down.

    >>> bands_left(96, ((2, 4), (4, 4), (4, 5), (2, 4), (4, 4)))
    [48, 12, 3, 1, 0]
    """
    left = []
    for pool, _ in pools:
        bands //= pool
        left.append(bands)
    return left


def _paragraphs(networks: Mapping[str, Network]) -> list[str]:
    found = [
        "Shapes, parameters and multiply-adds of one clip, read from the built "
        "networks. Each layer is a 3 × 3 convolution with bias that keeps bands and "
        "frames, batch normalisation, ELU and max-pooling; the tags are one dense "
        "layer of what is left, 1 × 1 for each feature map."
    ]
    product = int(np.prod([pool for pool, _ in paper.TABLE_2_POOLS]))
    channels, bands, frames = paper.TABLE_2_INPUT
    left = ", ".join(map(str, bands_left(bands, paper.TABLE_2_POOLS)))
    text = (
        f"Table II's poolings in frequency multiply to {product}. Its input of "
        f"({channels}, {bands}, {frames}) would be left with {left} bands after the "
        "five layers, so the table cannot be that of the mel network."
    )
    if "mel" in networks:
        ours = ", ".join(_pools_of(networks["mel"]))
        text += f" The mel network pools {ours}, as its authors published it."
    if "stft" in networks:
        bins = networks["stft"]["input"][1]
        text += f" Table II's poolings fit the {bins} bins of the STFT."
    return [*found, text]


def _illustration(networks: Mapping[str, Network]) -> Illustration:
    rows = [
        [kind, layer["name"], *map(str, layer["output"])]
        for kind, network in networks.items()
        for layer in network["layers"]
    ]
    return Illustration(
        name="network",
        plot=partial(schematic, networks),
        alt="Maps that shrink from a spectrogram to one value per feature map.",
        caption=(
            "Fig. 3. Maps between the layers, as feature maps × bands × frames; their "
            "lengths are drawn as cube roots."
        ),
        numbers=Table.of_rows(
            "Maps after each layer",
            ("network", "layer", "feature maps", "bands", "frames"),
            rows,
        ),
    )


def _poolings(networks: Mapping[str, Network]) -> Table:
    """Table II, and the poolings and maps of each network beside it."""
    rows = [["input", _map(paper.TABLE_2_INPUT)]]
    rows += [
        [
            f"conv{number}",
            f"({paper.TABLE_2_CHANNELS}, {_pair(paper.TABLE_2_KERNEL)}) "
            f"and {_pair(pool)}",
        ]
        for number, pool in enumerate(paper.TABLE_2_POOLS, start=1)
    ]
    rows += [["tags", f"({paper.TABLE_2_OUTPUTS})"]]
    header = ["", "Table II"]
    for kind, network in networks.items():
        header += [kind, f"{kind}: map after it"]
        rows[0] += [ABSENT, _map(network["input"])]
        for row, layer in zip(rows[1:], network["layers"], strict=False):
            row += [_layer(layer), _map(layer["output"])]
    caption = (
        "Table II: feature maps, kernel and pooling in frequency and time of each "
        "layer; maps as (feature maps, bands, frames)."
    )
    return Table.of_rows(caption, header, rows)


def _costs(kind: str, network: Network) -> Table:
    """Parameters and multiply-adds of each layer."""
    total = network["multiply_adds"]
    rows = [
        [
            layer["name"],
            f"{layer['parameters']:,}",
            f"{layer['multiply_adds']:,}",
            f"{percent(layer['multiply_adds'] / total)}",
        ]
        for layer in network["layers"]
    ]
    rows.append(["all", f"{network['parameters']:,}", f"{total:,}", "100 %"])
    caption = (
        f"{kind}: trainable parameters, and multiply-adds of the convolutions and the "
        "dense layer for one clip."
    )
    header = ("layer", "parameters", "multiply-adds", "share")
    return Table.of_rows(caption, header, rows, [len(rows) - 1])


def _claims(networks: Mapping[str, Network]) -> list[Claim]:
    claims = []
    if "mel" in networks:
        claims += [_parameters(networks["mel"]), _table_2(networks["mel"])]
    if len(networks) == len(KINDS):
        claims.append(_reduced(networks["mel"], networks["stft"]))
    return claims


def _parameters(mel: Network) -> Claim:
    found = mel["parameters"]
    return Claim(
        "The mel network has the parameters of the published weights.",
        "Fig. 3, published weights",
        f"{paper.MEL_PARAMETERS:,}",
        f"{found:,}",
        HOLDS if found == paper.MEL_PARAMETERS else FAILS,
        f"counted over {len(mel['layers'])} layers, batch statistics left out.",
    )


def _table_2(mel: Network) -> Claim:
    bands, ours = mel["input"][1], _pools_of(mel)
    printed = [_pair(pool) for pool in paper.TABLE_2_POOLS]
    left = bands_left(bands, paper.TABLE_2_POOLS)[-1]
    return Claim(
        "Table II gives the poolings of the mel network.",
        "Table II",
        ", ".join(printed),
        ", ".join(ours),
        HOLDS if ours == printed else FAILS,
        f"the table's leave {left} of {bands} bands.",
    )


def _reduced(mel: Network, stft: Network) -> Claim:
    ratio = stft["multiply_adds"] / mel["multiply_adds"]
    return Claim(
        "The smaller size of mel spectrograms reduces computation.",
        "IV-B",
        "less than STFT",
        f"STFT takes {ratio:.2f} times the multiply-adds of mel",
        HOLDS if ratio > 1 else FAILS,
        f"{stft['multiply_adds'] / 1e6:,.0f} and {mel['multiply_adds'] / 1e6:,.0f} "
        "million a clip; measured times are in the study of data sizes.",
    )


def _pools_of(network: Network) -> list[str]:
    return [_pair(layer["pool"]) for layer in network["layers"] if layer["pool"]]


def _layer(layer: Network) -> str:
    if not layer["pool"]:
        return f"({layer['output'][0]})"
    kernel, pool = _pair(layer["kernel"]), _pair(layer["pool"])
    return f"({layer['output'][0]}, {kernel}) and {pool}"


def _map(size: Any) -> str:
    return f"({', '.join(map(str, size))})"


def _pair(sizes: Any) -> str:
    return f"({', '.join(map(str, sizes))})"
