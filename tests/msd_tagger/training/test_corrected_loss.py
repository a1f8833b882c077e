"""A loss that corrects for error rates of the labels."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import optimize

from msd_tagger.common.error_rates import LabelNoise, Rates
from msd_tagger.training import loop, parallel, setup, steps
from tests import fakes

MISSING, FALSE = np.array([0.0, 0.3, 0.7, 0.0]), np.array([0.0, 0.01, 0.02, 0.2])
RATES = Rates(MISSING, FALSE)


def exact(logits, labels):
    """The loss as it is defined, in float64."""
    p = 1 / (1 + np.exp(-np.asarray(logits, np.float64)))
    q = (1 - MISSING) * p + FALSE * (1 - p)
    return -np.where(labels, np.log(q), np.log1p(-q))


@pytest.mark.parametrize("label", [0, 1])
def test_loss_and_gradient_are_those_of_the_definition(label):
    logits = np.repeat(np.linspace(-9, 9, 13, dtype=np.float32)[:, None], 4, axis=1)
    labels = np.full(logits.shape, label)

    def total(x):
        return steps.cross_entropy(x, labels, RATES).sum()

    found = steps.cross_entropy(jnp.asarray(logits), labels, RATES)
    np.testing.assert_allclose(found, exact(logits, labels), rtol=2e-5, atol=1e-7)
    step = 1e-5
    both = (exact(logits.astype(np.float64) + end, labels) for end in (step, -step))
    slope = np.subtract(*both) / (2 * step)
    np.testing.assert_allclose(jax.grad(total)(logits), slope, rtol=1e-3, atol=2e-6)


def test_extreme_logits_stay_finite():
    logits = jnp.array([-1e4, -200, -90, 90, 200, 1e4])[:, None] * jnp.ones(4)
    for label in (0, 1):
        labels = np.full(logits.shape, label)
        loss = steps.cross_entropy(logits, labels, RATES)
        slope = jax.grad(lambda x, y=labels: steps.cross_entropy(x, y, RATES).sum())
        assert np.isfinite(loss).all() and np.isfinite(slope(logits)).all()
        assert np.all(loss >= 0)


def test_without_rates_it_is_the_plain_loss_and_the_same_program():
    logits, tags = jnp.ones((3, 4)), jnp.ones((3, 4), jnp.uint8)

    def plain(x, y):
        return optax.sigmoid_binary_cross_entropy(x, y.astype(x.dtype))

    found, expected = (jax.make_jaxpr(f)(logits, tags) for f in (ours, plain))
    assert str(found) == str(expected)
    of_none = steps.cross_entropy(logits, tags, Rates(np.zeros(4), np.zeros(4)))
    np.testing.assert_allclose(of_none, plain(logits, tags), rtol=1e-6)


def ours(logits, tags):
    return steps.cross_entropy(logits, tags, None)


def test_the_truth_is_recovered_from_noisy_labels():
    """Logistic regression on labels of known noise."""
    rng, num_clips = np.random.default_rng(0), 20_000
    truth = np.array([[2.0, 1.0, 1.5, -1.0], [-1.0, 0.5, 0.0, -1.0]])
    x = rng.normal(size=(num_clips, 1)).astype(np.float32)
    true = rng.random((num_clips, 4)) < 1 / (1 + np.exp(-(truth[0] * x + truth[1])))
    given = rng.random(true.shape) < np.where(true, 1 - MISSING, FALSE)
    labels = given.astype(np.uint8)

    def fit(noise):
        @jax.value_and_grad
        def loss(flat):
            slope, offset = flat.reshape(2, 4)
            return steps.cross_entropy(slope * x + offset, labels, noise).mean()

        found = optimize.minimize(
            jax.jit(loss), np.zeros(8, np.float32), jac=True, method="L-BFGS-B"
        )
        return found.x.reshape(2, 4)

    np.testing.assert_allclose(fit(RATES), truth, atol=0.1)
    assert abs(fit(None) - truth)[:, 1:].max(0).min() > 0.2


def losses(noise, num_seeds=2):
    config = fakes.small_config(num_seeds=num_seeds)
    data = fakes.FakeData()
    ready = setup.set_up(config, data, noise)
    chunks, found = parallel.to_devices(setup.first_state(ready), ready.layout), []
    for batch in itertools.islice(data.train_batches(8, 0), 12):
        chunks, outputs = ready.programs.update(chunks, batch)
        found.append(np.concatenate([one.loss for one in outputs]))
    return np.array(found)


def test_training_steps_use_the_rates(programs_shared):
    plain = losses(LabelNoise())
    corrected = losses(LabelNoise(corrected=Rates(np.full(5, 0.5), np.full(5, 0.1))))
    # Half of the labels that the network could learn are said to be chance.
    assert np.all(corrected[0] != plain[0])
    assert corrected[-1].mean() < corrected[0].mean()


def test_a_run_that_is_cut_goes_on_with_its_rates(tmp_path, programs_shared):
    noise = LabelNoise(corrected=Rates(np.full(5, 0.3), np.full(5, 0.01)))
    data = fakes.FakeData()
    for name, ends in (("whole", (12,)), ("cut", (6, 12))):
        for end in ends:
            config = fakes.small_config(train__max_steps=end)
            trained = loop.train(config, data, tmp_path / name, noise)
        found = jax.tree.leaves(trained.state.weights)
        if name == "whole":
            expected = found
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one, other)
    assert trained.setup.noise.record()["corrected"]["missing"] == [0.3] * 5
