"""Small runs to be killed or damaged, and whether they end as an undisturbed one."""

import contextlib
import json
import multiprocessing
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import orbax.checkpoint as ocp

from scripts.faults import program
from scripts.simulate_scale import RECIPE

ROOT = Path(__file__).resolve().parents[2]
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["scripts.faults.libraries"])
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
TIMES = {
    "clips_per_s",
    "seconds",
    "train_seconds",
    "timed_steps",
    "peak_memory_bytes",
    "device_peak_memory_bytes",
    "created",
    "started",
    "compilation_cache_dir",
}
# Files that hold times or the command line, or are drawings of both.
APART = {"environment.json", "report.html", "bundle.json"}


class Scene(NamedTuple):
    """Where a run takes place.

    Attributes:
        folder: of the scene.
        corpus: audio files and tags.csv.
        programs: compiled ones, shared by all scenes.
    """

    folder: Path
    corpus: Path
    programs: Path

    @property
    def workdir(self) -> Path:
        """Of the run."""
        return self.folder / "run"

    @property
    def data_dir(self) -> Path:
        """Of the shards."""
        return self.folder / "data"

    def copy(self, name: str) -> "Scene":
        """The same in another folder beside it."""
        folder = self.folder.with_name(name)
        shutil.copytree(self.folder, folder)
        return self._replace(folder=folder)

    def remove(self) -> None:
        """Removes the folder, read-only parts too, and the log beside it."""
        for path in [self.folder, *self.folder.rglob("*")]:
            if path.is_dir():
                path.chmod(0o755)
        shutil.rmtree(self.folder)
        self.folder.with_suffix(".log").unlink(missing_ok=True)


class Ended(NamedTuple):
    """A process that ended.

    Attributes:
        status: its exit status, negative for a signal, None after `TIMEOUT_S`.
        said: stderr.
        phase: the last that it announced.
    """

    status: int | None
    said: str
    phase: str


class Process:
    """One call of main.py.

    Args:
        scene: where.
        fresh: whether it is a new interpreter; otherwise it is forked from a process
            that has imported the libraries and done nothing else, which saves 3 s.
        limit_bytes: no file can become larger; 0 for no limit.
        obeys: whether permissions bind it, as they do not bind root.
    """

    def __init__(
        self,
        scene: Scene,
        fresh: bool = False,
        limit_bytes: int = 0,
        obeys: bool = False,
    ) -> None:
        arguments = [
            *SETTINGS,
            f"--config.corpus.audio_dir={scene.corpus}",
            f"--config.compilation_cache_dir={scene.programs}",
            f"--data_dir={scene.data_dir}",
            f"--workdir={scene.workdir}",
        ]
        self.phase = "start"
        self._copier: threading.Thread | None = None
        self._log = scene.folder.with_suffix(".log")
        self._marks: queue.SimpleQueue[str] = queue.SimpleQueue()
        reading, writing = FORKS.Pipe(duplex=False)
        if fresh or limit_bytes or obeys:
            limits = {"FAULT_LIMIT_BYTES": limit_bytes, "FAULT_OBEYS": int(obeys)}
            self._process = _fresh(arguments, writing, limits)
            # By a pipe, as the limit on files would bind what it says, too.
            self._copier = threading.Thread(
                target=_copy, args=(self._process.stderr, self._log), daemon=True
            )
            self._copier.start()
        else:
            self._process = FORKS.Process(
                target=program.forked, args=(arguments, writing, str(self._log))
            )
            self._process.start()
        writing.close()
        threading.Thread(target=self._read, args=(reading,), daemon=True).start()

    def _read(self, reading: Connection) -> None:
        with os.fdopen(os.dup(reading.fileno())) as marks:
            reading.close()
            for line in marks:
                self._marks.put(line.strip())
        self._marks.put("")

    def wait_for(self, phase: str, times: int) -> bool:
        """Waits until a phase has begun so many times; False if that never happens."""
        deadline = time.monotonic() + TIMEOUT_S
        while times:
            try:
                found = self._marks.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return False
            if not found:
                return False
            self.phase = found
            times -= found == phase
        return True

    def send(self, number: int) -> None:
        """Sends a signal; SIGKILL to its workers as well."""
        while not self._marks.empty():
            self.phase = self._marks.get() or self.phase
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, number)
            if number == signal.SIGKILL:
                os.killpg(self._process.pid, number)

    def end(self) -> Ended:
        """Waits until it has ended."""
        is_forked = isinstance(self._process, BaseProcess)
        if is_forked:
            self._process.join(TIMEOUT_S)
            status = self._process.exitcode
        else:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(TIMEOUT_S)
            status = self._process.returncode
        if status is None:
            self.send(signal.SIGKILL)
        if self._copier:
            self._copier.join(10)
        said = self._log.read_text(errors="replace") if self._log.exists() else ""
        return Ended(status, said, self.phase)


