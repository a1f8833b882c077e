"""The clips that somebody listens to: Subset100 and Subset400 of section III-B.

Which clips these are is a function of (seed, track id) alone: neither the order of the
corpus nor its other clips matter, and a larger subset contains the smaller one.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from msd_tagger.common import paper
from studies.label_table import LabelTable, SplitLabels

MOST_NAMED = 50  # Tags in a message.
# Keys of `analysis` in the config, and what they are where it does not say.
OPTIONS: dict[str, Any] = {
    "annotated_labels": paper.INSTRUMENTATION_TAGS,
    "subset100_clips": paper.SUBSET_100,
    "subset400_clips": paper.SUBSET_400,
    "subset_seed": 0,
}


@dataclasses.dataclass(frozen=True)
class Subset:
    """N clips of a split, in the order to listen to them, and L labels."""

    name: str  # `subset100` or `subset400`.
    split: str
    labels: tuple[str, ...]
    track_id: np.ndarray  # Text [N].
    rows: np.ndarray  # int [N], where the clips are in the split.
    asked: np.ndarray  # bool [N, L], the labels that each clip is to be judged on.
    tagged: np.ndarray  # bool [N, L], the labels that the corpus gives it.
    # Clips asked for: of each kind and label in Subset100, in all in the other. There
    # may be fewer.
    wanted: int
    heard: str = ""  # Names what the clips sound like, where that is known.

    @property
    def digest(self) -> str:
        """Names the questions: equal for equal clips and labels, whatever is known.

        Clips of two corpora may have the same ids, such as numbers, and sound else.
        """
        questions = [self.name, self.labels, self.track_id.tolist()]
        questions += [self.heard] if self.heard else []
        text = json.dumps([*questions, self.asked.astype(int).tolist()])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def questions(self) -> Iterator[tuple[tuple[str, str], int, int]]:
        """Yields (track id, label) of every question, with its row and column."""
        for row, column in np.argwhere(self.asked):
            yield (str(self.track_id[row]), self.labels[column]), row, column


def subsets_of(table: LabelTable, options: Mapping[str, Any]) -> tuple[Subset, Subset]:
    """Draws Subset100 from the training clips and Subset400 from the test clips.

    Of the options, keys of `analysis` in the configuration, those of `OPTIONS` count. A
    subset is empty where its split is.

    Raises:
        ValueError: The corpus has none of the labels to judge.
    """
    options = OPTIONS | dict(options)
    asked = options["annotated_labels"]
    labels = [label for label in asked if label in table.tag_names]
    if not labels:
        names = ", ".join(asked) or "none"
        number = len(table.tag_names)
        more = f" and {number - MOST_NAMED} more" if number > MOST_NAMED else ""
        raise ValueError(
            f"the corpus has none of the labels to judge ({names}). It has "
            f"{', '.join(table.tag_names[:MOST_NAMED])}{more}; choose some of these by "
            "--config.analysis.annotated_labels=\"('…','…')\""
        )
    nothing = SplitLabels(np.array([], np.str_), np.zeros((0, len(table.tag_names))))
    train, test = (table.splits.get(split, nothing) for split in ("train", "test"))
    columns, seed = table.columns(labels), options["subset_seed"]
    half, size = options["subset100_clips"] // 2, options["subset400_clips"]
    clips = [(one.track_id, one.tags[:, columns], labels) for one in (train, test)]
    return (
        balanced_subset(*clips[0], per_side=half, seed=seed),
        random_subset(*clips[1], size=size, seed=seed),
    )


def balanced_subset(
    track_id: Sequence[str] | np.ndarray,
    tagged: np.ndarray,
    labels: Sequence[str],
    *,
    per_side: int = 50,
    seed: int = 0,
) -> Subset:
    """Samples Subset100: for every label as many clips with it as without it.

    The labels' samples are independent of each other, and each clip of their union is
    asked about the labels that it was sampled for: of the clips asked about a label
    half carry it, so that the question gives nothing away. `tagged` is 1 where the
    corpus gives one of N clips one of L labels `[N, L]`; where a side has fewer than
    `per_side` clips, all are taken.
    """
    tagged = np.asarray(tagged) > 0
    asked = np.zeros(tagged.shape, bool)
    for given, drawn, label in zip(tagged.T, asked.T, labels, strict=True):
        keys = _keys(track_id, seed, "subset100", label)
        for side in (False, True):
            drawn[_first(np.flatnonzero(given == side), keys, per_side)] = True
    keys = _keys(track_id, seed, "order")
    rows = _first(np.flatnonzero(asked.any(axis=1)), keys, len(track_id))
    clips = (np.asarray(track_id)[rows], rows, asked[rows], tagged[rows])
    return Subset("subset100", "train", tuple(labels), *clips, per_side)


def random_subset(
    track_id: Sequence[str] | np.ndarray,
    tagged: np.ndarray,
    labels: Sequence[str],
    *,
    size: int = 400,
    seed: int = 0,
) -> Subset:
    """Samples Subset400: any `size` clips of the test split, asked about all labels.

    The arguments are those of `balanced_subset`; all clips are taken where there are
    fewer.
    """
    keys = _keys(track_id, seed, "subset400")
    rows = _first(np.arange(len(track_id)), keys, size)
    tagged = np.asarray(tagged)[rows] > 0
    clips = (np.asarray(track_id)[rows], rows, np.ones(tagged.shape, bool), tagged)
    return Subset("subset400", "test", tuple(labels), *clips, size)


def shortages(subset: Subset) -> list[str]:
    """Says in sentences where there were fewer clips than asked for."""
    found = {"": len(subset.rows)}
    if subset.name == "subset100":
        found = {
            f" {word} the label {label}": int((tagged[asked] == side).sum())
            for label, tagged, asked in zip(
                subset.labels, subset.tagged.T, subset.asked.T, strict=True
            )
            for side, word in ((True, "with"), (False, "without"))
        }
    return [
        f"The {subset.split} split has {number:,} clips{which}, not {subset.wanted:,}."
        for which, number in found.items()
        if number < subset.wanted
    ]


def _keys(track_id: Sequence[str] | np.ndarray, seed: int, *names: str) -> np.ndarray:
    """Returns a random number of each id: uint64 `[N]`."""
    start = "\n".join([str(seed), *names, ""])
    digests = (hashlib.sha256(f"{start}{one}".encode()).digest() for one in track_id)
    return np.array([int.from_bytes(one[:8], "big") for one in digests], np.uint64)


def _first(rows: np.ndarray, keys: np.ndarray, number: int) -> np.ndarray:
    """Returns the rows with the lowest keys, in their order."""
    return rows[np.argsort(keys[rows], kind="stable")][:number]
