"""Prepared shards, opened: what training and evaluation consume.

Row r of a split is its r-th clip, in the order of the shards. Which clips come when is
worked out from numbers alone (`order.py`), so that going on at any step costs no more
than reading one window, and neither seeds, devices, processes nor threads change it.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from input_pipeline import catalogue, index, order, storage, stream
from input_pipeline.index import Split
from input_pipeline.storage import Place
from msd_tagger.common.excerpts import Batch
from msd_tagger.common.facts import SPLITS
from msd_tagger.common.processes import available_cores, progress_bar
from msd_tagger.frontend.recipe import Recipe

_MOST_THREADS = 16  # By themselves; more are for stores that answer slowly.
# What a window may hold unless `input.window_shards` says otherwise. Two are in memory
# at once: one is shuffled while the one before it is used.
_WINDOW_BYTES = 2**28


def open_shards(
    directory: Place | str,
    recipe: Recipe | None = None,
    tags: tuple[str, ...] | None = None,
    check: bool = False,
    threads: int = 0,
    window_shards: int = 0,
) -> "ShardedSplits":
    """Opens what `prepare` made.

    Args:
        directory: As `prepare` returns it: a folder, or an address on another store.
        recipe: If given, the shards must be of this recipe.
        tags: If given, the labels must be in this order.
        check: Read everything and compare all checksums, ids and labels; else only the
            sizes of the files are compared.
        threads: That read and parse; 0 for half of the cores, 2 to 16. They change no
            result.
        window_shards: How many shards of a training epoch are shuffled together; 0 for
            as many as 256 MB hold.

    Raises:
        ValueError: The directory is incomplete, damaged, or of another recipe or order.
    """
    directory = storage.place(directory)
    try:
        data = _read_descriptions(directory, threads, window_shards)
    except PermissionError as error:
        raise ValueError(f"{directory} cannot be read: {error}") from error
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{directory} is damaged ({error}). Delete it and prepare again"
        ) from error
    asked = {"recipe": (data.recipe, recipe), "tag order": (data.tags, tags)}
    for what, (found, expected) in asked.items():
        if expected is not None and found != expected:
            raise ValueError(
                f"{directory} holds the {what} {found}, not the expected {expected}; "
                "prepare shards for this config"
            )
    for split in data.splits.values():
        _check_sizes(split)
        if check:
            data.check(split.name)
    return data


@dataclasses.dataclass(frozen=True)
class ShardedSplits:
    """The three splits of a corpus as spectrograms of one recipe."""

    directory: Place  # Where the shards are.
    recipe: Recipe  # How the spectrograms were made.
    tags: tuple[str, ...]  # Names of the K tags.
    corpus: dict[str, Any]  # Content of corpus.json: name, version, counts.
    splits: dict[str, Split]  # Index of each split.
    threads: int = 2  # That read and parse.
    window_shards: int = 1  # How many shards of an epoch are shuffled together.

    def num_clips(self, split: str, fraction: float = 1.0) -> int:
        """Counts the clips N of a split, or of a share of it.

        A share is the first ceil(fraction * N) clips, so a smaller one is inside of
        every larger one.
        """
        return order.subset_size(len(self._split(split).track_id), fraction)

    def labels(self, split: str, fraction: float = 1.0) -> dict[str, np.ndarray | None]:
        """Labels of a split, or of a share of it (see `num_clips`), row by row.

        Returns:
            track_id `[N]` text, tags uint8 `[N, K]`, true_tags uint8 `[N, K]` or None.
        """
        found, size = self._split(split), self.num_clips(split, fraction)
        truth = found.true_tags
        return {
            "track_id": found.track_id[:size],
            "tags": found.tags[:size],
            "true_tags": None if truth is None else truth[:size],
        }

    def train_batches(
        self,
        batch_size: int,
        data_seed: int,
        first_step: int = 0,
        fraction: float = 1.0,
        rows: slice = slice(None),
    ) -> Iterator[Batch]:
        """Endless batches of the training split.

        The stream is one order of all clips after the other (`order.windows`); step s
        takes its positions s * B to s * B + B - 1. So nothing is dropped at the end of
        an epoch, and a subset smaller than a batch repeats, reshuffled.

        Yields:
            spectrogram float16 `[B, M, F]`, tags uint8 `[B, K]`, mask bool `[B]` (all
            True) and row int64 `[B]`, of the rows of every batch that are asked for. Of
            a clip with several excerpts it is one, drawn from (data seed, epoch).
        """
        reader = self._reader("train", batch_size, fraction)
        return stream.train_batches(reader, batch_size, data_seed, first_step, rows)

    def train_rows(
        self,
        batch_size: int,
        data_seed: int,
        first_step: int = 0,
        fraction: float = 1.0,
    ) -> Iterator[np.ndarray]:
        """Yields what `train_batches` yields, by number, without reading a clip.

        int64 `[B]`: the row; of clips with E excerpts, row * E + number of the excerpt.
        """
        reader = self._reader("train", batch_size, fraction)
        return stream.train_rows(reader, batch_size, data_seed, first_step)

    def evaluation_batches(
        self,
        split: str,
        batch_size: int,
        fraction: float = 1.0,
        rows: slice = slice(None),
    ) -> Iterator[Batch]:
        """Gives every clip of a split once, in order.

        Yields:
            As `train_batches`, but all excerpts of a clip that has several:
            `[B, E, M, F]`. The last batch is padded with zeros, its mask False and its
            row -1 there.
        """
        reader = self._reader(split, batch_size, fraction)
        return stream.evaluation_batches(reader, batch_size, rows)

    def order_digest(self) -> str:
        """Names what the order of training clips depends on besides seeds and ids."""
        clips = self.splits["train"].shard_clips.tolist()
        content = json.dumps([clips, min(self.window_shards, len(clips))])
        return hashlib.sha256(content.encode()).hexdigest()[:8]

    def check(self, split: str) -> None:
        """Reads all of a split and compares it with checksums and index.

        Raises:
            ValueError: Something is damaged, or of another set.
        """
        with progress_bar(self.num_clips(split), f"checking {split}") as bar:
            for batch in self.evaluation_batches(split, 32):
                bar.update(int(batch["mask"].sum()))

    def _split(self, name: str) -> Split:
        if name not in self.splits:
            raise ValueError(f"split is {name!r}; choose from {', '.join(SPLITS)}")
        return self.splits[name]

    def _reader(self, split: str, batch_size: int, fraction: float) -> stream.Reader:
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; it must be at least 1")
        found, size = self._split(split), self.num_clips(split, fraction)
        clips = order.first_clips(found.shard_clips, size)
        how = (self.recipe.stored_shape, clips, self.threads, self.window_shards)
        return stream.Reader(found, *how)


def _read_descriptions(
    directory: Place, threads: int, window_shards: int
) -> ShardedSplits:
    """Reads everything but the shards."""
    if not (directory / catalogue.CORPUS_FILE).exists():
        raise ValueError("it holds no complete set of shards")
    tags = tuple((directory / "tags.txt").read_text(encoding="utf-8").splitlines())
    recipe = Recipe.from_json((directory / "recipe.json").read_text(encoding="utf-8"))
    if recipe.version != Recipe.version:
        raise ValueError(
            f"it was made by version {recipe.version} of the spectrograms, and this "
            f"code reads version {Recipe.version}"
        )
    splits, tag_names = index.read(directory)
    if tags != tag_names:
        raise ValueError(f"tags.txt lists {tags}, index.npz {tag_names}")
    # By the shards alone, not by the machine, as the order of examples depends on it.
    by_size = _WINDOW_BYTES // max(1, int(splits["train"].shard_bytes.max(initial=0)))
    return ShardedSplits(
        directory=directory,
        recipe=recipe,
        tags=tags,
        corpus=catalogue.read_counts(directory),
        splits=splits,
        threads=threads or min(_MOST_THREADS, max(2, available_cores() // 2)),
        window_shards=window_shards or max(1, by_size),
    )


def _check_sizes(split: Split) -> None:
    found = storage.sizes_bytes(split.files)
    for path, size, expected in zip(split.files, found, split.shard_bytes, strict=True):
        if size != expected:
            said = "is missing" if size is None else f"has {size}"
            raise ValueError(
                f"{path} {said}, expected {expected} bytes. Delete {split.directory} "
                "and prepare again"
            )
