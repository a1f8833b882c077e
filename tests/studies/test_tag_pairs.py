"""C and S by hand, by brute force, by scikit-learn and SciPy, and as published."""

import itertools
import os
import time
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics.pairwise import cosine_similarity

from msd_tagger.bundle import published_weights
from msd_tagger.common import paper
from msd_tagger.common.tags import TAGS as PAPER_TAGS
from studies import tag_pairs

REFERENCE = os.environ.get("MSD_TAGGER_REFERENCE")
needs_reference = pytest.mark.skipif(
    not REFERENCE, reason="MSD_TAGGER_REFERENCE, the published weights, is not set"
)

# Six clips of four tags; the last tag has no clip.
TAGS = np.array(
    [
        [1, 1, 0, 0],
        [1, 1, 0, 0],
        [1, 0, 1, 0],
        [1, 0, 0, 0],
        [0, 0, 0, 0],
        [1, 1, 0, 0],
    ],
    np.uint8,
)


@pytest.fixture(scope="module")
def random_tags():
    random = np.random.default_rng(0)
    return (random.random((300, 12)) < np.geomspace(0.5, 0.01, 12)).astype(np.uint8)


def test_equation_1_by_hand():
    together = tag_pairs.count_together(TAGS)
    assert together.tolist() == [[5, 3, 1, 0], [3, 3, 0, 0], [1, 0, 1, 0], [0] * 4]
    C = tag_pairs.normalise(together)
    expected = [[1, 0.6, 0.2, 0], [1, 1, 0, 0], [1, 0, 1, 0], [np.nan] * 4]
    np.testing.assert_array_equal(C, expected)
    np.testing.assert_array_equal(
        tag_pairs.either_way(C)[0], [1, 1, 1, 0], "a tag without clips is no NaN"
    )


def test_chunks_add_up(monkeypatch, random_tags):
    whole = tag_pairs.count_together(random_tags)
    monkeypatch.setattr(tag_pairs, "CHUNK", 7)
    np.testing.assert_array_equal(tag_pairs.count_together(random_tags), whole)


def test_of_equal_tuples_that_with_more_clips_comes_first():
    found = tag_pairs.top_tuples(tag_pairs.count_together(TAGS))
    # C(1, 0) = C(2, 0) = 1, on 3 and on 1 clips.
    assert found == [(1, 0), (2, 0), (0, 1), (0, 2)]
    assert tag_pairs.top_tuples(tag_pairs.count_together(TAGS), 1) == [(1, 0)]


def test_of_equal_tuples_of_equal_clips_the_earlier_tags_come_first():
    found = tag_pairs.top_tuples(np.ones((3, 3), np.int64))
    assert found == [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)]


def test_top_tuples_by_brute_force(random_tags):
    share = {}
    for i, j in itertools.permutations(range(12), 2):
        both = int((random_tags[:, i] & random_tags[:, j]).sum())
        if both:
            share[i, j] = (both / random_tags[:, i].sum(), both, -i, -j)
    expected = sorted(share, key=share.get, reverse=True)[:20]
    together = tag_pairs.count_together(random_tags)
    assert tag_pairs.top_tuples(together, 20) == expected


def test_tags_that_meet_are_those_of_the_highest_tuples():
    together = tag_pairs.count_together(TAGS)
    assert tag_pairs.tags_that_meet(together, 2) == [1, 0]
    assert tag_pairs.tags_that_meet(together, 9) == [1, 0, 2]


@pytest.mark.parametrize("num_tags", [1, 8, 50, 65])
def test_unique_vectors_by_brute_force(num_tags):
    random = np.random.default_rng(num_tags)
    tags = random.integers(0, 2, (200, num_tags), np.uint8)
    tags[:, 3:-1] = 0
    vectors, clips = tag_pairs.unique_vectors(tags)
    found = {tuple(v): int(n) for v, n in zip(vectors.tolist(), clips, strict=True)}
    rows = [tuple(row) for row in tags.tolist()]
    assert found == {row: rows.count(row) for row in rows}
    assert (np.diff(clips) <= 0).all()


def test_like_tags_become_neighbours():
    likeness = np.eye(6)
    for i, j in ((0, 4), (1, 5), (2, 3)):
        likeness[i, j] = likeness[j, i] = 0.9
    likeness[5, 2] = likeness[2, 5] = np.nan
    order = tag_pairs.order_by_likeness(likeness).tolist()
    assert sorted(order) == list(range(6))
    for i, j in ((0, 4), (1, 5), (2, 3)):
        assert abs(order.index(i) - order.index(j)) == 1


@pytest.mark.parametrize(
    ("counts", "expected"),
    [([100, 5, 3, 2], True), ([100, 90, 80, 70], False), ([0, 0], False)],
)
def test_long_tail(counts, expected):
    assert bool(tag_pairs.is_long_tailed(np.array(counts))) is expected


