"""A study's report: whole, self-contained, escaped, and tolerant of what is missing."""

import csv
import dataclasses
import html.parser
import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest

from msd_tagger.pages import page as pages
from msd_tagger.pages.tables import Table
from studies import sections as studies
from studies import study_report
from studies.records import read_sweep_record
from studies.report import TEMPLATES
from studies.study import VERDICTS
from studies.study_report import (
    CLAIM_HEADER,
    sections_of,
    write_report_of,
    write_study_report,
)
from tests.made_up_studies import (
    HTML,
    LONG_TAG,
    all_studies,
    claims_only,
    empty_study,
    whole_study,
    write_sweep,
)
from tests.records import write_json, write_record

POINTS = {
    "variance": {},
    "size-stft-100": {"spectrogram.kind": "stft", "train.fraction": 1.0},
}
MISSING = {"size-stft-002": {"train.fraction": 0.02}}


class Page(html.parser.HTMLParser):
    """Collects a page's text, ids, links, loaded addresses, images and tables."""

    VOID = frozenset({"meta", "img", "source", "br", "hr", "link"})

    def __init__(self, path: Path):
        super().__init__()
        self.ids, self.links, self.loaded, self.images = [], [], [], []
        self.tables, self.verdicts, self.open, self.words = [], [], [], []
        self.feed(path.read_text(encoding="utf-8"))
        assert not self.open
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.ids += [found["id"]] if "id" in found else []
        for name in ("src", "srcset", "href", "data", "poster", "action"):
            if name in found:
                place = self.links if tag == "a" else self.loaded
                place.append(found[name])
        if tag == "img":
            self.images.append(found)
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append(0)
        if tag in ("td", "th"):
            self.tables[-1][-1] += int(found.get("colspan", 1))
        if "verdict" in found.get("class", "").split():
            self.verdicts.append(found["class"])
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] not in (["style"], ["script"]):
            self.words.append(data)


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    """Everything that a report may hold, written once."""
    workdir = write_sweep(tmp_path_factory.mktemp("paper"), POINTS, MISSING)
    record = read_sweep_record(workdir)
    logging.disable(logging.ERROR)
    path = write_study_report(record, all_studies(), 'The "paper" & <more>')
    logging.disable(logging.NOTSET)
    assert path == workdir / "report.html"
    return workdir


@pytest.fixture(scope="module")
def page(workdir):
    return Page(workdir / "report.html")


