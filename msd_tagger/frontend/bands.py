"""The frequencies of bins and mel bands: scale, filters and A-weighting.

librosa defines them and judges them in the tests, but is not imported: it takes 0.4 to
0.7 s beside JAX, and its filters 1.3 s more, for which every training, every tagging
and every worker that prepares clips would wait. The scale and A-weighting are equal to
librosa's in every bit. The filters of recipes of version 2 are not: in 0.5 % of the
entries librosa rounds differently, by up to 4e-9. They stay until the recipe's version
changes with the format of the shards.
"""

import numpy as np

# Slaney's mel scale (Auditory Toolbox, 1998): linear up to 1 kHz, logarithmic above.
_HZ_PER_MEL = 200 / 3
_CORNER_HZ = 1000.0
_CORNER_MEL = _CORNER_HZ / _HZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27  # 27 mel make a factor of 6.4.

# IEC 61672:2003, annex E: the poles of A-weighting; 2.00 dB bring 1 kHz to 0 dB.
_POLES_HZ_SQUARED = np.array([12194.217, 20.598997, 107.65265, 737.86223]) ** 2.0


def hz_to_mel(frequency_hz: float) -> float:
    """Converts a frequency to Slaney's mel scale.

    >>> round(hz_to_mel(500.0), 3), round(hz_to_mel(6400.0), 3)
    (7.5, 42.0)
    """
    if frequency_hz < _CORNER_HZ:
        return frequency_hz / _HZ_PER_MEL
    return float(_CORNER_MEL + np.log(frequency_hz / _CORNER_HZ) / _LOG_STEP)


def mel_edges_hz(num_mel_bands: int, sample_rate_hz: float) -> np.ndarray:
    """Spaces the edges of mel bands from 0 Hz to half the sample rate: `[M + 2]`.

    Band m reaches from edge m over its centre, edge m + 1, to edge m + 2.
    """
    mel = np.linspace(0, hz_to_mel(sample_rate_hz / 2), num_mel_bands + 2)
    above = np.maximum(mel - _CORNER_MEL, 0)
    logarithmic_hz = _CORNER_HZ * np.exp(above * _LOG_STEP)
    return np.where(above > 0, logarithmic_hz, mel * _HZ_PER_MEL)


def bins_hz(dft_size_samples: int, sample_rate_hz: float) -> np.ndarray:
    """Returns the frequencies of the bins of a real DFT: `[bins]`."""
    return np.fft.rfftfreq(dft_size_samples, 1 / sample_rate_hz)


def mel_filters(
    num_mel_bands: int, dft_size_samples: int, sample_rate_hz: float
) -> np.ndarray:
    """Makes triangles on the bins of a power spectrum, each of area 1 (over Hz)."""
    edges_hz = mel_edges_hz(num_mel_bands, sample_rate_hz)[:, None]
    low_hz, centre_hz, high_hz = edges_hz[:-2], edges_hz[1:-1], edges_hz[2:]
    frequency_hz = bins_hz(dft_size_samples, sample_rate_hz)
    rising = (frequency_hz - low_hz) / (centre_hz - low_hz)
    falling = (high_hz - frequency_hz) / (high_hz - centre_hz)
    triangles = np.maximum(np.minimum(rising, falling), 0)
    return (triangles * 2 / (high_hz - low_hz)).astype(np.float32)


def a_weighting_db(frequency_hz: np.ndarray) -> np.ndarray:
    """Returns the A-weighting of IEC 61672:2003, at least -80 dB: float32.

    >>> [round(float(db)) for db in a_weighting_db(np.array([0.0, 100.0, 500.0]))]
    [-80, -19, -3]
    """
    squared = np.asarray(frequency_hz, float) ** 2.0
    with np.errstate(divide="ignore"):  # The standard has minus infinity at 0 Hz.
        gain = np.log10(_POLES_HZ_SQUARED[0]) + 2 * np.log10(squared)
    for pole, order in zip(_POLES_HZ_SQUARED, (1, 1, 0.5, 0.5), strict=True):
        gain = gain - order * np.log10(squared + pole)
    return np.maximum(2.0 + 20.0 * gain, -80.0).astype(np.float32)
