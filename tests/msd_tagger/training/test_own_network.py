"""A network of one's own through training, bundle, tagging and transfer."""

import json
import logging

import jax
import numpy as np
import pytest
from jax import export

from msd_tagger.bundle import format as bundles
from msd_tagger.bundle import stablehlo
from msd_tagger.commands.embed import check_features
from msd_tagger.commands.export import write_programs
from msd_tagger.network.model import Weights
from msd_tagger.tagging.tagger import Tagger
from msd_tagger.training import bundle_scores, loop, parallel, results
from msd_tagger.training import setup as build
from tests import fakes
from tests.plain_network import plain_params, plain_statistics

pytestmark = pytest.mark.usefixtures("programs_shared")

SMALL = "tests.own_networks:Small(dropout=0.3)"
NAMELESS = "tests.own_networks:Nameless"
PLAIN = f"tests.plain_network:PlainConvNet(pools={fakes.POOLS}, channels=6)"
CHANCE = ("spec_augment", "mixup", "random_gain", "tests.own_networks:louder(by=0.1)")
DATA = fakes.FakeData()
RECIPE = {
    "clip__duration_s": fakes.RECIPE.duration_s,
    "spectrogram__num_mel_bands": fakes.RECIPE.num_mel_bands,
}


def fit(folder, network=SMALL, **overrides):
    config = fakes.small_config(model__network=network, **RECIPE | overrides)
    return loop.train(config, DATA, folder)


def assert_same(found, expected):
    jax.tree.map(np.testing.assert_array_equal, found, expected)


def steps_of(network, weights=None):
    """Losses and weights of three steps by SGD, then statistics estimated anew."""
    config = fakes.small_config(model__network=network, train__optimiser="sgd")
    ready = build.set_up(config, DATA)
    state = build.first_state(ready)
    if weights is not None:
        state = state.replace(weights=weights)
    first, losses = state.weights, []
    chunks = parallel.to_devices(state, ready.layout)
    batches = ready.train_batches(0, 0, 1.0)
    for _ in range(3):
        chunks, loss = ready.programs.update(chunks, next(batches))
        losses.append(float(loss[0].loss[0]))
    trained = parallel.from_devices(chunks, ready.layout).weights
    estimated = ready.programs.forget([chunk.weights for chunk in chunks])
    for _ in range(2):
        estimated, _ = ready.programs.estimate(estimated, next(batches))
    return first, losses, trained, parallel.from_devices(estimated, ready.layout)