def read_csv(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_nothing_is_loaded_from_elsewhere(workdir, page):
    assert page.loaded and all(one.startswith("data:") for one in page.loaded)
    content = (workdir / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"@import|url\(|<script \w|fetch\(|\bimport\b", content)


def test_links_lead_somewhere_and_ids_are_unique(workdir, page):
    assert len(set(page.ids)) == len(page.ids)
    assert {"variance", "variance-2", "config", "config-2", "claims"} <= set(page.ids)
    for link in page.links:
        if link.startswith("#"):
            assert link[1:] in page.ids
        else:
            assert (workdir / link).is_file(), link
    named = {link[1:] for link in page.links if link.startswith("#")}
    assert {one for one in page.ids if not one.startswith("figure-")} == named


def test_every_figure_is_drawn_for_page_and_paper(workdir, page):
    names = {path.name for path in (workdir / "figures").iterdir()}
    kinds = ("png", "svg", "pdf")
    assert names == {f"{name}.{kind}" for name in ("bars", "wide") for kind in kinds}
    assert (workdir / "figures" / "wide.pdf").read_bytes().startswith(b"%PDF")
    alts = [image["alt"] for image in page.images]
    assert alts == ["Bars: three tags.", 'Bars: "wide" <7 in>.']


def test_a_figure_that_fails_is_named_and_costs_no_other(workdir, page):
    said = "This figure could not be drawn: ZeroDivisionError: no clips."
    assert said in page.text.replace("clips .", "clips.")
    assert said in (workdir / "report.md").read_text(encoding="utf-8")


def test_names_and_sentences_are_escaped(workdir, page):
    content = (workdir / "report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in content and "<b>" not in content
    assert page.text.count(HTML) == 3  # a sentence, a caption, a claim
    assert LONG_TAG in page.text and 'The "paper" & <more>' in page.text


def test_verdicts_have_a_colour_and_a_word(page):
    looks = ["verdict holds", "verdict fails", "verdict undecided"]
    assert page.verdicts == looks
    assert all(verdict in page.text for verdict in VERDICTS)
    assert "1 of 3 claims hold here 1 do not, 1 cannot be said" in page.text
    # Their rules stand below them.
    assert "wrong in at most 6 % of them" in page.text


def test_rows_are_as_long_as_their_header(page):
    sizes = [(set(rows), len(rows)) for rows in page.tables]
    # Claims in two groups, clips per tag, sixty rows, points, their keys, what more
    # seeds would show; the rest has pairs.
    assert sizes[:4] == [({6}, 6), ({5}, 4), ({2}, 61), ({7}, 4)]
    assert [widths for widths, _ in sizes[4:]] == [{2}, {3}, {2}, {2}]


def test_large_numbers_have_commas_and_small_ones_do_not(page):
    for number in ("52,944", "1,257", "71,126.9", " 999 ", "5,000.0"):
        assert number in page.text
    assert "52944" not in page.text


def test_points_are_listed_and_the_missing_named(page):
    assert "2 of 3 points complete" in page.text
    assert "Points without a complete record, 1 of 3: size-stft-002." in page.text
    assert "size-stft-002 (missing) – – – – – –" in page.text
    assert "size-stft-002 train.fraction=0.02" in page.text
    assert "size-stft-100 2 600 600 4 min 11 s" in page.text


def test_the_synthetic_corpus_is_named_for_what_it_is(workdir, page):
    said = "Synthetic corpus. Every number on this page was measured on made-up music"
    assert said in page.text
    text = (workdir / "report.md").read_text(encoding="utf-8")
    assert "**Synthetic corpus.** Every number on this page" in text


def test_numbers_read_back_as_they_were(workdir):
    study = whole_study()
    numbers = study.illustrations[0].numbers()
    for name in ("bars", "bars-2"):
        rows = read_csv(workdir / "numbers" / f"{name}.csv")
        assert rows == numbers
    assert len(list((workdir / "numbers").iterdir())) == 2


def test_claims_read_back_as_they_were(workdir):
    header, *rows = read_csv(workdir / "claims.csv")
    assert header == ["study", "claim", "where", "paper", "here", "verdict", "why"]
    assert [row[0] for row in rows] == ["variance", "variance", "config"]
    first = whole_study().claims[0]
    assert rows[0][1:4] == [first.statement, first.where, first.paper]
    assert rows[0][4:] == [first.here, first.verdict, first.why]


def test_the_same_files_when_written_again(workdir, tmp_path):
    again = write_sweep(tmp_path, POINTS, MISSING)
    write_study_report(read_sweep_record(again), [whole_study()], "x")
    files = {path: path.read_bytes() for path in again.rglob("*.*")}
    assert again / "figures" / "wide.pdf" in files
    write_study_report(read_sweep_record(again), [whole_study()], "x")
    assert files == {path: path.read_bytes() for path in again.rglob("*.*")}


def test_no_studies_and_no_points(tmp_path):
    workdir = write_sweep(tmp_path, {}, task="tags")
    record = read_sweep_record(workdir)
    page = Page(write_study_report(record, [empty_study()], "empty"))
    assert "claims" not in page.ids and "points" not in page.ids
    assert not page.images and "nan" not in page.text.lower().split()
    # Whoever trained nothing knows the corpus from the study's own file, if at all.
    assert "Synthetic corpus." in page.text and "version" not in page.text.split()[:9]
    known = {"name": "synthetic", "version": "9.9", "counts": {"train": 4000}}
    write_json(workdir / "corpus.json", known)
    page = Page(write_study_report(record, [], "empty"))
    assert "Corpus synthetic, version 9.9 · 4,000 train" in page.text


def test_points_without_truth_and_settings_that_are_defaults(tmp_path):
    corpus = {"name": "mine", "counts": {"train": 4000}, "train_clips_used": 80}
    workdir = write_sweep(tmp_path, POINTS, with_truth=False, corpus=corpus)
    write_json(workdir / "config_default.json", {"num_seeds": 1})
    page = Page(write_study_report(read_sweep_record(workdir), [], "t"))
    assert "Corpus mine · 4,000 train What" not in page.text
    assert "Corpus mine · 4,000 train" in page.text and "trained on" not in page.text
    assert "AUC, weak" in page.text and "AUC, true" not in page.text
    assert "variance 2 80 600" in page.text and "Synthetic" not in page.text
    text = (workdir / "report.md").read_text(encoding="utf-8")
    assert re.search(r"\| num_seeds +\| +2 +\| +1 +\|", text)


def test_the_report_of_a_run_is_that_of_a_run(tmp_path, monkeypatch):
    monkeypatch.setattr(study_report, "write_report", lambda workdir: workdir / "run")
    assert write_report_of(str(write_record(tmp_path))) == tmp_path / "run"


def test_the_report_of_the_paper_has_all_parts(tmp_path, monkeypatch):
    for task in studies.STUDIES:
        study = claims_only() if task == "tags" else empty_study()
        monkeypatch.setitem(studies.STUDIES, task, lambda record, study=study: study)
    page = Page(write_report_of(write_sweep(tmp_path, POINTS)))
    assert page.text.startswith("The paper, redrawn")
    assert page.text.count("Nothing at all") == 2 * (len(studies.PARTS) - 1)


def test_the_report_of_one_task(tmp_path, monkeypatch):
    monkeypatch.setitem(studies.STUDIES, "tags", lambda record: claims_only())
    page = Page(write_report_of(write_sweep(tmp_path, {}, task="tags")))
    assert page.text.startswith("Claims only")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (None, r"neither a run nor a study: no config\.json"),
        ({"task": "dance"}, "task is 'dance'; the studies are paper, tags"),
    ],
)
def test_a_folder_that_holds_neither(tmp_path, config, message):
    if config:
        write_json(tmp_path / "config.json", config)
        write_json(tmp_path / "environment.json", {})
    with pytest.raises(ValueError, match=message) as found:
        write_report_of(tmp_path)
    assert str(tmp_path) in str(found.value)
    assert not (tmp_path / "report.html").exists()


