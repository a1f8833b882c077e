"""Reads the record that a run leaves in its working directory.

`docs/run_record.md` describes every file. Analysis starts from these files alone: it
needs neither the corpus nor the network nor an accelerator.
"""

from __future__ import annotations

import dataclasses
import json
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

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
    """A file of the run record is missing or unreadable."""


@dataclasses.dataclass(frozen=True)
class RunRecord:
    """What a run left behind.

    Attributes:
        workdir: the directory it was read from.
        config: every key, nested.
        config_default: the same keys with their defaults, or None if not recorded.
        environment: versions, device, commit, command, times.
        train: logged training intervals, by step; like all that follows, without seeds
            that failed.
        evaluations: evaluations of the validation split, by step.
        summary: scores, corpus, sizes and times.
        arrays: the npz files present, from their name without `.npz` to their arrays.
    """

    workdir: Path
    config: dict[str, Any]
    config_default: dict[str, Any] | None
    environment: dict[str, Any]
    train: list[dict[str, Any]]
    evaluations: list[dict[str, Any]]
    summary: dict[str, Any]
    arrays: dict[str, dict[str, np.ndarray]]


def read_run_record(workdir: Path | str) -> RunRecord:
    """Reads a run record.

    Args:
        workdir: where the run wrote to.

    Returns:
        The record. Array files that are missing are missing from `arrays`.

    Raises:
        RunRecordError: if a required file is missing or a file cannot be read; it names
            the file.
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


def per_seed(lines: Sequence[dict[str, Any]], key: str) -> np.ndarray:
    """Collects one quantity of the logged lines.

    Args:
        lines: L lines in which `key` is a list with one number (or null) per seed.
        key: the quantity.

    Returns:
        float64 [L, S], NaN where null.

    >>> per_seed([{"loss": [0.5, 0.4]}, {"loss": [0.3, None]}], "loss").tolist()
    [[0.5, 0.4], [0.3, nan]]
    """
    return np.array([line[key] for line in lines], dtype=np.float64)


def read_json(path: Path) -> dict[str, Any]:
    """Reads one JSON object.

    Raises:
        RunRecordError: the file is missing, or holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise RunRecordError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise RunRecordError(
            f"{path} must hold a JSON object, not a {type(content).__name__}."
        )
    return content


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Reads all arrays of an npz file.

    Raises:
        RunRecordError: the file cannot be read.
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


def _by_step(lines: Any) -> list[dict[str, Any]]:
    """Sorts lines by step; of equal steps the last stays.

    A run that was stopped between a log line and a checkpoint repeats those steps.
    """
    return [line for _, line in sorted({x["step"]: x for x in lines}.items())]
