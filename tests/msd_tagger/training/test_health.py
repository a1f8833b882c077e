"""A seed that fails stops alone; stalls are said; memory and traces are kept."""

import json
import time

import jax
import numpy as np
import pytest

from msd_tagger.training import evaluation, health, parallel, results
from msd_tagger.training import loop as train
from msd_tagger.training.health import Watchdog
from tests import fakes

pytestmark = pytest.mark.usefixtures("programs_shared")


def fit(folder, monkeypatch=None, poisoned=(), **overrides):
    """Trains seeds 7, 8, 9; some become NaN in the update of step 12."""
    options = {"num_seeds": 3, "seed": 7, "train__max_steps": 20, **overrides}
    config = fakes.small_config(**options, train__max_epochs=9.0)
    if poisoned:
        monkeypatch.setattr(train, "set_up", lambda *a: poison(set_up(*a), poisoned))
    return train.train(config, fakes.FakeData(), folder)


set_up = train.set_up


def poison(setup, numbers, after=11):
    update = setup.programs.update

    def poisoned(chunks, batch):
        state = parallel.from_devices(chunks, setup.layout)
        if int(state.step[0]) == after:
            weights = jax.tree.map(np.array, state.weights)
            weights.params["tags"]["bias"][list(numbers)] = np.nan
            state = state.replace(weights=weights)
            chunks = parallel.to_devices(state, setup.layout)
        return update(chunks, batch)

    return setup._replace(programs=setup.programs._replace(update=poisoned))


@pytest.mark.parametrize("per_chunk", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_a_seed_that_fails_changes_nothing_for_the_others(
    tmp_path, monkeypatch, caplog, per_chunk
):
    sizes = {"train__seeds_per_chunk": per_chunk}
    whole = fit(tmp_path / "whole", **sizes)
    run = fit(tmp_path / "run", monkeypatch, [1], **sizes)
    assert run.seeds == (7, 9)
    assert run.setup.layout.num_seeds == 2
    others = jax.tree.map(lambda leaf: leaf[[0, 2]], whole.state)
    jax.tree.map(np.testing.assert_array_equal, run.state, others)
    (failure,) = run.failures
    assert failure[:3] == (1, 8, 12)
    assert "its loss at step 12 was nan: train.learning_rate=0.005 is" in failure.reason
    assert f"seed 8 stops, the others go on: {failure.reason}" in caplog.text

    lines = [
        json.loads(line)
        for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    ]
    assert [line["loss"][1] is None for line in lines] == [False, False, True, True]
    assert lines[-1]["roc_auc_macro"][1] is None
    assert lines[-1]["roc_auc_macro"][2] > 0

    summary = results.write_results(run, tmp_path / "run", results.predict(run), None)
    assert (summary["num_seeds"], summary["seeds"]) == (2, (7, 9))
    assert summary["failed_seeds"] == [failure._asdict()]
    assert summary["complete"]
    predictions = np.load(tmp_path / "run" / "predictions_test.npz")["scores"]
    assert predictions.shape[0] == 2

    again = fit(tmp_path / "run")  # From the checkpoint, which knows.
    assert again.failures == run.failures


def test_a_seed_that_has_ended_keeps_its_result_whatever_becomes_of_it(
    tmp_path, monkeypatch
):
    """Alone it would have stopped before."""
    options = {"train__max_epochs": 60.0, "train__learning_rate": 0.02}
    options |= {"train__patience_epochs": 3.0, "num_seeds": 3}
    config, data = fakes.small_config(**options), fakes.FakeData()
    whole = train.train(config, data, tmp_path / "whole")
    first = int(np.argmin(whole.state.best_step))
    schedule = whole.setup.schedule
    late = whole.state.best_step[first] + schedule.patience_steps
    assert late + 20 < whole.state.best_step.max()  # The others go on.
    after = schedule.next_evaluation(int(late)) + 3
    monkeypatch.setattr(train, "set_up", lambda *a: poison(set_up(*a), [first], after))
    run = train.train(config, data, tmp_path / "run")
    assert run.seeds == whole.seeds and run.failures == ()
    for name in ("best", "best_score", "best_step"):
        found, expected = (getattr(one.state, name) for one in (run, whole))
        jax.tree.map(np.testing.assert_array_equal, found, expected)
    early = int(np.argmax(whole.state.best_step))
    assert whole.state.best_step[early] > after
    monkeypatch.setattr(train, "set_up", lambda *a: poison(set_up(*a), [early], after))
    failed = train.train(config, data, tmp_path / "failed")
    assert [one.number for one in failed.failures] == [early]


def test_all_seeds_failing_ends_the_run(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="each of its seeds") as caught:
        fit(tmp_path, monkeypatch, [0, 1, 2])
    assert "seed 9: its loss at step 12 was nan" in str(caught.value)


def test_the_likely_cause_fits_the_configuration():
    config = fakes.small_config(train__learning_rate=3.0)
    assert "train.learning_rate=3 is" in health.likely_cause(config, 20)
    config.preprocessing.magnitude = "linear"
    config.preprocessing.standardise_clip = False
    config.preprocessing.scale = 10.0
    assert "lower preprocessing.scale=10 " in health.likely_cause(config, 20)


def test_no_score_at_all_names_both_causes(tmp_path, monkeypatch):
    nothing = {"roc_auc_macro": [None] * 3}
    monkeypatch.setattr(evaluation, "macro_scores", lambda *_: nothing)
    with pytest.raises(ValueError, match="no tag of the validation split"):
        fit(tmp_path)


def test_a_stall_says_what_is_waited_for(caplog):
    watchdog = Watchdog(10)
    watchdog.enter("input", 7)
    now = time.monotonic()
    for seconds in (9, 10, 15, 19, 20.4, 30):
        watchdog.look(now + seconds)
    said = [line.getMessage() for line in caplog.records]
    assert said[0].startswith("step 7 has waited for the input for 10 s: the disk")
    assert [" for 20 s" in line for line in said] == [False, True]
    watchdog.enter("", 7)
    watchdog.look(now + 1e6)
    watchdog.close()
    assert len(caplog.records) == 2


def test_a_slow_disk_is_noticed_by_the_thread(caplog):
    watchdog = Watchdog(0.02)

    def slow():
        yield 1
        end = time.monotonic() + 600
        while "has waited" not in caplog.text and time.monotonic() < end:
            time.sleep(0.01)

    assert list(watchdog.batches(slow(), 3)) == [1]
    watchdog.close()
    assert "step 3 has waited for the input" in caplog.text


def test_peak_memory_of_devices_is_the_largest(monkeypatch):
    layout = parallel.Layout("data", 2, 1, 1)

    class Device:
        def __init__(self, stats):
            self.memory_stats = lambda: stats

    def devices(*stats):
        found = [Device(one) for one in stats]
        monkeypatch.setattr(jax, "local_devices", lambda: found)
        return parallel.peak_memory_bytes(layout)

    assert devices({"peak_bytes_in_use": 5}, {"peak_bytes_in_use": 7}) == 7
    assert devices(None, {}) is None


def test_chosen_steps_are_traced(tmp_path):
    fit(tmp_path, profile_steps=(2, 3), num_seeds=1, train__max_steps=4)
    assert list((tmp_path / "profile").rglob("*.xplane.pb"))


def test_steps_that_are_not_trained_leave_no_trace_and_that_is_said(tmp_path, caplog):
    fit(tmp_path, profile_steps=(7, 9), num_seeds=1, train__max_steps=2)
    assert not (tmp_path / "profile").exists()
    assert "profile_steps=(7, 9): none of these steps was trained" in caplog.text
