import numpy as np
from sklearn.neighbors import NearestNeighbors

from msd_tagger.tagging import neighbours
from msd_tagger.tagging.neighbours import find_neighbours, to_table, to_text


def test_neighbours_are_those_of_scikit_learn(monkeypatch):
    monkeypatch.setattr(neighbours, "ROWS_AT_ONCE", 7)
    vectors = np.random.default_rng(0).normal(0, 1, (1, 20, 5))
    found = find_neighbours([str(i) for i in range(20)], vectors, 3)
    judge = NearestNeighbors(n_neighbors=4, metric="cosine").fit(vectors[0])
    distance, nearest = judge.kneighbors(vectors[0])
    np.testing.assert_array_equal(found.nearest, nearest[:, 1:])
    np.testing.assert_allclose(1 - found.cosine, distance[:, 1:], atol=1e-9)


def test_seeds_are_averaged_and_not_mixed():
    """A rotation of one seed's features changes nothing."""
    vectors = np.random.default_rng(1).normal(0, 1, (2, 6, 2))
    turned = vectors.copy()
    turned[1] = turned[1] @ np.array([[0.6, 0.8], [-0.8, 0.6]])
    names = list("abcdef")
    one, other = (find_neighbours(names, v, 5) for v in (vectors, turned))
    np.testing.assert_allclose(one.cosine, other.cosine)


def test_a_vector_of_zeros_is_nobodys_neighbour():
    vectors = np.array([[[1.0, 0], [0, 0], [1, 1]]])
    found = find_neighbours(["a", "zero", "b"], vectors, 5)
    assert found.nearest.tolist() == [[2, 1], [0, 2], [0, 1]]
    assert np.isnan(found.cosine).tolist() == [
        [False, True],
        [True, True],
        [False, True],
    ]


def test_a_single_thing_has_none():
    found = find_neighbours(["a"], np.ones((1, 1, 3)), 5)
    assert to_text(found) == "a" and to_table("", found).rows == [["a"]]
