"""Text and tables as GitHub's Markdown, to read in a terminal or to commit."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msd_tagger.pages.tables import Table, columns_of_words, readable

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
    """Returns a table without its caption, padded so that it reads well unrendered.

    Rows to stress are bold.
    """
    lines = [[escape(name) for name in table.header]]
    for number, row in enumerate(table.rows):
        mark = "**" if number in table.strong else ""
        shown = [escape(cell) for cell in [row[0], *map(readable, row[1:])]]
        lines.append([f"{mark}{cell}{mark}" if cell else "" for cell in shown])
    widths = [_width(column) for column in zip(*lines, strict=True)]
    words = columns_of_words(table)
    rule = ["-" * (w - 1) + ("-" if k in words else ":") for k, w in enumerate(widths)]
    return "\n".join(
        _line(line, widths, words) for line in [lines[0], rule, *lines[1:]]
    )


def _width(column: Sequence[str]) -> int:
    """Returns how wide to pad a column."""
    widest = max(map(len, column))
    # A rule has three dashes, or it is none.
    return max(3, widest if widest <= MAX_PADDED else len(column[0]))


def _line(cells: Sequence[str], widths: Sequence[int], words: set[int]) -> str:
    """Returns one row, words to the left and numbers to the right."""
    padded = (
        cell.ljust(width) if k in words else cell.rjust(width)
        for k, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return f"| {' | '.join(padded)} |"
