"""One contestant in a process of its own, told over a pipe what to do.

Allocators, OpenMP teams and XLA's thread pools of two contestants never meet. Between
two requests a worker waits in a blocking read.
"""

import importlib
import os
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from msd_tagger.common import processes

NOT_INSTALLED = "is not installed"


class Work(NamedTuple):
    """What a contestant does with one setting."""

    # Takes the first steps, and yields what all contestants must agree on. Until the
    # first value is the time of the first step.
    values: Callable[[], Iterator[float]]
    # Works for about so many seconds. Gives "units" done and "seconds" taken, and
    # whatever else is of interest, by name.
    measure: Callable[[float], dict[str, float]]
    # Gives the peak memory of the accelerator; None where there is none, or it does not
    # tell.
    device_memory_bytes: Callable[[], int | None] = lambda: None


def repeating(
    step: Callable[[], object],
    units: float,
    finish: Callable[[], object] = lambda: None,
) -> Callable[[float], dict[str, float]]:
    """Returns what measures steps, of so many clips or clip-seeds, for some time.

    The first step is not timed: the caches hold what another contestant left there.
    `finish` waits until all steps are done that `step` has enqueued.
    """

    def measure(seconds: float) -> dict[str, float]:
        step()
        finish()
        started, num_steps = time.perf_counter(), 0
        while num_steps == 0 or time.perf_counter() - started < seconds:
            step()
            num_steps += 1
        finish()
        return {"units": num_steps * units, "seconds": time.perf_counter() - started}

    return measure


def loading(batches: Iterator, batch_size: int) -> Work:
    """Takes batches in turn; opening is part of the first step."""

    def first() -> Iterator[float]:
        next(batches)
        yield from ()

    return Work(first, repeating(lambda: next(batches), batch_size))


def main(
    pipe: Connection,
    log: str,
    factory: str,
    options: Mapping[str, Any],
    keep_buffers: bool,
) -> None:
    """Answers requests until the pipe is closed; what is printed goes into a file.

    A request is a method, arguments beside the options, and seconds. "prepare" calls
    the factory: of a `Work` the first steps are taken, any other result is the answer.
    "run" lets what was prepared with these arguments work for some time.
    """
    with Path(log).open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    if keep_buffers:
        processes.keep_big_buffers()
    works: dict[str, Work] = {}

    def answer(method: str, arguments: dict[str, Any], seconds: float) -> Any:
        key = repr(arguments)
        if method == "run":
            return works[key].measure(seconds)
        module, name = factory.split(":")
        found = getattr(importlib.import_module(module), name)(**options, **arguments)
        if not isinstance(found, Work):
            return found
        works[key] = found
        started, values = time.monotonic(), found.values()
        first = next(values, None)
        first_step_s = time.monotonic() - started
        return {
            "values": [] if first is None else [first, *values],
            "first_step_s": first_step_s,
            "device_memory_bytes": found.device_memory_bytes(),
        }

    while True:
        try:
            request = pipe.recv()
        except EOFError:
            return
        result, failure = None, None
        try:
            result = answer(*request)
        except Exception as error:
            traceback.print_exc()
            failure = describe(error)
        pipe.send((result, failure, processes.peak_memory_bytes()))


def describe(error: Exception) -> str:
    """Describes an error in one line for a table: a missing package is no accident."""
    if isinstance(error, ModuleNotFoundError):
        return f"{error.name} {NOT_INSTALLED}"
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:200]}"
