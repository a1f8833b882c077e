"""What Label Studio is given, and what its export says."""

import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from studies.annotation.answers import (
    AnnotationError,
    Answer,
    check_answers,
    read_export,
)
from studies.annotation.label_studio import export_tasks
from studies.annotation.subsets import balanced_subset
from tests.subsets import NASTY, make_clips, make_subset


def answered(task: dict, by: object, **choices: str) -> dict:
    """One annotation as Label Studio exports it."""
    result = [
        {
            "from_name": name,
            "to_name": "audio",
            "type": "choices",
            "origin": "manual",
            "value": {"choices": [choice]},
        }
        for name, choice in choices.items()
    ]
    return {"id": 7, "completed_by": by, "was_cancelled": False, "result": result}


def test_tasks_come_back_as_answers(tmp_path):
    subset = make_subset()
    path = export_tasks(tmp_path / "out", subset, make_clips(tmp_path, subset))
    tasks = json.loads(path.read_text(encoding="utf-8"))
    assert [task["data"]["track_id"] for task in tasks] == subset.track_id.tolist()
    assert set(subset.track_id) == set(NASTY)
    assert "hidden" not in path.read_text() and "rock" not in path.read_text()
    folder = f"subset400_audio_{subset.digest[:8]}"
    url = f"/data/local-files/?d={folder}/0001.wav"
    assert tasks[0]["data"]["audio"] == url
    copies = sorted((tmp_path / "out" / folder).iterdir())
    assert [copy.name for copy in copies] == [f"000{k}.wav" for k in range(1, 6)]
    exported = [task | {"annotations": []} for task in tasks]
    exported[0]["annotations"] = [
        answered(tasks[0], 3, answer_1="yes", answer_2="unsure"),
        answered(tasks[0], {"id": 4, "email": "ann@x.org"}, answer_1="no"),
        answered(tasks[0], {"id": 5}, answer_2="no"),
        answered(tasks[0], 3, answer_1="no"),
        answered(tasks[0], 6, answer_1="no") | {"was_cancelled": True},
    ]
    (tmp_path / "export.json").write_text(json.dumps(exported))
    clip = str(subset.track_id[0])
    found = read_export(tmp_path / "export.json")
    assert {place for place, _ in found} == {f"{tmp_path / 'export.json'}, task 1"}
    assert [answer for _, answer in found] == [
        Answer(clip, "guitar", "no", "3"),
        Answer(clip, "<i>vox", "unsure", "3"),
        Answer(clip, "guitar", "no", "ann@x.org"),
        Answer(clip, "<i>vox", "no", "5"),
    ]


def test_the_interface_offers_what_is_imported(tmp_path):
    subset = make_subset()
    export_tasks(tmp_path, subset, make_clips(tmp_path, subset))
    view = ET.fromstring((tmp_path / "subset400_interface.xml").read_text())
    assert [header.get("value") for header in view.iter("Header")][1:] == [
        "guitar",
        "<i>vox",
    ]
    choices = {one.get("name"): one for one in view.iter("Choices")}
    assert list(choices) == ["answer_1", "answer_2"]
    for one in choices.values():
        assert one.get("toName") == view.find("Audio").get("name")
        assert [choice.get("value") for choice in one] == ["yes", "no", "unsure"]


def test_only_labels_that_were_asked_for_are_imported(tmp_path):
    tagged = np.array([[1, 0], [0, 0], [0, 0], [0, 0]])
    subset = balanced_subset(list("abcd"), tagged, ("guitar", "drums"), per_side=1)
    path = export_tasks(tmp_path, subset, make_clips(tmp_path, subset))
    tasks = json.loads(path.read_text())
    task = next(task for task in tasks if task["data"]["track_id"] == "a")
    assert task["data"]["questions"] == {"answer_1": "guitar"}
    assert task["data"]["question"] == "Can you hear: guitar?"
    task["annotations"] = [answered(task, 1, answer_1="yes", answer_2="no")]
    (tmp_path / "export.json").write_text(json.dumps([task]))
    ((_, answer),) = read_export(tmp_path / "export.json")
    assert answer == Answer("a", "guitar", "yes", "1")


def test_what_label_studio_adds_is_harmless(tmp_path):
    task = {
        "data": {
            "track_id": "a",
            "questions": {"answer_1": "R&amp;B", "answer_2": "x"},
        },
        "predictions": [],
    }
    extra = answered(task, {"username": "bo"}, answer_1="No ")
    extra["result"] += [
        {"type": "relation", "from_id": "x", "to_id": "y", "direction": "right"},
        {"from_name": "answer_2", "type": "choices", "value": {"choices": []}},
        {"from_name": "answer_2", "type": "choices"},
        {"from_name": "notes", "type": "textarea", "value": {"text": ["loud"]}},
    ]
    nameless = [answered(task, None, answer_1=one) for one in ("yes", "unsure")]
    del nameless[0]["completed_by"]
    empty = answered(task, 5) | {"result": None}
    tasks = [task | {"annotations": [extra, *nameless, empty]}]
    tasks.append(task | {"annotations": None})
    text = "\ufeff" + json.dumps(tasks)
    (tmp_path / "export.json").write_text(text, encoding="utf-8")
    found = check_answers(read_export(tmp_path / "export.json"), ["a"], ["R&B", "x"])
    assert found == [
        Answer("a", "R&B", "no", "bo"),
        Answer("a", "R&B", "yes", "unknown 2"),
        Answer("a", "R&B", "unsure", "unknown 3"),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"export.json cannot be read as JSON"),
        ('[{"data":' * 10_000, r"export.json cannot be read as JSON"),
        ("{}", r"export.json must hold a JSON list, .*; export the tasks as JSON"),
        ('[{"audio": "x", "answer_1": "yes"}]', r"task 1: .*'data'.*not JSON_MIN"),
        ('[{"data": {"track_id": "a", "questions": []}}]', r"task 1: .*'annotations'"),
        (
            '[{"data": {"track_id": [], "questions": []}}]',
            r"task 1: .*track_id is \[\]",
        ),
        (
            '[{"data": {"track_id": "a", "questions": {"q": "x"}}, "annotations": '
            '[{"result": [{"from_name": "q", "value": {"choices": ["yes", "No"]}}]}]}]',
            r"task 1: 'unknown 1' answered 'x' with no and yes; keep one of them, and",
        ),
        (
            '[{"data": {"track_id": "a", "questions": {"q": 0.5}}, "annotations": '
            '[{"result": [{"from_name": "q", "value": {"choices": ["yes"]}}]}]}]',
            r"task 1: .*question is 0\.5",
        ),
    ],
)
def test_other_files_are_named(tmp_path, content, message):
    (tmp_path / "export.json").write_text(content)
    with pytest.raises(AnnotationError, match=message):
        read_export(tmp_path / "export.json")


def test_another_project_is_not_overwritten(tmp_path):
    subset = make_subset()
    clips = make_clips(tmp_path, subset)
    export_tasks(tmp_path, subset, clips)
    export_tasks(tmp_path, subset, clips)
    (tmp_path / "subset400_interface.xml").write_text("<View/>")
    with pytest.raises(ValueError, match=r"subset400_interface.xml exists and differs"):
        export_tasks(tmp_path, subset, clips)
    assert (tmp_path / "subset400_interface.xml").read_text() == "<View/>"
