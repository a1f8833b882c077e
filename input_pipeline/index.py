"""The index of a prepared set: ids and labels of its clips, and the sizes of shards.

It is small (30 MB for 240,000 clips) and read whole. Where a clip lies follows from its
row: shards hold the rows of a split one after another.
"""

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from input_pipeline import records
from input_pipeline.storage import Place
from msd_tagger.common import contents, files
from msd_tagger.common.facts import SPLITS

INDEX = "index.npz"
# What it has of each split of N clips in P shards, see `contents`.
_ARRAYS = {
    "track_id": contents.Array("U", "N"),
    "tags": contents.Array("u", "N K"),
    "true_tags?": contents.Array("u", "N K"),
    "shard_clips": contents.Array("i", "P"),
    "shard_bytes": contents.Array("i", "P"),
}


@dataclasses.dataclass(frozen=True)
class Split:
    """One split of a prepared corpus: N clips in P shards."""

    name: str  # "train", "valid" or "test".
    directory: Place  # Where the shards are.
    track_id: np.ndarray  # [N] text, in the order of the shards.
    tags: np.ndarray  # uint8 [N, K].
    true_tags: np.ndarray | None  # uint8 [N, K], or None where nobody knows.
    shard_clips: np.ndarray  # int64 [P], number of clips in each shard.
    shard_bytes: np.ndarray  # int64 [P], size of each file.

    @functools.cached_property
    def files(self) -> list[Place]:
        """The shards' files."""
        number = len(self.shard_bytes)
        names = (records.shard_name(self.name, one, number) for one in range(number))
        return [self.directory / name for name in names]


def write(path: Path, tags: tuple[str, ...], splits: Mapping[str, Any]) -> None:
    """Writes an index whole or not at all: tags, and arrays of splits as in `Split`."""
    arrays = {
        f"{split}_{name}": array
        for split, columns in splits.items()
        for name, array in columns.items()
    }
    with files.replacing(path) as unfinished, unfinished.open("wb") as file:
        np.savez(file, tag_names=np.array(tags), **arrays)


def read(directory: Place) -> tuple[dict[str, Split], tuple[str, ...]]:
    """Reads an index: the splits by name, and the names of the K tags.

    Raises:
        ValueError: The file is damaged, or its arrays do not fit each other.
    """
    path = directory / INDEX
    stored = files.read_npz(path)
    expected: dict[str, contents.Array] = {"tag_names": contents.Array("U", "K")}
    for split in SPLITS:
        for name, array in _ARRAYS.items():
            axes = array.axes.replace("N", split).replace("P", f"{split}_shards")
            expected[f"{split}_{name}"] = array._replace(axes=axes)
    contents.check(stored, expected, f"{path}: ")
    splits, names = {}, [name.rstrip("?") for name in _ARRAYS]
    for split in SPLITS:
        arrays: dict[str, Any] = {name: stored.get(f"{split}_{name}") for name in names}
        splits[split] = Split(split, directory, **arrays)
        clips, size = arrays["shard_clips"], len(arrays["track_id"])
        if (clips < 0).any() or clips.sum() != size:
            raise ValueError(
                f"{path}: {split}_shard_clips are {clips.sum()} clips in all, and "
                f"{split}_track_id has {size}"
            )
    return splits, tuple(stored["tag_names"].tolist())
