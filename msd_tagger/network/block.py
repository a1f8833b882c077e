"""The convolution block: batch normalisation, ELU and max-pooling in one operation.

ELU and the affine part of batch normalisation are monotonic in each channel, so
pooling commutes with them:

    max_pool(elu(gamma * z_hat + beta)) = elu(gamma * max_pool(z_hat) + beta)

where gamma >= 0, and with the minimum of z_hat where gamma < 0. The raw map is 8 to
20 times larger than the pooled one, so it is read for its statistics and its extremes
and everything else happens on the pooled map. The backward pass is written by hand
and writes the gradient of the raw map in one pass.
"""

import inspect
from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.custom_batching import custom_vmap

Array = jax.Array
# Bands that are added up before a reduction, at most: on a CPU, and in a GPU's thread,
# where XLA takes more than 31 for a reduction.
_BANDS_PER_SUM, _BANDS_PER_THREAD = 8, 24


class Settings(NamedTuple):
    """What a layer has beside its arrays."""

    pool: tuple[int, int]  # Window in bands and frames, also its stride.
    epsilon: float  # Added to the variance.
    # Mapped axis over which the batch is split, if any: statistics and their gradients
    # are those of the whole batch.
    axis_name: str | None = None
    precision: str = "default"  # Of the convolution's products, as `jax.lax.Precision`.


def compiled(function: Callable) -> Callable:
    """Makes one program of a function's many small operations, also outside `jit`."""
    names = inspect.signature(function).parameters
    static = [name for name in ("pool", "settings") if name in names]
    return jax.jit(function, static_argnames=static)


def convolve(x: Array, kernel: Array, groups: int, precision: str) -> Array:
    """Computes what `conv3x3` does, for groups of channels."""
    return lax.conv_general_dilated(
        *(x, kernel, (1, 1), "SAME"),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
        precision=precision,
    )


def input_gradient(dz: Array, x: Array, kernel: Array, *how: Any) -> Array:
    """Computes the gradient of `convolve` by its input, from that by its output."""
    return jax.linear_transpose(lambda x: convolve(x, kernel, *how), x)(dz)[0]


def kernel_gradient(dz: Array, x: Array, kernel: Array, *how: Any) -> Array:
    """Computes the gradient of `convolve` by its kernel, from that by its output."""
    return jax.linear_transpose(lambda k: convolve(x, k, *how), kernel)(dz)[0]


def grouped(one_pass: Callable[..., Array], precision: str) -> Callable[..., Array]:
    """Computes a pass for many seeds at once by groups of channels, one for each.

    JAX's own rule makes the kernels' gradients forward convolutions, whose windows are
    whole maps. A GPU has kernels for these gradients, of groups too.
    """
    mapped = custom_vmap(lambda *arrays: one_pass(*arrays, 1, precision))

    @mapped.def_vmap
    def of_seeds(
        num_seeds: int, has_seeds: list[bool], *arrays: Array
    ) -> tuple[Array, bool]:
        merged = []
        for array, has in zip(arrays, has_seeds, strict=True):
            full = array if has else jnp.stack([array] * num_seeds)
            last = jnp.moveaxis(full, 0, -2)  # [S, …, C] -> […, S, C] -> […, S * C]
            merged.append(last.reshape(*last.shape[:-2], -1))
        found = one_pass(*merged, num_seeds, precision)
        found = found.reshape(*found.shape[:-1], num_seeds, -1)
        return jnp.moveaxis(found, -2, 0), True

    return mapped


def _compute(one_pass: Callable, precision: str, *arrays: Array) -> Array:
    """Computes a pass; JAX's own rule is six times faster on a CPU than groups."""
    return lax.platform_dependent(
        *arrays,
        cpu=lambda *arrays: one_pass(*arrays, 1, precision),
        default=grouped(one_pass, precision),
    )


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def conv3x3(x: Array, kernel: Array, precision: str = "default") -> Array:
    """Convolves ('same', a correlation, no bias) to maps `[B, M, F, C_out]`.

    The maps are `[B, M, F, C_in]`, the kernel `[3, 3, C_in, C_out]`.
    """
    return _compute(convolve, precision, x, kernel)


def _conv3x3_forward(
    x: Array, kernel: Array, precision: str
) -> tuple[Array, tuple[Array, Array]]:
    return conv3x3(x, kernel, precision), (x, kernel)


def _conv3x3_backward(
    precision: str, residuals: tuple[Array, Array], dz: Array
) -> tuple[Array, Array]:
    dx = _compute(input_gradient, precision, dz, *residuals)
    return dx, _compute(kernel_gradient, precision, dz, *residuals)


conv3x3.defvjp(_conv3x3_forward, _conv3x3_backward)


def elu(x: Array) -> Array:
    """Computes the exponential linear unit, alpha = 1 (https://arxiv.org/abs/1511.07289).

    >>> [round(float(value), 4) for value in elu(jnp.array([-1.0, 0.0, 2.0]))]
    [-0.6321, 0.0, 2.0]
    """
    # exp(x) - 1 is within 6e-8 of expm1(x) for x <= 0, at half the time on a CPU.
    return jnp.where(x > 0, x, jnp.exp(jnp.minimum(x, 0)) - 1)


