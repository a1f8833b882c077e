"""Which tags come together, how often and on how many clips (II-A and III-A)."""

from __future__ import annotations

import numpy as np
from scipy.cluster import hierarchy
from scipy.spatial import distance

Pair = tuple[int, int]

# Counts in float32 are exact up to 2^24, which a chunk stays below.
_CHUNK = 1 << 18


def count_together(tags: np.ndarray) -> np.ndarray:
    """Clips with both tags; on the diagonal those with one.

    Args:
        tags: uint8 [N, K].

    Returns:
        int64 [K, K].
    """
    total = np.zeros((tags.shape[1],) * 2, np.int64)
    for start in range(0, len(tags), _CHUNK):
        part = tags[start : start + _CHUNK].astype(np.float32)
        total += (part.T @ part).astype(np.int64)
    return total


def normalise(together: np.ndarray) -> np.ndarray:
    """Normalised co-occurrence C(i, j) = #(i and j) / #i, the paper's Eq. 1.

    >>> normalise(np.array([[4, 1], [1, 2]])).tolist()
    [[1.0, 0.25], [0.5, 1.0]]

    Args:
        together: as `count_together` gives it [K, K].

    Returns:
        float64 [K, K]; NaN in the row of a tag without a clip.
    """
    counts = np.diag(together).astype(np.float64)
    return together / np.where(counts > 0, counts, np.nan)[:, None]


def either_way(C: np.ndarray) -> np.ndarray:
    """The larger of C(i, j) and C(j, i), which makes C comparable to a similarity.

    Returns:
        Symmetric [K, K]; NaN where both tags have no clip.
    """
    return np.fmax(C, C.T)


def top_tuples(together: np.ndarray, limit: int = 20) -> list[Pair]:
    """The tuples (i, j), i not j, of highest C(i, j).

    Of equal ones that with more clips comes first, then that of the earlier tags. Tags
    that never meet make no tuple.

    Args:
        together: as `count_together` gives it [K, K].
        limit: how many.

    Returns:
        At most `limit` tuples, highest first.
    """
    i, j = np.nonzero(together)
    i, j = i[i != j], j[i != j]
    order = np.lexsort((j, i, -together[i, j], -normalise(together)[i, j]))[:limit]
    return list(zip(i[order].tolist(), j[order].tolist(), strict=True))


def rank_of(values: np.ndarray, pair: Pair, mask: np.ndarray) -> int:
    """The rank of one entry of a matrix among those of `mask`, 1 for the highest.

    >>> rank_of(np.array([[9, 3], [5, 9]]), (0, 1), ~np.eye(2, dtype=bool))
    2
    """
    return 1 + int((values[mask] > values[pair]).sum())


def tags_that_meet(together: np.ndarray, limit: int) -> list[int]:
    """The tags of the highest tuples, as many as asked for.

    Tags of equal rank stay in the order of the highest tuples; where too few tags meet,
    fewer are returned.
    """
    everything = top_tuples(together, limit=together.size)
    tags = dict.fromkeys(tag for pair in everything for tag in pair)
    return list(tags)[:limit]


def order_by_likeness(likeness: np.ndarray) -> np.ndarray:
    """An order in which like tags are neighbours, by hierarchical clustering.

    Args:
        likeness: symmetric [K, K], at most 1; NaN counts as 0.

    Returns:
        Indices [K].
    """
    if len(likeness) < 3:
        return np.arange(len(likeness))
    apart = 1 - np.nan_to_num(likeness)
    np.fill_diagonal(apart, 0)
    apart = distance.squareform(apart, checks=False)
    tree = hierarchy.linkage(apart, "average", optimal_ordering=True)
    return hierarchy.leaves_list(tree)


def unique_vectors(tags: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The different tag vectors, the most frequent first.

    >>> vectors, counts = unique_vectors(np.array([[1, 0], [0, 1], [0, 1]], np.uint8))
    >>> vectors.tolist(), counts.tolist()
    ([[0, 1], [1, 0]], [2, 1])

    Args:
        tags: uint8 [N, K].

    Returns:
        uint8 [U, K], and the clips with each [U].
    """
    bits = np.packbits(tags > 0, axis=1)
    words = np.zeros((len(bits), -(-bits.shape[1] // 8) * 8), np.uint8)
    words[:, : bits.shape[1]] = bits
    found, counts = np.unique(words.view(np.uint64), axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    vectors = np.unpackbits(found[order].view(np.uint8), axis=1, count=tags.shape[1])
    return vectors, counts[order]


def tags_per_clip(tags: np.ndarray) -> np.ndarray:
    """Clips with 0, 1, 2, … tags, up to the largest number of tags.

    >>> tags_per_clip(np.array([[1, 1], [0, 1], [0, 1]], np.uint8)).tolist()
    [0, 2, 1]
    """
    return np.bincount((tags > 0).sum(axis=1), minlength=1)


def is_long_tailed(counts: np.ndarray) -> bool:
    """Whether a few tags have most clips: the mean exceeds the median and the top 10x.

    Both are ours: II-A says "unbalanced distribution with a long tail" and no more.
    The most frequent tag must have ten times the clips of the rarest.
    """
    return counts.mean() > np.median(counts) and counts.max() >= 10 * counts.min()
