"""The front end as two matrix products, for networks that take samples elsewhere.

What `msd_tagger.frontend.spectrogram` computes by Fourier transforms, and with decibels
in float32, where shards round to float16.
"""

import jax
import jax.numpy as jnp
import numpy as np

from msd_tagger.frontend.recipe import Recipe
from msd_tagger.frontend.spectrogram import POWER_FLOOR, hann

DB_PER_NEPER = 10 / np.log(10)  # Decibels of a power are this times its logarithm.


def kernels(recipe: Recipe) -> np.ndarray:
    """Makes real and imaginary DFT of a windowed frame: float32 `[2 bins, window]`."""
    size = recipe.dft_size_samples
    samples, bins = np.arange(size), np.arange(1 + size // 2)
    phase = 2 * np.pi * (bins[:, None] * samples % size) / size
    parts = np.concatenate([np.cos(phase), np.sin(phase)])
    return (hann(size) * parts).astype(np.float32)


def bands_of_squares(recipe: Recipe) -> np.ndarray:
    """Makes what sums squares of both parts into bands: float32 `[M, 2 bins]`."""
    filters = recipe.mel_filters()
    if filters is None:
        filters = np.eye(recipe.shape[0], dtype=np.float32)
    return np.concatenate([filters, filters], axis=1).astype(np.float32)


def spectrogram_db(samples: jax.Array, recipe: Recipe) -> jax.Array:
    """Computes decibels of power `[B, M, F]` of samples `[B, T]`, both float32."""
    margin = recipe.dft_size_samples // 2
    parts = jax.lax.conv_general_dilated(
        samples[:, None, :],
        jnp.asarray(kernels(recipe))[:, None, :],
        (recipe.hop_samples,),
        [(margin, margin)],
        precision="highest",
    )
    power = jnp.matmul(bands_of_squares(recipe), parts * parts, precision="highest")
    return DB_PER_NEPER * jnp.log(jnp.maximum(power, POWER_FLOOR))
