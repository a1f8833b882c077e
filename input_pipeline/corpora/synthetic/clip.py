"""One clip from its number: attributes, notes, sound."""

import numpy as np

from input_pipeline.corpora.synthetic import instruments, mastering, score
from input_pipeline.corpora.synthetic.attributes import (
    Take,
    draw_attributes,
    draw_nuisances,
)
from input_pipeline.corpora.synthetic.oscillators import SAMPLE_RATE_HZ
from input_pipeline.corpora.synthetic.random_streams import generator

# Layers of equal weight differ by this much from clip to clip.
_MIX_DEVIATION_DB = 4.0
# A clip starts inside the music, not with its first attack.
_LEAD_IN_S = 0.25
_LONGEST_NOTE_S = 12.0
_QUIET_SECTION_GAIN = 0.3
_QUIET_SECTION_BARS = 4


def synthesize(seed: int, clip_number: int, duration_s: float) -> np.ndarray:
    """Plays one clip, which has the tags of the same row of `label_only`.

    Returns:
        float32 `[T]` at `mastering.FILE_SAMPLE_RATE_HZ`, below full scale.
    """
    numbers = np.array([clip_number])
    take = Take(
        draw_attributes(seed, numbers).row(0),
        draw_nuisances(seed, numbers).row(0),
        generator(seed, "performance", clip_number),
    )
    return mastering.master(*perform(take, duration_s), take)


def perform(take: Take, duration_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Composes and plays all tracks.

    Returns:
        The mix and what is sent to the room, float32 [T] at 12 kHz each.
    """
    song = score.begin_song(take, duration_s + _LEAD_IN_S)
    attributes = take.attributes
    tracks = score.compose(song, attributes)
    tracks += score.voice_tracks(song, attributes) + score.mood_tracks(song, attributes)
    num_samples = round(duration_s * SAMPLE_RATE_HZ)
    dry, wet = np.zeros((2, num_samples), np.float32)
    for track in tracks:
        if track.notes:
            sound = _in_mix(track, _play_notes(track, take, num_samples), take)
            dry += sound
            wet += np.float32(track.reverb_send) * sound
    if attributes.dynamic:
        # Quiet and loud sections in turn.
        section_s = _QUIET_SECTION_BARS * song.steps_per_bar * song.step_s
        section = np.arange(num_samples) // max(1, int(section_s * SAMPLE_RATE_HZ))
        loudness = np.where(section % 2 == 0, _QUIET_SECTION_GAIN, 1).astype(np.float32)
        dry, wet = dry * loudness, wet * loudness
    return dry, wet


def _play_notes(track: score.Track, take: Take, num_samples: int) -> np.ndarray:
    """Plays the notes of one track, each different one once, float32 [T]."""
    lead_in = int(_LEAD_IN_S * SAMPLE_RATE_HZ)
    track_sound = np.zeros(num_samples + lead_in, np.float32)
    # Noisy instruments have two takes of each note.
    noisy = track.instrument in ("drums", "noise") or track.instrument.endswith("voice")
    played: dict[tuple, np.ndarray] = {}
    for note in track.notes:
        start = int(note.start_s * SAMPLE_RATE_HZ)
        if start >= len(track_sound):
            continue
        variant = take.random.integers(2) if noisy else 0
        key = (note.pitch, round(50 * note.length_s), variant)
        if key not in played:
            played[key] = _play_note(track, note, take)
        sound = played[key][: len(track_sound) - start]
        track_sound[start : start + len(sound)] += np.float32(note.velocity) * sound
    return track_sound[lead_in:]


def _in_mix(track: score.Track, sound: np.ndarray, take: Take) -> np.ndarray:
    """Sends a track through its amplifier and gives it its level, float32 `[T]`."""
    sound = instruments.amplify(track.instrument, _unit_tenth(sound), take.attributes)
    gain_db = _MIX_DEVIATION_DB * take.random.standard_normal()
    return _unit_tenth(sound) * np.float32(track.gain * 10 ** (gain_db / 20))


def _unit_tenth(sound: np.ndarray) -> np.ndarray:
    """Returns the sound with root mean square 0.1."""
    return sound * np.float32(0.1 / (np.sqrt(np.mean(sound**2)) + 1e-9))


def _play_note(track: score.Track, note: score.Note, take: Take) -> np.ndarray:
    """Plays one note on the track's instrument, float32."""
    attributes, nuisances, random = take
    length_s = min(note.length_s, _LONGEST_NOTE_S)
    if track.instrument == "drums":
        gated = attributes.era == "80s"
        machine = bool(attributes.electronic_drums)
        sound = instruments.drum(str(note.pitch), machine, gated, random)
    elif track.instrument.endswith("voice"):
        singer = instruments.Singer(
            female=track.instrument.startswith("female"),
            delivery=str(attributes.delivery),
            breathy=bool(attributes.breathy),
            formant_scale=float(nuisances.formant_scale),
        )
        sound = instruments.sing(singer, int(note.pitch), length_s, random)
    else:
        sound = instruments.play(track.instrument, int(note.pitch), length_s, random)
    return sound.astype(np.float32)
