"""Shards to batches: what training and evaluation consume.

Rows of a split are numbered in the order of their track ids. Every order of examples is
worked out from numbers alone (data seed, epoch, step), so nothing has to be read to
know what comes when: resuming at any step is free, and neither seeds, devices nor the
number of reading threads change anything. `tf.data` fetches ahead of the consumer.
"""

import dataclasses
import functools
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from input_pipeline import order, records
from input_pipeline.corpora import SPLITS
from input_pipeline.recipe import Recipe
from input_pipeline.shards import DATASET

# Batches that are fetched while the consumer works on one. Two hide the reading; more
# would only hold memory, 8 MB for 32 clips.
_PREFETCHED_BATCHES = 2
_READING_THREADS = 2
_OPEN_FILES = 256  # Well below the usual limit of 1,024 a process.

Batch = dict[str, np.ndarray]


def open_shards(
    directory: Path | str,
    recipe: Recipe | None = None,
    tags: tuple[str, ...] | None = None,
    check: bool = False,
) -> "ShardedSplits":
    """Opens what `prepare` made.

    Args:
        directory: as `prepare` returns it.
        recipe: if given, the shards must be of this recipe.
        tags: if given, the labels must be in this order.
        check: read everything and compare all checksums; else only sizes are compared.

    Raises:
        ValueError: the directory is incomplete, damaged, or of another recipe or order.
    """
    directory = Path(directory)
    if not (directory / "corpus.json").exists():
        raise ValueError(
            f"{directory} holds no complete set of shards; run --mode=prepare with the "
            "same config first"
        )
    data = ShardedSplits(
        directory=directory,
        recipe=Recipe.from_json(_read(directory / "recipe.json")),
        tags=tuple(_read(directory / "tags.txt").splitlines()),
        corpus=json.loads(_read(directory / "corpus.json")),
        splits=_read_index(directory / "index.npz"),
    )
    _check_expected(directory, "recipe", data.recipe, recipe)
    _check_expected(directory, "tag order", data.tags, tags)
    for split in data.splits.values():
        split.check(check)
    return data


@dataclasses.dataclass(frozen=True)
class _Split:
    """Index of one split; arrays as `prepare` describes them."""

    name: str
    directory: Path
    track_id: np.ndarray
    shard: np.ndarray
    offset: np.ndarray
    tags: np.ndarray
    true_tags: np.ndarray | None
    shard_bytes: np.ndarray
    open_file: Callable[[Path], "_File"] = dataclasses.field(
        default_factory=lambda: _opener()
    )

    def path(self, shard: int) -> Path:
        numbers = f"{shard:05d}-of-{len(self.shard_bytes):05d}"
        return self.directory / f"{DATASET}-{self.name}.tfrecord-{numbers}"

    def check(self, all_bytes: bool) -> None:
        for shard, expected_bytes in enumerate(self.shard_bytes):
            path = self.path(shard)
            found_bytes = path.stat().st_size if path.exists() else None
            if found_bytes != expected_bytes:
                found = "is missing" if found_bytes is None else f"has {found_bytes}"
                raise ValueError(
                    f"{path} {found}, expected are {expected_bytes} bytes. Delete "
                    f"{self.directory} and prepare again"
                )
            if all_bytes:
                self._check_records(shard, path)

    def _check_records(self, shard: int, path: Path) -> None:
        found = records.index_shard(path, check=True)
        is_here = self.shard == shard
        if found.track_id != self.track_id[is_here].tolist() or not np.array_equal(
            found.offset, self.offset[is_here]
        ):
            raise ValueError(
                f"{path} holds other clips than index.npz says. Delete "
                f"{self.directory} and prepare again"
            )


