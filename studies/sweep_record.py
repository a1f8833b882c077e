"""Reads what a study left in its working directory: its own files, and its points.

A study's folder has `config.json` and `environment.json` like a run's, arrays of its
own (`<name>.npz`), and one run record for each point in `points/<name>/`.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from studies.run_record import (
    RunRecord,
    RunRecordError,
    read_arrays,
    read_json,
    read_run_record,
)

POINTS = "points"


@dataclasses.dataclass(frozen=True)
class SweepRecord:
    """A study's folder.

    Attributes:
        workdir: the folder.
        config: every key, nested; `sweep` lists the points that were asked for.
        environment: versions, device, commit, command, times.
        points: record of every point that is complete, by name, in the sweep's order.
        missing: names of the points that are not.
    """

    workdir: Path
    config: dict[str, Any]
    environment: dict[str, Any]
    points: dict[str, RunRecord]
    missing: tuple[str, ...] = ()

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        """Arrays of `<name>.npz` in the study's folder; empty if there is no file.

        Raises:
            RunRecordError: the file cannot be read.
        """
        path = self.workdir / f"{name}.npz"
        return read_arrays(path) if path.exists() else {}

    def select(self, prefix: str) -> dict[str, RunRecord]:
        """Complete points whose name starts with `prefix`."""
        return {k: v for k, v in self.points.items() if k.startswith(prefix)}


def read_sweep_record(workdir: Path | str) -> SweepRecord:
    """Reads a study's folder.

    Raises:
        RunRecordError: a file is missing or unreadable; it names the file.
    """
    workdir = Path(workdir)
    if not (workdir / "config.json").is_file():
        raise RunRecordError(f"{workdir} holds no record of a study: no config.json.")
    config = read_json(workdir / "config.json")
    names = [point[0] for point in config.get("sweep", ())]
    points = {
        name: read_run_record(workdir / POINTS / name)
        for name in names
        if is_complete(workdir / POINTS / name)
    }
    return SweepRecord(
        workdir=workdir,
        config=config,
        environment=read_json(workdir / "environment.json"),
        points=points,
        missing=tuple(name for name in names if name not in points),
    )


def is_complete(workdir: Path) -> bool:
    """Whether a run in this folder came to its end."""
    path = workdir / "summary.json"
    return path.exists() and bool(read_json(path).get("complete"))
