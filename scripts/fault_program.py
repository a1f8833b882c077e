"""`main.py`, saying on a pipe what it is about to do, so that a kill can be aimed.

    FAULT_MARKS=<file descriptor> python scripts/fault_program.py <main.py's flags>

Nothing else differs from `python main.py`; TensorFlow is hidden, as importing it would
take most of the time of a small run.
"""

import functools
import os
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


def main() -> None:
    """Announces the phases and runs main.py."""
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
