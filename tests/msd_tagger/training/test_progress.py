import json

import jax
import numpy as np
import pytest

from msd_tagger.training.progress import MetricsFile, Progress
from msd_tagger.training.setup import Schedule


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
        progress.add([Losses(step, asked)])
        assert asked == checked == list(range(1, step - ahead + 1))
        if step in (3, 4):
            progress.tell(told.append)
        assert len(told) == sum(step - ahead >= one for one in (3, 4))
    assert [one["loss"] for one in told] == [[2, 1], [4, 1]]
    assert progress.state()["loss_sum"] == [5 + 6 + 7, 3]
    assert asked == list(range(1, 8))
    progress.close()


def test_a_log_line_says_how_long_it_takes_still(caplog, monkeypatch):
    seconds = iter(range(100))
    monkeypatch.setattr("time.monotonic", lambda: next(seconds))
    caplog.set_level("INFO")
    schedule = Schedule(8, 50, 1003, 10.0, np.inf)
    progress = Progress(schedule, 2, lambda *_: None, 0, {})
    for _ in range(3):
        progress.add([np.array([0.5, 0.7])])
    progress.tell(lambda _: None)
    progress.pause()
    progress.close()
    (line,) = [one for one in caplog.messages if one.startswith("step 3 of 1003: ")]
    # Two timed steps of 8 clips took one tick of this clock, 1,000 are left.
    assert line.endswith("16.0 clips/s, at most 8:20 left")


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
