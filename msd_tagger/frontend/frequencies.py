"""Frequencies of bins and bands: the mel scale, its filter bank, and A-weighting.

Three short formulas, so that neither preparation nor training has to import an audio
library for them, which costs 0.8 s. The tests hold all to librosa.
"""

import numpy as np

# Slaney's mel scale (Auditory Toolbox, 1998): linear up to 1 kHz, logarithmic above.
_LINEAR_HZ_PER_MEL = 200 / 3
_CORNER_HZ = 1000.0
_CORNER_MEL = _CORNER_HZ / _LINEAR_HZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27  # 27 mel make a factor of 6.4.


def hz_to_mel(frequency_hz: float) -> float:
    """Slaney's mel scale.

    >>> round(hz_to_mel(500.0), 3), round(hz_to_mel(6400.0), 3)
    (7.5, 42.0)
    """
    if frequency_hz < _CORNER_HZ:
        return frequency_hz / _LINEAR_HZ_PER_MEL
    return float(_CORNER_MEL + np.log(frequency_hz / _CORNER_HZ) / _LOG_STEP)


def mel_to_hz(mel: np.ndarray) -> np.ndarray:
    """The inverse of `hz_to_mel`, of an array."""
    linear_hz = mel * _LINEAR_HZ_PER_MEL
    above = np.maximum(mel - _CORNER_MEL, 0)
    return np.where(above > 0, _CORNER_HZ * np.exp(above * _LOG_STEP), linear_hz)


def mel_edges_hz(num_mel_bands: int, sample_rate_hz: int) -> np.ndarray:
    """Edges of a mel bank from 0 Hz to half the sample rate: [M + 2], in Hz.

    A band reaches from one neighbour's centre to the other's: band m from edge m over
    its centre, edge m + 1, to edge m + 2.
    """
    highest_mel = hz_to_mel(sample_rate_hz / 2)
    return mel_to_hz(np.linspace(0, highest_mel, num_mel_bands + 2))


def bins_hz(dft_size_samples: int, sample_rate_hz: int) -> np.ndarray:
    """Frequencies of the bins of a real DFT: [bins], in Hz."""
    return np.fft.rfftfreq(dft_size_samples, 1 / sample_rate_hz)


def mel_filters(
    num_mel_bands: int, dft_size_samples: int, sample_rate_hz: int
) -> np.ndarray:
    """Triangular filters on the bins of a power spectrum, each of area 1 (over Hz).

    Returns:
        float32 [M, bins].
    """
    edges_hz = mel_edges_hz(num_mel_bands, sample_rate_hz)[:, None]
    low_hz, centre_hz, high_hz = edges_hz[:-2], edges_hz[1:-1], edges_hz[2:]
    frequency_hz = bins_hz(dft_size_samples, sample_rate_hz)
    rising = (frequency_hz - low_hz) / (centre_hz - low_hz)
    falling = (high_hz - frequency_hz) / (high_hz - centre_hz)
    triangles = np.maximum(np.minimum(rising, falling), 0)
    return (triangles * 2 / (high_hz - low_hz)).astype(np.float32)


def a_weighting_db(frequency_hz: np.ndarray) -> np.ndarray:
    """A-weighting of IEC 61672-1:2003, annex E: [any], in dB, at least -80.

    The standard's curve is minus infinity at 0 Hz.

    >>> [round(float(db), 1) for db in a_weighting_db(np.array([0.0, 100.0, 1000.0]))]
    [-80.0, -19.1, 0.0]
    """
    poles_hz = np.array([20.598997, 107.65265, 737.86223, 12194.217])
    squared = np.square(np.asarray(frequency_hz, float))[..., None]
    outer = squared + np.square(poles_hz[[0, 3]])
    inner = np.sqrt(squared + np.square(poles_hz[[1, 2]]))
    gain = poles_hz[3] ** 2 * squared[..., 0] ** 2
    gain = gain / (outer.prod(axis=-1) * inner.prod(axis=-1))
    with np.errstate(divide="ignore"):
        # 2.00 dB bring 1 kHz to 0 dB.
        return np.maximum(20 * np.log10(gain) + 2.0, -80.0)
