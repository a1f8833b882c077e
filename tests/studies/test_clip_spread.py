"""How far scores move with the test clips, against scikit-learn and a simulation."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from studies import clip_spread, resampling


def draw(rng, num_clips, num_tags, share, seeds=2, apart=0.5):
    """Labels, and the scores of two runs that differ by chance alone."""
    labels = (rng.random((num_clips, num_tags)) < share).astype(np.uint8)
    common = labels + 0.8 * rng.normal(size=labels.shape)
    common += 0.5 * rng.normal(size=(num_clips, 1))
    first = common + 0.6 * rng.normal(size=(seeds, *labels.shape))
    return labels, first, first + apart * rng.normal(size=first.shape)


def macro(labels, placed):
    known = np.isfinite(placed).all(0)
    rows = [placed[labels[:, k] == 1, k].mean() for k in np.flatnonzero(known)]
    return np.mean(rows)


def test_placements_are_averaged_to_the_auc_on_both_sides():
    rng = np.random.default_rng(0)
    labels, scores, _ = draw(rng, 80, 6, 0.2)
    scores = scores.round(1)  # Ties.
    labels[:, 4], labels[:, 5] = 0, 1  # They cannot be scored.
    placed = clip_spread.placements(labels, scores)
    assert np.isnan(placed[:, 4:]).all()
    for k in range(4):
        judge = np.mean([roc_auc_score(labels[:, k], one[:, k]) for one in scores])
        assert placed[labels[:, k] == 1, k].mean() == pytest.approx(judge)
        assert placed[labels[:, k] == 0, k].mean() == pytest.approx(judge)


def test_it_is_the_bootstraps_where_tags_are_frequent():
    labels, first, second = draw(np.random.default_rng(1), 300, 8, 0.3)
    placed = clip_spread.placements(labels, first)
    placed -= clip_spread.placements(labels, second)
    weights = resampling.bootstrap_weights(300, 1000)
    moved = [resampling.macro_auc(labels, one, weights) for one in (first, second)]
    error = clip_spread.standard_error(labels, placed)
    assert error == pytest.approx(np.std(moved[0] - moved[1]), rel=0.08)


@pytest.mark.parametrize("share", [0.02, 0.04])
def test_a_few_positives_a_tag_are_enough(share):
    """With one to four positives a tag the bootstrap is 8 to 13 % too narrow."""
    rng, found, errors = np.random.default_rng(2), [], []
    for _ in range(300):
        labels, first, second = draw(rng, 100, 20, share)
        placed = clip_spread.placements(labels, first)
        placed -= clip_spread.placements(labels, second)
        found.append(macro(labels, placed))
        errors.append(clip_spread.standard_error(labels, placed))
    # Deviations of 300 are known to 4 %.
    assert 0.94 < np.sqrt(np.nanmean(np.square(errors))) / np.std(found) < 1.25


def test_what_cannot_be_known_is_not():
    scores = np.random.default_rng(3).normal(size=(1, 6, 1))
    none, single = np.zeros((6, 1), np.uint8), np.eye(6, 1, dtype=np.uint8)
    for labels in (none, single):
        placed = clip_spread.placements(labels, scores)
        assert np.isnan(clip_spread.standard_error(labels, placed))


@pytest.mark.parametrize("auc", [0.6, 0.9, 0.98])
@pytest.mark.parametrize("positives", [2, 5, 8, 40])
def test_the_interval_of_a_tag_covers_its_auc(auc, positives):
    """Also near 1, where Student's t covers 70 to 80 % with five positives."""
    rng, apart = np.random.default_rng(4), np.sqrt(2) * stats.norm.ppf(auc)
    above = rng.normal(apart, 1, (1000, positives, 1))
    found = (above > rng.normal(size=(1000, 1, 100))).mean((1, 2))
    ends = clip_spread.auc_intervals(found, [positives] * 1000, [100] * 1000)
    covered = np.mean((ends[:, 0] <= auc) & (auc <= ends[:, 1]))
    assert covered > stats.binom.ppf(0.001, 1000, 0.95) / 1000


def test_the_interval_of_a_tag_at_the_ends_and_without_a_score():
    ends = clip_spread.auc_intervals([1.0, 0.5, np.nan], [3, 50, 0], [97, 50, 9])
    assert ends[0][1] == 1 and 0.4 < ends[0][0] < 0.9
    assert ends[1] == pytest.approx([0.39, 0.61], abs=0.01)
    assert np.isnan(ends[2]).all()


@pytest.mark.parametrize(("positives", "low", "high"), [(2, 0.1, 0.25), (20, 0, 0.1)])
def test_of_two_positives_in_all_it_is_too_small(positives, low, high):
    """How often equal networks of 15 seeds differ by 1.96 errors (docs/studies.md)."""
    rng, wrong = np.random.default_rng(positives), 0
    labels = np.zeros((120, 1), np.uint8)
    labels[:positives] = 1
    for _ in range(200):
        shared = 1.2 * labels + 0.7 * rng.normal(size=labels.shape)
        means, placed = [], []
        for _ in range(2):
            own = shared + 0.7 * rng.normal(size=labels.shape)
            scores = own + 0.3 * rng.normal(size=(15, *labels.shape))
            placed.append(clip_spread.placements(labels, scores))
            pairs = scores[:, :positives, :] > scores[:, None, positives:, 0]
            means.append(pairs.mean((1, 2)))
        apart = means[0] - means[1]
        over_clips = 1.96 * clip_spread.standard_error(labels, placed[0] - placed[1])
        over_seeds = stats.t.ppf(0.975, 14) * stats.sem(apart)
        wrong += abs(apart.mean()) > np.hypot(over_clips, over_seeds)
    assert low <= wrong / 200 <= high
