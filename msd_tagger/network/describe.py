"""What the networks are made of: shapes, parameters, multiply-adds (Fig. 3, Table II).

The networks are built, but nothing is computed with them.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp

from msd_tagger.network.convnet import ConvNet
from msd_tagger.network.pools import POOLS

# Bands and frames of the paper's input.
SHAPES = {"mel": (96, 1360), "stft": (257, 1360)}


def describe(channels: int = 32, num_tags: int = 50) -> dict[str, dict[str, Any]]:
    """Describes the mel and the STFT network with `describe_network`."""
    return {
        kind: describe_network(ConvNet(num_tags, POOLS[kind], channels), shape)
        for kind, shape in SHAPES.items()
    }


def describe_network(network: ConvNet, shape: tuple[int, int]) -> dict[str, Any]:
    """Describes a network for inputs of some bands and frames, layer by layer.

    Returns:
        What JSON takes: "input" (channels, bands, frames), "layers", "parameters" and
        "multiply_adds" of one clip. A layer has "name", "kernel", "pool" (None for the
        last), "map" before and "output" after pooling as (channels, bands, frames),
        "parameters" and "multiply_adds".

    Raises:
        ValueError: The poolings do not fit the shape.
    """
    clip = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
    params = jax.eval_shape(network.init, jax.random.key(0), clip)["params"]
    layers = []
    bands, frames = shape
    for number, pool in enumerate(network.pools, start=1):
        kernel = params[f"conv{number}_kernel"].shape
        own = [params[f"conv{number}_{name}"] for name in ("kernel", "bias")]
        # "Same" convolutions keep bands and frames.
        pooled = [kernel[-1], bands // pool[0], frames // pool[1]]
        layer = {
            "name": f"conv{number}",
            "kernel": list(kernel[:2]),
            "pool": list(pool),
            "map": [kernel[-1], bands, frames],
            "output": pooled,
            "parameters": _size([own, params[f"norm{number}"]]),
            "multiply_adds": math.prod(kernel) * bands * frames,
        }
        layers.append(layer)
        _, bands, frames = pooled
    kernel = params["tags"]["kernel"].shape
    last = {
        "name": "tags",
        "kernel": list(kernel),
        "pool": None,
        "map": [kernel[1], 1, 1],
        "output": [kernel[1], 1, 1],
        "parameters": _size(params["tags"]),
        "multiply_adds": math.prod(kernel),
    }
    layers.append(last)
    return {
        "input": [1, *shape],
        "layers": layers,
        "parameters": _size(params),
        "multiply_adds": sum(layer["multiply_adds"] for layer in layers),
    }


def _size(params: Any) -> int:
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))
