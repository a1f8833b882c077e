"""Markdown shows what was written, whatever it holds; the judge is a parser."""

import dataclasses
import re

import pytest

from msd_tagger.pages import page
from msd_tagger.pages.markdown import escape, markdown_table
from msd_tagger.pages.tables import Table
from studies.report import TEMPLATES
from studies.study_report import CLAIM_HEADER, sections_of
from tests.made_up_studies import HTML, LONG_TAG, all_studies

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


def rows_of(text: str) -> list[list[str]]:
    """Splits a table's lines at the bars that are not escaped."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines
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


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    tmp_path = tmp_path_factory.mktemp("report")
    studies = all_studies()[:2]
    keys = Table.of_rows("", ("key", "value", "default"), [["a", "1", "1"]])
    sections = sections_of(studies, tmp_path, ())
    claims = [dataclasses.astuple(c) for one in studies for c in one.claims]
    return page.render(
        "study.md.j2",
        TEMPLATES,
        title="x",
        corpus={"name": "my | music", "version": None, "counts": [], "notice": None},
        facts=[("1 of 2", "claims hold", "1 does not")],
        claims=Table.of_rows("", CLAIM_HEADER, claims),
        sections=sections,
        points=Table.of_rows("All", ("point", "steps"), [["variance", "4000"]]),
        point_keys=None,
        missing=["variance"],
        config_table=keys,
        changed_keys=Table(keys.frame[:0]),
        environment={"device": "cpu | gpu"},
    ), tmp_path


def test_every_table_has_rows_of_one_length(report):
    text, _ = report
    blocks = [block for block in text.split("\n\n") if block.startswith("|")]
    widths = [{len(row) for row in rows_of(block)} for block in blocks]
    assert widths == [{6}, {5}, {2}, {2}]
    assert [len(rows_of(block)) for block in blocks] == [5, 5, 62, 3]


def test_pictures_and_numbers_that_are_linked_exist(report):
    text, workdir = report
    links = re.findall(r"\]\(([^)]+)\)", text)
    pictures, numbers = ["figures/bars.png"], ["numbers/bars.csv"]
    assert set(pictures + numbers) <= set(links)
    assert "figures/bars-2.png" not in links
    assert all((workdir / link).is_file() for link in links)


def test_what_is_missing_and_what_is_usual_is_said(report):
    text, _ = report
    assert "Points without a complete record, 1 of 1: variance." in text
    assert "Every key has its default." in text
