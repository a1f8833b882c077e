"""Training labels that are not the corpus's own: its truth, or noisier ones."""

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from msd_tagger.common.excerpts import Batch
from msd_tagger.common.splitmix import scramble
from msd_tagger.training.data import Data


@dataclasses.dataclass(frozen=True)
class Relabelled:
    """A prepared corpus whose training clips have other labels; a `Data` too."""

    data: Data
    train_tags: np.ndarray  # uint8 [N, K], row by row.

    def __getattr__(self, name: str) -> Any:
        """Takes all that is not about labels from the corpus."""
        return getattr(self.data, name)

    def labels(self, split: str, *wanted: Any, **named: Any) -> dict[str, Any]:
        """Gives ids and labels of a split."""
        found = self.data.labels(split, *wanted, **named)
        if split != "train":
            return found
        return found | {"tags": self.train_tags[: len(found["track_id"])]}

    def train_batches(self, *wanted: Any, **named: Any) -> Iterator[Batch]:
        """Gives endless batches of training clips."""
        return map(self._relabel, self.data.train_batches(*wanted, **named))

    def evaluation_batches(
        self, split: str, *wanted: Any, **named: Any
    ) -> Iterator[Batch]:
        """Gives every clip of a split once."""
        batches = self.data.evaluation_batches(split, *wanted, **named)
        return map(self._relabel, batches) if split == "train" else batches

    def _relabel(self, batch: Batch) -> Batch:
        found = np.where(batch["mask"][:, None], self.train_tags[batch["row"]], 0)
        return batch | {"tags": found.astype(np.uint8)}


def add_noise(
    labels: np.ndarray,
    track_id: Sequence[str] | np.ndarray,
    tags: Sequence[str],
    *,
    drop: float,
    flip: float,
    seed: int,
) -> np.ndarray:
    """Makes labels `[N, K]` noisier: drops positives, then flips any label.

    Whether it does is a function of seed, clip and tag alone, neither of other clips
    and tags nor of their order. At a higher rate the labels that change at a lower one
    change as well.
    """
    given = np.asarray(labels) > 0
    if drop:
        given = given & (_uniform(seed, "drop", track_id, tags) >= drop)
    if flip:
        given = given ^ (_uniform(seed, "flip", track_id, tags) < flip)
    return given.astype(np.uint8)


def _uniform(
    seed: int, purpose: str, clips: Iterable[str], tags: Iterable[str]
) -> np.ndarray:
    """Returns a number from 0 to 1 for each clip and tag: float64 `[N, K]`."""
    of_clips, of_tags = (
        np.array([_key(seed, purpose, kind, one) for one in words], np.uint64)
        for kind, words in (("clip", clips), ("tag", tags))
    )
    return (scramble(of_clips[:, None] ^ of_tags) >> np.uint64(11)) * 2.0**-53


def _key(*words: object) -> int:
    text = "\n".join(map(str, words))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
