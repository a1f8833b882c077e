"""Audio to clips, judged by files of every kind."""

import os

import numpy as np
import pytest
import soundfile
import soxr

from msd_tagger.frontend import audio
from msd_tagger.frontend.audio_error import REASONS, AudioError
from msd_tagger.frontend.recipe import Recipe
from msd_tagger.frontend.spectrogram import power_stft, spectrogram
from tests.small_corpus import DAMAGED, RECIPE, STFT, sound, write_sound


@pytest.mark.parametrize("rate_hz", [8000, 22_050, 44_100, 48_000, 96_000])
def test_what_follows_the_clip_changes_nothing(tmp_path, rate_hz):
    path = write_sound(tmp_path / "a.wav", duration_s=2, rate_hz=rate_hz)
    samples, _ = soundfile.read(path, dtype="float32")
    whole = soxr.resample(samples, rate_hz, 12_000)[:12_000]
    np.testing.assert_array_equal(audio.read_clip(path, RECIPE), whole)


FORMATS = [
    ("a.wav", {}),
    ("a.wav", {"subtype": "PCM_U8"}),
    ("a.flac", {}),
    ("a.aiff", {}),
    ("a.ogg", {}),
    ("a.opus", {"format": "OGG", "subtype": "OPUS", "rate_hz": 48_000}),
    ("a.mp3", {}),
    ("a.mp3", {"bitrate_mode": "VARIABLE"}),
]


@pytest.mark.parametrize(("name", "options"), FORMATS)
def test_every_format_sounds_the_same(tmp_path, name, options):
    rate_hz = options.get("rate_hz", 22_050)
    path = write_sound(tmp_path / name, seed=3, **options)
    found = spectrogram(audio.read_clip(path, RECIPE), RECIPE)
    samples = soxr.resample(sound(3, 1.2, rate_hz)[:, 0], rate_hz, 12_000)
    expected = spectrogram(audio.fit(samples, RECIPE.num_samples), RECIPE)
    # MP3 has a delay and all lossy formats change the noise, but not the tone.
    band = expected.mean(axis=1).argmax()
    difference = found[band, 3:-3].astype(float) - expected[band, 3:-3]
    assert np.abs(difference).mean() < 0.5
    if name.endswith((".flac", ".aiff")) or (name == "a.wav" and not options):
        # 16 bits add noise below -90 dB of full scale to noise of -40 dB.
        np.testing.assert_allclose(found, expected, atol=0.5)


@pytest.mark.parametrize("rate_hz", [8000, 11_025, 12_000, 16_000, 44_100, 48_000])
def test_every_rate_and_channel_count(tmp_path, rate_hz):
    time_s = np.arange(2 * rate_hz) / rate_hz
    tone = 0.5 * np.sin(2 * np.pi * 1500 * time_s)
    soundfile.write(tmp_path / "a.wav", np.stack([tone, 0 * tone], 1), rate_hz)
    clip = audio.read_clip(tmp_path / "a.wav", STFT)
    assert clip.shape == (12_000,)
    assert clip.dtype == np.float32
    power = power_stft(clip, STFT)[:, 5:-5]
    assert (power.argmax(axis=0) == 64).all()  # 1500 Hz is bin 64 of 512 at 12 kHz.
    # The mean of a channel and silence has half the amplitude; Hann's gain is 1/2.
    np.testing.assert_allclose(power.max(axis=0), (0.25 * 512 / 4) ** 2, rtol=0.02)


def test_short_files_are_padded_and_long_ones_cut(tmp_path):
    short = audio.read_clip(write_sound(tmp_path / "short.wav", duration_s=0.4), RECIPE)
    assert np.abs(short[:4700]).max() > 0.05
    assert not short[4900:].any()
    path = write_sound(tmp_path / "long.wav", duration_s=3, rate_hz=12_000)
    long = audio.read_clip(path, RECIPE)
    stored, _ = soundfile.read(path, dtype="float32")
    np.testing.assert_array_equal(long, stored[:12_000])


def test_the_clip_can_be_the_centre_or_start_anywhere(tmp_path):
    path = write_sound(tmp_path / "long.wav", duration_s=5, rate_hz=12_000)
    stored, _ = soundfile.read(path, dtype="float32")
    centre = audio.read_clip(path, Recipe("mel", duration_s=1.0, offset="centre"))
    np.testing.assert_array_equal(centre, stored[24_000:36_000])
    later = audio.read_clip(path, RECIPE, start_s=3.25)
    np.testing.assert_array_equal(later, stored[39_000:51_000])


