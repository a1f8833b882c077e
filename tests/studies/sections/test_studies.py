"""The list of studies: the paper's order, and a sentence where a part cannot be."""

import ast
import logging
from pathlib import Path

import pytest

from studies import sections as studies
from studies.records import RunRecordError, SweepRecord
from studies.study import Study


def record_of(task, missing=()):
    return SweepRecord(Path("runs/x"), {"task": task}, {}, {}, missing)


def make(task):
    return lambda record: Study(task, f"Title of {task}", ["A sentence."])


@pytest.fixture(autouse=True)
def made_up(monkeypatch):
    for task in studies.STUDIES:
        monkeypatch.setitem(studies.STUDIES, task, make(task))


def test_every_module_with_a_study_is_listed():
    found = {
        path.stem
        for path in Path(studies.__file__).parent.glob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name == "study"
    }
    assert found == set(studies.STUDIES)
    assert list(studies.STUDIES) == [*studies.PARTS, studies.SWEEP]


def test_the_paper_is_all_of_them_and_a_task_is_one():
    found = studies.studies_of(record_of("paper"))
    assert [study.name for study in found] == list(studies.PARTS)
    assert [one.name for one in studies.studies_of(record_of("tags"))] == ["tags"]


def test_a_part_without_its_points_says_so(monkeypatch, caplog):
    def study(record):
        raise RunRecordError("no point has 15 seeds")

    monkeypatch.setitem(studies.STUDIES, "variance", study)
    record = record_of("paper", ("size-mel-002", "size-mel-100"))
    found = {one.name: one for one in studies.studies_of(record)}
    assert len(found) == len(studies.PARTS)
    said = " ".join(found["variance"].paragraphs)
    assert "no point has 15 seeds" in said
    assert "Points without a complete record, 2 of 2: size-mel-002, size-mel" in said
    assert "Fig. 4" in found["variance"].title
    assert not caplog.records


def test_a_defect_is_logged_and_costs_no_other_part(monkeypatch, caplog):
    def study(record):
        return record.points["variance"]

    monkeypatch.setitem(studies.STUDIES, "variance", study)
    with caplog.at_level(logging.ERROR):
        (found,) = studies.studies_of(record_of("variance"))
    assert "KeyError: 'variance'" in " ".join(found.paragraphs)
    assert caplog.records[0].exc_info[0] is KeyError


def test_an_unknown_task_is_refused():
    with pytest.raises(ValueError, match=r"x.config\.json: task is 'dance'; .*paper"):
        studies.studies_of(record_of("dance"))
