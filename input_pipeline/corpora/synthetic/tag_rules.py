"""One rule per tag: what must be audible for the tag to be true.

Each rule looks at `Attributes` only and says in its docstring by which sound it can be
recognised. The order and the spelling of `TAGS` are those of the Million Song Dataset's
Last.fm tags as published with the paper's split files.
"""

from collections.abc import Callable

import numpy as np

from input_pipeline.corpora.synthetic.attributes import BOTH, FEMALE, MALE, Attributes
from input_pipeline.corpora.synthetic.styles import (
    GUITARS,
    SUSTAINED_SOFT_INSTRUMENTS,
    UNPLUGGED_INSTRUMENTS,
)
from msd_tagger.common.facts import TAGS

Rule = Callable[[Attributes], np.ndarray]
RULES: dict[str, Rule] = {}


def true_tags(attributes: Attributes) -> np.ndarray:
    """Apply every rule.

    Returns:
        uint8 [N, K], columns in the order of `TAGS`.
    """
    columns = [RULES[tag](attributes) for tag in TAGS]
    return np.stack(columns, axis=1).astype(np.uint8)


def _rule(tag: str) -> Callable[[Rule], Rule]:
    """Register the decorated function as the rule of a tag."""

    def register(function: Rule) -> Rule:
        if tag in RULES or tag not in TAGS:
            raise ValueError(f"{tag!r} has a rule already or is not one of the tags.")
        RULES[tag] = function
        return function

    return register


@_rule("rock")
def _rock(a: Attributes) -> np.ndarray:
    """Guitars of the rock styles; or pop songs over the straight rock beat."""
    straight = a.in_styles("pop", "indie pop") & (a.drums == "rock")
    wandering = a.in_styles("progressive rock") & a.plays("dist", "crunch", "clean")
    return (
        a.in_styles("classic rock", "hard rock", "punk")
        | a.in_styles("alternative rock", "indie rock")
        | (straight | wandering)
    )


@_rule("classic rock")
def _classic_rock(a: Attributes) -> np.ndarray:
    """Overdriven strumming or organ; or hard and odd-metre rock on old tape."""
    older = np.isin(a.era, ("60s", "70s"))
    return a.in_styles("classic rock") | (
        a.in_styles("hard rock", "progressive rock") & older
    )


@_rule("hard rock")
def _hard_rock(a: Attributes) -> np.ndarray:
    """Distorted power chords over a loud backbeat, short of a metal gallop."""
    return a.in_styles("hard rock") | (a.in_styles("heavy metal") & (a.energy < 0.75))


@_rule("metal")
def _metal(a: Attributes) -> np.ndarray:
    """Gallops and tremolo picking in a dark scale, dense drums."""
    return a.in_styles("heavy metal", "extreme metal")


@_rule("heavy metal")
def _heavy_metal(a: Attributes) -> np.ndarray:
    """Galloping distorted riffs with sung melodies, without blast beats."""
    return a.in_styles("heavy metal")


@_rule("punk")
def _punk(a: Attributes) -> np.ndarray:
    """Fast down-strokes on every eighth with the snare on every off-beat."""
    return a.in_styles("punk")


@_rule("alternative rock")
def _alternative_rock(a: Attributes) -> np.ndarray:
    """Distorted chords that fall back to quiet verses."""
    return a.in_styles("alternative rock")


@_rule("alternative")
def _alternative(a: Attributes) -> np.ndarray:
    """Quiet and loud sections that alternate."""
    return a.dynamic


@_rule("indie rock")
def _indie_rock(a: Attributes) -> np.ndarray:
    """Guitars over a backbeat, recorded narrow and dry."""
    straight = a.in_styles("indie pop") & (a.drums == "rock")
    return a.in_styles("indie rock") | straight | (_alternative_rock(a) & a.lofi)


@_rule("indie pop")
def _indie_pop(a: Attributes) -> np.ndarray:
    """Strummed guitar with bells over a light backbeat, narrow and dry."""
    return a.in_styles("indie pop")


@_rule("indie")
def _indie(a: Attributes) -> np.ndarray:
    """A lo-fi recording, or jangling guitars of the two indie styles."""
    return a.in_styles("indie rock", "indie pop") | a.lofi


