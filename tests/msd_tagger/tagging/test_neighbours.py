import re

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from msd_tagger.tagging import neighbours
from msd_tagger.tagging.neighbours import find_neighbours, to_cards, to_text, write_page
from tests import browser

# Texts between two places to break that stand in two lines.
BROKEN = """
[...document.querySelectorAll('.card h3, .card li > :last-child')].flatMap((one) => {
  const walker = document.createTreeWalker(one, NodeFilter.SHOW_TEXT), broken = [];
  for (let node; (node = walker.nextNode()); ) {
    const range = document.createRange();
    range.selectNodeContents(node);
    const isBroken = range.getClientRects().length > 1;
    if (isBroken && !/ /.test(node.data.trim())) broken.push(node.data);
  }
  return broken;
})
"""


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
    assert to_text(found) == "a"
    assert to_cards(found) == [{"name": "a", "near": []}]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A page of 9 songs, of which 6 are shown."""
    path = tmp_path_factory.mktemp("neighbours") / "neighbours.html"
    vectors = np.random.default_rng(2).normal(0, 1, (1, 9, 4))
    names = [
        f"A band/An <album>/{k:02}_a_song_with_a_long-winded.name" for k in range(9)
    ]
    songs = find_neighbours(names, vectors, 5)
    tags = find_neighbours(["rock", "R&B", "pop"], vectors[:, :3], 5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "MAX_SHOWN", 6)
        write_page(path, songs, tags, {"name": "synthetic"}, ["About."])
    return path


def test_a_page_lists_things_with_their_neighbours(written):
    page = written.read_text(encoding="utf-8")
    assert "The first 6 of 9 are shown." in page and "R&amp;B" in page
    anchors = set(re.findall('id="(song-.*?)"', page))
    assert anchors == {f"song-{k}" for k in range(6)}
    links = re.findall('href="#(song-.*?)"', page)
    assert set(links) <= anchors and len(links) < 30


def test_names_break_between_words(written):
    if browser.EXECUTABLE is None:
        pytest.skip(f"no Chromium found ({', '.join(browser.NAMES)})")
    with browser.Browser(written.parent) as page:
        page.open(written)
        page.show_as(390, "light")
        assert page.run("document.documentElement.scrollWidth <= innerWidth")
        assert page.run(BROKEN) == []
        assert page.complaints() == []
