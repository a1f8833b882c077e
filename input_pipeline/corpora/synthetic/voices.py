"""Singing, rapping, growling and robot voices: a harmonic source through formants."""

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from input_pipeline.corpora.synthetic.oscillators import (
    HARMONICS,
    SAMPLE_RATE_HZ,
    difference,
    envelope,
    frequency_hz,
    harmonic_wave,
    time_axis_s,
    white_noise,
)

# Formants of five vowels of men in Hz (rounded after Peterson and Barney 1952,
# doi:10.1121/1.1906875). Women's lie about 18 per cent higher.
_VOWELS_HZ = np.array(
    [
        (730, 1090, 2440), (530, 1840, 2480), (270, 2290, 3010), (570, 840, 2410),
        (300, 870, 2240),
    ],
    float,
)  # fmt: skip
_FORMANT_GAINS = (1.0, 0.55, 0.3)
_FEMALE_FORMANTS = 1.18


@dataclass(frozen=True)
class Singer:
    """Who sings a track and how."""

    female: bool  # Woman or man.
    delivery: str  # "sing", "rap", "growl" or "robot".
    breathy: bool  # Breath more than tone.
    formant_scale: float  # Size of the singer's throat, a nuisance.


def sing(
    singer: Singer, pitch: int, length_s: float, random: np.random.Generator
) -> np.ndarray:
    """Sings one syllable on a random vowel."""
    num_samples = int((length_s + 0.06) * SAMPLE_RATE_HZ)
    size = singer.formant_scale * (_FEMALE_FORMANTS if singer.female else 1.0)
    formants = _VOWELS_HZ[int(random.integers(len(_VOWELS_HZ)))] * size
    contour = frequency_hz(pitch) * _contour(singer, num_samples, random)
    spectrum = _vowel_spectrum(formants, frequency_hz(pitch))
    tone = harmonic_wave(spectrum, contour, num_samples)
    tone = tone / (tone.std() + 1e-9)
    noise = white_noise(num_samples, random)
    breath = _breath(noise, formants[1])
    if singer.breathy:
        sound = 0.4 * tone + 0.9 * breath
    else:
        sound = tone + (0.9 if singer.delivery == "growl" else 0.06) * breath
    _add_consonant(sound, noise, singer.delivery, random)
    attack_s = 0.01 if singer.delivery == "rap" else 0.03
    return sound * envelope(num_samples, attack_s, None, 0.06)


def _vowel_spectrum(formants_hz: np.ndarray, pitch_hz: float) -> np.ndarray:
    """Returns partial amplitudes: three resonances over a falling source."""
    partials_hz = HARMONICS * pitch_hz
    resonances = [
        gain / (1 + ((partials_hz - centre) / (50 + 0.06 * centre)) ** 2)
        for gain, centre in zip(_FORMANT_GAINS, formants_hz, strict=True)
    ]
    return sum(resonances) * HARMONICS**-0.35


def _contour(
    singer: Singer, num_samples: int, random: np.random.Generator
) -> np.ndarray:
    """Returns the pitch over time relative to the note."""
    time_s = time_axis_s(num_samples)
    if singer.delivery == "rap":
        return 1.12 - 0.25 * time_s / time_s[-1] + 0.03 * random.standard_normal()
    if singer.delivery == "robot":
        return np.ones(num_samples)
    if singer.delivery == "growl":
        jitter = random.standard_normal(num_samples // 40 + 1).repeat(40)[:num_samples]
        return np.clip(0.55 * (1 + 0.12 * jitter), 0.3, 0.9)
    rate_hz = 5.8 if singer.female else 5.1
    vibrato = 0.011 * np.sin(2 * np.pi * rate_hz * time_s)
    return 1 - 0.05 * np.exp(-time_s / 0.05) + vibrato * np.minimum(1, time_s / 0.3)


def _breath(noise: np.ndarray, formant_hz: float) -> np.ndarray:
    """Returns noise around the second formant, deviation 1."""
    angle = 2 * np.pi * formant_hz / SAMPLE_RATE_HZ
    shaped = lfilter([1, -0.9], [1, -1.6 * np.cos(angle), 0.7], noise)
    return (shaped / shaped.std()).astype(np.float32)


def _add_consonant(
    sound: np.ndarray, noise: np.ndarray, delivery: str, random: np.random.Generator
) -> None:
    """Adds, every second time, 30 ms of hiss in place."""
    if random.random() < 0.5:
        burst = min(len(sound), int(0.03 * SAMPLE_RATE_HZ))
        loudness = 0.2 if delivery == "robot" else 1.2
        sound[:burst] += loudness * difference(noise[:burst])
