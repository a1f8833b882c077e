import json

import jax
import numpy as np
import pytest

from msd_tagger.training.progress import MetricsFile, Progress, rate
from msd_tagger.training.schedule import Schedule
from msd_tagger.training.steps import Output


class Losses:
    """Those of one step, computed when they are asked for."""

    def __init__(self, step, asked):
        self._step, self._asked = step, asked

    def __array__(self, *_, **__):
        self._asked.append(self._step)
        return np.array([self._step, 1.0], np.float32)


@pytest.mark.parametrize(("backend", "ahead"), [("cpu", 1), ("gpu", 2), ("tpu", 2)])
def test_the_host_is_ahead_of_the_device_by_some_steps(monkeypatch, backend, ahead):
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    asked, checked, told = [], [], []
    progress = Progress(
        schedule=Schedule(8, 50, 100, 10.0, np.inf),
        num_seeds=2,
        check=lambda losses, step: checked.append(step),
        first_step=0,
        earlier={},
    )
    for step in range(1, 8):
        progress.add([Output(Losses(step, asked), np.array([step, np.nan]))])
        assert asked == checked == list(range(1, step - ahead + 1))
        if step in (3, 4):
            progress.tell(told.append)
        assert len(told) == sum(step - ahead >= one for one in (3, 4))
    assert [one["loss"] for one in told] == [[2, 1], [4, 1]]
    assert [one["gradient_norm"] for one in told] == [[3, None], [4, None]]
    assert progress.state()["loss_sum"] == [5 + 6 + 7, 3]
    assert asked == list(range(1, 8))
    progress.close()


def test_a_log_line_says_how_long_it_takes_still(caplog, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    caplog.set_level("INFO")
    schedule = Schedule(8, 50, 1007, 10.0, np.inf)
    progress = Progress(schedule, 2, lambda *_: None, 0, {})

    def go_on(steps):
        for _ in range(steps):
            now[0] += 1
            progress.add([Output(np.array([0.5, 0.7]), np.ones(2))])
        progress.tell(lambda _: None)
        progress.pause()

    go_on(3)
    now[0] += 36  # An evaluation.
    progress.note_validation([0.5, 0.7], np.array([True, True]), np.array([0.5, 0.7]))
    go_on(4)
    progress.close()
    before, after = [one for one in caplog.messages if one.startswith("step ")]
    # The first step waits for its compilation. Two more took 2 s: 1,004 are left.
    assert before.startswith("step 3 of 1007: loss 0.6000, 8.0 clips/s")
    assert before.endswith(", at most 16:44 left, evaluations apart")
    # Six steps and the evaluation took 42 s: 1,000 are left.
    assert after.startswith("step 7 of 1007: loss 0.6000, 8.0 clips/s")
    assert after.endswith(", at most 1:56:40 left")


def test_without_a_timed_step_there_is_no_speed():
    schedule, told = Schedule(8, 50, 100, 10.0, np.inf), []
    progress = Progress(schedule, 2, lambda *_: None, 0, {})
    for _ in range(3):  # As with a save after every step.
        progress.add([Output(np.array([0.5, 0.7]), np.ones(2))])
        progress.tell(told.append)
        found = progress.state()
    progress.close()
    assert [one["clips_per_s"] for one in told] == [None] * 3
    assert rate(schedule, found["timed_steps"], found["seconds"]) is None


def test_who_watches_is_told_of_the_lines_of_the_file(tmp_path):
    told = []
    metrics = MetricsFile(tmp_path / "metrics.jsonl", watch=told.append)
    metrics.append(kind="train", step=10, loss=np.ones(1))
    MetricsFile(tmp_path / "metrics.jsonl", metrics.lines, watch=told.append)
    line = {"kind": "train", "step": 10, "loss": [1.0]}
    assert told == [[], [line], [line]]
    MetricsFile(tmp_path / "other", metrics.lines, writes=False, watch=told.append)
    assert len(told) == 3 and not (tmp_path / "other").exists()


def test_metrics_are_those_that_a_checkpoint_has(tmp_path):
    path = tmp_path / "metrics.jsonl"
    metrics = MetricsFile(path)
    metrics.append(kind="train", step=10, loss=np.ones(2))
    saved = list(metrics.lines)
    metrics.append(kind="train", step=20)
    with path.open("a") as file:
        file.write('{"kind": "train", "ste')  # Cut short by a kill.
    metrics = MetricsFile(path, saved)
    metrics.append(kind="train", step=20)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["step"] for line in lines] == [10, 20]
    assert lines[0]["loss"] == [1, 1]
    with pytest.raises(ValueError, match="not JSON compliant"):
        metrics.append(loss=float("nan"))


@pytest.mark.parametrize("is_terminal", [True, False])
def test_an_evaluation_of_seeds_is_one_line(caplog, capsys, monkeypatch, is_terminal):
    caplog.set_level("INFO")
    monkeypatch.setattr("sys.stderr.isatty", lambda: is_terminal)
    schedule = Schedule(8, 50, 100, 10.0, np.inf)
    progress = Progress(schedule, 4, lambda *_: None, 25, {})
    improved = np.array([True, False, True, False])
    best = np.array([0.75, 0.8, 0.7, -np.inf])
    progress.note_validation([0.75, 0.65, 0.7, None], improved, best)
    progress.close()
    line = "epoch 4, step 25: valid ROC-AUC of 3 seeds: best 0.7500, mean 0.7000 ± "
    line += "0.0500, 2 improved"
    lines = capsys.readouterr().err.replace("\r", "\n").splitlines()
    if is_terminal:
        assert [one.rstrip() for one in lines].count(line) == 1 and not caplog.messages
    else:
        assert caplog.messages == [line] and line not in lines