def test_the_labels_of_200_000_clips_take_seconds():
    random = np.random.default_rng(0)
    tags = (random.random((200_000, 50)) < 0.04).astype(np.uint8)
    start = time.process_time()
    together = tag_pairs.count_together(tags)
    tag_pairs.top_tuples(together)
    tag_pairs.unique_vectors(tags)
    assert time.process_time() - start < 10


@pytest.mark.skipif(
    not REFERENCE, reason="MSD_TAGGER_REFERENCE, the published labels, is not set"
)
def test_16_of_the_papers_tuples_are_among_the_top_20():
    folder = Path(REFERENCE, "msd")
    tags = np.concatenate([np.load(folder / f"{s}_y.npy") for s in ("valid", "test")])
    together = tag_pairs.count_together(tags.astype(np.uint8))
    found = tag_pairs.top_tuples(together, 20)
    names = [(PAPER_TAGS[i], PAPER_TAGS[j]) for i, j in found]
    assert len(set(names) & set(paper.TOP_TUPLES)) == 16


@pytest.fixture(scope="module")
def random_case():
    random = np.random.default_rng(0)
    tags = (random.random((400, 9)) < 0.1).astype(np.uint8)
    return random.normal(size=(3, 32, 9)), tags


def test_cosine_equals_scikit_learn(random_case):
    W, _ = random_case
    found = tag_pairs.similarity(W, "cosine")
    for S, one in zip(found, W, strict=True):
        np.testing.assert_allclose(S, cosine_similarity(one.T), atol=1e-12)


def test_dot_is_equation_3(random_case):
    W, _ = random_case
    np.testing.assert_allclose(tag_pairs.similarity(W[0], "dot"), W[0].T @ W[0])


def test_another_similarity_is_refused():
    with pytest.raises(ValueError, match=r"similarity is 'angle'; .* cosine, dot"):
        tag_pairs.similarity(np.ones((2, 2)), "angle")


def test_a_vector_of_zeros_is_similar_to_none():
    S = tag_pairs.similarity(np.array([[1.0, 0, 2], [0, 0, 1]]))
    assert np.isnan(S[1]).all() and np.isfinite(S[0, 2])
    assert tag_pairs.top_pairs(S) == [(0, 2)]


def test_top_and_negative_pairs_by_hand():
    S = np.array([[1, 0.5, -0.2], [0.5, 1, -0.7], [-0.2, -0.7, 1]])
    assert tag_pairs.top_pairs(S) == [(0, 1), (0, 2), (1, 2)]
    assert tag_pairs.top_pairs(S, 1) == [(0, 1)]
    assert tag_pairs.negative_pairs(S) == [(1, 2), (0, 2)]
    equal = np.ones((3, 3))
    assert tag_pairs.top_pairs(equal) == [(0, 1), (0, 2), (1, 2)]
    assert tag_pairs.overlap([(0, 1), (1, 2)], [(2, 1), (0, 2)]) == [(1, 2)]


def test_rank_correlation_equals_scipy_with_ties(random_case):
    W, tags = random_case
    S = tag_pairs.similarity(W[0]).round(1)
    C = tag_pairs.normalise(tag_pairs.count_together(tags))
    pairs = list(itertools.combinations(range(9), 2))
    either = [max(C[i, j], C[j, i]) for i, j in pairs]
    assert len(set(either)) < len(pairs), "the case has ties"
    expected = stats.spearmanr([S[pair] for pair in pairs], either).statistic
    assert tag_pairs.rank_correlation(S, C) == pytest.approx(expected)


def test_tags_without_clips_are_left_out(random_case):
    W, tags = random_case
    S = tag_pairs.similarity(W[0])
    expected = tag_pairs.rank_correlation(
        S[1:, 1:], tag_pairs.normalise(tag_pairs.count_together(tags[:, 1:]))
    )
    tags = tags.copy()
    tags[:, 0] = 0
    C = tag_pairs.normalise(tag_pairs.count_together(tags))
    assert tag_pairs.rank_correlation(S, C) == pytest.approx(expected)
    assert 0 < tag_pairs.mantel_p_value(S, C, tags.sum(0), 50) <= 1
    nothing = np.full((9, 9), np.nan)
    assert np.isnan(tag_pairs.rank_correlation(S, nothing))
    assert np.isnan(tag_pairs.mantel_p_value(S, nothing, tags.sum(0), 50))


