import json
import os
import signal
from contextlib import closing
from functools import partial

import jax
import numpy as np
import pytest

from msd_tagger.common import interruption
from msd_tagger.common.errors import Interrupted, LostInputError
from msd_tagger.network.model import predict, prepare_batch
from msd_tagger.training import distributed, evaluation, parallel, steps
from msd_tagger.training import loop as train
from msd_tagger.training import setup as build
from msd_tagger.training.checkpoints import Checkpoints, Saved
from tests import fakes, judge

pytestmark = pytest.mark.usefixtures("programs_shared")


def fit(tmp_path, name="run", data=None, **overrides):
    config = fakes.small_config(**overrides)
    return train.train(config, data or fakes.FakeData(), tmp_path / name)


def assert_same(a, b, exact=True):
    jax.tree.map(
        np.testing.assert_array_equal
        if exact
        else partial(np.testing.assert_allclose, rtol=2e-4, atol=2e-5),
        a,
        b,
    )


def lines(tmp_path, name, kind):
    text = (tmp_path / name / "metrics.jsonl").read_text().splitlines()
    return [line for line in map(json.loads, text) if line["kind"] == kind]


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
def test_one_step_equals_numpy(optimiser):
    data = fakes.FakeData()
    config = fakes.small_config(train__optimiser=optimiser)
    config.train.learning_rate = 0.01
    setup = build.set_up(config, data)
    batch = next(data.train_batches(8, 0))
    state = jax.tree.map(lambda leaf: leaf[0], build.first_state(setup))
    prepared = prepare_batch(batch, setup.model)
    step = jax.jit(partial(steps.train_step, model=setup.model))
    new, output = step(state, prepared)

    x = batch["spectrogram"].astype(np.float64)
    x = np.maximum(x - x.max((1, 2), keepdims=True), -80)
    x = (x - x.mean((1, 2), keepdims=True)) / x.std((1, 2), keepdims=True)
    params = state.weights.params
    expected_loss, grads, statistics = judge.loss_and_gradients(
        params, x, batch["tags"], fakes.POOLS
    )
    assert float(output.loss) == pytest.approx(expected_loss, rel=1e-4)
    # Those of the biases are exactly zero, up to NumPy's rounding.
    squares = sum(np.sum(np.square(leaf)) for leaf in jax.tree.leaves(grads))
    assert float(output.gradient_norm) == pytest.approx(np.sqrt(squares), rel=1e-4)
    update = {
        "adam": partial(judge.adam_first_step, learning_rate=0.01),
        "sgd": lambda p, g: p - 0.01 * g,
    }[optimiser]
    for i in range(1, len(fakes.POOLS) + 1):
        # Their exact gradient is zero: NumPy's rounding is no gradient to follow.
        grads.pop(f"conv{i}_bias")
        found = new.weights.params[f"conv{i}_bias"]
        np.testing.assert_array_equal(found, params[f"conv{i}_bias"])
        stats = new.weights.batch_stats[f"norm{i}"]
        np.testing.assert_allclose(stats["mean"], statistics[i - 1][0], atol=1e-4)
        np.testing.assert_allclose(stats["var"], statistics[i - 1][1], rtol=1e-4)
    for key, grad in jax.tree_util.tree_leaves_with_path(grads):
        old, found = params, new.weights.params
        for part in key:
            old, found = old[part.key], found[part.key]
        np.testing.assert_allclose(found, update(old, grad), rtol=1e-4, atol=1e-4)


def test_five_steps_and_a_restart_equal_ten(tmp_path):
    kwargs = {"num_seeds": 2, "train__max_epochs": 10.0}
    whole = fit(tmp_path, "whole", train__max_steps=20, **kwargs)
    fit(tmp_path, "cut", train__max_steps=10, **kwargs)
    resumed = fit(tmp_path, "cut", train__max_steps=20, **kwargs)
    assert int(resumed.state.step[0]) == 20
    assert_same(resumed.state, whole.state)
    for kind in ("train", "evaluation"):
        keys = ("step", "loss", "roc_auc_macro", "gradient_norm", "learning_rate")
        found, expected = (
            [[line.get(k) for k in keys] for line in lines(tmp_path, name, kind)]
            for name in ("cut", "whole")
        )
        assert found == expected


def test_five_plus_five_steps_equal_ten_bit_for_bit(tmp_path):
    data, config = fakes.FakeData(), fakes.small_config(num_seeds=2)
    # Where the schedule stands is part of the state.
    config.train.update(learning_rate_schedule="cosine", warmup_epochs=1.0)
    setup = build.set_up(config, data)
    first_state = build.first_state(setup)

    def advance(state, first, last):
        chunks = parallel.to_devices(state, setup.layout)
        batches = data.train_batches(8, 0, first)
        for _ in range(first, last):
            chunks, _ = setup.programs.update(chunks, next(batches))
        return parallel.from_devices(chunks, setup.layout)

    ten = advance(first_state, 0, 10)
    store = Checkpoints(tmp_path / "store")
    store.save(advance(first_state, 0, 5), 5, {})
    store.close()
    restored = Checkpoints(tmp_path / "store").restore(first_state).state
    assert int(restored.step[0]) == 5
    assert_same(advance(restored, 5, 10), ten)


