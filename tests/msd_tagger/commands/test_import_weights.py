"""The import of the published weights, against the network as its authors ran it."""

import hashlib
import http.server
import os
import re
import threading
from pathlib import Path

import numpy as np
import pytest

from input_pipeline.batches import open_shards
from modes.calibrate import read_shards
from msd_tagger.bundle import published_weights
from msd_tagger.bundle.format import read_bundle
from msd_tagger.commands import import_weights
from msd_tagger.commands.command_line import Options
from msd_tagger.common import paper
from msd_tagger.frontend import audio
from msd_tagger.frontend.recipe import Recipe
from msd_tagger.frontend.spectrogram import spectrogram
from msd_tagger.tagging.tagger import Tagger
from studies import tag_pairs
from tests import keras_file, preparing, small_corpus, theano_network
from tests.reading import whole

REFERENCE = os.environ.get("MSD_TAGGER_REFERENCE")
needs_reference = pytest.mark.skipif(
    not REFERENCE, reason="MSD_TAGGER_REFERENCE, the published weights, is not set"
)
PUBLISHED = Path(REFERENCE or "", "compact_cnn", "weights_layer4_theano.hdf5")
RECIPE = Recipe("mel")


@pytest.fixture(scope="module")
def made_up(tmp_path_factory):
    """A file with random weights, and the bundle that comes of it as published."""
    folder = tmp_path_factory.mktemp("made_up")
    path = keras_file.write(folder / "weights.hdf5")
    import_weights.import_weights(path, folder / "bundle", None)
    return path, read_bundle(folder / "bundle")


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The bundle of the real one."""
    folder = tmp_path_factory.mktemp("published") / "bundle"
    import_weights.import_weights(PUBLISHED, folder, None)
    return read_bundle(folder)


@pytest.fixture(scope="module")
def samples():
    """Two clips of different levels, [2, T]."""
    sounds = [small_corpus.sound(seed, 29.0, 12_000)[:, 0] for seed in range(2)]
    return np.stack(sounds) * np.float32([[1.0], [0.2]])


@pytest.fixture(scope="module")
def clips(samples):
    return np.stack([spectrogram(clip, RECIPE) for clip in samples])


def test_the_bundle_computes_what_theano_does(made_up, clips):
    path, bundle = made_up
    x = clips.astype(float)
    expected, _ = theano_network.forward(path, np.maximum(x - x.max(), -80))
    (found,) = Tagger(bundle).scores(clips)
    np.testing.assert_allclose(found, expected, atol=2e-5)
    assert np.ptp(expected, axis=0).max() > 0.1


@needs_reference
def test_published_scores_from_the_audio_on(published, samples, clips):
    """All that differs is float16 and a window that is one sample late."""
    x = theano_network.decibels(PUBLISHED, samples)
    expected, _ = theano_network.forward(PUBLISHED, x)
    (found,) = Tagger(published).scores(clips)
    np.testing.assert_allclose(found, expected, atol=0.005)
    assert np.ptp(expected, axis=0).max() > 0.05


def test_calibrated_tags_depend_on_their_clip_alone(made_up, clips, monkeypatch):
    path, bundle = made_up
    monkeypatch.setattr(import_weights, "MIN_CLIPS", 2)
    calibrated = import_weights.calibrated(bundle, clips, "two clips")
    # In every clip 0 dB is its own maximum now.
    x = clips.astype(float)
    x = np.maximum(x - x.max((1, 2), keepdims=True), -80)
    expected, statistics = theano_network.forward(path, x)
    for i, (mean, variance) in enumerate(statistics, start=1):
        found = calibrated.weights.batch_stats[f"norm{i}"]
        scale = np.sqrt(variance.max())
        np.testing.assert_allclose(found["mean"][0], mean, atol=1e-4 * scale)
        np.testing.assert_allclose(found["var"][0], variance, rtol=1e-3)
    # These two are the whole corpus: its statistics are those of the batch.
    tagger = Tagger(calibrated, batch_size=2)
    together = tagger.scores(clips)[0]
    np.testing.assert_allclose(together, expected, atol=1e-4)
    others = np.stack([clips[0], clips[1] + np.float16(30)])
    np.testing.assert_array_equal(tagger.scores(others)[0, 0], together[0])
    # As published they depend on their batch mates.
    tagger = Tagger(bundle)
    change = tagger.scores(others)[0, 0] - tagger.scores(clips)[0, 0]
    assert np.abs(change).max() > 0.01


@needs_reference
def test_second_row_of_table_3_exactly_and_in_order(published):
    S = tag_pairs.similarity(published.weights.params["tags"]["kernel"][0])
    pairs = tag_pairs.top_pairs(S, limit=20)
    found = [{published.tags[i], published.tags[j]} for i, j in pairs]
    assert found == [set(pair) for pair in paper.TOP_SIMILAR]
    for (first, second), pair in paper.UNEXPECTED_PAIRS.items():
        value = S[published.tags.index(first), published.tags.index(second)]
        assert round(value, 2) == pair.similarity


@needs_reference
def test_provenance_names_file_and_licence(published):
    found = published.provenance
    content = PUBLISHED.read_bytes()
    assert found["file_sha256"] == hashlib.sha256(content).hexdigest()
    assert found["file"] == PUBLISHED.name and "Keunwoo Choi" in found["licence"]
    assert str(PUBLISHED.parent) not in str(found)


def test_audio_for_calibration_is_what_can_be_read(tmp_path, caplog):
    for seed in range(3):
        small_corpus.write_sound(tmp_path / "sub" / f"{seed}.wav", seed)
    (tmp_path / "page.mp3").write_text("<html>404</html>" * 500)
    clips, source = import_weights.read_clips(tmp_path, small_corpus.RECIPE)
    expected = {
        spectrogram(
            audio.read_clip(path, small_corpus.RECIPE), small_corpus.RECIPE
        ).tobytes()
        for path in (tmp_path / "sub").iterdir()
    }
    assert {clip.tobytes() for clip in clips} == expected
    assert source == f"3 audio files of {tmp_path.name}"
    assert f"left out: {tmp_path / 'page.mp3'}: not audio" in caplog.text


def test_shards_for_calibration_are_training_clips(tmp_path):
    music = small_corpus.write_folder(tmp_path / "music", num_clips=5)
    folder = preparing.prepare_folder(music, tmp_path)
    clips, source = import_weights.read_clips(folder, small_corpus.RECIPE, read_shards)
    stored = whole(open_shards(folder), "train")["spectrogram"]
    assert {c.tobytes() for c in clips} == {c.tobytes() for c in stored}
    assert source == "3 training clips of music"
    with pytest.raises(ValueError, match=r"holds the recipe .* not the expected"):
        import_weights.read_clips(folder, RECIPE, read_shards)
    with pytest.raises(ValueError, match=r"prepared shards, which only main\.py of"):
        import_weights.read_clips(folder, RECIPE)


def test_bad_input_leaves_nothing_behind(made_up, tmp_path):
    path, _ = made_up
    out = tmp_path / "bundle"
    music = tmp_path / "music"
    small_corpus.write_sound(music / "one.wav")
    for calibrate, message in (
        (tmp_path / "nowhere", r"--calibrate=.*nowhere is not a folder"),
        (path, r"--calibrate=.*weights\.hdf5 is not a folder"),
        (music, "1 audio files of music are too few .* at least 16"),
    ):
        with pytest.raises(ValueError, match=message):
            import_weights.import_weights(path, out, calibrate)
    with pytest.raises(ValueError, match=r"nowhere\.hdf5: there is no such file"):
        import_weights.import_weights(tmp_path / "nowhere.hdf5", out, None)
    assert not out.exists()
    with pytest.raises(ValueError, match=r"music holds files \(one\.wav, …\)"):
        import_weights.import_weights(path, music, None)
    assert [file.name for file in music.iterdir()] == ["one.wav"]


@pytest.fixture
def author(tmp_path_factory, monkeypatch):
    """The folder of a server on loopback that stands in for the author's."""
    folder = tmp_path_factory.mktemp("author")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    place = f"http://127.0.0.1:{server.server_port}/{published_weights.NAME}"
    monkeypatch.setattr(published_weights, "URL", place)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield folder
    server.shutdown()
    server.server_close()


