"""The lines of metrics.jsonl as events that TensorBoard shows."""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from input_pipeline.records import write_record
from msd_tagger.common.files import naming

# By the kind of a line: the names of its numbers of each seed, and of the others.
PER_SEED = {
    "train": {"loss": "loss/train", "gradient_norm": "gradient_norm"},
    "evaluation": {
        "loss": "loss/valid",
        "roc_auc_macro": "valid/roc_auc_macro",
        "pr_auc_macro": "valid/pr_auc_macro",
    },
}
OF_ALL = {
    "train": {"learning_rate": "learning_rate", "clips_per_s": "clips_per_s"},
    "evaluation": {},
}
# The end of the names of our files; others in the same folders are left alone.
SUFFIX = ".msd-tagger"


class TensorBoard:
    """Writes a run for each seed into `seed_<number>`, and of several also `mean`.

    What is the same for all seeds is in the mean, or with the only seed. At every
    start the files are written anew from the lines that the checkpoint has: a run that
    goes on shows no point twice.
    """

    def __init__(self, folder: Path, first_seed: int, num_seeds: int) -> None:
        names = [f"seed_{first_seed + number}" for number in range(num_seeds)]
        self._folder, self._seeds = folder, names
        self._mean = "mean" if num_seeds > 1 else names[0]
        self._file = f"events.out.tfevents.{time.time():.0f}{SUFFIX}"
        self._is_new = True

    def __call__(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Writes lines; those of the first call make the files new."""
        points: dict[str, list[bytes]] = {}
        for line in lines:
            for name, values in self._points(line):
                points.setdefault(name, []).append(_event(line["step"], values))
        for name in dict.fromkeys((*self._seeds, self._mean)):
            self._write(self._folder / name, points.get(name, []))
        self._is_new = False

    def _points(
        self, line: Mapping[str, Any]
    ) -> Iterator[tuple[str, dict[str, float]]]:
        """Yields the numbers of each run that a line has some for."""
        per_seed = {
            name: np.array(line[key], np.float64)
            for key, name in PER_SEED[line["kind"]].items()
            if key in line
        }
        of_all = {name: line.get(key) for key, name in OF_ALL[line["kind"]].items()}
        for number, seed in enumerate(self._seeds):
            own = {name: values[number] for name, values in per_seed.items()}
            yield seed, _known(own)
        if self._mean not in self._seeds:
            known = {name: x[np.isfinite(x)] for name, x in per_seed.items()}
            of_all |= {name: x.mean() for name, x in known.items() if len(x)}
        yield self._mean, _known(of_all)

    def _write(self, folder: Path, events: Sequence[bytes]) -> None:
        path, first = folder / self._file, list[bytes]()
        with naming(path):
            if self._is_new:
                first = [*_first_events()]
                folder.mkdir(parents=True, exist_ok=True)
                for earlier in folder.glob(f"events.out.tfevents.*{SUFFIX}"):
                    earlier.unlink()
            with path.open("wb") if self._is_new else path.open("ab") as file:
                for event in [*first, *events]:
                    write_record(file, event)


def _known(values: Mapping[str, float | None]) -> dict[str, float]:
    return {k: v for k, v in values.items() if v is not None and np.isfinite(v)}


def _event(step: int, values: Mapping[str, float]) -> bytes:
    """Serialises an event with some scalars."""
    import tensorflow as tf  # 3 s, for those who ask for it.

    found = [
        tf.compat.v1.Summary.Value(tag=name, simple_value=value)
        for name, value in values.items()
    ]
    summary = tf.compat.v1.Summary(value=found)
    event = tf.compat.v1.Event(wall_time=time.time(), step=step, summary=summary)
    return event.SerializeToString()


def _first_events() -> Iterator[bytes]:
    """Yields what a file begins with.

    The second has a TensorBoard that is open forget the points of an earlier file.
    """
    import tensorflow as tf

    now, start = time.time(), tf.compat.v1.SessionLog(status="START")
    for event in (
        tf.compat.v1.Event(wall_time=now, file_version="brain.Event:2"),
        tf.compat.v1.Event(wall_time=now, session_log=start),
    ):
        yield event.SerializeToString()
