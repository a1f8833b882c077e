"""What training needs of a prepared corpus."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np

from msd_tagger.common.excerpts import Batch
from msd_tagger.frontend.recipe import Recipe

# Of a data seed, a first step and a share of the training split: endless batches, as
# `Data.train_batches` gives them.
TrainBatches = Callable[[int, int, float], Iterator[Batch]]


class Data(Protocol):
    """A prepared corpus; `input_pipeline.batches` has one."""

    @property
    def tags(self) -> tuple[str, ...]:
        """The K tags."""

    @property
    def recipe(self) -> Recipe:
        """How the spectrograms were made."""

    @property
    def corpus(self) -> dict[str, Any]:
        """What the run record says of the corpus, as its name and version."""

    def num_clips(self, split: str, fraction: float = 1.0) -> int:
        """Counts the clips of "train", "valid" or "test", or of a share of it."""

    def labels(self, split: str, fraction: float = 1.0) -> dict[str, Any]:
        """Gives arrays "track_id" `[N]`, "tags" and "true_tags" `[N, K]` (or None)."""

    def train_batches(
        self,
        batch_size: int,
        data_seed: int,
        first_step: int = 0,
        fraction: float = 1.0,
        rows: slice = slice(None),
    ) -> Iterator[Batch]:
        """Gives endless batches, in an order that only (data_seed, epoch) decides.

        `rows` are those of every batch that this process wants.
        """

    def train_rows(
        self,
        batch_size: int,
        data_seed: int,
        first_step: int = 0,
        fraction: float = 1.0,
    ) -> Iterator[np.ndarray]:
        """Gives the rows int64 `[B]` of these batches, without reading any clip.

        Row 0 is the first clip that `evaluation_batches` gives of this share. Where
        clips have E excerpts, row * E + number of the excerpt.
        """

    def evaluation_batches(
        self,
        split: str,
        batch_size: int,
        fraction: float = 1.0,
        rows: slice = slice(None),
    ) -> Iterator[Batch]:
        """Gives every clip once, in order; the last batch is padded and masked.

        Clips with E excerpts, `recipe.excerpts_per_track`, are `[B, E, M, F]`.
        """


def share_of(data: Data, num_clips: int, at_most: float) -> float:
    """Returns the share of the training split that has so many clips, or `at_most`.

    They are its first ones, so that no more is read, and a random choice.
    """
    return min(at_most, num_clips / data.num_clips("train"))
