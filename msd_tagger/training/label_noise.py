"""Training labels that are not the corpus's own: its truth, or noisier ones."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from msd_tagger.training.setup import Batch, Data


@dataclasses.dataclass(frozen=True)
class Relabelled:
    """A prepared corpus whose training clips have other labels; a `setup.Data`."""

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
