"""The frequencies of bins and mel bands: scale, filters and A-weighting, by librosa.

It is imported where it is needed, as its filters take about 2 s.
"""

import contextlib
import warnings
from collections.abc import Iterator
from types import ModuleType

import numpy as np


def mel_centres_hz(num_mel_bands: int, sample_rate_hz: float) -> np.ndarray:
    """Returns the centres of mel bands from 0 Hz to half the sample rate: `[M]`.

    The scale is Slaney's (Auditory Toolbox, 1998): linear up to 1 kHz, then
    logarithmic.
    """
    highest_hz = sample_rate_hz / 2
    edges_hz = _scales().mel_frequencies(num_mel_bands + 2, fmin=0.0, fmax=highest_hz)
    return edges_hz[1:-1]


def bins_hz(dft_size_samples: int, sample_rate_hz: float) -> np.ndarray:
    """Returns the frequencies of the bins of a real DFT: `[bins]`."""
    return np.fft.rfftfreq(dft_size_samples, 1 / sample_rate_hz)


def mel_filters(
    num_mel_bands: int, dft_size_samples: int, sample_rate_hz: float
) -> np.ndarray:
    """Makes triangles on the bins of a power spectrum, each of area 1 (over Hz)."""
    with _importing():
        from librosa import filters
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Empty filters, of which a recipe warns.
        return filters.mel(
            sr=sample_rate_hz, n_fft=dft_size_samples, n_mels=num_mel_bands
        )


def a_weighting_db(frequency_hz: np.ndarray) -> np.ndarray:
    """Returns the A-weighting of IEC 61672:2003, at least -80 dB: float32.

    >>> [round(float(db)) for db in a_weighting_db(np.array([0.0, 100.0, 500.0]))]
    [-80, -19, -3]
    """
    with np.errstate(divide="ignore"):  # The standard has minus infinity at 0 Hz.
        return _scales().A_weighting(frequency_hz, min_db=-80.0).astype(np.float32)


def _scales() -> ModuleType:
    """Imports librosa's scales, which need neither its filters nor SciPy's signals."""
    with _importing():
        from librosa.core import convert
    return convert


@contextlib.contextmanager
def _importing() -> Iterator[None]:
    """Says what to do where librosa cannot be imported.

    Raises:
        ValueError: It cannot be.
    """
    try:
        yield
    except RuntimeError as error:  # numba's, where its folders cannot be written.
        raise ValueError(
            f"librosa cannot be imported ({error}); set the environment variable "
            "NUMBA_CACHE_DIR to a folder that can be written"
        ) from error