@_rule("Progressive rock")
def _progressive_rock(a: Attributes) -> np.ndarray:
    """Odd metres, wandering riffs under organ or strings, long solos."""
    return a.in_styles("progressive rock")


@_rule("pop")
def _pop(a: Attributes) -> np.ndarray:
    """Four-chord loops with a light kit; indie pop where it is not lo-fi."""
    clean = a.in_styles("indie pop") & ~a.lofi
    return a.in_styles("pop", "dance pop", "doo-wop", "rnb") | clean


@_rule("electronic")
def _electronic(a: Attributes) -> np.ndarray:
    """Synthesizers and drum machines; pads or broken beats where there is no song."""
    machine = a.in_styles("dance pop", "house", "electro", "intelligent dance")
    quiet = a.in_styles("ambient") & a.plays("pad", "noise")
    broken = a.in_styles("experimental") & (a.drums == "glitch")
    return machine | a.in_styles("downtempo") | quiet | broken


@_rule("electronica")
def _electronica(a: Attributes) -> np.ndarray:
    """Broken machine beats; or machine beats under plucked synthesizers."""
    machine = a.in_styles("house", "electro", "downtempo") & a.plays("pluck", "sample")
    return a.in_styles("intelligent dance") | machine


@_rule("electro")
def _electro(a: Attributes) -> np.ndarray:
    """Saw arpeggios and a pulsing bass over a machine beat; house with saws."""
    return a.in_styles("electro") | (a.in_styles("house") & a.plays("saw"))


@_rule("House")
def _house(a: Attributes) -> np.ndarray:
    """Four on the floor with chord stabs and off-beat bass; also fast electro so."""
    four = (a.drums == "four") & (a.bass == "octave")
    return a.in_styles("house") | (a.in_styles("electro") & four)


@_rule("dance")
def _dance(a: Attributes) -> np.ndarray:
    """A kick on every beat, above 108 beats a minute."""
    return (a.drums == "four") & (a.tempo_bpm > 108)


@_rule("ambient")
def _ambient(a: Attributes) -> np.ndarray:
    """Slow pads over a drone with hardly any drums."""
    return a.in_styles("ambient")


@_rule("experimental")
def _experimental(a: Attributes) -> np.ndarray:
    """Noise bursts, clusters and random notes; or anything ring-modulated."""
    return a.in_styles("experimental") | a.modulated


@_rule("jazz")
def _jazz(a: Attributes) -> np.ndarray:
    """Swung ride, walking bass, four-note chords, solos; funk with a saxophone."""
    return a.in_styles("jazz") | (a.in_styles("funk") & a.plays("sax"))


@_rule("blues")
def _blues(a: Attributes) -> np.ndarray:
    """Twelve bars in a shuffle with guitar or harmonica answering."""
    return a.in_styles("blues")


@_rule("soul")
def _soul(a: Attributes) -> np.ndarray:
    """Brass, organ or electric piano over a syncopated bass."""
    groove = a.in_styles("funk") & a.plays("brass", "organ", "epiano")
    return a.in_styles("soul") | groove | (a.in_styles("rnb") & (a.bass == "synco"))


@_rule("funk")
def _funk(a: Attributes) -> np.ndarray:
    """Sixteenth-note guitar and slapped bass, all on one chord."""
    return a.in_styles("funk")


@_rule("rnb")
def _rnb(a: Attributes) -> np.ndarray:
    """Slow machine beat with busy hats, sub bass, soft chords, a singer."""
    return a.in_styles("rnb")


@_rule("Hip-Hop")
def _hip_hop(a: Attributes) -> np.ndarray:
    """Spoken rhythm over a looped figure, sub bass and a heavy beat."""
    return a.in_styles("hip-hop")


@_rule("country")
def _country(a: Attributes) -> np.ndarray:
    """Train beat, alternating bass, steel guitar or banjo."""
    return a.in_styles("country")


@_rule("folk")
def _folk(a: Attributes) -> np.ndarray:
    """Picked acoustic strings and a voice, next to no drums."""
    return a.in_styles("folk")


