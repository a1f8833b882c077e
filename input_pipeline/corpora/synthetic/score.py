"""From attributes to notes: song, layers, bass, drums, voices and moods."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from input_pipeline.corpora.synthetic import styles
from input_pipeline.corpora.synthetic.attributes import Attributes, Take
from input_pipeline.corpora.synthetic.styles import BOTH, FEMALE, MALE, NOTHING

# MIDI numbers; voices keep within 16 semitones: 98 to 247 Hz and 262 to 659 Hz.
_LOWEST_VOICE_PITCH = {MALE: 43, FEMALE: 60}
_VOICE_RANGE_SEMITONES = 16


class Note(NamedTuple):
    """One sound: start and length in seconds, pitch, velocity from 0 to 1.

    The pitch is a MIDI number, or the name of a drum.
    """

    start_s: float
    length_s: float
    pitch: int | str
    velocity: float


@dataclass
class Track:
    """Notes for one instrument, and how loud and how far away it is."""

    instrument: str
    notes: list[Note]
    gain: float = 1.0
    reverb_send: float = 0.6


@dataclass
class Song:
    """What all tracks of a clip share."""

    root: int  # MIDI number of the key note, a nuisance.
    scale: tuple[int, ...]  # Seven semitone offsets.
    progression: list[int]  # Scale degree of each bar's chord, repeated.
    chord_size: int  # Notes of a chord.
    steps_per_bar: int  # Sixteenths in a bar.
    step_s: float  # Duration of a sixteenth.
    late_step_s: float  # By how much swung steps come late.
    num_bars: int  # Bars that cover the clip.
    random: np.random.Generator  # The clip's performance generator.
    # (step, degree) pairs that riffs and loops repeat.
    motif: list[tuple[int, int]] = field(default_factory=list)

    def time_s(self, bar: int, step: float) -> float:
        """Returns the start of a step; every second eighth is late when swung."""
        late = self.late_step_s if step % 4 == 2 else 0.0
        return (bar * self.steps_per_bar + step) * self.step_s + late

    def pitch(self, degree: int, octave: int = 0) -> int:
        """Returns the MIDI number of a scale degree, 0 being the root."""
        octaves, index = divmod(int(degree), 7)
        return self.root + 12 * (octave + octaves) + self.scale[index]

    def every(self, steps: Iterable[int]) -> Iterator[tuple[int, int, float]]:
        """Yields bar, step and start in seconds of some steps of every bar."""
        steps = [step for step in steps if step < self.steps_per_bar]
        for bar in range(self.num_bars):
            for step in steps:
                yield bar, step, self.time_s(bar, step)

    def draw(self, low: int, high: int) -> int:
        """Draws a whole number from `low` to below `high`."""
        return int(self.random.integers(low, high))

    def random_steps(self, number: int) -> list[int]:
        """Draws different steps of a bar, in order."""
        drawn = self.random.choice(self.steps_per_bar, number, replace=False)
        return sorted(int(step) for step in drawn)


def begin_song(take: Take, duration_s: float) -> Song:
    """Fixes key, scale, progression and grid of one clip."""
    attributes, random = take.attributes, take.random
    step_s = float(15.0 / attributes.tempo_bpm)
    choices = styles.PROGRESSIONS[str(attributes.harmony)]
    seventh = attributes.harmony in styles.SEVENTH_CHORD_HARMONIES
    song = Song(
        root=int(take.nuisances.root),
        scale=_scale(attributes),
        progression=choices[random.integers(len(choices))],
        chord_size=4 if seventh else 3,
        steps_per_bar=int(attributes.steps_per_bar),
        step_s=step_s,
        late_step_s=0.66 * step_s if attributes.swing else 0.0,
        num_bars=int(duration_s / (step_s * attributes.steps_per_bar)) + 1,
        random=random,
    )
    song.motif = [(step, song.draw(0, 7)) for step in song.random_steps(6)]
    return song


def _scale(attributes: Attributes) -> tuple[int, ...]:
    if attributes.harmony == "metal":
        return styles.PHRYGIAN
    if attributes.minor:
        return styles.MINOR
    return styles.MIXOLYDIAN if attributes.harmony == "blues" else styles.MAJOR


class Moment(NamedTuple):
    """A step at which a layer or the bass plays."""

    song: Song
    bar: int
    step: int
    number: int  # Of the step among those of the bar.
    octave: int

    @property
    def degree(self) -> int:
        """The scale degree of the bar's chord."""
        return self.song.progression[self.bar % len(self.song.progression)]

    def chord(self, octaves: int = 0) -> list[int]:
        """Returns the pitches of the bar's chord, in thirds, some octaves higher."""
        degrees = range(self.degree, self.degree + 2 * self.song.chord_size, 2)
        return [self.song.pitch(one, self.octave + octaves) for one in degrees]

    def above_root(self, *semitones: int, octaves: int = 0) -> list[int]:
        """Returns pitches from the root of the bar's chord on."""
        return [self.chord(octaves)[0] + interval for interval in semitones]

    def pitch(self, degree: int) -> list[int]:
        """Returns the pitch of a degree of the scale."""
        return [self.song.pitch(degree, self.octave)]