@dataclasses.dataclass(frozen=True)
class ShardedSplits:
    """The three splits of a corpus as spectrograms of one recipe.

    Attributes:
        directory: where the shards are.
        recipe: how the spectrograms were made.
        tags: names of the K tags.
        corpus: content of corpus.json: name, version, counts.
        splits: index of each split.
    """

    directory: Path
    recipe: Recipe
    tags: tuple[str, ...]
    corpus: dict[str, Any]
    splits: dict[str, _Split]

    def num_clips(self, split: str) -> int:
        """Number of clips N of a split."""
        return len(self._split(split).track_id)

    def labels(self, split: str) -> dict[str, np.ndarray | None]:
        """Labels without spectrograms, rows in order.

        Returns:
            track_id [N] text, tags uint8 [N, K], true_tags uint8 [N, K] or None.
        """
        found = self._split(split)
        return {
            "track_id": found.track_id,
            "tags": found.tags,
            "true_tags": found.true_tags,
        }

    def subset(self, split: str, fraction: float) -> np.ndarray:
        """Rows of a nested subset: a smaller fraction is inside of a larger one.

        The ceil(fraction * N) clips whose ids have the lowest hash, in order of rows.

        Raises:
            ValueError: the fraction is not above 0 and at most 1.
        """
        return order.nested_subset(self._split(split).track_id, fraction)

    def train_batches(
        self,
        batch_size: int,
        data_seed: int,
        first_step: int = 0,
        fraction: float = 1.0,
        rows: slice = slice(None),
    ) -> Iterator[Batch]:
        """Endless batches of the training split.

        The stream is one permutation after the other, permutation e a function of
        (data_seed, e) only; step s takes the places s * B to s * B + B - 1. So nothing
        is dropped at the end of an epoch, and a subset smaller than a batch repeats,
        reshuffled.

        Args:
            batch_size: B, over all processes.
            data_seed: of the order.
            first_step: where to start; 0 for a new run.
            fraction: share of the clips, see `subset`.
            rows: the rows of every batch that this process wants.

        Yields:
            spectrogram float16 [B, M, F], tags uint8 [B, K], mask bool [B] (all True)
            and row int64 [B]; B counts the rows wanted.

        Raises:
            ValueError: a fraction or batch size that is not allowed.
        """
        _check_batch_size(batch_size)
        split, members = self._split("train"), self.subset("train", fraction)

        def rows_of_step(step: int) -> np.ndarray:
            return order.rows_of_step(members, batch_size, data_seed, step)[rows]

        return self._stream(split, rows_of_step, first_step, np.iinfo(np.int64).max)

    def evaluation_batches(
        self, split: str, batch_size: int, fraction: float = 1.0
    ) -> Iterator[Batch]:
        """Every clip of a split once, in order.

        Args:
            split: "train", "valid" or "test".
            batch_size: B.
            fraction: share of the clips, see `subset`.

        Yields:
            As `train_batches`. The last batch is padded with zeros, its mask False and
            its row -1 there.

        Raises:
            ValueError: a split, fraction or batch size that is not allowed.
        """
        _check_batch_size(batch_size)
        found, members = self._split(split), self.subset(split, fraction)
        num_steps = -(-len(members) // batch_size)
        padded = np.full(num_steps * batch_size, -1)
        padded[: len(members)] = members
        table = padded.reshape(num_steps, batch_size)
        return self._stream(found, table.__getitem__, 0, num_steps)

    def read(self, split: str, rows: np.ndarray) -> Batch:
        """Reads one batch at once, without TensorFlow.

        Args:
            split: "train", "valid" or "test".
            rows: int [B], -1 for padding.
        """
        return _gather(self._split(split), self.recipe, np.asarray(rows, np.int64))

    def _split(self, name: str) -> _Split:
        if name not in self.splits:
            raise ValueError(f"split is {name!r}; allowed are {', '.join(SPLITS)}")
        return self.splits[name]

    def _stream(
        self,
        split: _Split,
        rows_of_step: Callable[[int], np.ndarray],
        first_step: int,
        stop_step: int,
    ) -> Iterator[Batch]:
        tf = _tensorflow()
        types = {name: tf.as_dtype(dtype) for name, dtype in _DTYPES.items()}

        def load(step: np.ndarray) -> list[np.ndarray]:
            batch = _gather(split, self.recipe, rows_of_step(int(step)))
            return [batch[name] for name in _DTYPES]

        # Steps, not records, flow through the pipeline: a step number determines its
        # batch, so starting in the middle costs nothing.
        dataset = tf.data.Dataset.range(first_step, stop_step)
        # One gather a step from the page cache, on few threads: the cores belong to
        # the training step. Order is kept whichever thread is first.
        dataset = dataset.map(
            lambda step: tf.numpy_function(load, [step], list(types.values())),
            num_parallel_calls=_READING_THREADS,
            deterministic=True,
        )
        dataset = dataset.prefetch(_PREFETCHED_BATCHES)
        options = tf.data.Options()
        options.threading.private_threadpool_size = _READING_THREADS
        dataset = dataset.with_options(options)
        for values in dataset.as_numpy_iterator():
            yield dict(zip(_DTYPES, values, strict=True))


_DTYPES = {
    "spectrogram": np.float16,
    "tags": np.uint8,
    "mask": np.bool_,
    "row": np.int64,
}


def _gather(split: _Split, recipe: Recipe, rows: np.ndarray) -> Batch:
    """Copies records into one array, each straight from the page cache."""
    mask = rows >= 0
    spectrogram = np.zeros((len(rows), *recipe.shape), np.float16)
    tags = np.zeros((len(rows), split.tags.shape[1]), np.uint8)
    tags[mask] = split.tags[rows[mask]]
    for place in np.flatnonzero(mask):
        row = rows[place]
        file = split.open_file(split.path(split.shard[row]))
        file.read_into(spectrogram[place], int(split.offset[row]))
    return {"spectrogram": spectrogram, "tags": tags, "mask": mask, "row": rows}


class _File:
    """A file open for reading at given places, by several threads at once.

    `preadv` copies once, from the page cache into the batch, and without the
    interpreter lock; a memory map would fault its pages in one by one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.descriptor = os.open(path, os.O_RDONLY)

    def read_into(self, array: np.ndarray, offset: int) -> None:
        view = memoryview(array.view(np.uint8)).cast("B")
        num_read = os.preadv(self.descriptor, [view], offset)
        if num_read != len(view):
            raise ValueError(
                f"{self.path} ends at byte {offset + num_read}; it has changed since "
                "it was opened. Prepare the shards again"
            )

    def __del__(self) -> None:
        if hasattr(self, "descriptor"):
            os.close(self.descriptor)


def _opener() -> Callable[[Path], _File]:
    # A file that falls out of the cache closes when the last thread lets go of it.
    return functools.lru_cache(maxsize=_OPEN_FILES)(_File)


@functools.cache
def _tensorflow() -> Any:
    """Imports TensorFlow, with the accelerators left to JAX."""
    # What it logs while it starts is of no use to a reader; errors are exceptions.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    for kind in ("GPU", "TPU"):
        tf.config.set_visible_devices([], kind)
    return tf


def _read_index(path: Path) -> dict[str, _Split]:
    with np.load(path, allow_pickle=False) as stored:
        return {
            split: _Split(
                name=split,
                directory=path.parent,
                track_id=stored[f"{split}_track_id"],
                shard=stored[f"{split}_shard"],
                offset=stored[f"{split}_offset"],
                tags=stored[f"{split}_tags"],
                true_tags=stored.get(f"{split}_true_tags"),
                shard_bytes=stored[f"{split}_shard_bytes"],
            )
            for split in SPLITS
        }


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _check_expected(directory: Path, what: str, found: Any, expected: Any) -> None:
    if expected is not None and found != expected:
        raise ValueError(
            f"{directory} holds the {what} {found}, not the expected {expected}; "
            "prepare shards for this config"
        )


def _check_batch_size(batch_size: int) -> None:
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}; it must be at least 1")
