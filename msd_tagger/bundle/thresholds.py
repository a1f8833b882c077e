"""The lowest score at which a tag counts as given, chosen on a held-out split.

A network that learnt from weak labels is cautious: most of its scores stay far below
0.5, so each tag has a threshold of its own.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from msd_tagger.common.facts import SPLITS
from msd_tagger.common.metrics import finite_or_none

COLUMNS = ("threshold", "precision", "recall", "f1")
# A threshold that was chosen with fewer clips of its tag says little, see `is_firm`.
FIRM_FROM = 5


class Thresholds(NamedTuple):
    """One threshold per tag, and how well it does on a split.

    A tag is given where the mean of the seeds' scores is at least its threshold. All
    arrays are `[K]`; for a tag without positives all but `positives` are NaN.
    """

    split: str
    threshold: np.ndarray
    precision: np.ndarray  # Share of the clips given the tag that have it.
    recall: np.ndarray  # Share of the clips with the tag that are given it.
    f1: np.ndarray  # Harmonic mean of both.
    positives: np.ndarray  # Clips with the tag.

    def to_rows(self, tags: Sequence[str]) -> dict:
        """Converts to what JSON takes: one row per tag, None for NaN."""
        columns = {name: finite_or_none(getattr(self, name)) for name in COLUMNS}
        columns["positives"] = self.positives.tolist()
        rows = [
            {"tag": tag} | {name: columns[name][k] for name in columns}
            for k, tag in enumerate(tags)
        ]
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
        if content["split"] not in SPLITS:
            raise ValueError(f"the thresholds are of no split: {content['split']!r}")
        columns = {n: np.array([row[n] for row in rows], np.float64) for n in COLUMNS}
        positives = np.array([row["positives"] for row in rows], np.int64)
        return cls(content["split"], **columns, positives=positives)


def choose(tags: np.ndarray, scores: np.ndarray, split: str) -> Thresholds:
    """Finds for each tag the score that maximises F1; of equally good ones the highest.

    Labels are `[N, K]`, scores too, or `[S, N, K]`, of which the mean counts.
    """
    scores = mean_score(scores)
    best = [_best(tags[:, k], scores[:, k]) for k in range(tags.shape[1])]
    return measure(np.array(best, np.float64), tags, scores, split)


def measure(
    threshold: np.ndarray, tags: np.ndarray, scores: np.ndarray, split: str
) -> Thresholds:
    """Measures how well given thresholds `[K]` (NaN for none) do on a split.

    Precision is NaN where no clip is given the tag, recall and F1 where no clip has it.
    """
    tags, given = np.asarray(tags, bool), mean_score(scores) >= threshold
    hits, num_given, positives = (x.sum(0) for x in (tags & given, given, tags))
    known = np.where(np.isnan(threshold), np.nan, positives)
    return Thresholds(
        split,
        np.asarray(threshold, np.float64),
        precision=_ratio(hits, num_given),
        recall=_ratio(hits, known),
        f1=np.where(known > 0, _ratio(2 * hits, num_given + known), np.nan),
        positives=positives,
    )


def is_firm(thresholds: Thresholds | None, k: int) -> bool:
    """Tells whether the threshold of tag number k was chosen with clips enough."""
    return thresholds is not None and bool(thresholds.positives[k] >= FIRM_FROM)


def mean_score(scores: np.ndarray) -> np.ndarray:
    """Averages `[S, N, K]` over seeds; leaves `[N, K]` as it is."""
    scores = np.asarray(scores)
    return scores.mean(0, dtype=np.float64) if scores.ndim == 3 else scores


def _best(tags: np.ndarray, scores: np.ndarray) -> float:
    positives = int(tags.sum())
    if not positives:
        return np.nan
    order = np.argsort(-scores, kind="stable")
    scores, hits = scores[order], np.cumsum(tags[order], dtype=np.int64)
    f1 = 2 * hits / (np.arange(1, len(scores) + 1) + positives)
    is_last_of_equals = np.append(scores[1:] < scores[:-1], True)
    return float(scores[np.argmax(np.where(is_last_of_equals, f1, -1.0))])


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    whole = np.asarray(whole, np.float64)
    return np.divide(part, whole, where=whole > 0, out=np.full(len(whole), np.nan))
