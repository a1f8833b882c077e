import jax
import numpy as np
import pytest

from msd_tagger.network import preprocessing as pre
from msd_tagger.tagging.tagger import Tagger
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


def by_hand(bundle, seed, spectrograms):
    """Pooled features of each layer [L, B, C], and scores [B, K], in NumPy."""
    weights = jax.tree.map(lambda leaf: leaf[seed], bundle.weights)
    params, features = weights.params, []
    x = np.array(pre.apply(spectrograms, bundle.preprocessing, bundle.bands))
    x = x[..., None].astype(np.float64)
    for i, (rows, columns) in enumerate(bundle.network["pools"], start=1):
        kernel, norm = params[f"conv{i}_kernel"], params[f"norm{i}"]
        padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))
        z = np.einsum("bmfcij,ijcd->bmfd", windows, kernel) + params[f"conv{i}_bias"]
        stats = weights.batch_stats[f"norm{i}"]
        if bundle.batch_statistics:
            stats = {"mean": z.mean((0, 1, 2)), "var": z.var((0, 1, 2))}
        z = (z - stats["mean"]) / np.sqrt(stats["var"] + bundle.network["epsilon"])
        z = norm["scale"] * z + norm["bias"]
        z = np.where(z > 0, z, np.expm1(np.minimum(z, 0)))
        bands, frames = z.shape[1] // rows, z.shape[2] // columns
        z = z[:, : bands * rows, : frames * columns]
        x = z.reshape(len(z), bands, rows, frames, columns, -1).max((2, 4))
        features.append(x.mean((1, 2)))
    logits = x[:, 0, 0] @ params["tags"]["kernel"] + params["tags"]["bias"]
    return np.stack(features), 1 / (1 + np.exp(-logits))


def test_features_and_scores_are_those_of_a_plain_forward_pass(
    bundle, tagger, spectrograms
):
    features, scores = tagger.features(spectrograms), tagger.scores(spectrograms)
    assert features.shape == (2, 6, 4, 6) and scores.shape == (2, 6, 3)
    for seed in range(2):
        expected, expected_scores = by_hand(bundle, seed, spectrograms)
        np.testing.assert_allclose(
            features[seed].swapaxes(0, 1), expected, rtol=1e-4, atol=2e-5
        )
        np.testing.assert_allclose(scores[seed], expected_scores, atol=2e-5)


def test_an_excerpt_does_not_depend_on_the_others(tagger, spectrograms):
    together = tagger.scores(spectrograms)
    alone = [tagger.scores(spectrograms[i : i + 1]) for i in range(6)]
    np.testing.assert_allclose(together, np.concatenate(alone, axis=1), atol=1e-6)
    assert np.ptp(together, axis=1).max() > 0.01


def test_batch_statistics_are_those_of_the_excerpts_alone(bundle, spectrograms):
    """Nothing is padded, where padding would count."""
    bundle = bundle._replace(batch_statistics=True)
    found = Tagger(bundle, batch_size=8).scores(spectrograms[:3])
    for seed in range(2):
        _, expected = by_hand(bundle, seed, spectrograms[:3])
        np.testing.assert_allclose(found[seed], expected, atol=5e-5)


@pytest.mark.parametrize("shape", [(2, 24, 41), (0, 24, 40)])
def test_spectrograms_of_another_recipe_are_refused(tagger, shape):
    with pytest.raises(ValueError, match=rf"{shape[0]}, 24, {shape[2]}\].*N, 24, 40"):
        tagger.scores(np.zeros(shape, np.float16))
