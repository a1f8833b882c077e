"""Clips of each tag to listen to, and the page in a real browser."""

import csv

import numpy as np
import pytest
import soundfile

from studies import listening, records
from studies.report import write_report
from tests import browser
from tests.records import write_record

NAMES = ("a b#1.wav", "café?.wav", "%41.wav")


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    """A run whose first test clips have audio, under names that links must quote."""
    folder = tmp_path_factory.mktemp("heard")
    workdir = write_record(folder / "run", num_tags=3, num_clips=30, empty_tags=())
    rows = [listening.COLUMNS]
    for number in range(30):
        path = folder / "audio" / f"{number}" / NAMES[number % 3]
        path.parent.mkdir(parents=True)
        if number:  # The audio of the first was lost.
            soundfile.write(path, np.zeros(800), 8000)
        rows.append(
            (f"clip-{number:05d}", path.as_uri(), "0.02" if number == 1 else "")
        )
    with (workdir / listening.PLACES).open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return workdir


def test_clips_are_the_best_and_the_worst_by_score(workdir):
    record = records.read_run_record(workdir)
    labels, found = listening.clips_of_tags(record)
    assert labels == "true" and [tag for tag, _ in found] == record.summary["tags"]
    arrays = record.arrays["predictions_test"]
    scores, has_tag = arrays["scores"].mean(0)[:, 1], arrays["true_tags"][:, 1] > 0
    best, missed, wrong = found[1][1]
    order = np.argsort(scores)
    with_it, without = order[has_tag[order]], order[~has_tag[order]]
    for clips, rows in (
        (best, with_it[::-1]),
        (missed, with_it),
        (wrong, without[::-1]),
    ):
        assert [one.track_id for one in clips] == [f"clip-{n:05d}" for n in rows[:2]]
        assert [one.score for one in clips] == [f"{scores[n]:.2f}" for n in rows[:2]]


def test_links_are_relative_and_lead_to_files_that_are_there(workdir):
    links = {
        one.track_id: one.link
        for _, kinds in listening.clips_of_tags(records.read_run_record(workdir))[1]
        for clips in kinds
        for one in clips
    }
    assert links.get("clip-00000", "") == ""
    known = [one for one in links.values() if one]
    assert known and all(one.startswith("./../audio/") for one in known)
    assert not any(character in one for one in known for character in " ?é")


def test_without_places_there_are_names_alone(tmp_path):
    workdir = write_record(tmp_path, num_tags=3, num_clips=30)
    page = write_report(workdir).read_text(encoding="utf-8")
    assert 'id="clips"' in page and 'class="clip"' not in page


@pytest.mark.skipif(browser.EXECUTABLE is None, reason="no Chromium")
def test_the_page_plays_clips_and_sorts_tables(workdir, tmp_path):
    page = write_report(workdir)
    with browser.Browser(tmp_path) as opened:
        opened.open(page)
        for number in range(opened.run("document.querySelectorAll('a.clip').length")):
            opened.run(f"document.querySelectorAll('a.clip')[{number}].click()")
            opened.wait("player.readyState >= 2 && player.duration === 0.1")
        opened.run(
            "window.table = document.querySelector('#tags table');"
            "window.column = [...table.tHead.rows[0].cells]"
            ".findIndex(one => one.textContent === 'PR-AUC (weak)');"
            "window.shown = () => [...table.tBodies[0].rows]"
            ".map(row => row.cells[column].textContent)"
        )
        assert opened.run("column") > 0
        before = opened.run("shown()")
        opened.run("document.querySelectorAll('details').forEach(d => d.open = true)")
        opened.run("table.tHead.rows[0].cells[column].firstChild.focus()")
        sort = "table.tHead.rows[0].cells[column].ariaSort"
        for way in ("descending", "ascending", None):  # By the keyboard.
            opened.send(
                "Input.dispatchKeyEvent", type="keyDown", key="Enter", text="\r"
            )
            opened.send("Input.dispatchKeyEvent", type="keyUp", key="Enter")
            assert opened.run(sort) == way
            expected = sorted(before, reverse=way == "descending") if way else before
            assert opened.run("shown()") == expected
