from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from msd_tagger.common.error_rates import Rates
from msd_tagger.training import augmentation, setup, steps
from tests import fakes

CLIPS, BANDS, FRAMES = 2000, 20, 50
KEY = jax.random.key(3)


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(0)
    return {
        "spectrogram": jnp.asarray(
            rng.normal(size=(CLIPS, BANDS, FRAMES)), jnp.float32
        ),
        "tags": jnp.asarray(rng.random((CLIPS, 3)) < 0.4, jnp.float32),
        "mask": jnp.ones(CLIPS, bool),
    }


@pytest.mark.parametrize(
    ("axis", "kind", "share"), [(2, "time", 0.2), (1, "band", 0.3)]
)
def test_masks_hide_stretches_of_one_axis(batch, axis, kind, share):
    alone = {
        "time_masks": 0,
        "band_masks": 0,
        f"{kind}_masks": 1,
        f"{kind}_share": share,
    }
    found = augmentation.spec_augment(batch, KEY, **alone)["spectrogram"]
    x = np.asarray(batch["spectrogram"])
    hidden = np.asarray(found) != x
    mean = np.broadcast_to(x.mean((1, 2), keepdims=True), x.shape)
    np.testing.assert_allclose(np.asarray(found)[hidden], mean[hidden], atol=1e-6)
    places = hidden.any(3 - axis)  # [B, size]
    np.testing.assert_array_equal(hidden.all(3 - axis), places)
    starts = (np.diff(places.astype(int), prepend=0) == 1).sum(1)
    assert starts.max() == 1
    size = x.shape[axis]
    widths, widest = places.sum(1), int(share * size)
    assert set(widths) == set(range(widest + 1))
    error = np.std(widths) / np.sqrt(CLIPS)
    assert abs(widths.mean() - widest / 2) < 4 * error
    # Masks lie anywhere: the middle is hidden, and both ends.
    often = places.mean(0)
    assert 0 < often[0] < often[size // 2] and 0 < often[-1] < often[size // 2]


def test_the_masked_share_is_that_of_all_masks(batch):
    found = augmentation.spec_augment(batch, KEY)
    hidden = np.asarray(found["spectrogram"] != batch["spectrogram"])
    in_time, in_bands = (1 - w / 2 / size for w, size in ((5, FRAMES), (3, BANDS)))
    expected = 1 - in_time**2 * in_bands**2
    assert hidden.mean() == pytest.approx(expected, abs=0.01)
    assert found["tags"] is batch["tags"]


def test_mixup_mixes_clips_and_labels_alike():
    """The batch's clips are the unit vectors, so that what is mixed can be read."""
    unit = jnp.eye(500)
    batch = {"spectrogram": unit[:, None, :], "tags": unit, "mask": jnp.ones(500, bool)}
    for alpha in (0.2, 5.0):
        found = augmentation.mixup(batch, KEY, alpha)
        mixed = np.asarray(found["tags"])
        np.testing.assert_allclose(found["spectrogram"][:, 0], mixed, atol=1e-6)
        np.testing.assert_allclose(mixed.sum(1), 1, atol=1e-6)
        assert ((mixed > 0).sum(1) <= 2).all()
        own = mixed.diagonal()
        assert own.mean() == pytest.approx(0.5, abs=0.06)
        # The variance of Beta(a, a) is 1 / (4 (2 a + 1)).
        assert own.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.15)


@pytest.mark.parametrize("noise", [None, Rates(np.full(3, 0.3), np.full(3, 0.1))])
def test_the_loss_of_mixed_labels_is_the_mixture_of_losses(noise):
    rng = np.random.default_rng(0)
    logits = jnp.asarray(rng.normal(size=(6, 3)), jnp.float32)
    one, other = (jnp.asarray(rng.integers(0, 2, (6, 3)), jnp.uint8) for _ in range(2))
    loss = partial(steps.cross_entropy, logits, noise=noise)
    found = loss(tags=0.3 * one.astype(jnp.float32) + 0.7 * other)
    np.testing.assert_allclose(
        found, 0.3 * loss(tags=one) + 0.7 * loss(tags=other), rtol=1e-5
    )


