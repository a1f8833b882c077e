import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from msd_tagger.network.convnet import ConvNet
from msd_tagger.network.pools import POOLS
from tests import fakes, judge
from tests.plain_network import PlainConvNet, plain_params, plain_variables

SHAPES = {"mel": (96, 1360), "stft": (257, 1360)}


def init(network, shape, seed=0):
    return network.init(jax.random.key(seed), jnp.zeros((1, *shape)))


@pytest.fixture(scope="module")
def small():
    network = ConvNet(num_tags=5, pools=fakes.POOLS, channels=6)
    variables = init(network, (fakes.BANDS, fakes.FRAMES))
    random = np.random.default_rng(0)
    params = jax.tree.map(
        lambda a: a + 0.1 * random.normal(size=a.shape).astype(np.float32),
        variables["params"],
    )
    x = random.normal(size=(4, fakes.BANDS, fakes.FRAMES)).astype(np.float32)
    return network, {"params": params, "batch_stats": variables["batch_stats"]}, x


@functools.partial(jax.jit, static_argnums=0)
def trained(network, variables, x):
    return network.apply(variables, x, train=True, mutable=["batch_stats"])


@pytest.mark.parametrize("kind", SHAPES)
def test_parameters_of_the_paper(kind):
    network = ConvNet(num_tags=50, pools=POOLS[kind])
    params = jax.eval_shape(lambda: init(network, SHAPES[kind]))["params"]
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == 39_282
    assert params["tags"]["kernel"].shape == (32, 50)


@pytest.fixture(scope="module")
def whole():
    return init(ConvNet(num_tags=50), SHAPES["mel"])


def test_he_normal_is_neither_truncated_nor_uniform(whole):
    kernel = np.asarray(whole["params"]["conv2_kernel"]).ravel()
    assert kernel.std() == pytest.approx(np.sqrt(2 / (9 * 32)), rel=0.03)
    # A normal distribution cut at two deviations would have none beyond 2.3.
    assert np.abs(kernel / kernel.std()).max() > 3


def test_output_of_the_whole_network_equals_numpy(whole):
    x = np.random.default_rng(0).normal(size=(2, 96, 1360)).astype(np.float32)
    found = ConvNet(num_tags=50).apply(whole, x, batch_statistics=True)
    expected, *_ = judge.forward(whole["params"], x, POOLS["mel"])
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


# Means far above their deviation, scales below and at zero: gradients of every weight.
def test_outputs_and_gradients_equal_the_plain_network():
    shape = (fakes.BANDS, fakes.FRAMES)
    network = ConvNet(num_tags=7, pools=fakes.POOLS, channels=8)
    variables = init(network, shape)
    random = np.random.default_rng(0)
    x = random.normal(size=(4, *shape)).astype(np.float32)
    x = x + np.roll(x, 1, 2) + np.float32(20)
    params = jax.tree.map(
        lambda a: a + 0.1 * random.normal(size=a.shape).astype(np.float32),
        variables["params"],
    )
    for i in range(1, len(fakes.POOLS) + 1):
        params[f"norm{i}"]["scale"] = (
            params[f"norm{i}"]["scale"].at[0].set(0.0).at[1].set(-0.8)
        )
    variables = variables | {"params": params}
    weight = random.normal(size=(4, 7)).astype(np.float32)

    def ours(params):
        out, _ = network.apply(
            variables | {"params": params}, x, train=True, mutable=["batch_stats"]
        )
        return (out * weight).sum(), out

    found, out = jax.jit(jax.grad(ours, has_aux=True))(params)
    # In float64: in float32 the plain network itself is off by 2e-4 here.
    with jax.enable_x64(True):
        plain = PlainConvNet(
            num_tags=7, pools=fakes.POOLS, channels=8, dtype=jnp.float64
        )
        double = jax.tree.map(lambda a: np.asarray(a, np.float64), variables)

        def plainly(params):
            theirs = plain_variables(double) | {"params": plain_params(params)}
            out, _ = plain.apply(theirs, x, train=True, mutable=["batch_stats"])
            return (out * weight).sum(), out

        expected, plain_out = jax.jit(jax.grad(plainly, has_aux=True))(double["params"])
    np.testing.assert_allclose(out, plain_out, atol=1e-5)
    for layer, leaves in expected.items():
        if layer.endswith("_bias"):
            continue  # Rounding alone, see test_conv_biases_have_no_gradient.
        for a, b in zip(*map(jax.tree.leaves, (found[layer], leaves)), strict=True):
            atol = 1e-5 * np.abs(b).max()
            np.testing.assert_allclose(a, b, atol=atol, err_msg=layer)


