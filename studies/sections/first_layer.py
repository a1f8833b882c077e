"""Section IV-D.2: what scaling the input does to the first layer's biases."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from msd_tagger.common import paper
from msd_tagger.pages.tables import ABSENT, Table
from studies.records import RunRecord
from studies.study import UNDECIDED, Claim

PARAMETERS = {"bias": "convolution's bias", "beta": "batch normalisation's β"}


@dataclasses.dataclass(frozen=True)
class Ratio:
    """Mean absolute values of one parameter, scaled input against plain.

    Attributes:
        name: the pair of points.
        parameter: `bias` (of the convolution) or `beta` (of batch normalisation).
        scaled: mean absolute value with the scaled input.
        plain: with the input as it is.
    """

    name: str
    parameter: str
    scaled: float
    plain: float

    @property
    def text(self) -> str:
        """The ratio, or how it cannot be formed."""
        if self.plain:
            return f"{self.scaled / self.plain:.3g}"
        return "0/0" if not self.scaled else f"{self.scaled:.3g}/0"


def ratios(
    pairs: Mapping[str, tuple[str, str]], points: Mapping[str, RunRecord]
) -> list[Ratio]:
    """Ratios of both parameters for each pair (scaled, plain) that recorded them."""
    found = []
    for name, pair in pairs.items():
        scaled, plain = (points[one].arrays.get("first_layer", {}) for one in pair)
        found += [
            Ratio(name, key, _size(scaled[key]), _size(plain[key]))
            for key in PARAMETERS
            if key in scaled and key in plain
        ]
    return found


def tables(found: Sequence[Ratio]) -> list[Table]:
    """One row for each pair and parameter; no table without any."""
    rows = [
        [
            f"{one.name}: {PARAMETERS[one.parameter]}",
            f"{one.plain:.4g}",
            f"{one.scaled:.4g}",
            one.text,
        ]
        for one in found
    ]
    header = ("", "mean |value|, ×1", "scaled", "ratio")
    caption = (
        "The first layer's additive parameters, over channels and seeds. Batch "
        "normalisation subtracts the convolution's bias again, so its exact gradient "
        "is zero and its value says nothing."
    )
    return [Table.of_rows(caption, header, rows)] if rows else []


def claim(found: Sequence[Ratio]) -> Claim:
    """The paper's ratio of 3.4, which is no target."""
    here = "; ".join(
        f"{name}: {_range([one for one in found if one.parameter == key])}"
        for key, name in PARAMETERS.items()
    )
    return Claim(
        statement="Scaling the input by 10 makes the first layer's biases 3.4 times as "
        "large.",
        where="IV-D.2",
        paper=f"{paper.BIAS_RATIO_X10}",
        here=here if found else ABSENT,
        verdict=UNDECIDED,
        why="the convolution's bias has no exact gradient, since batch normalisation "
        "subtracts it: where that gradient is kept at zero it stays at its initial 0 "
        "(0/0), elsewhere its value is accumulated rounding. 3.4 is therefore no "
        "target; the parameter that adds to the normalised map is β.",
    )


def _range(found: Sequence[Ratio]) -> str:
    """Median and range of the ratios that can be formed."""
    values = [one.scaled / one.plain for one in found if one.plain]
    if not values:
        return found[0].text if found else ABSENT
    ends = f"{min(values):.3g} to {max(values):.3g}"
    return f"{np.median(values):.3g} ({ends} over {len(values)} pairs)"


def _size(values: np.ndarray) -> float:
    return float(np.abs(values).mean())