@pytest.mark.parametrize("name", ["a.mp3", "a.ogg", "a.flac", "a.wav"])
@pytest.mark.parametrize("start_s", [0.2, 1.7, 6.3])
def test_seeking_gives_what_decoding_from_the_start_gives(tmp_path, name, start_s):
    options = {"bitrate_mode": "VARIABLE"} if name == "a.mp3" else {}
    path = write_sound(tmp_path / name, duration_s=8, rate_hz=44_100, **options)
    found = audio.read_clip(path, RECIPE, start_s)
    samples, _ = soundfile.read(path, dtype="float32")
    resampled = soxr.resample(samples, 44_100, 12_000)
    first = round(start_s * 12_000)
    np.testing.assert_allclose(found, resampled[first : first + 12_000], atol=1e-3)


@pytest.mark.parametrize("name", list(DAMAGED))
def test_a_damaged_file_says_why(tmp_path, name):
    make, reason = DAMAGED[name]
    with pytest.raises(AudioError, match=name) as caught:
        audio.read_clip(make(tmp_path / name), RECIPE)
    assert caught.value.reason == reason
    assert reason in REASONS


def test_a_start_behind_the_end_says_so(tmp_path):
    path = write_sound(tmp_path / "a.wav")
    with pytest.raises(AudioError, match=r"start_s 7.0, length 1.20 s"):
        audio.read_clip(path, RECIPE, start_s=7.0)


def test_a_named_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(AudioError, match="unreadable"):
        audio.read_clip(tmp_path / "pipe.wav", RECIPE)


def test_an_extension_is_not_believed(tmp_path):
    path = write_sound(tmp_path / "a.wav").rename(tmp_path / "a.raw")
    assert audio.read_clip(path, RECIPE).shape == (12_000,)


def test_a_clip_before_the_cut_is_whole(tmp_path):
    path = write_sound(tmp_path / "a.mp3", duration_s=6)
    path.write_bytes(path.read_bytes()[:-20_000])
    assert audio.read_clip(path, RECIPE).shape == (12_000,)
    with pytest.raises(AudioError, match="truncated"):
        audio.read_clip(path, RECIPE, start_s=5.0)


def test_a_wav_from_a_pipe_has_no_size_and_is_whole(tmp_path):
    path = write_sound(tmp_path / "a.wav", duration_s=0.5)
    content = bytearray(path.read_bytes())
    content[4:8] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    assert audio.read_clip(path, RECIPE).any()


def test_cover_art_before_an_mp3_is_skipped(tmp_path):
    path = write_sound(tmp_path / "a.mp3")
    clip = audio.read_clip(path, RECIPE)
    # ID3v2 stores its size in four bytes of seven bits: 2 << 14 = 32,768.
    art = b"ID3\x03\x00\x00" + bytes([0, 2, 0, 0]) + bytes(32_768)
    path.write_bytes(art + path.read_bytes())
    np.testing.assert_array_equal(audio.read_clip(path, RECIPE), clip)


def test_samples_that_would_overflow_are_refused(tmp_path):
    samples = np.full(24_000, 1e20, np.float32)
    soundfile.write(tmp_path / "huge.wav", samples, 12_000, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"not finite .* peak 1.0e\+20"):
        audio.read_clip(tmp_path / "huge.wav", RECIPE)


def test_more_channels_than_memory_is_meant_for_are_refused(tmp_path):
    samples = np.zeros((2000, 40), np.float32)
    soundfile.write(tmp_path / "wide.wav", samples, 96_000)
    with pytest.raises(AudioError, match=r"40 channels of 96000 Hz"):
        audio.read_clip(tmp_path / "wide.wav", RECIPE)


def test_channels_that_cancel_each_other_are_told(tmp_path):
    left = sound(1, 2.0, 22_050).reshape(-1, 1)
    soundfile.write(tmp_path / "x.wav", np.hstack([left, -left]), 22_050)
    with pytest.raises(
        AudioError, match=r"silent .* channels, which cancel each other"
    ):
        audio.read_clip(tmp_path / "x.wav", RECIPE)
