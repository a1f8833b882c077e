"""A run that was cut anywhere ends as if it had not been: the same bits and lines."""

import json
import os
import random
import shutil
import signal

import jax
import numpy as np
import pytest

from msd_tagger.common import interruption, workspace
from msd_tagger.common.errors import Interrupted
from msd_tagger.training import distributed, evaluation
from msd_tagger.training import loop as train
from msd_tagger.training.checkpoints import Checkpoints
from tests import fakes

SIZES = {"num_seeds": 2, "train__max_steps": 24, "train__log_every_steps": 5}
TIMES = ("clips_per_s", "seconds")

pytestmark = pytest.mark.usefixtures("programs_shared")


class Killing(fakes.FakeData):
    """Sends this process a signal when a training or evaluation batch is read."""

    def __init__(self, number, step=None, evaluation=None):
        super().__init__()
        self.number, self.step, self.evaluation = number, step, evaluation
        self.evaluations = 0

    def train_batches(self, batch_size, data_seed, first_step=0, *share):
        given = super().train_batches(batch_size, data_seed, first_step, *share)
        for step, batch in enumerate(given, first_step + 1):
            if step == self.step and data_seed != evaluation.STATISTICS_SEED:
                os.kill(os.getpid(), self.number)
            yield batch

    def evaluation_batches(self, *which, **rows):
        self.evaluations += 1
        for batch in super().evaluation_batches(*which, **rows):
            if self.evaluations == self.evaluation:
                os.kill(os.getpid(), self.number)
            yield batch


def fit(folder, data=None, **overrides):
    config = fakes.small_config(**{**SIZES, "train__max_epochs": 9.0, **overrides})
    return train.train(config, data or fakes.FakeData(), folder)


def metrics(folder):
    lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [{k: v for k, v in line.items() if k not in TIMES} for line in lines]


def assert_same(found, expected):
    jax.tree.map(np.testing.assert_array_equal, found, expected)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return fit(folder).state, metrics(folder)


@pytest.mark.parametrize(
    ("number", "moment", "saved"),
    [
        (signal.SIGTERM, {"step": 1}, 1),
        (signal.SIGUSR1, {"step": 8}, 8),  # Within a line of the log.
        (signal.SIGINT, {"step": 10}, 10),  # An evaluation is due after it.
        (signal.SIGHUP, {"evaluation": 1}, 10),
        (signal.SIGTERM, {"evaluation": 3}, 24),  # The last one.
    ],
)
def test_a_signal_saves_first_and_changes_nothing(
    tmp_path, whole, own_signals, number, moment, saved
):
    message = f"{number.name}; step {saved} is saved; the same command goes on"
    raises = pytest.raises(Interrupted, match=message)
    with raises as caught, interruption.answered():
        fit(tmp_path, Killing(number, **moment))
    assert caught.value.exit_status == 128 + number
    assert (tmp_path / "checkpoints" / str(saved)).is_dir()
    config = fakes.small_config(**SIZES, train__max_epochs=9.0)
    if saved > 10:  # Else there are no weights yet that were evaluated.
        assert not train.restore(config, fakes.FakeData(), tmp_path).is_finished
    assert_same(fit(tmp_path).state, whole[0])
    assert metrics(tmp_path) == whole[1]
    again = fit(tmp_path)  # Nothing is left to do, and nothing is done twice.
    assert_same(again.state, whole[0])
    restored = train.restore(config, fakes.FakeData(), tmp_path)
    assert restored.is_finished
    assert_same(restored.state, whole[0])
    assert metrics(tmp_path) == whole[1]


def test_a_signal_during_the_last_save_is_answered(
    tmp_path, whole, own_signals, monkeypatch
):
    save = Checkpoints.save

    def save_and_signal(store, state, step, log):
        save(store, state, step, log)
        if step == 24:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patched:
        patched.setattr(Checkpoints, "save", save_and_signal)
        message = "SIGTERM; step 24 is saved"
        with pytest.raises(Interrupted, match=message), interruption.answered():
            fit(tmp_path)
    assert_same(fit(tmp_path).state, whole[0])
    assert metrics(tmp_path) == whole[1]


def test_a_process_that_does_not_write_says_what_the_one_that_does_met(
    tmp_path, own_signals, monkeypatch
):
    answers = iter([None])  # That there is no checkpoint to go on from.

    def shared(_):  # As in the others.
        for answer in answers:
            return answer
        raise ValueError("a checkpoint cannot be written")

    monkeypatch.setattr(distributed, "is_first", lambda: False)
    monkeypatch.setattr(distributed, "shared", shared)
    with (
        pytest.raises((ValueError, Interrupted), match="cannot be written"),
        interruption.answered(),
    ):
        fit(tmp_path, Killing(signal.SIGTERM, step=8))
    assert list(tmp_path.iterdir()) == []


