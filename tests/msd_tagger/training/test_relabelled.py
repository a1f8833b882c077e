"""Training clips with other labels, and labels that are made noisier on purpose."""

import itertools

import numpy as np
import pytest

from msd_tagger.common.error_rates import count_rates
from msd_tagger.training import clip_cache, setup
from msd_tagger.training.relabelled import Relabelled, add_noise
from tests import fakes

TAGS = ("rock", "sad", "a,b")


@pytest.fixture(scope="module")
def data():
    whole = fakes.FakeData()
    labels = 1 - whole.labels("train")["tags"]
    return Relabelled(whole, labels)


def test_training_clips_alone_have_other_labels(data):
    assert (data.tags, data.corpus) == (data.data.tags, data.data.corpus)
    for split in ("valid", "test"):
        np.testing.assert_array_equal(
            data.labels(split)["tags"], data.data.labels(split)["tags"]
        )
        both = data, data.data
        batch, own = (next(one.evaluation_batches(split, 8)) for one in both)
        np.testing.assert_array_equal(batch["tags"], own["tags"])
    found, own = data.labels("train", 0.5), data.data.labels("train", 0.5)
    np.testing.assert_array_equal(found["tags"], 1 - own["tags"])
    np.testing.assert_array_equal(found["true_tags"], own["true_tags"])
    *_, last = data.evaluation_batches("train", 8)
    np.testing.assert_array_equal(last["tags"][2:], 0)  # Padding.
    batches, others = (one.train_batches(8, 0, 5) for one in (data, data.data))
    for batch, own in itertools.islice(zip(batches, others, strict=True), 10):
        np.testing.assert_array_equal(batch["tags"], 1 - own["tags"])
        np.testing.assert_array_equal(batch["spectrogram"], own["spectrogram"])


@pytest.mark.parametrize("cache", ["memory", "device"])
def test_clips_in_memory_have_them_too(data, cache):
    plain, kept = (
        clip_cache.keep(setup.set_up(fakes.small_config(input__cache=one), data))
        for one in ("none", cache)
    )
    for one, other in itertools.islice(
        zip(*(x.train_batches(0, 3, 1.0) for x in (plain, kept)), strict=True), 8
    ):
        np.testing.assert_array_equal(one["tags"], np.reshape(other["tags"], (8, -1)))


@pytest.fixture(scope="module")
def labels():
    rng = np.random.default_rng(0)
    ids = [f"clip {n}" for n in range(4000)]
    return (rng.random((4000, 3)) < (0.5, 0.2, 0.05)).astype(np.uint8), ids


def noisy(labels, ids, tags=TAGS, drop=0.0, flip=0.0, seed=0):
    return add_noise(labels, ids, tags, drop=drop, flip=flip, seed=seed)


def test_noise_has_the_rates_that_are_asked_for(labels):
    dropped = count_rates(noisy(*labels, drop=0.4), labels[0])
    np.testing.assert_allclose(dropped.missing, 0.4, atol=0.12)
    np.testing.assert_allclose(dropped.missing[0], 0.4, atol=0.03)
    np.testing.assert_array_equal(dropped.false, 0)
    flipped = count_rates(noisy(*labels, flip=0.1), labels[0])
    np.testing.assert_allclose(flipped.false, 0.1, atol=0.02)
    np.testing.assert_allclose(flipped.missing[:2], 0.1, atol=0.04)
    np.testing.assert_array_equal(noisy(*labels), labels[0])
    both = count_rates(noisy(*labels, drop=0.4, flip=0.1), labels[0])
    np.testing.assert_allclose(both.missing[0], 0.4 * 0.9 + 0.6 * 0.1, atol=0.04)


def test_noise_depends_on_seed_clip_and_tag_alone(labels):
    tags, ids = labels
    rates = {"drop": 0.3, "flip": 0.2}
    whole = noisy(tags, ids, **rates)
    rows, columns = np.random.default_rng(1).permutation(4000)[:1000], [2, 0]
    some = noisy(
        tags[rows][:, columns],
        [ids[row] for row in rows],
        [TAGS[k] for k in columns],
        **rates,
    )
    np.testing.assert_array_equal(some, whole[rows][:, columns])
    other = noisy(tags, ids, **rates, seed=1)
    assert 0.2 < np.mean(other != whole) < 0.5
    # Of clips and of tags: neither decides alone.
    changed = noisy(np.zeros_like(tags), ids, flip=0.2)
    assert abs(np.corrcoef(changed.T) - np.eye(3)).max() < 0.06
    assert len(np.unique(changed, axis=0)) == 8


def test_more_noise_holds_less(labels):
    little, much = (noisy(*labels, drop=rate) for rate in (0.2, 0.6))
    assert np.all(much <= little) and much.sum() < little.sum()
    little, much = (noisy(*labels, flip=rate) != labels[0] for rate in (0.05, 0.3))
    assert np.all(little <= much)
