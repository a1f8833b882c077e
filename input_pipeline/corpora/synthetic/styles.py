"""Twenty-seven styles as data: what each of them may be played with.

A pool is written `"rock*3 pop"`: draw "rock" three times as often as "pop". Pools
overlap on purpose: no instrument, drum pattern or bass line belongs to one style alone,
so a style is recognised by how things go together and not by a single sound.
"""

from dataclasses import dataclass

ERAS = ("60s", "70s", "80s", "90s", "00s")
NOTHING = "none"


@dataclass(frozen=True)
class Style:
    """The pools and averages one style draws from."""

    weight: float  # Share of the corpus, relative to the other styles' weights.
    tempo_bpm: tuple[float, float]  # Slowest and fastest tempo.
    drums: str  # Pool of drum patterns (names in `patterns.DRUMS`).
    bass: str  # Pool of bass lines (names in `patterns.BASSES`).
    lead: str  # Pool of `instrument:pattern` for the layer that always plays.
    second: str  # Pool for the second layer.
    third: str  # Pool for the third layer.
    eras: tuple[float, float, float, float, float]  # Weights of the five `ERAS`.
    voice: float  # Probability of a voice.
    female: float  # Probability that a single voice is a woman's.
    energy: float  # Average energy, -1 (asleep) to 1 (furious).
    valence: float  # Average mood, -1 (gloomy) to 1 (cheerful).
    swing: float = 0.0  # Share of clips whose off-beats are late.
    # Pool of chord progressions (names in `patterns.PROGRESSIONS`).
    harmony: str = "pop"


