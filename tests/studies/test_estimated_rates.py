"""From Table I's error rates to those that a loss corrects for."""

import numpy as np
import pytest

from msd_tagger.common import error_rates
from studies import estimated_rates
from studies.label_errors import Checked, Findings, find_paper

TAGS = ("one", "two", "three")


@pytest.fixture(scope="module")
def corpus():
    rng = np.random.default_rng(0)
    truth = rng.random((3000, 3)) < (0.5, 0.2, 0.1)
    given = rng.random(truth.shape) < np.where(
        truth, (0.4, 0.7, 0.2), (0.02, 0.0, 0.01)
    )
    return np.array([f"clip {n}" for n in range(3000)]), given, truth


def estimate(corpus, per_side, seed=0):
    ids, given, truth = corpus
    return estimated_rates.estimate_rates(
        ids, given, truth, TAGS, per_side=per_side, seed=seed
    )


def test_rates_of_all_clips_are_those_counted(corpus):
    """Bayes' rule by way of Eq. 2 loses nothing where every clip is judged."""
    found, counted = estimate(corpus, 3000), error_rates.count_rates(*corpus[1:])
    np.testing.assert_allclose(found, counted, rtol=1e-9)


def test_a_hundred_clips_of_each_tag_come_near(corpus):
    counted = np.array(error_rates.count_rates(*corpus[1:]))
    found = np.array([estimate(corpus, 50, seed) for seed in range(40)])
    assert abs(found[:, 0].mean(0) - counted[0]).max() < 0.06
    assert abs(found[:, 1].mean(0) - counted[1]).max() < 0.005
    assert found[:, 0].std(0).min() > 0.01  # It is an estimate.


def test_tags_that_no_clip_or_every_clip_has_are_estimated_too(corpus):
    ids, given, truth = corpus
    given = given & [True, False, True] | [False, False, True]
    found = error_rates.usable(estimate((ids, given, truth), 50))
    assert np.isfinite(found).all()
    assert found.missing[1] == error_rates.MOST and found.false[1] == 0


def test_the_papers_rates_by_bayes():
    """Guitar: 3,311 labels, 2 % wrong; of the 239,531 others 70 % are guitars."""
    paper = find_paper()
    frame = estimated_rates.rate_frame(paper, [*paper.labels, "rock"]).set_index("tag")
    holds = 3311 * 0.98 + 239_531 * 0.70
    guitar = frame.loc["guitar"]
    assert guitar.missing == pytest.approx(1 - 3311 * 0.98 / holds)
    assert guitar.false == pytest.approx(3311 * 0.02 / (242_842 - holds))
    for name in ("missing", "false"):
        assert guitar[f"{name}_low"] <= guitar[name] <= guitar[f"{name}_high"]
    assert guitar.judged == 100
    assert list(frame.loc["rock", ["judged", "missing", "false"]]) == [0, 0, 0]


def findings(*rows, occurrences):
    """What was found of labels: clips and errors among positives, among negatives."""
    labels = tuple("abcdef"[: len(rows)])
    nothing = np.zeros(len(rows), int)
    counts = np.full(len(rows), occurrences)
    checked = Checked(*np.transpose(rows))
    return Findings(labels, checked, counts, 5000, nothing, nothing)


def test_rates_of_one_side_are_not_taken_for_certain():
    rows = (50, 10, 50, 5), (50, 10, 0, 0), (0, 0, 50, 20)
    found = findings(*rows, occurrences=300)
    frame = estimated_rates.rate_frame(found, ("a", "b", "c", "d")).set_index("tag")
    assert frame.loc[["b", "c", "d"], ["missing", "false"]].eq(0).all(axis=None)
    ends = ["missing_low", "missing_high", "false_low", "false_high"]
    assert frame[ends].notna().all(axis=1).tolist() == [True, False, False, False]
    assert frame[ends].isna().all(axis=1).tolist() == [False, True, True, True]


def test_labels_that_speak_against_their_tag_have_no_interval():
    found = findings((50, 40, 50, 40), (50, 5, 50, 5), occurrences=2500)
    assert estimated_rates.against(found).tolist() == [True, False]
    frame = estimated_rates.rate_frame(found, found.labels).set_index("tag")
    assert frame.loc["a", ["missing_low", "false_high"]].isna().all()
    row = frame.loc["b"]
    assert row.missing_low < row.missing < row.missing_high
    assert frame.missing.add(frame.false).max() <= error_rates.MOST
