"""A residual network (https://arxiv.org/abs/1512.03385) in plain Flax.

Use it with `--config.model.network=examples.residual:ResNet` (docs/extending.md). It
averages over bands and frames at the end, so that it takes clips of any length.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn


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
        return nn.max_pool(nn.relu(x + y), (2, 2), (2, 2), "SAME")


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
        x = nn.max_pool(x, (4, 4), (4, 4), "SAME")
        for number in range(4):
            x = Block(self.channels * 2**number, self.dtype)(x, train)
        x = x.mean((1, 2)).astype(jnp.float32)
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return nn.Dense(self.num_tags, name="tags")(x)
