"""What listeners answered: files in, one verdict for each clip and label out.

Files are CSV from the page, or what Label Studio exports as JSON
(https://labelstud.io/guide/export.html).
"""

import html
import itertools
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.metrics import cohen_kappa_score

from msd_tagger.common import files
from msd_tagger.common.csv_files import csv_cells, write_csv
from studies.annotation.subsets import Subset

ANNOTATIONS = "annotations.csv"
ANSWERS = ("yes", "no", "unsure")


class AnnotationError(ValueError):
    """An annotation file holds something else than answers to these questions."""


class Answer(NamedTuple):
    """One row: whether a label holds for a clip, by one listener."""

    track_id: str
    label: str
    answer: str
    annotator: str


COLUMNS = Answer._fields


def gather_answers(
    paths: Iterable[Path | str],
    workdir: Path | str,
    track_ids: Collection[str],
    labels: Sequence[str],
) -> int:
    """Writes `annotations.csv`, so that the study needs the given files no more.

    The files are CSV from the page or JSON exports from Label Studio; ids and labels
    are those that may be answered. Returns the number of answers.

    Raises:
        AnnotationError: A file is neither or has no answer, or `check_answers` refuses
            a row.
    """
    readers = {".json": read_export}
    rows = []
    for path in paths:
        of_file = [*readers.get(Path(path).suffix.lower(), read_rows)(path)]
        if not of_file:
            raise AnnotationError(
                f"{path} has no answer to a question of the pages; leave it out, or "
                "download or export it again when clips were judged"
            )
        rows += of_file
    answers = check_answers(rows, track_ids, labels)
    write_answers(Path(workdir) / ANNOTATIONS, answers)
    return len(answers)


def write_answers(path: Path | str, answers: Iterable[Answer]) -> None:
    """Writes answers as one CSV file that `read_answers` reads."""
    write_csv(Path(path), [COLUMNS, *answers])


def read_answers(
    path: Path | str, track_ids: Collection[str], labels: Sequence[str]
) -> list[Answer]:
    """Reads what `write_answers` or the page wrote, in the order of the file.

    Raises:
        AnnotationError: The file is no such table, or `check_answers` refuses a row.
    """
    return check_answers(read_rows(path), track_ids, labels)


def find_answers(
    workdir: Path, track_ids: Collection[str], labels: Sequence[str]
) -> list[Answer]:
    """Reads the `annotations.csv` of a study's folder; empty where nobody answered."""
    path = workdir / ANNOTATIONS
    return read_answers(path, track_ids, labels) if path.exists() else []


def read_rows(path: Path | str) -> Iterator[tuple[str, Answer]]:
    """Yields the rows of a CSV file, each after where it stands: file and line.

    Raises:
        AnnotationError: The file is no table with the columns of `COLUMNS`.
    """
    path = Path(path)
    try:
        for where, cells in csv_cells(path, COLUMNS):
            yield where, Answer(**cells | {"answer": cells["answer"].lower()})
    except OSError as error:
        raise AnnotationError(f"{path} cannot be read: {error}") from error
    except ValueError as error:
        raise AnnotationError(str(error)) from error


def read_export(path: Path | str) -> list[tuple[str, Answer]]:
    """Reads the JSON export of the tasks that `label_studio.export_tasks` wrote.

    Returns the answers to the labels that were asked for, each after where it stands:
    file and task. Cancelled annotations, choices that were taken back and whatever else
    annotators added are left out. The annotator is the e-mail address or number that
    Label Studio gives, else "unknown 1", … within a task; of several annotations of a
    task by one annotator the last counts.

    Raises:
        AnnotationError: The file is no such export. The message names the task.
    """
    try:
        tasks = files.parse_json(Path(path).read_bytes(), path, list)
    except (OSError, ValueError) as error:
        raise AnnotationError(f"{error}; export the tasks as JSON") from error
    found = []
    for number, task in enumerate(tasks, start=1):
        where = f"{path}, task {number}"
        try:
            last = {(one.label, one.annotator): one for one in _answers_of_task(task)}
        except AnnotationError as error:
            raise AnnotationError(f"{where}: {error}") from error
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise AnnotationError(
                f"{where}: not a task of ours with its annotations "
                f"({type(error).__name__}: {error}); export as JSON, not JSON_MIN"
            ) from error
        found += [(where, one) for one in last.values()]
    return found


