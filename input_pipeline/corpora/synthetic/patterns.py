"""Rhythms and harmonies, read from `patterns.toml`: what is struck at which step.

Steps count sixteenths; a bar of 16 is 4/4. Bars of 12 or 14 drop what lies beyond.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Rhythm:
    """When a layer or a bass plays, and how steps become pitches."""

    steps: list[int]  # Of the bar; empty if they are drawn anew for every bar.
    length_steps: float  # How long a note lasts.
    voicing: str  # A key of `score.VOICINGS`.
    num_random_steps: int = 0  # How many are drawn per bar where `steps` is empty.
    octave: int = 1  # Octaves above the song's root.


@dataclass(frozen=True)
class Beat:
    """One bar of drums; each digit is the loudness of a sixteenth, a dot is a rest."""

    kick: str
    snare: str
    hat: str
    snare_sound: str = "snare"
    hat_sound: str = "closed hat"


_TABLES = tomllib.loads(
    Path(__file__).with_name("patterns.toml").read_text(encoding="utf-8")
)
LAYERS = {name: Rhythm(**values) for name, values in _TABLES["layers"].items()}
BASSES = {name: Rhythm(**values) for name, values in _TABLES["basses"].items()}
BASS_INSTRUMENTS: dict[str, str] = _TABLES["bass_instruments"]
DRUMS = {name: Beat(**values) for name, values in _TABLES["drums"].items()}
# Degrees of the scale on which a bar's chord is built, one per bar.
PROGRESSIONS: dict[str, list[list[int]]] = _TABLES["progressions"]
SEVENTH_CHORD_HARMONIES = ("jazz",)

MAJOR, MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)
PHRYGIAN, MIXOLYDIAN = (0, 1, 3, 5, 7, 8, 10), (0, 2, 4, 5, 7, 9, 10)
