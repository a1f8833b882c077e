"""Thresholds against scikit-learn, tag by tag."""

import json

import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve, precision_recall_fscore_support

from msd_tagger.bundle import thresholds


@pytest.fixture(scope="module")
def labelled():
    """Labels and scores with ties; tag 2 has no clip, tag 3 has every clip."""
    rng = np.random.default_rng(3)
    tags = (rng.random((60, 6)) < 0.3).astype(np.uint8)
    tags[:, 2], tags[:, 3] = 0, 1
    noise = rng.normal(0, 0.2, (4, 60, 6))
    scores = np.round(np.clip(0.2 + 0.2 * tags + noise, 0, 1), 1).astype(np.float32)
    return tags, scores


def test_each_threshold_is_scikit_learns_best(labelled):
    tags, scores = labelled
    found = thresholds.choose(tags, scores, "valid")
    mean = scores.astype(np.float64).mean(0)
    for k in (0, 1, 3, 4, 5):
        precision, recall, allowed = precision_recall_curve(tags[:, k], mean[:, k])
        f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
        best = np.flatnonzero(f1[:-1] >= f1.max() - 1e-12)[-1]  # The highest of equals.
        assert found.threshold[k] == allowed[best]
        values = (found.precision[k], found.recall[k], found.f1[k])
        assert values == pytest.approx((precision[best], recall[best], f1[best]))
    assert found.positives.tolist() == tags.sum(0).tolist()
    assert found.split == "valid"


def test_a_tag_without_positives_has_no_threshold(labelled):
    found = thresholds.choose(*labelled, split="valid")
    assert np.isnan([found.threshold[2], found.precision[2], found.recall[2]]).all()
    assert np.isnan(found.f1[2]) and found.positives[2] == 0
    assert np.isfinite(np.delete(found.threshold, 2)).all()


def test_what_they_do_elsewhere_is_scikit_learns_too(labelled):
    tags, scores = labelled[0][:20], labelled[1][:, 20:40]
    threshold = np.array([0.3, 0.25, 0.2, 0.3, np.nan, 0.99])
    found = thresholds.measure(threshold, tags, scores, "test")
    given = scores.astype(np.float64).mean(0) >= threshold
    judged = precision_recall_fscore_support(tags, given, zero_division=np.nan)
    # Tag 2 has no clip, tag 4 no threshold, and tag 5 is given to none.
    expected = np.array(judged[:3])
    expected[:, 4], expected[1:, 2] = np.nan, np.nan
    names = ("precision", "recall", "f1")
    np.testing.assert_allclose([getattr(found, name) for name in names], expected)
    assert found.recall[5] == 0 and np.isnan(found.precision[5])


def test_rows_go_through_json_and_know_their_tags(labelled):
    found = thresholds.choose(*labelled, split="valid")
    rows = json.loads(json.dumps(found.to_rows("abcdef"), allow_nan=False))
    assert rows["tags"][2] == {
        "tag": "c",
        **dict.fromkeys(("threshold", "precision", "recall", "f1")),
        "positives": 0,
    }
    again = thresholds.Thresholds.from_rows(rows, "abcdef")
    np.testing.assert_array_equal(again[1:], found[1:])
    with pytest.raises(ValueError, match="other tags, or in another order"):
        thresholds.Thresholds.from_rows(rows, "abcdfe")
