"""Small runs to be killed or damaged, and whether they end as an undisturbed one."""

import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp

from tests.faults.program import ROOT
from tests.scale.__main__ import RECIPE

TIMEOUT_S = 300.0  # Of one process; a hang counts as lost.
# Two seeds, an evaluation every 12 steps. Checkpoints are due after 0.1 s, so that
# several fall between two evaluations.
SETTINGS = (
    "--config=configs/db_mel.py",
    "--config.corpus.name=folder",
    *RECIPE,
    "--config.num_seeds=2",
    "--config.model.channels=4",
    "--config.train.batch_size=8",
    "--config.train.max_steps=36",
    "--config.train.evaluate_every_epochs=0.6",
    "--config.train.statistics_clips=16",
    "--config.train.log_every_steps=5",
    "--config.train.checkpoint_every_minutes=0.0015",
    "--config.prepare.num_processes=2",
    "--config.prepare.clips_per_shard=8",
)
# What tells of times, memory and the machine.
TIMES = {"clips_per_s", "seconds", "train_seconds", "timed_steps", "created", "started"}
TIMES |= {"peak_memory_bytes", "device_peak_memory_bytes", "compilation_cache_dir"}
# Files that hold times or the command line, or are drawings of both.
APART = {"environment.json", "report.html", "bundle/config.json"}


class Scene(NamedTuple):
    """Where a run takes place.

    Attributes:
        folder: Of the scene.
        corpus: Audio files and tags.csv.
        programs: Compiled ones, shared by all scenes. None where each process compiles
            its own; it then also collects garbage ten times as often as usual.
    """

    folder: Path
    corpus: Path
    programs: Path | None

    @property
    def workdir(self) -> Path:
        """The run's folder."""
        return self.folder / "run"

    @property
    def data_dir(self) -> Path:
        """The folder of the shards."""
        return self.folder / "data"

    def beside(self, name: str) -> "Scene":
        """Makes the same in another folder, which is empty."""
        scene = self._replace(folder=self.folder.with_name(name))
        scene.folder.mkdir()
        return scene

    def copy(self, name: str) -> "Scene":
        """Makes the same in another folder, with all that is in this one."""
        scene = self.beside(name)
        shutil.copytree(self.folder, scene.folder, dirs_exist_ok=True)
        return scene

    def remove(self) -> None:
        """Removes the folder, read-only parts too."""
        for path in [self.folder, *self.folder.rglob("*")]:
            if path.is_dir():
                path.chmod(0o755)
        shutil.rmtree(self.folder)


class Ended(NamedTuple):
    """A process that ended.

    Attributes:
        status: Its exit status, negative for a signal, None after `TIMEOUT_S`.
        said: What it wrote to stderr.
        phase: The last that it announced.
    """

    status: int | None
    said: str
    phase: str


class Process:
    """One call of main.py.

    Args:
        scene: Where.
        limit_bytes: No file can become larger; 0 for no limit.
        obeys: Whether permissions bind it, as they do not bind root.
    """

    def __init__(self, scene: Scene, limit_bytes: int = 0, obeys: bool = False) -> None:
        self.phase = "start"
        self._marks, low = os.pipe()
        writing = fcntl.fcntl(low, fcntl.F_DUPFD, 100)  # No other uses its number.
        os.close(low)
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.faults.program", *SETTINGS),
                f"--config.corpus.audio_dir={scene.corpus}",
                f"--config.compilation_cache_dir={scene.programs or ''}",
                f"--data_dir={scene.data_dir}",
                f"--workdir={scene.workdir}",
            ],
            cwd=ROOT,
            env=os.environ
            | {
                "FAULT_MARKS": str(writing),
                "FAULT_LIMIT_BYTES": str(limit_bytes),
                "FAULT_OBEYS": str(int(obeys)),
            }
            | ({} if scene.programs else {"FAULT_COLLECT_EVERY": "70"}),
            pass_fds=(writing,),
            stdout=subprocess.DEVNULL,
            # By a pipe, as the limit on files would bind a log, too.
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        os.close(writing)

    def _read_marks(self, timeout_s: float) -> list[str]:
        """Returns what was announced since the last time; nothing at its end."""
        if not select.select([self._marks], [], [], max(0.0, timeout_s))[0]:
            return []
        found = os.read(self._marks, 2**16).decode().split()
        self.phase = [self.phase, *found][-1]
        return found

    def wait_for(self, phase: str, times: int) -> bool:
        """Waits until a phase has begun so many times; False if that never happens."""
        deadline = time.monotonic() + TIMEOUT_S
        while times > 0:
            found = self._read_marks(deadline - time.monotonic())
            if not found:
                return False
            times -= found.count(phase)
        return True

    def send(self, number: int) -> str:
        """Sends a signal, SIGKILL to its workers as well, and returns the phase."""
        self._read_marks(0.0)
        with contextlib.suppress(ProcessLookupError):
            if number == signal.SIGKILL:
                os.killpg(self._process.pid, number)
            else:
                self._process.send_signal(number)
        return self.phase

    def end(self) -> Ended:
        """Waits until it has ended."""
        try:
            _, said = self._process.communicate(timeout=TIMEOUT_S)
            status: int | None = self._process.returncode
        except subprocess.TimeoutExpired:
            self.send(signal.SIGKILL)
            _, said = self._process.communicate()
            status = None
        os.close(self._marks)
        return Ended(status, said.decode(errors="replace"), self.phase)


