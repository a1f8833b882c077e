"""The public split files of the Million Song Dataset's tagging task.

Per split, train, valid and test, with one track a row and the same order in all:

    train_y.npy             labels [N, 50], 0 and 1
    train_x_msd_id.txt      MSD track ids, one a line
    train_x_7d_id.txt       7digital ids of the same tracks
    train_x_filename.txt    the same ids as paths: 3/6/36122424.npy

The labels and one of the three lists are needed. Splits that are not there are left
out: the counts of the others can be looked at, only training needs all.

Published with K. Choi et al., "Automatic tagging using deep convolutional neural
networks", ISMIR 2016 (keunwoochoi/MSD_split_for_tagging).
"""

import logging
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from input_pipeline.corpora.msd import labels
from input_pipeline.corpora.tables import read_array, read_text
from msd_tagger.common import paper
from msd_tagger.common.facts import SPLITS

PUBLISHED = {
    "the public split files": paper.CLIPS_PUBLIC,
    "the paper": paper.CLIPS,
}
FILES = {split: f"{split}_y.npy" for split in SPLITS}  # The labels.
_LISTS = ("msd_id", "7d_id", "filename")
_FILE_NAME = re.compile(r"([0-9])/([0-9])/(\1\2[0-9]{0,10})\.\w[\w.]*", re.ASCII)

logger = logging.getLogger(__name__)


def read(label_dir: Path) -> labels.Labels:
    """Reads the splits that are there."""
    found = {split: _read_split(label_dir, split) for split in SPLITS}
    parts = {split: part for split, part in found.items() if part}
    absent = [FILES[split] for split in SPLITS if split not in parts]
    if absent:
        names = ", ".join(absent)
        logger.warning("%s has no %s; training needs all splits", label_dir, names)
    kinds = [k for k in _LISTS if all(k in part.lists for part in parts.values())]
    if not kinds:
        have = {split: sorted(part.lists) for split, part in parts.items()}
        raise ValueError(
            f"the splits in {label_dir} have different lists of ids: {have}; one of "
            f"{', '.join(_LISTS)} must be there for all"
        )
    lists = {k: [i for part in parts.values() for i in part.lists[k]] for k in kinds}
    previews = next((kind for kind in _LISTS[1:] if kind in lists), None)
    for kind in dict.fromkeys(filter(None, (kinds[0], previews))):
        ids = (
            (f"{path}, line {number}", one)
            for split, part in parts.items()
            for path in [_list_path(label_dir, split, kind)]
            for number, one in enumerate(part.lists[kind], start=1)
        )
        pattern = labels.MSD_ID if kind == "msd_id" else labels.SEVEN_DIGITAL_ID
        # Several tracks may share one preview.
        labels.check_ids(ids, pattern, may_repeat=kind != kinds[0])
    for split, part in parts.items():
        tags = labels.vocabulary(
            label_dir, part.matrix.shape[1], label_dir / FILES[split]
        )
    return labels.Labels(
        source="split files",
        tags=tags,
        track_ids=lists[kinds[0]],
        splits=[split for split, part in parts.items() for _ in part.matrix],
        matrix=np.concatenate([part.matrix for part in parts.values()]),
        are_msd_ids=kinds[0] == "msd_id",
        seven_digital_ids=lists[previews] if previews else None,
        published=PUBLISHED,
    )


class _Part(NamedTuple):
    lists: dict[str, list[str]]  # Kind of id -> ids.
    matrix: np.ndarray


def _list_path(label_dir: Path, split: str, kind: str) -> Path:
    return label_dir / f"{split}_x_{kind}.txt"


def _read_split(label_dir: Path, split: str) -> _Part | None:
    path = label_dir / FILES[split]
    lists = {kind: _list_path(label_dir, split, kind) for kind in _LISTS}
    found = {kind: listed for kind, listed in lists.items() if listed.exists()}
    if not found and not path.exists():
        return None
    if not found or not path.exists():
        names = " or ".join(listed.name for listed in lists.values())
        raise ValueError(
            f"{label_dir} has only a part of the split {split}: {path.name} and "
            f"{names} belong together"
        )
    matrix = _read_matrix(path)
    ids = {kind: _read_list(listed, kind) for kind, listed in found.items()}
    for kind, listed in found.items():
        if len(ids[kind]) != len(matrix):
            raise ValueError(
                f"{listed} has {len(ids[kind])} lines, {path.name} has {len(matrix)} "
                "rows; they must list the same tracks"
            )
    return _Part(ids, matrix)


def _read_matrix(path: Path) -> np.ndarray:
    matrix = read_array(path)
    if matrix.ndim != 2 or not matrix.size:
        raise ValueError(
            f"{path}: the shape is {matrix.shape}; it must be tracks x tags"
        )
    if matrix.dtype.kind not in "biuf":
        raise ValueError(
            f"{path}: the type is {matrix.dtype}; it must be a number or truth value"
        )
    return labels.as_labels(np.asarray(matrix), lambda row: f"{path}, row {row + 1}")


def _read_list(path: Path, kind: str) -> list[str]:
    lines = [line.strip() for line in read_text(path).rstrip().split("\n")]
    if kind != "filename":
        return lines
    found = [_FILE_NAME.fullmatch(line) for line in lines]
    for number, (line, match) in enumerate(zip(lines, found, strict=True), 1):
        if not match:
            raise ValueError(
                f"{path}, line {number}: {line[:60]!r} is not a name such as "
                "3/6/36122424.npy"
            )
    return [match[3] for match in found if match]
