"""Several excerpts of a track: where they are, which is learnt from, what scores."""

import dataclasses
import itertools

import numpy as np
import pytest
import soundfile

from configs import default
from input_pipeline import batches, order
from input_pipeline.corpora import folder
from input_pipeline.prepare import prepare
from msd_tagger.bundle.format import read_bundle
from msd_tagger.frontend import audio
from msd_tagger.frontend.recipe import Recipe
from msd_tagger.frontend.spectrogram import spectrogram
from msd_tagger.tagging.tagger import Tagger
from msd_tagger.training import clip_cache, loop, results
from msd_tagger.training import setup as build
from msd_tagger.training.band_statistics import band_statistics
from tests import fakes
from tests.reading import assert_equal, take, whole
from tests.small_corpus import TAGS, sound, write_table

NUMBER = 3
RECIPE = Recipe("mel", duration_s=0.832, num_mel_bands=24, excerpts_per_track=NUMBER)
ONE = dataclasses.replace(RECIPE, excerpts_per_track=1)
SPLITS = ("train", "train", "train", "valid", "test")
LENGTHS_S = (5.0, 2.0, 0.6)  # The last is shorter than a clip.
RATE_HZ = 12_000


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Songs of three lengths that never repeat; number 5 begins with silence."""
    directory, rows = tmp_path_factory.mktemp("songs"), []
    for number in range(20):
        samples = sound(number, LENGTHS_S[number % 3], RATE_HZ)
        samples *= np.linspace(0.2, 1, len(samples))[:, None]
        if number == 6:
            samples[: 2 * RATE_HZ] = 0
        soundfile.write(directory / f"{number}.wav", samples, RATE_HZ)
        tags = "|".join(TAGS[: number % 3 + 1])
        rows.append((f"id-{number}", f"{number}.wav", SPLITS[number % 5], tags))
    return folder.load(write_table(directory, rows))


@pytest.fixture(scope="module")
def data(corpus, tmp_path_factory):
    made = prepare(corpus, [RECIPE], tmp_path_factory.mktemp("data"), 1, 4)
    return batches.open_shards(made["mel"], RECIPE, check=True)


def row_of(data, split, track_id):
    return data.labels(split)["track_id"].tolist().index(track_id)


def test_excerpts_are_spread_evenly_over_a_track(corpus, data):
    assert data.directory.name.startswith("mel-3x24x40-")
    songs = whole(data, "train")["spectrogram"]
    assert songs.shape == (12, NUMBER, 24, 40)
    path = corpus.audio_dir / "0.wav"  # 5 s long.
    spare_s = 5.0 - RECIPE.duration_s
    for k, found in enumerate(songs[row_of(data, "train", "id-0")]):
        clip = audio.read_clip(path, ONE, spare_s * (2 * k + 1) / 6)
        np.testing.assert_array_equal(found, spectrogram(clip, ONE))
    short = songs[row_of(data, "train", "id-2")]
    assert (short == short[0]).all()


def test_a_silent_excerpt_gives_way_to_the_nearest_that_sounds(corpus, data, tmp_path):
    song = whole(data, "train")["spectrogram"][row_of(data, "train", "id-6")]
    np.testing.assert_array_equal(song[0], song[1])
    assert (song[1] != song[2]).any()
    soundfile.write(tmp_path / "no.wav", np.zeros(60_000), RATE_HZ)
    with pytest.raises(audio.AudioError, match=r"silent .* in all of 3 excerpts"):
        audio.read_excerpts(tmp_path / "no.wav", RECIPE)


def test_an_epoch_has_one_excerpt_of_every_track(data):
    songs = whole(data, "train")["spectrogram"]
    number, drawn = data.num_clips("train"), []
    for batch in take(data.train_batches(number, data_seed=5), 30):
        assert sorted(batch["row"]) == list(range(number))
        of_epoch = np.empty(number, int)
        for row, one in zip(batch["row"], batch["spectrogram"], strict=True):
            equal = [np.array_equal(one, other) for other in songs[row]]
            assert any(equal)
            of_epoch[row] = -1 if all(equal) else equal.index(True)
        drawn.append(of_epoch)
    long = np.array(drawn)[:, row_of(data, "train", "id-0")]
    assert np.bincount(long).min() > 2  # 10 times each, of 30.
    assert len({tuple(one) for one in drawn}) == 30


def test_which_excerpt_it_is_depends_on_seed_and_epoch_alone(data):
    expected = take(data.train_batches(6, data_seed=5), 8)
    assert_equal(take(data.train_batches(6, 5, first_step=3), 5), expected[3:])
    halves = [take(data.train_batches(6, 5, rows=half), 8) for half in HALVES]
    for whole_one, *parts in zip(expected, *halves, strict=True):
        joined = np.concatenate([part["spectrogram"] for part in parts])
        np.testing.assert_array_equal(whole_one["spectrogram"], joined)
    others = np.concatenate([one["spectrogram"] for one in expected])
    threes = take(data.train_batches(3, data_seed=5), 16)
    found = np.concatenate([one["spectrogram"] for one in threes])
    np.testing.assert_array_equal(found, others)
    numbers = np.concatenate(take(data.train_rows(6, data_seed=5), 8))
    songs = whole(data, "train")["spectrogram"].reshape(-1, 24, 40)
    np.testing.assert_array_equal(songs[numbers], others)


HALVES = (slice(0, 3), slice(3, 6))


def test_excerpts_are_drawn_evenly():
    rows = np.arange(9_000)
    drawn = order.draw_excerpts(rows, rows, 9_000, data_seed=1, count=3)
    assert np.abs(np.bincount(drawn) - 3_000).max() < 200  # 4.5 deviations.
    assert not order.draw_excerpts(rows, rows, 9_000, 1, 1).any()
    late = order.draw_excerpts(rows, rows + 9_000, 9_000, 1, 3)
    assert np.abs((drawn == late).mean() - 1 / 3) < 0.02


CONFIG = {
    "corpus__excerpts_per_track": NUMBER,
    "train__batch_size": 5,
    "train__max_steps": 12,
    "train__statistics_clips": 6,
    "preprocessing__frequency_weighting": "per_frequency_dataset",
}


def config(**changes):
    made = default.get_config()
    made.model.pools, made.model.channels = fakes.POOLS, 4
    return fakes.override(made, CONFIG | changes)


@pytest.mark.parametrize("cache", ["memory", "device"])
@pytest.mark.parametrize("fraction", [1.0, 0.5])
def test_clips_from_memory_are_the_same(data, cache, fraction):
    read = build.set_up(config(input__cache=cache, train__fraction=fraction), data)
    kept = clip_cache.keep(read)
    first, second = (
        list(itertools.islice(setup.train_batches(7, 2, fraction), 12))
        for setup in (kept, read)
    )
    for one, other in zip(first, second, strict=True):
        for name in ("spectrogram", "tags"):
            np.testing.assert_array_equal(one[name], other[name])


def test_a_track_is_scored_once_by_the_mean_over_its_excerpts(data, tmp_path):
    trained = loop.train(config(), data, tmp_path / "run")
    predictions = results.predict(trained)
    summary = results.write_results(trained, tmp_path / "run", predictions, None)
    assert summary["scores"]["test"]["num_clips"] == data.num_clips("test") == 4
    written = np.load(tmp_path / "run" / "predictions_test.npz")
    assert written["track_id"].tolist() == data.labels("test")["track_id"].tolist()
    bundle = read_bundle(tmp_path / "run" / "bundle")
    assert bundle.recipe == ONE
    songs = whole(data, "test")["spectrogram"]
    each = Tagger(bundle, 4).scores(songs.reshape(-1, 24, 40))
    expected = each.reshape(1, 4, NUMBER, len(TAGS)).mean(2)
    np.testing.assert_allclose(written["scores"], expected, atol=1e-6)
    assert np.abs(each.reshape((*expected.shape[:2], NUMBER, -1)).std(2)).max() > 1e-4


def test_the_linear_baseline_hears_all_excerpts(data):
    from studies import baseline

    found = baseline.split_features(data.evaluation_batches("test", 3))
    songs = whole(data, "test")["spectrogram"]
    each = [baseline.band_features(songs[:, k]) for k in range(NUMBER)]
    np.testing.assert_allclose(found, np.mean(each, axis=0), rtol=1e-6)


def test_statistics_of_bands_are_over_all_excerpts(data):
    bands = band_statistics(config(), data)
    songs = whole(data, "train")["spectrogram"].astype(np.float64)
    relative = songs - songs.max((2, 3), keepdims=True)
    expected = np.maximum(relative, -80).mean((0, 1, 3))
    np.testing.assert_allclose(bands.mean, expected, rtol=1e-4)
