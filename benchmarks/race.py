"""Contestants side by side: started together, then turn by turn, A B C A B C.

The speed of a shared machine drifts by more than the differences of interest. A ratio
is therefore taken within each round, and the median of the ratios is what counts.
"""

import contextlib
import dataclasses
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
# Memory that stays free for everything else on the machine.
SPARE_GIB = 2.0
# Before each round, for what other processes do meanwhile.
BACKGROUND_S = 0.25

logger = logging.getLogger(__name__)


class Entrant(NamedTuple):
    """A contestant to be started.

    Attributes:
        name: In tables.
        factory: "module:Class" of what runs in the worker. It has `prepare(**setting)`,
            which gives the "values" that all must agree on, and
            `run(seconds, **setting)`, which gives what `clock.repeat` does.
        options: Arguments of the class.
        settings: Arguments of `prepare` and `run`, one dict for each lane.
        keep_buffers: Whether glibc is told to keep big buffers before anything else.
        memory_gib: What it may need, for all settings.
        tolerances: How far its first, second, … value may be from the first entrant's;
            the last tolerance holds for all that follow. Empty for any.
        environment: Of the worker, beside that of this process.
    """

    name: str
    factory: str
    options: dict[str, Any]
    settings: tuple[dict[str, Any], ...]
    keep_buffers: bool = True
    memory_gib: float = 1.0
    tolerances: tuple[float, ...] = ()
    environment: dict[str, str] = {}  # noqa: RUF012 (never changed)


@dataclasses.dataclass
class Lane:
    """What one entrant did with one setting.

    Attributes:
        name: Of the entrant.
        setting: As given to it.
        rates: Units per second, by round.
        failure: Why there are no rates, a sentence; or None.
        prepared: What `prepare` gave, with "seconds".
        peak_memory_bytes: Of its process, or of its accelerator, when this setting
            (and those before) had been prepared.
        idle_cpu_s: CPU seconds that the worker used while others ran.
        idle_s: Seconds in which others ran.
        extra: Further numbers that `run` gave, by name.
        others: Share of the machine that other processes kept busy, by round.
    """

    name: str
    setting: dict[str, Any]
    rates: dict[str, float] = dataclasses.field(default_factory=dict)
    failure: str | None = None
    prepared: dict[str, Any] = dataclasses.field(default_factory=dict)
    peak_memory_bytes: int | None = None
    idle_cpu_s: float = 0.0
    idle_s: float = 0.0
    extra: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    others: dict[str, float] = dataclasses.field(default_factory=dict)


class WorkerError(RuntimeError):
    """A contestant could not do what it was asked to."""


class Worker:
    """A worker process and the pipe to it."""

    def __init__(self, entrant: Entrant) -> None:
        specification = {
            "factory": entrant.factory,
            "options": entrant.options,
            "keep_buffers": entrant.keep_buffers,
        }
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the worker)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", json.dumps(specification)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=ROOT,
            env=os.environ | entrant.environment,
            text=True,
        )
        self.usage: dict[str, float] = {}
        self.idle: tuple[float, float] = (0.0, 0.0)

    def ask(self, method: str, **arguments: Any) -> Any:
        """Calls a method of the contestant and waits for its result.

        Raises:
            WorkerError: It failed; the message is one line for a table.
        """
        asked = time.monotonic()
        try:
            self.process.stdin.write(
                json.dumps({"method": method, "arguments": arguments}) + "\n"
            )
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise WorkerError(f"its process ended ({self._last_words()})")
        answer = json.loads(line)
        if self.usage:
            idle_s = asked - self.usage["wall_s"]
            used_s = answer["cpu_before_s"] - self.usage["cpu_after_s"]
            self.idle = (used_s, idle_s)
        self.usage = answer
        if "error" in answer:
            logger.debug("%s", self._last_words(4000))
            raise WorkerError(answer["error"])
        return answer["result"]

    def close(self) -> None:
        """Ends the process by closing its input, and waits for its end."""
        self.let_go()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self._log.close()

    def let_go(self) -> None:
        """Closes its input, which ends it."""
        with contextlib.suppress(BrokenPipeError):  # It has died.
            self.process.stdin.close()

    def _last_words(self, num_bytes: int = 300) -> str:
        self._log.seek(max(0, self._log.seek(0, os.SEEK_END) - num_bytes))
        return " ".join(self._log.read().decode(errors="replace").split())


def race(
    entrants: Sequence[Entrant],
    rounds: int,
    seconds: float,
    num_references: int = 1,
    memory_gib: float | None = None,
) -> list[Lane]:
    """Runs all entrants, in groups that fit into memory.

    Args:
        entrants: The first of them are the references: they run in every group, so
            that every ratio to them is one of the same rounds.
        rounds: Visits to each lane.
        seconds: Of each visit.
        num_references: How many.
        memory_gib: To be used at once; by default what is free.

    Returns:
        Lanes in the order of the entrants; a reference's rates are of all groups.
    """
    available = memory_gib or available_gib() - SPARE_GIB
    references = entrants[:num_references]
    lanes: dict[tuple, Lane] = {}
    for number, group in enumerate(
        groups(references, entrants[num_references:], available)
    ):
        _run_group(group, lanes, f"{number}.", rounds, seconds)
    return list(lanes.values())


