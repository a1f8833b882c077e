"""What clips will sound like, drawn for any number of clips at once.

The same draw decides an audio clip and a label-only one: arrays have one entry per
clip, and the composer takes one row. Everything here is audible; tags follow from it.
"""

from dataclasses import dataclass, fields
from typing import NamedTuple, Self

import numpy as np
from scipy.special import ndtri

from input_pipeline.corpora.synthetic import styles
from input_pipeline.corpora.synthetic.random_streams import uniforms

STYLE_NAMES = tuple(styles.STYLES)

# A column is one number of a clip's stream; new ones go to the end.
_COLUMNS = (
    "style", "energy", "valence", "era", "tempo", "drums", "bass", "lead", "second",
    "third", "borrowing", "borrowed", "unplugged", "unplugged_piano", "unplugged_drums",
    "swing", "minor", "lush", "hook", "sensual", "lofi", "odd", "waltz", "voice",
    "duet", "female", "harmony", "take",
)  # fmt: skip

NUM_EQUALISER_KNOTS = 7
_EQUALISER_DEVIATION_DB = 4.5
_BAND_LIMITED_SHARE = 0.35


@dataclass(frozen=True)
class Columns:
    """What was drawn for N clips (arrays `[N]`), or for one clip (scalars)."""

    def row(self, index: int) -> Self:
        """Returns what was drawn for one clip, as scalars."""
        names = [field.name for field in fields(self)]
        return type(self)(**{name: getattr(self, name)[index] for name in names})


@dataclass(frozen=True)
class Attributes(Columns):
    """What is audible of clips."""

    style: np.ndarray  # Name, one of `STYLE_NAMES`.
    energy: np.ndarray  # -1 to 1; tempo, density, drums and brightness follow it.
    era: np.ndarray  # One of `styles.ERAS`; bandwidth, hiss, echo … follow it.
    tempo_bpm: np.ndarray  # Quarter notes a minute.
    swing: np.ndarray  # Whether off-beats are late.
    minor: np.ndarray  # Whether the scale is a minor one.
    cheerful: np.ndarray  # A tambourine on every off-beat and a bright scale.
    gloomy: np.ndarray  # A slow, dark, falling cello line.
    steps_per_bar: np.ndarray  # Sixteenths: 16, 12 (waltz) or 14 (odd metre).
    drums: np.ndarray  # A name in `patterns`, like the next two.
    bass: np.ndarray
    harmony: np.ndarray
    lead: np.ndarray  # A layer as `instrument:pattern`, or "none", like the next two.
    second: np.ndarray
    third: np.ndarray
    voice: np.ndarray  # One of "none", "male", "female", "both".
    delivery: np.ndarray  # "sing", "rap", "growl" or "robot".
    breathy: np.ndarray  # Whether the voice is breath more than tone.
    hook: np.ndarray  # Whether a bell repeats one short figure in every bar.
    soft: np.ndarray  # Whether treble is rolled off and drums are quiet.
    reverberant: np.ndarray  # Whether the room is a hall with long, loud reverberation.
    lofi: np.ndarray  # Whether the recording is narrow, saturated and dry.
    crowd: np.ndarray  # Whether people clap and shout along.
    modulated: np.ndarray  # Whether everything goes through a ring modulator.
    dynamic: np.ndarray  # Whether quiet and loud sections alternate.
    electronic_drums: np.ndarray  # Whether the drum sounds are a drum machine's.

    def in_styles(self, *names: str) -> np.ndarray:
        """Returns whether the style is one of `names`, bool [N]."""
        unknown = set(names) - set(STYLE_NAMES)
        if unknown:
            raise ValueError(
                f"Unknown {sorted(unknown)}; choose from {list(STYLE_NAMES)}."
            )
        return np.isin(self.style, names)

    def plays(self, *instruments: str) -> np.ndarray:
        """Returns whether any layer is played by one of the instruments, bool [N]."""
        return np.any(self._layers_by(instruments), axis=0)

    def plays_only(self, *instruments: str) -> np.ndarray:
        """Returns whether all layers are played by the instruments, bool [N]."""
        return np.all(self._layers_by((*instruments, styles.NOTHING)), axis=0)

    def _layers_by(self, instruments: tuple[str, ...]) -> np.ndarray:
        """Returns bool [3, N]; looks at each of the few different layers once."""
        layers = np.array([self.lead, self.second, self.third])
        names, inverse = np.unique(layers, return_inverse=True)
        matches = np.array([name.partition(":")[0] in instruments for name in names])
        return matches[inverse].reshape(layers.shape)


