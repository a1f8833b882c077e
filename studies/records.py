"""Reads the records that runs and studies leave in their folders.

`docs/run_record.md` describes every file. Reports start from these files alone: they
need neither the corpus nor the network nor an accelerator. A study's folder has
`config.json` and `environment.json` like a run's, arrays of its own (`<name>.npz`), and
one run record for each point in `points/<name>/`.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from msd_tagger.common import contents, files, workspace
from msd_tagger.common.facts import LABELS
from studies import record_contents

POINTS = "points"
# Keys that all points of a study have to share, unless its sweep changes them. They may
# differ where points of several machines were put together.
SHARED = ("train.batch_size", "model.dtype", "model.precision")
BEGUN = ("config.json", "environment.json")  # What a run begins with.
REQUIRED = (*BEGUN, "metrics.jsonl", "summary.json")
ARRAYS = (
    *("predictions_test", "predictions_valid", "baseline_test", "label_stats"),
    *("label_vectors", "first_layer", "input_stats"),
)
HINT = ". Give the command of the run or study again: it writes its record anew"

# A logged line of `metrics.jsonl`.
Line = dict[str, Any]


class RunRecordError(ValueError):
    """A file of a record is missing or unreadable; the message names it."""


@dataclasses.dataclass(frozen=True)
class RunRecord:
    """What a run left behind; from `train` on without seeds that failed."""

    workdir: Path  # The folder that it was read from.
    config: dict[str, Any]  # Every key, nested.
    config_default: dict[str, Any] | None  # Their defaults; None if not recorded.
    environment: dict[str, Any]  # Versions, device, commit, command, times.
    train: list[Line]  # Logged training intervals, by step.
    evaluations: list[Line]  # Of the validation split, by step.
    summary: dict[str, Any]  # Scores, corpus, sizes, times; empty before the end.
    arrays: dict[str, dict[str, np.ndarray]]  # From a file's name without `.npz`.


@dataclasses.dataclass(frozen=True)
class SweepRecord:
    """What a study left behind."""

    workdir: Path
    config: dict[str, Any]  # Every key; `sweep` lists the points that were asked for.
    environment: dict[str, Any]  # Versions, device, commit, command, times.
    points: dict[str, RunRecord]  # Every complete one, by name, in the sweep's order.
    missing: tuple[str, ...] = ()  # The names of the others.

    @property
    def num_points(self) -> int:
        """How many points were asked for."""
        return len(self.points) + len(self.missing)

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        """Reads `<name>.npz` of the study's folder; empty if there is no such file."""
        path = self.workdir / f"{name}.npz"
        return read_arrays(path, {}) if path.exists() else {}

    def select(self, *prefixes: str) -> dict[str, RunRecord]:
        """Returns the complete points whose name starts with one of the prefixes."""
        return {k: v for k, v in self.points.items() if k.startswith(prefixes)}


def read_run_record(
    workdir: Path | str, required: Sequence[str] = REQUIRED
) -> RunRecord:
    """Reads a run record; array files that are missing are missing from `arrays`.

    Of the required files there are fewer, `BEGUN`, for a run that may go on, which
    perhaps has no lines and no summary yet.

    Raises:
        RunRecordError: A required file is missing, or a file cannot be read.
    """
    workdir = Path(workdir)
    if not workdir.is_dir():
        raise RunRecordError(
            f"{workdir} is not a directory. Give the --workdir of a finished run."
        )
    missing = [name for name in required if not (workdir / name).is_file()]
    if missing:
        raise RunRecordError(
            f"{workdir} holds no complete run record: {', '.join(missing)} missing. "
            "If the run was cut short, start it again with the same --workdir: it goes "
            "on where it stopped."
        )
    _check_unaltered(workdir)
    sizes: contents.Sizes = {}
    path, summary = workdir / "summary.json", {}
    if path.exists():
        summary = read_json(path, record_contents.SUMMARY, sizes)
    failed = {one["number"] for one in summary.get("failed_seeds", ())}
    path = workdir / "metrics.jsonl"
    lines = _read_lines(path, failed, sizes) if path.exists() else {}
    default = workdir / "config_default.json"
    paths = {name: workdir / f"{name}.npz" for name in ARRAYS}
    return RunRecord(
        workdir=workdir,
        config=read_json(workdir / "config.json", record_contents.CONFIG),
        config_default=read_json(default) if default.exists() else None,
        environment=_environment(workdir),
        train=lines.get("train", []),
        evaluations=lines.get("evaluation", []),
        summary=summary,
        arrays={k: read_arrays(x, sizes) for k, x in paths.items() if x.exists()},
    )


def _check_unaltered(workdir: Path) -> None:
    """Compares what a report reads with the seal of a complete run, if there is one."""
    if (workdir / workspace.SEAL).exists():
        read = {workspace.SEAL, "config_default.json", *REQUIRED}
        read |= {f"{name}.npz" for name in ARRAYS}
        changed = [name for name in workspace.altered(workdir) if name in read]
        changed = [name for name in changed if (workdir / name).exists()]
        if changed:
            raise RunRecordError(
                f"{workdir / changed[0]} was altered after the run was complete{HINT}. "
                f"If you changed it on purpose, delete {workspace.SEAL} there"
            )


def read_sweep_record(workdir: Path | str) -> SweepRecord:
    """Reads a study's folder.

    Raises:
        RunRecordError: A file is missing or unreadable, or points cannot be compared.
    """
    workdir = Path(workdir)
    if not (workdir / "config.json").is_file():
        raise RunRecordError(f"{workdir} holds no record of a study: no config.json.")
    config = read_json(workdir / "config.json", record_contents.CONFIG)
    names = _names_of_points(config, workdir / "config.json")
    folders = {name: workdir / POINTS / name for name in names}
    points = {k: read_run_record(one) for k, one in folders.items() if is_complete(one)}
    _check_comparable(workdir, config, points)
    missing = tuple(name for name in folders if name not in points)
    environment = _environment(workdir)
    return SweepRecord(workdir, config, environment, points, missing)


