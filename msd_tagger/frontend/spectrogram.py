"""Clips to spectrograms: Fourier transform, mel bands, decibels.

librosa judges the numbers in the tests. The transform is not librosa's, which takes
17 % more processor time a clip.
"""

from collections.abc import Iterator

import numpy as np
from scipy import fft

from msd_tagger.frontend import own
from msd_tagger.frontend.recipe import Recipe

# -100 dB, librosa's `amin` for powers. The floor of the network's input, -80 dB, is in
# network/preprocessing.py.
POWER_FLOOR = 1e-10

# Frames per transform: 128 windows of 512 samples stay in the second-level cache.
_BLOCK_FRAMES = 128
# Mel bands per matrix product: neighbours share their few bins. All bands at once
# would multiply 97 % zeros, one at a time would be 96 calls.
_BLOCK_BANDS = 8


def hann(size: int) -> np.ndarray:
    """Computes the periodic Hann window, float64 `[size]`."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)


def spectrogram(samples: np.ndarray, recipe: Recipe) -> np.ndarray:
    """Makes the spectrogram that shards hold: `[T]` -> float16 `[M, F]`, in dB."""
    if recipe.own_shape:
        return to_stored_db(own.power_of(samples, recipe))
    power = power_stft(samples, recipe)
    return to_stored_db(to_bands(power, recipe.mel_filters()))


def power_stft(samples: np.ndarray, recipe: Recipe) -> np.ndarray:
    """Computes the power of the short-time Fourier transform: float32 `[bins, frames]`.

    Periodic Hann window, frames centred on multiples of the hop, zeros outside of the
    clip: what `librosa.stft` does by default, and in single precision like it. Rounding
    is at most 0.004 dB where the power is 60 dB below the maximum and 0.04 dB where it
    is 80 dB below; one stored value in 3,000 moves, by one step of float16. (SciPy
    transforms four in single precision at once; its import takes a worker 0.2 s.)
    """
    size = recipe.dft_size_samples
    window = hann(size).astype(np.float32)
    padded = np.pad(samples.astype(np.float32, copy=False), size // 2)
    windows = np.lib.stride_tricks.sliding_window_view(padded, size)
    windows = windows[:: recipe.hop_samples]
    power = np.empty((len(windows), 1 + size // 2), np.float32)
    buffer = np.empty((_BLOCK_FRAMES, size), np.float32)
    for first in range(0, len(windows), _BLOCK_FRAMES):
        block = slice(first, first + _BLOCK_FRAMES)
        frames = windows[block]
        frames = np.multiply(frames, window, out=buffer[: len(frames)])
        parts = fft.rfft(frames, axis=1).view(np.float32)
        np.square(parts, out=parts)
        np.add(parts[:, ::2], parts[:, 1::2], out=power[block])  # Real and imaginary.
    return power.T


def to_bands(power: np.ndarray, filters: np.ndarray | None) -> np.ndarray:
    """Weights the bins of a power spectrogram into mel bands: float32 `[M, frames]`.

    The filters are those of `Recipe.mel_filters()`; None leaves all bins.
    """
    if filters is None:
        return power
    bands = np.empty((len(filters), power.shape[1]), np.float32)
    for block, bins in _blocks_of_bands(filters):
        np.matmul(filters[block, bins], power[bins], out=bands[block])
    return bands


def _blocks_of_bands(filters: np.ndarray) -> Iterator[tuple[slice, slice]]:
    """Yields neighbouring bands, and the bins from their first to their last."""
    used = filters > 0
    first_bins, last_bins = used.argmax(axis=1), used[:, ::-1].argmax(axis=1)
    for first in range(0, len(filters), _BLOCK_BANDS):
        block = slice(first, first + _BLOCK_BANDS)
        stop = used.shape[1] - last_bins[block].min()
        yield block, slice(first_bins[block].min(), stop)


def to_stored_db(power: np.ndarray) -> np.ndarray:
    """Converts to decibels as they are stored: 10 log10(max(P, 1e-10)) in float16.

    Absolute, not relative to a maximum. Half a float16 step is at most 0.03 dB, that is
    0.7 % of a power.

    >>> to_stored_db(np.array([[1.0, 0.0, 100.0]], np.float32)).tolist()
    [[0.0, -100.0, 20.0]]
    """
    db = np.maximum(power, np.float32(POWER_FLOOR))
    np.log(db, out=db)  # Four times faster than log10, and as exact.
    db *= np.float32(10 / np.log(10))
    return db.astype(np.float16, order="C")
