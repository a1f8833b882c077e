"""The network once more, in Flax as one would first write it: pooling comes last.

It judges the outputs and gradients of `msd_tagger.network.convnet`, and is a contestant
of the benchmark. It shares the values of the parameters with the real one and no
code.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn


class PlainConvNet(nn.Module):
    """Convolution, batch normalisation, ELU, max-pooling; then one dense layer.

    Attributes:
        num_tags: K.
        pools: Pooling in bands and frames of each layer.
        channels: Feature maps per layer.
        momentum: Of the running batch statistics.
        epsilon: Of batch normalisation.
        dtype: Of the computation.
        fast_variance: E[z^2] - mean^2, which is Flax's default and loses the variance
            of maps whose mean is large: not for a judge.
    """

    num_tags: int
    pools: tuple[tuple[int, int], ...]
    channels: int = 32
    momentum: float = 0.99
    epsilon: float = 1e-3
    dtype: Any = jnp.float32
    fast_variance: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Preprocessed spectrograms [B, M, F] to logits [B, K]."""
        x = x[..., None]
        for i, pool in enumerate(self.pools, start=1):
            x = nn.Conv(self.channels, (3, 3), dtype=self.dtype, name=f"conv{i}")(x)
            x = nn.BatchNorm(
                use_running_average=not train,
                momentum=self.momentum,
                epsilon=self.epsilon,
                dtype=self.dtype,
                use_fast_variance=self.fast_variance,
                name=f"norm{i}",
            )(x)
            x = nn.max_pool(nn.elu(x), tuple(pool), strides=tuple(pool))
        x = x.reshape(len(x), -1).astype(jnp.float32)
        return nn.Dense(self.num_tags, name="tags")(x)


def plain_params(params: dict[str, Any]) -> dict[str, Any]:
    """Parameters of the real network, in the places of the plain one's.

    It is linear, so gradients go through it too.
    """
    plain = {"tags": dict(params["tags"])}
    for i in range(1, 1 + sum(name.startswith("norm") for name in params)):
        plain[f"conv{i}"] = {
            "kernel": params[f"conv{i}_kernel"],
            "bias": params[f"conv{i}_bias"],
        }
        plain[f"norm{i}"] = dict(params[f"norm{i}"])
    return plain


def plain_statistics(batch_stats: dict[str, Any]) -> dict[str, Any]:
    """Running statistics likewise; the plain network counts no updates."""
    return {
        name: {"mean": layer["mean"], "var": layer["var"]}
        for name, layer in batch_stats.items()
    }


def plain_variables(variables: dict[str, Any]) -> dict[str, Any]:
    """Parameters and running statistics of the real network for the plain one."""
    return {
        "params": plain_params(variables["params"]),
        "batch_stats": plain_statistics(variables["batch_stats"]),
    }