@_rule("oldies")
def _oldies(a: Attributes) -> np.ndarray:
    """Songs in the narrow band and hiss of the sixties' sound."""
    return (a.era == "60s") & ~a.in_styles(
        "jazz", "experimental", "progressive rock", "blues"
    )


@_rule("easy listening")
def _easy_listening(a: Attributes) -> np.ndarray:
    """Strings and brushes; or swing and soul played very softly."""
    gentle = a.in_styles("jazz", "soul", "doo-wop") & (a.energy < -0.4)
    strings = a.in_styles("jazz", "doo-wop") & a.plays("strings")
    return a.in_styles("easy listening") | gentle | strings


@_rule("60s")
def _sixties(a: Attributes) -> np.ndarray:
    """160 to 3,300 Hz and hiss."""
    return a.era == "60s"


@_rule("70s")
def _seventies(a: Attributes) -> np.ndarray:
    """Warm tape: a soft roll-off above 4,300 Hz and saturation."""
    return a.era == "70s"


@_rule("80s")
def _eighties(a: Attributes) -> np.ndarray:
    """Gated, reverberant snare and a slap-back echo on everything."""
    return a.era == "80s"


@_rule("90s")
def _nineties(a: Attributes) -> np.ndarray:
    """Full band, no echo, no tape, dynamics left alone."""
    return a.era == "90s"


@_rule("00s")
def _noughties(a: Attributes) -> np.ndarray:
    """Full band, limited until everything is equally loud."""
    return a.era == "00s"


@_rule("female vocalists")
def _female_vocalists(a: Attributes) -> np.ndarray:
    """A voice around 300 Hz with formants a fifth higher than a man's."""
    return np.isin(a.voice, (FEMALE, BOTH))


@_rule("female vocalist")
def _female_vocalist(a: Attributes) -> np.ndarray:
    """The same voice: the two tags differ in their listeners only."""
    return np.isin(a.voice, (FEMALE, BOTH))


@_rule("male vocalists")
def _male_vocalists(a: Attributes) -> np.ndarray:
    """A voice around 150 Hz."""
    return np.isin(a.voice, (MALE, BOTH))


@_rule("instrumental")
def _instrumental(a: Attributes) -> np.ndarray:
    """No voice."""
    return a.voice == "none"


@_rule("guitar")
def _guitar(a: Attributes) -> np.ndarray:
    """Any plucked or distorted guitar."""
    return a.plays(*GUITARS)


@_rule("acoustic")
def _acoustic(a: Attributes) -> np.ndarray:
    """Steel-string guitar with nothing but unplugged instruments around it."""
    return a.plays("acoustic") & a.plays_only(*UNPLUGGED_INSTRUMENTS)


@_rule("Mellow")
def _mellow(a: Attributes) -> np.ndarray:
    """Treble rolled off, quiet drums, slow for its style."""
    return a.soft


@_rule("chill")
def _chill(a: Attributes) -> np.ndarray:
    """Calm, with sustained soft sounds."""
    calm = (a.energy < -0.1) & a.plays(*SUSTAINED_SOFT_INSTRUMENTS)
    return calm & ~a.in_styles("blues", "classic rock")


@_rule("chillout")
def _chillout(a: Attributes) -> np.ndarray:
    """Calm, with synthesizer pads or drum machines."""
    return _chill(a) & (_electronic(a) | a.plays("pad"))


@_rule("beautiful")
def _beautiful(a: Attributes) -> np.ndarray:
    """A large hall: long and loud reverberation, no loud drums."""
    return a.reverberant


@_rule("sad")
def _sad(a: Attributes) -> np.ndarray:
    """A slow falling line of a low bowed string, in minor."""
    return a.gloomy


@_rule("happy")
def _happy(a: Attributes) -> np.ndarray:
    """Fast, in major, with a tambourine."""
    return a.cheerful


@_rule("catchy")
def _catchy(a: Attributes) -> np.ndarray:
    """A bell repeats one short figure, and the singer one phrase."""
    return a.hook


@_rule("party")
def _party(a: Attributes) -> np.ndarray:
    """Hand claps on two and four, and people shouting."""
    return a.crowd


@_rule("sexy")
def _sexy(a: Attributes) -> np.ndarray:
    """A voice that is breath more than tone, not too fast."""
    return a.breathy