class Dying(Exception):
    pass


def test_every_checkpoint_leads_to_the_same_end(tmp_path, whole, monkeypatch):
    """Dies, as by `kill -9`, at three random steps of a run that saves every step."""
    rng = random.Random(0)
    for step in sorted(rng.sample(range(2, 24), 3)):
        data = Killing(signal.SIGTERM, step=step)
        monkeypatch.setattr(os, "kill", _die)
        with pytest.raises(Dying):
            fit(tmp_path, data, train__checkpoint_every_minutes=0.0)
        monkeypatch.undo()
        with (tmp_path / "metrics.jsonl").open("a") as file:
            file.write('{"kind": "train", "step": 99}\n{"kind": "tr')
    assert_same(fit(tmp_path).state, whole[0])
    assert metrics(tmp_path) == whole[1]


def _die(*_):
    raise Dying


STATE = {"a": np.arange(7.0), "b": {"c": np.ones((2, 3), np.float32)}}
LOG = {"evaluated": True, "metrics": ["one\n"], "progress": {"seconds": 1.5}}


@pytest.fixture(scope="module")
def two_checkpoints(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two") / "checkpoints"
    store = Checkpoints(folder)
    for step in (3, 4):
        store.save(jax.tree.map(lambda leaf, s=step: leaf * s, STATE), step, LOG)
    store.close()
    return folder


def read(folder):
    store = Checkpoints(folder)
    try:
        return store.restore(STATE)
    finally:
        store.close()


def test_whatever_happens_to_a_checkpoint_is_noticed(tmp_path, two_checkpoints):
    rng, passed_over = random.Random(0), 0
    newest = two_checkpoints / "4"
    names = [p.relative_to(newest) for p in newest.rglob("*") if p.is_file()]
    for number, name in enumerate(sorted(names) * 3):
        folder = tmp_path / str(number)
        shutil.copytree(two_checkpoints, folder)
        path = folder / "4" / name
        content = bytearray(path.read_bytes())
        way = number // len(names)
        if way == 0 and content:
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(content[: len(content) // 2] if way == 1 else content)
        if way == 2:
            path.unlink()
        found = read(folder)
        factor = found.state["a"][1]
        assert factor in (3, 4)
        assert_same(found.state, jax.tree.map(lambda leaf, f=factor: leaf * f, STATE))
        assert found.log == LOG
        assert (folder / "damaged-4").exists() == (factor == 3)
        passed_over += factor == 3
    assert passed_over > 6


def test_checkpoints_that_are_all_damaged_are_put_aside(tmp_path, two_checkpoints):
    folder = tmp_path / "checkpoints"
    shutil.copytree(two_checkpoints, folder)
    for step in ("3", "4"):
        (folder / f"damaged-{step}").mkdir()
        (folder / f"damaged-{step}" / "mine").touch()
        shutil.rmtree(folder / step / "record")
    with pytest.raises(
        ValueError, match=rf"none of the checkpoints \[4, 3\] in {folder}"
    ):
        read(folder)
    assert (folder / "damaged-4-2" / "state").is_dir()
    assert (folder / "damaged-4" / "mine").exists()
    assert read(folder) is None


def test_a_checkpoint_of_the_same_step_is_replaced(tmp_path):
    store = Checkpoints(tmp_path)
    store.save(STATE, 3, {"evaluated": False})
    store.save(STATE, 3, LOG)
    store.close()
    assert read(tmp_path).log == LOG


def test_a_checkpoint_that_cannot_be_written_says_where(tmp_path):
    store = Checkpoints(tmp_path / "checkpoints")
    (tmp_path / "checkpoints").rmdir()
    (tmp_path / "checkpoints").touch()
    with pytest.raises(ValueError, match=f"into {tmp_path}/checkpoints: "):
        store.save(STATE, 3, LOG)
        store.wait()


def test_two_processes_do_not_share_a_folder(tmp_path):
    workspace.claim(tmp_path, {})
    message = f"another process works in {tmp_path}"
    with (
        workspace.alone(tmp_path),
        pytest.raises(ValueError, match=message),
        workspace.alone(tmp_path),
    ):
        pass
    with workspace.alone(tmp_path):
        pass


def test_a_checkpoint_of_other_arrays_is_left_alone(tmp_path):
    store = Checkpoints(tmp_path)
    store.save(STATE | {"of today": np.zeros(3)}, 3, LOG)
    store.close()
    with pytest.raises(ValueError, match=r"checkpoint 3 in .* other versions of the"):
        read(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["3"]