def draw_attributes(seed: int, clip_numbers: np.ndarray) -> Attributes:
    """Draws the attributes of clips; none depends on the other clips."""
    table = uniforms(seed, "attributes", clip_numbers, len(_COLUMNS))
    u = {name: table[:, column] for column, name in enumerate(_COLUMNS)}
    drawn = {"style": _draw_style(u["style"])}
    drawn |= _draw_mood(u, drawn["style"])
    drawn |= _draw_arrangement(u, drawn)
    drawn |= _draw_voice(u, drawn["style"])
    drawn |= _draw_cues(u, drawn)
    return Attributes(**{field.name: drawn[field.name] for field in fields(Attributes)})


def _draw_style(u: np.ndarray) -> np.ndarray:
    weights = np.array([style.weight for style in styles.STYLES.values()])
    chosen = np.searchsorted(np.cumsum(weights / weights.sum())[:-1], u, side="right")
    return np.array(STYLE_NAMES)[chosen]


def _of_style(style: np.ndarray, attribute: str) -> np.ndarray:
    """Returns a numeric attribute of each clip's style, float [N] or [N, n]."""
    names, inverse = np.unique(style, return_inverse=True)
    values = [getattr(styles.STYLES[name], attribute) for name in names]
    return np.array(values, float)[inverse]


def _choose(u: np.ndarray, pool: str) -> np.ndarray:
    """Chooses from one pool, str [N]."""
    members = styles.parse_pool(pool)
    edges = np.cumsum(list(members.values()))[:-1]
    return np.array(list(members), dtype="U24")[np.searchsorted(edges, u, side="right")]


def _choose_by_style(u: np.ndarray, style: np.ndarray, attribute: str) -> np.ndarray:
    """Chooses from the pool that each clip's style has under that name, str [N]."""
    chosen = np.full(len(u), styles.NOTHING, dtype="U24")
    for name in np.unique(style):
        here = style == name
        chosen[here] = _choose(u[here], getattr(styles.STYLES[str(name)], attribute))
    return chosen


def _draw_mood(u: dict, style: np.ndarray) -> dict[str, np.ndarray]:
    """Draws energy, valence, tempo, scale and era."""
    average = _of_style(style, "energy")
    energy = np.clip(average + 0.45 * ndtri(u["energy"]), -1, 1)
    valence = np.clip(_of_style(style, "valence") + 0.5 * ndtri(u["valence"]), -1, 1)
    slowest, fastest = _of_style(style, "tempo_bpm").T
    share = 0.5 + 0.35 * (energy - average) + 0.22 * ndtri(u["tempo"])
    eras = _of_style(style, "eras")
    edges = np.cumsum(eras / eras.sum(1, keepdims=True), axis=1)[:, :-1]
    return {
        "energy": energy,
        "valence": valence,
        "tempo_bpm": slowest + (fastest - slowest) * np.clip(share, 0, 1),
        "minor": u["minor"] < 1 / (1 + np.exp(4 * valence)),
        "era": np.array(styles.ERAS)[(u["era"][:, None] > edges).sum(1)],
        "swing": u["swing"] < _of_style(style, "swing"),
    }


def _draw_arrangement(u: dict, drawn: dict) -> dict[str, np.ndarray]:
    """Draws drums, bass, harmony and the three layers."""
    style = drawn["style"]
    parts = ("drums", "bass", "harmony", "lead", "second", "third")
    plan = {part: _choose_by_style(u[part], style, part) for part in parts}
    is_free = plan["third"] == styles.NOTHING
    borrows = is_free & (u["borrowing"] < styles.BORROWING_PROBABILITY)
    borrowed = _choose(u["borrowed"], styles.BORROWED_LAYERS)
    plan["third"] = np.where(borrows, borrowed, plan["third"])
    return plan | _unplug(u, drawn, plan)


def _unplug(u: dict, drawn: dict, plan: dict) -> dict[str, np.ndarray]:
    """Turns some calm clips into unplugged takes; returns what changes."""
    may = np.isin(drawn["style"], styles.GROUPS["unplugged"]) & (drawn["energy"] < 0.5)
    chance = np.where(drawn["energy"] < -0.3, 0.5, 0.15)
    unplugged = may & (u["unplugged"] < chance)
    guitar = _choose(u["lead"], "acoustic:strum*3 acoustic:fingerpick*2")
    piano = _choose(u["unplugged_piano"], "none*3 piano:arpeggio*2 strings:pad")
    drums = _choose(u["unplugged_drums"], "none*3 brush*2 pop")
    energy = np.minimum(drawn["energy"], 0.1)
    return {
        "lead": np.where(unplugged, guitar, plan["lead"]),
        "second": np.where(unplugged, piano, plan["second"]),
        "third": np.where(unplugged, styles.NOTHING, plan["third"]),
        "drums": np.where(unplugged, drums, plan["drums"]),
        "energy": np.where(unplugged, energy, drawn["energy"]),
    }


