"""One damaged input: drawn by seed and number, tried in another process, and judged."""

import dataclasses
import hashlib
import logging
import os
import random
import resource
import shutil
import signal
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tests.fuzz import mutations
from tests.fuzz.parsers import PARSERS

MEMORY_BYTES = 2**31  # That a parser may take beyond what its libraries have.
LIMIT_S = 10.0  # Of processor time, so that a busy machine is no hang.
REFUSED, EQUAL, CHANGED = "refused", "read, equal", "read, changed"
FAILURES = ("traceback", "hang", "crash", "silent")
WAYS = (REFUSED, EQUAL, CHANGED, *FAILURES)


class Case(NamedTuple):
    """What is tried: everything follows from seed and number."""

    seed: int
    number: int

    @property
    def rng(self) -> random.Random:
        """Its generator, at the start."""
        return random.Random(f"{self.seed} {self.number}")

    @property
    def kind(self) -> str:
        """The parser, by its weight."""
        names = [name for name, one in PARSERS.items() for _ in range(one.weight)]
        return random.Random(self.seed).sample(names, len(names))[
            self.number % len(names)
        ]


class Ended(NamedTuple):
    """How a case ended, and what to tell of it."""

    way: str
    detail: str


class Tracebacks(logging.Handler):
    """Remembers tracebacks that go to the log."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Notes one."""
        if record.exc_info:
            self.found.append("".join(traceback.format_exception(*record.exc_info)))


class Bench:
    """Sound inputs of a process, each made once, and what reading them gives."""

    def __init__(self, scratch: Path) -> None:
        # Beside each other: what lies beside a sound input lies beside a damaged one.
        self.scratch, self.damaged = scratch, scratch / "sound" / "case"
        self.expected: dict[str, str] = {}
        self.tracebacks = Tracebacks()
        logging.getLogger().addHandler(self.tracebacks)

    def copy(self, kind: str) -> Path:
        """Lays a sound input where the damaged one will be; makes it the first time."""
        sound = self.scratch / "sound" / kind
        if not sound.exists():
            sound.mkdir(parents=True)
            PARSERS[kind].make(sound)
        shutil.rmtree(self.damaged, ignore_errors=True)
        shutil.copytree(sound, self.damaged)
        if kind not in self.expected:
            self.expected[kind] = digest(PARSERS[kind].read(self.damaged))
        return self.damaged

    def damage(self, case: Case) -> tuple[Path, str, bool]:
        """Damages one file; also says how, and whether checksums were made anew."""
        folder, rng = self.copy(case.kind), case.rng
        patterns = PARSERS[case.kind].damaged
        groups = [sorted(folder.glob(pattern)) for pattern in patterns]
        path = rng.choice(rng.choice([[p for p in g if p.is_file()] for g in groups]))
        how, content, is_anew = mutations.draw(path.name, path.read_bytes(), rng)
        path.write_bytes(content)
        return path, how, is_anew

    def try_case(self, case: Case) -> Ended:
        """Damages an input, reads it, and judges what comes of it."""
        path, how, is_anew = self.damage(case)
        what = f"{case.kind}, {path.relative_to(self.damaged)}, {how}"
        parser = PARSERS[case.kind]
        self.tracebacks.found.clear()
        try:
            value = parser.read(self.damaged)
        except Exception as error:
            return self._judge_error(error, what)
        if self.tracebacks.found:
            return Ended("traceback", f"{what}: {self.tracebacks.found[0]}")
        if digest(value) == self.expected[case.kind]:
            return Ended(EQUAL, what)
        if parser.is_protected and not (is_anew and path.name == parser.open):
            return Ended("silent", f"{what}: another result in spite of a checksum")
        wrong = parser.wrong(self.damaged, value)
        return Ended("silent" if wrong else CHANGED, f"{what}: {wrong}")

    def _judge_error(self, error: Exception, what: str) -> Ended:
        """A sentence is ours if it names the place; all else is a traceback."""
        is_ours = isinstance(error, (ValueError, OSError))
        if is_ours and str(self.damaged) in str(error) and not self.tracebacks.found:
            return Ended(REFUSED, f"{what}: {error}")
        text = "".join(traceback.format_exception(error))
        return Ended("traceback", f"{what}: {text}")


def digest(value: Any) -> str:
    """Names a value by its content, arrays to the bit."""
    found = hashlib.sha256()
    _feed(found, value)
    return found.hexdigest()


def _feed(found: Any, value: Any) -> None:
    if isinstance(value, np.ndarray):
        found.update(f"{value.dtype.str}{value.shape}".encode())
        found.update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, dict):
        for key in sorted(value, key=str):
            _feed(found, (key, value[key]))
    elif isinstance(value, (list, tuple, set)):
        found.update(f"[{len(value)}".encode())
        for one in sorted(value, key=str) if isinstance(value, set) else value:
            _feed(found, one)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        _feed(found, vars(value))
    else:
        found.update(f"{type(value).__name__} {value!r};".encode())


def work(connection: Connection, scratch: Path) -> None:
    """Tries the cases that are asked for, one after another."""
    log = os.open(scratch / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):  # What decoders print.
        os.dup2(log, stream)
    bench = Bench(scratch)
    logging.raiseExceptions = False
    while True:
        case = connection.recv()
        bench.copy(case.kind)  # Libraries are imported now, without a limit.
        limit_memory()
        # Whose time is over is ended by the system, whatever it does.
        signal.setitimer(signal.ITIMER_PROF, LIMIT_S)
        try:
            ended = bench.try_case(case)
        except MemoryError:
            ended = Ended("traceback", f"{case.kind}: MemoryError of the judge")
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
        connection.send(ended)


def limit_memory() -> None:
    """Lets a case take so much more than there is."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    used = pages * resource.getpagesize()
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES, hard))
