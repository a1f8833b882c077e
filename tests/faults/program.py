"""`main.py`, saying on a pipe what it is about to do, so that a kill can be aimed.

    FAULT_MARKS=<file descriptor> python -m tests.faults.program <main.py's flags>

Nothing else differs from `python main.py`, but that TFDS is hidden, and that limits
can be set: FAULT_LIMIT_BYTES is the size that no file can exceed, FAULT_OBEYS=1
takes from root the privilege to write where permissions forbid it; and
FAULT_COLLECT_EVERY is after how many new objects Python looks for garbage.
"""

import ctypes
import faulthandler
import functools
import gc
import importlib
import os
import resource
import runpy
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
HANGS_S = 280.0  # Then a process says where it is; its end comes a little later.
# What begins each phase: module, and attribute.
FUNCTIONS = {
    "preparation": ("input_pipeline.prepare", "write_missing"),
    "tracing": ("msd_tagger.training.canary", "check"),
    "restore": ("msd_tagger.training.checkpoints", "Checkpoints.restore"),
    "save": ("msd_tagger.training.checkpoints", "Checkpoints.save"),
    "evaluation": ("msd_tagger.training.evaluation", "score_validation"),
    "step": ("msd_tagger.training.progress", "Trace.before"),
    "results": ("msd_tagger.training.results", "predict"),
    "report": ("modes.report", "report"),
}


def announce(phase: str, module: str, attribute: str, marks: int) -> None:
    """Lets a function say its phase before it does its work."""
    *path, name = attribute.split(".")
    owner = functools.reduce(getattr, path, importlib.import_module(module))
    function = getattr(owner, name)

    @functools.wraps(function)
    def announced(*arguments: Any, **options: Any) -> Any:
        os.write(marks, f"{phase}\n".encode())
        return function(*arguments, **options)

    setattr(owner, name, announced)
    for known in list(sys.modules.values()):  # Some have taken it by its name.
        if getattr(known, "__dict__", {}).get(name) is function:
            setattr(known, name, announced)


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


def main() -> None:
    """Announces the phases and runs main.py."""
    limit()
    if every := os.environ.get("FAULT_COLLECT_EVERY"):
        gc.set_threshold(int(every))
    marks = int(os.environ["FAULT_MARKS"])
    os.write(marks, b"start\n")
    faulthandler.dump_traceback_later(HANGS_S)
    sys.modules["tensorflow_datasets"] = None  # It takes 2 s.
    from msd_tagger import platform

    platform.set_up("cpu")
    for phase, (module, attribute) in FUNCTIONS.items():
        announce(phase, module, attribute, marks)
    runpy.run_path(str(ROOT / "main.py"), run_name="__main__")


if __name__ == "__main__":
    main()
