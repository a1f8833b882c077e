"""One contestant in a process of its own, told over a pipe what to do.

Allocators, OpenMP teams and XLA's thread pools of two contestants never meet. Between
two requests a worker waits in a blocking read.

    python -m benchmarks.worker '{"factory": "module:Class", "options": {}, …}'

Requests are lines of JSON: `{"method": "run", "arguments": {…}}`. So are the answers:
the method's result, or an error, and what the process used until then.
"""

import importlib
import json
import os
import resource
import sys
import time
import traceback
from pathlib import Path
from typing import Any


def main(specification: dict[str, Any]) -> None:
    """Builds the contestant and answers requests until the pipe is closed."""
    # What a library prints must not end up among the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    if specification["keep_buffers"]:
        from msd_tagger.common.processes import keep_big_buffers

        keep_big_buffers()
    contestant = None
    for line in sys.stdin:
        request = json.loads(line)
        before = _cpu_seconds()
        try:
            if contestant is None:
                contestant = build(specification)
            method = getattr(contestant, request["method"])
            answer = {"result": method(**request["arguments"])}
        except Exception as error:
            traceback.print_exc()
            answer = {"error": describe(error)}
        answer |= {
            "cpu_before_s": before,
            "cpu_after_s": _cpu_seconds(),
            "peak_memory_bytes": peak_memory_bytes(),
            "wall_s": time.monotonic(),
        }
        answers.write(json.dumps(answer) + "\n")


def build(specification: dict[str, Any]) -> Any:
    """Imports and calls the factory, "module:Class"."""
    module, name = specification["factory"].split(":")
    return getattr(importlib.import_module(module), name)(**specification["options"])


def describe(error: Exception) -> str:
    """One line for a table: a missing package is not an accident."""
    if isinstance(error, ModuleNotFoundError):
        return f"{error.name} is not installed"
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:200]}"


def peak_memory_bytes() -> int:
    """Most memory that this process ever held (VmHWM).

    Not `ru_maxrss`: a child inherits that from the process that started it.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _cpu_seconds() -> float:
    return time.process_time()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
