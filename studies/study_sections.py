"""Makes sections of a report of studies: figures drawn, their numbers written."""

from __future__ import annotations

import csv
import dataclasses
import io
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from msd_tagger.common import files
from msd_tagger.pages import page
from msd_tagger.pages.page import Illustration
from studies.study import Study

FIGURES, NUMBERS = "figures", "numbers"

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Drawing:
    """A figure as a page shows it.

    Attributes:
        name: of its files, without ending.
        alt: what it shows.
        caption: what to know in order to read it.
        has_numbers: whether there is a CSV file.
        picture: what `page.draw` returned, or None.
        failure: why there is no picture.
    """

    name: str
    alt: str
    caption: str
    has_numbers: bool
    picture: dict[str, Any] | None = None
    failure: str = ""


@dataclasses.dataclass(frozen=True)
class Section:
    """A study as a page shows it: its anchor, itself, its figures drawn."""

    anchor: str
    study: Study
    drawings: Sequence[Drawing]


def sections_of(
    studies: Sequence[Study], workdir: Path, taken: Iterable[str]
) -> list[Section]:
    """Draws all figures and writes their numbers.

    Args:
        studies: in their order.
        workdir: gets `figures/` and `numbers/`.
        taken: anchors that no section may have.

    Returns:
        One section a study.
    """
    for name in (FIGURES, NUMBERS):
        (workdir / name).mkdir(exist_ok=True)
    anchors = page.unique([study.name for study in studies], taken)
    shown = [one for study in studies for one in study.illustrations]
    names = iter(page.unique(one.name for one in shown))
    return [
        Section(
            anchor,
            study,
            [_drawing(one, next(names), workdir) for one in study.illustrations],
        )
        for anchor, study in zip(anchors, studies, strict=True)
    ]


def _drawing(illustration: Illustration, name: str, workdir: Path) -> Drawing:
    """Writes a figure and its numbers; says so where it cannot be drawn."""
    numbers = illustration.numbers
    if numbers is not None:
        rows = (numbers.header, *numbers.rows)
        write_csv(workdir / NUMBERS / f"{name}.csv", rows)
    shared = (name, illustration.alt, illustration.caption, numbers is not None)
    try:
        picture = page.draw(illustration, workdir / FIGURES, name=name, pdf=True)
    # One figure should not cost the reader the others.
    except Exception as error:
        logger.exception("the figure %s cannot be drawn", name)
        return Drawing(*shared, failure=f"{type(error).__name__}: {error}")
    return Drawing(*shared, picture=picture)


def write_csv(path: Path, rows: Iterable[Sequence[str]]) -> None:
    """Writes a CSV file by RFC 4180, whatever characters the cells hold."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    files.write_text(path, text.getvalue())
