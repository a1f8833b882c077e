"""Reads prepared shards without TensorFlow: any rows, in any order.

The index says where every spectrogram is, so a batch is a few reads at known offsets.
Both readers of `streams.py` call it, and a machine without TensorFlow needs no more.
"""

import dataclasses
import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from input_pipeline import records
from msd_tagger.common import contents
from msd_tagger.common.facts import SPLITS
from msd_tagger.common.files import read_npz
from msd_tagger.common.processes import progress_bar

_OPEN_FILES = 256  # Well below the usual limit of 1,024 a process.

Batch = dict[str, np.ndarray]
# What index.npz has of each split of N clips, see `contents`.
_ARRAYS = {
    "track_id": contents.Array("U", "N"),
    "shard": contents.Array("i", "N"),
    "offset": contents.Array("i", "N"),
    "tags": contents.Array("u", "N K"),
    "true_tags?": contents.Array("u", "N K"),
    "shard_bytes": contents.Array("i", "."),
}


@dataclasses.dataclass(frozen=True)
class StoredSplit:
    """One split of a prepared corpus: N clips in some shards."""

    name: str  # "train", "valid" or "test".
    directory: Path  # Where the shards are.
    track_id: np.ndarray  # [N] text, sorted.
    shard: np.ndarray  # int32 [N], number of the shard that holds a clip.
    offset: np.ndarray  # int64 [N], first byte of its spectrogram in that shard.
    tags: np.ndarray  # uint8 [N, K].
    true_tags: np.ndarray | None  # uint8 [N, K], or None where nobody knows.
    shard_bytes: np.ndarray  # Size of every shard.
    is_checked: np.ndarray  # bool [N], records that were compared with their checksum.
    # Opens a shard and keeps it open for a while.
    open_file: Callable[[Path], "_File"] = dataclasses.field(
        default_factory=lambda: _opener()
    )

    def path(self, shard: int) -> Path:
        """Returns the file of a shard."""
        num_shards = len(self.shard_bytes)
        return self.directory / records.shard_name(self.name, shard, num_shards)

    def check(self, all_bytes: bool) -> None:
        """Compares the shards with the index.

        Args:
            all_bytes: Read everything and compare checksums, ids and tags; else only
                sizes.
        """
        for shard, expected_bytes in enumerate(self.shard_bytes):
            path = self.path(shard)
            found_bytes = path.stat().st_size if path.exists() else None
            if found_bytes != expected_bytes:
                found = "is missing" if found_bytes is None else f"has {found_bytes}"
                raise ValueError(
                    f"{path} {found}, expected {expected_bytes} bytes. Delete "
                    f"{self.directory} and prepare again"
                )
        if all_bytes:
            num_shards, what = len(self.shard_bytes), f"checking {self.name}"
            with progress_bar(num_shards, what, "shard") as bar:
                for shard in range(num_shards):
                    self._check_records(shard, self.path(shard))
                    bar.update()

    def gather(self, rows: np.ndarray, shape: tuple[int, int]) -> Batch:
        """Copies records into one array, each straight from the page cache.

        The first time that a process reads a record, it compares the checksum and the
        id too: disks and networks do flip bits, and nothing later would notice.

        Args:
            rows: int64 `[B]`, -1 for padding.
            shape: (M, F) of the spectrograms.

        Returns:
            spectrogram float16 [B, M, F], tags uint8 [B, K], mask bool [B] and row
            int64 [B]; zeros where there is padding.
        """
        mask = rows >= 0
        spectrogram = np.empty((len(rows), *shape), np.float16)
        spectrogram[~mask] = 0
        tags = np.zeros((len(rows), self.tags.shape[1]), np.uint8)
        tags[mask] = self.tags[rows[mask]]
        for index in np.flatnonzero(mask):
            row = rows[index]
            file = self.open_file(self.path(self.shard[row]))
            file.read_into(spectrogram[index], int(self.offset[row]))
            if not self.is_checked[row]:
                self._check_record(row, file)
        return {"spectrogram": spectrogram, "tags": tags, "mask": mask, "row": rows}

    def _check_record(self, row: int, file: "_File") -> None:
        track_id = str(self.track_id[row])
        try:
            records.check_record(file.read, int(self.offset[row]), track_id)
        except ValueError as error:
            raise ValueError(
                f"{file.path} is damaged: {error}, in clip {track_id}. "
                f"Delete {self.directory} and prepare again"
            ) from error
        self.is_checked[row] = True

    def _check_records(self, shard: int, path: Path) -> None:
        found = records.index_shard(path, check=True)
        is_here = self.shard == shard
        if (
            found.track_id != self.track_id[is_here].tolist()
            or found.offset.tolist() != self.offset[is_here].tolist()
            or found.tags.tobytes() != self.tags[is_here].tobytes()
        ):
            raise ValueError(
                f"{path} holds other clips than index.npz says. Delete "
                f"{self.directory} and prepare again"
            )


def read_index(path: Path) -> tuple[dict[str, StoredSplit], tuple[str, ...]]:
    """Reads index.npz: the splits by name, and the names of the K tags.

    Raises:
        ValueError: The file is damaged, or its arrays do not fit each other.
    """
    stored = read_npz(path)
    expected: dict[str, contents.Array] = {"tag_names": contents.Array("U", "K")}
    for split in SPLITS:
        arrays = {f"{split}_{name}": array for name, array in _ARRAYS.items()}
        expected |= {
            key: array._replace(axes=array.axes.replace("N", split))
            for key, array in arrays.items()
        }
    contents.check(stored, expected, f"{path}: ")
    return {split: _split(path, split, stored) for split in SPLITS}, tuple(
        stored["tag_names"].tolist()
    )


def _split(path: Path, split: str, stored: dict[str, np.ndarray]) -> StoredSplit:
    own = {name.rstrip("?"): f"{split}_{name.rstrip('?')}" for name in _ARRAYS}
    arrays: dict[str, Any] = {name: stored.get(key) for name, key in own.items()}
    shard, num_shards = arrays["shard"], len(arrays["shard_bytes"])
    if not ((shard >= 0) & (shard < num_shards)).all():
        raise ValueError(f"{path}: {own['shard']} names other than {num_shards} shards")
    is_checked = np.zeros(len(shard), bool)
    return StoredSplit(split, path.parent, **arrays, is_checked=is_checked)


class _File:
    """A file open for reading at given offsets, by several threads at once.

    `preadv` copies once, from the page cache into the batch, and without the
    interpreter lock; a memory map would fault its pages in one by one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.descriptor = os.open(path, os.O_RDONLY)

    def read_into(self, array: np.ndarray, offset: int) -> None:
        view = array.view(np.uint8).data.cast("B")
        num_read = os.preadv(self.descriptor, [view], offset)
        if num_read != len(view):
            raise ValueError(
                f"{self.path} ends at byte {offset + num_read}; it has changed since "
                "it was opened. Prepare the shards again"
            )

    def read(self, size: int, offset: int) -> bytes:
        return os.pread(self.descriptor, size, offset)

    def __del__(self) -> None:
        if hasattr(self, "descriptor"):
            os.close(self.descriptor)


def _opener() -> Callable[[Path], _File]:
    # A file that falls out of the cache closes when the last thread lets go of it.
    return functools.lru_cache(maxsize=_OPEN_FILES)(_File)
