"""Instruments: one function per family turns a pitch and a length into sound.

`instruments.toml` gives every instrument name of the styles its family and the family's
settings. Drums are sine sweeps and noise; singing, rapping, growling and robot voices
are a harmonic source through formants.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.signal import lfilter

from input_pipeline.corpora.synthetic.attributes import Attributes
from input_pipeline.corpora.synthetic.oscillators import (
    HARMONICS,
    SAMPLE_RATE_HZ,
    difference,
    envelope,
    frequency_hz,
    harmonic_wave,
    high_pass,
    low_pass,
    sine,
    time_axis_s,
    white_noise,
)
from input_pipeline.corpora.synthetic.styles import read_toml

INSTRUMENTS = read_toml("instruments.toml")

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
    body = 1.1 * _fade(tone.time_s, 0.25) * tone.sine()
    tine = _fade(tone.time_s, 0.06) * tone.sine(14)
    wave = tone.sine(phase=body + 0.25 * tine)
    return wave * envelope(tone.num_samples, 0.003, 0.9)


def bell(tone: Tone) -> np.ndarray:
    """Plays a bar: a sine and an inharmonic partial that dies quickly."""
    wave = tone.sine() + 0.5 * _fade(tone.time_s, 0.15) * tone.sine(2.76)
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
    bright = tone.wave(spectrum, vibrato)
    dull = tone.wave(spectrum / HARMONICS, vibrato)
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
    length_s = tone.length_s * random.uniform(0.2, 2.0) + 0.06
    num_samples = int(length_s * SAMPLE_RATE_HZ)
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


# Of bright noise.
_CYMBALS_S = {
    "closed hat": 0.03, "ride": 0.12, "crash": 0.35, "tambourine": 0.06, "brush": 0.08,
}  # fmt: skip


def drum(
    name: str, electronic: bool, gated: bool, random: np.random.Generator
) -> np.ndarray:
    """Strikes a drum, perhaps a drum machine's, perhaps with the eighties' gate.

    The names are "kick", "snare", "brush", "clap", "closed hat", "ride", "crash",
    "tambourine" and "tom 0" to "tom 3".

    Returns:
        float32 `[T]`, half a second (crash: 0.9).
    """
    num_samples = int(SAMPLE_RATE_HZ * (0.9 if name == "crash" else 0.5))
    time_s, noise = time_axis_s(num_samples), white_noise(num_samples, random)
    if name == "kick":
        return _kick(time_s, noise, electronic)
    if name == "snare":
        return _snare(time_s, noise, electronic, gated)
    if name == "clap":
        return _clap(time_s, difference(noise))
    if name.startswith("tom"):
        turns = (117 - 5 * int(name[-1])) * time_s + 0.6 * (1 - _fade(time_s, 0.05))
        return np.sin(2 * np.pi * turns) * _fade(time_s, 0.14)
    if name not in _CYMBALS_S:
        raise ValueError(f"Unknown drum {name!r}; choose from {sorted(_CYMBALS_S)}.")
    hiss = difference(noise)
    brighter = hiss if name in ("brush", "crash") else difference(hiss)
    return 0.55 * brighter * _fade(time_s, _CYMBALS_S[name])


def _fade(time_s: np.ndarray, constant_s: float) -> np.ndarray:
    """Returns an exponential decay, float32 `[T]`."""
    return np.exp(time_s * np.float32(-1 / constant_s))


def _kick(time_s: np.ndarray, noise: np.ndarray, electronic: bool) -> np.ndarray:
    """Makes a sine that falls to 48 Hz; longer and from higher up on a machine."""
    sweep, length_s = (3.2, 0.28) if electronic else (1.6, 0.09)
    turns = 48 * time_s + sweep * (1 - _fade(time_s, 0.03))
    body = np.sin(2 * np.pi * turns) * _fade(time_s, length_s)
    return 1.4 * body + 0.35 * noise * _fade(time_s, 0.004)


def _snare(
    time_s: np.ndarray, noise: np.ndarray, electronic: bool, gated: bool
) -> np.ndarray:
    """Makes a drum at 190 Hz under noise, which the eighties hold and cut."""
    rattle = difference(noise) if electronic else noise
    shape = _fade(time_s, 0.26 if gated else 0.16)
    if gated:
        shape = shape * (time_s < 0.22)
    body = np.sin(2 * np.pi * 190 * time_s) * _fade(time_s, 0.05)
    return 0.5 * body + 0.8 * rattle * shape


def _clap(time_s: np.ndarray, hiss: np.ndarray) -> np.ndarray:
    """Makes three bursts 11 ms apart and a tail."""
    bursts = [
        _fade(np.maximum(0, time_s - start), 0.012) * (time_s >= start)
        for start in (0.0, 0.011, 0.023)
    ]
    return hiss * (0.7 * sum(bursts) + 0.3 * _fade(time_s, 0.09))


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
    if random.random() < 0.5:  # Every second time a consonant, 30 ms of hiss.
        burst = min(len(sound), int(0.03 * SAMPLE_RATE_HZ))
        loudness = 0.2 if singer.delivery == "robot" else 1.2
        sound[:burst] += loudness * difference(noise[:burst])
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
