"""Another split of the Million Song Dataset's tagging task, published as pickles.

    filtered_list_train.cP      list of MSD ids: 201,680 of train, then those of valid
    filtered_list_test.cP       list of MSD ids
    msd_id_to_tag_vector.cP     dict: MSD id -> labels [50, 1]
    50tagList.txt               the tags, one a line; the same 50, in the same order
    MSD_id_to_7D_id.pkl         dict: MSD id -> 7digital id

A `filtered_list_valid.cP` is read where somebody wrote one; then all of the first list
is train. The clips are those of the public split files that last 29.1 s or longer.

Published with J. Lee et al., "Sample-level deep convolutional neural networks for music
auto-tagging using raw waveforms", SMC 2017 (jongpillee/music_dataset_split); the counts
are those of its README.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from input_pipeline.corpora.msd import labels, safe_pickle
from msd_tagger.common import paper
from msd_tagger.common.facts import SPLITS

LISTS = {split: f"filtered_list_{split}.cP" for split in SPLITS}
VECTORS = "msd_id_to_tag_vector.cP"
SEVEN_DIGITAL = "MSD_id_to_7D_id.pkl"
# The first list has as many of train as the public split files.
NUM_TRAIN = paper.CLIPS_PUBLIC["train"]
PUBLISHED = {
    "the README of the pickled split": dict(
        zip(SPLITS, (NUM_TRAIN, 11_774, 28_435), strict=True)
    ),
    "the paper": paper.CLIPS,
}


def read(label_dir: Path) -> labels.Labels:
    """Reads the lists that are there, and the labels of their tracks."""
    paths = {split: label_dir / name for split, name in LISTS.items()}
    lists = {s: _read_list(path) for s, path in paths.items() if path.exists()}
    if not lists:
        names = " and ".join(LISTS.values())
        raise ValueError(f"{label_dir} has {VECTORS} but no list of tracks: {names}")
    found = [
        (f"{paths[split]}, entry {number}", track_id)
        for split, listed in lists.items()
        for number, track_id in enumerate(listed, start=1)
    ]
    labels.check_ids(found, labels.MSD_ID)
    ids = [track_id for _, track_id in found]
    tags, matrix = _read_labels(label_dir, found)
    splits = [split for split, listed in lists.items() for _ in listed]
    num_valid = len(lists.get("train", ())) - NUM_TRAIN
    if "valid" not in lists and num_valid > 0:
        splits[NUM_TRAIN : NUM_TRAIN + num_valid] = ["valid"] * num_valid
    return labels.Labels(
        "pickled split", tags, ids, splits, matrix, published=PUBLISHED
    )


def read_seven_digital_ids(
    label_dir: Path, track_ids: Sequence[str]
) -> list[str | None] | None:
    """Reads the 7digital ids of tracks, where known; None without the file."""
    path = label_dir / SEVEN_DIGITAL
    if not path.exists():
        return None
    table = _read_dict(path)
    found = [_as_text(table.get(track_id)) or None for track_id in track_ids]
    known = (
        (f"{path}, entry {track_id}", name)
        for track_id, name in zip(track_ids, found, strict=True)
        if name
    )
    labels.check_ids(known, labels.SEVEN_DIGITAL_ID, may_repeat=True)
    return found


def _read_list(path: Path) -> list[Any]:
    listed = safe_pickle.load(path)
    if not isinstance(listed, list) or not listed:
        raise ValueError(
            f"{path} holds a {type(listed).__name__}; it must be a list of MSD ids"
        )
    return [_as_text(track_id) for track_id in listed]


def _read_dict(path: Path) -> dict[Any, Any]:
    table = safe_pickle.load(path)
    if not isinstance(table, dict):
        raise ValueError(
            f"{path} holds a {type(table).__name__}; it must be a dict by MSD id"
        )
    return {_as_text(track_id): value for track_id, value in table.items()}


def _as_text(value: Any) -> Any:
    """Restores what was `str` in Python 2: Python 3 reads bytes, and ids may be int.

    >>> _as_text(b"TRABC"), _as_text(5504670), _as_text(None)
    ('TRABC', '5504670', None)
    """
    if isinstance(value, bytes):
        return value.decode("latin1")
    if isinstance(value, int) and abs(value) < 10**18:
        return str(value)
    return value


def _read_labels(
    label_dir: Path, ids: list[tuple[str, str]]
) -> tuple[tuple[str, ...], np.ndarray]:
    """Reads the tags and the labels, uint8 `[N, K]`, of ids behind their places."""
    path = label_dir / VECTORS
    if not path.exists():
        raise ValueError(f"{path} is missing; it holds the labels of the lists' tracks")
    vectors = _read_dict(path)
    rows: list[np.ndarray] = []
    for where, track_id in ids:
        vector = vectors.get(track_id)
        if not isinstance(vector, safe_pickle.Array):
            kind = "nothing" if vector is None else f"a {type(vector).__name__}"
            raise ValueError(
                f"{path} has {kind} for {track_id} ({where}); it must have an array"
            )
        rows.append(vector.value)
    tags = labels.vocabulary(label_dir, rows[0].size, path)
    for (_, track_id), row in zip(ids, rows, strict=True):
        if row.size != len(tags):
            raise ValueError(
                f"{path}, entry {track_id}: {row.size} labels for {len(tags)} tags"
            )
    matrix = np.stack([row.ravel() for row in rows])
    return tags, labels.as_labels(matrix, lambda row: f"{path}, entry {ids[row][1]}")
