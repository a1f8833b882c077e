"""Reads the records that runs and studies leave in their folders.

`docs/run_record.md` describes every file. Reports start from these files alone: they
need neither the corpus nor the network nor an accelerator. A study's folder has
`config.json` and `environment.json` like a run's, arrays of its own (`<name>.npz`), and
one run record for each point in `points/<name>/`.
"""

from __future__ import annotations

import dataclasses
import json
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from msd_tagger.common import files
from msd_tagger.common.facts import LABELS

POINTS = "points"
REQUIRED = ("config.json", "environment.json", "metrics.jsonl", "summary.json")
ARRAY_FILES = (
    "predictions_test.npz",
    "predictions_valid.npz",
    "label_stats.npz",
    "label_vectors.npz",
    "first_layer.npz",
    "input_stats.npz",
)
# What NumPy and its archives raise for a damaged file.
UNREADABLE = (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error)


class RunRecordError(ValueError):
    """A file of a record is missing or unreadable; the message names it."""


@dataclasses.dataclass(frozen=True)
class RunRecord:
    """What a run left behind.

    Attributes:
        workdir: The folder that it was read from.
        config: Every key, nested.
        config_default: The same keys with their defaults, or None if not recorded.
        environment: Versions, device, commit, command, times.
        train: Logged training intervals, by step; like all that follows, without seeds
            that failed.
        evaluations: Evaluations of the validation split, by step.
        summary: Scores, corpus, sizes and times.
        arrays: The npz files present, from their name without `.npz` to their arrays.
    """

    workdir: Path
    config: dict[str, Any]
    config_default: dict[str, Any] | None
    environment: dict[str, Any]
    train: list[dict[str, Any]]
    evaluations: list[dict[str, Any]]
    summary: dict[str, Any]
    arrays: dict[str, dict[str, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class SweepRecord:
    """What a study left behind.

    Attributes:
        workdir: The folder.
        config: Every key, nested; `sweep` lists the points that were asked for.
        environment: Versions, device, commit, command, times.
        points: The record of every complete point, by name, in the sweep's order.
        missing: The names of the others.
    """

    workdir: Path
    config: dict[str, Any]
    environment: dict[str, Any]
    points: dict[str, RunRecord]
    missing: tuple[str, ...] = ()

    @property
    def num_points(self) -> int:
        """How many points were asked for."""
        return len(self.points) + len(self.missing)

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        """Reads `<name>.npz` of the study's folder; empty if there is no such file.

        Raises:
            RunRecordError: The file cannot be read.
        """
        path = self.workdir / f"{name}.npz"
        return read_arrays(path) if path.exists() else {}

    def select(self, prefix: str) -> dict[str, RunRecord]:
        """Returns the complete points whose name starts with `prefix`."""
        return {k: v for k, v in self.points.items() if k.startswith(prefix)}


def read_run_record(workdir: Path | str) -> RunRecord:
    """Reads a run record; array files that are missing are missing from `arrays`.

    Raises:
        RunRecordError: A required file is missing, or a file cannot be read.
    """
    workdir = Path(workdir)
    _check_complete(workdir)
    default = workdir / "config_default.json"
    summary = read_json(workdir / "summary.json")
    failed = [one["number"] for one in summary.get("failed_seeds", ())]
    lines = _of_others(_read_lines(workdir / "metrics.jsonl"), failed)
    return RunRecord(
        workdir=workdir,
        config=read_json(workdir / "config.json"),
        config_default=read_json(default) if default.exists() else None,
        environment=read_json(workdir / "environment.json"),
        train=_by_step(line for line in lines if line["kind"] == "train"),
        evaluations=_by_step(
            line
            for line in lines
            if line["kind"] == "evaluation" and line.get("split", "valid") == "valid"
        ),
        summary=summary,
        arrays={
            Path(name).stem: read_arrays(workdir / name)
            for name in ARRAY_FILES
            if (workdir / name).exists()
        },
    )


def read_sweep_record(workdir: Path | str) -> SweepRecord:
    """Reads a study's folder.

    Raises:
        RunRecordError: A file is missing or unreadable.
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


def labels_of(scores: Mapping[str, Any]) -> list[str]:
    """Returns `weak` and, where the corpus knows the truth, `true`."""
    return [labels for labels in LABELS if scores.get(labels)]


def per_seed(lines: Sequence[dict[str, Any]], key: str) -> np.ndarray:
    """Collects one quantity of the logged lines.

    Args:
        lines: L lines in which `key` is a list with one number (or null) per seed.
        key: The quantity.

    Returns:
        float64 `[L, S]`, NaN where null.

    >>> per_seed([{"loss": [0.5, 0.4]}, {"loss": [0.3, None]}], "loss").tolist()
    [[0.5, 0.4], [0.3, nan]]
    """
    return np.array([line[key] for line in lines], dtype=np.float64)


def read_json(path: Path) -> dict[str, Any]:
    """Reads one JSON object.

    Raises:
        RunRecordError: The file is missing, or holds something else.
    """
    try:
        content = files.read_json(path)
    except (ValueError, OSError) as error:
        reason = error.__cause__ or error
        raise RunRecordError(f"{path} cannot be read as JSON: {reason}") from error
    if not isinstance(content, dict):
        raise RunRecordError(
            f"{path} must hold a JSON object, not a {type(content).__name__}."
        )
    return content


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Reads all arrays of an npz file.

    Raises:
        RunRecordError: The file cannot be read.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except UNREADABLE as error:
        raise RunRecordError(f"{path} cannot be read: {error}") from error


def _check_complete(workdir: Path) -> None:
    """Raises a RunRecordError that names the required files that are not there."""
    if not workdir.is_dir():
        raise RunRecordError(
            f"{workdir} is not a directory. Give the --workdir of a finished run."
        )
    missing = [name for name in REQUIRED if not (workdir / name).is_file()]
    if missing:
        raise RunRecordError(
            f"{workdir} holds no complete run record: {', '.join(missing)} missing. "
            "If the run was cut short, start it again with the same --workdir: it goes "
            "on where it stopped."
        )


def _read_lines(path: Path) -> list[dict[str, Any]]:
    """Reads one JSON object per line, forgiving a last line that was cut."""
    lines = path.read_text(encoding="utf-8").splitlines()
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            found.append(json.loads(line))
        except ValueError as error:
            if number < len(lines):
                raise RunRecordError(f"{path}, line {number}: {error}") from error
    return found


def _of_others(lines: list[dict[str, Any]], failed: list[int]) -> list[dict[str, Any]]:
    """Takes some seeds, by number, out of every list of a line.

    >>> _of_others([{"step": 3, "loss": [0.5, None, 0.4]}], [1])
    [{'step': 3, 'loss': [0.5, 0.4]}]
    """
    return [
        {
            key: [one for number, one in enumerate(value) if number not in failed]
            if isinstance(value, list)
            else value
            for key, value in line.items()
        }
        for line in lines
    ]


def _by_step(lines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sorts lines by step; of equal steps the last stays.

    A run that was stopped between a log line and a checkpoint repeats those steps.
    """
    return [line for _, line in sorted({x["step"]: x for x in lines}.items())]
