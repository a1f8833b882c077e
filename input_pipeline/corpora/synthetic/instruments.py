"""Instruments: one function per family turns a pitch and a length into sound.

`INSTRUMENTS` maps every instrument name of the styles to its family and the family's
settings. Drums are in `drums`, voices in `voices`.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from input_pipeline.corpora.synthetic.attributes import Attributes
from input_pipeline.corpora.synthetic.oscillators import (
    HARMONICS,
    SAMPLE_RATE_HZ,
    envelope,
    frequency_hz,
    harmonic_wave,
    high_pass,
    low_pass,
    sine,
    time_axis_s,
    white_noise,
)

# (pitch, length in seconds, generator) -> float32 samples at SAMPLE_RATE_HZ.
Instrument = Callable[[int, float, np.random.Generator], np.ndarray]


def _samples(length_s: float) -> int:
    return int(length_s * SAMPLE_RATE_HZ)


def plucked_string(
    pitch: int,
    length_s: float,
    random: np.random.Generator,
    *,
    position: float,  # Where it is plucked, as a share of its length.
    brightness: float,  # 0 is dull, 1 is bright.
    decay_s: float,  # Time constant of the lowest two partials.
    ring_s: float = 0.15,  # How long it rings on after it is damped.
) -> np.ndarray:
    """Plays a string: three bands of partials, the higher the faster they die."""
    frequency = frequency_hz(pitch)
    num_samples = _samples(length_s + ring_s)
    spectrum = np.abs(np.sin(HARMONICS * np.pi * position))
    spectrum /= HARMONICS ** (1.6 - brightness)
    sound = np.zeros(num_samples, np.float32)
    for first, last, share in ((1, 2, 1.0), (3, 7, 0.45), (8, 60, 0.2)):
        if first * frequency < 0.47 * SAMPLE_RATE_HZ:
            band = np.where((first <= HARMONICS) & (last >= HARMONICS), spectrum, 0)
            decay = np.exp(time_axis_s(num_samples) * np.float32(-1 / decay_s / share))
            sound += harmonic_wave(band[:60], frequency, num_samples) * decay
    return sound * envelope(num_samples, 0.002, None, 0.03)


def slide_guitar(
    pitch: int, length_s: float, random: np.random.Generator
) -> np.ndarray:
    """Plays a steel guitar: slides up into the note, slow vibrato, long decay."""
    num_samples = _samples(length_s + 0.15)
    time_s = time_axis_s(num_samples)
    bend = 1 - 0.06 * np.exp(-time_s / 0.07) + 0.004 * np.sin(33 * time_s)
    wave = harmonic_wave(HARMONICS**-1.5, frequency_hz(pitch) * bend, num_samples)
    return wave * envelope(num_samples, 0.02, 1.2)


def electric_piano(
    pitch: int, length_s: float, random: np.random.Generator
) -> np.ndarray:
    """Plays two frequency-modulated sines: a body and a short tine."""
    frequency, num_samples = frequency_hz(pitch), _samples(length_s + 0.2)
    time_s = time_axis_s(num_samples)
    body = 1.1 * np.exp(time_s * np.float32(-1 / 0.25)) * sine(frequency, num_samples)
    tine = np.exp(time_s * np.float32(-1 / 0.06)) * sine(14 * frequency, num_samples)
    wave = sine(frequency, num_samples, body + 0.25 * tine)
    return wave * envelope(num_samples, 0.003, 0.9)


def bell(pitch: int, length_s: float, random: np.random.Generator) -> np.ndarray:
    """Plays a bar: a sine and an inharmonic partial that dies quickly."""
    frequency, num_samples = frequency_hz(pitch), _samples(length_s + 0.4)
    strike = np.exp(time_axis_s(num_samples) * np.float32(-1 / 0.15))
    wave = sine(frequency, num_samples)
    wave = wave + 0.5 * strike * sine(2.76 * frequency, num_samples)
    return wave * envelope(num_samples, 0.002, 0.45)


def organ(pitch: int, length_s: float, random: np.random.Generator) -> np.ndarray:
    """Plays eight drawbars through a rotating speaker's vibrato."""
    num_samples = _samples(length_s + 0.06)
    vibrato = 1 + 0.004 * np.sin(42 * time_axis_s(num_samples))
    drawbars = (0.8, 1.0, 0.7, 0.5, 0.0, 0.2, 0.0, 0.3)
    wave = harmonic_wave(drawbars, frequency_hz(pitch) * vibrato, num_samples)
    return wave * envelope(num_samples, 0.008)


