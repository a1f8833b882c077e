"""A study's report as Markdown: to read in a terminal, or to commit.

Figures are links to the PNG files. Tables are those of GitHub's Markdown, their columns
padded so that they can be read unrendered.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msd_tagger.pages.tables import Table, columns_of_words, readable
from studies.study_sections import Drawing, Section

# Wider columns are of sentences: padding them would make every row as long.
MAX_PADDED = 32


def escape(text: object) -> str:
    r"""Returns one line of Markdown that shows a text as it is.

    >>> print(escape("R&B | <b>rock</b> *live*\n[1] roc_auc_macro"))
    R&B \| \<b>rock\</b> \*live\* \[1\] roc_auc_macro
    """
    line = " ".join(str(text).split())
    line = re.sub(r"[\\`*\[\]<|~$]", r"\\\g<0>", line)
    # Inside a word an underscore is one; alone, an ampersand is one.
    line = re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", line)
    line = re.sub(r"&(?=#?\w+;)", r"\\&", line)
    # At a line's start these would make a heading, a list or a quotation.
    line = re.sub(r"^(\d+)([.)])(?=\s|$)", r"\1\\\2", line)
    return re.sub(r"^([#>+=-])", r"\\\1", line)


def markdown_table(table: Table) -> str:
    """Returns a table without its caption; rows to stress are bold."""
    cells = [[escape(name) for name in table.header]]
    for number, row in enumerate(table.rows):
        shown = [row[0], *(readable(cell) for cell in row[1:])]
        mark = "**" if number in table.strong else ""
        line = [escape(cell) for cell in shown]
        cells.append([f"{mark}{cell}{mark}" if cell else "" for cell in line])
    widths = [_width(column) for column in zip(*cells, strict=True)]
    words = columns_of_words(table)
    rule = [
        "-" * width if k in words else "-" * (width - 1) + ":"
        for k, width in enumerate(widths)
    ]
    lines = [cells[0], rule, *cells[1:]]
    return "\n".join(_line(line, widths, words) for line in lines)


def render(
    *,
    title: str,
    corpus: Mapping[str, Any],
    facts: Sequence[tuple[str, str, str]],
    sections: Sequence[Section],
    points: Table | None,
    point_keys: Table | None,
    missing: Sequence[str],
    config_table: Table,
    environment: Mapping[str, Any],
) -> str:
    """Returns the report; the arguments are those of the page (`study_report.py`)."""
    blocks = [f"# {escape(title)}", _corpus_line(corpus)]
    if corpus["notice"]:
        bold, words = corpus["notice"]
        blocks.append(f"> {f'**{bold}** ' if bold else ''}{escape(words)}")
    if facts:
        blocks.append(_list(f"{value} {what}: {rest}" for value, what, rest in facts))
    blocks += _claims(sections)
    for section in sections:
        blocks += _section(section)
    if points:
        blocks += ["## Points", *_points(points, missing)]
    if point_keys:
        blocks += [escape(point_keys.caption), markdown_table(point_keys)]
    blocks += ["## Configuration", _changed(config_table)]
    lines = (f"{key}: {value}" for key, value in environment.items())
    blocks += ["## Environment", _list(lines)]
    return "\n\n".join(blocks) + "\n"


def _corpus_line(corpus: Mapping[str, Any]) -> str:
    """Returns name, version and clips of the corpus."""
    version = f", version {corpus['version']}" if corpus["version"] else ""
    counts = "".join(f" · {count:,} {split}" for split, count in corpus["counts"])
    return escape(f"Corpus {corpus['name']}{version}{counts}")


def _claims(sections: Sequence[Section]) -> list[str]:
    """Returns the table of all claims, if there is one."""
    claims = [claim for section in sections for claim in section.study.claims]
    if not claims:
        return []
    header = ("claim", "where", "paper", "here", "verdict", "why")
    rows = [dataclasses.astuple(claim) for claim in claims]
    title = "## What the paper claims, and what was found here"
    return [title, markdown_table(Table("", header, rows))]


def _section(section: Section) -> list[str]:
    """Returns a study's blocks."""
    study = section.study
    blocks = [f"## {escape(study.title)}", *map(escape, study.paragraphs)]
    for drawing in section.drawings:
        blocks += _figure(drawing)
    for table in study.tables:
        blocks += [escape(table.caption), markdown_table(table)]
    return [block for block in blocks if block]


def _figure(drawing: Drawing) -> list[str]:
    """Returns a figure's picture and caption, or why there is none."""
    alt = escape(drawing.alt)
    if drawing.picture is None:
        failure = escape(drawing.failure)
        picture = f"This figure could not be drawn: {failure}. It was to show: {alt}"
    else:
        picture = f"![{alt}](figures/{drawing.name}.png)"
    files = f"[numbers](numbers/{drawing.name}.csv)" if drawing.has_numbers else ""
    caption = f"{escape(drawing.caption)} {files}".strip()
    return [picture, caption] if caption else [picture]


def _points(points: Table, missing: Sequence[str]) -> list[str]:
    """Returns the table of points, and what to do about those that are missing."""
    blocks = [escape(points.caption), markdown_table(points)]
    if missing:
        blocks.insert(
            0,
            f"Points without a complete record, {len(missing)} of {len(points.rows)}: "
            f"{escape(', '.join(missing))}. The command that started the study goes on "
            "with them.",
        )
    return blocks


def _changed(table: Table) -> str:
    """Returns the keys that differ from their default; all, if that is not known."""
    if len(table.header) < 3:
        return markdown_table(table)
    if not table.strong:
        return "Every key has its default."
    rows = [table.rows[row] for row in table.strong]
    text = markdown_table(Table("", table.header, rows))
    return f"Keys that differ from their default.\n\n{text}"


def _list(lines: Iterable[str]) -> str:
    """Returns a bulleted list."""
    return "\n".join(f"- {escape(line)}" for line in lines)


def _width(column: Sequence[str]) -> int:
    """Returns how wide to pad a column."""
    widest = max(len(cell) for cell in column)
    # A rule has three dashes, or it is none.
    return max(3, widest if widest <= MAX_PADDED else len(column[0]))


def _line(cells: Sequence[str], widths: Sequence[int], words: set[int]) -> str:
    """Returns one row, words to the left and numbers to the right."""
    padded = (
        cell.ljust(width) if k in words else cell.rjust(width)
        for k, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return f"| {' | '.join(padded)} |"
