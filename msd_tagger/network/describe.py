"""What the networks are made of: shapes, parameters, multiply-adds (Fig. 3, Table II).

The networks are built, but nothing is computed with them.
"""

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from msd_tagger.network.convnet import ConvNet
from msd_tagger.network.model import Network
from msd_tagger.network.own import OwnNetwork, check
from msd_tagger.network.pools import POOLS, Pools

# Bands and frames of an input, and the poolings that fit it.
Input = tuple[tuple[int, int], Pools]
# The paper's.
INPUTS: dict[str, Input] = {
    "mel": ((96, 1360), POOLS["mel"]),
    "stft": ((257, 1360), POOLS["stft"]),
}


def describe(
    channels: int = 32, num_tags: int = 50, inputs: Mapping[str, Input] = INPUTS
) -> dict[str, dict[str, Any]]:
    """Describes the networks of some kinds of input with `describe_network`."""
    return {
        kind: describe_network(ConvNet(num_tags, pools, channels), shape)
        for kind, (shape, pools) in inputs.items()
    }


def describe_network(network: Network, shape: tuple[int, int]) -> dict[str, Any]:
    """Describes a network for inputs of some bands and frames, layer by layer.

    Returns:
        What JSON takes: "input" (channels, bands, frames), "layers", "parameters" and
        "multiply_adds" of one clip. A layer has "name", "kernel", "pool" (None for the
        last), "map" before and "output" after pooling as (channels, bands, frames),
        "parameters" and "multiply_adds". Of a network of one's own, layers and
        multiply-adds are not known.

    Raises:
        ValueError: The poolings do not fit the shape.
    """
    if isinstance(network, OwnNetwork):
        params = check(network, shape)
        return {"input": [1, *shape], "layers": [], "parameters": _size(params)}
    clip = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
    params = jax.eval_shape(network.init, jax.random.key(0), clip)["params"]
    layers: list[dict[str, Any]] = []

    def add(name: str, kernel: tuple, pool: tuple[int, int] | None, own: Any) -> None:
        _, bands, frames = layers[-1]["output"] if layers else (1, *shape)
        # "Same" convolutions keep bands and frames.
        high, wide = pool or (1, 1)
        layer = {
            "name": name,
            "kernel": list(kernel[:2]),
            "pool": pool and list(pool),
            "map": [kernel[-1], bands, frames],
            "output": [kernel[-1], bands // high, frames // wide],
            "parameters": _size(own),
            "multiply_adds": math.prod(kernel) * bands * frames,
        }
        layers.append(layer)

    for i, pool in enumerate(network.pools, start=1):
        kernel = params[f"conv{i}_kernel"]
        own = [kernel, params[f"conv{i}_bias"], params[f"norm{i}"]]
        add(f"conv{i}", kernel.shape, pool, own)
    add("tags", params["tags"]["kernel"].shape, None, params["tags"])
    return {
        "input": [1, *shape],
        "layers": layers,
        "parameters": _size(params),
        "multiply_adds": sum(layer["multiply_adds"] for layer in layers),
    }


def _size(params: Any) -> int:
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))
