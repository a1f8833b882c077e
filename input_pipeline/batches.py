"""Shards to batches: what training and evaluation consume.

Rows of a split are numbered in the order of their track ids. Every order of examples is
worked out from numbers alone (data seed, epoch, step), so nothing has to be read to
know what comes when: resuming at any step is free, and neither seeds, devices nor the
number of reading threads change anything. `streams.py` fetches ahead of the consumer.
"""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from input_pipeline import catalogue, order, streams
from input_pipeline.reader import Batch, StoredSplit, read_index
from msd_tagger.common.facts import SPLITS
from msd_tagger.frontend.recipe import Recipe


def open_shards(
    directory: Path | str,
    recipe: Recipe | None = None,
    tags: tuple[str, ...] | None = None,
    check: bool = False,
    reader: str = "tf.data",
) -> "ShardedSplits":
    """Opens what `prepare` made.

    Args:
        directory: As `prepare` returns it.
        recipe: If given, the shards must be of this recipe.
        tags: If given, the labels must be in this order.
        check: Read everything and compare all checksums; else only sizes are compared.
        reader: Who fetches batches, "tf.data" or "plain" threads. The batches are the
            same; without TensorFlow it is always "plain".

    Raises:
        ValueError: No such reader; the directory is incomplete, damaged, or of another
            recipe or order.
    """
    streams.check_reader(reader)
    directory = Path(directory)
    if not (directory / catalogue.CORPUS_FILE).exists():
        raise ValueError(
            f"{directory} holds no complete set of shards; run --mode=prepare with the "
            "same config first"
        )
    try:
        data = _read_descriptions(directory, reader)
    except PermissionError as error:
        raise ValueError(f"{directory} cannot be read: {error}") from error
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{directory} is damaged ({error}). Delete it and prepare again"
        ) from error
    _check_expected(directory, "recipe", data.recipe, recipe)
    _check_expected(directory, "tag order", data.tags, tags)
    for split in data.splits.values():
        split.check(check)
    return data


@dataclasses.dataclass(frozen=True)
class ShardedSplits:
    """The three splits of a corpus as spectrograms of one recipe."""

    directory: Path  # Where the shards are.
    recipe: Recipe  # How the spectrograms were made.
    tags: tuple[str, ...]  # Names of the K tags.
    corpus: dict[str, Any]  # Content of corpus.json: name, version, counts.
    splits: dict[str, StoredSplit]  # Index of each split.
    reader: str = "tf.data"  # Who fetches batches, see `open_shards`.

    def num_clips(self, split: str, fraction: float = 1.0) -> int:
        """Counts the clips N of a split, or of a share of it (see `subset`)."""
        return order.subset_size(len(self._split(split).track_id), fraction)

    def labels(self, split: str, fraction: float = 1.0) -> dict[str, np.ndarray | None]:
        """Labels of a split, or of a share of it (see `subset`), rows in order.

        Returns:
            track_id `[N]` text, tags uint8 `[N, K]`, true_tags uint8 `[N, K]` or None.
        """
        found, rows = self._split(split), self.subset(split, fraction)
        truth = found.true_tags
        return {
            "track_id": found.track_id[rows],
            "tags": found.tags[rows],
            "true_tags": None if truth is None else truth[rows],
        }

    def subset(self, split: str, fraction: float) -> np.ndarray:
        """Rows of a nested subset: a smaller fraction is inside of a larger one.

        The ceil(fraction * N) clips whose ids have the lowest hash, in order of rows.
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
        (data_seed, e) only; step s takes positions s * B to s * B + B - 1. So nothing
        is dropped at the end of an epoch, and a subset smaller than a batch repeats,
        reshuffled.

        Yields:
            spectrogram float16 `[B, M, F]`, tags uint8 `[B, K]`, mask bool `[B]` (all
            True) and row int64 `[B]`, of the rows of every batch that are asked for.
        """
        _check_batch_size(batch_size)
        split, members = self._split("train"), self.subset("train", fraction)

        def rows_of_step(step: int) -> np.ndarray:
            return order.rows_of_step(members, batch_size, data_seed, step)[rows]

        return self._stream(split, rows_of_step, first_step, np.iinfo(np.int64).max)

    def evaluation_batches(
        self,
        split: str,
        batch_size: int,
        fraction: float = 1.0,
        rows: slice = slice(None),
    ) -> Iterator[Batch]:
        """Gives every clip of a split once, in order.

        Yields:
            As `train_batches`. The last batch is padded with zeros, its mask False and
            its row -1 there.
        """
        _check_batch_size(batch_size)
        found, members = self._split(split), self.subset(split, fraction)
        num_steps = -(-len(members) // batch_size)
        padded = np.full(num_steps * batch_size, -1)
        padded[: len(members)] = members
        table = padded.reshape(num_steps, batch_size)[:, rows]
        return self._stream(found, table.__getitem__, 0, num_steps)

    def read(self, split: str, rows: np.ndarray) -> Batch:
        """Reads one batch at once, without TensorFlow; row -1 is padding."""
        return self._split(split).gather(np.asarray(rows, np.int64), self.recipe.shape)

    def _split(self, name: str) -> StoredSplit:
        if name not in self.splits:
            raise ValueError(f"split is {name!r}; allowed are {', '.join(SPLITS)}")
        return self.splits[name]

    def _stream(
        self,
        split: StoredSplit,
        rows_of_step: Callable[[int], np.ndarray],
        first_step: int,
        stop_step: int,
    ) -> Iterator[Batch]:
        def load(step: int) -> Batch:
            return split.gather(rows_of_step(step), self.recipe.shape)

        return streams.stream(self.reader, load, first_step, stop_step)


def _read_descriptions(directory: Path, reader: str) -> ShardedSplits:
    """Reads everything but the shards."""
    tags = tuple(_read(directory / "tags.txt").splitlines())
    splits, tag_names = read_index(directory / "index.npz")
    if tags != tag_names:
        raise ValueError(f"tags.txt lists {tags}, index.npz {tag_names}")
    return ShardedSplits(
        directory=directory,
        recipe=Recipe.from_json(_read(directory / "recipe.json")),
        tags=tags,
        corpus=catalogue.read_counts(directory),
        splits=splits,
        reader=reader,
    )


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
