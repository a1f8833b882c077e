"""Markdown shows what was written, whatever it holds; the judge is a parser."""

import pytest

from msd_tagger.pages.markdown import escape, markdown_table
from msd_tagger.pages.tables import Table
from tests.made_up_studies import HTML, LONG_TAG

NASTY = [
    HTML,
    LONG_TAG,
    "a | b || c",
    "# 1",
    "1. first",
    "2) second",
    "- item",
    "+ item",
    "= rule",
    "> said",
    "_so_ and so_so",
    "**bold** ~~gone~~ `code`",
    "[link](http://x.y) ![image](z.png)",
    "R&B &amp; R&#38;B",
    r"back\slash \| \\",
    "$x$ and A$AP",
    "---",
]


def shown(markdown: str) -> list[str]:
    """Returns every text that a parser of GitHub's Markdown would show."""
    parser = pytest.importorskip(
        "markdown_it", reason="the outside judge, markdown-it-py, is not installed"
    )
    tokens = parser.MarkdownIt("commonmark").enable(["table", "strikethrough"])
    found = []
    for token in tokens.parse(markdown):
        if token.type == "inline":
            kinds = {child.type for child in token.children}
            assert kinds <= {"text", "text_special", "softbreak"}, kinds
            found.append("".join(child.content for child in token.children))
        assert not token.type.startswith(("heading", "bullet", "ordered", "html"))
    return found


@pytest.mark.parametrize("text", NASTY)
def test_a_parser_shows_the_text(text):
    assert shown(escape(text)) == [text]


def test_a_parser_shows_the_table():
    rows = [[text, text] for text in NASTY]
    text = markdown_table(Table.of_rows("", ("tag", "a | b"), rows))
    assert shown(text) == ["tag", "a | b", *(cell for row in rows for cell in row)]


def test_lines_are_joined():
    assert escape("two\nlines \t here") == "two lines here"


def test_columns_are_as_wide_as_their_cells_and_numbers_to_the_right():
    table = Table.of_rows(
        "", ("tag", "clips"), [["rock", "52944"], ["sad", "9"]], strong=[1]
    )
    assert markdown_table(table).splitlines() == [
        "| tag     |  clips |",
        "| ------- | -----: |",
        "| rock    | 52,944 |",
        "| **sad** |  **9** |",
    ]