def _environment(workdir: Path) -> dict[str, Any]:
    return read_json(workdir / "environment.json", record_contents.ENVIRONMENT)


def _names_of_points(config: Mapping[str, Any], path: Path) -> list[str]:
    try:
        names = list({name: dict(keys) for name, keys in config.get("sweep", ())})
        contents.check(names, contents.Each(str), "names ")
        return names
    except (TypeError, ValueError) as error:
        raise RunRecordError(
            f"{path}: sweep must list names of points, each with its keys{HINT}"
        ) from error


def _check_comparable(
    workdir: Path, config: Mapping[str, Any], points: Mapping[str, RunRecord]
) -> None:
    """Refuses points that differ in what their study does not change."""
    changed = {key for _, keys in config.get("sweep", ()) for key in dict(keys)}
    for key in SHARED:
        section, _, name = key.partition(".")
        found: dict[Any, list[str]] = {}
        for point, record in points.items():
            value = record.config.get(section, {}).get(name)
            found.setdefault(value, []).append(point)
        if key in changed or len(found) < 2:
            continue
        shown = " and ".join(
            f"{value} in {', '.join(names)}" for value, names in found.items()
        )
        raise RunRecordError(
            f"the points of {workdir} cannot be compared: {key} is {shown}. Move the "
            f"folders of one kind out of {workdir / POINTS}, or do the whole study in "
            f"another --workdir with --config.{key}=VALUE"
        )


def is_complete(workdir: Path) -> bool:
    """Tells whether a run in this folder came to its end."""
    path = workdir / "summary.json"
    return path.exists() and bool(read_json(path).get("complete"))


def origin(record: RunRecord | SweepRecord) -> str:
    """Says which run or study a record is of: its folder, hash and start."""
    hash_of_run = workspace.hash_of(record.workdir)
    started = record.environment.get("started")
    known = [f"folder {record.workdir.resolve().name}"]
    known += [f"hash {hash_of_run}"] if hash_of_run else []
    known += [f"started {started:.16} UTC".replace("T", " ", 1)] if started else []
    return " · ".join(known)


def labels_of(scores: Mapping[str, Any]) -> list[str]:
    """Returns `weak` and, where the corpus knows the truth, `true`."""
    return [labels for labels in LABELS if scores.get(labels)]


def per_seed(lines: Sequence[Line], key: str) -> pd.DataFrame:
    """Collects one quantity of logged lines: a row a step, a column a seed.

    >>> per_seed([{"step": 5, "loss": [0.5, 0.4]}, {"step": 9, "loss": [0.3, None]}],
    ...          "loss").T.to_dict("list")
    {5: [0.5, 0.4], 9: [0.3, nan]}
    """
    values = np.array([line[key] for line in lines], np.float64)
    steps = [line["step"] for line in lines]
    return pd.DataFrame(values.reshape(len(lines), -1 if lines else 0), steps)


def read_json(
    path: Path, expected: Any = None, sizes: contents.Sizes | None = None
) -> dict[str, Any]:
    """Reads one JSON object and checks what it holds.

    `expected` describes it, see `contents`; `sizes` are those of the record's other
    files.

    Raises:
        RunRecordError: Names the file, and what is wrong.
    """
    with _reading(path):
        content = files.read_json(path)
        contents.check(content, expected or {}, f"{path}: ", sizes)
        return content


def read_arrays(
    path: Path, sizes: contents.Sizes | None = None
) -> dict[str, np.ndarray]:
    """Reads and checks all arrays of an npz file of a record; see `read_json`."""
    with _reading(path):
        found = files.read_npz(path)
        expected = record_contents.ARRAYS[path.stem]
        contents.check(found, expected, f"{path}: ", sizes)
        return found


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Says what to do about a file that cannot be read, and names it."""
    try:
        yield
    except OSError as error:
        raise RunRecordError(
            f"{path} cannot be read: {error.strerror}{HINT}"
        ) from error
    except ValueError as error:
        raise RunRecordError(f"{error}{HINT}") from error


def _read_lines(
    path: Path, failed: set[int], sizes: contents.Sizes
) -> dict[str, list[Line]]:
    """Reads training intervals and evaluations, without the seeds that failed.

    A last line that was cut is forgiven. Of steps that were repeated after a stop the
    last line stays.
    """
    found: dict[str, dict[int, Line]] = {"train": {}, "evaluation": {}}
    with _reading(path):
        text = path.read_bytes().split(b"\n")
        for number, row in enumerate(text[:-1], start=1):
            where = f"{path}, line {number}"
            line = _without(files.parse_json(row, where), failed)
            kind = line.get("kind")
            if not isinstance(kind, str):
                raise ValueError(f"{where}: kind is {kind!r}; it must be text")
            if kind in found and line.get("split", "valid") == "valid":
                contents.check(line, record_contents.LINES[kind], f"{where}: ", sizes)
                found[kind][line["step"]] = line
    return {kind: [one[k] for k in sorted(one)] for kind, one in found.items()}


def _without(line: Line, failed: set[int]) -> Line:
    """Leaves the numbers of some seeds out of a logged line."""
    return {
        key: [one for k, one in enumerate(value) if k not in failed]
        if isinstance(value, list)
        else value
        for key, value in line.items()
    }
