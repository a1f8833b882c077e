"""Co-occurrence by hand, by brute force, and on the published labels."""

import itertools
import os
import time
from pathlib import Path

import numpy as np
import pytest

from msd_tagger.common import facts, paper
from studies import co_occurrence

REFERENCE = os.environ.get("MSD_TAGGER_REFERENCE")

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
    together = co_occurrence.count_together(TAGS)
    assert together.tolist() == [[5, 3, 1, 0], [3, 3, 0, 0], [1, 0, 1, 0], [0] * 4]
    C = co_occurrence.normalise(together)
    expected = [[1, 0.6, 0.2, 0], [1, 1, 0, 0], [1, 0, 1, 0], [np.nan] * 4]
    np.testing.assert_array_equal(C, expected)
    np.testing.assert_array_equal(
        co_occurrence.either_way(C)[0], [1, 1, 1, 0], "a tag without clips is no NaN"
    )


def test_chunks_add_up(monkeypatch, random_tags):
    whole = co_occurrence.count_together(random_tags)
    monkeypatch.setattr(co_occurrence, "CHUNK", 7)
    np.testing.assert_array_equal(co_occurrence.count_together(random_tags), whole)


def test_of_equal_tuples_that_with_more_clips_comes_first():
    found = co_occurrence.top_tuples(co_occurrence.count_together(TAGS))
    # C(1, 0) = C(2, 0) = 1, on 3 and on 1 clips.
    assert found == [(1, 0), (2, 0), (0, 1), (0, 2)]
    assert co_occurrence.top_tuples(co_occurrence.count_together(TAGS), 1) == [(1, 0)]


def test_of_equal_tuples_of_equal_clips_the_earlier_tags_come_first():
    found = co_occurrence.top_tuples(np.ones((3, 3), np.int64))
    assert found == [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)]


def test_top_tuples_by_brute_force(random_tags):
    share = {}
    for i, j in itertools.permutations(range(12), 2):
        both = int((random_tags[:, i] & random_tags[:, j]).sum())
        if both:
            share[i, j] = (both / random_tags[:, i].sum(), both, -i, -j)
    expected = sorted(share, key=share.get, reverse=True)[:20]
    together = co_occurrence.count_together(random_tags)
    assert co_occurrence.top_tuples(together, 20) == expected


def test_tags_that_meet_are_those_of_the_highest_tuples():
    together = co_occurrence.count_together(TAGS)
    assert co_occurrence.tags_that_meet(together, 2) == [1, 0]
    assert co_occurrence.tags_that_meet(together, 9) == [1, 0, 2]


@pytest.mark.parametrize("num_tags", [1, 8, 50, 65])
def test_unique_vectors_by_brute_force(num_tags):
    random = np.random.default_rng(num_tags)
    tags = random.integers(0, 2, (200, num_tags), np.uint8)
    tags[:, 3:-1] = 0
    vectors, clips = co_occurrence.unique_vectors(tags)
    found = {tuple(v): int(n) for v, n in zip(vectors.tolist(), clips, strict=True)}
    rows = [tuple(row) for row in tags.tolist()]
    assert found == {row: rows.count(row) for row in rows}
    assert (np.diff(clips) <= 0).all()


def test_like_tags_become_neighbours():
    likeness = np.eye(6)
    for i, j in ((0, 4), (1, 5), (2, 3)):
        likeness[i, j] = likeness[j, i] = 0.9
    likeness[5, 2] = likeness[2, 5] = np.nan
    order = co_occurrence.order_by_likeness(likeness).tolist()
    assert sorted(order) == list(range(6))
    for i, j in ((0, 4), (1, 5), (2, 3)):
        assert abs(order.index(i) - order.index(j)) == 1


@pytest.mark.parametrize(
    ("counts", "expected"),
    [([100, 5, 3, 2], True), ([100, 90, 80, 70], False), ([0, 0], False)],
)
def test_long_tail(counts, expected):
    assert bool(co_occurrence.is_long_tailed(np.array(counts))) is expected


def test_the_labels_of_200_000_clips_take_seconds():
    random = np.random.default_rng(0)
    tags = (random.random((200_000, 50)) < 0.04).astype(np.uint8)
    start = time.process_time()
    together = co_occurrence.count_together(tags)
    co_occurrence.top_tuples(together)
    co_occurrence.unique_vectors(tags)
    assert time.process_time() - start < 10


@pytest.mark.skipif(
    not REFERENCE, reason="MSD_TAGGER_REFERENCE, the published labels, is not set"
)
def test_16_of_the_papers_tuples_are_among_the_top_20():
    folder = Path(REFERENCE, "msd")
    tags = np.concatenate([np.load(folder / f"{s}_y.npy") for s in ("valid", "test")])
    together = co_occurrence.count_together(tags.astype(np.uint8))
    found = co_occurrence.top_tuples(together, 20)
    names = [(facts.TAGS[i], facts.TAGS[j]) for i, j in found]
    assert len(set(names) & set(paper.TOP_TUPLES)) == 16
