"""One process of a small job, or a whole job alone; errors end it as main.py's do.

    processes_program TASK DIRECTORY HOST:PORT COUNT INDEX

expects XLA_FLAGS to say how many host devices it has.
"""

import os
import signal
import sys
import time
from pathlib import Path

from modes import MainOptions
from modes.training import join_processes, set_up_devices, train_in
from msd_tagger import platform
from msd_tagger.commands import command_line
from msd_tagger.training import distributed
from tests import fakes, programs

CORPUS = {"shards": "fake"}
# A network of one's own, and clips that change at random.
OWN = {
    "model__network": "tests.own_networks:Small(dropout=0.3)",
    "train__augmentations": ("spec_augment", "mixup"),
    "num_seeds": 1,
}


def config(**overrides):
    settings = {
        "num_seeds": 3,
        "train__max_steps": 20,
        "train__max_epochs": 9.0,
        "train__log_every_steps": 5,
        "train__parallel": "data",
        "analysis__linear_baseline": False,
    }
    return fakes.small_config(**(settings | overrides))


def job(**overrides):
    """The configuration of one process."""
    _, _, _, where, count, index = sys.argv
    if int(count) == 1:
        return config(**overrides)
    return config(
        distributed=where,
        process_count=int(count),
        process_index=int(index),
        **overrides,
    )


def run(name, data=None, mode="run", **overrides):
    """A run with its record, in a folder of that name."""
    options, settings = MainOptions(mode), job(**overrides)
    devices = set_up_devices(settings, options)
    workdir = Path(sys.argv[2]) / name
    train_in(workdir, settings, options, CORPUS, data or fakes.FakeData(), devices)


def compare():
    """What one process does alone, or several together."""
    run("data")
    run("own", **OWN)
    if distributed.rank().count > 1:
        run("evaluated", mode="evaluate")
        cached = {"input__cache": "device"}
        run("cached", **cached)
        data = SignallingData(signal.SIGTERM)
        run("seeds", data, train__parallel="seeds", **cached)


class SignallingData(fakes.FakeData):
    """The last process gets a signal before it trains one of its steps."""

    def __init__(self, number, step=12):
        super().__init__()
        self._number, self._step = number, step

    def train_rows(self, *arguments):
        rank = distributed.rank()
        for step, rows in enumerate(super().train_rows(*arguments), start=1):
            if step == self._step and rank.index == rank.count - 1:
                os.kill(os.getpid(), self._number)
            yield rows


def kill_last():
    run("killed", SignallingData(signal.SIGKILL, step=2))


def kill_first():
    """Process 0 is killed while it prepares and the others wait."""
    join_processes(job(), MainOptions())
    distributed.shared(lambda: os.kill(os.getpid(), signal.SIGKILL))


def kill_waiting():
    """The last process is killed while no collective would notice."""
    join_processes(job(), MainOptions())
    if not distributed.is_first():
        os.kill(os.getpid(), signal.SIGKILL)
    distributed.finish()


def refuse():
    """Process 0 finds a mistake of the user's, as in a corpus."""
    join_processes(job(), MainOptions())

    def check():
        raise ValueError("tags.csv: no such tag")

    distributed.shared(check)
    time.sleep(60)


def leave_early():
    """Process 1 fails alone."""
    join_processes(job(), MainOptions())
    if not distributed.is_first():
        raise ZeroDivisionError("a mistake of ours")
    distributed.agree([0])


def come_late():
    """Process 1 comes late to the first exchange, as from a slow disk."""
    join_processes(job(), MainOptions())
    if not distributed.is_first():
        time.sleep(40)
    assert distributed.agree([distributed.rank().index]) == [1]


TASKS = (compare, kill_last, kill_first, kill_waiting, refuse, leave_early, come_late)


if __name__ == "__main__":
    tasks = {task.__name__: task for task in TASKS}
    distributed.HEARTBEAT_S = 5
    platform.set_up()
    with programs.shared():
        command_line.run(lambda: tasks[sys.argv[1]]() or distributed.finish())