def test_a_report_needs_no_jax(tmp_path):
    workdir = write_sweep(tmp_path, {}, task="tags")
    program = (
        "import sys\n"
        "from studies.study_report import write_report_of\n"
        f"write_report_of({str(workdir)!r})\n"
        "assert not {'jax', 'tensorflow', 'input_pipeline'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)


def rows_of(text: str) -> list[list[str]]:
    """Splits a table's lines at the bars that are not escaped."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines
    ]


@pytest.fixture(scope="module")
def markdown(tmp_path_factory):
    tmp_path = tmp_path_factory.mktemp("report")
    shown = all_studies()[:2]
    keys = Table.of_rows("", ("key", "value", "default"), [["a", "1", "1"]])
    sections = sections_of(shown, tmp_path, ())
    claims = [dataclasses.astuple(c) for one in shown for c in one.claims]
    return pages.render(
        "study.md.j2",
        TEMPLATES,
        title="x",
        origin="folder x",
        unfinished=("Not finished.", "0 of 1 points | none:", "main.py --x"),
        corpus={"name": "my | music", "version": None, "counts": [], "notice": None},
        facts=[("1 of 2", "claims hold", "1 does not")],
        claims=Table.of_rows("", CLAIM_HEADER, claims),
        rules=["<b> *is* one"],
        sections=sections,
        points=Table.of_rows("All", ("point", "steps"), [["variance", "4000"]]),
        point_keys=None,
        foresight=None,
        missing=["variance"],
        config_table=keys,
        changed_keys=Table(keys.frame[:0]),
        environment={"device": "cpu | gpu"},
    ), tmp_path


def test_every_table_has_rows_of_one_length(markdown):
    text, _ = markdown
    blocks = [block for block in text.split("\n\n") if block.startswith("|")]
    widths = [{len(row) for row in rows_of(block)} for block in blocks]
    assert widths == [{6}, {5}, {2}, {2}]
    assert [len(rows_of(block)) for block in blocks] == [5, 5, 62, 3]


def test_pictures_and_numbers_that_are_linked_exist(markdown):
    text, workdir = markdown
    links = re.findall(r"\]\(([^)]+)\)", text)
    pictures, numbers = ["figures/bars.png"], ["numbers/bars.csv"]
    assert set(pictures + numbers) <= set(links)
    assert "figures/bars-2.png" not in links
    assert all((workdir / link).is_file() for link in links)


def test_what_is_missing_and_what_is_usual_is_said(markdown):
    text, _ = markdown
    assert "Points without a complete record, 1 of 1: variance." in text
    assert "Every key has its default." in text
