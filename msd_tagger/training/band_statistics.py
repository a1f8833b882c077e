"""What the weightings of frequencies need to know of each band."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from msd_tagger.common.excerpts import excerpts_of
from msd_tagger.network import preprocessing as pre
from msd_tagger.training.data import Data


def band_statistics(config: ConfigDict, data: Data) -> pre.BandStatistics:
    """Computes A-weighting and, where it is used, each band's mean and deviation.

    These are over all frames of all training clips, before any weighting; 0 and 1 where
    they are not used. The deviation of a constant band is 1.
    """
    bands, chosen = bands_without_statistics(data), config.preprocessing
    if chosen.frequency_weighting != "per_frequency_dataset":
        return bands
    magnitude = jax.jit(partial(pre.to_magnitude, magnitude=chosen.magnitude))
    num_clips, totals = 0, np.zeros((3, data.recipe.shape[0]))
    batches = data.evaluation_batches("train", 16, config.train.fraction)
    for batch in (one for of_clips in batches for one in excerpts_of(of_clips)):
        x = magnitude(batch["spectrogram"])[batch["mask"]]
        means = np.asarray(x.mean(2), np.float64)
        num_clips += len(means)
        variances = np.asarray(x.var(2), np.float64)
        totals += [means.sum(0), np.square(means).sum(0), variances.sum(0)]
    mean, square, variance = totals / num_clips
    deviation = np.sqrt(variance + np.maximum(square - np.square(mean), 0))
    # The mean of a constant band is off by some 1e-7 of it in float32.
    deviation[deviation <= 1e-6 * np.abs(mean)] = 1
    mean, deviation = (jnp.asarray(of_all, jnp.float32) for of_all in (mean, deviation))
    return bands._replace(mean=mean, deviation=deviation)


def bands_without_statistics(data: Data) -> pre.BandStatistics:
    """Computes the A-weighting alone, with means 0 and deviations 1."""
    a_weighting_db = jnp.asarray(data.recipe.a_weighting_db(), jnp.float32)
    zeros, ones = jnp.zeros_like(a_weighting_db), jnp.ones_like(a_weighting_db)
    return pre.BandStatistics(a_weighting_db, zeros, ones)
