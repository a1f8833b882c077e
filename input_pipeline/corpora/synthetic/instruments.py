"""Instruments: one function per family turns a pitch and a length into sound.

`instruments.toml` gives every instrument name of the styles its family and the family's
settings. Drums are in `drums`, voices in `voices`.
"""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

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

_TABLE = Path(__file__).with_name("instruments.toml").read_text(encoding="utf-8")
INSTRUMENTS = tomllib.loads(_TABLE)


class Tone(NamedTuple):
    """What a family is asked to play."""

    frequency: float  # Of the first partial, in Hz.
    length_s: float  # Until it is damped.
    num_samples: int  # With what rings on.
    random: np.random.Generator

    @property
    def time_s(self) -> np.ndarray:
        """The sample times, float32 `[T]`."""
        return time_axis_s(self.num_samples)

    def decay(self, constant_s: float) -> np.ndarray:
        """Returns an exponential decay, float32 `[T]`."""
        return np.exp(self.time_s * np.float32(-1 / constant_s))

    def wave(self, spectrum: np.ndarray, bend: np.ndarray | float = 1.0) -> np.ndarray:
        """Plays a harmonic spectrum, perhaps with a changing pitch."""
        return harmonic_wave(spectrum, self.frequency * bend, self.num_samples)

    def sine(self, ratio: float = 1.0, phase: np.ndarray | float = 0.0) -> np.ndarray:
        """Plays one partial, at a multiple of the frequency."""
        return sine(ratio * self.frequency, self.num_samples, phase)


def play(
    instrument: str, pitch: int, length_s: float, random: np.random.Generator
) -> np.ndarray:
    """Plays a note of an instrument of the table: samples at `SAMPLE_RATE_HZ`."""
    settings = dict(INSTRUMENTS[instrument])
    family, ring_s = FAMILIES[settings.pop("family")], settings.pop("ring_s")
    num_samples = int((length_s + ring_s) * SAMPLE_RATE_HZ)
    return family(Tone(frequency_hz(pitch), length_s, num_samples, random), **settings)


def plucked_string(
    tone: Tone, position: float, brightness: float, decay_s: float
) -> np.ndarray:
    """Plays a string: three bands of partials, the higher the faster they die.

    The position is a share of its length, the brightness from 0 to 1, and `decay_s` the
    time constant of the lowest two partials.
    """
    spectrum = np.abs(np.sin(HARMONICS * np.pi * position))
    spectrum /= HARMONICS ** (1.6 - brightness)
    sound = np.zeros(tone.num_samples, np.float32)
    for first, last, share in ((1, 2, 1.0), (3, 7, 0.45), (8, 60, 0.2)):
        if first * tone.frequency < 0.47 * SAMPLE_RATE_HZ:
            band = np.where((first <= HARMONICS) & (last >= HARMONICS), spectrum, 0)
            decay = np.exp(tone.time_s * np.float32(-1 / decay_s / share))
            sound += tone.wave(band[:60]) * decay
    return sound * envelope(tone.num_samples, 0.002, None, 0.03)


def slide_guitar(tone: Tone) -> np.ndarray:
    """Plays a steel guitar: slides up into the note, slow vibrato, long decay."""
    bend = 1 - 0.06 * np.exp(-tone.time_s / 0.07) + 0.004 * np.sin(33 * tone.time_s)
    return tone.wave(HARMONICS**-1.5, bend) * envelope(tone.num_samples, 0.02, 1.2)


def electric_piano(tone: Tone) -> np.ndarray:
    """Plays two frequency-modulated sines: a body and a short tine."""
    body = 1.1 * tone.decay(0.25) * tone.sine()
    tine = tone.decay(0.06) * tone.sine(14)
    wave = tone.sine(phase=body + 0.25 * tine)
    return wave * envelope(tone.num_samples, 0.003, 0.9)


def bell(tone: Tone) -> np.ndarray:
    """Plays a bar: a sine and an inharmonic partial that dies quickly."""
    wave = tone.sine() + 0.5 * tone.decay(0.15) * tone.sine(2.76)
    return wave * envelope(tone.num_samples, 0.002, 0.45)