def _fresh(
    arguments: list[str], marks: Connection, limits: dict[str, int]
) -> subprocess.Popen:
    """A new interpreter."""
    return subprocess.Popen(
        [sys.executable, "-m", program.__name__, *arguments],
        cwd=ROOT,
        env=os.environ
        | {"FAULT_MARKS": str(marks.fileno())}
        | {name: str(value) for name, value in limits.items()},
        pass_fds=(marks.fileno(),),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def _copy(said: IO[bytes], log: Path) -> None:
    with said, log.open("wb") as file:
        shutil.copyfileobj(said, file)


def run(scene: Scene, **limits: Any) -> Ended:
    """Gives the command and waits for its end."""
    return Process(scene, **limits).end()


def differences(found: Path, expected: Path) -> list[str]:
    """What differs between two runs' folders, times and machine apart."""
    names = {str(path.relative_to(expected)) for path in _files(expected)}
    others = {str(path.relative_to(found)) for path in _files(found)}
    different = [f"{name} is missing" for name in sorted(names - others)]
    different += [f"{name} is left over" for name in sorted(others - names)]
    for name in sorted(names & others):
        if Path(name).name in APART or name.startswith("figures"):
            continue
        if not _equal(found / name, expected / name):
            different.append(f"{name} differs")
    return different + _state_differences(found, expected)


def _files(workdir: Path) -> Iterator[Path]:
    """Files of a run but checkpoints, of which there may be more, and programs."""
    for path in workdir.rglob("*"):
        if path.is_file() and path.relative_to(workdir).parts[0] != "checkpoints":
            yield path


def _equal(found: Path, expected: Path) -> bool:
    if found.suffix == ".npz":
        with np.load(found) as a, np.load(expected) as b:
            same = set(a.files) == set(b.files)
            return same and all(_same_bits(a[name], b[name]) for name in a.files)
    if found.name == "seal.json":  # Digests of files with times.
        return set(json.loads(found.read_text())) == set(
            json.loads(expected.read_text())
        )
    if found.suffix in (".json", ".jsonl"):
        a, b = (
            [timeless(json.loads(line)) for line in path.read_text().splitlines()]
            if path.suffix == ".jsonl"
            else timeless(json.loads(path.read_text()))
            for path in (found, expected)
        )
        return a == b
    return found.read_bytes() == expected.read_bytes()


def timeless(tree: Any) -> Any:
    """JSON without what depends on the clock, and on the scene's place."""
    if isinstance(tree, dict):
        return {k: timeless(v) for k, v in tree.items() if k not in TIMES}
    return [timeless(one) for one in tree] if isinstance(tree, list) else tree


def _same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def _state_differences(found: Path, expected: Path) -> list[str]:
    """What differs between the newest checkpoints: every array, and the record."""
    (a, log_a), (b, log_b) = map(read_checkpoint, (found, expected))
    different = [
        f"checkpoint: {name} differs"
        for name in sorted(set(a) | set(b))
        if name not in a or name not in b or not _same_bits(a[name], b[name])
    ]
    return different + (["checkpoint: record differs"] if log_a != log_b else [])


def read_checkpoint(workdir: Path) -> tuple[dict[str, np.ndarray], dict]:
    """Arrays by name, and the record without times, of the newest checkpoint."""
    newest = checkpoints(workdir)[-1]
    tree = ocp.StandardCheckpointer().restore(newest / "state")
    record = json.loads((newest / "record" / "metadata").read_text())["log"]
    lines = [timeless(json.loads(line)) for line in record.pop("metrics")]
    return _flat(tree), {**timeless(record), "metrics": lines}


def _flat(tree: Any, name: str = "") -> dict[str, np.ndarray]:
    if isinstance(tree, (dict, list, tuple)):
        items = tree.items() if isinstance(tree, dict) else enumerate(tree)
        parts = [_flat(value, f"{name}/{key}") for key, value in items]
        return {key: leaf for part in parts for key, leaf in part.items()}
    return {} if tree is None else {name: np.asarray(tree)}


def checkpoints(workdir: Path) -> list[Path]:
    """Complete checkpoints, the newest last."""
    found = (workdir / "checkpoints").glob("*")
    return sorted((p for p in found if p.name.isdecimal()), key=lambda p: int(p.name))


def digests(folder: Path) -> dict[str, bytes]:
    """Content of every file of the shards, zip archives by their members' checksums."""
    return {
        str(path.relative_to(folder)): repr(
            [(i.filename, i.CRC) for i in zipfile.ZipFile(path).infolist()]
        ).encode()
        if path.suffix == ".npz"
        else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