def positions(pool: tuple[int, int]) -> list[tuple[int, int]]:
    """Lists row and column of each value of a window, in the order that breaks ties."""
    return list(product(range(pool[0]), range(pool[1])))


def find_extreme(values: list[Array], gamma: Array) -> tuple[Array, Array]:
    """Finds per window the value that ELU of `gamma * z + beta` is largest at.

    The maximum where gamma > 0, the minimum where gamma < 0; where gamma is 0 all
    values tie. Of equal values the first counts, as in a max-pooling afterwards. Given
    are, for each of `positions`, the values of all windows, `[B, M', F', C]`, and gamma
    `[C]`.

    Returns:
        The values, and the number of the position of each; `[B, M', F', C]`.
    """
    index_type = jnp.dtype(jnp.uint8 if len(values) <= 256 else jnp.int32)
    sign = jnp.where(gamma < 0, -1, 1).astype(values[0].dtype)
    best, position = values[0] * sign, jnp.zeros(values[0].shape, index_type)
    for number, value in enumerate(values[1:], start=1):
        position = jnp.where(value * sign > best, position.dtype.type(number), position)
        best = jnp.maximum(best, value * sign)
    extreme = jnp.where(gamma == 0, values[0], best * sign)
    return extreme, jnp.where(gamma == 0, position.dtype.type(0), position)


def pool_extreme(z: Array, gamma: Array, pool: tuple[int, int]) -> tuple[Array, Array]:
    """Applies `find_extreme` to the windows of maps `[B, M, F, C]`.

    Rows and columns beyond the last whole window belong to none.

    Returns:
        Values and positions, `[B, M // pool[0], F // pool[1], C]`.
    """
    bands, frames = z.shape[1] // pool[0] * pool[0], z.shape[2] // pool[1] * pool[1]
    values = [
        z[:, row : bands : pool[0], column : frames : pool[1]]
        for row, column in positions(pool)
    ]
    return find_extreme(values, gamma)


@compiled
def pooled_extreme(x: Array, kernel: Array, gamma: Array, settings: Settings) -> Array:
    """Convolves and keeps the extreme values, see `find_extreme`."""
    z = conv3x3(x, kernel, settings.precision)
    return pool_extreme(z, gamma, settings.pool)[0]


def conv_norm_elu_pool(
    x: Array, kernel: Array, gamma: Array, beta: Array, settings: Settings
) -> tuple[Array, Array, Array]:
    """Applies `conv3x3`, then `norm_elu_pool`."""
    z = conv3x3(x, kernel, settings.precision)
    return norm_elu_pool(z, gamma, beta, settings)


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def norm_elu_pool(
    z: Array, gamma: Array, beta: Array, settings: Settings
) -> tuple[Array, Array, Array]:
    """Normalises maps `[B, M, F, C]` by the batch's statistics, applies ELU and pools.

    Scale and offset, gamma and beta, are `[C]`.

    Returns:
        Pooled maps `[B, M // pool[0], F // pool[1], C]`, and the mean and the
        (biased) variance `[C]`, both float32 and without gradient.
    """
    return _forward(z, gamma, beta, settings)[0]


@compiled
def _forward(z: Array, gamma: Array, beta: Array, settings: Settings) -> tuple:
    pool, epsilon, axis_name, _ = settings
    # The mean is kept as two parts: near a mean of 300 float32 has steps of 3e-5, and
    # E[z^2] - mean^2 would lose the variance. One row's mean is near enough to be
    # taken off first.
    centre = pmean(sum_to_channels(z[:, :1]) / _size(z[:, :1]), axis_name)
    centred = z.astype(jnp.float32) - centre
    mean = pmean(sum_to_channels(centred) / _size(z), axis_name)
    square = pmean(sum_to_channels(jnp.square(centred)) / _size(z), axis_name)
    variance = jnp.maximum(square - jnp.square(mean), 0)
    inverse = lax.rsqrt(variance + epsilon)
    extreme, position = pool_extreme(z, gamma, pool)
    z_hat = (extreme.astype(jnp.float32) - centre - mean) * inverse
    y = elu(gamma * z_hat + beta).astype(z.dtype)
    residuals = (z, extreme, position, gamma, beta, centre, mean, inverse)
    return (y, centre + mean, variance), residuals


