"""Takes the answers of all listeners into a study's folder, in one file."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from studies.annotation.answers import check_answers, read_rows, write_answers
from studies.annotation.label_studio import read_export

ANNOTATIONS = "annotations.csv"


def gather_answers(
    paths: Iterable[Path | str],
    workdir: Path | str,
    track_ids: Collection[str],
    labels: Sequence[str],
) -> int:
    """Writes `annotations.csv`, so that the study needs the given files no more.

    Args:
        paths: CSV files from the page, JSON exports from Label Studio.
        workdir: the study's folder.
        track_ids: of the corpus.
        labels: that may be answered.

    Returns:
        The number of answers.

    Raises:
        AnnotationError: a file is neither, or does not belong to this corpus; it names
            the file and the line or task.
    """
    rows = itertools.chain.from_iterable(
        (read_export if Path(path).suffix.lower() == ".json" else read_rows)(path)
        for path in paths
    )
    answers = check_answers(rows, track_ids, labels)
    write_answers(Path(workdir) / ANNOTATIONS, answers)
    return len(answers)
