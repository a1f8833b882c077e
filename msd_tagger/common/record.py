"""The run record: what a run leaves behind in its folder."""

import fcntl
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

from msd_tagger.common.files import (
    naming,
    plain,
    read_json,
    remove_abandoned,
    replacing,
    write_json,
)

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
        line = json.dumps(values, default=plain, allow_nan=False) + "\n"
        if self._writes:
            with naming(self._path), self._path.open("a", encoding="utf-8") as file:
                file.write(line)
        self.lines.append(line)


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
            for folder in (workdir, *filter(Path.is_dir, workdir.iterdir())):
                remove_abandoned(folder, is_alone=True)
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
    before, now = read_json(path), json.loads(json.dumps(matter, default=plain))
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
        "started": made.pop("created"),
        "command": " ".join(command),
        "system": platform.platform(),
        "cpu_count": os.cpu_count(),
        "devices": devices,
        **made,
    }


def peak_memory_bytes() -> int:
    """Largest resident memory of this process so far, on the host."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


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
