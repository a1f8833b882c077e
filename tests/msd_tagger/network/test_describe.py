"""The description is that of the networks, counted by XLA and by the paper."""

import json

import jax
import jax.numpy as jnp
import pytest

from msd_tagger.network.convnet import ConvNet
from msd_tagger.network.describe import INPUTS, describe, describe_network
from msd_tagger.network.pools import POOLS


@pytest.fixture(scope="module")
def found():
    return describe()


def test_maps_of_the_mel_network(found):
    mel = found["mel"]
    assert mel["input"] == [1, 96, 1360]
    outputs = [layer["output"] for layer in mel["layers"]]
    assert outputs == [
        [32, 48, 340],
        [32, 16, 85],
        [32, 8, 17],
        [32, 4, 4],
        [32, 1, 1],
        [50, 1, 1],
    ]


@pytest.mark.parametrize("kind", INPUTS)
def test_parameters_are_those_of_the_network(found, kind):
    described = found[kind]
    network = ConvNet(num_tags=50, pools=POOLS[kind])
    clip = jnp.zeros((1, *INPUTS[kind][0]))
    params = jax.eval_shape(network.init, jax.random.key(0), clip)["params"]
    assert described["parameters"] == sum(leaf.size for leaf in jax.tree.leaves(params))
    layers = described["layers"]
    assert sum(layer["parameters"] for layer in layers) == described["parameters"]


# XLA leaves out what "same" convolutions multiply with the padding.
@pytest.mark.parametrize("number", range(5))
def test_multiply_adds_are_those_that_xla_counts(found, number):
    layer = found["mel"]["layers"][number]
    channels = 1 if number == 0 else 32
    x = jnp.zeros((1, layer["map"][1] + 2, layer["map"][2] + 2, channels))
    kernel = jnp.zeros((3, 3, channels, 32))
    layout = ("NHWC", "HWIO", "NHWC")

    def convolve(x, kernel):
        return jax.lax.conv_general_dilated(
            x, kernel, (1, 1), "VALID", dimension_numbers=layout
        )

    cost = jax.jit(convolve).lower(x, kernel).cost_analysis()
    assert layer["multiply_adds"] == cost["flops"] / 2


def test_it_is_json(found):
    assert json.loads(json.dumps(found)) == found


def test_other_networks():
    network = ConvNet(num_tags=3, pools=((2, 2), (2, 3)), channels=4)
    described = describe_network(network, (4, 6))
    assert [layer["output"] for layer in described["layers"]] == [
        [4, 2, 3],
        [4, 1, 1],
        [3, 1, 1],
    ]
    # Kernel, bias, scale and shift of each layer; the dense one.
    assert [layer["parameters"] for layer in described["layers"]] == [48, 156, 15]
    assert [layer["multiply_adds"] for layer in described["layers"]] == [864, 864, 12]
    with pytest.raises(
        ValueError, match=r"fit 5 bands x 12 .* layer 2 pools 6 .* leaves 2"
    ):
        describe_network(network, (5, 12))