def calls(tmp_path, **flags):
    return import_weights.start(Options(out=str(tmp_path / "bundle"), **flags))


def test_published_weights_are_fetched_and_imported(
    author, made_up, tmp_path, monkeypatch
):
    path, as_published = made_up
    content = path.read_bytes()
    (author / published_weights.NAME).write_bytes(content)
    found = hashlib.sha256(content).hexdigest()
    monkeypatch.setattr(published_weights, "SHA256", found)
    monkeypatch.setattr(published_weights, "SIZE_BYTES", len(content))
    calls(tmp_path, published=True)
    bundle = read_bundle(tmp_path / "bundle")
    assert bundle.provenance["file"] == published_weights.NAME
    assert bundle.provenance["file_sha256"] == found
    for name in ("conv1_kernel", "conv5_bias"):
        expected = as_published.weights.params[name]
        np.testing.assert_array_equal(bundle.weights.params[name], expected)


BY_HAND = r"Download http\S+/weights_layer4_theano\.hdf5 by hand, .*--keras=/path/to/"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be fetched .*404"),
        (b"<html>", "another file, with SHA-256 [0-9a-f]{64} after 6 bytes; expected"),
        (bytes(3_000_000), "another file, .* after 1,329,265 bytes; expected"),
    ],
)
def test_what_is_not_the_published_file_is_not_imported(
    author, content, message, tmp_path
):
    if content is not None:
        (author / published_weights.NAME).write_bytes(content)
    with pytest.raises(ValueError, match=f"{message}.*{BY_HAND}"):
        calls(tmp_path, published=True)
    assert not list(tmp_path.iterdir())


def test_without_a_connection_it_says_what_to_do_by_hand(tmp_path, monkeypatch):
    for address, reason in (
        ("http://127.0.0.1:9/", "Connection refused"),
        ("http://nowhere.invalid/", "[^<]+"),
    ):
        url = address + published_weights.NAME
        monkeypatch.setattr(published_weights, "URL", url)
        monkeypatch.setenv("no_proxy", "*")
        with pytest.raises(ValueError, match=rf"fetched \({reason}\)\. {BY_HAND}"):
            calls(tmp_path, published=True)


@needs_reference
def test_the_checksum_is_that_of_the_published_file():
    content = PUBLISHED.read_bytes()
    assert hashlib.sha256(content).hexdigest() == published_weights.SHA256
    assert len(content) == published_weights.SIZE_BYTES


def test_either_fetched_or_from_a_file(made_up, author, tmp_path):
    for flags, given in (({}, "neither"), ({"keras": "a", "published": True}, "both")):
        with pytest.raises(ValueError, match=f"--published .*--keras=.*{given}"):
            calls(tmp_path, **flags)
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "mine.txt").write_text("")
    with pytest.raises(ValueError, match=re.escape("holds files (mine.txt")):
        calls(tmp_path, published=True)
