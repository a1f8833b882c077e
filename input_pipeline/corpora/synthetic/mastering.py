"""Room, the era's sound, and the nuisances: everything after the instruments.

All linear stages are curves on one spectrum, so that the last inverse transform can
also raise the sampling rate from 12 to 22.05 kHz.
"""

import numpy as np
from scipy import fft

from input_pipeline.corpora.synthetic.attributes import (
    NUM_EQUALISER_KNOTS,
    Attributes,
    Nuisances,
    Take,
)
from input_pipeline.corpora.synthetic.oscillators import (
    SAMPLE_RATE_HZ,
    low_pass,
    sine,
    white_noise,
)

FILE_SAMPLE_RATE_HZ = 22_050
# Average tilt of the synthetic instruments, undone so that bass and treble are as far
# apart as in recordings: gains in dB at the seven knots of the equaliser.
_TILT_DB = np.array([8, 9, 5, 1, 0, -1, -4])
_SLAP_BACK_S = 0.017
_ERA_HIGH_PASS_HZ = {"60s": 160, "80s": 90}
_ERA_LOW_PASS_HZ = {"60s": 3300, "70s": 4000}
_ERA_DRIVE = {"70s": 0.8, "00s": 3.0}
_ERA_HISS = {"60s": 0.03, "70s": 0.02}


def master(dry: np.ndarray, wet: np.ndarray, take: Take) -> np.ndarray:
    """Turns a mix into a finished clip.

    `dry` has all tracks and `wet` is what goes to the room, float32 `[T]` at 12 kHz.

    Returns:
        float32 `[T * 22050 / 12000]`, below full scale.
    """
    attributes, nuisances, random = take
    mix = _produced_spectrum(fft.rfft(_in_room(dry, wet, take)), attributes)
    mix = _unit(fft.irfft(mix, len(dry)).astype(np.float32))
    mix = _distorted(_with_audience(mix, attributes, random), attributes, random)
    return _with_nuisances(mix, nuisances, random)


def _unit(signal: np.ndarray) -> np.ndarray:
    """Returns the signal with root mean square 1."""
    return signal / np.float32(np.sqrt(np.mean(signal**2)) + 1e-9)


def _in_room(dry: np.ndarray, wet: np.ndarray, take: Take) -> np.ndarray:
    """Adds an exponentially decaying room of a hall, a bedroom or a studio."""
    attributes, random = take.attributes, take.random
    if attributes.reverberant:
        decay_s, loudness = 3.0, 0.9
    elif attributes.lofi:
        decay_s, loudness = 0.3, 0.3
    else:
        decay_s, loudness = random.uniform(0.4, 1.0), 0.18
    num_samples = int(SAMPLE_RATE_HZ * decay_s)
    fading = np.exp(np.linspace(0, -6.9, num_samples, dtype=np.float32))
    response = white_noise(num_samples, random) * fading
    response *= loudness / np.sqrt((response**2).sum())
    size = fft.next_fast_len(len(dry) + num_samples, real=True)
    room = fft.irfft(fft.rfft(wet, size) * fft.rfft(response, size), size)
    return dry + room[: len(dry)]


def _frequencies_hz(num_bins: int) -> np.ndarray:
    return np.linspace(0, SAMPLE_RATE_HZ / 2, num_bins, dtype=np.float32)


def _low_pass_curve(
    frequencies_hz: np.ndarray, cutoff_hz: float, order: int
) -> np.ndarray:
    """Returns a Butterworth magnitude."""
    return 1 / np.sqrt(1 + (frequencies_hz / np.float32(cutoff_hz)) ** (2 * order))


def _high_pass_curve(frequencies_hz: np.ndarray, cutoff_hz: float) -> np.ndarray:
    """Returns a first-order Butterworth magnitude."""
    return frequencies_hz / np.sqrt(frequencies_hz**2 + np.float32(cutoff_hz) ** 2)


