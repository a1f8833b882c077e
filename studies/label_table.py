"""The labels of a whole corpus in one small file, `labels.npz`.

The studies of tags start from it: they need neither the audio nor the shards. Tags are
stored as bits, so that 200,000 clips of 50 tags take 1.4 MB before compression.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from msd_tagger.common import files
from studies.records import RunRecordError, read_arrays

LABELS = "labels.npz"


@dataclasses.dataclass(frozen=True)
class SplitLabels:
    """The labels of one split.

    Attributes:
        track_id: text [N].
        tags: the corpus's weak labels, uint8 [N, K].
        true_tags: what is true of the audio, uint8 [N, K]; None where unknown.
    """

    track_id: np.ndarray
    tags: np.ndarray
    true_tags: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class LabelTable:
    """The labels of a corpus.

    Attributes:
        tag_names: K names.
        splits: from "train", "valid" and "test", as far as present, to their labels.
    """

    tag_names: tuple[str, ...]
    splits: Mapping[str, SplitLabels]


def write_label_table(path: Path | str, table: LabelTable) -> None:
    """Writes the labels whole or not at all.

    Args:
        path: the file, replaced if it exists.
        table: the labels.

    Raises:
        ValueError: ids, tags and tag names do not fit each other.
    """
    path = Path(path)
    arrays = {"tag_names": _text(table.tag_names), "splits": _text(table.splits)}
    for split, labels in table.splits.items():
        arrays[f"{split}_track_id"] = _text(labels.track_id)
        for name in ("tags", "true_tags"):
            tags = getattr(labels, name)
            if tags is not None:
                _check_shape(f"{split} {name}", tags, labels, table)
                arrays[f"{split}_{name}"] = np.packbits(np.asarray(tags) > 0, axis=1)
    files.write_npz(path, **arrays)  # Jobs of one study do so at the same time.


def read_label_table(path: Path | str) -> LabelTable:
    """Reads what `write_label_table` wrote.

    Raises:
        RunRecordError: the file cannot be read or is no table of labels; it names it.
    """
    arrays = read_arrays(Path(path))
    try:
        names = tuple(arrays["tag_names"].tolist())
        splits = {
            split: SplitLabels(
                arrays[f"{split}_track_id"],
                _unpack(arrays[f"{split}_tags"], len(names)),
                _unpack(arrays.get(f"{split}_true_tags"), len(names)),
            )
            for split in arrays["splits"].tolist()
        }
    except KeyError as error:
        raise RunRecordError(
            f"{path} is no table of labels: {error} is missing. It holds "
            f"{', '.join(sorted(arrays)) or 'nothing'}."
        ) from error
    return LabelTable(names, splits)


def _text(words: object) -> np.ndarray:
    """Words as an array of text, also where there are none."""
    return np.array(list(words), dtype=np.str_)


def _unpack(bits: np.ndarray | None, num_tags: int) -> np.ndarray | None:
    return None if bits is None else np.unpackbits(bits, axis=1, count=num_tags)


def _check_shape(
    what: str, tags: np.ndarray, labels: SplitLabels, table: LabelTable
) -> None:
    expected = (len(labels.track_id), len(table.tag_names))
    if np.shape(tags) != expected:
        raise ValueError(
            f"{what} has shape {np.shape(tags)}; {expected[0]} track ids and "
            f"{expected[1]} tag names ask for {expected}."
        )