def groups(
    references: Sequence[Entrant], others: Sequence[Entrant], memory_gib: float
) -> Iterator[list[Entrant]]:
    """Packs entrants in their order; the references are in each group."""
    fixed = sum(entrant.memory_gib for entrant in references)
    group: list[Entrant] = []
    for entrant in others:
        used = fixed + sum(member.memory_gib for member in group)
        if group and used + entrant.memory_gib > memory_gib:
            yield [*references, *group]
            group = []
        group.append(entrant)
    if group or references:
        yield [*references, *group]


def find(lanes: Sequence[Lane], name: str, **setting: Any) -> Lane:
    """The lane of a name and a setting."""
    return next(x for x in lanes if x.name == name and x.setting == setting)


def busy_share(seconds: float) -> float:
    """Share of all cores' time that somebody uses while this process sleeps.

    While all contestants wait it should be near 0. It is 0 where nobody tells.
    """
    before = _busy_and_all()
    time.sleep(seconds)
    busy, whole = (b - a for a, b in zip(before, _busy_and_all(), strict=True))
    return busy / whole if whole else 0.0


def _busy_and_all() -> tuple[int, int]:
    """Ticks of all cores since the machine started, as /proc/stat counts them."""
    try:
        fields = Path("/proc/stat").read_text().split("\n")[0].split()[1:]
    except OSError:
        return 0, 0
    # user, nice, system, idle, iowait, irq, softirq, steal; guests are in user.
    ticks = [int(field) for field in fields[:8]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


def available_gib() -> float:
    """Memory that can be used without swapping; 4 GiB where nobody tells."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return 4.0
    found = next(line for line in lines if line.startswith("MemAvailable:"))
    return int(found.split()[1]) / 2**20


def _run_group(
    group: list[Entrant],
    lanes: dict[tuple, Lane],
    prefix: str,
    rounds: int,
    seconds: float,
) -> None:
    workers: dict[str, Worker] = {}
    try:
        for entrant in group:
            workers[entrant.name] = Worker(entrant)
            _prepare(entrant, workers[entrant.name], lanes, group[0])
        for number in range(rounds):
            _run_round(group, workers, lanes, f"{prefix}{number}", seconds)
    finally:
        for worker in workers.values():
            worker.let_go()  # They end side by side.
        for worker in workers.values():
            worker.close()


def _prepare(
    entrant: Entrant, worker: Worker, lanes: dict[tuple, Lane], reference: Entrant
) -> None:
    logger.info("  preparing %s", entrant.name)
    for setting in entrant.settings:
        lane = lanes.setdefault(_key(entrant, setting), Lane(entrant.name, setting))
        started = time.monotonic()
        try:
            lane.prepared = worker.ask("prepare", **setting) or {}
            lane.prepared["seconds"] = time.monotonic() - started
            of_device = lane.prepared.get("device_memory_bytes")
            lane.peak_memory_bytes = of_device or worker.usage["peak_memory_bytes"]
            judge = lanes.get(_key(reference, setting))
            if entrant.tolerances and judge is not None:
                lane.failure = disagreement(lane, judge, entrant.tolerances)
        except WorkerError as error:
            lane.failure = str(error)
        if lane.failure:
            logger.info("  %s: %s", entrant.name, lane.failure)


def disagreement(lane: Lane, judge: Lane, tolerances: tuple[float, ...]) -> str | None:
    """Says how two contestants that should compute the same differ, if they do."""
    found, expected = lane.prepared.get("values"), judge.prepared.get("values")
    if not found or not expected or len(found) != len(expected):
        return f"refused: it gave nothing to compare with {judge.name}"
    for place, (a, b) in enumerate(zip(found, expected, strict=True)):
        allowed = tolerances[min(place, len(tolerances) - 1)]
        if not abs(a - b) <= allowed:
            return (
                f"refused: it computes something else than {judge.name} (value "
                f"{place + 1} is {a:.5f}, not {b:.5f}; {allowed:g} apart is allowed)"
            )
    return None


def _run_round(
    group: list[Entrant],
    workers: dict[str, Worker],
    lanes: dict[tuple, Lane],
    number: str,
    seconds: float,
) -> None:
    logger.info("  round %s", number)
    others = busy_share(BACKGROUND_S)
    most = max(len(entrant.settings) for entrant in group)
    for place in range(most):
        for entrant in group:
            if place < len(entrant.settings):
                lane = lanes[_key(entrant, entrant.settings[place])]
                lane.others[number] = others
                _visit(lane, workers[entrant.name], number, seconds)


def _visit(lane: Lane, worker: Worker, number: str, seconds: float) -> None:
    if lane.failure:
        return
    try:
        found = worker.ask("run", seconds=seconds, **lane.setting)
    except WorkerError as error:
        lane.failure = str(error)
        return
    lane.rates[number] = found["units"] / found["seconds"]
    lane.idle_cpu_s += worker.idle[0]
    lane.idle_s += worker.idle[1]
    for name in found.keys() - {"units", "seconds", "steps"}:
        lane.extra.setdefault(name, []).append(found[name])


def _key(entrant: Entrant, setting: dict[str, Any]) -> tuple:
    return (entrant.name, *sorted(setting.items()))
