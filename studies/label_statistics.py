"""What the labels of a corpus say: counts, co-occurrence, different vectors."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from msd_tagger.common import paper
from studies import co_occurrence
from studies.label_table import LABELS, LabelTable, read_label_table
from studies.records import SweepRecord

SPLITS = ("train", "valid", "test")
SELECTED = len(paper.SELECTED_TAGS)


@dataclasses.dataclass(frozen=True)
class LabelStatistics:
    """What the labels of some clips say.

    Attributes:
        corpus: its name.
        tag_names: K names.
        split: "train", or all splits of a corpus without it, such as "valid and test".
        num_clips: N.
        together: clips with both tags [K, K].
        vectors: the different tag vectors, the most frequent first [U, K].
        vector_clips: the clips with each [U].
        clips_by_tags: clips with 0, 1, 2, … tags.
        counts_by_split: from every split to its clips with each tag [K].
        clips_by_split: from every split to its clips.
    """

    corpus: str
    tag_names: tuple[str, ...]
    split: str
    num_clips: int
    together: np.ndarray
    vectors: np.ndarray
    vector_clips: np.ndarray
    clips_by_tags: np.ndarray
    counts_by_split: dict[str, np.ndarray]
    clips_by_split: dict[str, int]

    @property
    def counts(self) -> np.ndarray:
        """Clips with each tag [K]."""
        return np.diag(self.together)

    @property
    def kind(self) -> str:
        """What clips these are, such as "training clips"."""
        return f"{'training' if self.split == 'train' else self.split} clips"


def read_statistics(record: SweepRecord) -> LabelStatistics | None:
    """Statistics of the training labels; without them, of those that are there.

    Returns:
        None where there are no labels.
    """
    path = record.workdir / LABELS
    table = read_label_table(path) if path.exists() else LabelTable((), {})
    corpus = record.config.get("corpus", {}).get("name", "")
    return statistics_of(table, corpus)


def statistics_of(table: LabelTable, corpus: str) -> LabelStatistics | None:
    """Statistics of a table of labels.

    Args:
        table: the labels.
        corpus: the name of the corpus.

    Returns:
        None where there are no clips.
    """
    there = [split for split in SPLITS if split in table.splits]
    there = [split for split in there if len(table.splits[split].tags)]
    if not there or not table.tag_names:
        return None
    chosen = ["train"] if "train" in there else there
    tags = np.concatenate([table.splits[split].tags for split in chosen])
    vectors, clips = co_occurrence.unique_vectors(tags)
    return LabelStatistics(
        corpus=corpus,
        tag_names=table.tag_names,
        split=" and ".join(chosen),
        num_clips=len(tags),
        together=co_occurrence.count_together(tags),
        vectors=vectors,
        vector_clips=clips,
        clips_by_tags=co_occurrence.tags_per_clip(tags),
        counts_by_split={
            split: table.splits[split].tags.sum(axis=0, dtype=np.int64)
            for split in there
        },
        clips_by_split={split: len(table.splits[split].tags) for split in there},
    )


def select_tags(tag_names: Sequence[str], together: np.ndarray) -> list[int]:
    """The tags of Figs 1 and 9: our 23 of the paper's, else those that meet most.

    Args:
        tag_names: K names.
        together: clips with both tags [K, K].

    Returns:
        At most 23 places, in the order to draw.
    """
    if set(paper.SELECTED_TAGS) <= set(tag_names):
        return [list(tag_names).index(tag) for tag in paper.SELECTED_TAGS]
    chosen = np.array(co_occurrence.tags_that_meet(together, SELECTED), dtype=int)
    C = co_occurrence.normalise(together)[np.ix_(chosen, chosen)]
    order = co_occurrence.order_by_likeness(co_occurrence.either_way(C))
    return chosen[order].tolist()


def describe_selection(tag_names: Sequence[str]) -> str:
    """Says where the tags of `select_tags` come from."""
    if set(paper.SELECTED_TAGS) <= set(tag_names):
        return (
            f"The paper shows {SELECTED} tags and does not name them. These are our "
            "choice: genres, voices and moods that co-occur, with every tag of section "
            "V-A's negative and of its unexpected pairs, and no other pair that the "
            "published weights make negative."
        )
    return (
        f"The paper shows {SELECTED} tags and does not name them; this corpus has "
        "other tags. These are the tags of its highest C(i, j), like beside like."
    )
