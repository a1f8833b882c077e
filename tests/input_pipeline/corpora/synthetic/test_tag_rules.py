"""Attributes, rules, weak labels and nuisances, on virtual clips."""

import os
from pathlib import Path

import numpy as np
import pytest

from input_pipeline.corpora import synthetic
from input_pipeline.corpora.synthetic import tag_rules, weak_labels
from input_pipeline.corpora.synthetic.attributes import draw_attributes, draw_nuisances
from input_pipeline.corpora.synthetic.random_streams import uniforms

NUM_CLIPS = 20_000
K = {tag: column for column, tag in enumerate(synthetic.TAGS)}
REFERENCE = os.environ.get("MSD_TAGGER_REFERENCE")
needs_reference = pytest.mark.skipif(
    not REFERENCE, reason="MSD_TAGGER_REFERENCE, the published labels, is not set"
)


@pytest.fixture(scope="module")
def labels():
    """True and weak tags at the real shares."""
    return synthetic.label_only(NUM_CLIPS, seed=11)


@pytest.fixture(scope="module")
def real_labels():
    """The published validation and test labels, float64 [41174, K]."""
    paths = [Path(REFERENCE) / "msd" / f"{split}_y.npy" for split in ("valid", "test")]
    return np.concatenate([np.load(path) for path in paths]).astype(np.float64)


def co_occurrence(labels):
    """C(i, j): the share of i's clips that have j too."""
    labels = labels.astype(np.float32)
    together = (labels.T @ labels).astype(np.float64)
    return together / np.diag(together)[:, None]


def test_one_rule_per_tag_with_its_cue():
    assert set(tag_rules.RULES) == set(tag_rules.TAGS)
    assert len(tag_rules.TAGS) == len(set(tag_rules.TAGS)) == 50
    assert all(rule.cue for rule in tag_rules.RULES.values())
    assert len({rule.cue for rule in tag_rules.RULES.values()}) == 50


@needs_reference
def test_tags_are_the_published_ones():
    names = (Path(REFERENCE) / "msd" / "tags.txt").read_text(encoding="utf-8")
    assert tuple(names.split("\n")[:50]) == tag_rules.TAGS


def test_every_tag_is_attainable(labels):
    true, _ = labels
    assert true.mean(axis=0).min() > 0.02
    assert true.mean(axis=0).max() < 0.75


def test_one_clip_is_a_row_of_many():
    clips = np.arange(500)
    true = tag_rules.true_tags(draw_attributes(7, clips))
    for clip in (0, 123, 499):
        alone = tag_rules.true_tags(draw_attributes(7, np.array([clip])))
        assert (alone[0] == true[clip]).all()


def test_weak_labels_of_a_clip_do_not_depend_on_the_others():
    _, weak = synthetic.label_only(500, seed=7, tagability_exponent=0.5)
    _, fewer = synthetic.label_only(50, seed=7, tagability_exponent=0.5)
    assert (weak[:50] == fewer).all()


def test_every_clip_has_a_weak_tag(labels):
    assert labels[1].any(axis=1).all()


def test_weak_shares_are_the_fitted_ones(labels):
    _, weak = labels
    shares = weak_labels.read_listeners().real_shares
    deviation = np.sqrt(shares * (1 - shares) / NUM_CLIPS)
    # Four standard errors, and what the fit left over.
    assert (np.abs(weak.mean(axis=0) - shares) < 4 * deviation + 0.05 * shares).all()


def test_the_table_of_listeners_has_the_tags_in_order():
    lines = weak_labels.CONSTANTS_PATH.read_text(encoding="utf-8").splitlines()
    assert tuple(line.split(",")[0] for line in lines[1:]) == synthetic.TAGS


def test_true_shares_are_the_tabled_ones(labels):
    true, _ = labels
    tabled = weak_labels.read_listeners().true_shares
    assert np.abs(true.mean(axis=0) - tabled).max() < 0.02


