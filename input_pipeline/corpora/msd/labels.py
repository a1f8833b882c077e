"""What every source of labels for the Million Song Dataset is read into, and checked.

A track has two ids: its own (`TRABCDE128F42A7B1C`) and that of its preview at 7digital
(`36122424`). Both become paths, so neither is taken from a file unchecked.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from input_pipeline.corpora.tables import find_vocabulary
from msd_tagger.common.tags import TAGS

MSD_ID = re.compile(r"TR[A-Z]{5}[0-9A-F]{11}", re.ASCII)
SEVEN_DIGITAL_ID = re.compile(r"[0-9]{2,12}", re.ASCII)
VOCABULARIES = ("tags.txt", "50tagList.txt")  # The latter is published with pickles.

_EXPECTED = {
    MSD_ID: "an MSD track id (TR, five letters A to Z, eleven of 0 to 9 and A to F)",
    SEVEN_DIGITAL_ID: "a 7digital id (2 to 12 digits)",
}


class Labels(NamedTuple):
    """Labels of N tracks, from whatever source."""

    source: str  # Name of the source.
    tags: tuple[str, ...]  # The K tags, in the order of the columns.
    # MSD ids, or where these are not known 7digital ids; each once.
    track_ids: list[str]
    splits: list[str]  # Of the tracks.
    matrix: np.ndarray  # uint8 [N, K].
    are_msd_ids: bool = True  # What `track_ids` are.
    # Of the tracks, where the source has them.
    seven_digital_ids: Sequence[str | None] | None = None
    # Clips per split as others counted them, by who did.
    published: Mapping[str, Mapping[str, int]] = {}


def vocabulary(label_dir: Path, num_columns: int, where: Path) -> tuple[str, ...]:
    """Returns the tags listed beside the labels, else the 50 published ones."""
    listed = find_vocabulary(label_dir, VOCABULARIES)
    tags = listed or TAGS
    if len(tags) != num_columns:
        names = " or ".join(VOCABULARIES)
        kind = f"{names} there lists" if listed else f"without {names} there are"
        raise ValueError(
            f"{where} has {num_columns} columns, but {kind} {len(tags)} tags; list the "
            f"{num_columns} tags in {label_dir / VOCABULARIES[0]}, one a line, in the "
            "order of the columns"
        )
    return tags


def check_ids(
    found: Iterable[tuple[str, Any]],
    pattern: re.Pattern[str],
    may_repeat: bool = False,
) -> None:
    """Checks ids, of whatever type, each behind the place where it stands."""
    first: dict[str, str] = {}
    for where, track_id in found:
        is_text = isinstance(track_id, str)
        if not is_text or not pattern.fullmatch(track_id):
            shown = repr(track_id[:60]) if is_text else f"a {type(track_id).__name__}"
            raise ValueError(f"{where}: {shown} is not {_EXPECTED[pattern]}")
        if first.setdefault(track_id, where) != where and not may_repeat:
            raise ValueError(
                f"{where}: the id {track_id} is there a second time, first in "
                f"{first[track_id]}; every track must be in one split, once"
            )


def as_labels(matrix: np.ndarray, where: Callable[[int], str]) -> np.ndarray:
    """Checks that a matrix holds nothing but 0 and 1."""
    wrong = ~((matrix == 0) | (matrix == 1))  # NaN equals neither.
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ValueError(
            f"{where(row)}: column {column + 1} is {matrix[row, column]}; a label must "
            "be 0 or 1"
        )
    return matrix.astype(np.uint8)