def ensemble(
    pitch: int,
    length_s: float,
    random: np.random.Generator,
    *,
    slope: float,  # Partial k has amplitude k ** -slope.
    attack_s: float,
    decay_s: float | None = None,
    vibrato: float = 0.0,  # Relative depth.
    vowel: bool = False,  # Whether partials around 800 Hz stand out, as in "ah".
    spread: float = 0.0,  # Deviation of a further relative detuning, for clusters.
) -> np.ndarray:
    """Plays three detuned voices of a sustained spectrum: strings, choirs, saws."""
    frequency, num_samples = frequency_hz(pitch), _samples(length_s + 0.1)
    spectrum = HARMONICS**-slope
    if vowel:
        peak = np.exp(-(((HARMONICS * frequency - 800) / 700) ** 2))
        spectrum = spectrum * (0.1 + peak)
    wobble = vibrato * np.sin(34 * time_axis_s(num_samples)) if vibrato else 0.0
    sound = np.zeros(num_samples, np.float32)
    for detuning in (-0.006, 0.0, 0.005):
        ratio = 1 + detuning + spread * random.standard_normal() + wobble
        phase = random.random()
        sound += harmonic_wave(spectrum, frequency * ratio, num_samples, phase)
    return sound * envelope(num_samples, attack_s, decay_s, 0.15)


def wind(
    pitch: int,
    length_s: float,
    random: np.random.Generator,
    *,
    slope: float,
    odd_partials: bool,
    breath: float,
) -> np.ndarray:
    """Plays brass, saxophone or harmonica: brighter when louder, delayed vibrato."""
    frequency, num_samples = frequency_hz(pitch), _samples(length_s + 0.06)
    time_s = time_axis_s(num_samples)
    spectrum = HARMONICS**-slope
    if odd_partials:
        spectrum = np.where(HARMONICS % 2 == 1, spectrum, 0.35 * spectrum)
    vibrato = 1 + 0.006 * np.sin(33.3 * time_s) * np.minimum(1, time_s / 0.25)
    loudness = envelope(num_samples, 0.04)
    bright = harmonic_wave(spectrum, frequency * vibrato, num_samples)
    dull = harmonic_wave(spectrum / HARMONICS, frequency * vibrato, num_samples)
    air = breath * white_noise(num_samples, random)
    return (0.5 * (bright * loudness + dull) + air) * loudness


def synthesizer(
    pitch: int,
    length_s: float,
    random: np.random.Generator,
    *,
    slope: float,
    even: float,
    decay_s: float | None = None,
    vibrato: float = 0.0,
) -> np.ndarray:
    """Plays one oscillator: square-like with few even partials, else a sawtooth."""
    num_samples = _samples(length_s + 0.06)
    spectrum = np.where(HARMONICS % 2 == 1, 1.0, even) * HARMONICS**-slope
    frequency = frequency_hz(pitch)
    if vibrato:
        frequency = frequency * (1 + vibrato * np.sin(36 * time_axis_s(num_samples)))
    wave = harmonic_wave(spectrum, frequency, num_samples)
    return wave * envelope(num_samples, 0.003, decay_s)


def sub_bass(pitch: int, length_s: float, random: np.random.Generator) -> np.ndarray:
    """Plays a saturated sine; short notes decay."""
    num_samples = _samples(length_s + 0.06)
    wave = np.tanh(1.6 * sine(frequency_hz(pitch), num_samples))
    return wave * envelope(num_samples, 0.01, 1.2 if length_s < 3 else None)


