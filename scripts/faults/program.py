"""`main.py`, saying on a pipe what it is about to do, so that a kill can be aimed.

    FAULT_MARKS=<file descriptor> python -m scripts.faults.program <main.py's flags>

Nothing else differs from `python main.py`, but that TensorFlow is hidden, and that
limits can be set: FAULT_LIMIT_BYTES is the size that no file can exceed, FAULT_OBEYS=1
takes from root the privilege to write where permissions forbid it.
"""

import ctypes
import faulthandler
import functools
import os
import resource
import runpy
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
HANGS_S = 280.0  # Then a process says where it is; its end comes a little later.


def announce(owner: Any, name: str, phase: str, marks: int) -> None:
    """Lets a function say its phase before it does its work."""
    function: Callable = getattr(owner, name)

    @functools.wraps(function)
    def announced(*arguments: Any, **options: Any) -> Any:
        os.write(marks, f"{phase}\n".encode())
        return function(*arguments, **options)

    setattr(owner, name, announced)


def limit() -> None:
    """Sets the limits that the environment asks for."""
    if os.environ.pop("FAULT_OBEYS", "0") == "1" and os.geteuid() == 0:
        drop_bound, may_override = 24, 1  # PR_CAPBSET_DROP, CAP_DAC_OVERRIDE.
        if ctypes.CDLL(None).prctl(drop_bound, may_override, 0, 0, 0):
            raise SystemExit("root cannot be made to obey permissions here")
        os.execv(sys.executable, sys.orig_argv)  # From here on.
    limit_bytes = int(os.environ.get("FAULT_LIMIT_BYTES", "0"))
    if limit_bytes:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))


def forked(arguments: list[str], marks: Connection, log: str) -> None:
    """What a process does that was forked from one with the libraries."""
    os.setsid()
    with open(log, "w") as file, open(os.devnull, "w") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w", buffering=1)
    os.chdir(ROOT)
    sys.argv = ["main.py", *arguments]
    program(marks.fileno())


def program(marks: int) -> None:
    """Announces the phases and runs main.py."""
    os.write(marks, b"start\n")
    faulthandler.dump_traceback_later(HANGS_S)
    from input_pipeline import prepare
    from modes import run
    from msd_tagger.training import checkpoints, results
    from msd_tagger.training import loop as train
    from scripts.faults import libraries  # noqa: F401

    announce(prepare, "_run", "preparation", marks)
    announce(checkpoints.Checkpoints, "restore", "restore", marks)
    announce(train.Training, "_update", "step", marks)
    announce(train, "score_validation", "evaluation", marks)
    announce(checkpoints.Checkpoints, "save", "save", marks)
    announce(results, "predict", "results", marks)
    announce(run, "report", "report", marks)
    runpy.run_path(str(ROOT / "main.py"), run_name="__main__")


if __name__ == "__main__":
    limit()
    program(int(os.environ["FAULT_MARKS"]))