@compiled
def _backward(
    settings: Settings, residuals: tuple, gradients: tuple
) -> tuple[Array, Array, Array]:
    pool, _, axis_name, _ = settings
    z, extreme, position, gamma, beta, centre, mean, inverse = residuals
    z_hat = (extreme.astype(jnp.float32) - centre - mean) * inverse
    g = through_elu(gradients[0], gamma * z_hat + beta)
    d_gamma, d_beta = sum_to_channels(g * z_hat), sum_to_channels(g)
    # The statistics are the whole batch's, so are the sums that flow back into them.
    count = psum(_size(z), axis_name)
    mean_g = gamma * psum(d_beta, axis_name) / count
    mean_gz = gamma * psum(d_gamma, axis_name) / count
    spread = spread_to_extremes((g * gamma).astype(z.dtype), position, z.shape, pool)
    z_hat = (z.astype(jnp.float32) - centre - mean) * inverse
    dz = (spread - mean_g - z_hat * mean_gz) * inverse
    return dz.astype(z.dtype), d_gamma, d_beta


norm_elu_pool.defvjp(_forward, _backward)


def through_elu(gradient: Array, u: Array) -> Array:
    """Turns the gradient by `elu(u)` into that by `u`, in float32."""
    return gradient.astype(jnp.float32) * jnp.exp(jnp.minimum(u, 0))


def sum_to_channels(values: Array) -> Array:
    """Sums `[B, M, F, C]` over all but the channels, in float32.

    On a CPU a few bands are added up first, as part of the loop that computes the
    values: reductions of a computed operand run at a third of the speed there. A GPU
    would keep all these sums in its registers, which are too few.
    """

    def plainly(values: Array) -> Array:
        return values.astype(jnp.float32).sum((0, 1, 2))

    return lax.platform_dependent(values, cpu=_sum_by_groups, default=plainly)


def sums_to_channels(*arrays: Array) -> list[Array]:
    """Applies `sum_to_channels` to several arrays that have inputs in common."""

    def one_by_one(*arrays: Array) -> list[Array]:
        return [sum_to_channels(values) for values in arrays]

    return lax.platform_dependent(*arrays, cuda=sum_in_one_pass, default=one_by_one)


def sum_in_one_pass(*arrays: Array) -> list[Array]:
    """Does what `sums_to_channels` does such that a GPU reads the inputs once.

    XLA puts at most two sums over whole maps into one kernel, and each kernel reads
    what all are computed from. Few enough bands are added up by a thread, for all
    arrays at once; what is left are small sums.
    """
    whole = [_split_bands(a, _BANDS_PER_THREAD).astype(jnp.float32) for a in arrays]
    zeros = (np.float32(0),) * len(whole)
    parts = lax.reduce(tuple(whole), zeros, partial(jax.tree.map, jnp.add), (2,))
    return [part.sum((0, 1, 2)) for part in parts]


def _split_bands(values: Array, most: int) -> Array:
    """Splits bands into equal groups of as many as possible: `[B, M / k, k, F, C]`."""
    bands = values.shape[1]
    group = max(k for k in range(1, most + 1) if bands % k == 0)
    return values.reshape(len(values), bands // group, group, *values.shape[2:])


def _sum_by_groups(values: Array) -> Array:
    groups = _split_bands(values, _BANDS_PER_SUM)
    added: Any = sum(
        groups[:, :, k].astype(jnp.float32) for k in range(groups.shape[2])
    )
    return added.sum((0, 1)).sum(0)


def spread_to_extremes(
    g: Array, position: Array, shape: tuple[int, ...], pool: tuple[int, int]
) -> Array:
    """Puts each window's gradient at its extreme, on a map of the given shape."""
    windows = lax.platform_dependent(
        *(g, position),
        tpu=partial(stack_windows, pool=pool),
        default=partial(fill_windows, pool=pool),
    )
    rows, columns = g.shape[1] * pool[0], g.shape[2] * pool[1]
    spread = windows.reshape(shape[0], rows, columns, shape[3])
    beyond = ((0, shape[1] - rows), (0, shape[2] - columns))
    return jnp.pad(spread, ((0, 0), *beyond, (0, 0)))


def fill_windows(g: Array, position: Array, pool: tuple[int, int]) -> Array:
    """Puts gradients `[B, M', F', C]` into windows, `[B, M', pool, F', pool, C]`."""
    number = jnp.arange(pool[0] * pool[1], dtype=position.dtype)
    is_there = position[:, :, None, :, None] == number.reshape(pool[0], 1, pool[1], 1)
    return jnp.where(is_there, g[:, :, None, :, None], 0)


def stack_windows(g: Array, position: Array, pool: tuple[int, int]) -> Array:
    """Does what `fill_windows` does, without the maps that a TPU would write for it."""
    places = np.arange(pool[0] * pool[1], dtype=position.dtype).reshape(pool)
    rows = [[jnp.where(position == at, g, 0) for at in row] for row in places]
    return jnp.stack([jnp.stack(row, axis=3) for row in rows], axis=2)


def _size(z: Array) -> int:
    """Counts the values per channel."""
    return z.size // z.shape[-1]


def psum(value: Any, axis_name: str | None) -> Any:
    """Sums over devices, where the batch is split over them."""
    return value if axis_name is None else lax.psum(value, axis_name)


def pmean(value: Any, axis_name: str | None) -> Any:
    """Averages over devices, where the batch is split over them."""
    return value if axis_name is None else lax.pmean(value, axis_name)
