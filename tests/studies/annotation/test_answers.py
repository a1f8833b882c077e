"""Answers in, verdicts out; wrong rows are named by file and line."""

import json

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from studies.annotation.answers import (
    AnnotationError,
    Answer,
    agreements,
    consensus,
    gather_answers,
    read_answers,
    verdicts_of,
    write_answers,
)
from tests.subsets import make_subset

IDS, LABELS = ("a", "b", "c, d"), ("guitar", "male vocalists")
HEADER = "track_id,label,answer,annotator\n"
ROW = "a,guitar,yes,Ann\n"


def test_what_is_written_is_read(tmp_path):
    answers = [
        Answer("c, d", "guitar", "unsure", 'Ann "the ear", Jr'),
        Answer("a", "male vocalists", "no", "Bob"),
    ]
    write_answers(tmp_path / "x.csv", answers)
    assert read_answers(tmp_path / "x.csv", IDS, LABELS) == answers


def test_spreadsheets_may_have_been_at_it(tmp_path):
    text = "\ufeffanswer,annotator,label,track_id\r\nYES,Ann, guitar ,a\r\n\r\n"
    (tmp_path / "x.csv").write_bytes(text.encode())
    assert read_answers(tmp_path / "x.csv", IDS, LABELS) == [
        Answer("a", "guitar", "yes", "Ann")
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER + ROW + "z,guitar,yes,Ann\n", r"x.csv, line 3: no clip .* 'z'"),
        (HEADER + "a,drums,yes,Ann\n", r"line 2: the label 'drums' .* guitar, male v"),
        (HEADER + "a,guitar,ja,Ann\n", r"line 2: the answer is 'ja'; .*yes, no, unsur"),
        (HEADER + "a,guitar,yes,\n", r"line 2: no annotator"),
        (HEADER + "a,guitar,yes\n", r"line 2: 3 values for 4 columns"),
        (HEADER + ROW + "b,guitar,no,Ann\n" + ROW, r"line 4: 'Ann' .*x.csv, line 2"),
        (HEADER + '"c, d",guitar,yes,"A\nnn"\nb,guitar,x,A\n', r"line 4: the answer"),
        (
            "track_id;label;answer\n",
            r"line 1: .*; unknown columns \['track_id;label;answer'\]",
        ),
        ("", r"line 1: missing columns .* track_id, label, answer, annotator$"),
        (HEADER + 'a,"guitar"x,yes,Ann\n', r"x.csv, the row that starts in line 2: "),
        (b"\xff\xfe\x00", r"x.csv, line 1: b'.xff.xfe.x00' is not UTF-8 but UTF-16"),
    ],
)
def test_wrong_rows_are_named(tmp_path, text, message):
    path = tmp_path / "x.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(AnnotationError, match=message):
        read_answers(path, IDS, LABELS)


def test_answers_of_all_files_are_gathered(tmp_path):
    paths = [tmp_path / name for name in ("x.csv", "y.csv", "z.json")]
    data = {"track_id": "b", "questions": {"answer_1": "guitar"}}
    result = {"from_name": "answer_1", "value": {"choices": ["no"]}}
    annotation = {"completed_by": {"email": "zoe@x.org"}, "result": [result]}
    paths[2].write_text(json.dumps([{"data": data, "annotations": [annotation]}]))
    for path in paths[:2]:
        path.write_text(HEADER + ROW)
    with pytest.raises(AnnotationError, match=r"y.csv, line 2: .*x.csv, line 2"):
        gather_answers(paths, tmp_path, IDS, LABELS)
    with pytest.raises(AnnotationError, match=r"z.json, task 1: no clip .* 'b'"):
        gather_answers(paths[2:], tmp_path, ["a"], LABELS)
    assert not (tmp_path / "annotations.csv").exists()
    paths[1].write_text(HEADER + ROW.replace("Ann", "Bob"))
    other = annotation | {"result": [result | {"from_name": "other"}]}
    renamed = json.dumps([{"data": data, "annotations": [other]}])
    for name, content in (
        ("none.csv", HEADER),
        ("none.json", "[]"),
        ("renamed.json", renamed),
    ):
        (tmp_path / name).write_text(content)
        with pytest.raises(AnnotationError, match=f"{name} has no answer to a quest"):
            gather_answers([*paths, tmp_path / name], tmp_path, IDS, LABELS)
        assert not (tmp_path / "annotations.csv").exists()
    assert gather_answers(paths, tmp_path, IDS, LABELS) == 3
    assert read_answers(tmp_path / "annotations.csv", IDS, LABELS) == [
        Answer("a", "guitar", "yes", "Ann"),
        Answer("a", "guitar", "yes", "Bob"),
        Answer("b", "guitar", "no", "zoe@x.org"),
    ]


def test_the_majority_decides_and_who_is_unsure_does_not_vote():
    votes = {"a": ["yes", "yes", "no"], "b": ["yes", "no"], "c": ["unsure", "no"]}
    answers = [
        Answer(clip, "guitar", answer, f"listener {number}")
        for clip, given in votes.items()
        for number, answer in enumerate(given)
    ]
    decided = consensus(answers)
    assert decided == {("a", "guitar"): True, ("b", "guitar"): None, ("c", "guitar"): 0}
    subset = make_subset(["a", "b", "c", "d"], ("drums", "guitar"))
    found = dict(zip(subset.track_id, verdicts_of(subset, decided), strict=True))
    assert np.isnan([*found["b"], *found["d"], found["a"][0]]).all()
    assert (found["a"][1], found["c"][1]) == (1, 0)


@pytest.mark.parametrize("seed", range(4))
def test_kappa_is_that_of_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    first = rng.random(60) < 0.3
    second = np.where(rng.random(60) < 0.2, ~first, first)
    expected = cohen_kappa_score(first, second)
    answers = [
        Answer(f"clip {clip}", "guitar", "yes" if said else "no", name)
        for name, given in (("Zoe", second), ("Ann", first))
        for clip, said in enumerate(given)
    ]
    answers += [Answer("more", "guitar", "unsure", name) for name in ("Zoe", "Ann")]
    answers.append(Answer("clip 0", "drums", "yes", "Ann"))
    found = agreements(answers, ("drums", "guitar"))
    assert found.iloc[0, :3].tolist() == ["guitar", "Ann", "Zoe"] and len(found) == 1
    assert found.clips[0] == 60 and found.share[0] == np.mean(first == second)
    assert found.kappa[0] == pytest.approx(expected, abs=1e-12)


def test_kappa_without_disagreement_to_expect():
    answers = [Answer(c, "guitar", "yes", n) for c in IDS for n in ("Ann", "Bob")]
    found = agreements(answers, LABELS)
    assert found.share.tolist() == [1] and np.isnan(found.kappa[0])
    apart = [*answers[::2], Answer("z", "guitar", "no", "Bob")]
    assert agreements(apart, LABELS).empty


def test_ids_that_look_like_formulas_come_back(tmp_path):
    ids = ["-0nBq3bLJkA", "=1+2", "@x", "'=y", "+a"]
    answers = [Answer(one, LABELS[0], "yes", "=Ann") for one in ids]
    write_answers(tmp_path / "x.csv", answers)
    assert read_answers(tmp_path / "x.csv", ids, LABELS) == answers
    lines = (tmp_path / "x.csv").read_text().splitlines()[1:]
    assert all(line.startswith("'") and line.endswith(",'=Ann") for line in lines)