def test_it_learns_as_the_network_of_the_paper_does():
    """The same network in plain Flax, brought from outside, from the same weights."""
    first, losses, trained, estimated = steps_of("convnet")
    count = first.batch_stats["norm1"]["count"]
    statistics = plain_statistics(first.batch_stats) | {"count": count}
    given = Weights(plain_params(first.params), statistics)
    _, own_losses, own_trained, own_estimated = steps_of(PLAIN, given)
    np.testing.assert_allclose(own_losses, losses, rtol=1e-4)
    for own, paper in ((own_trained, trained), (own_estimated, estimated)):
        expected = plain_params(paper.params)
        for tree in (expected, own.params):
            for name, layer in tree.items():
                if name.startswith("conv"):  # Its exact gradient is zero.
                    layer.pop("bias")
        close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)  # noqa: E731
        jax.tree.map(close, own.params, expected)
        found = {k: v for k, v in own.batch_stats.items() if k != "count"}
        jax.tree.map(close, found, plain_statistics(paper.batch_stats))
        assert own.batch_stats["count"] == paper.batch_stats["norm1"]["count"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    sizes = {"num_seeds": 2, "train__max_steps": 24, "train__max_epochs": 9.0}
    folder = tmp_path_factory.mktemp("whole")
    return fit(folder, train__augmentations=CHANCE, **sizes)


def test_a_run_that_is_cut_goes_on_with_the_same_chance(tmp_path, whole):
    for end in (5, 13, 24):
        sizes = {"num_seeds": 2, "train__max_steps": end, "train__max_epochs": 9.0}
        found = fit(tmp_path, train__augmentations=CHANCE, **sizes)
    assert_same(found.state, whole.state)


def test_a_seed_draws_the_same_whatever_it_runs_with(tmp_path, whole):
    sizes = {"seed": 1, "train__max_steps": 24, "train__max_epochs": 9.0}
    alone = fit(tmp_path, train__augmentations=CHANCE, **sizes)
    assert_same(alone.state.weights, jax.tree.map(lambda x: x[1:], whole.state.weights))


def test_chance_is_what_the_seed_says(tmp_path):
    """Two seeds that start from the same weights part by their chance alone."""
    config = fakes.small_config(
        num_seeds=2, model__network=SMALL, train__optimiser="sgd"
    )
    losses = {}
    for name, chance in (("drop", ()), ("mix", ("mixup",)), ("none", None)):
        changes = {"train__augmentations": chance or ()}
        if chance is None:
            changes["model__network"] = "tests.own_networks:Small"
        one = fakes.override(config.copy_and_resolve_references(), changes)
        ready = build.set_up(one, DATA)
        state = build.first_state(ready)
        same = jax.tree.map(lambda x: np.repeat(x[:1], 2, axis=0), state.weights)
        chunks = parallel.to_devices(state.replace(weights=same), ready.layout)
        _, found = ready.programs.update(chunks, next(ready.train_batches(0, 0, 1.0)))
        losses[name] = np.concatenate([one.loss for one in found])
    assert losses["none"][0] == losses["none"][1]
    assert losses["drop"][0] != losses["drop"][1]
    assert not {*losses["mix"]} & {*losses["drop"], *losses["none"]}


@pytest.fixture(scope="module")
def record(whole, tmp_path_factory):
    """The folder of a finished run, and its test predictions."""
    folder = tmp_path_factory.mktemp("record")
    predictions = results.predict(whole)
    results.write_results(whole, folder, predictions, None)
    return folder, predictions["test"]


def test_a_bundle_rebuilds_it(record, tmp_path):
    folder, expected = record
    bundle = bundles.read_bundle(folder / "bundle")
    assert bundle.network["name"] == SMALL
    tagger = Tagger(bundle)
    stored = DATA.splits["test"][1]
    np.testing.assert_allclose(tagger.scores(stored), expected, atol=1e-5)
    features = tagger.features(stored)
    assert features.shape == (2, len(stored), 1, 12 * 6)
    layer = bundle.weights.params["tags"]
    logits = np.einsum("snc,sck->snk", features[:, :, 0], layer["kernel"])
    scores = 1 / (1 + np.exp(-logits - layer["bias"][:, None]))
    np.testing.assert_allclose(scores, expected, atol=1e-4)
    bundles.write_bundle(tmp_path / "copy", bundle)
    again = bundles.read_bundle(tmp_path / "copy")
    assert_same(again.weights, bundle.weights)
    card = (tmp_path / "copy" / "README.md").read_text()
    assert f"Networks of `{SMALL}`" in card and "imported when this folder" in card
    summary = json.loads((folder / "summary.json").read_text())
    sizes = [leaf.size for leaf in jax.tree.leaves(bundle.weights.params)]
    assert summary["parameters"] == sum(sizes) / 2
    assert (folder / "label_vectors.npz").exists()
    assert not (folder / "first_layer.npz").exists()


def test_what_only_the_papers_network_has_is_refused(record, tmp_path):
    bundle = bundles.read_bundle(record[0] / "bundle")
    check_features(bundle, "last")
    with pytest.raises(
        ValueError, match=r"--layers=all: only .*Small.*use --layers=last"
    ):
        check_features(bundle, "all")
    with pytest.raises(
        ValueError, match=r"--format=onnx: the graph of .*Small.*stablehl"
    ):
        write_programs(tmp_path / "out", bundle, "onnx")
    assert not (tmp_path / "out").exists()


def test_as_stablehlo_it_takes_any_number_of_clips(record, tmp_path):
    bundle = bundles.read_bundle(record[0] / "bundle")
    (tmp_path / "a").mkdir()
    with pytest.raises(ValueError, match=r"Small.* from x\.shape\[0\], as len\(x\)"):
        stablehlo.write(tmp_path / "a", bundle)
    trained = fit(tmp_path / "b", "examples.residual:ResNet(channels=2)")
    results.write_results(trained, tmp_path / "b", results.predict(trained), None)
    bundle = bundles.read_bundle(tmp_path / "b" / "bundle")
    stablehlo.write(tmp_path / "a", bundle)
    content = (tmp_path / "a" / "from_spectrogram.stablehlo").read_bytes()
    program = export.deserialize(bytearray(content)).call
    given = np.random.default_rng(0).uniform(-80, 0, (3, *bundle.recipe.shape))
    given = given.astype(np.float16)
    found = np.asarray(program(given.astype(np.float32))).swapaxes(0, 1)
    np.testing.assert_allclose(found, Tagger(bundle).scores(given), rtol=1e-5)


def test_a_bundle_whose_module_is_away_or_changed(
    record, tmp_path, monkeypatch, caplog
):
    bundle = bundles.read_bundle(record[0] / "bundle")
    monkeypatch.syspath_prepend(tmp_path)
    source = bundles.calls.source_of(SMALL.partition("(")[0], "").read_text()
    module = tmp_path / "network_of_mine.py"
    module.write_text(source)
    network = {**bundle.network, "name": "network_of_mine:Small(dropout=0.3)"}
    with caplog.at_level(logging.WARNING):
        bundles.write_bundle(tmp_path / "bundle", bundle._replace(network=network))
        bundles.read_bundle(tmp_path / "bundle")
        assert "has changed" not in caplog.text
        built = bundles.build_network(network, 5)
        module.write_text(source + "\n# Changed.\n")
        bundles.read_bundle(tmp_path / "bundle")
    assert (
        f"{module} has changed since {tmp_path / 'bundle'} was trained" in caplog.text
    )
    # A file that is changed while its network trains is not the one that was trained.
    assert bundles.fields_of(built)["code"] == bundle.network["code"]
    monkeypatch.delitem(bundles.calls.importlib.sys.modules, "network_of_mine")
    module.rename(tmp_path / "bundle" / module.name)
    with monkeypatch.context() as inside:
        inside.syspath_prepend(tmp_path / "bundle")
        with pytest.raises(ValueError, match=r"network_of_mine\.py lies in the bundle"):
            bundles.read_bundle(tmp_path / "bundle")
    assert "network_of_mine" not in bundles.calls.importlib.sys.modules
    # Nor is a package in it imported on the way to a module.
    package = tmp_path / "bundle" / "package"
    package.mkdir()
    (package / "__init__.py").write_text("raise AssertionError")
    (package / "inside.py").write_text(source)
    description = tmp_path / "bundle" / "config.json"
    before = description.read_text()
    for name in ("bundle.package.inside:Small", "bundle.package:Small"):
        forged = json.loads(before.replace("network_of_mine:Small", name))
        del forged["digest"]
        description.write_text(json.dumps(forged | {"digest": bundles.digest(forged)}))
        with pytest.raises(ValueError, match="bundle lies in the bundle itself"):
            bundles.read_bundle(tmp_path / "bundle")
    description.write_text(before)
    message = r"bundle is not a usable bundle: the bundle's network=network_of_mine:.*"
    with pytest.raises(ValueError, match=message + "cannot be imported.*PYTHONPATH"):
        bundles.read_bundle(tmp_path / "bundle")


def test_a_bundle_of_other_values_is_refused(record):
    bundle = bundles.read_bundle(record[0] / "bundle")
    for change, message in (
        ({"name": "Small"}, "its 'name' is not what this code knows"),
        ({"name": "tests.own_networks:ByFrame"}, "not known|is missing"),
        ({"dtype": "int8"}, "its network.dtype is 'int8'"),
    ):
        other = bundle._replace(network={**bundle.network, **change})
        with pytest.raises(ValueError, match=message):
            bundles.write_bundle(record[0] / "other", other)
    with pytest.raises(ValueError, match="its 'batch_statistics' is not"):
        bundles.write_bundle(
            record[0] / "other", bundle._replace(batch_statistics=True)
        )


def test_another_training_starts_from_it(record, tmp_path, monkeypatch):
    place = str(record[0] / "bundle")
    before = bundles.read_bundle(record[0] / "bundle").weights
    wishes = {"train__init_bundle": place, "train__max_steps": 10, "num_seeds": 2}
    frozen = fit(tmp_path / "frozen", train__freeze="features", **wishes)
    kept = frozen.state.weights
    assert_same(kept.batch_stats, before.batch_stats)
    for name, leaf in before.params.items():
        same = jax.tree.map(np.array_equal, kept.params[name], leaf)
        assert all(jax.tree.leaves(same)) == (name != "tags")
    with pytest.raises(
        ValueError, match=r"model\.network: tests.own_networks:Small\(dr"
    ):
        fit(tmp_path / "other", "tests.own_networks:Small", **wishes)
    with pytest.raises(
        ValueError, match=r"model\.network: .* in the bundle, convnet he"
    ):
        fit(tmp_path / "other", "convnet", **wishes)


def test_a_network_without_a_layer_for_tags(tmp_path):
    trained = fit(tmp_path, NAMELESS, train__max_steps=10)
    predictions = results.predict(trained)
    results.write_results(trained, tmp_path, predictions, None)
    assert not (tmp_path / "label_vectors.npz").exists()
    bundle = bundles.read_bundle(tmp_path / "bundle")
    tagger = Tagger(bundle)
    stored = DATA.splits["test"][1]
    np.testing.assert_allclose(tagger.scores(stored), predictions["test"], atol=1e-5)
    with pytest.raises(ValueError, match="a feature needs a network with a last layer"):
        tagger.features(stored)
    with pytest.raises(ValueError, match="embed needs a network with a last layer"):
        check_features(bundle, "last")
    assert bundle_scores.restrict(bundle, bundle.tags) is bundle
    with pytest.raises(ValueError, match="lacks tags of the bundle needs a network"):
        bundle_scores.restrict(bundle, bundle.tags[:2])
    config = fakes.small_config(
        model__network=NAMELESS,
        train__init_bundle=str(tmp_path / "bundle"),
        train__freeze="features",
        **RECIPE,
    )
    build.starting_bundle(config, DATA.recipe)
    with pytest.raises(ValueError, match="freeze=features needs a network with a last"):
        build.check(config, DATA.recipe)
    config.train.freeze = "nothing"
    build.check(config, DATA.recipe)
    state = build.first_state(build.set_up(config, DATA))
    assert_same(state.weights, bundle.weights)
    with pytest.raises(ValueError, match="the study label_vectors needs a network"):
        build.check(config, DATA.recipe, "the study label_vectors")


def test_its_code_names_the_run():
    config = fakes.small_config(model__network=SMALL, train__augmentations=CHANCE)
    found = build.own_code(config)
    names = ("tests.own_networks:Small", "tests.own_networks:louder")
    assert found.keys() == {f"code of {name}" for name in names}
    assert build.own_code(fakes.small_config()) == {}


def test_names_of_the_papers_network_mean_nothing_in_another(tmp_path):
    trained = fit(tmp_path, "tests.own_networks:Convolving", train__max_steps=2)
    results.write_results(trained, tmp_path, results.predict(trained), None)
    assert (tmp_path / "summary.json").exists()
    for name in ("first_layer.npz", "label_vectors.npz"):
        assert not (tmp_path / name).exists()