def _strummed(m: Moment, octaves: int = 0) -> list[int]:
    chord = m.chord(octaves)
    return [*chord, chord[0] + 12]


def _arpeggio(m: Moment) -> list[int]:
    chord = _strummed(m, 1)
    return [chord[(3 * m.number) % len(chord)]]


def _fingerpick(m: Moment) -> list[int]:
    chord = m.chord()
    if m.step % 4 == 0:
        return [chord[0] - 12 + (7 if m.step % 8 else 0)]
    return [chord[(5 * m.number) % len(chord)] + (12 if m.number % 3 == 0 else 0)]


# What is played at a moment, as pitches.
VOICINGS: dict[str, Callable[[Moment], list[int]]] = {
    "chord": lambda m: m.chord(),
    "strum": _strummed,
    "power": lambda m: m.above_root(0, 7, 12, octaves=-1),
    "tremolo": lambda m: m.above_root(int(m.step % 8 >= 6), octaves=-1),
    "arpeggio": _arpeggio,
    "fingerpick": _fingerpick,
    "motif": lambda m: m.pitch(m.song.motif[m.number][1]),
    "riff": lambda m: m.pitch(m.song.motif[m.number][1] + m.degree),
    "scattered": lambda m: m.pitch(m.song.draw(7, 20)),
    "anything": lambda m: [m.song.draw(40, 96)],
    "root": lambda m: m.above_root(0),
    "octave": lambda m: m.above_root(12 if m.step % 4 >= 2 else 0),
    "scale": lambda m: m.above_root(m.song.scale[(5 * m.step) % 7]),
    "walk": lambda m: m.pitch(m.degree + (0, 2, 4, m.song.draw(3, 7))[m.number % 4]),
    "boogie": lambda m: m.above_root((0, 0, 4, 4, 7, 7, 9, 9)[m.number]),
    "fifths": lambda m: m.above_root(7 if m.step else 0),
}