STYLES = {
    "classic rock": Style(
        45, (90, 145), "rock*5 hard*2 pop shuffle soul", "root8*4 root synco walk4",
        "crunch:strum*4 crunch:riff*4 clean:strum organ:pad",
        "organ:pad*5 piano:eighths crunch:power clean:arpeggio none*2",
        "crunch:solo*2 none*3", (2, 7, 2, 0.5, 0.5), 0.92, 0.16, 0.3, 0.1, 0.05,
        "rock*3 pop blues",
    ),
    "hard rock": Style(
        35, (95, 155), "hard*4 rock*3 punk", "root8*4 riff root16",
        "dist:power*3 dist:riff*3 crunch:riff*2 crunch:power8",
        "dist:riff crunch:strum dist:power organ:pad none*2",
        "dist:solo*2 none*3", (0.5, 3, 3, 2, 2), 0.95, 0.1, 0.65, -0.1, 0,
        "rock*3 metal pop",
    ),
    "heavy metal": Style(
        30, (110, 185), "hard*4 rock punk blast", "root8*3 root16*2 riff",
        "dist:gallop*4 dist:riff*3 dist:power",
        "dist:solo*3 dist:power*2 crunch:riff none", "strings:pad choir:pad none*4",
        (0, 1, 5, 2, 2), 0.88, 0.1, 0.85, -0.45, 0, "metal*4 rock",
    ),
    "extreme metal": Style(
        20, (135, 220), "blast*4 hard*2 punk", "root16*3 root8*2",
        "dist:tremolo*4 dist:power8*2 dist:gallop*2",
        "dist:power*2 dist:tremolo dist:riff none", "strings:pad none*4",
        (0, 0.3, 2, 4, 4), 0.92, 0.06, 0.95, -0.75, 0, "metal",
    ),
    "punk": Style(
        40, (140, 210), "punk*5 rock hard*2", "root8*5 root16 root",
        "crunch:power8*4 dist:power8*3 crunch:strum", "crunch:riff clean:strum none*4",
        "none*5 crunch:solo", (0, 3, 3, 3, 3), 0.97, 0.16, 0.75, 0.25, 0,
        "rock*2 pop*3",
    ),
    "alternative rock": Style(
        55, (80, 150), "rock*5 hard*2 pop*2 punk", "root8*4 root*2 riff",
        "dist:power*6 crunch:strum*2 dist:riff crunch:power8",
        "clean:arpeggio*6 dist:solo strings:pad none*2", "pad:pad organ:pad none*4",
        (0, 0.3, 1, 5, 4), 0.95, 0.22, 0.4, -0.3, 0, "pop*2 rock*3",
    ),
    "indie rock": Style(
        55, (90, 165), "rock*4 pop*3 punk four*2", "root8*4 root*2 octave",
        "clean:strum*4 crunch:strum*2 clean:riff*2 crunch:riff",
        "clean:arpeggio*3 crunch:riff organ:pad bell:arpeggio none*2",
        "none*4 lead:riff", (0, 0.3, 1, 3, 6), 0.95, 0.27, 0.2, 0, 0, "pop*3 rock*2",
    ),
    "indie pop": Style(
        30, (90, 150), "pop*4 rock*2 four brush none", "root*3 root8*2 synco",
        "clean:strum*3 acoustic:strum*3 clean:arpeggio*2 piano:eighths",
        "bell:arpeggio*3 organ:pad piano:arpeggio strings:pad none",
        "brass:stab bell:loop none*3", (0.2, 0.3, 1, 3, 6), 0.95, 0.5, 0.1, 0.4, 0,
        "pop*4 doowop",
    ),
    "progressive rock": Style(
        42, (75, 145), "rock*3 hard soul pop", "riff*3 root8*2 drone",
        "organ:pad*2 strings:pad*2 organ:riff dist:riff*2 clean:arpeggio",
        "clean:arpeggio*2 dist:riff*2 piano:arpeggio lead:riff none",
        "lead:solo*3 dist:solo*3 organ:solo none", (1, 5, 2, 1, 1), 0.55, 0.12, 0.2,
        -0.2, 0, "static*2 rock*2 metal",
    ),
    "pop": Style(
        78, (76, 132), "pop*5 rock*2 four*2 808 none", "root*3 root8*2 octave synco",
        "piano:stab*2 acoustic:strum*3 clean:arpeggio*2 pad:pad epiano:stab "
        "clean:strum*2",
        "strings:pad*2 pad:pad*2 acoustic:strum piano:arpeggio clean:offbeat none",
        "bell:loop strings:pad none*4", (0.5, 1, 5, 3, 3), 1.0, 0.5, 0.1, 0.2, 0,
        "pop*4 doowop rock",
    ),
    "dance pop": Style(
        35, (104, 134), "four*4 pop*2 electro", "octave*3 offbeat*2 pulse sub",
        "saw:stab*3 pluck:arpeggio*2 piano:stab*2 clean:funk",
        "pad:pad*3 strings:pad saw:arpeggio none", "lead:riff bell:loop none*4",
        (0, 1, 6, 3, 4), 0.98, 0.65, 0.55, 0.4, 0, "pop*3 static",
    ),
    "doo-wop": Style(
        35, (66, 135), "pop*3 shuffle*3 brush*2 soul rock", "root*3 walk4*2 boom walk",
        "piano:eighths*3 clean:offbeat*2 clean:strum*2 piano:arpeggio",
        "choir:pad*3 strings:pad*2 sax:solo organ:pad none", "none*4 brass:stab",
        (8, 2, 0.3, 0.2, 0.2), 1.0, 0.37, -0.1, 0.4, 0.6, "doowop*3 pop blues",
    ),
    "soul": Style(
        50, (70, 125), "soul*4 pop*2 funk shuffle four", "synco*4 root*2 slap walk",
        "organ:pad*2 epiano:stab*2 clean:offbeat*2 piano:stab*2 clean:funk",
        "brass:stab*3 strings:pad*2 clean:offbeat none*2", "none*4 sax:solo choir:pad",
        (4, 4, 1, 1, 1), 0.97, 0.5, 0.1, 0.15, 0.15, "pop*2 static doowop jazz",
    ),
    "funk": Style(
        32, (90, 122), "funk*4 soul*2 four hiphop", "slap*4 synco*3 octave",
        "wah:funk*4 clean:funk*3 epiano:stab",
        "brass:stab*3 epiano:stab clean:offbeat none",
        "organ:pad none*2 sax:solo*2", (1, 6, 3, 1, 1), 0.78, 0.3, 0.55, 0.4, 0.1,
        "static*3 blues",
    ),
    "rnb": Style(
        32, (60, 104), "808*6 hiphop*2 pop soul", "sub*4 synco*2 root",
        "epiano:pad*5 pad:pad*2 clean:arpeggio piano:stab",
        "harp:arpeggio*4 pluck:arpeggio*2 strings:pad epiano:stab none*2",
        "none*4 bell:loop", (0, 0.3, 2, 5, 5), 1.0, 0.6, -0.2, 0.0, 0.3, "pop*2 jazz*2",
    ),
    "hip-hop": Style(
        56, (76, 108), "hiphop*5 808*2 funk", "sub*4 synco root",
        "sample:loop*3 epiano:stab*2 piano:loop*2 strings:stab",
        "strings:stab brass:stab sample:loop pad:pad none*3", "none*4 lead:riff",
        (0, 0.3, 2, 5, 4), 0.97, 0.13, 0.3, -0.2, 0.35, "static*4 pop",
    ),
    "house": Style(
        30, (114, 132), "four*6 electro", "offbeat*3 octave*2 sub*2 pulse",
        "piano:stab*3 organ:stab*2 saw:stab*2 epiano:stab",
        "pad:pad*3 pluck:arpeggio*2 strings:pad none", "none*3 sample:loop lead:riff",
        (0, 0.2, 2, 5, 4), 0.5, 0.75, 0.65, 0.3, 0.25, "static*3 jazz pop",
    ),
    "electro": Style(
        33, (100, 142), "electro*4 four*3 glitch", "pulse*4 octave*2 sub",
        "saw:arpeggio*3 saw:stab*2 lead:riff*2 pluck:arpeggio",
        "lead:riff*2 pluck:arpeggio*2 noise:burst pad:pad none", "none*4 sample:loop",
        (0, 0.2, 3, 3, 6), 0.55, 0.3, 0.55, -0.1, 0, "static*3 pop",
    ),
    "intelligent dance": Style(
        28, (86, 168), "glitch*4 electro*2 hiphop none", "sub*3 pulse*2 drone none",
        "pluck:arpeggio*3 bell:arpeggio*2 epiano:loop*2 pad:pad",
        "pad:pad*3 bell:sparse saw:arpeggio none", "none*3 noise:burst sample:loop",
        (0, 0.2, 1, 5, 5), 0.27, 0.6, 0.15, -0.2, 0, "static*2 pop",
    ),
    "ambient": Style(
        42, (50, 95), "none*8 glitch brush", "drone*4 none*3 sub",
        "pad:pad*4 strings:pad*2 choir:pad*2 epiano:pad",
        "choir:pad bell:sparse*2 piano:sparse*2 clean:arpeggio strings:pad none",
        "noise:burst none*3", (0, 1, 2, 4, 4), 0.08, 0.7, -0.8, -0.1, 0, "static*3 pop",
    ),
    "downtempo": Style(
        28, (70, 110), "hiphop*4 808*2 glitch soul none", "sub*4 drone synco",
        "pad:pad*3 epiano:stab*2 epiano:pad clean:arpeggio*2",
        "clean:arpeggio sample:loop*2 piano:sparse strings:pad none*2",
        "sax:solo bell:sparse none*4", (0, 0.3, 1, 5, 5), 0.55, 0.7, -0.5, 0, 0.3,
        "static*2 jazz*2",
    ),
    "jazz": Style(
        116, (70, 220), "swing*5 brush*3 none soul", "walk*6 root none*2",
        "piano:comp*4 clean:comp*3 epiano:comp brass:stab",
        "sax:solo*3 brass:solo*2 piano:solo*2 clean:solo none*2",
        "none*5 strings:pad brass:stab", (1.5, 2, 1, 3, 3), 0.3, 0.7, -0.1, 0.1, 0.85,
        "jazz*5 blues",
    ),
    "blues": Style(
        45, (60, 135), "shuffle*8 rock soul brush swing", "walk4*6 walk*2 root8 root",
        "clean:strum*2 piano:eighths*2 crunch:riff*2 clean:comp acoustic:strum",
        "crunch:solo*3 harmonica:solo*2 clean:solo*2 none",
        "organ:pad none*4 piano:comp",
        (1, 2, 2, 2, 2), 0.87, 0.2, 0, -0.2, 0.75, "blues*6 rock",
    ),
    "country": Style(
        50, (80, 155), "train*4 pop*2 brush rock shuffle", "boom*5 root*2 walk4",
        "acoustic:offbeat*3 acoustic:strum*3 clean:strum*2",
        "steel:solo*3 banjo:arpeggio*3 clean:riff harmonica:solo none*2",
        "steel:pad none*3 piano:comp", (2, 3, 2, 2, 3), 0.97, 0.36, 0.1, 0.3, 0.1,
        "pop*2 doowop*2 blues",
    ),
    "folk": Style(
        54, (70, 140), "none*6 brush*2 train", "none*5 root*2 boom",
        "acoustic:fingerpick*5 acoustic:strum*2 banjo:arpeggio harp:arpeggio",
        "strings:pad harmonica:solo banjo:arpeggio piano:arpeggio none*4",
        "none*4 acoustic:solo", (1, 3, 1, 2, 4), 0.95, 0.42, -0.5, -0.1, 0,
        "pop*3 static",
    ),
    "easy listening": Style(
        22, (58, 115), "brush*4 swing*2 pop none*2", "root*3 walk*2 none",
        "strings:pad*3 piano:arpeggio*2 clean:comp piano:comp",
        "piano:arpeggio*2 sax:solo*2 choir:pad harp:arpeggio strings:pad none",
        "none*4 bell:sparse", (5, 4, 2, 1, 0.5), 0.6, 0.4, -0.6, 0.3, 0.4,
        "jazz*2 doowop pop",
    ),
    "experimental": Style(
        28, (55, 175), "glitch*3 none*4 hiphop rock", "none*4 drone*2 riff",
        "noise:burst*3 cluster:pad*3 lead:random*2 piano:random",
        "cluster:pad lead:random dist:tremolo bell:sparse clean:random none",
        "noise:burst none*3", (1, 2, 2, 3, 4), 0.32, 0.4, 0.1, -0.4, 0,
        "static*3 metal",
    ),
}  # fmt: skip

# What any style may borrow for its third layer, so that no layer names a style.
BORROWED_LAYERS = (
    "strings:pad*3 organ:pad*2 pad:pad*3 piano:arpeggio*2 piano:stab*2 "
    "clean:arpeggio*2 acoustic:strum*2 bell:loop*2 sax:solo*2 brass:stab*2 choir:pad*2 "
    "sample:loop crunch:riff*2 lead:riff*2 harmonica:solo epiano:stab*2 "
    "banjo:arpeggio harp:arpeggio"
)
BORROWING_PROBABILITY = 0.25

# Styles with an unplugged take: acoustic guitar, perhaps a piano, brushes or no drums.
UNPLUGGED_STYLES = (
    "alternative rock", "indie rock", "indie pop", "pop", "country", "classic rock",
    "blues", "doo-wop", "soul", "folk",
)  # fmt: skip

GUITARS = ("crunch", "dist", "clean", "wah", "acoustic", "steel")
UNPLUGGED_INSTRUMENTS = (
    "acoustic", "piano", "strings", "harmonica", "banjo", "bell", "harp",
)  # fmt: skip
SUSTAINED_SOFT_INSTRUMENTS = ("epiano", "pad", "strings", "clean", "choir", "harp")


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
