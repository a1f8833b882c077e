"""Differences of points against the spread over seeds and over test clips."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from studies import comparison
from tests import sweeps


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    points = {
        "good": {"skill": 2.0, "num_seeds": 3},
        "poor": {"skill": 1.0, "num_seeds": 2, "noise_seed": 7},
        "same": {"skill": 2.0, "num_seeds": 2, "noise_seed": 8},
        "once": {"skill": 1.0, "num_seeds": 1},
        "elsewhere": {"skill": 1.0, "num_clips": 90},
    }
    return sweeps.write_sweep(tmp_path_factory.mktemp("sweep"), points)


def test_differences_are_paired_over_the_seeds_that_both_have(record):
    points = record.points
    found = comparison.compare(points, {"gap": ("good", "poor")}, {})
    good, poor = comparison.auc(points["good"]), comparison.auc(points["poor"])
    assert found[0].seeds.values.tolist() == (good[:2] - poor).tolist()
    assert np.isnan(found[0].clips).all()
    assert not found[0].beyond_both


def test_the_bootstrap_takes_the_same_clips_for_both(record):
    points = record.select("good") | record.select("poor")
    resampled = comparison.resampled_auc(points, "weak", 50)
    (found,) = comparison.compare(points, {"gap": ("good", "poor")}, resampled)
    weights = comparison.resampling.bootstrap_weights(160, 50)
    rows = np.repeat(np.arange(160), weights[:, 4].astype(int))
    scores = [one.arrays["predictions_test"] for one in points.values()]
    judge = [
        np.mean([roc_auc_score(one["tags"][rows], s[rows]) for s in one["scores"]])
        for one in scores
    ]
    assert found.resampled[4] == pytest.approx(judge[0] - judge[1], abs=1e-9)
    assert found.beyond_clips
    # Pairing matters: the difference scatters less than either side.
    assert found.resampled.std() < 0.8 * np.hypot(
        resampled["good"].std(), resampled["poor"].std()
    )


def test_points_on_other_clips_have_no_interval_over_clips(record):
    resampled = comparison.resampled_auc(record.points, "weak", 20)
    assert "elsewhere" not in resampled
    pairs = {"gap": ("good", "elsewhere")}
    (found,) = comparison.compare(record.points, pairs, resampled)
    assert found.resampled is None
    assert "over test clips unknown" in comparison.sentence(found)
    assert "(clips unknown)" in comparison.table("", [found]).rows[0][-1]


def test_missing_points_leave_their_pair_out(record):
    pairs = {"gap": ("good", "nowhere"), "none": ("good", "same")}
    found = comparison.compare(record.points, pairs, {})
    assert [one.name for one in found] == ["none"]


def test_one_seed_says_so(record):
    (found,) = comparison.compare(record.points, {"gap": ("good", "once")}, {})
    assert "spread over seeds unknown" in comparison.sentence(found)
    assert "(seeds and clips unknown)" in comparison.table("", [found]).rows[0][-1]


def test_a_row_names_what_the_difference_is_larger_than(record):
    resampled = comparison.resampled_auc(record.points, "true", 100)
    pairs = {"gap": ("good", "poor"), "none": ("good", "same")}
    found = comparison.compare(record.points, pairs, resampled, "true")
    table = comparison.table("caption", found)
    assert [row[-1] for row in table.rows] == ["both spreads", "neither"]
    assert table.strong == [0]


def test_the_mean_of_pairs_averages_every_resample(record):
    resampled = comparison.resampled_auc(record.points, "weak", 30)
    pairs = {"gap": ("good", "poor"), "none": ("good", "same")}
    found = comparison.compare(record.points, pairs, resampled)
    mean = comparison.average("mean", found)
    expected = (found[0].resampled + found[1].resampled) / 2
    assert mean.resampled == pytest.approx(expected)
    assert mean.seeds.mean == pytest.approx(
        (found[0].seeds.mean + found[1].seeds.mean) / 2
    )
    assert comparison.average("mean", []) is None


def test_labels_that_not_every_point_has_are_left_out(tmp_path):
    points = {"a": {}, "b": {"with_truth": False}}
    record = sweeps.write_sweep(tmp_path, points)
    assert comparison.known_labels(record.points) == ["weak"]
    assert comparison.known_labels(record.select("a")) == ["weak", "true"]
    assert comparison.known_labels({}) == []


def test_small_differences_are_within_a_limit_that_both_intervals_keep(record):
    resampled = comparison.resampled_auc(record.select("good"), "weak", 50)
    resampled["same"] = resampled["good"] + 0.001
    pairs = {"none": ("good", "same"), "unknown": ("good", "once")}
    found, unknown = comparison.compare(record.points, pairs, resampled)
    low, high = found.seeds.interval
    limit = max(-low, high, 0.001)
    assert found.is_within(limit + 1e-9) and not found.is_within(limit - 1e-9)
    assert not unknown.is_within(1.0)
