import jax
import numpy as np
import pytest

from msd_tagger import preprocessing as pre
from msd_tagger import steps
from msd_tagger.bundle import build_model
from msd_tagger.tagger import Tagger
from tests.bundles import make_bundle


@pytest.fixture(scope="module")
def bundle():
    return make_bundle()


@pytest.fixture(scope="module")
def tagger(bundle):
    return Tagger(bundle, batch_size=4)


@pytest.fixture(scope="module")
def spectrograms(bundle):
    rng = np.random.default_rng(1)
    return rng.normal(-50, 12, (6, *bundle.recipe.shape)).astype(np.float16)


def by_hand(bundle, seed, spectrogram):
    """Pooled features of each layer, and scores, one clip at a time in NumPy."""
    weights = jax.tree.map(lambda leaf: leaf[seed], bundle.weights)
    params, stats = weights.params, weights.batch_stats
    x = np.array(pre.apply(spectrogram[None], bundle.preprocessing, bundle.bands))
    x, features = x[0, ..., None].astype(np.float64), []
    for i, (rows, columns) in enumerate(bundle.network["pools"], start=1):
        kernel, norm = params[f"conv{i}_kernel"], params[f"norm{i}"]
        padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (0, 1))
        z = np.einsum("mfcij,ijcd->mfd", windows, kernel) + params[f"conv{i}_bias"]
        z -= stats[f"norm{i}"]["mean"]
        z /= np.sqrt(stats[f"norm{i}"]["var"] + bundle.network["epsilon"])
        z = norm["scale"] * z + norm["bias"]
        z = np.where(z > 0, z, np.expm1(np.minimum(z, 0)))
        bands, frames = z.shape[0] // rows, z.shape[1] // columns
        z = z[: bands * rows, : frames * columns]
        x = z.reshape(bands, rows, frames, columns, -1).max((1, 3))
        features.append(x.mean((0, 1)))
    logits = x[0, 0] @ params["tags"]["kernel"] + params["tags"]["bias"]
    return np.stack(features), 1 / (1 + np.exp(-logits))


def test_features_and_scores_are_those_of_a_plain_forward_pass(
    bundle, tagger, spectrograms
):
    features, scores = tagger.features(spectrograms), tagger.scores(spectrograms)
    assert features.shape == (2, 6, 4, 6) and scores.shape == (2, 6, 3)
    for seed, clip in ((0, 0), (1, 5)):
        expected, score = by_hand(bundle, seed, spectrograms[clip])
        np.testing.assert_allclose(features[seed, clip], expected, atol=2e-5)
        np.testing.assert_allclose(scores[seed, clip], score, atol=2e-5)


def test_an_excerpt_does_not_depend_on_the_others(tagger, spectrograms):
    together = tagger.scores(spectrograms)
    alone = [tagger.scores(spectrograms[i : i + 1]) for i in range(6)]
    np.testing.assert_allclose(together, np.concatenate(alone, axis=1), atol=1e-6)
    assert np.ptp(together, axis=1).max() > 0.01


def test_batch_statistics_are_those_of_the_excerpts_alone(bundle, spectrograms):
    """Nothing is padded, where padding would count."""
    bundle = bundle._replace(batch_statistics=True)
    found = Tagger(bundle, batch_size=8).scores(spectrograms[:3])
    model = build_model(bundle)
    prepared = steps.prepare_batch({"spectrogram": spectrograms[:3]}, model)
    weights = jax.tree.map(lambda leaf: leaf[1], bundle.weights)
    logits = steps.predict(weights, prepared["spectrogram"], model, True)
    np.testing.assert_allclose(found[1], jax.nn.sigmoid(logits), atol=1e-5)


@pytest.mark.parametrize("shape", [(2, 24, 41), (0, 24, 40)])
def test_spectrograms_of_another_recipe_are_refused(tagger, shape):
    with pytest.raises(ValueError, match=rf"{shape[0]}, 24, {shape[2]}\].*N, 24, 40"):
        tagger.scores(np.zeros(shape, np.float16))
