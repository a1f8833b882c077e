"""How tags go together: co-occurrence C (II-A, III-A) and similarity S (V-A).

There are K tags; `together` is `count_together` of the tags of N clips, and C the same
relative to the first tag. A label vector is a column of the last layer's weights W
`[..., N, K]`: how a tag combines the N features. S compares them; both are `[K, K]`.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from scipy import stats
from scipy.cluster import hierarchy
from scipy.spatial import distance

from msd_tagger.common import paper
from studies.texts import say

Pair = tuple[int, int]
MEASURES = ("cosine", "dot")
SELECTED = len(paper.SELECTED_TAGS)

# Tags whose number of clips is about equal: so many neighbours when sorted by it.
ALIKE = 3
# Counts in float32 are exact up to 2^24, which a chunk stays below.
CHUNK = 1 << 18


def find_pairs(
    tag_names: Sequence[str], pairs: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], Pair]:
    """Finds where the tags of those pairs are whose tags are both here.

    >>> find_pairs(["rock", "pop"], [("pop", "rock"), ("pop", "sad")])
    {('pop', 'rock'): (1, 0)}
    """
    place = {tag: k for k, tag in enumerate(tag_names)}
    return {(a, b): (place[a], place[b]) for a, b in pairs if {a, b} <= {*place}}


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
    """Takes the larger of C(i, j) and C(j, i); NaN where both tags have no clip."""
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

    `likeness` is symmetric `[K, K]` and at most 1; NaN counts as 0.
    """
    if len(likeness) < 3:
        return np.arange(len(likeness))
    apart = 1 - np.nan_to_num(likeness)
    np.fill_diagonal(apart, 0)
    apart = distance.squareform(apart, checks=False)
    tree = hierarchy.linkage(apart, "average", optimal_ordering=True)
    return hierarchy.leaves_list(tree)


def select_tags(tag_names: Sequence[str], together: np.ndarray) -> list[int]:
    """Chooses the tags of Figs 1 and 9, in order: our 23, else those that meet."""
    if set(paper.SELECTED_TAGS) <= set(tag_names):
        return [list(tag_names).index(tag) for tag in paper.SELECTED_TAGS]
    chosen = np.array(tags_that_meet(together, SELECTED), dtype=int)
    C = normalise(together)[np.ix_(chosen, chosen)]
    return chosen[order_by_likeness(either_way(C))].tolist()


def describe_selection(tag_names: Sequence[str]) -> str:
    """Says where the tags of `select_tags` come from."""
    ours = set(paper.SELECTED_TAGS) <= set(tag_names)
    return say(f"tags.{'selected' if ours else 'other_tags'}", selected=SELECTED)


