"""Published mel spectrograms: as Essentia makes them, and as shards hold them."""

import io

import numpy as np
import pytest

from input_pipeline import batches, published
from input_pipeline.corpora import mtg_jamendo
from input_pipeline.prepare import prepare
from msd_tagger.frontend.audio_error import REASONS, AudioError
from msd_tagger.frontend.recipe import Recipe
from msd_tagger.frontend.spectrogram import spectrogram
from tests import small_jamendo
from tests.reading import whole
from tests.small_corpus import sound
from tests.small_jamendo import RATE_HZ, write_labels, write_spectrogram, write_tracks

RECIPE = Recipe("mel", duration_s=1.0)  # 47 frames.

# Essentia 2.1-beta6 on `signal()`, by the steps of melspectrograms.py: bands 0, 16, …,
# 80, frames 0, 4, 8, 12 of 13.
ESSENTIA = [
    [-12.067041, -1.1218541, -1.2811875, -14.178913],
    [2.0945792, 2.536715, 2.7413898, -8.431363],
    [-9.548663, -5.561529, -3.9503427, -22.7051],
    [-6.425593, -9.585594, -9.03556, -14.033939],
    [-17.284689, -7.5627146, -7.4298058, -14.382801],
    [-11.680498, -8.580589, -8.58636, -19.994024],
]


def signal():
    """3072 samples from whole numbers, the same on every machine."""
    i = np.arange(3072)
    return (((i * i * 7 + i * 131) % 1009 - 504) / 1009).astype(np.float32)


@pytest.fixture
def path(tmp_path):
    """Two seconds: 95 frames."""
    values = small_jamendo.published(sound(1, 2.0, RATE_HZ)[:, 0])
    assert values.shape == (96, 95) and values.flags.f_contiguous
    return write_spectrogram(tmp_path / "00" / "100.npy", values)


def test_the_tests_make_what_essentia_makes():
    made = small_jamendo.published(signal())
    assert made.shape == (96, 13)
    np.testing.assert_allclose(made[::16, ::4], ESSENTIA, atol=1e-3)


def test_half_of_it_is_our_own_spectrogram(tmp_path):
    # Two differences remain: the window, symmetric there and periodic here, and
    # rounding to float16. The last frame of a clip sees what is cut off here.
    samples = sound(3, 1.0, RATE_HZ)[:, 0]
    npy = write_spectrogram(tmp_path / "a.npy", small_jamendo.published(samples))
    found = published.read_clip(npy, RECIPE).astype(float)
    ours = spectrogram(samples, RECIPE).astype(float)
    difference = (found - ours)[:, :-1]
    assert np.abs(difference).max() < 0.6
    assert np.abs(difference).mean() < 0.03
    assert (found - 2 * ours).std() > 5  # The doubling would be noticed.


def test_a_clip_is_the_frames_of_its_start(path):
    stored = np.load(path) / 2
    for start_s, first in ((None, 0), (0.0, 0), (0.5, 23), (0.512, 24), (1.0, 47)):
        found = published.read_clip(path, RECIPE, start_s)
        assert found.shape == (96, 47) and found.dtype == np.float16
        expected = stored[:, first : first + 47].astype(np.float16)
        np.testing.assert_array_equal(found, expected)
    centre = published.read_clip(path, Recipe("mel", duration_s=1.0, offset="centre"))
    np.testing.assert_array_equal(centre, stored[:, 24:71].astype(np.float16))


def test_a_short_one_is_padded_with_the_floor(path):
    found = published.read_clip(path, RECIPE, 1.9)  # Frame 89 of 95.
    np.testing.assert_array_equal(found[:, 6:], -100)
    assert (found[:, :6] > -100).all()


def test_digital_silence_in_a_clip_is_the_floor(tmp_path):
    samples = sound(3, 1.0, RATE_HZ)[:, 0]
    samples[6000:] = 0
    npy = write_spectrogram(tmp_path / "a.npy", small_jamendo.published(samples))
    assert (published.read_clip(npy, RECIPE)[:, 30:] == -100).all()


def _values(**changes):
    values = np.full((96, 60), -30.0, np.float32)
    for column, value in changes.items():
        values[5, int(column[1:])] = value
    return values


def _cut(content):
    return content[:-1000]


def _file(values, mend=lambda content: content, save=np.save):
    file = io.BytesIO()
    save(file, values)
    return mend(file.getvalue())


def _objects():
    return np.array([["a", None]] * 96, dtype=object)


