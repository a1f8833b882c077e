"""Checkpoints in folders of any name, and what is said when one cannot be written."""

import errno
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from orbax.checkpoint import CheckpointManager

from msd_tagger.training.checkpoints import Checkpoints

ROOT = Path(__file__).parents[3]
FULL_DISK = """
import resource, sys
from pathlib import Path
import numpy as np
from msd_tagger.commands import command_line
from msd_tagger.common import messages
from msd_tagger.training.checkpoints import Checkpoints

messages.set_up()
kept = Checkpoints(Path(sys.argv[1]))
state = {f"layer {i}": np.random.default_rng(i).random(2000) for i in range(30)}
kept.save(state, 1, {})
kept.wait()
resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))
try:
    kept.save(state, 2, {})
    kept.wait()
except ValueError as error:
    command_line.give_up(str(error))
"""
WAITING = """
import threading
from msd_tagger.commands import command_line

threading.Thread(target=threading.Event().wait).start()
command_line.give_up("over")
"""


def python(code: str, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=600
    )


def test_a_full_disk_is_one_sentence(tmp_path):
    done = python(FULL_DISK, str(tmp_path / "checkpoints"))
    assert done.returncode == 2
    (said,) = done.stderr.splitlines()
    assert f"a checkpoint cannot be written into {tmp_path / 'checkpoints'}: " in said
    assert (tmp_path / "checkpoints" / "1").is_dir()
    assert not (tmp_path / "checkpoints" / "2").exists()


KILLED = """
import os, sys
from pathlib import Path
import numpy as np
from msd_tagger.training.checkpoints import Checkpoints

kept = Checkpoints(Path(sys.argv[1]))
kept.save({"weights": np.arange(6.0)}, 1, {})
kept.wait()
os.rename = os.replace = lambda *_, **__: os.kill(os.getpid(), 9)
kept.save({"weights": np.arange(6.0)}, 2, {})
kept.wait()
"""


def test_what_a_kill_leaves_unfinished_is_removed(tmp_path):
    assert python(KILLED, str(tmp_path)).returncode == -9
    assert len(list(tmp_path.iterdir())) == 2
    store = Checkpoints(tmp_path)
    state = store.restore({"weights": np.zeros(6)}).state
    store.save(state, 3, {})
    store.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "3"]


def test_nobody_waits_for_threads_that_wait_for_nothing():
    done = python(WAITING)
    assert (done.returncode, done.stderr) == (2, "-c: over\n")


@pytest.mark.parametrize(
    "name",
    ["[1]*?", "**", "gs:", "a\\b", "%41#?q=1", "two\nlines", "日本語", "\udce9"],
)
def test_any_name_of_a_folder_does(tmp_path, name):
    folder = tmp_path / name / "checkpoints"
    state = {"weights": np.arange(6.0)}
    for step in (1, 2):
        store = Checkpoints(folder)
        store.save(state, step, {"step": step})
        store.close()
    store = Checkpoints(folder)
    saved = store.restore({"weights": np.zeros(6)})
    store.close()
    assert saved.log == {"step": 2}
    np.testing.assert_array_equal(saved.state["weights"], state["weights"])
    assert sorted(path.name for path in folder.iterdir()) == ["1", "2"]


def test_what_the_machine_lacks_is_no_damage(tmp_path, monkeypatch):
    state = {"weights": np.arange(6.0)}
    store = Checkpoints(tmp_path)
    store.save(state, 1, {"step": 1})
    store.wait()

    def fail(self, step, args) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(CheckpointManager, "restore", fail)
        with pytest.raises(ValueError, match=r"checkpoint 1 .*Too many .* Nothing"):
            store.restore(state)
    assert store.restore(state).log == {"step": 1}
    store.close()


def test_a_failed_end_leaves_no_file_open(tmp_path, monkeypatch):
    before = len(list(Path("/proc/self/fd").iterdir()))
    store = Checkpoints(tmp_path)

    def fail(self) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(CheckpointManager, "wait_until_finished", fail)
    with pytest.raises(ValueError, match="no space left"):
        store.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
