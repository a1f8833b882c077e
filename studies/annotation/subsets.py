"""The clips that somebody listens to: Subset100 and Subset400 of section III-B.

Which clips these are is a function of (seed, track id) alone: neither the order of the
corpus nor its other clips matter, and a larger subset contains the smaller one.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Sequence

import numpy as np

from studies.label_table import LabelTable


@dataclasses.dataclass(frozen=True)
class Subset:
    """N clips of a split, in the order to listen to them, and L labels.

    Attributes:
        name: `subset100` or `subset400`.
        split: the split that they come from.
        labels: names of the labels.
        track_id: text [N].
        rows: int [N], where the clips are in the split.
        asked: bool [N, L], the labels that each clip is to be judged on.
        tagged: bool [N, L], the labels that the corpus gives it.
        wanted: clips asked for: of each kind and label in Subset100, in all in the
            other. There may be fewer.
    """

    name: str
    split: str
    labels: tuple[str, ...]
    track_id: np.ndarray
    rows: np.ndarray
    asked: np.ndarray
    tagged: np.ndarray
    wanted: int

    @property
    def digest(self) -> str:
        """Names the questions: equal for equal clips and labels, whatever is known."""
        questions = [self.name, self.labels, self.track_id.tolist()]
        text = json.dumps([*questions, self.asked.astype(int).tolist()])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def draw_subsets(
    table: LabelTable,
    labels: Sequence[str],
    *,
    per_side: int = 50,
    size: int = 400,
    seed: int = 0,
) -> tuple[Subset, Subset]:
    """Draws both subsets of a corpus: from its training and from its test clips.

    Args:
        table: the labels of the corpus.
        labels: L names out of `table.tag_names`.
        per_side: clips with each label, and without it, in Subset100.
        size: clips of Subset400.
        seed: of the samples.

    Returns:
        Subset100 and Subset400; empty where the split is.

    Raises:
        ValueError: the corpus lacks a label; it names it and what there is.
    """
    missing = [label for label in labels if label not in table.tag_names]
    if missing or not labels:
        raise ValueError(
            f"the labels to judge are {', '.join(labels) or 'none'}; of these the "
            f"corpus lacks {', '.join(missing) or 'none'}. It has "
            f"{', '.join(table.tag_names)}"
        )
    columns = [table.tag_names.index(label) for label in labels]
    of_train, of_test = (_columns(table, split, columns) for split in ("train", "test"))
    return (
        balanced_subset(*of_train, labels, per_side=per_side, seed=seed),
        random_subset(*of_test, labels, size=size, seed=seed),
    )


def balanced_subset(
    track_id: Sequence[str],
    tagged: np.ndarray,
    labels: Sequence[str],
    *,
    split: str = "train",
    per_side: int = 50,
    seed: int = 0,
) -> Subset:
    """Samples Subset100: for every label as many clips with it as without it.

    The labels' samples are independent of each other, and each clip is asked about the
    labels that it was sampled for: of the clips asked about a label half carry it, so
    that the question gives nothing away.

    Args:
        track_id: N ids of the split.
        tagged: [N, L], 1 where the corpus gives the label.
        labels: L names.
        split: its name.
        per_side: clips with the label, and without it. Where there are fewer, all.
        seed: of the sample.

    Returns:
        The union of the labels' samples.
    """
    asked = np.zeros(np.shape(tagged), bool)
    for column, label in enumerate(labels):
        keys = _keys(seed, ("subset100", label), track_id)
        for side in (0, 1):
            rows = np.flatnonzero(np.asarray(tagged)[:, column] == side)
            asked[_first(rows, keys, per_side), column] = True
    keys = _keys(seed, ("order",), track_id)
    rows = _first(np.flatnonzero(asked.any(axis=1)), keys, len(track_id))
    return _subset("subset100", split, track_id, tagged, labels, rows, asked, per_side)


def random_subset(
    track_id: Sequence[str],
    tagged: np.ndarray,
    labels: Sequence[str],
    *,
    split: str = "test",
    size: int = 400,
    seed: int = 0,
) -> Subset:
    """Samples Subset400: any clips, each asked about all labels.

    Args:
        track_id: N ids of the split.
        tagged: [N, L], 1 where the corpus gives the label.
        labels: L names.
        split: its name.
        size: clips to take; all where there are fewer.
        seed: of the sample.

    Returns:
        The subset.
    """
    keys = _keys(seed, ("subset400",), track_id)
    rows = _first(np.arange(len(track_id)), keys, size)
    asked = np.ones(np.shape(tagged), bool)
    return _subset("subset400", split, track_id, tagged, labels, rows, asked, size)


def shortages(subset: Subset) -> list[str]:
    """Says in sentences where there were fewer clips than asked for."""
    if subset.name == "subset400":
        found = len(subset.rows)
        start = f"The {subset.split} split has {found:,} clips"
        return [] if found >= subset.wanted else [f"{start}, not {subset.wanted:,}."]
    sentences = []
    for column, label in enumerate(subset.labels):
        tagged = subset.tagged[subset.asked[:, column], column]
        for side, kind in ((True, "with"), (False, "without")):
            found = int(np.count_nonzero(tagged == side))
            if found < subset.wanted:
                sentences.append(
                    f"The {subset.split} split has {found:,} clips {kind} the label "
                    f"{label}, not {subset.wanted:,}."
                )
    return sentences


def _columns(
    table: LabelTable, split: str, columns: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Returns ids [N] and some labels [N, L] of a split; N is 0 where it is missing."""
    if split not in table.splits:
        return np.array([], np.str_), np.zeros((0, len(columns)), np.uint8)
    labels = table.splits[split]
    return labels.track_id, labels.tags[:, columns]


def _subset(
    name: str,
    split: str,
    track_id: Sequence[str],
    tagged: np.ndarray,
    labels: Sequence[str],
    rows: np.ndarray,
    asked: np.ndarray,
    wanted: int,
) -> Subset:
    """Cuts a subset's rows out of a split."""
    return Subset(
        name=name,
        split=split,
        labels=tuple(labels),
        track_id=np.asarray(track_id)[rows],
        rows=rows,
        asked=asked[rows],
        tagged=np.asarray(tagged)[rows].astype(bool),
        wanted=wanted,
    )


def _keys(seed: int, names: Iterable[str], track_id: Sequence[str]) -> np.ndarray:
    """Returns a random number of each id: uint64 [N]."""
    start = hashlib.sha256("\n".join([str(seed), *names, ""]).encode())
    keys = np.empty(len(track_id), np.uint64)
    for row, one in enumerate(track_id):
        key = start.copy()
        key.update(str(one).encode())
        keys[row] = int.from_bytes(key.digest()[:8], "big")
    return keys


def _first(rows: np.ndarray, keys: np.ndarray, number: int) -> np.ndarray:
    """Returns the rows with the lowest keys, in their order."""
    return rows[np.argsort(keys[rows], kind="stable")][:number]