def test_a_gain_is_one_shift_for_each_clip(batch):
    found = augmentation.random_gain(batch, KEY, 0.4)["spectrogram"]
    shift = np.asarray(found - batch["spectrogram"])
    np.testing.assert_allclose(
        shift, shift[:, :1, :1] * np.ones((BANDS, FRAMES)), atol=1e-6
    )
    of_clips = shift[:, 0, 0]
    assert np.abs(of_clips).max() <= 0.4 + 1e-6
    assert abs(of_clips.mean()) < 0.02
    assert of_clips.std() == pytest.approx(0.8 / np.sqrt(12), rel=0.05)


def test_each_of_a_list_draws_its_own_numbers(batch):
    twice = augmentation.build(["random_gain(spread=0.1)"] * 2)
    once = augmentation.augment(batch, KEY, twice[:1])["spectrogram"]
    first = once - batch["spectrogram"]
    second = augmentation.augment(batch, KEY, twice)["spectrogram"] - once
    assert abs(np.corrcoef(first[:, 0, 0], second[:, 0, 0])[0, 1]) < 0.1
    again = augmentation.augment(batch, KEY, twice[:1])["spectrogram"]
    np.testing.assert_array_equal(once, again)


def test_a_function_of_ones_own(batch):
    [louder] = augmentation.build(["tests.own_networks:louder(by=2.0)"])
    found = augmentation.augment(batch, KEY, [louder])["spectrogram"]
    np.testing.assert_array_equal(found, batch["spectrogram"] + 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mixdown", "choose from spec_augment, mixup, random_gain, or give a function"),
        ("mixup(beta=1)", "mixup has no argument 'beta'; it has alpha"),
        ("tests.own_networks:halve", "halve gives arrays of other shapes"),
        ("tests.own_networks:forget", "forget gives NoneType; it must give the batch"),
        ("tests.own_networks:lose", "lose gives mask, tags; .* of spectrogram, tags,"),
        ("tests.own_networks:fail", r"fail fails: RuntimeError: no luck \(.*own_netw"),
        ("tests.own_networks:Small", "Small is not a function"),
        ("spec_augment(time_share='a')", "spec_augment.* fails: "),
        ("spec_augment(time_share=3)", "time_share=3 and band_share=0.15 must be from"),
        ("spec_augment(band_masks=-1)", "band_masks=-1 must be at least 0"),
        ("mixup(alpha=0)", r"mixup\(alpha=0\): alpha=0 must be above 0"),
        ("random_gain(spread=-1)", "spread=-1 must be at least 0"),
    ],
)
def test_a_wrong_one_is_named_before_data_are_read(text, message):
    with pytest.raises(ValueError, match=rf"train\.augmentations: .*{message}"):
        augmentation.check([text], (24, 40), "float32", "db")


def test_a_gain_of_linear_power_is_refused():
    with pytest.raises(ValueError, match="random_gain shifts decibels"):
        augmentation.check(["random_gain"], (24, 40), "float32", "linear")
    augmentation.check([*augmentation.AUGMENTATIONS], (24, 40), "bfloat16", "db")


def traced(**changes):
    """State and program of a training step."""
    config = fakes.small_config(**changes)
    model = setup.set_up(config, fakes.FakeData()).model
    state = steps.init_state(jnp.uint32(0), model, fakes.RECIPE.shape)
    batch = {
        "spectrogram": jnp.zeros((4, *fakes.RECIPE.shape)),
        "tags": jnp.zeros((4, 5), jnp.uint8),
        "mask": jnp.ones(4, bool),
    }
    return state, str(
        jax.make_jaxpr(partial(steps.train_step, model=model))(state, batch)
    )


def test_without_augmentation_a_step_knows_no_chance():
    state, program = traced()
    assert state.seed is None and "random" not in program
    state, program = traced(train__augmentations=("mixup",))
    assert state.seed == 0 and "random" in program
