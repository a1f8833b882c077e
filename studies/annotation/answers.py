"""What listeners answered: CSV files in, one verdict for each clip and label out."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from msd_tagger.common import files
from studies.annotation.subsets import Subset

COLUMNS = ("track_id", "label", "answer", "annotator")
ANSWERS = ("yes", "no", "unsure")


class AnnotationError(ValueError):
    """An annotation file holds something else than answers to these questions."""


@dataclasses.dataclass(frozen=True)
class Answer:
    """One row: whether a label holds for a clip, by one listener."""

    track_id: str
    label: str
    answer: str
    annotator: str


def read_answers(
    path: Path | str, track_ids: Collection[str], labels: Sequence[str]
) -> list[Answer]:
    """Reads what `write_answers` or the page wrote.

    Args:
        path: a CSV file with the columns of `COLUMNS`, in any order.
        track_ids: of the corpus.
        labels: that may be answered.

    Returns:
        All answers, in the order of the file.

    Raises:
        AnnotationError: as for `check_answers`; or the file is no such table.
    """
    return check_answers(read_rows(path), track_ids, labels)


def read_rows(path: Path | str) -> Iterator[tuple[str, Answer]]:
    """Yields the rows of a CSV file, each after its place: file and line.

    Raises:
        AnnotationError: the file is no table with the columns of `COLUMNS`.
    """
    path = Path(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, strict=True)
            header = [name.strip() for name in next(rows, [])]
            if sorted(header) != sorted(COLUMNS):
                raise AnnotationError(
                    f"{path}, line 1: the columns are {','.join(header) or 'missing'}; "
                    f"they must be {','.join(COLUMNS)}"
                )
            for row in rows:
                if row:
                    place = f"{path}, line {rows.line_num}"
                    yield place, _parse(row, header, place)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise AnnotationError(f"{path} cannot be read as CSV: {error}") from error


def check_answers(
    rows: Iterable[tuple[str, Answer]],
    track_ids: Collection[str],
    labels: Sequence[str],
) -> list[Answer]:
    """Checks that answers belong to a corpus.

    Args:
        rows: answers, each after a text that says where it stands.
        track_ids: of the corpus.
        labels: that may be answered.

    Returns:
        The answers.

    Raises:
        AnnotationError: an unknown id, label or answer, no annotator, or a question
            that the same annotator answered before. It says where.
    """
    known, places, answers = set(track_ids), {}, []
    for place, answer in rows:
        _check(answer, known, labels, place)
        question = (answer.track_id, answer.label, answer.annotator)
        if question in places:
            raise AnnotationError(
                f"{place}: {answer.annotator!r} answered {answer.label!r} of clip "
                f"{answer.track_id!r} before, in {places[question]}; keep one row"
            )
        places[question] = place
        answers.append(answer)
    return answers


def write_answers(path: Path | str, answers: Iterable[Answer]) -> None:
    """Writes answers as one CSV file that `read_answers` reads."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(dataclasses.astuple(answer) for answer in answers)
    files.write_text(Path(path), text.getvalue())


def consensus(answers: Iterable[Answer]) -> dict[tuple[str, str], bool | None]:
    """The majority's verdict on every clip and label; who is unsure does not vote.

    Returns:
        From (track id, label) to yes or no; None where both have as many votes.
    """
    votes: dict[tuple[str, str], Counter] = {}
    for one in answers:
        votes.setdefault((one.track_id, one.label), Counter())[one.answer] += 1
    return {
        question: None if vote["yes"] == vote["no"] else vote["yes"] > vote["no"]
        for question, vote in votes.items()
    }


def verdicts_of(
    subset: Subset, verdicts: Mapping[tuple[str, str], bool | None]
) -> np.ndarray:
    """Lays verdicts out as a matrix.

    Args:
        subset: N clips and L labels.
        verdicts: what `consensus` returns.

    Returns:
        float64 [N, L]: 1 yes, 0 no, NaN where nobody was asked or nothing was decided.
    """
    found = np.full(subset.asked.shape, np.nan)
    for row, column in np.argwhere(subset.asked):
        question = (str(subset.track_id[row]), subset.labels[column])
        verdict = verdicts.get(question)
        if verdict is not None:
            found[row, column] = verdict
    return found


def _parse(row: list[str], header: list[str], place: str) -> Answer:
    """Names the cells of a row."""
    if len(row) != len(header):
        raise AnnotationError(
            f"{place}: {len(row)} values; there are {len(header)} columns"
        )
    cells = {name: cell.strip() for name, cell in zip(header, row, strict=True)}
    return Answer(**cells | {"answer": cells["answer"].lower()})


def _check(
    answer: Answer, known: Collection[str], labels: Sequence[str], place: str
) -> None:
    """Raises an AnnotationError where a row answers no question of ours."""
    if answer.track_id not in known:
        raise AnnotationError(
            f"{place}: no clip of this corpus has the track_id {answer.track_id!r}; "
            "was the file made for another corpus?"
        )
    if answer.label not in labels:
        raise AnnotationError(
            f"{place}: the label {answer.label!r} is not asked for; "
            f"allowed are {', '.join(labels)}"
        )
    if answer.answer not in ANSWERS:
        raise AnnotationError(
            f"{place}: the answer is {answer.answer!r}; allowed are "
            f"{', '.join(ANSWERS)}"
        )
    if not answer.annotator:
        raise AnnotationError(f"{place}: no annotator; give every row a name")
