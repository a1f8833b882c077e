"""The frequencies of bins and mel bands: scale, filters and A-weighting.

librosa defines them. A-weighting is its own; importing it for that takes a training
0.9 s. Scale and filters are still computed here, as every tagging and every worker that
prepares clips starts with them: the scale is equal to librosa's in every bit, the
filters are not. In 0.5 % of the entries librosa rounds differently, by up to 4e-9.
They become librosa's when the recipe's version changes with the format of the shards.
"""

import numpy as np

# Slaney's mel scale (Auditory Toolbox, 1998): linear up to 1 kHz, logarithmic above.
_HZ_PER_MEL = 200 / 3
_CORNER_HZ = 1000.0
_CORNER_MEL = _CORNER_HZ / _HZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27  # 27 mel make a factor of 6.4.


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

    Raises:
        ValueError: librosa cannot be imported.

    >>> [round(float(db)) for db in a_weighting_db(np.array([0.0, 100.0, 500.0]))]
    [-80, -19, -3]
    """
    try:
        from librosa import A_weighting  # Late: see above.
    except RuntimeError as error:  # numba's, where its folders cannot be written.
        raise ValueError(
            f"librosa cannot be imported ({error}); set the environment variable "
            "NUMBA_CACHE_DIR to a folder that can be written"
        ) from error
    with np.errstate(divide="ignore"):  # The standard has minus infinity at 0 Hz.
        return A_weighting(frequency_hz, min_db=-80.0).astype(np.float32)
