import jax
import jax.numpy as jnp
import numpy as np
import pytest

from msd_tagger.network import block
from tests import judge

POOL = (3, 4)


def draw(shape=(3, 14, 22, 5), offset=0.0, seed=0):
    random = np.random.default_rng(seed)
    z = random.normal(size=shape) + offset
    gamma = random.normal(1, 0.5, shape[-1])
    gamma[1], gamma[2] = -0.7, 0.0
    beta = random.normal(size=shape[-1])
    return z, gamma, beta


def judged(z, gamma, beta):
    mean, variance = z.mean((0, 1, 2)), z.var((0, 1, 2))
    z_hat = (z - mean) / np.sqrt(variance + judge.EPSILON)
    u = gamma * z_hat + beta
    y, at = judge.pool_max(np.where(u > 0, u, np.expm1(np.minimum(u, 0))), POOL)
    return y, mean, variance, z_hat, u, at


def ours(z, gamma, beta):
    z, gamma, beta = (jnp.asarray(a, jnp.float32) for a in (z, gamma, beta))
    return block.norm_elu_pool(z, gamma, beta, block.Settings(POOL, judge.EPSILON))


# Rows and columns that no window covers enter the statistics all the same.
@pytest.mark.parametrize("shape", [(3, 14, 22, 5), (2, 12, 20, 5)])
def test_forward_equals_pooling_last(shape):
    z, gamma, beta = draw(shape)
    y, mean, variance, *_ = judged(z, gamma, beta)
    found = ours(z, gamma, beta)
    for a, b in zip(found, (y, mean, variance), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def test_variance_survives_a_mean_far_above_it():
    z, gamma, beta = draw(offset=300.0)
    z = z.astype(np.float32).astype(np.float64)
    y, _, variance, *_ = judged(z, gamma, beta)
    found = ours(z, gamma, beta)
    np.testing.assert_allclose(found[2], variance, rtol=1e-5)
    # A float32 near 300 is rounded by up to 1.5e-5; E[z^2] - mean^2 is off by 5e-3.
    np.testing.assert_allclose(found[0], y, atol=3e-5)


@pytest.mark.parametrize("shape", [(3, 14, 22, 5), (2, 12, 20, 5)])
def test_gradients_equal_pooling_last_also_at_gamma_zero(shape):
    z, gamma, beta = draw(shape)
    y, _, variance, z_hat, u, at = judged(z, gamma, beta)
    weight = np.random.default_rng(1).normal(size=y.shape)
    # At gamma = 0 a window's values all tie: judge.pool_max too takes the first.
    du = judge.pool_back(weight, at, POOL, u.shape) * np.exp(np.minimum(u, 0))
    axes = (0, 1, 2)
    g = du * gamma
    dz = g - g.mean(axes) - z_hat * (g * z_hat).mean(axes)
    dz = dz / np.sqrt(variance + judge.EPSILON)
    expected = (dz, (du * z_hat).sum(axes), du.sum(axes))

    def scalar(*args):
        return (ours(*args)[0] * weight).sum()

    args = [jnp.asarray(a, jnp.float32) for a in (z, gamma, beta)]
    found = jax.grad(scalar, argnums=(0, 1, 2))(*args)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def test_the_first_of_equal_extremes_takes_the_gradient():
    z = jnp.zeros((1, 3, 4, 1))  # Digital silence: every value is the maximum.
    _, position = block.pool_extreme(z, jnp.ones(1), POOL)
    spread = block.spread_to_extremes(jnp.ones((1, 1, 1, 1)), position, z.shape, POOL)
    assert spread[0, 0, 0, 0] == 1
    assert spread.sum() == 1


def test_elu_does_not_overflow():
    gradient = jax.grad(lambda x: block.elu(x).sum())(jnp.array([500.0, -500.0]))
    np.testing.assert_allclose(gradient, [1, 0])


@pytest.mark.parametrize(("platform", "slices"), [("cpu", 8), ("cuda", 0), ("tpu", 0)])
def test_bands_are_summed_in_groups_on_a_cpu_alone(platform, slices):
    values = jnp.zeros((2, 24, 40, 6), jnp.bfloat16)
    traced = jax.jit(block.sum_to_channels).trace(values)
    text = traced.lower(lowering_platforms=(platform,)).as_text()
    assert text.count("stablehlo.slice") == slices
    assert text.count("stablehlo.reduce") >= 1


# As on a GPU. The number of bands is a multiple of nothing, of 5 and of 24.
@pytest.mark.parametrize("bands", [29, 25, 48])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_sums_in_one_pass_are_those_of_each_array(bands, dtype):
    random = np.random.default_rng(0)
    arrays = [
        jnp.asarray(random.normal(size=(2, bands, 7, 3)), dtype) for _ in range(3)
    ]
    found = block.sum_in_one_pass(*arrays)
    assert len(found) == 3
    for sums, array in zip(found, arrays, strict=True):
        assert sums.dtype == jnp.float32
        expected = np.asarray(array, np.float64).sum((0, 1, 2))
        np.testing.assert_allclose(sums, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(("platform", "reductions"), [("cpu", 6), ("cuda", 4)])
def test_only_a_gpu_sums_in_one_pass(platform, reductions):
    """One of all arrays and a small one for each; else two for each, with groups."""
    arrays = [jnp.zeros((2, 24, 5, 3))] * 3
    traced = jax.jit(block.sums_to_channels).trace(*arrays)
    text = traced.lower(lowering_platforms=(platform,)).as_text()
    assert text.count("stablehlo.reduce(") == reductions


@pytest.mark.parametrize("pool", [(3, 4), (2, 5), (1, 1)])
def test_stacked_windows_equal_filled_ones(pool):
    """As on a TPU: bit for bit, there is no arithmetic."""
    random = np.random.default_rng(0)
    g = random.normal(size=(2, 3, 4, 5)).astype(np.float32)
    position = random.integers(0, pool[0] * pool[1], g.shape).astype(np.uint8)
    found = block.stack_windows(g, jnp.asarray(position), pool)
    expected = block.fill_windows(g, jnp.asarray(position), pool)
    assert found.shape == (2, 3, pool[0], 4, pool[1], 5)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(np.asarray(found).sum((2, 4)), g)


def gradients(x, kernel, dz):
    y, back = jax.vjp(block.conv3x3, x, kernel)
    return y, *back(dz)


# As on accelerators. What all seeds share has no axis of seeds.
@pytest.mark.parametrize("shared", [(), (0,), (1,)])
@pytest.mark.parametrize(
    ("one_pass", "kinds"),
    [
        (block.convolve, "x kernel"),
        (block.input_gradient, "dz x kernel"),
        (block.kernel_gradient, "dz x kernel"),
    ],
)
def test_groups_of_channels_equal_separate_seeds(one_pass, kinds, shared):
    random = np.random.default_rng(0)
    shapes = {"x": (2, 6, 7, 4), "kernel": (3, 3, 4, 5), "dz": (2, 6, 7, 5)}
    shapes = [shapes[kind] for kind in kinds.split()]
    arrays = [random.normal(size=(3, *shape)).astype(np.float32) for shape in shapes]
    axes = [None if n in shared else 0 for n in range(len(arrays))]
    arrays = [a if axis == 0 else a[0] for a, axis in zip(arrays, axes, strict=True)]
    found = jax.vmap(block.grouped(one_pass, "highest"), in_axes=axes)(*arrays)
    for seed in range(3):
        pairs = zip(arrays, axes, strict=True)
        own = [array if axis is None else array[seed] for array, axis in pairs]
        expected = one_pass(*own, 1, "highest")
        np.testing.assert_allclose(found[seed], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("platform", ["cpu", "cuda"])
def test_no_pass_of_many_seeds_has_a_window_of_a_whole_map_on_a_gpu(platform):
    shapes = [(7, 2, 24, 40, 6), (7, 3, 3, 6, 6), (7, 2, 24, 40, 6)]
    arrays = [jax.ShapeDtypeStruct(shape, np.float32) for shape in shapes]
    traced = jax.jit(jax.vmap(gradients)).trace(*arrays)
    text = traced.lower(lowering_platforms=(platform,)).as_text()
    # The kernel's gradient splits the clips into groups of seeds, as cuDNN does.
    groups = [text.count(f"{kind}_group_count = 7") for kind in ("feature", "batch")]
    assert groups == ([3, 0] if platform == "cpu" else [2, 1])
