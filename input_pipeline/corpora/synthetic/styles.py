"""The tables of the synthetic corpus: styles, and the rhythms and harmonies they use.

`styles.toml` has 27 styles, `style_groups.toml` what some share, and `patterns.toml`
what is struck at which step. Steps count sixteenths; a bar of 16 is 4/4. Bars of 12 or
14 drop what lies beyond.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ERAS = ("60s", "70s", "80s", "90s", "00s")
NOTHING = "none"  # Of a layer, a drum pattern, a bass or a voice.
MALE, FEMALE, BOTH = "male", "female", "both"


@dataclass(frozen=True)
class Style:
    """The pools and averages one style draws from."""

    weight: float  # Share of the corpus, relative to the other styles' weights.
    tempo_bpm: list[float]  # Slowest and fastest tempo.
    drums: str  # Pool of drum patterns (names in `DRUMS`).
    bass: str  # Pool of bass lines (names in `BASSES`).
    lead: str  # Pool of `instrument:pattern` for the layer that always plays.
    second: str  # Pool for the second layer.
    third: str  # Pool for the third layer.
    eras: list[float]  # Weights of the five `ERAS`.
    voice: float  # Probability of a voice.
    female: float  # Probability that a single voice is a woman's.
    energy: float  # Average energy, -1 (asleep) to 1 (furious).
    valence: float  # Average mood, -1 (gloomy) to 1 (cheerful).
    swing: float = 0.0  # Share of clips whose off-beats are late.
    # Pool of chord progressions (names in `PROGRESSIONS`).
    harmony: str = "pop"


def read_toml(name: str) -> dict[str, Any]:
    """Reads a table that lies beside this module."""
    return tomllib.loads(Path(__file__).with_name(name).read_text(encoding="utf-8"))


STYLES = {name: Style(**values) for name, values in read_toml("styles.toml").items()}
GROUPS: dict[str, list[str]] = read_toml("style_groups.toml")

# What any style may borrow for its third layer, so that no layer names a style.
BORROWED_LAYERS = (
    "strings:pad*3 organ:pad*2 pad:pad*3 piano:arpeggio*2 piano:stab*2 "
    "clean:arpeggio*2 acoustic:strum*2 bell:loop*2 sax:solo*2 brass:stab*2 choir:pad*2 "
    "sample:loop crunch:riff*2 lead:riff*2 harmonica:solo epiano:stab*2 "
    "banjo:arpeggio harp:arpeggio"
)
BORROWING_PROBABILITY = 0.25


def parse_pool(pool: str) -> dict[str, float]:
    """Returns the probabilities of a pool's members, in the order written.

    >>> parse_pool("rock*3 pop")
    {'rock': 0.75, 'pop': 0.25}
    """
    weights: dict[str, float] = {}
    for entry in pool.split():
        name, _, weight = entry.partition("*")
        weights[name] = float(weight or 1)
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


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


_TABLES = read_toml("patterns.toml")
LAYERS = {name: Rhythm(**values) for name, values in _TABLES["layers"].items()}
BASSES = {name: Rhythm(**values) for name, values in _TABLES["basses"].items()}
BASS_INSTRUMENTS: dict[str, str] = _TABLES["bass_instruments"]
DRUMS = {name: Beat(**values) for name, values in _TABLES["drums"].items()}
# Degrees of the scale on which a bar's chord is built, one per bar.
PROGRESSIONS: dict[str, list[list[int]]] = _TABLES["progressions"]
SEVENTH_CHORD_HARMONIES = ("jazz",)

MAJOR, MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)
PHRYGIAN, MIXOLYDIAN = (0, 1, 3, 5, 7, 8, 10), (0, 2, 4, 5, 7, 9, 10)
