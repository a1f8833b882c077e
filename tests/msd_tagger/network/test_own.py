"""A user's module as a network; `tests/own_networks.py` has them."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from examples.residual import max_pool
from msd_tagger.network import own
from msd_tagger.network.describe import describe_network

SHAPE = (24, 40)
X = np.random.default_rng(0).normal(2, 3, (8, *SHAPE)).astype(np.float32)


def build(name, num_tags=5, **settings):
    return own.build(f"tests.own_networks:{name}", num_tags, **settings)


def test_parameters_keep_their_names_and_are_counted():
    network = build("Small( width = 4 )")
    assert network.call == "tests.own_networks:Small(width=4)"
    assert network == build("Small(width=4)")
    params = own.check(network, SHAPE)
    assert params.keys() == {"Conv_0", "BatchNorm_0", "tags"}
    counted = describe_network(network, SHAPE)
    assert counted == {
        "input": [1, *SHAPE],
        "layers": [],
        "parameters": 9 * 4 + 2 * 4 + (12 * 4 + 1) * 5,
    }


def test_features_are_what_the_tags_are_computed_from():
    for name in ("Small", "ByFrame"):
        network = build(name)
        variables = network.init(jax.random.key(0), X)
        found = network.apply(variables, X, method="features")
        last = variables["params"]["tags"]
        logits = found @ last["kernel"] + last["bias"]
        np.testing.assert_allclose(logits, network.apply(variables, X), atol=1e-4)


def test_running_statistics_are_free_of_their_first_values():
    """After one update they are the batch's; with momentum 1 they are a plain mean."""
    network = build("Small", momentum=0.9)
    variables = network.init(jax.random.key(0), X)

    @jax.jit
    def train(variables, x):
        _, changed = network.apply(variables, x, train=True, mutable=["batch_stats"])
        return variables | changed

    of_batches = [train(variables, x)["batch_stats"] for x in (X, 2 * X)]
    layer, kernel = "BatchNorm_0", variables["params"]["Conv_0"]["kernel"]
    z = jax.lax.conv_general_dilated(
        X[..., None], kernel, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    np.testing.assert_allclose(
        of_batches[0][layer]["mean"], z.mean((0, 1, 2)), rtol=1e-3
    )
    np.testing.assert_allclose(of_batches[0][layer]["var"], z.var((0, 1, 2)), rtol=1e-3)
    found = train(train(variables, X), 2 * X)["batch_stats"]
    assert found["count"] == 2
    for name in ("mean", "var"):
        one, two = (stats[layer][name] for stats in of_batches)
        expected = (0.9 * one + two) / 1.9
        np.testing.assert_allclose(found[layer][name], expected, rtol=1e-5)
    network = network.copy(momentum=1.0)
    _, changed = network.apply(
        variables | {"batch_stats": of_batches[0]},
        2 * X,
        train=True,
        mutable=["batch_stats"],
    )
    for name in ("mean", "var"):
        one, two = (stats[layer][name] for stats in of_batches)
        mean = changed["batch_stats"][layer][name]
        np.testing.assert_allclose(mean, (one + two) / 2, rtol=1e-5)


def test_the_example_pools_as_flax_does_and_without_its_gradient():
    x = jax.random.normal(jax.random.key(0), (2, 7, 10, 3))
    plain = partial(nn.max_pool, window_shape=(2, 2), strides=(2, 2), padding="SAME")
    found, expected = (
        jax.value_and_grad(lambda x, pool=pool: jnp.sin(pool(x)).sum())(x)
        for pool in (partial(max_pool, window=(2, 2)), plain)
    )
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-6), found, expected)
    example = own.build("examples.residual:ResNet(channels=4)", 5)
    assert own.has_max_pool(build("Pooling"), SHAPE)
    assert not own.has_max_pool(example, SHAPE)


def test_what_a_module_has_no_field_for_is_refused():
    assert build("Small").precision == "default"
    for wish in ({"dtype": "bfloat16"}, {"precision": "highest"}):
        [(name, value)] = wish.items()
        message = (
            rf"no field '{name}', so it cannot obey --config\.model\.{name}={value}"
        )
        with pytest.raises(ValueError, match=message):
            build("Small", **wish)
    network = own.build("examples.residual:ResNet(channels=4)", 5, dtype="bfloat16")
    assert own.check(network, SHAPE)["tags"]["kernel"].shape == (32, 5)
    assert network.dtype == jnp.bfloat16


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("louder", "louder is not a class of flax.linen.Module"),
        ("Untagged", r"Untagged needs a field `num_tags: int`"),
        ("Small(wide=3)", "Small has no argument 'wide'; it has width, dropout"),
        ("Small(num_tags=3)", "Small has no argument 'num_tags'"),
        (
            "Small(width='a')",
            r"fails on spectrograms \[2, 24, 40\] with train=False, from init\(\): Ty",
        ),
        (
            "Broken",
            r"fails on .*AttributeError.*no_such_thing.*own_networks\.py, line \d",
        ),
        ("Untrained", r"fails on .* with train=True: RuntimeError: not in training"),
        ("Restless", r"fails on .* with train=False \(no random numbers.*InvalidRng"),
        ("PerFrame", r"makes \[2, 40, 5\] of spectrograms \[2, 24, 40\] and 5 tags"),
        ("Forgetful", "keeps variables in cache; only parameters"),
        ("Spectral", r"keeps .*/sigma in batch_stats, which only nn\.BatchNorm may"),
        (
            "Rounded",
            "its parameter Dense_0/bias is bfloat16; parameters must be float32",
        ),
        ("Growing", r"the shape of wide/\w+ depends on num_tags"),
    ],
)
def test_what_cannot_be_trained_says_why(name, message):
    with pytest.raises(ValueError, match=rf"own_networks:{name[:4]}.*{message}"):
        own.check(build(name), SHAPE)


def test_the_interface_itself_is_no_network():
    call = "msd_tagger.network.own:OwnNetwork(call='shutil:Error', code='')"
    with pytest.raises(ValueError, match="OwnNetwork is not a class of flax"):
        own.build(call, 5)


def test_a_layer_that_is_missing():
    assert own.has_last_layer(own.check(build("Small"), SHAPE))
    params = own.check(build("Nameless"), SHAPE)
    assert not own.has_last_layer(params)
    assert not own.has_last_layer(own.check(build("Convolving"), SHAPE))
    with pytest.raises(ValueError, match=r'embed needs .*num_tags, name="tags"'):
        own.check_last_layer(params, "embed")
