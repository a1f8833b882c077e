"""ROC-AUC on resamples against scikit-learn on repeated rows."""

import time

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from studies import resampling


def made_up(num_clips, num_tags, num_seeds=2, decimals=1):
    """Scores with many ties."""
    rng = np.random.default_rng(0)
    labels = rng.random((num_clips, num_tags)) < 0.3
    noise = rng.normal(size=(num_seeds, num_clips, num_tags))
    return labels.astype(np.uint8), np.round(labels + noise, decimals)


@pytest.mark.parametrize("decimals", [0, 1, 8])
def test_a_resample_is_the_auc_of_repeated_rows(decimals):
    labels, scores = made_up(80, 3, decimals=decimals)
    weights = resampling.bootstrap_weights(80, 5)
    assert (weights.sum(0) == 80).all()
    found = resampling.macro_auc(labels, scores, weights)
    for column, value in zip(weights.T, found, strict=True):
        rows = np.repeat(np.arange(80), column.astype(int))
        judge = [roc_auc_score(labels[rows], one[rows]) for one in scores]
        assert value == pytest.approx(np.mean(judge), abs=1e-12)


def test_subsets_hold_each_clip_once():
    labels, scores = made_up(60, 2)
    weights = resampling.subset_weights(60, 25, 4)
    assert set(np.unique(weights)) == {0, 1}
    assert (weights.sum(0) == 25).all()
    found = resampling.auc_per_seed(labels, scores[:1], weights)[0]
    rows = weights[:, 3] == 1
    judge = roc_auc_score(labels[rows], scores[0][rows], average=None)
    assert found[3] == pytest.approx(judge, abs=1e-12)


def test_tags_that_a_resample_cannot_score_are_left_out_of_it():
    labels = np.array([[1, 0], [0, 1], [0, 0], [1, 0]])
    scores = np.array([[[0.9, 0.1], [0.2, 0.8], [0.3, 0.2], [0.1, 0.5]]])
    # The second resample lacks the only clip with the second tag, the third is empty.
    weights = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 0], [1, 1, 0.0]])
    per_tag = resampling.auc_per_seed(labels, scores[:1], weights)[0]
    assert per_tag[0].tolist() == [0.5, 1]
    assert per_tag[1, 0] == 0.5
    assert np.isnan(per_tag[1, 1])
    found = resampling.macro_auc(labels, scores, weights)
    assert found[:2].tolist() == [0.75, 0.5]
    assert np.isnan(found[2])


def test_a_tag_of_every_clip_has_no_score():
    scores = np.zeros((1, 3, 1))
    weights = np.ones((3, 2))
    assert np.isnan(resampling.auc_per_seed(np.ones((3, 1)), scores, weights)).all()
    assert np.isnan(resampling.auc_per_seed(np.zeros((3, 1)), scores, weights)).all()


def test_the_interval_is_as_wide_as_the_scatter_of_new_test_sets():
    rng = np.random.default_rng(3)

    def test_set():
        labels = rng.random((300, 1)) < 0.3
        return labels, labels + rng.normal(size=(300, 1))

    fresh = [roc_auc_score(*test_set()) for _ in range(300)]
    labels, scores = test_set()
    weights = resampling.bootstrap_weights(300, 300, seed=1)
    spread = resampling.macro_auc(labels, scores[None], weights).std()
    assert spread == pytest.approx(np.std(fresh), rel=0.25)


def test_the_published_test_split_takes_seconds():
    labels, scores = made_up(28_540, 5, num_seeds=1, decimals=8)
    weights = resampling.bootstrap_weights(28_540, 200)
    start = time.process_time()
    resampling.macro_auc(labels, scores, weights)
    # Ten times as many tags must stay well below a minute.
    assert time.process_time() - start < 3
