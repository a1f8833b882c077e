"""The first layer: convolution of one channel, normalisation, ELU and pooling at once.

Its raw map is eight times larger than what is left after pooling, and 32 times larger
than what it is computed from, so it is never written. Three facts allow that:

* A window's largest value needs the window's neighbourhood only: nine products for
  each position, which the compiler turns into one loop over pooled values.
* The raw map is linear in its kernel: z = P w, with the 3 x 3 patches P of the input
  as rows. So mean(z) = mean(P) w and var(z) = w' cov(P) w, with a covariance of 9 x 9
  that depends on no parameter.
* The gradient of the kernel, P' dz, has two parts. One is sparse: the patches where the
  windows' largest values are. The other comes through mean and variance, and needs
  cov(P) again and nothing else.

The mathematics are those of `block.conv3x3` and `block.norm_elu_pool`.
"""

from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from msd_tagger.network import block

Array = jax.Array
_TAPS = tuple(product(range(3), range(3)))  # Row and column of a 3 x 3 kernel.
_LARGEST_WINDOW = 32  # Positions; each is nine more operations to compile.
_dot = partial(jnp.matmul, precision=lax.Precision.HIGHEST)


def is_for(channels: int, pool: tuple[int, int]) -> bool:
    """Tells whether a layer of these input channels and this pooling can go here."""
    return channels == 1 and pool[0] * pool[1] <= _LARGEST_WINDOW


@block.compiled
def pooled_extreme(
    x: Array, kernel: Array, gamma: Array, settings: block.Settings
) -> Array:
    """Does what `block.pooled_extreme` does, for inputs `[B, M, F, 1]`."""
    padded = pad(x[..., 0].astype(jnp.float32))
    values = window_values(padded, kernel.astype(jnp.float32), settings.pool)
    return block.find_extreme(values, gamma)[0].astype(x.dtype)


@partial(jax.custom_vjp, nondiff_argnums=(4,))
def conv_norm_elu_pool(
    x: Array, kernel: Array, gamma: Array, beta: Array, settings: block.Settings
) -> tuple[Array, Array, Array]:
    """Does what `block.conv_norm_elu_pool` does, for inputs `[B, M, F, 1]`."""
    return _forward(x, kernel, gamma, beta, settings)[0]


@block.compiled
def _forward(
    x: Array, kernel: Array, gamma: Array, beta: Array, settings: block.Settings
) -> tuple:
    pool, epsilon, axis_name, _ = settings
    padded = pad(x[..., 0].astype(jnp.float32))
    # Taken off the padding too, a constant moves every value of a channel alike.
    centre = block.pmean(padded.mean(0).mean(), axis_name)
    padded = padded - centre
    patch_mean, covariance = _patch_moments(padded, axis_name)
    weights = kernel.astype(jnp.float32)
    flat = weights.reshape(9, -1)
    mean = _dot(patch_mean, flat)
    variance = jnp.maximum((flat * _dot(covariance, flat)).sum(0), 0)
    inverse = lax.rsqrt(variance + epsilon)

    def find(padded: Array, weights: Array, gamma: Array) -> tuple[Array, Array]:
        values = window_values(padded, weights, pool)
        extreme, position = block.find_extreme(values, gamma)
        return extreme.astype(x.dtype), position

    extreme, position = _written_out(find, jnp.isfinite(centre), padded, weights, gamma)
    z_hat = (extreme.astype(jnp.float32) - mean) * inverse
    y = block.elu(gamma * z_hat + beta).astype(x.dtype)
    moments = (patch_mean, covariance, mean, inverse)
    residuals = (x, kernel, gamma, beta, padded, extreme, position, *moments)
    return (y, mean + centre * flat.sum(0), variance), residuals


@block.compiled
def _backward(
    settings: block.Settings, residuals: tuple, gradients: tuple
) -> tuple[Array, Array, Array, Array]:
    x, kernel, gamma, beta, padded, extreme, position, *moments = residuals
    patch_mean, covariance, mean, inverse = moments
    z_hat = (extreme.astype(jnp.float32) - mean) * inverse
    g = block.through_elu(gradients[0], gamma * z_hat + beta)
    taps = _taps_at(padded, position, settings.pool)
    products = [g * values for values in (z_hat, *taps)]
    d_beta, d_gamma, *of_taps = block.sums_to_channels(g, *products)
    flat = kernel.astype(jnp.float32).reshape(9, -1)
    through_mean = d_beta * patch_mean[:, None]
    through_variance = d_gamma * inverse * _dot(covariance, flat)
    d_flat = gamma * inverse * (jnp.stack(of_taps) - through_mean - through_variance)

    # Nothing needs the input's gradient in training, and then none of this is compiled.
    def plainly(x: Array) -> tuple[Array, Array, Array]:
        return block.conv_norm_elu_pool(x, kernel, gamma, beta, settings)

    (d_x,) = jax.vjp(plainly, x)[1](gradients)
    return d_x, d_flat.reshape(kernel.shape).astype(kernel.dtype), d_gamma, d_beta


