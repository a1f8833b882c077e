"""One rule per tag: what must be audible for the tag to be true.

Each rule looks at `Attributes` only and says by which sound it can be recognised. The
tags are those of the Million Song Dataset's Last.fm tags as published with the paper's
split files.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from input_pipeline.corpora.synthetic.attributes import BOTH, FEMALE, MALE, Attributes
from input_pipeline.corpora.synthetic.styles import (
    GUITARS,
    SUSTAINED_SOFT_INSTRUMENTS,
    UNPLUGGED_INSTRUMENTS,
)
from msd_tagger.common.facts import TAGS


class Rule(NamedTuple):
    """When a tag is true."""

    cue: str  # How a listener recognises it.
    holds: Callable[[Attributes], np.ndarray]  # Of N clips: bool [N].


def true_tags(attributes: Attributes) -> np.ndarray:
    """Applies every rule: uint8 `[N, K]`, columns in the order of `TAGS`."""
    columns = [RULES[tag].holds(attributes) for tag in TAGS]
    return np.stack(columns, axis=1).astype(np.uint8)


def _in(*styles: str) -> Callable[[Attributes], np.ndarray]:
    return lambda a: a.in_styles(*styles)


def _era(name: str) -> Callable[[Attributes], np.ndarray]:
    return lambda a: a.era == name


def _sung_by(voice: str) -> Callable[[Attributes], np.ndarray]:
    return lambda a: np.isin(a.voice, (voice, BOTH))


def _is_calm(a: Attributes) -> np.ndarray:
    calm = (a.energy < -0.1) & a.plays(*SUSTAINED_SOFT_INSTRUMENTS)
    return calm & ~a.in_styles("blues", "classic rock")


def _is_electronic(a: Attributes) -> np.ndarray:
    return (
        a.in_styles("dance pop", "house", "electro", "intelligent dance", "downtempo")
        | (a.in_styles("ambient") & a.plays("pad", "noise"))
        | (a.in_styles("experimental") & (a.drums == "glitch"))
    )


RULES = {
    "rock": Rule(
        "Guitars of the rock styles; or pop songs over the straight rock beat.",
        lambda a: (
            a.in_styles("classic rock", "hard rock", "punk")
            | a.in_styles("alternative rock", "indie rock")
            | (a.in_styles("pop", "indie pop") & (a.drums == "rock"))
            | (a.in_styles("progressive rock") & a.plays("dist", "crunch", "clean"))
        ),
    ),
    "classic rock": Rule(
        "Overdriven strumming or organ; or hard and odd-metre rock on old tape.",
        lambda a: (
            a.in_styles("classic rock")
            | a.in_styles("hard rock", "progressive rock")
            & np.isin(a.era, ("60s", "70s"))
        ),
    ),
    "hard rock": Rule(
        "Distorted power chords over a loud backbeat, short of a metal gallop.",
        lambda a: (
            a.in_styles("hard rock") | (a.in_styles("heavy metal") & (a.energy < 0.75))
        ),
    ),
    "metal": Rule(
        "Gallops and tremolo picking in a dark scale, dense drums.",
        _in("heavy metal", "extreme metal"),
    ),
    "heavy metal": Rule(
        "Galloping distorted riffs with sung melodies, without blast beats.",
        _in("heavy metal"),
    ),
    "punk": Rule(
        "Fast down-strokes on every eighth with the snare on every off-beat.",
        _in("punk"),
    ),
    "alternative rock": Rule(
        "Distorted chords that fall back to quiet verses.", _in("alternative rock")
    ),
    "alternative": Rule("Quiet and loud sections that alternate.", lambda a: a.dynamic),
    "indie rock": Rule(
        "Guitars over a backbeat, recorded narrow and dry.",
        lambda a: (
            a.in_styles("indie rock")
            | (a.in_styles("indie pop") & (a.drums == "rock"))
            | (a.in_styles("alternative rock") & a.lofi)
        ),
    ),
    "indie pop": Rule(
        "Strummed guitar with bells over a light backbeat, narrow and dry.",
        _in("indie pop"),
    ),
    "indie": Rule(
        "A lo-fi recording, or jangling guitars of the two indie styles.",
        lambda a: a.in_styles("indie rock", "indie pop") | a.lofi,
    ),
    "Progressive rock": Rule(
        "Odd metres, wandering riffs under organ or strings, long solos.",
        _in("progressive rock"),
    ),
    "pop": Rule(
        "Four-chord loops with a light kit; indie pop where it is not lo-fi.",
        lambda a: (
            a.in_styles("pop", "dance pop", "doo-wop", "rnb")
            | (a.in_styles("indie pop") & ~a.lofi)
        ),
    ),
    "electronic": Rule(
        "Synthesizers and drum machines; pads or broken beats where there is no song.",
        _is_electronic,
    ),
    "electronica": Rule(
        "Broken machine beats; or machine beats under plucked synthesizers.",
        lambda a: (
            a.in_styles("intelligent dance")
            | a.in_styles("house", "electro", "downtempo") & a.plays("pluck", "sample")
        ),
    ),
    "electro": Rule(
        "Saw arpeggios and a pulsing bass over a machine beat; house with saws.",
        lambda a: a.in_styles("electro") | (a.in_styles("house") & a.plays("saw")),
    ),
    "House": Rule(
        "Four on the floor with chord stabs and off-beat bass; also fast electro so.",
        lambda a: (
            a.in_styles("house")
            | (a.in_styles("electro") & (a.drums == "four") & (a.bass == "octave"))
        ),
    ),
    "dance": Rule(
        "A kick on every beat, above 108 beats a minute.",
        lambda a: (a.drums == "four") & (a.tempo_bpm > 108),
    ),
    "ambient": Rule("Slow pads over a drone with hardly any drums.", _in("ambient")),
    "experimental": Rule(
        "Noise bursts, clusters and random notes; or anything ring-modulated.",
        lambda a: a.in_styles("experimental") | a.modulated,
    ),
    "jazz": Rule(
        "Swung ride, walking bass, four-note chords, solos; funk with a saxophone.",
        lambda a: a.in_styles("jazz") | (a.in_styles("funk") & a.plays("sax")),
    ),
    "blues": Rule(
        "Twelve bars in a shuffle with guitar or harmonica answering.", _in("blues")
    ),
    "soul": Rule(
        "Brass, organ or electric piano over a syncopated bass.",
        lambda a: (
            a.in_styles("soul")
            | (a.in_styles("funk") & a.plays("brass", "organ", "epiano"))
            | (a.in_styles("rnb") & (a.bass == "synco"))
        ),
    ),
    "funk": Rule(
        "Sixteenth-note guitar and slapped bass, all on one chord.", _in("funk")
    ),
    "rnb": Rule(
        "Slow machine beat with busy hats, sub bass, soft chords, a singer.", _in("rnb")
    ),
    "Hip-Hop": Rule(
        "Spoken rhythm over a looped figure, sub bass and a heavy beat.", _in("hip-hop")
    ),
    "country": Rule(
        "Train beat, alternating bass, steel guitar or banjo.", _in("country")
    ),
    "folk": Rule("Picked acoustic strings and a voice, next to no drums.", _in("folk")),
    "oldies": Rule(
        "Songs in the narrow band and hiss of the sixties' sound.",
        lambda a: (
            (a.era == "60s")
            & ~a.in_styles("jazz", "experimental", "progressive rock", "blues")
        ),
    ),
    "easy listening": Rule(
        "Strings and brushes; or swing and soul played very softly.",
        lambda a: (
            a.in_styles("easy listening")
            | (a.in_styles("jazz", "soul", "doo-wop") & (a.energy < -0.4))
            | (a.in_styles("jazz", "doo-wop") & a.plays("strings"))
        ),
    ),
    "60s": Rule("160 to 3,300 Hz and hiss.", _era("60s")),
    "70s": Rule(
        "Warm tape: a soft roll-off above 4,300 Hz and saturation.", _era("70s")
    ),
    "80s": Rule(
        "Gated, reverberant snare and a slap-back echo on everything.", _era("80s")
    ),
    "90s": Rule("Full band, no echo, no tape, dynamics left alone.", _era("90s")),
    "00s": Rule("Full band, limited until everything is equally loud.", _era("00s")),
    "female vocalists": Rule(
        "A voice around 300 Hz with formants a fifth higher than a man's.",
        _sung_by(FEMALE),
    ),
    "female vocalist": Rule(
        "The same voice: the two tags differ in their listeners only.", _sung_by(FEMALE)
    ),
    "male vocalists": Rule("A voice around 150 Hz.", _sung_by(MALE)),
    "instrumental": Rule("No voice.", lambda a: a.voice == "none"),
    "guitar": Rule("Any plucked or distorted guitar.", lambda a: a.plays(*GUITARS)),
    "acoustic": Rule(
        "Steel-string guitar with nothing but unplugged instruments around it.",
        lambda a: a.plays("acoustic") & a.plays_only(*UNPLUGGED_INSTRUMENTS),
    ),
    "Mellow": Rule(
        "Treble rolled off, quiet drums, slow for its style.", lambda a: a.soft
    ),
    "chill": Rule("Calm, with sustained soft sounds.", _is_calm),
    "chillout": Rule(
        "Calm, with synthesizer pads or drum machines.",
        lambda a: _is_calm(a) & (_is_electronic(a) | a.plays("pad")),
    ),
    "beautiful": Rule(
        "A large hall: long and loud reverberation, no loud drums.",
        lambda a: a.reverberant,
    ),
    "sad": Rule(
        "A slow falling line of a low bowed string, in minor.", lambda a: a.gloomy
    ),
    "happy": Rule("Fast, in major, with a tambourine.", lambda a: a.cheerful),
    "catchy": Rule(
        "A bell repeats one short figure, and the singer one phrase.", lambda a: a.hook
    ),
    "party": Rule(
        "Hand claps on two and four, and people shouting.", lambda a: a.crowd
    ),
    "sexy": Rule(
        "A voice that is breath more than tone, not too fast.", lambda a: a.breathy
    ),
}