def run(scene: Scene, **limits: Any) -> Ended:
    """Gives the command and waits for its end."""
    return Process(scene, **limits).end()


def differences(found: Path, expected: Path) -> list[str]:
    """Says what differs between two runs' folders, times and machine apart."""
    different = file_differences(found, expected)
    (a, log_a), (b, log_b) = map(read_checkpoint, (found, expected))
    different += [
        f"checkpoint: {name} differs"
        for name in sorted(a.keys() | b.keys())
        if name not in a or name not in b or not _same_bits(a[name], b[name])
    ]
    return different + (["checkpoint: record differs"] if log_a != log_b else [])


def file_differences(found: Path, expected: Path) -> list[str]:
    """Says which files differ, but for checkpoints, of which there may be more."""
    ours, theirs = set(_files(found)), set(_files(expected))
    different = [f"{name} is missing" for name in sorted(theirs - ours)]
    different += [f"{name} is left over" for name in sorted(ours - theirs)]
    for name in sorted(ours & theirs):
        is_apart = {name, Path(name).name} & APART or name.startswith("figures")
        if not is_apart and not _equal(found / name, expected / name):
            different.append(f"{name} differs")
    return different


def _files(workdir: Path) -> Iterator[str]:
    for path in workdir.rglob("*"):
        name = path.relative_to(workdir)
        if path.is_file() and name.parts[0] != "checkpoints":
            yield str(name)


def _equal(found: Path, expected: Path) -> bool:
    if found.suffix == ".npz":
        with np.load(found) as a, np.load(expected) as b:
            same = set(a.files) == set(b.files)
            return same and all(_same_bits(a[name], b[name]) for name in a.files)
    if found.suffix not in (".json", ".jsonl"):
        return found.read_bytes() == expected.read_bytes()
    one, other = (
        [json.loads(line) for line in path.read_text().splitlines()]
        if path.suffix == ".jsonl"
        else json.loads(path.read_text())
        for path in (found, expected)
    )
    if found.name == "seal.json":  # Digests of files with times.
        return set(one) == set(other)
    return _timeless(one) == _timeless(other)


def _timeless(tree: Any) -> Any:
    """Returns JSON without what depends on the clock, and on the scene's place."""
    if isinstance(tree, dict):
        return {k: _timeless(v) for k, v in tree.items() if k not in TIMES}
    return [_timeless(one) for one in tree] if isinstance(tree, list) else tree


def _same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def read_checkpoint(workdir: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Reads arrays by name, and the record without times, of the newest checkpoint."""
    newest = checkpoints(workdir)[-1]
    tree = ocp.StandardCheckpointer().restore(newest / "state")
    arrays = {
        jax.tree_util.keystr(path): np.asarray(leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }
    record = json.loads((newest / "record" / "metadata").read_text())["log"]
    lines = [json.loads(line) for line in record.pop("metrics")]
    return arrays, _timeless(record | {"metrics": lines})


def checkpoints(workdir: Path) -> list[Path]:
    """Finds complete checkpoints, the newest last."""
    found = (workdir / "checkpoints").glob("*")
    return sorted((p for p in found if p.name.isdecimal()), key=lambda p: int(p.name))


def digests(folder: Path) -> dict[str, object]:
    """Reads every file of the shards, zip archives as their members' checksums."""
    return {
        str(path.relative_to(folder)): [
            (member.filename, member.CRC) for member in zipfile.ZipFile(path).infolist()
        ]
        if path.suffix == ".npz"
        else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