def _produced_spectrum(spectrum: np.ndarray, attributes: Attributes) -> np.ndarray:
    """Applies softness, the lo-fi band, the era's band and its echo."""
    frequencies_hz = _frequencies_hz(len(spectrum))
    era = str(attributes.era)
    # Whoever plays softly plays darkly: 1.5 kHz at rest, no limit at full energy.
    energy = float(attributes.energy)
    curve = _low_pass_curve(frequencies_hz, 1500 * 8 ** (energy + 1), 1)
    if attributes.soft:
        curve *= _low_pass_curve(frequencies_hz, 2000, 1)
    if attributes.lofi:
        curve *= _low_pass_curve(frequencies_hz, 3600, 2)
        curve *= _high_pass_curve(frequencies_hz, 150)
    if era in _ERA_LOW_PASS_HZ:
        curve *= _low_pass_curve(frequencies_hz, _ERA_LOW_PASS_HZ[era], 2)
    if era in _ERA_HIGH_PASS_HZ:
        curve *= _high_pass_curve(frequencies_hz, _ERA_HIGH_PASS_HZ[era])
    produced = spectrum * curve
    if era == "80s":
        turns = np.float32(-2 * np.pi * _SLAP_BACK_S) * frequencies_hz
        produced = produced * (1 + 0.35 * np.exp(1j * turns))
    return produced


def _with_audience(
    mix: np.ndarray, attributes: Attributes, random: np.random.Generator
) -> np.ndarray:
    """Adds a shouting crowd; ring-modulates what is to sound strange."""
    if attributes.crowd:
        shouts = low_pass(white_noise(len(mix), random), 1800)
        swell = 1 + 0.6 * random.random(30, dtype=np.float32)
        mix = mix + 0.5 * shouts * np.interp(
            np.linspace(0, 29, len(mix)), np.arange(30), swell
        ).astype(np.float32)
    if attributes.modulated:
        mix = mix * (0.6 + 0.4 * sine(random.uniform(30, 180), len(mix)))
    return mix


def _distorted(
    mix: np.ndarray, attributes: Attributes, random: np.random.Generator
) -> np.ndarray:
    """Saturates and adds hiss, as the era or a cheap recorder does."""
    era = str(attributes.era)
    drive = _ERA_DRIVE.get(era, 0.0)
    hiss = _ERA_HISS.get(era, 0.0)
    if attributes.lofi:
        mix = np.tanh(1.3 * mix)
        hiss += 0.02
    if drive:
        mix = np.tanh(np.float32(drive) * mix)
    if hiss:
        mix = mix + np.float32(hiss) * white_noise(len(mix), random)
    return mix


def _with_nuisances(
    mix: np.ndarray, nuisances: Nuisances, random: np.random.Generator
) -> np.ndarray:
    """Equalises, limits bands, raises the rate, sets level and noise floor."""
    floor = np.float32(10 ** (nuisances.noise_floor_db / 20))
    spectrum = fft.rfft(_unit(mix))
    frequencies_hz = _frequencies_hz(len(spectrum))
    spectrum *= _equaliser_curve(frequencies_hz, nuisances.equaliser_db)
    if np.isfinite(nuisances.band_limit_hz):
        spectrum *= _low_pass_curve(frequencies_hz, float(nuisances.band_limit_hz), 2)
    num_samples = len(mix) * FILE_SAMPLE_RATE_HZ // SAMPLE_RATE_HZ
    clip = fft.irfft(spectrum, num_samples).astype(np.float32)
    clip *= np.float32(10 ** (nuisances.level_db / 20)) / (np.abs(clip).max() + 1e-9)
    # Six seconds over and over: drawing 29 would take a tenth of the whole clip's time.
    hiss = np.resize(white_noise(6 * FILE_SAMPLE_RATE_HZ, random), num_samples)
    return np.clip(clip + floor * hiss, -1, 1)


def _equaliser_curve(frequencies_hz: np.ndarray, gains_db: np.ndarray) -> np.ndarray:
    """Returns the nuisance equaliser's magnitude: knots 60 Hz to 6 kHz apart in log."""
    position = np.log2(1 + frequencies_hz / 60) / np.log2(101)
    knots = np.linspace(0, 1, NUM_EQUALISER_KNOTS)
    gain_db = np.interp(position, knots, gains_db + _TILT_DB)
    return (10 ** (gain_db / 20)).astype(np.float32)