def noise_burst(pitch: int, length_s: float, random: np.random.Generator) -> np.ndarray:
    """Plays a band of noise around the pitch, its loudness trembling."""
    num_samples = _samples(length_s * random.uniform(0.2, 2.0) + 0.06)
    centre_hz = frequency_hz(pitch)
    band = high_pass(white_noise(num_samples, random), 0.6 * centre_hz, 2)
    band = low_pass(band, 1.6 * centre_hz)
    tremble = 1 + np.sin(2 * np.pi * random.uniform(5, 80) * time_axis_s(num_samples))
    return band * tremble.astype(np.float32) * envelope(num_samples, 0.01)


INSTRUMENTS: dict[str, Instrument] = {
    "crunch": partial(plucked_string, position=0.23, brightness=0.7, decay_s=1.5),
    "dist": partial(plucked_string, position=0.23, brightness=0.7, decay_s=1.5),
    "clean": partial(plucked_string, position=0.23, brightness=0.7, decay_s=0.6),
    "wah": partial(plucked_string, position=0.23, brightness=0.7, decay_s=0.25),
    "acoustic": partial(plucked_string, position=0.15, brightness=0.8, decay_s=0.7),
    "banjo": partial(plucked_string, position=0.07, brightness=1.1, decay_s=0.22),
    "harp": partial(plucked_string, position=0.4, brightness=0.3, decay_s=0.8),
    "bass": partial(plucked_string, position=0.3, brightness=0.25, decay_s=0.7),
    "slap bass": partial(plucked_string, position=0.08, brightness=1.0, decay_s=0.4),
    "piano": partial(
        plucked_string, position=0.12, brightness=0.35, decay_s=1.1, ring_s=0.25
    ),
    "sample": partial(plucked_string, position=0.12, brightness=0.35, decay_s=0.5),
    "steel": slide_guitar,
    "epiano": electric_piano,
    "bell": bell,
    "organ": organ,
    "strings": partial(ensemble, slope=1.25, attack_s=0.09, vibrato=0.004),
    "cello": partial(ensemble, slope=1.1, attack_s=0.12, vibrato=0.005),
    "pad": partial(ensemble, slope=1.9, attack_s=0.25),
    "choir": partial(ensemble, slope=1.5, attack_s=0.25, vowel=True),
    "saw": partial(ensemble, slope=1.25, attack_s=0.005, decay_s=0.4),
    "cluster": partial(ensemble, slope=1.9, attack_s=0.25, spread=0.06),
    "brass": partial(wind, slope=1.0, odd_partials=False, breath=0.0),
    "sax": partial(wind, slope=1.2, odd_partials=True, breath=0.06),
    "harmonica": partial(wind, slope=0.8, odd_partials=False, breath=0.06),
    "lead": partial(synthesizer, slope=1.0, even=0.15, vibrato=0.004),
    "pluck": partial(synthesizer, slope=1.0, even=0.9, decay_s=0.12),
    "synth bass": partial(synthesizer, slope=1.3, even=0.9, decay_s=0.25),
    "sub bass": sub_bass,
    "noise": noise_burst,
}


def amplify(instrument: str, sound: np.ndarray, attributes: Attributes) -> np.ndarray:
    """Sends a whole track through its amplifier, pedal or filter.

    The sound, float32 `[T]`, has a root mean square of 0.1.
    """
    if instrument == "dist":
        driven = np.tanh(45 * high_pass(sound, 120))
        return low_pass(high_pass(driven, 90), 4300)
    if instrument == "crunch":
        return low_pass(np.tanh(9 * sound), 4200)
    if instrument == "wah":
        pedal = sine(float(attributes.tempo_bpm) / 60, len(sound)) > 0
        closed, opened = low_pass(high_pass(sound, 300), 900), high_pass(sound, 1200)
        return np.where(pedal, closed, opened)
    if instrument in ("pad", "saw", "synth bass"):
        lowest_hz = 600 if instrument == "synth bass" else 900
        return low_pass(sound, lowest_hz * 2 ** (1.3 * (float(attributes.energy) + 1)))
    return sound
