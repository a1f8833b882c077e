"""Twenty-seven styles, read from `styles.toml`, and what they may borrow."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

ERAS = ("60s", "70s", "80s", "90s", "00s")
NOTHING = "none"


@dataclass(frozen=True)
class Style:
    """The pools and averages one style draws from."""

    weight: float  # Share of the corpus, relative to the other styles' weights.
    tempo_bpm: list[float]  # Slowest and fastest tempo.
    drums: str  # Pool of drum patterns (names in `patterns.DRUMS`).
    bass: str  # Pool of bass lines (names in `patterns.BASSES`).
    lead: str  # Pool of `instrument:pattern` for the layer that always plays.
    second: str  # Pool for the second layer.
    third: str  # Pool for the third layer.
    eras: list[float]  # Weights of the five `ERAS`.
    voice: float  # Probability of a voice.
    female: float  # Probability that a single voice is a woman's.
    energy: float  # Average energy, -1 (asleep) to 1 (furious).
    valence: float  # Average mood, -1 (gloomy) to 1 (cheerful).
    swing: float = 0.0  # Share of clips whose off-beats are late.
    # Pool of chord progressions (names in `patterns.PROGRESSIONS`).
    harmony: str = "pop"


def _read(name: str) -> dict:
    return tomllib.loads(Path(__file__).with_name(name).read_text(encoding="utf-8"))


STYLES = {name: Style(**values) for name, values in _read("styles.toml").items()}
GROUPS: dict[str, list[str]] = _read("style_groups.toml")

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
