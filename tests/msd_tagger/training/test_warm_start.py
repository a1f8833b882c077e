import dataclasses

import jax
import numpy as np
import pytest

from msd_tagger.bundle.format import write_bundle
from msd_tagger.frontend.recipe import Recipe
from msd_tagger.network import preprocessing as pre
from msd_tagger.network.model import predict, prepare_batch
from msd_tagger.training import loop as train
from msd_tagger.training import setup as build
from msd_tagger.training import steps, warm_start
from msd_tagger.training.schedule import build_schedule
from tests import bundles, fakes

TAGS = ("tag 0", "tag 1", "tag 2", "tag 3", "tag 4")
OTHER_TAGS = ("tag 3", "new 1", "tag 0", "new 2", "new 3")

pytestmark = pytest.mark.usefixtures("programs_shared")


def make_bundle(num_seeds=2, tags=TAGS):
    return bundles.make_bundle(num_seeds, tags)


@pytest.fixture(scope="module")
def bundle():
    return make_bundle()


@pytest.fixture(scope="module")
def place(bundle, tmp_path_factory):
    return write(tmp_path_factory.mktemp("bundles"), bundle)


def write(directory, bundle):
    write_bundle(directory / "bundle", bundle)
    return directory / "bundle"


def make_config(place="", **overrides):
    """A configuration of the bundles' recipe."""
    return fakes.small_config(
        train__init_bundle=str(place),
        clip__duration_s=fakes.RECIPE.duration_s,
        spectrogram__num_mel_bands=fakes.RECIPE.num_mel_bands,
        **overrides,
    )


def make_data():
    data = fakes.FakeData()
    data.tags = OTHER_TAGS
    return data


def fit(place, workdir, **overrides):
    config = make_config(place, train__max_steps=10, num_seeds=2, **overrides)
    return train.train(config, make_data(), workdir)


def make_state(weights, model=None):
    """A state around weights `[S, …]`, or one of one seed that can be trained."""
    zeros = np.zeros(len(weights.params["tags"]["bias"]))
    opt_state = (
        ()
        if model is None
        else model.optimiser.init(steps.trained_params(weights.params, model))
    )
    return steps.TrainState(zeros, weights, opt_state, weights, zeros, zeros)


def other_weights(num_seeds, tags=TAGS):
    """As fresh weights differ from the bundle's."""
    weights = make_bundle(num_seeds, tags).weights
    return jax.tree.map(lambda leaf: leaf + 100, weights)


def features(weights):
    params = {k: v for k, v in weights.params.items() if k != "tags"}
    return {"params": params, "batch_stats": weights.batch_stats}


def of_seeds(tree, seeds):
    return jax.tree.map(lambda leaf: np.asarray(leaf)[seeds], tree)