def test_smaller_exponent_gives_more_tags(labels):
    _, weak = synthetic.label_only(2_000, seed=11, tagability_exponent=0.5)
    assert 2.2 < weak.sum(axis=1).mean() < 3.0
    assert 1.6 < labels[1].sum(axis=1).mean() < 1.76


def test_900_audio_clips_have_positives_of_every_tag():
    _, weak = synthetic.label_only(900, seed=0, tagability_exponent=0.5)
    assert weak.sum(axis=0).min() >= 5


def test_nuisances_predict_nothing(labels):
    true, _ = labels
    nuisances = draw_nuisances(11, np.arange(NUM_CLIPS))
    columns = [nuisances.level_db, nuisances.noise_floor_db, nuisances.root]
    columns += [np.isfinite(nuisances.band_limit_hz), nuisances.formant_scale]
    columns += list(nuisances.equaliser_db.T)
    standard = [(c - c.mean()) / c.std() for c in map(np.float64, columns)]
    centred = (true - true.mean(axis=0)) / true.std(axis=0)
    correlation = np.stack(standard) @ centred / NUM_CLIPS
    # 600 correlations, each of deviation 1 / sqrt(20,000): the largest is about 3.3.
    assert np.abs(correlation).max() < 4.5 / np.sqrt(NUM_CLIPS)


def test_uniforms_are_uniform_and_streams_independent():
    u = uniforms(0, "one", np.arange(NUM_CLIPS), 3)
    other = uniforms(0, "two", np.arange(NUM_CLIPS), 3)
    assert np.abs(np.histogram(u, 10, (0, 1))[0] / u.size - 0.1).max() < 0.006
    together = np.corrcoef(np.hstack([u, other]).T) - np.eye(6)
    assert np.abs(together).max() < 4.5 / np.sqrt(NUM_CLIPS)


def test_wrong_exponent_is_named():
    with pytest.raises(ValueError, match="tagability_exponent is -1"):
        synthetic.label_only(10, seed=0, tagability_exponent=-1)


@needs_reference
def test_real_shares_are_the_published_ones(real_labels):
    tabled = weak_labels.read_listeners().real_shares
    np.testing.assert_allclose(tabled, real_labels.mean(axis=0), rtol=1e-4)


@needs_reference
def test_tags_per_clip_are_like_the_real_ones(labels, real_labels):
    _, weak = labels
    counts = [np.bincount(y.sum(axis=1).astype(int))[1:6] for y in (weak, real_labels)]
    ours, theirs = counts[0] / NUM_CLIPS, counts[1] / len(real_labels)
    assert np.abs(ours - theirs).max() < 0.05
    assert weak.sum() / NUM_CLIPS == pytest.approx(
        real_labels.sum() / len(real_labels), abs=0.05
    )


@needs_reference
def test_co_occurrence_is_like_the_real_one(labels, real_labels):
    ours, theirs = co_occurrence(labels[1]), co_occurrence(real_labels)
    off_diagonal = ~np.eye(50, dtype=bool)
    assert np.corrcoef(ours[off_diagonal], theirs[off_diagonal])[0, 1] > 0.8


# Table I: error rates of 50 positive and 50 negative labels in per cent.
TABLE_1 = {
    "female vocalists": (4, 24),
    "male vocalists": (2, 64),
    "instrumental": (6, 12),
    "guitar": (2, 70),
}


@pytest.mark.parametrize("tag", TABLE_1)
def test_errors_of_weak_labels_are_like_table_1(labels, tag):
    true, weak = (table[:, K[tag]].astype(bool) for table in labels)
    ours = (100 * (1 - true[weak].mean()), 100 * true[~weak].mean())
    for error, printed in zip(ours, TABLE_1[tag], strict=True):
        # Two standard errors of fifty clips, plus one for rates near zero.
        sampling = 2 * np.sqrt(error * (100 - error) / 50) + 1
        assert abs(error - printed) < sampling
