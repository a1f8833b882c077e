"""The music itself: names resolve, cues are heard, parts behave."""

from dataclasses import replace

import numpy as np
import pytest

from input_pipeline.corpora.synthetic import score, styles
from input_pipeline.corpora.synthetic.attributes import (
    Take,
    draw_attributes,
    draw_nuisances,
)
from input_pipeline.corpora.synthetic.clip import perform, synthesize
from input_pipeline.corpora.synthetic.instruments import (
    INSTRUMENTS,
    Singer,
    drum,
    sing,
)
from input_pipeline.corpora.synthetic.instruments import play as play_note
from input_pipeline.corpora.synthetic.mastering import FILE_SAMPLE_RATE_HZ, master
from input_pipeline.corpora.synthetic.oscillators import SAMPLE_RATE_HZ, frequency_hz
from input_pipeline.corpora.synthetic.score import voice_tracks

DURATION_S = 4.0


def plain_clip():
    """Attributes of an ordinary calm pop song, to change one thing at a time."""
    attributes = draw_attributes(0, np.array([0])).row(0)
    flags = ("swing", "minor", "cheerful", "gloomy", "breathy", "hook", "soft", "crowd")
    flags += ("reverberant", "lofi", "modulated", "dynamic", "electronic_drums")
    changes = dict.fromkeys(flags, False) | {"second": "none", "third": "none"}
    return replace(
        attributes, style="pop", era="90s", tempo_bpm=120.0, steps_per_bar=16,
        drums="pop", bass="root", harmony="pop", lead="piano:stab", voice="female",
        delivery="sing", energy=0.0, **changes,
    )  # fmt: skip


def take_of(attributes, **changes):
    nuisances = replace(draw_nuisances(0, np.array([0])).row(0), **changes)
    return Take(attributes, nuisances, np.random.default_rng(0))


def play(attributes, duration_s=DURATION_S):
    take = take_of(
        attributes, equaliser_db=np.zeros(7), band_limit_hz=np.inf, noise_floor_db=-75
    )
    return master(*perform(take, duration_s), take)


def treble(sound):
    """Power from 3 to 6 kHz relative to that of the middle, 0.5 to 2 kHz."""
    power = np.abs(np.fft.rfft(sound)) ** 2
    frequency = np.fft.rfftfreq(len(sound), 1 / FILE_SAMPLE_RATE_HZ)
    bands = [
        power[(frequency >= low) & (frequency < high)].sum()
        for low, high in ((3000, 6000), (500, 2000))
    ]
    return bands[0] / bands[1]


def test_every_pool_names_what_exists():
    layers = [styles.BORROWED_LAYERS]
    for style in styles.STYLES.values():
        layers += [style.lead, style.second, style.third]
        assert set(styles.parse_pool(style.drums)) <= {*styles.DRUMS, "none"}
        assert set(styles.parse_pool(style.bass)) <= {*styles.BASSES, "none"}
        assert set(styles.parse_pool(style.harmony)) <= set(styles.PROGRESSIONS)
    names = {name for pool in layers for name in styles.parse_pool(pool)} - {"none"}
    for instrument, _, pattern in (name.partition(":") for name in names):
        assert instrument in INSTRUMENTS
        assert pattern in styles.LAYERS
    rhythms = [*styles.LAYERS.values(), *styles.BASSES.values()]
    used = {rhythm.voicing for rhythm in rhythms} - {"solo"}
    assert used == set(score.VOICINGS)


def test_styles_share_instruments_and_drums():
    for part in ("drums", "bass"):
        owners = {}
        for name, style in styles.STYLES.items():
            for member in styles.parse_pool(getattr(style, part)):
                owners.setdefault(member, set()).add(name)
        assert min(len(names) for names in owners.values()) >= 2


@pytest.mark.parametrize("instrument", INSTRUMENTS)
@pytest.mark.parametrize("pitch", [28, 60, 100])
def test_instruments_sound(instrument, pitch):
    sound = play_note(instrument, pitch, 0.3, np.random.default_rng(0))
    assert np.isfinite(sound).all()
    assert len(sound) >= 0.06 * SAMPLE_RATE_HZ
    assert 0 < np.abs(sound).max() < 20


