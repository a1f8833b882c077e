"""Similarity of label vectors, and how it goes with co-occurrence (V-A).

A label vector is a column of the last layer's weights W `[..., N, K]`: how a tag
combines the N features. S is the similarity and C the normalised co-occurrence of all
pairs of tags `[K, K]`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from scipy import stats

from studies.co_occurrence import Pair, either_way


def dot(W: np.ndarray) -> np.ndarray:
    """Computes S = W' W, as Eq. 3 writes it."""
    W = np.asarray(W, np.float64)
    return np.swapaxes(W, -1, -2) @ W


def cosine(W: np.ndarray) -> np.ndarray:
    """Computes Eq. 3 with columns of unit length: the printed values.

    It is NaN for a tag whose vector is 0.

    >>> cosine(np.array([[3.0, 0.0], [4.0, 2.0]])).round(2).tolist()
    [[1.0, 0.8], [0.8, 1.0]]
    """
    products = dot(W)
    squares = np.diagonal(products, axis1=-2, axis2=-1)
    length = np.sqrt(np.where(squares > 0, squares, np.nan))
    return products / (length[..., :, None] * length[..., None, :])


MEASURES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "cosine": cosine,
    "dot": dot,
}


def similarity(W: np.ndarray, measure: str = "cosine") -> np.ndarray:
    """Compares all pairs of label vectors, float64 `[..., K, K]`.

    Raises:
        ValueError: The measure is none of `MEASURES`.
    """
    if measure not in MEASURES:
        allowed = ", ".join(MEASURES)
        raise ValueError(f"analysis.similarity is {measure!r}; allowed are {allowed}")
    return MEASURES[measure](W)


def pairs_of(num_tags: int) -> np.ndarray:
    """Marks every pair (i, j) with i < j: bool `[K, K]`."""
    return np.triu(np.ones((num_tags, num_tags), bool), k=1)


def top_pairs(S: np.ndarray, limit: int = 20) -> list[Pair]:
    """Lists the pairs (i, j), i < j, of highest similarity, highest first.

    Of equal ones that of the earlier tags comes first; NaN makes no pair.
    """
    i, j = np.nonzero(pairs_of(len(S)) & np.isfinite(S))
    order = np.argsort(-S[i, j], kind="stable")[:limit]
    return list(zip(i[order].tolist(), j[order].tolist(), strict=True))


def negative_pairs(S: np.ndarray) -> list[Pair]:
    """Lists the pairs (i, j), i < j, of negative similarity, the lowest first."""
    return [(i, j) for i, j in top_pairs(-S, limit=S.size) if S[i, j] < 0]


def high_and_low(high: np.ndarray, low: np.ndarray, limit: int) -> list[Pair]:
    """Lists pairs of the highest tenth of one matrix, the lowest of another first."""
    i, j = np.nonzero(pairs_of(len(high)) & np.isfinite(high + low))
    tenth = np.argsort(-high[i, j], kind="stable")[: -(-len(i) // 10)]
    i, j = i[tenth], j[tenth]
    order = np.argsort(low[i, j], kind="stable")[:limit]
    return list(zip(i[order].tolist(), j[order].tolist(), strict=True))


def overlap(pairs: Iterable[Pair], tuples: Iterable[Pair]) -> list[Pair]:
    """Lists those of `pairs` that are among `tuples` in either order."""
    known = {frozenset(pair) for pair in tuples}
    return [pair for pair in pairs if frozenset(pair) in known]


def chance_of_overlap(num_pairs: int, chosen: int, others: int, common: int) -> float:
    """Computes the chance that two random choices of pairs share this many or more.

    >>> round(chance_of_overlap(10, 2, 2, 1), 3)  # 1 - C(8, 2) / C(10, 2)
    0.378
    """
    return float(stats.hypergeom.sf(common - 1, num_pairs, chosen, others))


def rank_correlation(S: np.ndarray, C: np.ndarray) -> float:
    """Correlates S(i, j) with max(C(i, j), C(j, i)) by rank over all pairs (Spearman).

    Ties take their average rank. V-A calls it Pearson's coefficient of the rankings,
    which is the same. It is NaN where fewer than 3 pairs are known or a side is
    constant.
    """
    known = _known_tags(S, C)
    of_S, of_C = _pair_values(S, known), _pair_values(either_way(C), known)
    if len(of_S) < 3 or np.ptp(of_S) == 0 or np.ptp(of_C) == 0:
        return float("nan")
    return float(stats.spearmanr(of_S, of_C).statistic)


def mantel_p_value(S: np.ndarray, C: np.ndarray, permutations: int = 999) -> float:
    """Finds the share of relabellings of the tags that correlate as high (Mantel).

    Pairs that share a tag are not independent, so the usual p-value of a rank
    correlation is too small here; permuting tags respects that. Permutations are always
    the same; they and the one found are counted.
    https://aacrjournals.org/cancerres/article/27/2_Part_1/209/476508

    Returns:
        Between 1 / (permutations + 1) and 1; NaN where there is no correlation.
    """
    found = rank_correlation(S, C)
    if np.isnan(found):
        return found
    known = _known_tags(S, C)
    of_S = _standard_ranks(_pair_values(S, known))
    ranks = np.zeros((len(known),) * 2)
    chosen = pairs_of(len(known))
    ranks[chosen] = _standard_ranks(_pair_values(either_way(C), known))
    ranks += ranks.T
    random = np.random.default_rng(0)
    higher = 0
    for _ in range(permutations):
        order = random.permutation(len(known))
        permuted = ranks[np.ix_(order, order)][chosen]
        higher += of_S @ permuted >= found - 1e-12
    return (1 + higher) / (1 + permutations)


def _known_tags(S: np.ndarray, C: np.ndarray) -> np.ndarray:
    """Returns the tags with a clip and a label vector."""
    return np.flatnonzero(np.isfinite(np.diag(S)) & np.isfinite(np.diag(C)))


def _pair_values(matrix: np.ndarray, tags: np.ndarray) -> np.ndarray:
    """Returns the entries of all pairs of some tags."""
    return matrix[np.ix_(tags, tags)][pairs_of(len(tags))]


def _standard_ranks(values: np.ndarray) -> np.ndarray:
    """Returns ranks, shifted and scaled so that a product of two is a correlation."""
    ranks = stats.rankdata(values)
    ranks -= ranks.mean()
    return ranks / np.linalg.norm(ranks)
