"""From which score on a tag counts as given, chosen on a split that was held out.

A network that learnt from weak labels is cautious: most of its scores stay far below
0.5, so each tag gets the threshold that suits it best.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

COLUMNS = ("threshold", "precision", "recall", "f1")


class Thresholds(NamedTuple):
    """One threshold per tag, and what it does on the clips that it was chosen on.

    A tag is given where the mean of the seeds' scores is at least its threshold.

    Attributes:
        split: Name of the split that they were chosen on.
        threshold: `[K]`, NaN for a tag without positives, as are the next three.
        precision: `[K]`, share of true ones among the clips that get the tag.
        recall: `[K]`, share of the tag's clips that get it.
        f1: `[K]`, harmonic mean of both.
        positives: `[K]`, clips with the tag.
    """

    split: str
    threshold: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    positives: np.ndarray

    def to_rows(self, tags: Sequence[str]) -> dict:
        """As JSON takes it, one row a tag; None stands for NaN."""
        rows = []
        for k, tag in enumerate(tags):
            values = {name: float(getattr(self, name)[k]) for name in COLUMNS}
            values = {n: None if np.isnan(v) else v for n, v in values.items()}
            rows.append({"tag": tag, **values, "positives": int(self.positives[k])})
        return {"split": self.split, "tags": rows}

    @classmethod
    def from_rows(cls, content: dict, tags: Sequence[str]) -> "Thresholds":
        """Reads what `to_rows` gave.

        Raises:
            ValueError: The rows are of other tags.
        """
        rows = content["tags"]
        if [row["tag"] for row in rows] != list(tags):
            raise ValueError("the thresholds are of other tags, or in another order")
        columns = [np.array([row[n] for row in rows], np.float64) for n in COLUMNS]
        positives = np.array([row["positives"] for row in rows], np.int64)
        return cls(content["split"], *columns, positives)