conv_norm_elu_pool.defvjp(_forward, _backward)


def pad(x: Array) -> Array:
    """Adds the border of zeros that 'same' convolution means to `[B, M, F]`."""
    return jnp.pad(x, ((0, 0), (1, 1), (1, 1)))


def _tap(padded: Array, row: int, column: int, pool: tuple[int, int]) -> Array:
    """Takes one value of each window's neighbourhood, `[B, M', F', 1]`.

    Row 0 and column 0 are one up and one left of the window's first position.
    """
    bands, frames = (padded.shape[1] - 2) // pool[0], (padded.shape[2] - 2) // pool[1]
    last = (row + (bands - 1) * pool[0], column + (frames - 1) * pool[1])
    stop = (padded.shape[0], last[0] + 1, last[1] + 1)
    return lax.slice(padded, (0, row, column), stop, (1, *pool))[..., None]


def window_values(padded: Array, kernel: Array, pool: tuple[int, int]) -> list[Array]:
    """Convolves at each position of all windows, `[B, M', F', C]` each."""
    values: list[Any] = [
        sum(_tap(padded, row + i, column + j, pool) * kernel[i, j, 0] for i, j in _TAPS)
        for row, column in block.positions(pool)
    ]
    return values


def _written_out(
    function: Callable[..., Any], is_valid: Array, *arguments: Array
) -> Any:
    """Evaluates a function into memory, once for all that use its results.

    XLA's CPU backend takes optimisation barriers out before it fuses, and would repeat
    the whole function in every one of its uses. A branch it leaves alone; where
    `is_valid` is false the results are zeros. (A GPU would wait for the branch's
    condition, and keeps barriers.)
    """

    def zeros(*arguments: Array) -> Any:
        shapes = jax.eval_shape(function, *arguments)
        return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)

    return lax.platform_dependent(
        *arguments,
        cpu=lambda *arguments: lax.cond(is_valid, function, zeros, *arguments),
        default=lambda *arguments: lax.optimization_barrier(function(*arguments)),
    )


def _taps_at(padded: Array, position: Array, pool: tuple[int, int]) -> list[Array]:
    """Takes the nine inputs of the value at `position` of each window."""
    places = block.positions(pool)

    def tap_at(i: int, j: int) -> Array:
        found = _tap(padded, places[-1][0] + i, places[-1][1] + j, pool)
        for number, (row, column) in enumerate(places[:-1]):
            tap = _tap(padded, row + i, column + j, pool)
            found = jnp.where(position == number, tap, found)
        return found

    return [tap_at(i, j) for i, j in _TAPS]


def _patch_moments(padded: Array, axis_name: str | None) -> tuple[Array, Array]:
    """Computes mean `[9]` and covariance `[9, 9]` of all 3 x 3 patches.

    Two places of a patch that are as far apart as two others are products of the same
    values, up to the edges: 13 maps of products serve all 45 entries. The input,
    `[B, M + 2, F + 2]`, has a mean near 0: the covariance is that of the products less
    the product of the means.
    """
    offsets = [(down, right) for down in range(3) for right in range(-2, 3)]
    offsets = [offset for offset in offsets if offset >= (0, 0)]
    # Of each value with the one so far down and right; 0 beyond the edge.
    products = [
        padded * lax.pad(padded, 0.0, ((0, 0, 0), (-down, down, 0), (-right, right, 0)))
        for down, right in offsets
    ]
    maps = jnp.stack([values.mean(0) for values in (padded, *products)])
    # Entry [:, i, j] is over the inputs that row i and column j of a kernel see.
    rows, columns = (_seen_by_taps(size) for size in padded.shape[1:])
    sums = _dot(_dot(rows, maps), columns.T)
    sums = block.pmean(sums / (rows[0].sum() * columns[0].sum()), axis_name)
    mean, second = sums[0].reshape(9), dict(zip(offsets, sums[1:], strict=True))

    def entry(one: tuple[int, int], other: tuple[int, int]) -> Array:
        (i, j), (k, m) = sorted((one, other))
        return second[k - i, m - j][i, j]

    of_pairs = jnp.stack([entry(a, b) for a in _TAPS for b in _TAPS]).reshape(9, 9)
    return mean, of_pairs - jnp.outer(mean, mean)


def _seen_by_taps(padded_size: int) -> np.ndarray:
    """Marks where each of three taps in a row meets an input, `[3, padded_size]`."""
    starts, places = np.arange(3)[:, None], np.arange(padded_size)
    is_seen = (starts <= places) & (places < starts + padded_size - 2)
    return is_seen.astype(np.float32)
