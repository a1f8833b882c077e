"""Voices, and the small lines that carry a mood: hook, falling cello, tambourine."""

import numpy as np

from input_pipeline.corpora.synthetic.attributes import BOTH, FEMALE, MALE, Attributes
from input_pipeline.corpora.synthetic.score import Note, Song, Track

# MIDI numbers; voices keep within 16 semitones: 98 to 247 Hz and 262 to 659 Hz.
_LOWEST_VOICE_PITCH = {MALE: 43, FEMALE: 60}
_VOICE_RANGE_SEMITONES = 16


def mood_tracks(song: Song, attributes: Attributes) -> list[Track]:
    """Write the lines by which hook, gloom, cheer and crowd are heard."""
    makers = (
        (attributes.hook, _hook_track),
        (attributes.gloomy, _lament_track),
        (attributes.cheerful, _tambourine_track),
        (attributes.crowd, _clap_track),
    )
    return [make(song) for present, make in makers if present]


def _hook_track(song: Song) -> Track:
    """Four bell notes, the same in every bar."""
    figure = [(step, int(song.random.integers(7, 14))) for step in (0, 3, 6, 10)]
    notes = [
        Note(song.time_s(bar, step), 0.3, song.pitch(degree, 2), 0.8)
        for bar in range(song.num_bars)
        for step, degree in figure
    ]
    return Track("bell", notes, gain=0.9)


def _lament_track(song: Song) -> Track:
    """A low bowed line that falls by one degree a half bar."""
    half = song.steps_per_bar // 2
    notes = [
        Note(
            song.time_s(bar, half * part),
            half * song.step_s,
            song.pitch(7 - (2 * bar + part) % 4),
            0.8,
        )
        for bar in range(song.num_bars)
        for part in (0, 1)
    ]
    return Track("cello", notes, gain=0.85)


def _tambourine_track(song: Song) -> Track:
    notes = [
        Note(song.time_s(bar, step), 0.2, "tambourine", 0.8 if step % 8 == 4 else 0.5)
        for bar in range(song.num_bars)
        for step in range(2, song.steps_per_bar, 2)
    ]
    return Track("drums", notes, gain=0.7)


def _clap_track(song: Song) -> Track:
    notes = [
        Note(song.time_s(bar, step), 0.2, "clap", 0.9)
        for bar in range(song.num_bars)
        for step in (4, 12)
        if step < song.steps_per_bar
    ]
    return Track("drums", notes, gain=0.5)


def voice_tracks(song: Song, attributes: Attributes) -> list[Track]:
    """Write the sung lines; a duet takes turns of two bars."""
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
    """Draw bars of (step, degree); one phrase if the clip is catchy, else six."""
    phrases = []
    for _ in range(1 if attributes.hook else 6):
        if attributes.delivery == "rap":
            steps = list(range(song.steps_per_bar - 2))
        else:
            steps = song.random_steps(int(np.clip(5 + 2 * attributes.energy, 3, 8)))
        phrases.append([(step, int(song.random.integers(0, 9))) for step in steps])
    return phrases


def _within_range(pitch: int, lowest: int) -> int:
    """Return the pitch, moved by octaves into a singer's range.

    >>> _within_range(30, 43), _within_range(50, 43), _within_range(62, 43)
    (54, 50, 50)
    """
    while pitch < lowest:
        pitch += 12
    while pitch > lowest + _VOICE_RANGE_SEMITONES:
        pitch -= 12
    return pitch


def _sing_bar(
    song: Song, attributes: Attributes, bar: int, singer: str, phrases: list
) -> list[Note]:
    """Sing one of the phrases; rappers drop syllables and stay near one pitch."""
    lowest = _LOWEST_VOICE_PITCH[singer]
    phrase = phrases[int(song.random.integers(len(phrases)))]
    ends = [step for step, _ in phrase[1:]] + [song.steps_per_bar]
    raps = attributes.delivery == "rap"
    notes = []
    for (step, degree), end in zip(phrase, ends, strict=True):
        if raps and song.random.random() < 0.25:
            continue
        if raps:
            pitch = lowest + int(song.random.integers(0, 5))
        else:
            pitch = _within_range(song.pitch(degree), lowest)
        length_s = max(0.08, 0.8 * (end - step) * song.step_s)
        notes.append(Note(song.time_s(bar, step), length_s, pitch, 0.8))
    return notes
