"""Which tags come together, how often and on how many clips (II-A and III-A).

There are K tags; `together` is `count_together` of the tags of N clips.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.cluster import hierarchy
from scipy.spatial import distance

from msd_tagger.common import paper

Pair = tuple[int, int]
SELECTED = len(paper.SELECTED_TAGS)

# Counts in float32 are exact up to 2^24, which a chunk stays below.
CHUNK = 1 << 18


def count_together(tags: np.ndarray) -> np.ndarray:
    """Counts clips of `[N, K]` with both tags `[K, K]`; with one on the diagonal."""
    total = np.zeros((tags.shape[1],) * 2, np.int64)
    for start in range(0, len(tags), CHUNK):
        part = tags[start : start + CHUNK].astype(np.float32)
        total += (part.T @ part).astype(np.int64)
    return total


def normalise(together: np.ndarray) -> np.ndarray:
    """Computes C(i, j) = #(i and j) / #i `[K, K]`, Eq. 1; NaN for a tag without a clip.

    >>> normalise(np.array([[4, 1], [1, 2]])).tolist()
    [[1.0, 0.25], [0.5, 1.0]]
    """
    counts = np.diag(together).astype(np.float64)
    return together / np.where(counts > 0, counts, np.nan)[:, None]


def either_way(C: np.ndarray) -> np.ndarray:
    """Takes the larger of C(i, j) and C(j, i), to compare with a similarity.

    It is NaN where both tags have no clip.
    """
    return np.fmax(C, C.T)


def top_tuples(together: np.ndarray, limit: int = 20) -> list[Pair]:
    """Lists the tuples (i, j), i not j, of highest C(i, j), highest first.

    Of equal ones that with more clips comes first, then that of the earlier tags. Tags
    that never meet make no tuple.
    """
    i, j = np.nonzero(together)
    i, j = i[i != j], j[i != j]
    order = np.lexsort((j, i, -together[i, j], -normalise(together)[i, j]))[:limit]
    return list(zip(i[order].tolist(), j[order].tolist(), strict=True))


def rank_of(values: np.ndarray, pair: Pair, mask: np.ndarray) -> int:
    """Ranks one entry of a matrix among those of `mask`, 1 for the highest.

    >>> rank_of(np.array([[9, 3], [5, 9]]), (0, 1), ~np.eye(2, dtype=bool))
    2
    """
    return 1 + int((values[mask] > values[pair]).sum())


def tags_that_meet(together: np.ndarray, limit: int) -> list[int]:
    """Lists the tags of the highest tuples, fewer where too few tags meet."""
    everything = top_tuples(together, limit=together.size)
    return list(dict.fromkeys(tag for pair in everything for tag in pair))[:limit]


def order_by_likeness(likeness: np.ndarray) -> np.ndarray:
    """Orders tags so that like ones are neighbours, by hierarchical clustering.

    Args:
        likeness: Symmetric `[K, K]`, at most 1; NaN counts as 0.
    """
    if len(likeness) < 3:
        return np.arange(len(likeness))
    apart = 1 - np.nan_to_num(likeness)
    np.fill_diagonal(apart, 0)
    apart = distance.squareform(apart, checks=False)
    tree = hierarchy.linkage(apart, "average", optimal_ordering=True)
    return hierarchy.leaves_list(tree)


def select_tags(tag_names: Sequence[str], together: np.ndarray) -> list[int]:
    """Chooses the tags of Figs 1 and 9: our 23 of the paper's, else those that meet.

    Returns:
        At most 23 numbers of tags, in the order to draw.
    """
    if set(paper.SELECTED_TAGS) <= set(tag_names):
        return [list(tag_names).index(tag) for tag in paper.SELECTED_TAGS]
    chosen = np.array(tags_that_meet(together, SELECTED), dtype=int)
    C = normalise(together)[np.ix_(chosen, chosen)]
    return chosen[order_by_likeness(either_way(C))].tolist()


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


def unique_vectors(tags: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Finds the different vectors among `[N, K]`, the most frequent first.

    >>> vectors, counts = unique_vectors(np.array([[1, 0], [0, 1], [0, 1]], np.uint8))
    >>> vectors.tolist(), counts.tolist()
    ([[0, 1], [1, 0]], [2, 1])

    Returns:
        uint8 `[U, K]`, and the clips with each `[U]`.
    """
    bits = np.packbits(tags > 0, axis=1)
    found, counts = np.unique(bits, axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return np.unpackbits(found[order], axis=1, count=tags.shape[1]), counts[order]


def is_long_tailed(counts: np.ndarray) -> bool:
    """Tells whether a few tags have most clips.

    The mean must exceed the median, and the most frequent tag have ten times the clips
    of the rarest. Both are ours: II-A says "unbalanced distribution with a long tail"
    and no more.
    """
    return counts.mean() > np.median(counts) and counts.max() >= 10 * counts.min()