def test_vmapped_seeds_equal_separate_runs(tmp_path):
    """In one chunk and a half; one by one is what the test of devices compares."""
    together = fit(tmp_path, num_seeds=3, seed=7, train__seeds_per_chunk=2)
    for i in range(3):
        alone = fit(tmp_path, f"seed{i}", seed=7 + i)
        of_seed = jax.tree.map(lambda leaf, i=i: leaf[i : i + 1], together.state)
        assert_same(alone.state.best, of_seed.best, exact=False)
        assert_same(alone.state.weights, of_seed.weights, exact=False)
        assert alone.state.best_step == of_seed.best_step
    scores = [line["roc_auc_macro"] for line in lines(tmp_path, "run", "evaluation")]
    assert np.ptp(scores[-1]) > 0  # Different seeds are different networks.


def test_nothing_but_losses_of_earlier_steps_holds_the_host_up(tmp_path, monkeypatch):
    events = []

    class Losses:
        def __init__(self, step):
            self._step = step

        def __array__(self, *_, **__):
            events.append(("losses", self._step))
            return np.zeros(1, np.float32)

    def update(chunks, batch):
        events.append(("step", len([kind for kind, _ in events if kind == "step"])))
        if len(events) == 13:
            raise ZeroDivisionError
        return chunks, [steps.Output(Losses(events[-1][1]), np.ones(1))]

    setup = build.set_up(fakes.small_config(train__log_every_steps=4), fakes.FakeData())
    setup = setup._replace(programs=setup.programs._replace(update=update))
    saved = Saved(build.first_state(setup), {})
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    with (
        interruption.deferred() as asked,
        closing(train.Training(setup, saved, None, tmp_path, asked)) as training,
        pytest.raises(ZeroDivisionError),
    ):
        training.fit()
    of_step = {
        kind: [n for one, n in events if one == kind] for kind in ("step", "losses")
    }
    assert of_step == {"step": [*range(8)], "losses": [*range(5)]}
    places = [
        events.index(("losses", n)) - events.index(("step", n + 2)) for n in range(5)
    ]
    assert places == [1] * 5  # Right after the second step that follows is enqueued.
    text = (tmp_path / "metrics.jsonl").read_text()
    assert [json.loads(line)["step"] for line in text.splitlines()] == [4]


def test_evaluation_is_the_same_for_every_batch_size(tmp_path):
    data = fakes.FakeData()
    run = fit(tmp_path, data=data, num_seeds=2)
    weights = parallel.to_devices(run.state.best, run.setup.layout)
    found = []
    for size in (1, 7, 64):
        run.setup.config.train.evaluation_batch_size = size
        found.append(evaluation.evaluate_split(run.setup, weights, "valid"))
    assert found[0]["scores"].shape == (2, 30, 5)
    for other in found[1:]:
        np.testing.assert_allclose(other["scores"], found[0]["scores"], atol=1e-5)
        np.testing.assert_allclose(other["loss"], found[0]["loss"], rtol=1e-5)


# Running statistics are those of past weights too, so they lag; logits are about 1.
@pytest.mark.parametrize(("clips", "limit"), [(0, 0.6), (16, 0.25)])
def test_early_statistics_are_close_to_those_of_the_batch(tmp_path, clips, limit):
    data = fakes.FakeData()
    run = fit(tmp_path, train__max_steps=10, train__statistics_clips=clips)
    best = jax.tree.map(lambda leaf: leaf[0], run.state.best)
    batch = next(data.evaluation_batches("valid", 30))
    model = run.setup.model
    batch = prepare_batch(batch, model)["spectrogram"]
    predicted = jax.jit(lambda weights: predict(weights, batch, model))
    by_batch = predict(best, batch, model, batch_statistics=True)
    found = predicted(best)
    fresh = jax.tree.map(np.zeros_like, best.batch_stats)
    for norm in fresh.values():
        norm["var"] = np.ones_like(norm["var"])
    undone = predicted(best.replace(batch_stats=fresh))

    def distance(a):
        return np.abs(a - by_batch).mean()

    assert distance(found) < limit
    assert distance(undone) > 2 * distance(found)


def test_training_learns_and_keeps_the_best(tmp_path):
    run = fit(tmp_path, train__max_epochs=12.0, train__learning_rate=0.05)
    scores = {
        line["step"]: line["roc_auc_macro"][0]
        for line in lines(tmp_path, "run", "evaluation")
    }
    assert max(scores.values()) > 0.75
    assert run.state.best_score[0] == pytest.approx(max(scores.values()))
    assert scores[int(run.state.best_step[0])] == max(scores.values())


def test_patience_stops_training(tmp_path):
    run = fit(
        tmp_path,
        train__max_epochs=60.0,
        train__patience_epochs=3.0,
        train__learning_rate=0.05,
    )
    step, best = int(run.state.step[0]), int(run.state.best_step[0])
    schedule = run.setup.schedule
    assert step < schedule.last_step
    upcoming = schedule.next_evaluation(step)
    assert upcoming - best > schedule.patience_steps >= step - best