def layer_track(song: Song, layer: str, is_lead: bool) -> Track:
    """Writes one layer (`instrument:pattern`); all but the lead pause now and then."""
    instrument, _, pattern = layer.partition(":")
    rhythm = styles.LAYERS[pattern]
    phase = int(song.random.integers(4))
    notes: list[Note] = []
    for bar in range(song.num_bars):
        if not is_lead and (bar // 4 + phase) % 4 == 3:
            continue
        if pattern == "solo":
            notes += _solo_bar(song, bar) if (bar // 2) % 2 == phase % 2 else []
        else:
            notes += _rhythm_bar(song, bar, rhythm)
    return Track(instrument, notes, 1.0 if is_lead else 0.75)


def _rhythm_bar(song: Song, bar: int, rhythm: styles.Rhythm) -> list[Note]:
    """Plays one bar of a rhythm; chords are spread a little when strummed."""
    steps = rhythm.steps
    if not steps and rhythm.voicing in ("motif", "riff"):
        steps = [step for step, _ in song.motif[: rhythm.num_random_steps]]
    elif not steps:
        steps = song.random_steps(rhythm.num_random_steps)
    spread_s = 0.012 if rhythm.voicing == "strum" else 0.0
    length_s = min(rhythm.length_steps, song.steps_per_bar) * song.step_s
    notes = []
    for index, step in enumerate(steps):
        if step >= song.steps_per_bar:
            continue
        start_s, velocity = song.time_s(bar, step), 0.8 if step % 4 == 0 else 0.6
        moment = Moment(song, bar, step, index, rhythm.octave)
        for string, pitch in enumerate(VOICINGS[rhythm.voicing](moment)):
            notes.append(Note(start_s + spread_s * string, length_s, pitch, velocity))
    return notes


def _solo_bar(song: Song, bar: int) -> list[Note]:
    """Improvises: a random walk on the scale in uneven lengths."""
    notes, step = [], 0
    degree = song.draw(7, 13)
    while step < song.steps_per_bar:
        length = int(song.random.choice((1, 2, 2, 4, 6)))
        degree = int(np.clip(degree + song.random.integers(-3, 4), 4, 17))
        start_s = song.time_s(bar, step)
        length_s = 0.9 * length * song.step_s
        notes.append(Note(start_s, length_s, song.pitch(degree, 1), 0.8))
        step += length
    return notes


def bass_track(song: Song, bass: str) -> Track:
    """Writes the bass line, an octave below the root."""
    rhythm = replace(styles.BASSES[bass], octave=-1)
    bars = (_rhythm_bar(song, bar, rhythm) for bar in range(song.num_bars))
    notes = list(itertools.chain.from_iterable(bars))
    instrument = styles.BASS_INSTRUMENTS.get(bass, "bass")
    return Track(instrument, notes, gain=0.9, reverb_send=0.1)


def drum_track(song: Song, attributes: Attributes) -> Track:
    """Writes the drums, with fills and crashes when the clip is energetic."""
    beat = styles.DRUMS[str(attributes.drums)]
    strikes = (beat.kick, beat.snare, beat.hat)
    sounds = ("kick", beat.snare_sound, beat.hat_sound)
    starts_late = song.num_bars > 7 and song.random.random() < 0.3
    notes: list[Note] = []
    for bar in range(2 if starts_late else 0, song.num_bars):
        for pattern, sound in zip(strikes, sounds, strict=True):
            for step, loudness in enumerate(pattern[: song.steps_per_bar]):
                if loudness != "." and song.random.random() < 0.96:
                    start_s, velocity = song.time_s(bar, step), int(loudness) / 9
                    notes.append(Note(start_s, 0.2, sound, velocity))
        if attributes.energy > 0 and bar % 4 == 3:
            starts_s = [song.time_s(bar, song.steps_per_bar - 4 + i) for i in range(4)]
            notes += [Note(s, 0.2, f"tom {i}", 0.8) for i, s in enumerate(starts_s)]
        if attributes.energy > 0.2 and bar % 4 == 0:
            notes.append(Note(song.time_s(bar, 0), 1.0, "crash", 0.8))
    echo = 0.35 if attributes.era == "80s" else 0.5
    gain = float(np.clip(1.0 + 0.6 * attributes.energy, 0.4, 1.4))
    return Track("drums", notes, gain=gain, reverb_send=echo)


def compose(song: Song, attributes: Attributes) -> list[Track]:
    """Writes layers, bass and drums of one clip."""
    layers = (attributes.lead, attributes.second, attributes.third)
    tracks = [
        layer_track(song, str(layer), is_lead=index == 0)
        for index, layer in enumerate(layers)
        if layer != NOTHING
    ]
    if attributes.bass != NOTHING:
        tracks.append(bass_track(song, str(attributes.bass)))
    if attributes.drums != NOTHING:
        tracks.append(drum_track(song, attributes))
    return tracks


def mood_tracks(song: Song, attributes: Attributes) -> list[Track]:
    """Writes the lines by which hook, gloom, cheer and crowd are heard."""
    tracks = []
    if attributes.hook:  # Four bell notes, the same in every bar.
        figure = {step: song.draw(7, 14) for step in (0, 3, 6, 10)}
        notes = [
            Note(start_s, 0.3, song.pitch(figure[step], 2), 0.8)
            for _, step, start_s in song.every(figure)
        ]
        tracks.append(Track("bell", notes, gain=0.9))
    if attributes.gloomy:  # A low bowed line that falls by one degree a half bar.
        half = song.steps_per_bar // 2
        notes = [
            Note(start_s, half * song.step_s, song.pitch(7 - (2 * bar + part) % 4), 0.8)
            for bar, step, start_s in song.every((0, half))
            for part in (step // half,)
        ]
        tracks.append(Track("cello", notes, gain=0.85))
    if attributes.cheerful:
        notes = [
            Note(start_s, 0.2, "tambourine", 0.8 if step % 8 == 4 else 0.5)
            for _, step, start_s in song.every(range(2, 16, 2))
        ]
        tracks.append(Track("drums", notes, gain=0.7))
    if attributes.crowd:
        claps = [Note(start, 0.2, "clap", 0.9) for _, _, start in song.every((4, 12))]
        tracks.append(Track("drums", claps, gain=0.5))
    return tracks


def voice_tracks(song: Song, attributes: Attributes) -> list[Track]:
    """Writes the sung lines; a duet takes turns of two bars."""
    if attributes.voice not in (MALE, FEMALE, BOTH):
        return []
    is_duet = attributes.voice == BOTH
    singers = (MALE, FEMALE) if is_duet else (str(attributes.voice),)
    tracks = []
    for turn, singer in enumerate(singers):
        phrases = _draw_phrases(song, attributes)
        notes: list[Note] = []
        for bar in range(min(2, song.num_bars // 6), song.num_bars):
            rests = not attributes.hook and bar % 4 == 3
            if (is_duet and (bar // 2) % 2 != turn) or rests:
                continue
            notes += _sing_bar(song, attributes, bar, singer, phrases)
        gain = 1.4 if attributes.breathy else 1.6
        tracks.append(Track(f"{singer} voice", notes, gain))
    return tracks


def _draw_phrases(song: Song, attributes: Attributes) -> list[list[tuple[int, int]]]:
    """Draws bars of (step, degree); one phrase if the clip is catchy, else six."""
    phrases = []
    for _ in range(1 if attributes.hook else 6):
        steps = list(range(song.steps_per_bar - 2))
        if attributes.delivery != "rap":
            steps = song.random_steps(int(np.clip(5 + 2 * attributes.energy, 3, 8)))
        phrases.append([(step, song.draw(0, 9)) for step in steps])
    return phrases


def _within_range(pitch: int, lowest: int) -> int:
    """Returns the pitch, moved by octaves into a singer's range.

    >>> _within_range(30, 43), _within_range(50, 43), _within_range(62, 43)
    (54, 50, 50)
    """
    highest = lowest + _VOICE_RANGE_SEMITONES
    octaves_up = max(0, -(-(lowest - pitch) // 12))
    return pitch + 12 * (octaves_up - max(0, -(-(pitch - highest) // 12)))


def _sing_bar(
    song: Song, attributes: Attributes, bar: int, singer: str, phrases: list
) -> list[Note]:
    """Sings one of the phrases; rappers drop syllables and stay near one pitch."""
    lowest = _LOWEST_VOICE_PITCH[singer]
    phrase = phrases[int(song.random.integers(len(phrases)))]
    ends = [step for step, _ in phrase[1:]] + [song.steps_per_bar]
    raps = attributes.delivery == "rap"
    notes = []
    for (step, degree), end in zip(phrase, ends, strict=True):
        if raps and song.random.random() < 0.25:
            continue
        sung = _within_range(song.pitch(degree), lowest)
        pitch = lowest + song.draw(0, 5) if raps else sung
        length_s = max(0.08, 0.8 * (end - step) * song.step_s)
        notes.append(Note(song.time_s(bar, step), length_s, pitch, 0.8))
    return notes