def test_batch_and_running_statistics_equal_numpy(small):
    network, variables, x = small
    expected, _, tape = judge.forward(variables["params"], x, fakes.POOLS)
    found, changed = trained(network, variables, x)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    statistics = []
    for i, layer in enumerate(tape, start=1):
        stats = changed["batch_stats"][f"norm{i}"]
        # One update from nothing is the batch's own: the debiased running mean.
        np.testing.assert_allclose(stats["mean"], layer[2], atol=1e-5)
        np.testing.assert_allclose(stats["var"], layer[3], rtol=1e-4)
        statistics.append((np.asarray(stats["mean"]), np.asarray(stats["var"])))
    variables = variables | changed
    other = np.roll(x, 1, axis=2) * 1.3
    expected, *_ = judge.forward(variables["params"], other, fakes.POOLS, statistics)
    found = network.apply(variables, other)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_running_statistics_are_a_debiased_moving_average(small):
    network, variables, _ = small
    random = np.random.default_rng(3)
    mean, momentum = 0.0, 0.99
    for t in range(1, 6):
        x = random.normal(t, 1, (4, fakes.BANDS, fakes.FRAMES)).astype(np.float32)
        *_, tape = judge.forward(variables["params"], x, fakes.POOLS)
        _, changed = trained(network, variables, x)
        variables = variables | changed
        mean = momentum * mean + (1 - momentum) * tape[0][2]
        found = variables["batch_stats"]["norm1"]
        np.testing.assert_allclose(found["mean"], mean / (1 - momentum**t), rtol=1e-4)
    assert float(found["count"]) == 5


def test_a_prediction_does_not_depend_on_its_batch_mates(small):
    network, variables, x = small
    together = network.apply(variables, x)
    alone = np.concatenate([network.apply(variables, clip[None]) for clip in x])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_conv_biases_have_no_gradient(small):
    network, variables, x = small

    def loss(params):
        out, _ = trained(network, variables | {"params": params}, x)
        return jnp.square(out).sum()

    gradient = jax.jit(jax.grad(loss))(variables["params"])
    for i in range(1, len(fakes.POOLS) + 1):
        assert not np.any(gradient[f"conv{i}_bias"])
        assert np.any(gradient[f"conv{i}_kernel"])


def test_bfloat16_computation_keeps_parameters_and_output_in_float32(small):
    network, variables, x = small
    found = network.copy(dtype=jnp.bfloat16).apply(variables, x, batch_statistics=True)
    expected = network.apply(variables, x, batch_statistics=True)
    assert found.dtype == jnp.float32
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("seeds", [(), (3,)])
@pytest.mark.parametrize("precision", ["default", "highest"])
def test_precision_is_that_of_all_products_but_the_stems(small, precision, seeds):
    network, variables, x = small
    network = network.copy(precision=precision)

    def loss(variables):
        return network.apply(variables, x, train=True, mutable=["batch_stats"])[0].sum()

    gradient = jax.vmap(jax.grad(loss)) if seeds else jax.grad(loss)
    shapes = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct((*seeds, *leaf.shape), leaf.dtype), variables
    )
    lowered = jax.jit(gradient).trace(shapes).lower(lowering_platforms=("cuda",))
    products = re.findall(
        r"stablehlo\.(?:convolution|dot_general).*", lowered.as_text()
    )
    is_default = ["DEFAULT" in product for product in products]
    # Three layers in three passes each; the last layer needs two.
    assert sum(is_default) == (11 if precision == "default" else 0)
    assert sum("HIGHEST" in product for product in products) == len(products) - sum(
        is_default
    )
