"""Sound sources shared by the instruments: wavetables, envelopes, filtered noise."""

from functools import lru_cache

import numpy as np
from scipy.signal import butter, sosfilt

SAMPLE_RATE_HZ = 12_000
_TABLE_SAMPLES = 4096
_NUM_HARMONICS = 120
# Partials stay below this share of the sampling rate, so nothing aliases.
_HIGHEST_PARTIAL = 0.47

HARMONICS = np.arange(1, _NUM_HARMONICS + 1, dtype=np.float64)


def frequency_hz(midi_pitch: float) -> float:
    """Returns a MIDI number's frequency in equal temperament.

    >>> frequency_hz(69)
    440.0
    """
    return 440.0 * 2.0 ** ((midi_pitch - 69) / 12)


def time_axis_s(num_samples: int) -> np.ndarray:
    """Returns the sample times, float32 [T]."""
    return np.arange(num_samples, dtype=np.float32) / np.float32(SAMPLE_RATE_HZ)


def sine(
    frequency: float, num_samples: int, phase: np.ndarray | float = 0.0
) -> np.ndarray:
    """Returns a sine wave float32 [T]; silence where it would alias."""
    if frequency > _HIGHEST_PARTIAL * SAMPLE_RATE_HZ:
        return np.zeros(num_samples, np.float32)
    turns = np.float32(2 * np.pi * frequency) * time_axis_s(num_samples)
    return np.sin(turns + phase, dtype=np.float32)


def harmonic_wave(
    amplitudes: tuple[float, ...] | np.ndarray,
    frequency: float | np.ndarray,
    num_samples: int,
    start_turns: float = 0.0,
) -> np.ndarray:
    """Plays a harmonic spectrum, band-limited, from a wavetable: float32 `[T]`.

    The amplitudes are of the partials 1, 2, …; the frequency is that of the first
    partial in Hz, a number or one a sample `[T]`.
    """
    highest = float(np.max(frequency))
    limit = int(_HIGHEST_PARTIAL * SAMPLE_RATE_HZ / highest)
    num_partials = max(1, min(len(amplitudes), limit))
    table = _wavetable(tuple(amplitudes[:num_partials]))
    if np.ndim(frequency):
        turns = np.cumsum(frequency, dtype=np.float64)
    else:
        turns = np.arange(num_samples, dtype=np.float64) * frequency
    turns = turns * (_TABLE_SAMPLES / SAMPLE_RATE_HZ) + start_turns * _TABLE_SAMPLES
    return table[turns.astype(np.int32) & (_TABLE_SAMPLES - 1)]


@lru_cache(maxsize=4096)
def _wavetable(amplitudes: tuple[float, ...]) -> np.ndarray:
    """Returns one period, float32; quadratic phases keep its crest low."""
    spectrum = np.zeros(_TABLE_SAMPLES // 2 + 1, np.complex128)
    phases = np.exp(0.7j * np.arange(len(amplitudes)) ** 2)
    partials = np.array(amplitudes) * phases * (-0.5j * _TABLE_SAMPLES)
    spectrum[1 : len(amplitudes) + 1] = partials
    return np.fft.irfft(spectrum, _TABLE_SAMPLES).astype(np.float32)


def envelope(
    num_samples: int,
    attack_s: float,
    decay_s: float | None = None,
    release_s: float = 0.04,
) -> np.ndarray:
    """Returns a linear attack, an exponential decay (if any) and a linear release."""
    time_s = time_axis_s(num_samples)
    shape = np.minimum(1, time_s / max(attack_s, 1e-3))
    if decay_s:
        shape *= np.exp(time_s * np.float32(-1 / decay_s))
    shape *= np.minimum(1, (num_samples / SAMPLE_RATE_HZ - time_s) / release_s)
    return shape.astype(np.float32)


def white_noise(num_samples: int, random: np.random.Generator) -> np.ndarray:
    """Returns Gaussian noise of deviation 1, float32 [T]."""
    return random.standard_normal(num_samples, dtype=np.float32)


def difference(signal: np.ndarray) -> np.ndarray:
    """Returns the first difference (6 dB per octave more treble), same length."""
    return np.diff(signal, prepend=signal[:1])


def low_pass(signal: np.ndarray, cutoff_hz: float, order: int = 2) -> np.ndarray:
    """Filters with a Butterworth low pass, float32 [T]."""
    return _filter(signal, cutoff_hz, order, "lowpass")


def high_pass(signal: np.ndarray, cutoff_hz: float, order: int = 1) -> np.ndarray:
    """Filters with a Butterworth high pass, float32 [T]."""
    return _filter(signal, cutoff_hz, order, "highpass")


def _filter(signal: np.ndarray, cutoff_hz: float, order: int, kind: str) -> np.ndarray:
    cutoff = min(cutoff_hz, 0.96 * SAMPLE_RATE_HZ / 2) / (SAMPLE_RATE_HZ / 2)
    sections = butter(order, cutoff, kind, output="sos")
    return sosfilt(sections, signal).astype(np.float32)