def assert_same(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


def test_seeds_take_turns_at_the_bundles_seeds(bundle):
    fresh = other_weights(3)
    state = warm_start.start(make_state(fresh), bundle, OTHER_TAGS)
    expected = of_seeds(features(bundle.weights), [0, 1, 0])
    assert_same(features(state.weights), expected)
    assert_same(features(state.best), expected)


def test_columns_are_taken_over_by_name_and_others_are_fresh(bundle):
    fresh = other_weights(3)
    state = warm_start.start(make_state(fresh), bundle, OTHER_TAGS)
    for name, leaf in state.weights.params["tags"].items():
        taken = bundle.weights.params["tags"][name][[0, 1, 0]]
        np.testing.assert_array_equal(leaf[..., [0, 2]], taken[..., [3, 0]])
        expected = fresh.params["tags"][name][..., [1, 3, 4]]
        np.testing.assert_array_equal(leaf[..., [1, 3, 4]], expected)


def test_more_seeds_need_a_new_tag(bundle):
    tags = ("tag 1", "tag 0")
    fresh = other_weights(3, tags)
    with pytest.raises(ValueError, match=r"num_seeds=3: .* set --config.num_seeds=2"):
        warm_start.start(make_state(fresh), bundle, tags)
    two = make_state(of_seeds(fresh, [0, 1]))
    state = warm_start.start(two, bundle, tags)
    assert state.weights.params["tags"]["kernel"].shape == (2, 6, 2)


def test_frozen_features_do_not_change_by_a_bit(place, bundle, tmp_path):
    run = fit(place, tmp_path, train__freeze="features")
    for weights in (run.state.weights, run.state.best):
        assert_same(features(weights), features(bundle.weights))
    for name, leaf in run.state.weights.params["tags"].items():
        before = bundle.weights.params["tags"][name][..., 3]
        assert (leaf[..., 0] != before).all()
    # Nothing is kept for what is not trained.
    shapes = {np.shape(leaf) for leaf in jax.tree.leaves(run.state.opt_state)}
    assert shapes == {(2,), (2, 6, 5), (2, 5)}


def test_fine_tuning_changes_everything(place, bundle, tmp_path):
    run = fit(place, tmp_path)
    before, after = features(bundle.weights), features(run.state.weights)
    for key, leaf in jax.tree_util.tree_leaves_with_path(after):
        if "conv" in str(key) and "bias" in str(key):
            continue  # Their exact gradient is zero.
        old = before
        for part in key:
            old = old[part.key]
        assert (leaf != old).any(), key


def test_a_frozen_step_is_one_of_logistic_regression(bundle):
    config = make_config(train__optimiser="sgd", train__learning_rate=0.1)
    schedule = build_schedule(config, 8)
    model = build.build_model(config, 5, bundle.bands, None, schedule)
    model = model._replace(features_frozen=True)
    weights = of_seeds(bundle.weights, 0)
    batch = next(make_data().train_batches(8, 0))
    prepared = prepare_batch(batch, model)
    found, _ = steps.train_step(make_state(weights, model), prepared, model)

    # With the identity as last layer, logits are the features.
    probe = {"kernel": np.eye(6), "bias": np.zeros(6)}
    of_features = weights.replace(params=weights.params | {"tags": probe})
    probing = model._replace(network=model.network.copy(num_tags=6))
    x = np.asarray(predict(of_features, prepared["spectrogram"], probing))
    last = weights.params["tags"]
    error = 1 / (1 + np.exp(-(x @ last["kernel"] + last["bias"]))) - batch["tags"]
    expected = {
        "kernel": last["kernel"] - 0.1 * x.T @ error / error.size,
        "bias": last["bias"] - 0.1 * error.sum(0) / error.size,
    }
    for name, value in expected.items():
        np.testing.assert_allclose(
            found.weights.params["tags"][name], value, rtol=1e-5, atol=1e-6
        )


def test_band_statistics_are_the_bundles(bundle, tmp_path):
    weighting = "per_frequency_dataset"
    preprocessing = pre.Preprocessing(frequency_weighting=weighting)
    place = write(tmp_path, bundle._replace(preprocessing=preprocessing))
    changes = {"preprocessing__frequency_weighting": weighting, "num_seeds": 2}
    setup = build.set_up(make_config(place, **changes), make_data())
    assert_same(setup.model.bands, bundle.bands)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"spectrogram__hop_samples": 128, "clip__duration_s": 0.42},
            r"\(clip.duration_s: 0.832 in the bundle, 0.42 here, "
            r"spectrogram.hop_samples: 256 in the bundle, 128 here\); "
            r"set --config.clip.duration_s=0.832 "
            r"--config.spectrogram.hop_samples=256$",
        ),
        (
            {"spectrogram__kind": "stft"},
            r"\(spectrogram.kind: mel in the bundle, stft here\); set --config.",
        ),
        (
            {"preprocessing__scale": 10.0, "model__channels": 8},
            r"--config.preprocessing.scale=1.0 --config.model.channels=6$",
        ),
        (
            {"model__pools": ((4, 4), (3, 5), (2, 2))},
            r'--config.model.pools="\(\(2, 4\), \(3, 5\), \(2, 2\), \(2, 1\)\)"$',
        ),
        ({"model__batch_norm_epsilon": 0.1}, r"batch_norm_epsilon=0.001$"),
    ],
)
def test_a_bundle_that_does_not_fit_is_refused(place, changes, message):
    config = fakes.override(make_config(place), changes)
    kind = config.spectrogram.kind
    recipe = Recipe.from_config(config.clip, config.spectrogram, kind)
    with pytest.raises(ValueError, match=message):
        build.starting_bundle(config, recipe)


def test_published_weights_have_to_be_calibrated(bundle, tmp_path):
    preprocessing = bundle.preprocessing._replace(reference="batch")
    published = {"preprocessing": preprocessing, "batch_statistics": True}
    place = write(tmp_path, bundle._replace(**published))
    with pytest.raises(ValueError, match=r"on its batch, .* --calibrate=FOLDER"):
        build.starting_bundle(make_config(place), bundle.recipe)


def test_shards_of_an_edited_front_end_are_told(caplog):
    """Its name and its parameters may be the same, and its numbers others."""
    own = Recipe("my:Own(bands=24)", own_shape=(24, 40), own_source="ab")
    bundle = bundles.make_bundle(recipe=own)
    warm_start.check_recipe(bundle, own)
    assert not caplog.records
    warm_start.check_recipe(bundle, dataclasses.replace(own, own_source="cd"))
    assert "my:Own(bands=24) was changed since the bundle learnt" in caplog.text
    other = dataclasses.replace(own, kind="my:Own(bands=7)")
    with pytest.raises(ValueError, match=r'spectrogram.kind="my:Own\(bands=24\)"$'):
        warm_start.check_recipe(bundle, other)
