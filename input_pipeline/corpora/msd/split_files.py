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

from input_pipeline.corpora.msd.labels import (
    MSD_ID,
    PAPER,
    SEVEN_DIGITAL_ID,
    Labels,
    as_labels,
    check_ids,
    locator,
    vocabulary,
)
from msd_tagger.common.facts import SPLITS

PUBLISHED = {
    "the public split files": {"train": 201_680, "valid": 12_634, "test": 28_540},
    "the paper": PAPER,
}
_LISTS = ("msd_id", "7d_id", "filename")
_FILE_NAME = re.compile(r"([0-9])/([0-9])/(\1\2[0-9]{0,10})\.\w[\w.]*", re.ASCII)

logger = logging.getLogger(__name__)


def is_there(label_dir: Path) -> bool:
    """Tells whether a directory holds labels of this kind."""
    return any(_labels_path(label_dir, split).exists() for split in SPLITS)


def read(label_dir: Path) -> Labels:
    """Reads the splits that are there."""
    parts = [part for split in SPLITS if (part := _read_split(label_dir, split))]
    missing = set(SPLITS) - {part.split for part in parts}
    if missing:
        absent = (_labels_path(label_dir, one).name for one in SPLITS if one in missing)
        names = ", ".join(absent)
        logger.warning("%s has no %s; training needs all splits", label_dir, names)
    lists = {
        kind: [track_id for part in parts for track_id in part.lists[kind]]
        for kind in _LISTS
        if all(kind in part.lists for part in parts)
    }
    if not lists:
        have = {part.split: sorted(part.lists) for part in parts}
        raise ValueError(
            f"the splits in {label_dir} have different lists of ids: {have}; one of "
            f"{', '.join(_LISTS)} must be there for all"
        )
    kinds = list(lists)
    previews = next((kind for kind in _LISTS[1:] if kind in lists), None)
    for kind in dict.fromkeys(filter(None, (kinds[0], previews))):
        paths = [_list_path(label_dir, part.split, kind) for part in parts]
        sizes = [len(part.matrix) for part in parts]
        where = locator(dict(zip(paths, sizes, strict=True)))
        pattern = MSD_ID if kind == "msd_id" else SEVEN_DIGITAL_ID
        # Several tracks may share one preview.
        check_ids(lists[kind], pattern, where, may_repeat=kind != kinds[0])
    for part in parts:
        path = _labels_path(label_dir, part.split)
        tags = vocabulary(label_dir, part.matrix.shape[1], path)
    return Labels(
        source="split files",
        tags=tags,
        track_ids=lists[kinds[0]],
        splits=[part.split for part in parts for _ in range(len(part.matrix))],
        matrix=np.concatenate([part.matrix for part in parts]),
        are_msd_ids=kinds[0] == "msd_id",
        seven_digital_ids=lists[previews] if previews else None,
        published=PUBLISHED,
    )


class _Part(NamedTuple):
    split: str
    lists: dict[str, list[str]]  # Kind of id -> ids.
    matrix: np.ndarray


def _labels_path(label_dir: Path, split: str) -> Path:
    return label_dir / f"{split}_y.npy"


def _list_path(label_dir: Path, split: str, kind: str) -> Path:
    return label_dir / f"{split}_x_{kind}.txt"


def _read_split(label_dir: Path, split: str) -> _Part | None:
    path = _labels_path(label_dir, split)
    lists = {kind: _list_path(label_dir, split, kind) for kind in _LISTS}
    found = {kind: listed for kind, listed in lists.items() if listed.exists()}
    if not found and not path.exists():
        return None
    if not found or not path.exists():
        ids = " or ".join(listed.name for listed in lists.values())
        raise ValueError(
            f"{label_dir} has only a part of the split {split}: {path.name} and "
            f"{ids} belong together"
        )
    matrix = _read_matrix(path)
    ids = {kind: _read_list(listed, kind) for kind, listed in found.items()}
    for kind, listed in found.items():
        if len(ids[kind]) != len(matrix):
            raise ValueError(
                f"{listed} has {len(ids[kind])} lines, {path.name} has {len(matrix)} "
                "rows; they must list the same tracks"
            )
    return _Part(split, ids, matrix)


def _read_matrix(path: Path) -> np.ndarray:
    try:
        # A map checks the size that the file claims before any memory is allocated.
        matrix = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        raise ValueError(f"{path} is no array of numbers: {error}") from error
    if not isinstance(matrix, np.ndarray) or matrix.ndim != 2 or not matrix.size:
        shape = getattr(matrix, "shape", None)
        raise ValueError(f"{path}: the shape is {shape}; it must be tracks x tags")
    if matrix.dtype.kind not in "biuf":
        raise ValueError(
            f"{path}: the type is {matrix.dtype}; it must be a number or truth value"
        )
    return as_labels(np.asarray(matrix), lambda row: f"{path}, row {row + 1}")


def _read_list(path: Path, kind: str) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").rstrip().split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read as UTF-8 text: {error}") from error
    lines = [line.strip() for line in lines]
    if kind == "filename":
        return [_id_of(line, f"{path}, line {n}") for n, line in enumerate(lines, 1)]
    return lines


def _id_of(name: str, where: str) -> str:
    found = _FILE_NAME.fullmatch(name)
    if not found:
        raise ValueError(
            f"{where}: {name[:60]!r} is not a name such as 3/6/36122424.npy"
        )
    return found.group(3)
