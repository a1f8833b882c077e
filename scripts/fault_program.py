"""`main.py`, saying on a pipe what it is about to do, so that a kill can be aimed.

    FAULT_MARKS=<file descriptor> python scripts/fault_program.py <main.py's flags>

Nothing else differs from `python main.py`, but that TensorFlow is hidden, as importing
it would take most of the time of a small run, and that limits can be set:
FAULT_LIMIT_BYTES is the size that no file can exceed, FAULT_OBEYS=1 takes from root the
privilege to write where permissions forbid it.
"""

import ctypes
import functools
import os
import resource
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def mark(phase: str) -> None:
    """Says that a phase begins."""
    os.write(int(os.environ["FAULT_MARKS"]), f"{phase}\n".encode())


def announce(owner: Any, name: str, phase: str) -> None:
    """Lets a function say its phase before it does its work."""
    function: Callable = getattr(owner, name)

    @functools.wraps(function)
    def announced(*arguments: Any, **options: Any) -> Any:
        mark(phase)
        return function(*arguments, **options)

    setattr(owner, name, announced)


def limit() -> None:
    """Sets the limits that the environment asks for."""
    if os.environ.pop("FAULT_OBEYS", "0") == "1" and os.geteuid() == 0:
        drop_bound, may_override = 24, 1  # PR_CAPBSET_DROP, CAP_DAC_OVERRIDE.
        if ctypes.CDLL(None).prctl(drop_bound, may_override, 0, 0, 0):
            raise SystemExit("root cannot be made to obey permissions here")
        os.execv(sys.executable, [sys.executable, *sys.argv])  # From here on.
    limit_bytes = int(os.environ.get("FAULT_LIMIT_BYTES", "0"))
    if limit_bytes:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))


def main() -> None:
    """Announces the phases and runs main.py."""
    limit()
    mark("start")
    sys.modules.update(dict.fromkeys(("tensorflow", "tensorflow_datasets")))
    sys.path[0] = str(ROOT)
    from msd_tagger import platform

    platform.set_up("cpu")
    from input_pipeline import prepare
    from modes import run
    from msd_tagger import checkpoints, results, train

    announce(prepare, "_run", "preparation")
    announce(checkpoints.Checkpoints, "restore", "restore")
    announce(train.Training, "_update", "step")
    announce(train, "_evaluate", "evaluation")
    announce(checkpoints.Checkpoints, "save", "save")
    announce(results, "write_results", "results")
    announce(run, "report", "report")
    runpy.run_path(str(ROOT / "main.py"), run_name="__main__")


if __name__ == "__main__":
    main()
