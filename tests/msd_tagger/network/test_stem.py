import jax
import jax.numpy as jnp
import numpy as np
import pytest

from msd_tagger.network import block, stem
from tests import judge

POOLS = [(2, 4), (3, 5)]
AXES = (0, 1, 2)
SETTINGS = block.Settings((2, 4), 1e-3)


def draw(offset=0.0, shape=(3, 14, 22), channels=6, seed=0):
    """An input whose neighbours are alike, as a spectrogram's are."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(shape[0], shape[1] + 4, shape[2] + 4))
    for axis, size in ((1, shape[1]), (2, shape[2])):
        x = sum(np.take(x, np.arange(k, k + size), axis) for k in range(5)) / 2
    kernel = random.normal(0, 0.5, size=(3, 3, 1, channels))
    kernel[..., 3] -= kernel[..., 3].mean()  # Sees differences only.
    gamma = random.normal(1, 0.5, channels)
    gamma[1], gamma[2] = -0.7, 0.0
    beta = random.normal(size=channels)
    arrays = (x[..., None] + offset, kernel, gamma, beta)
    return [np.float64(np.float32(a)) for a in arrays]


def judged(x, kernel, gamma, beta, pool, weight):
    """Outputs, statistics and gradients in float64, pooling last."""
    z, patches = judge.convolve(x, kernel)
    mean, variance = z.mean(AXES), z.var(AXES)
    inverse = 1 / np.sqrt(variance + judge.EPSILON)
    z_hat = (z - mean) * inverse
    u = gamma * z_hat + beta
    y, at = judge.pool_max(np.where(u > 0, u, np.expm1(np.minimum(u, 0))), pool)
    du = judge.pool_back(weight(y), at, pool, u.shape) * np.exp(np.minimum(u, 0))
    g = du * gamma
    dz = inverse * (g - g.mean(AXES) - z_hat * (g * z_hat).mean(AXES))
    dx, d_kernel = judge.convolve_back(dz, patches, kernel)
    gradients = (dx, d_kernel, (du * z_hat).sum(AXES), du.sum(AXES))
    return (y, mean, variance), gradients


def ours(layer, arguments, pool, weight):
    arguments = [jnp.asarray(a, jnp.float32) for a in arguments]

    def scalar(*arguments):
        settings = block.Settings(pool, judge.EPSILON)
        found = layer.conv_norm_elu_pool(*arguments, settings)
        return (found[0] * weight(found[0])).sum(), found

    gradients, found = jax.jit(jax.grad(scalar, argnums=(0, 1, 2, 3), has_aux=True))(
        *arguments
    )
    return found, gradients


def weight_of(y):
    return np.random.default_rng(1).normal(size=y.shape)


# At an offset of 300 the values themselves are known to 3e-5 in float32, their
# deviations from each other are not rounded again.
# The block's convolution rounds sums of such values before the block sees them:
# test_block.py gives it maps with an offset instead.
@pytest.mark.parametrize(
    ("layer", "offset"), [(stem, 0.0), (stem, 300.0), (block, 0.0)]
)
@pytest.mark.parametrize("pool", POOLS)
def test_equals_pooling_last_in_float64(layer, pool, offset):
    arguments = draw(offset)
    found, gradients = ours(layer, arguments, pool, weight_of)
    expected, expected_gradients = judged(*arguments, pool=pool, weight=weight_of)
    np.testing.assert_allclose(found[0], expected[0], atol=1e-5)
    # What the mean itself is worth in float32: nine products of up to 300.
    np.testing.assert_allclose(found[1], expected[1], atol=1e-5 + 1e-6 * offset)
    np.testing.assert_allclose(found[2], expected[2], rtol=1e-5)
    # The input's gradient goes through the plain layer, which the offset rounds.
    first = 1 if offset else 0
    pairs = list(zip(gradients, expected_gradients, strict=True))[first:]
    for a, b in pairs:
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5 * np.abs(b).max())


def test_inference_equals_the_block():
    x, kernel, gamma, _ = (jnp.asarray(a, jnp.float32) for a in draw())
    found = stem.pooled_extreme(x, kernel, gamma, SETTINGS)
    expected = block.pooled_extreme(x, kernel, gamma, SETTINGS)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_seeds_that_are_mapped_equal_seeds_one_by_one():
    x, kernel, gamma, beta = (jnp.asarray(a, jnp.float32) for a in draw())
    kernels = jnp.stack([kernel, -kernel, kernel * 2])

    def scalar(kernel):
        return stem.conv_norm_elu_pool(x, kernel, gamma, beta, SETTINGS)[0].sum()

    together = jax.vmap(jax.value_and_grad(scalar))(kernels)
    alone = [jax.value_and_grad(scalar)(kernel) for kernel in kernels]
    for number, (value, gradient) in enumerate(alone):
        np.testing.assert_allclose(together[0][number], value, rtol=1e-5)
        np.testing.assert_allclose(together[1][number], gradient, rtol=1e-4, atol=1e-4)


def test_training_needs_neither_raw_map_nor_input_gradient():
    x, kernel, gamma, beta = (jnp.asarray(a, jnp.float32) for a in draw())

    def loss(kernel, x):
        return stem.conv_norm_elu_pool(x, kernel, gamma, beta, SETTINGS)[0].sum()

    def lowered(argument):
        return jax.jit(jax.grad(loss, argument)).lower(kernel, x).as_text()

    assert "stablehlo.convolution" not in lowered(0)
    assert "stablehlo.convolution" in lowered(1)  # Who asks for it gets it.


def test_silence_has_its_gradient_at_the_first_position():
    x = jnp.zeros((2, 4, 8, 1))
    kernel = jnp.ones((3, 3, 1, 2))
    padded = stem.pad(x[..., 0])
    values = stem.window_values(padded, kernel, (2, 4))
    extreme, position = block.find_extreme(values, jnp.array([1.0, -1.0]))
    assert not position.any()
    assert not extreme.any()


def test_an_input_that_is_not_finite_gives_no_number():
    x, kernel, gamma, beta = (jnp.asarray(a, jnp.float32) for a in draw())
    x = x.at[0, 3, 3, 0].set(jnp.nan)
    y, mean, _ = stem.conv_norm_elu_pool(x, kernel, gamma, beta, SETTINGS)
    assert np.isnan(y).all()
    assert np.isnan(mean).all()


@pytest.mark.parametrize(
    ("channels", "pool", "expected"),
    [(1, (2, 4), True), (1, (8, 5), False), (32, (2, 4), False)],
)
def test_large_windows_and_further_layers_go_through_the_block(
    channels, pool, expected
):
    assert stem.is_for(channels, pool) == expected
