"""Similarities by hand, by scikit-learn and SciPy, and from the published weights."""

import itertools
import os
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics.pairwise import cosine_similarity

from msd_tagger.bundle import published_weights
from msd_tagger.common import facts, paper
from studies import co_occurrence, similarity

REFERENCE = os.environ.get("MSD_TAGGER_REFERENCE")
needs_reference = pytest.mark.skipif(
    not REFERENCE, reason="MSD_TAGGER_REFERENCE, the published weights, is not set"
)


@pytest.fixture(scope="module")
def random_case():
    random = np.random.default_rng(0)
    tags = (random.random((400, 9)) < 0.1).astype(np.uint8)
    return random.normal(size=(3, 32, 9)), tags


def test_cosine_equals_scikit_learn(random_case):
    W, _ = random_case
    found = similarity.similarity(W, "cosine")
    for S, one in zip(found, W, strict=True):
        np.testing.assert_allclose(S, cosine_similarity(one.T), atol=1e-12)


def test_dot_is_equation_3(random_case):
    W, _ = random_case
    np.testing.assert_allclose(similarity.similarity(W[0], "dot"), W[0].T @ W[0])


def test_another_similarity_is_refused():
    with pytest.raises(ValueError, match=r"similarity is 'angle'; .* cosine, dot"):
        similarity.similarity(np.ones((2, 2)), "angle")


def test_a_vector_of_zeros_is_similar_to_none():
    S = similarity.cosine(np.array([[1.0, 0, 2], [0, 0, 1]]))
    assert np.isnan(S[1]).all() and np.isfinite(S[0, 2])
    assert similarity.top_pairs(S) == [(0, 2)]


def test_top_and_negative_pairs_by_hand():
    S = np.array([[1, 0.5, -0.2], [0.5, 1, -0.7], [-0.2, -0.7, 1]])
    assert similarity.top_pairs(S) == [(0, 1), (0, 2), (1, 2)]
    assert similarity.top_pairs(S, 1) == [(0, 1)]
    assert similarity.negative_pairs(S) == [(1, 2), (0, 2)]
    equal = np.ones((3, 3))
    assert similarity.top_pairs(equal) == [(0, 1), (0, 2), (1, 2)]
    assert similarity.overlap([(0, 1), (1, 2)], [(2, 1), (0, 2)]) == [(1, 2)]


def test_rank_correlation_equals_scipy_with_ties(random_case):
    W, tags = random_case
    S = similarity.cosine(W[0]).round(1)
    C = co_occurrence.normalise(co_occurrence.count_together(tags))
    pairs = list(itertools.combinations(range(9), 2))
    either = [max(C[i, j], C[j, i]) for i, j in pairs]
    assert len(set(either)) < len(pairs), "the case has ties"
    expected = stats.spearmanr([S[pair] for pair in pairs], either).statistic
    assert similarity.rank_correlation(S, C) == pytest.approx(expected)


def test_tags_without_clips_are_left_out(random_case):
    W, tags = random_case
    S = similarity.cosine(W[0])
    expected = similarity.rank_correlation(
        S[1:, 1:], co_occurrence.normalise(co_occurrence.count_together(tags[:, 1:]))
    )
    tags = tags.copy()
    tags[:, 0] = 0
    C = co_occurrence.normalise(co_occurrence.count_together(tags))
    assert similarity.rank_correlation(S, C) == pytest.approx(expected)
    assert 0 < similarity.mantel_p_value(S, C, 50) <= 1
    nothing = np.full((9, 9), np.nan)
    assert np.isnan(similarity.rank_correlation(S, nothing))
    assert np.isnan(similarity.mantel_p_value(S, nothing, 50))


def test_mantel_tells_a_relation_from_chance(random_case):
    W, tags = random_case
    S = similarity.cosine(W[0])
    assert similarity.mantel_p_value(S, S, 99) == 0.01
    assert similarity.mantel_p_value(S, -S, 99) == 1
    C = co_occurrence.normalise(co_occurrence.count_together(tags))
    found = similarity.mantel_p_value(S, C, 199)
    # By brute force, with other permutations.
    random = np.random.default_rng(1)
    rho = similarity.rank_correlation(S, C)
    others = [
        similarity.rank_correlation(S, C[np.ix_(order, order)])
        for order in (random.permutation(9) for _ in range(199))
    ]
    assert found == pytest.approx(np.mean(np.array(others) >= rho), abs=0.12)


def test_high_and_low_by_hand():
    high = np.zeros((5, 5))
    high[0, 1] = high[1, 0] = 0.9
    high[2, 3] = high[3, 2] = 0.8
    assert similarity.high_and_low(high, 1 - high, 5) == [(0, 1)]
    low = np.arange(49.0).reshape(7, 7)
    # Of 21 pairs the three highest by -low, then by low itself.
    assert similarity.high_and_low(-low, low, 2) == [(0, 1), (0, 2)]
    assert similarity.high_and_low(low, low, 2) == [(4, 5), (4, 6)]


@pytest.fixture(scope="module")
def published():
    path = Path(REFERENCE, "compact_cnn", "weights_layer4_theano.hdf5")
    published = published_weights.read_keras(path)
    S = similarity.cosine(published.params["tags"]["kernel"])
    folder = Path(REFERENCE, "msd")
    tags = np.concatenate([np.load(folder / f"{s}_y.npy") for s in ("valid", "test")])
    return S, co_occurrence.count_together(tags.astype(np.uint8))


@needs_reference
def test_rank_correlation_of_the_published_weights(published):
    S, together = published
    C = co_occurrence.normalise(together)
    assert 0.55 < similarity.rank_correlation(S, C) < 0.60


@needs_reference
def test_the_23_tags_have_no_other_negative_pairs(published):
    S, _ = published
    chosen = [facts.TAGS.index(tag) for tag in paper.SELECTED_TAGS]
    pairs = similarity.negative_pairs(S[np.ix_(chosen, chosen)])
    names = {frozenset(paper.SELECTED_TAGS[k] for k in pair) for pair in pairs}
    assert names == {frozenset(pair) for pair in paper.NEGATIVE_PAIRS}


def test_overlap_of_the_printed_rows_is_that_of_the_text():
    common = similarity.overlap(paper.TOP_SIMILAR, paper.TOP_TUPLES)
    assert len(common) == paper.OVERLAP_TOP_20