BAD = {
    "empty": (b"", "empty", ""),
    "text": (b"<html>404</html>", "not a spectrogram", ""),
    "magic": (b"\x93NUMPY\x01\x00", "not a spectrogram", ""),
    "header": (b"\x93NUMPY\x01\x00\x76\x00" + b"(" * 118, "not a spectrogram", ""),
    "cut": (_file(_values(), _cut), "not a spectrogram", "mmap length is greater"),
    "archive": (_file(_values(), save=np.savez), "not a spectrogram", "an archive"),
    "objects": (_file(_objects()), "not a spectrogram", "Python objects"),
    "turned": (_file(_values().T), "wrong spectrogram", "[60, 96], not float [96, fr"),
    "bands": (_file(_values()[:80]), "wrong spectrogram", "float32 [80, 60]"),
    "flat": (_file(_values()[0]), "wrong spectrogram", "float32 [60]"),
    "no frames": (_file(_values()[:, :0]), "wrong spectrogram", "float32 [96, 0]"),
    "whole": (_file(_values().astype(np.int16)), "wrong spectrogram", "int16"),
    "complex": (_file(_values() * 1j), "wrong spectrogram", "complex64"),
    "nan": (_file(_values(c3=np.nan)), "not finite", ""),
    "infinite": (_file(_values(c3=-np.inf)), "not finite", ""),
    "power": (_file(_values(c3=5e4)), "wrong spectrogram", "-30 to 5e+04, not -200"),
    "low": (_file(_values(c3=-201)), "wrong spectrogram", "from -201 to -30"),
    "silent": (_file(np.full((96, 60), -200.0, "f4")), "silent", "at the floor"),
}


@pytest.mark.parametrize(("content", "reason", "detail"), BAD.values(), ids=BAD)
def test_a_bad_file_has_a_reason(tmp_path, content, reason, detail):
    path = tmp_path / "a.npy"
    path.write_bytes(content)
    with pytest.raises(AudioError) as caught:
        published.read_clip(path, RECIPE)
    assert caught.value.reason == reason
    assert detail in caught.value.detail
    assert reason in REASONS


def test_other_bad_files(tmp_path, path):
    for name, reason in (("none.npy", "missing"), ("00", "unreadable")):
        with pytest.raises(AudioError, match=reason):
            published.read_clip(tmp_path / name, RECIPE)
    with pytest.raises(AudioError, match=r"past the end.*frame 117 of 95"):
        published.read_clip(path, RECIPE, 2.5)


def test_a_bad_value_elsewhere_in_the_track_is_not_read(tmp_path):
    path = tmp_path / "a.npy"
    path.write_bytes(_file(_values(c55=np.nan)))
    published.read_clip(path, RECIPE)
    with pytest.raises(AudioError, match="not finite"):
        published.read_clip(path, RECIPE, 0.5)


def test_damage_anywhere_is_an_audio_error(tmp_path, path):
    content = path.read_bytes()
    random = np.random.default_rng(0)
    damaged = tmp_path / "a.npy"
    for _ in range(200):
        broken = bytearray(content)
        at = random.integers(0, 128, 3)  # The header.
        for place in at:
            broken[place] = random.integers(0, 256)
        damaged.write_bytes(broken)
        try:
            assert published.read_clip(damaged, RECIPE).shape == (96, 47)
        except AudioError as error:
            assert error.reason in REASONS


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (Recipe("stft"), "it has kind 'mel', and kind 'stft' is asked for"),
        (Recipe("mel", sample_rate_hz=16_000), "sample_rate_hz 16000"),
        (Recipe("mel", hop_samples=128), "hop_samples 128"),
        (Recipe("mel", dft_size_samples=1024), "dft_size_samples 1024"),
        (Recipe("mel", num_mel_bands=128), "num_mel_bands 96, and num_mel_bands 128"),
    ],
)
def test_a_recipe_that_cannot_be_served_is_named(tmp_path, recipe, message):
    labels = write_labels(tmp_path / "labels")
    corpus = mtg_jamendo.load(labels, write_tracks(tmp_path / "a", ".npy"))
    with pytest.raises(ValueError, match=rf"00/100\.npy is a published.*{message}"):
        prepare(corpus, [recipe], tmp_path / "data", 1)
    assert not (tmp_path / "data").exists()
    published.check_recipes(["a.mp3"], [recipe])
    published.check_recipes(["a.npy"], [Recipe("mel", duration_s=5, offset="centre")])


def test_the_real_path_to_shards(tmp_path):
    labels = write_labels(tmp_path / "labels")
    audio_dir = write_tracks(tmp_path / "a", ".npy")
    (audio_dir / "02" / "102.npy").write_bytes(_file(_values(c50=np.nan)))
    (audio_dir / "03" / "103.npy").write_bytes(BAD["objects"][0])
    corpus = mtg_jamendo.load(labels, audio_dir, clip_duration_s=1.0)
    made = prepare(corpus, [RECIPE], tmp_path / "data", 1, max_bad_share=0.2)["mel"]
    ledger = (made / "ledger.csv").read_text()
    assert "track_0000102,02/102.npy,not finite" in ledger
    assert "track_0000103,03/103.npy,not a spectrogram" in ledger
    data = batches.open_shards(made)
    batch = whole(data, "valid")
    for k, track_id in enumerate(data.labels("valid")["track_id"]):
        number = int(track_id[-3:])
        values = np.load(audio_dir / f"{number % 100:02d}" / f"{number}.npy") / 2
        expected = values[:, 47:94].astype(np.float16)  # The centre of 3 s.
        np.testing.assert_array_equal(batch["spectrogram"][k], expected)