@pytest.mark.parametrize(("num_clips", "patience"), [(50, 1.0), (18, 3.0), (50, 0.5)])
def test_patience_below_an_interval_waits_for_one_evaluation(
    tmp_path, num_clips, patience
):
    data = fakes.FakeData({"train": num_clips, "valid": 30, "test": 4})
    run = fit(
        tmp_path,
        data=data,
        train__max_epochs=20.0,
        train__patience_epochs=patience,
        train__learning_rate=0.05,
    )
    found = [line["step"] for line in lines(tmp_path, "run", "evaluation")]
    assert int(run.state.best_step[0]) in found
    # It ended with the first evaluation that was no better, not one later.
    assert found.index(int(run.state.best_step[0])) == len(found) - 2


def test_a_damaged_checkpoint_is_passed_over(tmp_path):
    kwargs = {"train__max_epochs": 10.0}
    whole = fit(tmp_path, "whole", train__max_steps=30, **kwargs)
    fit(tmp_path, "cut", train__max_steps=20, **kwargs)
    for path in (tmp_path / "cut" / "checkpoints" / "20").rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    resumed = fit(tmp_path, "cut", train__max_steps=30, **kwargs)
    assert_same(resumed.state, whole.state)
    assert (tmp_path / "cut" / "checkpoints" / "damaged-20").is_dir()


def test_a_seed_out_of_patience_keeps_its_best_while_others_train_on():
    setup = build.set_up(fakes.small_config(num_seeds=2), fakes.FakeData())
    keep = jax.vmap(partial(steps.keep_best, patience_steps=25))
    state = build.first_state(setup)
    scores = [(0.5, 0.5), (0.4, 0.6), (0.4, 0.7), (0.4, 0.6), (0.9, 0.9)]
    for step, score in zip((10, 20, 30, 40, 50), scores, strict=True):
        state = state.replace(step=np.full(2, step))
        state = keep(state, state.weights, np.array(score, np.float32))
    np.testing.assert_allclose(state.best_score, [0.5, 0.9])
    np.testing.assert_array_equal(state.best_step, [10, 50])
    schedule = setup.schedule._replace(patience_steps=25)
    assert not train.out_of_patience(state, schedule)
    assert train.out_of_patience(state.replace(step=np.full(2, 80)), schedule)


def test_a_run_that_was_cut_is_not_finished(tmp_path):
    data, config = fakes.FakeData(), fakes.small_config(train__max_steps=10)
    assert train.train(config, data, tmp_path / "run").is_finished
    longer = fakes.small_config(train__max_steps=20, train__max_epochs=9.0)
    assert not train.restore(longer, data, tmp_path / "run").is_finished


class AwayData(fakes.FakeData):
    """Its store fails at a step, or in an evaluation."""

    def __init__(self, where):
        super().__init__()
        self.where = where

    def train_batches(self, batch_size, data_seed, first_step=0, *more):
        batches = super().train_batches(batch_size, data_seed, first_step, *more)
        for step, batch in enumerate(batches, start=first_step):
            if self.where == "step" and data_seed == 0 and step == 9:
                raise LostInputError("the shards are away")
            yield batch

    def evaluation_batches(self, split, *more, **others):
        if self.where == "evaluation" and split == "valid":
            raise LostInputError("the shards are away")
        yield from super().evaluation_batches(split, *more, **others)


@pytest.mark.parametrize(("where", "step"), [("step", 9), ("evaluation", 10)])
def test_what_was_learnt_is_saved_where_the_input_is_lost(tmp_path, where, step):
    length = {"train__max_epochs": 3.0, "train__checkpoint_every_minutes": 1e6}
    whole = fit(tmp_path, "whole", **length)
    with pytest.raises(LostInputError, match="the shards are away"):
        fit(tmp_path, "cut", AwayData(where), **length)
    with closing(Checkpoints(tmp_path / "cut" / "checkpoints")) as checkpoints:
        assert int(checkpoints.restore(whole.state).state.step[0]) == step
    resumed = fit(tmp_path, "cut", **length)
    assert_same(resumed.state, whole.state)


@pytest.mark.parametrize(
    ("processes", "said"),
    [(1, "SIGTERM; step 9 is saved; the same command"), (2, "^SIGTERM; the same")],
)
def test_a_signal_while_the_store_is_away_is_answered_as_any(
    tmp_path, own_signals, monkeypatch, processes, said
):
    class Waiting(AwayData):
        def train_batches(self, *asked):
            try:
                yield from super().train_batches(*asked)
            except LostInputError:
                os.kill(os.getpid(), signal.SIGTERM)
                assert not interruption.pause(60)
                rank = distributed.Rank(0, processes)
                monkeypatch.setattr(distributed, "rank", lambda: rank)
                raise

    with pytest.raises(Interrupted, match=said), interruption.answered():
        fit(tmp_path, "cut", Waiting("step"), train__max_epochs=3.0)
