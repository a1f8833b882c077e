"""One contestant in a process of its own, told over a pipe what to do.

Allocators, OpenMP teams and XLA's thread pools of two contestants never meet. Between
two requests a worker waits in a blocking read.

    python -m benchmarks.worker '{"factory": "module:function", "options": {}, …}'

Requests, `{"method": "run", "arguments": {…}, "seconds": 1.0}`, are lines of JSON, and
so are answers. "call" calls the function with the arguments beside the options, and
answers with its result; "prepare" does the same where the result is a `Work`, and takes
its first steps; "run" lets what was prepared with these arguments work for some time.
"""

import importlib
import json
import os
import resource
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple


class Work(NamedTuple):
    """What a contestant does with one setting.

    Attributes:
        values: Takes the first steps, and yields what all contestants must agree on.
            Until the first value is the time of the first step.
        measure: Works for about so many seconds. Gives "units" done and "seconds"
            taken, and whatever else is of interest, by name.
        device_memory_bytes: Gives the peak memory of the accelerator; None where there
            is none, or it does not tell.
    """

    values: Callable[[], Iterator[float]]
    measure: Callable[[float], dict[str, float]]
    device_memory_bytes: Callable[[], int | None] = lambda: None


def repeating(
    step: Callable[[], object],
    units: float,
    finish: Callable[[], object] = lambda: None,
) -> Callable[[float], dict[str, float]]:
    """Returns what measures steps for some time.

    The first step is not timed: the caches hold what another contestant left there.

    Args:
        step: Does, or enqueues, one step.
        units: What a step processes, in clips or clip-seeds.
        finish: Waits until all enqueued steps are done.
    """

    def measure(seconds: float) -> dict[str, float]:
        step()
        finish()
        started, num_steps = time.perf_counter(), 0
        while num_steps == 0 or time.perf_counter() - started < seconds:
            step()
            num_steps += 1
        finish()
        return {
            "units": num_steps * units,
            "seconds": time.perf_counter() - started,
        }

    return measure


def main(specification: dict[str, Any]) -> None:
    """Answers requests until the pipe is closed."""
    # What a library prints must not end up among the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    if specification["keep_buffers"]:
        from msd_tagger import platform

        platform.keep_big_buffers()
    works: dict[str, Work] = {}
    for line in sys.stdin:
        try:
            answer = {"result": _answer(json.loads(line), specification, works)}
        except Exception as error:
            traceback.print_exc()
            answer = {"error": describe(error)}
        answer["peak_memory_bytes"] = peak_memory_bytes()
        answers.write(json.dumps(answer) + "\n")


def _answer(
    request: dict[str, Any], specification: dict[str, Any], works: dict[str, Work]
) -> Any:
    arguments = request["arguments"]
    key = json.dumps(arguments)
    if request["method"] == "run":
        return works[key].measure(request["seconds"])
    module, name = specification["factory"].split(":")
    function = getattr(importlib.import_module(module), name)
    found = function(**specification["options"], **arguments)
    if request["method"] == "call":
        return found
    started, values = time.monotonic(), found.values()
    first = next(values, None)
    first_step_s = time.monotonic() - started
    works[key] = found
    return {
        "values": [] if first is None else [first, *values],
        "first_step_s": first_step_s,
        "device_memory_bytes": found.device_memory_bytes(),
    }


def describe(error: Exception) -> str:
    """Describes an error in one line for a table: a missing package is no accident."""
    if isinstance(error, ModuleNotFoundError):
        return f"{error.name} is not installed"
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:200]}"


def peak_memory_bytes() -> int:
    """Returns the most memory that this process ever held (VmHWM).

    Not `ru_maxrss`: a child inherits that from the process that started it.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
