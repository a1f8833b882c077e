"""From stored spectrograms to the network's input, on the device.

The order is fixed: stored decibels; then decibels relative to the clip's maximum, or
linear power; then frequency weighting; then per-clip standardisation; then the scale.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

Array = jax.Array

FLOOR_DB = -80.0  # Decibels below the clip's maximum that are kept.

MAGNITUDES = ("db", "linear")
WEIGHTINGS = ("bypass", "a_weighting", "per_frequency", "per_frequency_dataset")
REFERENCES = ("clip", "batch")


class Preprocessing(NamedTuple):
    """What happens to a stored spectrogram (paper, section IV-C and D).

    Attributes:
        frequency_weighting: "bypass", "a_weighting" (IEC 61672:2003; added in
            decibels, multiplied as power when linear), "per_frequency"
            (standardise each band of each clip over time) or
            "per_frequency_dataset" (the same with statistics of the training clips).
        reference: Whose maximum is 0 dB: the "clip"'s own, or, for the published
            network only, that of the whole "batch", on which a clip then depends.
    """

    magnitude: str = "db"  # Or "linear", which is power.
    frequency_weighting: str = "bypass"
    standardise_clip: bool = True  # Over bands and frames.
    scale: float = 1.0  # A factor at the end.
    reference: str = "clip"


class BandStatistics(NamedTuple):
    """What a frequency weighting needs to know of each band, `[M]`."""

    a_weighting_db: Array | np.ndarray  # For "a_weighting".
    mean: Array | np.ndarray  # For "per_frequency_dataset", as is the deviation.
    deviation: Array | np.ndarray


def apply(
    stored_db: Array, preprocessing: Preprocessing, bands: BandStatistics
) -> Array:
    """Computes the network's input, float32 `[B, M, F]`.

    Spectrograms are `[B, M, F]` as stored, decibels of power. A clip's output depends
    on that clip alone, unless the reference is the batch.
    """
    x = to_magnitude(stored_db, preprocessing.magnitude, preprocessing.reference)
    x = weight_frequencies(x, preprocessing, bands)
    if preprocessing.standardise_clip:
        x = standardise(x, (1, 2))
    return preprocessing.scale * x


def to_magnitude(stored_db: Array, magnitude: str, reference: str = "clip") -> Array:
    """Computes decibels in [-80, 0] relative to a maximum, or power; in float32.

    Spectrograms are `[B, M, F]`, decibels of power; see `MAGNITUDES`, `REFERENCES`.
    """
    stored_db = stored_db.astype(jnp.float32)
    if magnitude == "linear":
        return 10.0 ** (stored_db / 10)
    axes = (1, 2) if reference == "clip" else (0, 1, 2)
    return jnp.maximum(stored_db - stored_db.max(axes, keepdims=True), FLOOR_DB)


def weight_frequencies(
    x: Array, preprocessing: Preprocessing, bands: BandStatistics
) -> Array:
    """Weights the bands of `[B, M, F]` (paper, section IV-D)."""
    weighting = preprocessing.frequency_weighting
    if weighting == "a_weighting":
        weight_db = bands.a_weighting_db[:, None]
        if preprocessing.magnitude == "db":
            return x + weight_db
        return x * 10.0 ** (weight_db / 10)
    if weighting == "per_frequency":
        return standardise(x, (2,))
    if weighting == "per_frequency_dataset":
        return (x - bands.mean[:, None]) / _nonzero(bands.deviation)[:, None]
    return x


def standardise(x: Array, axes: tuple[int, ...]) -> Array:
    """Gives `[B, M, F]` zero mean and unit deviation over `axes`.

    Constant parts, as the upper bands of band-limited recordings, become exactly zero.
    The mean of 1,360 times -80 dB is off by 6e-6 in float32, and dividing by that would
    turn silence into +1 or -1: so one value is subtracted first, which leaves nothing
    to round.
    """
    first = tuple(slice(0, 1) if axis in axes else slice(None) for axis in range(3))
    x = x - x[first]
    x = x - x.mean(axes, keepdims=True)
    return x / _nonzero(jnp.sqrt(jnp.square(x).mean(axes, keepdims=True)))


def _nonzero(deviation: Array | np.ndarray) -> Array:
    return jnp.where(deviation > 0, deviation, 1.0)
