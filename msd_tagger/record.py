"""The run record: what a run leaves behind in its folder."""

import fcntl
import json
import os
import platform
import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

import numpy as np

PACKAGES = (
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "orbax-checkpoint",
    "safetensors",
    "numpy",
    "scipy",
    "scikit-learn",
    "soundfile",
    "soxr",
    "tensorflow-cpu",
    "tensorflow-datasets",
)


def write_json(path: Path, content: dict) -> None:
    """Writes a JSON file whole or not at all."""
    write_bytes(path, (json_text(content) + "\n").encode())


def json_text(content: dict) -> str:
    """JSON of a dictionary that may hold arrays, NumPy numbers and paths."""
    return json.dumps(content, indent=1, default=_plain, allow_nan=False)


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def read_json(path: Path) -> dict:
    """Reads a JSON file.

    Raises:
        ValueError: The file is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # Text that is no UTF-8 is one, too.
        raise ValueError(f"{path} is not JSON: {error}") from error


def write_npz(path: Path, **arrays: np.ndarray) -> None:
    """Writes a compressed NumPy archive whole or not at all."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)


class MetricsFile:
    """The lines of `metrics.jsonl`: in the file, and for checkpoints.

    Args:
        path: The file; it is replaced.
        lines: Those that a checkpoint has.
        writes: Whether this process does so; others leave the file alone.
    """

    def __init__(
        self, path: Path, lines: Sequence[str] = (), writes: bool = True
    ) -> None:
        self._path, self.lines, self._writes = path, list(lines), writes
        if writes:
            with replacing(path) as temporary:
                temporary.write_text("".join(self.lines), encoding="utf-8")

    def append(self, **values: object) -> None:
        """Writes one line."""
        line = json.dumps(values, default=_plain, allow_nan=False) + "\n"
        if self._writes:
            with naming(self._path), self._path.open("a", encoding="utf-8") as file:
                file.write(line)
        self.lines.append(line)


def check_unused(directory: Path) -> None:
    """Makes sure that nothing would be overwritten.

    Raises:
        ValueError: The folder is a file, or not empty.
    """
    if directory.exists() and not directory.is_dir():
        raise ValueError(f"{directory} is a file; give a new or empty folder")
    held = sorted(path.name for path in directory.glob("*"))
    if held:
        raise ValueError(
            f"{directory} holds files ({held[0]}, …); give a new or empty folder"
        )


def unused(workdir: Path) -> Path:
    """The first of `workdir`, `workdir-2`, `workdir-3`, … that does not exist."""
    names = [workdir.name, *(f"{workdir.name}-{i}" for i in range(2, 10_000))]
    return next(p for p in map(workdir.with_name, names) if not p.exists())


def start(workdir: Path, config: dict, matter: dict, devices: list[str]) -> None:
    """Writes configuration and environment into a new or continued run's folder.

    Args:
        workdir: The run's folder.
        config: Every key, nested.
        matter: What the result depends on, flat; a continued run has to have the same.
        devices: What it runs on.

    Raises:
        ValueError: The folder holds a run of another configuration.
    """
    claim(workdir, matter)
    write_json(workdir / "config.json", config)
    write_json(workdir / "environment.json", environment(devices, sys.argv))


def claim(workdir: Path, matter: dict) -> None:
    """Marks a folder as a run's or a study's, before anything else is written there.

    Raises:
        ValueError: The folder holds something else.
    """
    if not check_same(workdir, matter):
        write_json(workdir / "matter.json", matter)


@contextmanager
def alone(workdir: Path) -> Iterator[None]:
    """Keeps other processes from working in a run's folder at the same time.

    The system itself takes the lock back, however a process ends.

    Raises:
        ValueError: Another one is at work there.
    """
    with (workdir / "matter.json").open("r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ValueError(
                f"another process works in {workdir}; wait until it ends, or give "
                "another --workdir"
            ) from error
        except OSError:  # A file system without locks.
            pass
        else:
            # What processes that were killed left behind.
            for path in [*workdir.glob("*.tmp"), *workdir.glob("*/*.tmp")]:
                if re.fullmatch(r".+\.\d+\.tmp", path.name):
                    path.unlink(missing_ok=True)
        yield


def check_same(workdir: Path, matter: dict) -> bool:
    """Compares what a run's result depends on with what a folder holds.

    Returns:
        Whether the folder holds this run; False if it is new.

    Raises:
        ValueError: It holds another run, and which keys differ, or other files.
    """
    path = workdir / "matter.json"
    # Listed first: jobs of an array that start together may write it just now.
    names = [p.name for p in workdir.iterdir()] if workdir.exists() else []
    if not path.exists():
        others = [name for name in names if not name.endswith(".tmp")]
        if others:
            raise ValueError(
                f"--workdir={workdir} holds files ({others[0]}, …) but no run; "
                "give an empty or new folder"
            )
        return False
    before, now = read_json(path), json.loads(json.dumps(matter, default=_plain))
    differing = [k for k in sorted(before | now) if before.get(k) != now.get(k)]
    if differing:
        changes = ", ".join(f"{k}: {before.get(k)} -> {now.get(k)}" for k in differing)
        raise ValueError(
            f"--workdir={workdir} holds a run of another configuration ({changes}); "
            "give another folder, or leave --workdir out to have one named"
        )
    return True


def origin() -> dict:
    """When, by which code and with which packages something is made; no paths."""
    return {
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": _commit(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
    }


def environment(devices: list[str], command: list[str]) -> dict:
    """Versions, machine, code and command of this process."""
    made = origin()
    return {
        "started": made["created"],
        "command": " ".join(command),
        "commit": made["commit"],
        "python": made["python"],
        "system": platform.platform(),
        "cpu_count": os.cpu_count(),
        "devices": devices,
        "versions": made["versions"],
    }


def peak_memory_bytes() -> int:
    """Largest resident memory of this process so far, on the host."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _plain(value: object) -> object:
    """What JSON takes for arrays, NumPy numbers and paths."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} does not go into JSON")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name to write to, which becomes the file when all of it is there."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Says which file it was, where the system only says that the disk is full."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(f"{path} cannot be written: {reason}") from error


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    """The commit of this code, marked when files differ; None outside git."""
    here = Path(__file__).parent
    git = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        result = subprocess.run(git, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() or None
