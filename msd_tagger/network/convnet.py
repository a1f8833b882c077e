"""The 5-layer ConvNet of the paper (Fig. 3, Table II)."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from msd_tagger.network import block, stem
from msd_tagger.network.pools import POOLS, Pools, check_pools

Array = jax.Array

# A plain normal distribution (https://arxiv.org/abs/1502.01852), not a truncated one.
he_normal = nn.initializers.variance_scaling(2.0, "fan_in", "normal")


class ConvNormEluPool(nn.Module):
    """Convolution, batch normalisation, ELU and max-pooling over `[B, M, F, C]`.

    Training normalises by the batch's statistics, which the running ones follow;
    prediction by the running ones, unless `batch_statistics` is set.
    """

    settings: block.Settings
    momentum: float  # Weight of the past in the running statistics.

    @nn.compact
    def __call__(
        self,
        x: Array,
        kernel: Array,
        conv_bias: Array,
        train: bool,
        batch_statistics: bool,
    ) -> Array:
        """Computes pooled activations."""
        channels = kernel.shape[-1]
        gamma = self.param("scale", nn.initializers.ones, (channels,))
        beta = self.param("bias", nn.initializers.zeros, (channels,))
        mean = self.variable("batch_stats", "mean", jnp.zeros, (channels,))
        variance = self.variable("batch_stats", "var", jnp.ones, (channels,))
        count = self.variable("batch_stats", "count", jnp.zeros, ())
        layer = stem if stem.is_for(x.shape[-1], self.settings.pool) else block
        if not (train or batch_statistics):
            inverse = jax.lax.rsqrt(variance.value + self.settings.epsilon)
            extreme = layer.pooled_extreme(x, kernel, gamma, self.settings)
            z_hat = (extreme.astype(jnp.float32) + conv_bias - mean.value) * inverse
            return block.elu(gamma * z_hat + beta).astype(x.dtype)
        # Subtracting the batch's mean cancels the bias: its gradient is exactly zero,
        # and only the running mean needs it.
        y, batch_mean, batch_variance = layer.conv_norm_elu_pool(
            x, kernel, gamma, beta, self.settings
        )
        if train and not self.is_initializing():
            past = past_weight(count.value, self.momentum)
            batch_mean = batch_mean + conv_bias
            mean.value = past * mean.value + (1 - past) * batch_mean
            variance.value = past * variance.value + (1 - past) * batch_variance
            count.value = count.value + 1
        return y


def past_weight(count: Array, momentum: float) -> Array:
    """Computes the weight of the past in a running mean free of its initial value.

    After t updates the mean equals an exponential moving average that began at 0
    and was divided by 1 - momentum^t; momentum = 1 gives the plain mean.

    >>> [round(float(past_weight(jnp.array(t), 0.99)), 3) for t in (0, 1, 1000)]
    [0.0, 0.497, 0.99]
    """
    t = jnp.asarray(count, jnp.float32)
    if momentum == 1:
        return t / (t + 1)
    return momentum * (1 - momentum**t) / (1 - momentum ** (t + 1))


class ConvNet(nn.Module):
    """Computes one logit per tag from a spectrogram."""

    num_tags: int
    pools: Pools = POOLS["mel"]  # Of each layer; the last map must be 1 x 1.
    channels: int = 32  # Feature maps per layer, N in the paper.
    momentum: float = 0.99  # Of the running batch statistics.
    epsilon: float = 1e-3  # Of batch normalisation.
    dtype: jnp.dtype = jnp.float32  # Of the computation; parameters are float32.
    axis_name: str | None = None  # Mapped axis over which the batch is split, if any.
    # Of products on accelerators, as `jax.lax.Precision`; the stem's are always exact.
    precision: str = "default"

    @nn.compact
    def __call__(
        self, x: Array, train: bool = False, batch_statistics: bool = False
    ) -> Array:
        """Computes logits `[B, K]`, float32.

        Args:
            x: Preprocessed spectrograms `[B, M, F]`.
            train: Whether to normalise by and to follow the batch's statistics.
            batch_statistics: Whether to normalise by them outside training, as the
                published network did; a prediction then depends on its batch.
        """
        check_pools((x.shape[1], x.shape[2]), self.pools)
        x = x[..., None].astype(self.dtype)
        for i, pool in enumerate(self.pools, start=1):
            kernel_shape = (3, 3, x.shape[-1], self.channels)
            kernel = self.param(f"conv{i}_kernel", he_normal, kernel_shape)
            bias = self.param(f"conv{i}_bias", nn.initializers.zeros, (self.channels,))
            settings = block.Settings(
                pool, self.epsilon, self.axis_name, self.precision
            )
            layer = ConvNormEluPool(settings, self.momentum, name=f"norm{i}")
            x = layer(x, kernel.astype(self.dtype), bias, train, batch_statistics)
        features = x.reshape(x.shape[0], -1).astype(jnp.float32)
        tags = nn.Dense(
            self.num_tags, precision=self.precision, kernel_init=he_normal, name="tags"
        )
        return tags(features)