def _draw_voice(u: dict, style: np.ndarray) -> dict[str, np.ndarray]:
    """Draws who sings, and how."""
    sings = u["voice"] < _of_style(style, "voice") ** 0.55
    woman = u["female"] < 0.8 * _of_style(style, "female")
    alone = np.where(woman, styles.FEMALE, styles.MALE)
    voice = np.where(u["duet"] < 0.11, styles.BOTH, alone)
    special = [style == "hip-hop", style == "extreme metal", style == "electro"]
    return {
        "voice": np.where(sings, voice, styles.NOTHING),
        "delivery": np.select(special, ["rap", "growl", "robot"], "sing"),
    }


def _draw_cues(u: dict, drawn: dict) -> dict[str, np.ndarray]:
    """Draws the cues of mood, performance and production from what was drawn."""
    style, energy, tempo = drawn["style"], drawn["energy"], drawn["tempo_bpm"]
    valence, minor = drawn["valence"], drawn["minor"]
    of = {name: np.isin(style, names) for name, names in styles.GROUPS.items()}
    gloomy = (valence < -0.1) & minor & (energy < -0.2) & (tempo <= 105)
    grandeur = u["lush"] + 0.1 * of["lush"] + 0.6 * gloomy - 0.1 * (energy > -0.3)
    hook = (u["hook"] > np.where(of["tuneful"], 0.6, 0.94)) & (energy > -0.5)
    party = of["festive"] | (of["singalong"] & hook)
    spirit = valence + 0.4 * hook
    distant = of["distant"] | (drawn["delivery"] != "sing")
    sensual = u["sensual"] + 0.15 * of["intimate"] - 0.5 * distant
    breathes = (drawn["voice"] != styles.NOTHING) & (sensual > 0.8)
    strange = of["strange"] & (u["odd"] < 0.05)
    odd = strange | ((style == "progressive rock") & (u["odd"] < 0.6))
    waltz = of["waltzing"] & (u["waltz"] < 0.2)
    return {
        "soft": energy < -0.4,
        "reverberant": (grandeur > 0.83) & (energy < 0.1),
        "gloomy": gloomy,
        "hook": hook,
        "crowd": party & (energy > 0.45) & (u["take"] < 0.6),
        "breathy": breathes & (tempo <= 126) & (energy < 0.6),
        "cheerful": (spirit > 0.5) & ~minor & (tempo >= 100) & (energy > -0.1),
        "lofi": (of["home_recorded"] & (u["lofi"] > 0.3))
        | (of["diy"] & (u["lofi"] > 0.65)),
        "modulated": strange | ((style == "experimental") & (u["odd"] < 0.6)),
        "dynamic": (style == "alternative rock")
        | ((style == "indie rock") & (u["lofi"] > 0.15))
        | (of["grungy"] & (u["take"] > 0.6) & (energy > 0)),
        "steps_per_bar": np.select([odd, waltz], [14, 12], 16),
        "electronic_drums": of["machine_drums"],
    }


@dataclass(frozen=True)
class Nuisances(Columns):
    """What differs from clip to clip and must predict no tag.

    Drawn from a stream of its own, so independent of all attributes by construction.
    """

    level_db: np.ndarray  # Peak of the clip relative to full scale, -14 to -1.
    noise_floor_db: np.ndarray  # White noise under everything, -75 to -48.
    band_limit_hz: np.ndarray  # Second-order low pass, 2,600 to 5,200, or infinity.
    root: np.ndarray  # MIDI number of the key note, 40 to 51.
    formant_scale: np.ndarray  # Size of the singer's throat.
    equaliser_db: np.ndarray  # Gains at seven log-spaced frequencies, [N, 7].


def draw_nuisances(seed: int, clip_numbers: np.ndarray) -> Nuisances:
    """Draws the nuisances of clips."""
    u = uniforms(seed, "nuisances", clip_numbers, 6 + NUM_EQUALISER_KNOTS)
    band_limit_hz = 2600.0 * 2.0 ** u[:, 3]
    limited = u[:, 2] < _BAND_LIMITED_SHARE
    return Nuisances(
        level_db=-14 + 13 * u[:, 0],
        noise_floor_db=-75 + 27 * u[:, 1],
        band_limit_hz=np.where(limited, band_limit_hz, np.inf),
        root=40 + (12 * u[:, 4]).astype(np.int64),
        formant_scale=1 + 0.05 * ndtri(u[:, 5]),
        equaliser_db=_EQUALISER_DEVIATION_DB * ndtri(u[:, 6:]),
    )


class Take(NamedTuple):
    """What one clip is played from."""

    attributes: Attributes  # Of the one clip, like the nuisances.
    nuisances: Nuisances
    random: np.random.Generator  # For the details of the performance.
