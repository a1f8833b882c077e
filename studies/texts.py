"""The words of the sections, which stand in `sections/claims.toml` and `texts.toml`.

In both files {NAME} is a number of the paper (`msd_tagger.common.paper`) and {name} a
value that the section hands over.
"""

import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from msd_tagger.common import paper
from msd_tagger.common.text import text_path
from msd_tagger.pages.page import Illustration
from msd_tagger.pages.tables import ABSENT, Formats, Table
from studies.study import Claim

FOLDER = Path(__file__).with_name("sections")
CLAIMS, TEXTS = (
    tomllib.loads((FOLDER / name).read_text(encoding="utf-8"))
    for name in ("claims.toml", "texts.toml")
)


def claim(key: str, here: str, verdict: str, why: str, **values: Any) -> Claim:
    """Completes a row of `claims.toml` by what was found here and its verdict.

    `values` fill the blanks of a row that stands for several claims.
    """
    fixed = {field: _fill(text, values) for field, text in CLAIMS[key].items()}
    return Claim(**fixed, here=here, verdict=verdict, why=why)


def say(key: str, **values: Any) -> str:
    """Fills a text of `texts.toml`: a sentence, or the caption of a table."""
    section, name = key.split(".")
    return _fill(TEXTS[section][name], values)


def rows(key: str, **values: Any) -> list[list[str]]:
    """Fills the cells of a table of `texts.toml`."""
    section, name = key.split(".")
    return [[_fill(cell, values) for cell in row] for row in TEXTS[section][name]]


def figure(
    key: str, plot: Callable[..., Figure], frame: pd.DataFrame, **values: Any
) -> Illustration:
    """Makes a figure whose texts and formats of columns are in `texts.toml`.

    Of two that differ in the labels alone, that of the true ones has them in its name.
    """
    alt, caption = (say(f"{key}.{part}", **values) for part in ("alt", "caption"))
    suffix = "_true" if values.get("labels") == "true" else ""
    formats = TEXTS[key].get("formats", {})
    return Illustration(key + suffix, plot, alt, caption, frame, formats)


def captioned(
    key: str,
    columns: pd.DataFrame | Mapping[str, Iterable[Any]],
    formats: Formats | None = None,
    strong: Collection[int] = (),
    **values: Any,
) -> Table:
    """Makes a table with its caption; columns that are shorter end in dashes."""
    if not isinstance(columns, pd.DataFrame):
        cells = {k: pd.Series([*v], dtype=object) for k, v in columns.items()}
        columns = pd.DataFrame(cells)
    return Table(columns, say(f"tables.{key}", **values), formats or {}, strong)


def span(ends: Iterable[float], digits: int = 3) -> str:
    """Prints an interval of what has no sign of its own; a dash if an end is unknown.

    >>> span((0.4771, 0.986)), span((float("nan"), 1))
    ('0.477 to 0.986', '–')
    """
    known = [f"{one:.{digits}f}".replace("-", "−") for one in ends if np.isfinite(one)]
    return " to ".join(known) if len(known) == 2 else ABSENT


def short(value: object) -> str:
    """Prints the value of a key without needless digits."""
    return f"{value:g}" if isinstance(value, float) else text_path(str(value))


def _fill(text: str, values: dict[str, Any]) -> str:
    return text.format_map(vars(paper) | values)