def organ(tone: Tone) -> np.ndarray:
    """Plays eight drawbars through a rotating speaker's vibrato."""
    vibrato = 1 + 0.004 * np.sin(42 * tone.time_s)
    drawbars = np.array([0.8, 1.0, 0.7, 0.5, 0.0, 0.2, 0.0, 0.3])
    return tone.wave(drawbars, vibrato) * envelope(tone.num_samples, 0.008)


def ensemble(
    tone: Tone,
    slope: float,  # Partial k has amplitude k ** -slope.
    attack_s: float,
    decay_s: float | None = None,
    vibrato: float = 0.0,  # Relative depth.
    vowel: bool = False,  # Whether partials around 800 Hz stand out, as in "ah".
    spread: float = 0.0,  # Deviation of a further relative detuning, for clusters.
) -> np.ndarray:
    """Plays three detuned voices of a sustained spectrum: strings, choirs, saws."""
    frequency, num_samples, random = tone.frequency, tone.num_samples, tone.random
    spectrum = HARMONICS**-slope
    if vowel:
        peak = np.exp(-(((HARMONICS * frequency - 800) / 700) ** 2))
        spectrum = spectrum * (0.1 + peak)
    wobble = vibrato * np.sin(34 * tone.time_s) if vibrato else 0.0
    sound = np.zeros(num_samples, np.float32)
    for detuning in (-0.006, 0.0, 0.005):
        ratio = 1 + detuning + spread * random.standard_normal() + wobble
        phase = random.random()
        sound += harmonic_wave(spectrum, frequency * ratio, num_samples, phase)
    return sound * envelope(num_samples, attack_s, decay_s, 0.15)


def wind(tone: Tone, slope: float, odd_partials: bool, breath: float) -> np.ndarray:
    """Plays brass, saxophone or harmonica: brighter when louder, delayed vibrato."""
    spectrum = HARMONICS**-slope
    if odd_partials:
        spectrum = np.where(HARMONICS % 2 == 1, spectrum, 0.35 * spectrum)
    vibrato = 1 + 0.006 * np.sin(33.3 * tone.time_s) * np.minimum(1, tone.time_s / 0.25)
    loudness = envelope(tone.num_samples, 0.04)
    bright, dull = (
        tone.wave(spectrum, vibrato),
        tone.wave(spectrum / HARMONICS, vibrato),
    )
    air = breath * white_noise(tone.num_samples, tone.random)
    return (0.5 * (bright * loudness + dull) + air) * loudness


def synthesizer(
    tone: Tone,
    slope: float,
    even: float,
    decay_s: float | None = None,
    vibrato: float = 0.0,
) -> np.ndarray:
    """Plays one oscillator: square-like with few even partials, else a sawtooth."""
    spectrum = np.where(HARMONICS % 2 == 1, 1.0, even) * HARMONICS**-slope
    bend = 1 + vibrato * np.sin(36 * tone.time_s) if vibrato else 1.0
    return tone.wave(spectrum, bend) * envelope(tone.num_samples, 0.003, decay_s)


def sub_bass(tone: Tone) -> np.ndarray:
    """Plays a saturated sine; short notes decay."""
    decay_s = 1.2 if tone.length_s < 3 else None
    return np.tanh(1.6 * tone.sine()) * envelope(tone.num_samples, 0.01, decay_s)


def noise_burst(tone: Tone) -> np.ndarray:
    """Plays a band of noise around the pitch, its loudness trembling."""
    random = tone.random
    num_samples = int(
        (tone.length_s * random.uniform(0.2, 2.0) + 0.06) * SAMPLE_RATE_HZ
    )
    band = high_pass(white_noise(num_samples, random), 0.6 * tone.frequency, 2)
    band = low_pass(band, 1.6 * tone.frequency)
    tremble = 1 + np.sin(2 * np.pi * random.uniform(5, 80) * time_axis_s(num_samples))
    return band * tremble.astype(np.float32) * envelope(num_samples, 0.01)


_FAMILIES = (
    plucked_string, slide_guitar, electric_piano, bell, organ, ensemble, wind,
    synthesizer, sub_bass, noise_burst,
)  # fmt: skip
FAMILIES: dict[str, Callable[..., np.ndarray]] = {f.__name__: f for f in _FAMILIES}


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
