import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

from msd_tagger.common import files
from msd_tagger.training import optimisers

PARAMS = {"kernel": jnp.linspace(1, 2, 6).reshape(3, 2), "bias": jnp.full(2, 2.0)}


def updated(optimiser, slope, steps=1):
    params, state = PARAMS, optimiser.init(PARAMS)
    for _ in range(steps):
        grads = jax.tree.map(slope, params)
        changes, state = optimiser.update(grads, state, params)
        params = optax.apply_updates(params, changes)
    return jax.tree.map(np.asarray, params)


def test_by_default_it_is_the_adam_of_optax():
    found, expected = (
        updated(one, jnp.sin, 5)
        for one in (optimisers.build("adam", 5e-3), optax.adam(5e-3))
    )
    jax.tree.map(np.testing.assert_array_equal, found, expected)


@pytest.mark.parametrize("name", optimisers.OPTIMISERS)
def test_every_one_goes_downhill(name):
    found = updated(optimisers.build(name, 0.05), lambda x: 2 * x, 20)
    assert all(np.all(leaf < 2) & np.all(leaf > -2) for leaf in found.values())


@pytest.mark.parametrize("name", ["adamw", "adamaxw", "lamb", "lion", "adan", "lars"])
def test_weight_decay_leaves_biases_alone(name):
    with_decay, without = (
        updated(optimisers.build(f"{name}(weight_decay={x})", 0.1), jnp.ones_like)
        for x in (0.1, 0.0)
    )
    np.testing.assert_array_equal(with_decay["bias"], without["bias"])
    assert np.all(with_decay["kernel"] != without["kernel"])


def test_biases_and_normalisations_of_several_axes_are_left_alone():
    class Attentive(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = nn.LayerNorm(reduction_axes=(1, 2), feature_axes=(1, 2))(x)
            return nn.MultiHeadDotProductAttention(2)(x)

    params = Attentive().init(jax.random.key(0), jnp.ones((2, 6, 4)))["params"]
    marked = files.flatten(optimisers.kernels(params), "/")
    axes = files.flatten(jax.tree.map(jnp.ndim, params), "/")
    assert {name.split("/")[-1] for name, of in axes.items() if of > 1} == {
        *("kernel", "bias", "scale")
    }
    assert {name for name, is_one in marked.items() if is_one} == {
        name for name in axes if name.endswith("kernel")
    }


def test_weight_decay_of_any_optimiser():
    optimiser = optimisers.build("sgd(momentum=0.9)", 0.5, weight_decay=0.1)
    found = updated(optimiser, jnp.zeros_like)
    np.testing.assert_allclose(found["kernel"], 0.95 * PARAMS["kernel"], rtol=1e-6)
    np.testing.assert_array_equal(found["bias"], 2)


def test_arguments_reach_it():
    found = updated(
        optimisers.build("sgd(momentum=0.5, nesterov=True)", 0.1), jnp.ones_like, 2
    )
    expected = updated(optax.sgd(0.1, 0.5, True), jnp.ones_like, 2)
    jax.tree.map(np.testing.assert_array_equal, found, expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("adman", r"optimiser=adman: choose one of adabelief, .*, yogi"),
        ("adamw(decay=1)", r"adamw has no argument 'decay'; it has b1, .*weight_decay"),
        ("adamw(mask=1)", "adamw has no argument 'mask'"),
        ("sgd(learning_rate=1)", "sgd has no argument 'learning_rate'"),
        ("adam(b1='much')", r"optimiser=adam\(b1='much'\): "),
        ("novograd(weight_decay=0.1)", r"give --config\.train\.weight_decay=0\.1"),
        ("adam(0.1)", "must be a name, perhaps with arguments"),
    ],
)
def test_a_wrong_one_is_an_error_that_lists_the_choices(text, message):
    with pytest.raises(ValueError, match=message):
        optimisers.build(text, 0.1)