def _answers_of_task(task: dict[str, Any]) -> Iterator[Answer]:
    questions, track_id = task["data"]["questions"], task["data"]["track_id"]
    if not isinstance(track_id, str):
        raise TypeError(f"the track_id is {track_id!r}")
    for number, annotation in enumerate(task["annotations"] or (), start=1):
        by = _annotator(annotation, number)
        results = annotation["result"] or ()
        for result in () if annotation.get("was_cancelled") else results:
            # Relations and regions have no name, or one that is no question.
            label = questions.get(result.get("from_name"))
            choices = (result.get("value") or {}).get("choices") or ()
            if label is None or not choices:
                continue
            if not isinstance(label, str):
                raise TypeError(f"a question is {label!r}")
            given = [choices] if isinstance(choices, str) else choices
            answers = {one.strip().lower() for one in given}
            if len(answers) > 1:
                said = " and ".join(sorted(answers))
                raise AnnotationError(
                    f"{by!r} answered {label!r} with {said}; keep one of them, and "
                    'give the choices of the interface choice="single"'
                )
            yield Answer(track_id, label, answers.pop(), by)


def _annotator(annotation: dict[str, Any], number: int) -> str:
    """Names who annotated, by what Label Studio says of them."""
    by = annotation.get("completed_by")
    if isinstance(by, dict):
        named = (by.get(key) for key in ("email", "username", "id"))
        by = next((one for one in named if one not in (None, "")), None)
    return f"unknown {number}" if by in (None, "") else str(by)


def check_answers(
    rows: Iterable[tuple[str, Answer]],
    track_ids: Collection[str],
    labels: Sequence[str],
) -> list[Answer]:
    """Checks that answers, each after where it stands, belong to a corpus.

    Raises:
        AnnotationError: An unknown id, label or answer, no annotator, or a question
            that the same annotator answered before. The message says where.
    """
    known = set(track_ids)
    before: dict[Answer, str] = {}
    found = []
    for where, one in rows:
        track_id, label = _as_known(one.track_id, known), _as_known(one.label, labels)
        one = one._replace(track_id=track_id, label=label)
        question = one._replace(answer="")
        if wrong := _what_is_wrong(one, known, labels):
            raise AnnotationError(f"{where}: {wrong}")
        if question in before:
            raise AnnotationError(
                f"{where}: {one.annotator!r} answered {one.label!r} of clip "
                f"{one.track_id!r} before, in {before[question]}; keep one row"
            )
        before[question] = where
        found.append(one)
    return found


def _what_is_wrong(
    one: Answer, track_ids: Collection[str], labels: Collection[str]
) -> str:
    if one.track_id not in track_ids:
        return (
            f"no clip of this corpus has the track_id {one.track_id!r}; check that "
            "the file was made for this corpus"
        )
    if one.label not in labels:
        allowed = ", ".join(labels)
        return f"the label {one.label!r} is not asked for; choose from {allowed}"
    if one.answer not in ANSWERS:
        return f"the answer is {one.answer!r}; choose from {', '.join(ANSWERS)}"
    return "" if one.annotator else "no annotator; give every row a name"


def _as_known(name: str, known: Collection[str]) -> str:
    """Undoes what tools for HTML do to a name, where it is known so.

    >>> _as_known("R&amp;B", ["R&B"]), _as_known("R&amp;B", ["R&amp;B"])
    ('R&B', 'R&amp;B')
    """
    plain = html.unescape(name)
    return plain if name not in known and plain in known else name


def consensus(answers: Iterable[Answer]) -> dict[tuple[str, str], bool | None]:
    """Takes the majority without who is unsure; None where both have as many votes."""
    votes: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for one in answers:
        votes[one.track_id, one.label][one.answer] += 1
    return {
        question: None if vote["yes"] == vote["no"] else vote["yes"] > vote["no"]
        for question, vote in votes.items()
    }


def verdicts_of(
    subset: Subset, verdicts: Mapping[tuple[str, str], bool | None]
) -> np.ndarray:
    """Lays out what `consensus` returns for the N clips and L labels of a subset.

    It is float64 `[N, L]`: 1 yes, 0 no, NaN where nobody was asked or nothing decided.
    """
    found = np.full(subset.asked.shape, np.nan)
    for question, row, column in subset.questions():
        if verdicts.get(question) is not None:
            found[row, column] = verdicts[question]
    return found


def agreements(answers: Iterable[Answer], labels: Sequence[str]) -> pd.DataFrame:
    """Compares every two listeners on every label that both said yes or no to.

    There is a row for each label and pair of listeners with clips in common. `share` is
    of the clips on which they said the same, `kappa` is Cohen's (1960,
    doi:10.1177/001316446002000104), NaN where both gave one and the same answer only.
    """
    said = pd.DataFrame(answers, columns=COLUMNS).query("answer != 'unsure'")
    rows = []
    for label in labels:
        of_label = said[said.label == label]
        by_one = of_label.pivot(index="track_id", columns="annotator", values="answer")
        for pair in itertools.combinations(sorted(by_one), 2):
            first, second = by_one[list(pair)].dropna().to_numpy().T
            if len(first):
                varies = len({*first, *second}) > 1
                kappa = cohen_kappa_score(first, second) if varies else np.nan
                rows.append((label, *pair, len(first), (first == second).mean(), kappa))
    columns = ["label", "first", "second", "clips", "share", "kappa"]
    return pd.DataFrame(rows, columns=columns)
