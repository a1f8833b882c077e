"""A residual network (https://arxiv.org/abs/1512.03385) in plain Flax.

Use it with `--config.model.network=examples.residual:ResNet` (docs/extending.md). It
averages over bands and frames at the end, so that it takes clips of any length.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn


def max_pool(x: jax.Array, window: tuple[int, int]) -> jax.Array:
    """Takes the largest values of windows that do not overlap, of maps `[B, M, F, C]`.

    It does what `nn.max_pool` does with padding at the end. Its gradient takes a fourth
    of the time on a CPU, and is no loop on a GPU (docs/extending.md).
    """
    pad = [(0, -size % step) for size, step in zip(x.shape[1:3], window, strict=True)]
    x = jnp.pad(x, ((0, 0), *pad, (0, 0)), constant_values=-jnp.inf)
    rows, columns = x.shape[1] // window[0], x.shape[2] // window[1]
    return x.reshape(x.shape[0], rows, window[0], columns, window[1], -1).max((2, 4))


class Block(nn.Module):
    """Two convolutions, whose result is added to what they got; then pooling."""

    channels: int
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Computes maps `[B, M / 2, F / 2, C]`."""
        norm = partial(
            nn.BatchNorm,
            use_running_average=not train,
            use_fast_variance=False,
            dtype=self.dtype,
        )
        conv = partial(nn.Conv, self.channels, use_bias=False, dtype=self.dtype)
        y = nn.relu(norm()(conv((3, 3))(x)))
        y = norm(scale_init=nn.initializers.zeros)(conv((3, 3))(y))
        if x.shape != y.shape:
            x = norm()(conv((1, 1))(x))
        return max_pool(nn.relu(x + y), (2, 2))


class ResNet(nn.Module):
    """Four blocks, each with twice the channels of the one before."""

    num_tags: int
    channels: int = 16
    dropout: float = 0.2
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Computes logits `[B, K]` of spectrograms `[B, M, F]`."""
        # Strides would do less work, but XLA takes much longer for it on CPUs.
        x = nn.Conv(self.channels, (3, 3), dtype=self.dtype)(x[..., None])
        x = max_pool(x, (4, 4))
        for number in range(4):
            x = Block(self.channels * 2**number, self.dtype)(x, train)
        x = x.mean((1, 2)).astype(jnp.float32)
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return nn.Dense(self.num_tags, name="tags")(x)