@pytest.mark.parametrize("instrument", ["clean", "piano", "organ", "strings", "lead"])
def test_instruments_are_in_tune(instrument):
    sound = play_note(instrument, 69, 2.0, np.random.default_rng(0))
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    partials = spectrum[: len(spectrum) // 4]
    peak_hz = np.argmax(partials) * SAMPLE_RATE_HZ / len(sound)
    assert min(peak_hz % 440, -peak_hz % 440) < 6


def test_unknown_drum_is_named():
    with pytest.raises(ValueError, match="'cowbell'"):
        drum("cowbell", False, False, np.random.default_rng(0))


def test_women_sing_with_higher_formants():
    def centroid(female):
        singer = Singer(female, "sing", False, 1.0)
        random = np.random.default_rng(0)
        sounds = [sing(singer, 60, 0.5, random) for _ in range(20)]
        power = sum(np.abs(np.fft.rfft(sound[:6000])) ** 2 for sound in sounds)
        return (power * np.arange(len(power))).sum() / power.sum()

    assert centroid(True) > 1.05 * centroid(False)


def test_clip_is_a_function_of_seed_and_number():
    assert (synthesize(1, 5, 2.0) == synthesize(1, 5, 2.0)).all()
    assert not (synthesize(1, 5, 2.0) == synthesize(1, 6, 2.0)).all()


@pytest.mark.parametrize("number", range(12))
def test_clips_are_sound(number):
    sound = synthesize(2, number, DURATION_S)
    assert sound.dtype == np.float32
    assert len(sound) == DURATION_S * FILE_SAMPLE_RATE_HZ
    assert np.isfinite(sound).all()
    assert 0.1 < np.abs(sound).max() <= 1


@pytest.mark.parametrize(
    ("change", "darker"),
    [({"era": "60s"}, True), ({"soft": True}, True), ({"cheerful": True}, False)],
)
def test_cue_changes_treble(change, darker):
    before = treble(play(plain_clip()))
    after = treble(play(replace(plain_clip(), **change)))
    assert (after < 0.8 * before) if darker else (after > 1.2 * before)


@pytest.mark.parametrize(
    "change",
    [{"hook": True}, {"gloomy": True}, {"crowd": True}, {"modulated": True},
     {"reverberant": True}, {"lofi": True}, {"swing": True}, {"breathy": True},
     {"era": "70s"}, {"era": "80s"}, {"era": "00s"}, {"voice": "male"},
     {"minor": True}, {"steps_per_bar": 14}],
)  # fmt: skip
def test_every_cue_is_in_the_sound(change):
    plain, changed = play(plain_clip()), play(replace(plain_clip(), **change))
    difference = np.sqrt(np.mean((plain - changed) ** 2) / np.mean(plain**2))
    assert difference > 0.1


def test_dynamic_clips_have_quiet_and_loud_sections():
    def loudness_range_db(attributes):
        half_seconds = play(attributes, 16.0).reshape(32, -1)
        power = np.sort((half_seconds**2).mean(axis=1))
        return 10 * np.log10(power[-8:].mean() / power[:8].mean())

    plain = loudness_range_db(plain_clip())
    assert loudness_range_db(replace(plain_clip(), dynamic=True)) > plain + 5


def test_duet_takes_turns():
    attributes = replace(plain_clip(), voice="both")
    song = score.begin_song(take_of(attributes, root=45), 29.0)
    male, female = voice_tracks(song, attributes)
    bar_s = song.steps_per_bar * song.step_s

    def bars(track):
        return {int(note.start_s / bar_s + 1e-6) for note in track.notes}

    assert not bars(male) & bars(female)
    lowest = min(note.pitch for note in female.notes)
    assert frequency_hz(lowest) > 200


def test_pattern_steps_fall_into_the_bar():
    attributes = replace(plain_clip(), steps_per_bar=12)
    song = score.begin_song(take_of(attributes, root=45), 29.0)
    for track in score.compose(song, attributes):
        steps = {round(note.start_s / song.step_s, 3) % 12 for note in track.notes}
        assert max(steps) < 12
