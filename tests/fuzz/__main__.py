"""Damages sound inputs of every parser, and counts what comes of each.

    python -m tests.fuzz --out=docs/faults.md

Each case follows from its seed and its number: `--case=1234` tries one again, and says
all of it. A case fails if a traceback comes of it, or a sentence that does not name the
file; if it takes more than 10 s of processor time; if its process dies; or if something
else is read than the file holds, in silence.
"""

import argparse
import multiprocessing
import signal
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from msd_tagger import platform
from msd_tagger.common.processes import available_cores
from tests.faults.pages import write_section
from tests.fuzz.cases import CHANGED, EQUAL, FAILURES, REFUSED, WAYS, Case, Ended, work

NUM_CASES = 6000
STUCK_S = 300.0  # Of time on the wall.
AHEAD = 20  # Cases that a process is given before it has tried them.
MARK = "# Damaged inputs"
PAGE = """{mark}

`python -m tests.fuzz --out=docs/faults.md` wrote this part. {num} inputs, made by
damaging sound ones, were given to the parsers, each in a process with 2 GiB of memory
to spare. Bits were flipped; ends, starts and runs of bytes lost, repeated, exchanged,
overwritten, or filled with noise, brackets and extreme numbers; and values of JSON, CSV
and NumPy files changed, moved, renamed, nested or taken away.

"Refused" means a sentence that names the file. "Read, changed" means that the damaged
file itself says so: a result that a checksum or digest protects must be equal. A
failure is a traceback, more than 10 s, a crash, or another result than the file holds.

Failures: **{failures}**.

{table}

It took {minutes} minutes on {cores} cores with `--seed={seed}`, which draws all
inputs; `--case=N` tries one of them again.
"""


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--inputs", type=int, default=NUM_CASES, help="(%(default)s)")
    add("--first", type=int, default=0, help="number of the first (%(default)s)")
    add("--seed", type=int, default=0, help="of all that is drawn (%(default)s)")
    add("--case", type=int, help="the only one to try")
    add("--kind", default="", help="only parsers whose name has this in it")
    add("--at_once", type=int, default=available_cores(), help="(%(default)s)")
    add("--out", type=Path, help="a page, of which the table becomes a part")
    add("--scratch", type=Path, help="a folder is made, and removed, here")
    return parser.parse_args(arguments)


class Worker:
    """A process that tries cases, and is replaced when one ends it."""

    def __init__(self, scratch: Path, does: Callable[..., None]) -> None:
        self.scratch, self.does = scratch, does
        self.waiting: deque[Case] = deque()  # Given, and not yet ended.
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("forkserver")
        self.connection, other = context.Pipe()
        self.scratch.mkdir(parents=True, exist_ok=True)
        self.process = context.Process(target=self.does, args=(other, self.scratch))
        self.process.start()
        other.close()
        for case in self.waiting:
            self.connection.send(case)

    def give(self, case: Case) -> None:
        """Appends a case to those that it is to try."""
        self.waiting.append(case)
        self.connection.send(case)

    def ended(self) -> Iterator[tuple[Case, Ended]]:
        """Yields the cases that have ended meanwhile, and how."""
        while self.waiting and self.connection.poll():
            try:
                ended = self.connection.recv()
            except (EOFError, OSError):
                ended = self._dead()
                yield self.waiting.popleft(), ended
                self._start()
            else:
                yield self.waiting.popleft(), ended

    def _dead(self) -> Ended:
        """Says what the process died of."""
        self.process.join()
        status, kind = self.process.exitcode, self.waiting[0].kind
        if status in (-signal.SIGPROF, -signal.SIGKILL):
            return Ended("hang", f"{kind}: stopped")
        log = self.scratch / "log"
        said = log.read_text(errors="replace")[-3000:] if log.exists() else ""
        return Ended("crash", f"{kind}: exit status {status}\n{said}")

    def close(self) -> None:
        """Ends the process."""
        self.process.kill()
        self.process.join()


def try_all(
    cases: Sequence[Case], at_once: int, scratch: Path, does: Callable[..., None] = work
) -> Iterator[tuple[Case, Ended]]:
    """Yields every case and how it ended, in the order of their ends."""
    left = deque(cases)
    names = map(str, range(min(at_once, len(cases))))
    workers = [Worker(scratch / name, does) for name in names]
    try:
        while left or any(worker.waiting for worker in workers):
            for worker in workers:
                while left and len(worker.waiting) < AHEAD:
                    worker.give(left.popleft())
            busy = {one.connection: one for one in workers if one.waiting}
            ready = wait(list(busy), timeout=STUCK_S)
            for connection in ready:
                yield from busy[connection].ended()
            if not ready:  # Asleep for ever, all of them.
                for worker in busy.values():
                    worker.process.kill()
    finally:
        for worker in workers:
            worker.close()


def table(counts: dict[str, Counter]) -> str:
    """Prints how often what came of each kind, as Markdown."""
    columns = (REFUSED, EQUAL, CHANGED)
    lines: list[tuple[Any, ...]] = [("parser", "inputs", *columns, "failures")]
    lines.append(("---",) * len(lines[0]))
    whole = sum(counts.values(), Counter())
    for name, one in [*sorted(counts.items()), ("all", whole)]:
        failures = sum(one[way] for way in FAILURES)
        lines.append((name, one.total(), *(one[way] for way in columns), failures))
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def main() -> None:
    """Tries all, prints the table, and fails if one failed."""
    platform.set_up("cpu")
    options = parse()
    numbers = range(options.first, options.first + options.inputs)
    one = options.case
    chosen = [Case(options.seed, n) for n in (numbers if one is None else [one])]
    cases = [case for case in chosen if options.kind in case.kind]
    counts: dict[str, Counter] = {}
    failed, started, told = [], time.monotonic(), 0.0
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=options.scratch) as scratch:
        found = try_all(cases, options.at_once, Path(scratch))
        for number, (case, ended) in enumerate(found, start=1):
            counts.setdefault(case.kind, Counter())[ended.way] += 1
            text = f"case {case.number}: {ended.way}: {ended.detail}"
            if ended.way in FAILURES:
                failed.append(text)
            if ended.way in FAILURES or one is not None:
                print(text, flush=True)
            spent = time.monotonic() - started
            if spent - told > 10:
                told, left_s = spent, spent / number * (len(cases) - number)
                ends = ", ".join(f"{way} {_sum(counts, way)}" for way in WAYS)
                print(
                    f"{number} of {len(cases)}, {left_s:.0f} s left: {ends}", flush=True
                )
    minutes = round((time.monotonic() - started) / 60)
    page = PAGE.format(
        mark=MARK,
        num=f"{len(cases):,}",
        failures=len(failed),
        table=table(counts),
        minutes=minutes,
        cores=options.at_once,
        seed=options.seed,
    )
    print(page)
    if options.out:
        write_section(options.out, MARK, page)
    if failed:
        sys.exit(f"{len(failed)} failures")


def _sum(counts: dict[str, Counter], way: str) -> int:
    return sum(one[way] for one in counts.values())


if __name__ == "__main__":
    main()
