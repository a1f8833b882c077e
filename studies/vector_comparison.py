"""The label vectors of a study's networks, and the labels to compare them with."""

from __future__ import annotations

import dataclasses

import numpy as np

from studies import co_occurrence
from studies.label_statistics import read_statistics, select_tags
from studies.label_vectors import similarity
from studies.records import RunRecord, SweepRecord

POINT = "variance"


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Similarity of label vectors beside co-occurrence.

    Attributes:
        tag_names: K names.
        kind: of the similarity, "cosine" or "dot".
        S: similarity for each seed [S, K, K].
        mean: the same, averaged over seeds [K, K].
        together: clips with both tags [K, K].
        C: normalised co-occurrence [K, K].
        selected: places of the tags of Fig. 9.
        source: where `together` was counted, in words.
    """

    tag_names: tuple[str, ...]
    kind: str
    S: np.ndarray
    mean: np.ndarray
    together: np.ndarray
    C: np.ndarray
    selected: list[int]
    source: str


def compare(
    tag_names: tuple[str, ...],
    W: np.ndarray,
    together: np.ndarray,
    kind: str = "cosine",
    source: str = "",
) -> Comparison:
    """Sets label vectors beside the labels.

    Args:
        tag_names: K names.
        W: weights of the last layer, for each seed [S, N, K].
        together: clips with both tags [K, K].
        kind: of the similarity, "cosine" or "dot".
        source: where `together` was counted, in words.
    """
    S = similarity(W, kind)
    return Comparison(
        tag_names=tag_names,
        kind=kind,
        S=S,
        mean=S.mean(axis=0),
        together=together,
        C=co_occurrence.normalise(together),
        selected=select_tags(tag_names, together),
        source=source,
    )


def read_comparison(record: SweepRecord) -> tuple[str, Comparison] | str:
    """The point that is read and what it holds, or a sentence on what is missing."""
    points = record.select(POINT) or record.points
    points = {k: v for k, v in points.items() if "label_vectors" in v.arrays}
    if not points:
        return "No point is complete: there are no label vectors to compare."
    name, point = next(iter(points.items()))
    arrays = point.arrays["label_vectors"]
    names = tuple(arrays["tag_names"].tolist())
    if len(names) < 3:
        return f"{len(names)} tags make too few pairs to compare."
    counted = _count_together(record, point, names)
    if counted is None:
        return "There are no labels to compare label vectors with."
    kind = record.config.get("analysis", {}).get("similarity", "cosine")
    together, source = counted
    return name, compare(names, arrays["kernel"], together, kind, source)


def _count_together(
    record: SweepRecord, point: RunRecord, names: tuple[str, ...]
) -> tuple[np.ndarray, str] | None:
    """Clips with both tags [K, K], and where they were counted."""
    stats = point.arrays.get("label_stats", {})
    if int(stats.get("train_num_clips", 0)):
        clips = int(stats["train_num_clips"])
        return stats["train_co_occurrence"], f"the {clips:,} clips it was trained on"
    whole = read_statistics(record)
    if whole is None or whole.tag_names != names:
        return None
    return whole.together, f"{whole.num_clips:,} {whole.kind}"
