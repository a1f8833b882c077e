"""Exported programs compute what the bundle does, in runtimes that are not ours."""

import json
import sys

import numpy as np
import onnxruntime
import pytest
from jax import export

from msd_tagger.bundle import onnx_graph, stablehlo, waveform
from msd_tagger.frontend.recipe import Recipe
from msd_tagger.frontend.spectrogram import power_stft, spectrogram, to_bands
from msd_tagger.network import preprocessing as pre
from msd_tagger.tagging.tagger import Tagger
from tests import fakes, small_corpus
from tests.bundles import make_bundle

# What each step of preprocessing does is in one of these.
ASKED = (
    pre.Preprocessing(),
    pre.Preprocessing(standardise_clip=False, scale=10.0),
    pre.Preprocessing("linear", "a_weighting"),
    pre.Preprocessing("db", "a_weighting"),
    pre.Preprocessing("linear", "per_frequency"),
    pre.Preprocessing("db", "per_frequency_dataset"),
)


def sounds(recipe, count=3):
    """Clips of different levels, the last with silence in it, `[B, T]`."""
    made = [
        small_corpus.sound(seed, recipe.duration_s, recipe.sample_rate_hz)[:, 0]
        for seed in range(count)
    ]
    clips = np.stack([clip[: recipe.num_samples] for clip in made]).astype(np.float32)
    clips[-1, : recipe.num_samples // 2] = 0
    return clips * np.float32([[1.0], [0.1], [0.5]][:count])


def decibels(clips, recipe):
    """What the front end computes before it rounds to float16."""
    filters = recipe.mel_filters()
    power = np.stack([to_bands(power_stft(clip, recipe), filters) for clip in clips])
    return 10 * np.log10(np.maximum(power.astype(float), 1e-10))


def run_onnx(path, name, values):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options)
    return session.run(None, {name: values})


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_onnx_has_the_scores_of_the_bundle(asked, tmp_path):
    bundle = make_bundle()._replace(preprocessing=asked)
    onnx_graph.write(tmp_path, bundle)
    clips = sounds(bundle.recipe)
    stored = np.stack([spectrogram(clip, bundle.recipe) for clip in clips])
    expected = Tagger(bundle, batch_size=3).scores(stored).swapaxes(0, 1)
    path = tmp_path / "from_spectrogram.onnx"
    for count in (3, 1):  # Any number of clips.
        found, *_ = run_onnx(path, "spectrogram", stored[:count].astype(np.float32))
        np.testing.assert_allclose(found, expected[:count], atol=1e-5)
    assert np.ptp(expected, axis=0).max() > 0.1


def test_programs_of_waveforms_agree(tmp_path):
    bundle = make_bundle()
    recipe, clips = bundle.recipe, sounds(bundle.recipe)
    onnx_graph.write(tmp_path, bundle)
    stablehlo.write(tmp_path, bundle)
    scores, found = run_onnx(tmp_path / "from_waveform.onnx", "waveform", clips)
    np.testing.assert_allclose(found, decibels(clips, recipe), atol=1e-3)
    of_found, *_ = run_onnx(tmp_path / "from_spectrogram.onnx", "spectrogram", found)
    np.testing.assert_allclose(scores, of_found, atol=1e-5)
    # All that tagging does in another way is to round decibels to float16.
    tagger = Tagger(bundle, batch_size=3)
    rounded = tagger.scores(found.astype(np.float16)).swapaxes(0, 1)
    np.testing.assert_allclose(scores, rounded, atol=0.01)

    for name, values in (("waveform", clips), ("spectrogram", found)):
        content = (tmp_path / f"from_{name}.stablehlo").read_bytes()
        program = export.deserialize(bytearray(content))
        for count in (3, 2):
            made = program.call(values[:count])
            made = made if name == "waveform" else [made]
            np.testing.assert_allclose(made[0], scores[:count], atol=1e-5)
        if name == "waveform":
            np.testing.assert_allclose(made[1], found[:2], atol=1e-3)


@pytest.mark.parametrize("recipe", [Recipe("mel"), Recipe("stft")], ids=["mel", "stft"])
def test_the_front_end_of_whole_clips(recipe):
    """Of the paper's size; where bins are not summed, rounding of both is seen."""
    clip = sounds(recipe, count=1)
    expected = decibels(clip, recipe)
    found = np.asarray(waveform.spectrogram_db(clip, recipe))
    near = expected > expected.max() - 60
    np.testing.assert_allclose(found[near], expected[near], atol=1e-3)


def test_onnx_names_the_tags(tmp_path):
    tags = ("ö", 'a"b', "c")
    onnx_graph.write(tmp_path, make_bundle(tags=tags)._replace(thresholds=None))
    session = onnxruntime.InferenceSession(str(tmp_path / "from_waveform.onnx"))
    about = session.get_modelmeta().custom_metadata_map
    assert tuple(json.loads(about["tags"])) == tags
    assert [one.shape for one in session.get_outputs()] == [
        ["B", 2, 3],
        ["B", *fakes.RECIPE.shape],
    ]


@pytest.mark.parametrize(
    ("write", "package"),
    [(onnx_graph.write, "onnx"), (stablehlo.write, "flatbuffers")],
)
def test_a_missing_package_is_named(write, package, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    message = rf'needs {package}, which .* pip install -e "\.\[export\]"'
    with pytest.raises(ValueError, match=message):
        write(tmp_path, make_bundle())
    assert not list(tmp_path.iterdir())