def test_mantel_tells_a_relation_from_chance(random_case):
    W, tags = random_case
    S, counts = tag_pairs.similarity(W[0]), tags.sum(0)
    assert tag_pairs.mantel_p_value(S, S, counts, 99) < 0.03
    assert tag_pairs.mantel_p_value(S, -S, counts, 99) == 1
    C = tag_pairs.normalise(tag_pairs.count_together(tags))
    found = tag_pairs.mantel_p_value(S, C, counts, 999)
    # By brute force: three tags of like popularity have six orders, of nine tags.
    groups = np.array_split(np.argsort(-counts, kind="stable"), 3)
    rhos = []
    for chosen in itertools.product(*map(itertools.permutations, groups)):
        order = np.arange(9)
        order[np.concatenate(groups)] = np.concatenate(chosen)
        rhos.append(tag_pairs.rank_correlation(S, C[np.ix_(order, order)]))
    rho = tag_pairs.rank_correlation(S, C)
    assert found == pytest.approx(np.mean(np.array(rhos) >= rho - 1e-9), abs=0.05)


def test_pairs_in_common_are_compared_with_relabelled_ones():
    """Of three tags of like popularity, one pair of six is the one in common."""
    counts, others = np.array([9, 9, 9]), [(0, 1), (1, 0)]
    assert tag_pairs.overlap_p_value([[(0, 1)]], others[:1], counts) == pytest.approx(
        1 / 6, abs=0.04
    )
    assert tag_pairs.overlap_p_value([[(0, 1)]], others, counts) == pytest.approx(
        1 / 3, abs=0.05
    )
    assert tag_pairs.overlap_p_value([[(0, 1)], [(0, 2)]], [(1, 2)], counts) == 1


def test_high_and_low_by_hand():
    high = np.zeros((5, 5))
    high[0, 1] = high[1, 0] = 0.9
    high[2, 3] = high[3, 2] = 0.8
    assert tag_pairs.high_and_low(high, 1 - high, 5) == [(0, 1)]
    low = np.arange(49.0).reshape(7, 7)
    # Of 21 pairs the three highest by -low, then by low itself.
    assert tag_pairs.high_and_low(-low, low, 2) == [(0, 1), (0, 2)]
    assert tag_pairs.high_and_low(low, low, 2) == [(4, 5), (4, 6)]


@pytest.fixture(scope="module")
def published():
    path = Path(REFERENCE, "compact_cnn", "weights_layer4_theano.hdf5")
    published = published_weights.read_keras(path)
    S = tag_pairs.similarity(published.params["tags"]["kernel"])
    folder = Path(REFERENCE, "msd")
    tags = np.concatenate([np.load(folder / f"{s}_y.npy") for s in ("valid", "test")])
    return S, tag_pairs.count_together(tags.astype(np.uint8))


@needs_reference
def test_section_5a_by_the_published_weights_and_labels(published):
    """The numbers of docs/claims.md."""
    S, together = published
    C = tag_pairs.normalise(together)
    assert round(tag_pairs.rank_correlation(S, C), 3) == 0.563
    # Beyond what popularity explains.
    assert tag_pairs.mantel_p_value(S, C, np.diag(together), 99) == 0.01
    top = tag_pairs.top_pairs(S), tag_pairs.top_tuples(together)
    assert len(tag_pairs.overlap(*top)) == 10
    pairs, either = tag_pairs.pairs_of(50), tag_pairs.either_way(C)
    ranks = {}
    for names, (i, j) in tag_pairs.find_pairs(
        PAPER_TAGS, paper.UNEXPECTED_PAIRS
    ).items():
        pair = min(i, j), max(i, j)
        ranks[names] = [tag_pairs.rank_of(one, pair, pairs) for one in (S, either)]
    assert sorted(ranks.values()) == [[6, 92], [9, 212], [12, 142]]
    for names, (by_S, _) in ranks.items():
        assert set(paper.TOP_SIMILAR[by_S - 1]) == set(names)
    apart = tag_pairs.find_pairs(PAPER_TAGS, paper.NEGATIVE_PAIRS).values()
    found = sorted(round(S[pair], 3) for pair in apart)
    assert found == [-0.080, -0.069, -0.034, -0.005]
    assert round(S[pairs].mean(), 3) == 0.242
    assert round(C[~np.eye(50, dtype=bool)].mean(), 3) == 0.030
    assert (len(tag_pairs.negative_pairs(S)), pairs.sum()) == (104, 1225)


@needs_reference
def test_the_23_tags_have_no_other_negative_pairs(published):
    S, _ = published
    chosen = [PAPER_TAGS.index(tag) for tag in paper.SELECTED_TAGS]
    pairs = tag_pairs.negative_pairs(S[np.ix_(chosen, chosen)])
    names = {frozenset(paper.SELECTED_TAGS[k] for k in pair) for pair in pairs}
    assert names == {frozenset(pair) for pair in paper.NEGATIVE_PAIRS}


def test_overlap_of_the_printed_rows_is_that_of_the_text():
    common = tag_pairs.overlap(paper.TOP_SIMILAR, paper.TOP_TUPLES)
    assert len(common) == paper.OVERLAP_TOP_20
