"""The convolution block: batch normalisation, ELU and max-pooling in one operation.

ELU and the affine part of batch normalisation are monotonic in each channel, so
pooling commutes with them:

    max_pool(elu(gamma * z_hat + beta)) = elu(gamma * max_pool(z_hat) + beta)

where gamma >= 0, and with the minimum of z_hat where gamma < 0. The raw map is 8 to
20 times larger than the pooled one, so it is read for its statistics and its extremes
and everything else happens on the pooled map. The backward pass is written by hand
and writes the gradient of the raw map in one pass.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

Array = jax.Array
_MAP_AXES = (0, 1, 2)  # Batch, frequency, time: all but the channels.
_GROUP = 68  # Frames that `_widen` joins at most.


def conv3x3(x: Array, kernel: Array) -> Array:
    """'Same' 3 x 3 convolution (a correlation) without bias.

    Args:
        x: Maps `[B, M, F, C_in]`.
        kernel: `[3, 3, C_in, C_out]`.

    Returns:
        Maps `[B, M, F, C_out]`.
    """
    return lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def elu(x: Array) -> Array:
    """Exponential linear unit with alpha = 1 (https://arxiv.org/abs/1511.07289).

    >>> [round(float(value), 4) for value in elu(jnp.array([-1.0, 0.0, 2.0]))]
    [-0.6321, 0.0, 2.0]
    """
    return jnp.where(x > 0, x, jnp.expm1(jnp.minimum(x, 0)))


def pool_extreme(z: Array, gamma: Array, pool: tuple[int, int]) -> Array:
    """Per window the value of `z` that ELU of `gamma * z + beta` is largest at.

    The maximum where gamma > 0, the minimum where gamma < 0; where gamma is 0 all
    values tie and the first stands for them, as in a max-pooling after the fact.

    Args:
        z: Maps `[B, M, F, C]`. Rows and columns beyond the last whole window
            belong to none.
        gamma: Scale per channel `[C]`.
        pool: Window in bands and frames, also its stride.

    Returns:
        Pooled maps `[B, M // pool[0], F // pool[1], C]`.
    """
    windows = _windows(z, pool)
    sign = jnp.sign(gamma).astype(z.dtype)
    extreme = (windows * sign).max((2, 4)) * sign
    return jnp.where(gamma == 0, windows[:, :, 0, :, 0], extreme)


@partial(jax.custom_vjp, nondiff_argnums=(3, 4, 5))
def norm_elu_pool(
    z: Array,
    gamma: Array,
    beta: Array,
    pool: tuple[int, int],
    epsilon: float,
    axis_name: str | None,
) -> tuple[Array, Array, Array]:
    """Batch normalisation with the batch's own statistics, ELU, max-pooling.

    Args:
        z: Raw maps `[B, M, F, C]` of a convolution.
        gamma: Scale `[C]`.
        beta: Offset `[C]`.
        pool: Window in bands and frames, also its stride.
        epsilon: Added to the variance.
        axis_name: Mapped axis over which the batch is split, if any; statistics
            and their gradients are those of the whole batch.

    Returns:
        Pooled maps `[B, M // pool[0], F // pool[1], C]`, and the mean and the
        (biased) variance `[C]`, both float32 and without gradient.
    """
    return _forward(z, gamma, beta, pool, epsilon, axis_name)[0]


def _forward(
    z: Array,
    gamma: Array,
    beta: Array,
    pool: tuple[int, int],
    epsilon: float,
    axis_name: str | None,
) -> tuple:
    # Two passes: E[z^2] - mean^2 loses the variance of maps whose mean is large.
    wide = _widen(z.astype(jnp.float32))
    mean = _pmean(_mean(wide, z.shape[-1]), axis_name)
    deviation = wide - jnp.tile(mean, wide.shape[-1] // z.shape[-1])
    variance = _pmean(_mean(jnp.square(deviation), z.shape[-1]), axis_name)
    inverse = lax.rsqrt(variance + epsilon)
    extreme = pool_extreme(z, gamma, pool)
    z_hat = (extreme.astype(jnp.float32) - mean) * inverse
    y = elu(gamma * z_hat + beta).astype(z.dtype)
    return (y, mean, variance), (z, extreme, gamma, beta, mean, inverse)


def _backward(
    pool: tuple[int, int],
    epsilon: float,
    axis_name: str | None,
    residuals: tuple,
    gradients: tuple,
) -> tuple[Array, Array, Array]:
    del epsilon
    z, extreme, gamma, beta, mean, inverse = residuals
    z_hat = (extreme.astype(jnp.float32) - mean) * inverse
    u = gamma * z_hat + beta
    g = gradients[0].astype(jnp.float32) * jnp.exp(jnp.minimum(u, 0))
    d_gamma, d_beta = (g * z_hat).sum(_MAP_AXES), g.sum(_MAP_AXES)
    # The statistics are the whole batch's, so are the sums that flow back into them.
    count = _psum(z.size // z.shape[-1], axis_name)
    mean_g = gamma * _psum(d_beta, axis_name) / count
    mean_gz = gamma * _psum(d_gamma, axis_name) / count
    spread = _spread((g * gamma).astype(z.dtype), z, extreme, pool)
    rest = mean_g + (z.astype(jnp.float32) - mean) * (inverse * mean_gz)
    return ((spread - rest) * inverse).astype(z.dtype), d_gamma, d_beta


norm_elu_pool.defvjp(_forward, _backward)


def _spread(g: Array, z: Array, extreme: Array, pool: tuple[int, int]) -> Array:
    """Gives each window's gradient to its extreme, shared among equal ones."""
    windows = _windows(z, pool)
    winner = windows == extreme[:, :, None, :, None]
    share = g / winner.sum((2, 4), dtype=g.dtype)
    spread = jnp.where(winner, share[:, :, None, :, None], 0)
    rows, columns = spread.shape[1] * pool[0], spread.shape[3] * pool[1]
    spread = spread.reshape(z.shape[0], rows, columns, z.shape[3])
    beyond = (z.shape[1] - rows, z.shape[2] - columns)
    if beyond == (0, 0):
        return spread
    return jnp.pad(spread, ((0, 0), (0, beyond[0]), (0, beyond[1]), (0, 0)))


def _widen(z: Array) -> Array:
    """`[B, M, F, C]` as `[B * M, F / k, k * C]` with k near 64.

    XLA's CPU reductions run over rows of 2,000 values two to three times faster than
    over the 32 channels alone, on one map of 133 MB 8 instead of 20 ms.
    """
    frames, channels = z.shape[2:]
    group = max(k for k in range(1, min(frames, _GROUP) + 1) if frames % k == 0)
    return z.reshape(-1, frames // group, group * channels)


def _mean(wide: Array, channels: int) -> Array:
    """Mean per channel `[C]` of what `_widen` gives."""
    return wide.mean(1).mean(0).reshape(-1, channels).mean(0)


def _windows(z: Array, pool: tuple[int, int]) -> Array:
    """`[B, M, F, C]` as `[B, M // p, p, F // q, q, C]`, without what is left over."""
    batch, bands, frames, channels = z.shape
    bands, frames = bands // pool[0], frames // pool[1]
    kept = z[:, : bands * pool[0], : frames * pool[1]]
    return kept.reshape(batch, bands, pool[0], frames, pool[1], channels)


def _psum(value: Array | int, axis_name: str | None) -> Array | int:
    return value if axis_name is None else lax.psum(value, axis_name)


def _pmean(value: Array, axis_name: str | None) -> Array:
    return value if axis_name is None else lax.pmean(value, axis_name)