def unique_vectors(tags: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Finds the different vectors among `[N, K]`, the most frequent first: `[U, K]`.

    And the clips with each `[U]`.

    >>> vectors, counts = unique_vectors(np.array([[1, 0], [0, 1], [0, 1]], np.uint8))
    >>> vectors.tolist(), counts.tolist()
    ([[0, 1], [1, 0]], [2, 1])
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


def similarity(W: np.ndarray, measure: str = "cosine") -> np.ndarray:
    """Compares all pairs of label vectors, float64 `[..., K, K]`.

    "dot" is W' W, as Eq. 3 writes it; "cosine" the same of columns of unit length, as
    it is printed, and NaN for a tag whose vector is 0.

    >>> similarity(np.array([[3.0, 0.0], [4.0, 2.0]])).round(2).tolist()
    [[1.0, 0.8], [0.8, 1.0]]

    Raises:
        ValueError: The measure is another one.
    """
    if measure not in MEASURES:
        allowed = ", ".join(MEASURES)
        raise ValueError(f"analysis.similarity is {measure!r}; choose from {allowed}")
    W = np.asarray(W, np.float64)
    products = np.swapaxes(W, -1, -2) @ W
    if measure == "dot":
        return products
    squares = np.diagonal(products, axis1=-2, axis2=-1)
    length = np.sqrt(np.where(squares > 0, squares, np.nan))
    return products / (length[..., :, None] * length[..., None, :])


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
    known = top_pairs(np.where(np.isfinite(low), high, np.nan), limit=high.size)
    tenth = known[: -(-len(known) // 10)]
    return sorted(tenth, key=low.__getitem__)[:limit]


def overlap(pairs: Iterable[Pair], tuples: Iterable[Pair]) -> list[Pair]:
    """Lists those of `pairs` that are among `tuples` in either order."""
    known = {frozenset(pair) for pair in tuples}
    return [pair for pair in pairs if frozenset(pair) in known]


def rank_correlation(S: np.ndarray, C: np.ndarray) -> float:
    """Correlates S(i, j) with max(C(i, j), C(j, i)) by rank over all pairs (Spearman).

    Ties take their average rank. V-A calls it Pearson's coefficient of the rankings,
    which is the same. It is NaN where fewer than 3 pairs are known or a side is
    constant.
    """
    _, of_S, of_C = _known_pairs(S, C)
    if len(of_S) < 3 or np.ptp(of_S) == 0 or np.ptp(of_C) == 0:
        return float("nan")
    return float(stats.spearmanr(of_S, of_C).statistic)


def mantel_p_value(
    S: np.ndarray, C: np.ndarray, counts: np.ndarray, permutations: int = 999
) -> float:
    """Finds the share of relabellings of the tags that correlate as high (Mantel).

    S is `[..., K, K]`; what is found is the mean over networks of their rank
    correlations, which does not grow with their number. Pairs that share a tag are not
    independent, so the usual p-value of a rank correlation is too small here; permuting
    tags respects that. See `_relabellings` for what the counts of clips `[K]` do. NaN
    without a correlation.
    https://aacrjournals.org/cancerres/article/27/2_Part_1/209/476508
    """
    pairs = [_known_pairs(one, C) for one in S.reshape(-1, *C.shape)]
    known, _, of_C = pairs[0]
    if len(of_C) < 3 or not all(np.ptp(one) for _, *both in pairs for one in both):
        return float("nan")
    of_S = np.mean([_standard_ranks(of_one) for _, of_one, _ in pairs], axis=0)
    of_pairs, chosen = np.zeros((2, *[len(known)] * 2)), pairs_of(len(known))
    of_pairs[:, chosen] = of_S, _standard_ranks(of_C)
    first, second = of_pairs
    return _share_as_high(first, second + second.T, counts[known], permutations)


def overlap_p_value(
    found: Sequence[Sequence[Pair]],
    tuples: Iterable[Pair],
    counts: np.ndarray,
    permutations: int = 999,
) -> float:
    """Finds the share of relabellings in which lists of pairs share as many tuples.

    What is found is the mean over the lists, one a network, say, of how many of its
    pairs are among the tuples in the same order. The counts are of clips `[K]`.
    """
    of_found, of_tuples = np.zeros((2, len(counts), len(counts)))
    for pairs in found:
        of_found[tuple(np.transpose(pairs))] += 1 / len(found)
    of_tuples[tuple(np.transpose([*tuples]))] = 1
    return _share_as_high(of_found, of_tuples, counts, permutations)


def _share_as_high(
    first: np.ndarray, second: np.ndarray, counts: np.ndarray, permutations: int
) -> float:
    """Compares a sum of products over pairs with those of relabelled tags."""
    i, j = np.nonzero(first)
    weights = first[i, j]
    found, higher = weights @ second[i, j], 0
    for order in _relabellings(counts, permutations):
        higher += weights @ second[order[i], order[j]] >= found - 1e-12
    return (1 + higher) / (1 + permutations)


def _relabellings(counts: np.ndarray, number: int) -> np.ndarray:
    """Draws new orders of the tags `[number, K]`, always the same ones.

    Tags change places only with tags that about as many clips have. Else a similarity
    that follows nothing but popularity would seem to follow co-occurrence, which
    depends on popularity as well.
    """
    by_count = np.argsort(-counts, kind="stable")
    num_groups = max(len(counts) // ALIKE, 1)
    group = np.arange(len(counts)) * num_groups // max(len(counts), 1)
    keys = group + np.random.default_rng(0).random((number, len(counts)))
    orders = np.empty_like(keys, dtype=int)
    orders[:, by_count] = by_count[np.argsort(keys, axis=1)]
    return orders


def _known_pairs(
    S: np.ndarray, C: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Finds tags with a clip and a label vector; lists S and max C of their pairs."""
    known = np.flatnonzero(np.isfinite(np.diag(S)) & np.isfinite(np.diag(C)))
    square, pairs = np.ix_(known, known), pairs_of(len(known))
    return known, S[square][pairs], either_way(C)[square][pairs]


def _standard_ranks(values: np.ndarray) -> np.ndarray:
    """Returns ranks, shifted and scaled so that a product of two is a correlation."""
    ranks = stats.rankdata(values)
    ranks -= ranks.mean()
    return ranks / np.linalg.norm(ranks)
