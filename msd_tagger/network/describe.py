"""What the networks are made of: shapes, parameters, multiply-adds (Fig. 3, Table II).

All of it is read from the built networks; nothing is computed with them.
"""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from msd_tagger.network.convnet import ConvNet
from msd_tagger.network.pools import POOLS

# Bands and frames of the paper's input.
SHAPES = {"mel": (96, 1360), "stft": (257, 1360)}


def describe(channels: int = 32, num_tags: int = 50) -> dict:
    """Describes the mel and the STFT network.

    Args:
        channels: N, feature maps per layer.
        num_tags: K.

    Returns:
        From "mel" and "stft" to what `describe_network` gives.
    """
    return {
        kind: describe_network(ConvNet(num_tags, POOLS[kind], channels), shape)
        for kind, shape in SHAPES.items()
    }


def describe_network(network: ConvNet, shape: tuple[int, int]) -> dict:
    """Describes a network, layer by layer.

    Args:
        network: As it is trained.
        shape: Bands and frames of its input.

    Returns:
        What JSON takes: "input" (channels, bands, frames), "layers", "parameters" and
        "multiply_adds" of one clip. A layer has "name", "kernel", "pool" (None for the
        last), "map" before and "output" after pooling as (channels, bands, frames),
        "parameters" and "multiply_adds".

    Raises:
        ValueError: The poolings do not fit the shape.
    """
    clip = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
    variables = jax.eval_shape(network.init, jax.random.key(0), clip)
    _, state = jax.eval_shape(
        lambda v, x: network.apply(v, x, capture_intermediates=True), variables, clip
    )
    params, outputs = variables["params"], state["intermediates"]
    channels_first = (1, *shape)
    layers = []
    for number, pool in enumerate(network.pools, start=1):
        output = outputs[f"norm{number}"]["__call__"][0].shape
        kernel = params[f"conv{number}_kernel"].shape
        own = [params[f"conv{number}_{name}"] for name in ("kernel", "bias")]
        layer = {
            "name": f"conv{number}",
            "kernel": list(kernel[:2]),
            "pool": list(pool),
            # "Same" convolutions keep bands and frames.
            "map": [kernel[-1], *channels_first[1:]],
            "output": [output[3], output[1], output[2]],
            "parameters": _size(own) + _size(params[f"norm{number}"]),
            "multiply_adds": math.prod(kernel) * math.prod(channels_first[1:]),
        }
        layers.append(layer)
        channels_first = layer["output"]
    layers.append(_last_layer(params["tags"]))
    return {
        "input": [1, *shape],
        "layers": layers,
        "parameters": _size(params),
        "multiply_adds": sum(layer["multiply_adds"] for layer in layers),
    }


def _last_layer(params: dict) -> dict:
    kernel: Sequence[int] = params["kernel"].shape
    return {
        "name": "tags",
        "kernel": list(kernel),
        "pool": None,
        "map": [kernel[1], 1, 1],
        "output": [kernel[1], 1, 1],
        "parameters": _size(params),
        "multiply_adds": math.prod(kernel),
    }


def _size(params: object) -> int:
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))
