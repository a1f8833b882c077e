"""Rhythms and harmonies as data: what is struck at which sixteenth of a bar.

Steps count sixteenths; a bar of 16 is 4/4. Bars of 12 or 14 drop what lies beyond.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rhythm:
    """When a layer or a bass plays, and how steps become pitches."""

    # Sixteenths of the bar at which it plays; empty if drawn per bar.
    steps: tuple[int, ...]
    length_steps: float  # How long a note lasts.
    voicing: str  # A key of `score.VOICINGS`.
    num_random_steps: int = (
        0  # How many steps are drawn per bar where `steps` is empty.
    )
    octave: int = 1  # Octaves above the song's root.


_EIGHTHS = tuple(range(0, 16, 2))
_SIXTEENTHS = tuple(range(16))

LAYERS = {
    "pad": Rhythm((0,), 15.7, "chord"),
    "strum": Rhythm((0, 4, 6, 10, 12, 14), 2.2, "strum"),
    "eighths": Rhythm(_EIGHTHS, 1.8, "chord"),
    "power": Rhythm((0, 3, 6, 8, 11, 14), 3.0, "power"),
    "power8": Rhythm(_EIGHTHS, 1.3, "power"),
    "gallop": Rhythm((0, 2, 3, 4, 6, 7, 8, 10, 11, 12, 14, 15), 1.1, "power"),
    "tremolo": Rhythm(_SIXTEENTHS, 1.1, "tremolo"),
    "arpeggio": Rhythm(_EIGHTHS, 2.5, "arpeggio"),
    "fingerpick": Rhythm(_EIGHTHS, 5.0, "fingerpick"),
    "stab": Rhythm((0, 6, 10), 1.8, "chord"),
    "offbeat": Rhythm((4, 12), 1.8, "chord"),
    "funk": Rhythm((0, 3, 4, 7, 10, 11, 14), 0.9, "chord"),
    "comp": Rhythm((), 1.6, "chord", num_random_steps=3),
    "loop": Rhythm((), 2.5, "motif", num_random_steps=5, octave=2),
    "riff": Rhythm((), 2.0, "riff", num_random_steps=6),
    "solo": Rhythm((), 2.0, "solo"),
    "random": Rhythm((), 2.0, "anything", num_random_steps=6),
    "sparse": Rhythm((), 12.0, "scattered", num_random_steps=2),
    "burst": Rhythm((), 3.0, "anything", num_random_steps=3),
}

BASSES = {
    "root": Rhythm((0, 6, 8), 4.5, "root"),
    "root8": Rhythm(_EIGHTHS, 1.7, "root"),
    "root16": Rhythm(_SIXTEENTHS, 0.9, "root"),
    "octave": Rhythm(_EIGHTHS, 1.5, "octave"),
    "offbeat": Rhythm((2, 6, 10, 14), 1.6, "root"),
    "pulse": Rhythm(_SIXTEENTHS, 0.8, "root"),
    "synco": Rhythm((0, 3, 6, 8, 11, 14), 1.7, "root"),
    "slap": Rhythm((0, 3, 5, 6, 10, 11, 13), 1.2, "octave"),
    "riff": Rhythm((0, 3, 4, 7, 10, 12), 1.8, "scale"),
    "walk": Rhythm((0, 4, 8, 12), 3.6, "walk"),
    "walk4": Rhythm(_EIGHTHS, 1.7, "boogie"),
    "boom": Rhythm((0, 8), 3.0, "fifths"),
    "sub": Rhythm((0, 10), 5.0, "root"),
    "drone": Rhythm((0,), 16.0, "root"),
}

BASS_INSTRUMENTS = {
    "slap": "slap bass", "sub": "sub bass", "drone": "sub bass", "pulse": "synth bass",
    "octave": "synth bass", "offbeat": "synth bass",
}  # fmt: skip


@dataclass(frozen=True)
class Beat:
    """One bar of drums; each digit is the loudness of a sixteenth, a dot is a rest."""

    kick: str
    snare: str
    hat: str
    snare_sound: str = "snare"
    hat_sound: str = "closed hat"


DRUMS = {
    "rock": Beat("9.......9.7.....", "....9.......9...", "7.5.7.5.7.5.7.5."),
    "hard": Beat("9...7...9.7.9...", "....9.......9...", "9...9...9...9...",
                 hat_sound="ride"),
    "punk": Beat("9...9...9...9...", "..9...9...9...9.", "9.9.9.9.9.9.9.9."),
    "blast": Beat("9999999999999999", ".9.9.9.9.9.9.9.9", "9...9...9...9...",
                  hat_sound="ride"),
    "pop": Beat("9.....7.9.......", "....9.......9...", "6.4.6.4.6.4.6.4."),
    "four": Beat("9...9...9...9...", "....8.......8...", "..9...9...9...9.",
                 snare_sound="clap"),
    "electro": Beat("9..9..9...9.....", "....9.......9..5", "6666666666666666"),
    "glitch": Beat("9..5......9..4..", "....7..5...9.5..", "5.35.5565.53.556"),
    "hiphop": Beat("9......79.9.....", "....9.......9...", "7.5.7.5.7.5.7.55"),
    "808": Beat("9.....9..9......", "....8.......8...", "535353535355555.",
                snare_sound="clap"),
    "funk": Beat("9..7..9...7..7..", "....9..4.4..9..4", "7575757575757575"),
    "soul": Beat("9..6..9.9.......", "....9.......9...", "7.5.7.5.7.5.7.5."),
    "swing": Beat("5...4...5...4...", ".......3......3.", "7...7.5.7...7.5.",
                  hat_sound="ride"),
    "shuffle": Beat("9...6...9...6...", "....9.......9...", "7.4.7.4.7.4.7.4."),
    "train": Beat("9.......9.......", "5.6.9.6.5.6.9.66", "................",
                  snare_sound="brush"),
    "brush": Beat("5.......5.......", "3.4.5.4.3.4.5.4.", "5...5...5...5...",
                  snare_sound="brush"),
}  # fmt: skip

# Degrees of the scale on which a bar's chord is built, one per bar.
PROGRESSIONS = {
    "pop": ((0, 4, 5, 3), (5, 3, 0, 4), (0, 5, 3, 4), (0, 3, 0, 4)),
    "rock": ((0, 6, 3, 0), (0, 3, 4, 3), (0, 0, 6, 3), (0, 5, 6, 0)),
    "jazz": ((1, 4, 0, 5), (0, 5, 1, 4), (2, 5, 1, 4)),
    "blues": ((0, 0, 0, 0, 3, 3, 0, 0, 4, 3, 0, 4),),
    "doowop": ((0, 5, 3, 4),),
    "static": ((0, 0, 0, 0), (0, 0, 3, 3), (0, 6, 0, 6)),
    "metal": ((0, 0, 1, 0), (0, 5, 6, 0), (0, 0, 5, 6)),
}
SEVENTH_CHORD_HARMONIES = ("jazz",)

MAJOR, MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)
PHRYGIAN, MIXOLYDIAN = (0, 1, 3, 5, 7, 8, 10), (0, 2, 4, 5, 7, 9, 10)
