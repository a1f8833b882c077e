"""Contestants side by side: started together, then turn by turn, A B C A B C.

The speed of a shared machine drifts by more than the differences of interest. A ratio
is therefore taken within each round, and the median of the ratios is what counts.
"""

import contextlib
import dataclasses
import itertools
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
# Memory that stays free for everything else on the machine.
SPARE_GIB = 2.0
# Before each round, for what other processes do meanwhile.
BACKGROUND_S = 0.25

Sizes = tuple[int, ...]

logger = logging.getLogger(__name__)


class Options(NamedTuple):
    """What the command line chooses for all parts.

    Attributes:
        scratch: Folder for this run's files; deleted at the end.
        weights: File of initial weights for the peers.
        trained_weights: File of weights after some steps.
        bundle: Model bundle with these.
        platform: "cpu", "gpu", "tpu" or "".
        batch_sizes: To use instead of each part's own; () for those.
        rounds: Visits to each contestant.
        seconds: Of each visit.
        quick: Few contestants, tiny sizes: shows that it runs, measures nothing.
        backend: Of JAX, as it was found.
    """

    scratch: Path
    weights: str
    trained_weights: str
    bundle: str
    platform: str = ""
    batch_sizes: Sizes = ()
    rounds: int = 5
    seconds: float = 1.0
    quick: bool = False
    backend: str = "cpu"

    @property
    def fewer_rounds(self) -> int:
        """Rounds of long or steady races."""
        return max(1, self.rounds - 2)

    def sizes(self, on_cpu: Sizes, elsewhere: Sizes) -> list[int]:
        """Returns the batch sizes of a part: those asked for, else its own."""
        own = on_cpu if self.backend == "cpu" else elsewhere
        return sorted(self.batch_sizes or ((2,) if self.quick else own))

    @property
    def torch_environment(self) -> dict[str, str]:
        """Where PyTorch keeps what it compiles."""
        return {"TORCHINDUCTOR_CACHE_DIR": str(self.scratch / "inductor")}


class Entrant(NamedTuple):
    """A contestant to be started.

    Attributes:
        name: In tables.
        factory: "module:function" of what gives a `worker.Work` in the worker.
        options: Arguments of the function.
        settings: Further arguments, one dict for each lane.
        keep_buffers: Whether glibc is told to keep big buffers before anything else.
        memory_gib: What it may need, for all settings.
        tolerances: How far its first, second, … value may be from the first entrant's;
            the last tolerance holds for all that follow. Empty for any.
        environment: Of the worker, beside that of this process.
    """

    name: str
    factory: str
    options: Mapping[str, Any]
    settings: tuple[dict[str, Any], ...]
    keep_buffers: bool = True
    memory_gib: float = 1.0
    tolerances: tuple[float, ...] = ()
    environment: Mapping[str, str] = {}

    def key(self, setting: dict[str, Any]) -> tuple:
        """Names its lane of a setting."""
        return (self.name, *sorted(setting.items()))


@dataclasses.dataclass
class Lane:
    """What one entrant did with one setting.

    Attributes:
        name: Of the entrant.
        setting: As given to it.
        rates: Units per second, by round.
        failure: Why there are no rates, a sentence; or None.
        prepared: "values", "first_step_s" and "device_memory_bytes" of its `Work`, and
            the "seconds" until it was ready.
        peak_memory_bytes: Of its process, or of its accelerator, when this setting
            (and those before) had been prepared.
        extra: Further numbers that it measured, by name.
        others: Share of the machine that other processes kept busy, by round.
    """

    name: str
    setting: dict[str, Any]
    rates: dict[str, float] = dataclasses.field(default_factory=dict)
    failure: str | None = None
    prepared: dict[str, Any] = dataclasses.field(default_factory=dict)
    peak_memory_bytes: int | None = None
    extra: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    others: dict[str, float] = dataclasses.field(default_factory=dict)


class WorkerError(RuntimeError):
    """A contestant could not do what it was asked to."""


class Worker:
    """A worker process and the pipe to it."""

    def __init__(self, entrant: Entrant) -> None:
        specification = {
            "factory": entrant.factory,
            "options": dict(entrant.options),
            "keep_buffers": entrant.keep_buffers,
        }
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the worker)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", json.dumps(specification)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=ROOT,
            env=os.environ | dict(entrant.environment),
            text=True,
        )
        assert self._process.stdin and self._process.stdout
        self._requests, self._answers = self._process.stdin, self._process.stdout
        self.peak_memory_bytes: int | None = None

    def ask(self, method: str, arguments: dict[str, Any], seconds: float = 0.0) -> Any:
        """Asks for "call", "prepare" or "run" (`worker.py`) and waits for the answer.

        Raises:
            WorkerError: It failed; the message is one line for a table.
        """
        request = {"method": method, "arguments": arguments, "seconds": seconds}
        try:
            self._requests.write(json.dumps(request) + "\n")
            self._requests.flush()
            line = self._answers.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise WorkerError(f"its process ended ({self._last_words()})")
        answer = json.loads(line)
        self.peak_memory_bytes = answer["peak_memory_bytes"]
        if "error" in answer:
            logger.debug("%s", self._last_words(4000))
            raise WorkerError(answer["error"])
        return answer["result"]

    def close(self) -> None:
        """Ends the process by closing its input, and waits for its end."""
        with contextlib.suppress(BrokenPipeError):  # It has died.
            self._requests.close()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._answers.close()
        self._log.close()

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
    references, others = entrants[:num_references], entrants[num_references:]
    lanes: dict[tuple, Lane] = {}
    for number, group in enumerate(groups(references, others, available)):
        with contextlib.ExitStack() as stack:
            workers = {}
            for entrant in group:
                worker = workers[entrant.name] = Worker(entrant)
                stack.callback(worker.close)
                _prepare(entrant, worker, lanes, group[0])
            for in_group in range(rounds):
                _run_round(group, workers, lanes, f"{number}.{in_group}", seconds)
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


def busy_share(seconds: float) -> float:
    """Measures the share of all cores' time that is used while this process sleeps.

    While all contestants wait it should be near 0. It is 0 where nobody tells.
    """
    before = _busy_and_all()
    time.sleep(seconds)
    busy, whole = (b - a for a, b in zip(before, _busy_and_all(), strict=True))
    return busy / whole if whole else 0.0


def _busy_and_all() -> tuple[int, int]:
    """Reads ticks of all cores since the machine started, as /proc/stat counts them."""
    try:
        fields = Path("/proc/stat").read_text().split("\n")[0].split()[1:]
    except OSError:
        return 0, 0
    # user, nice, system, idle, iowait, irq, softirq, steal; guests are in user.
    ticks = [int(field) for field in fields[:8]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


def available_gib() -> float:
    """Reads the memory that can be used without swapping; 4 GiB where nobody tells."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return 4.0
    found = next(line for line in lines if line.startswith("MemAvailable:"))
    return int(found.split()[1]) / 2**20


def _prepare(
    entrant: Entrant, worker: Worker, lanes: dict[tuple, Lane], reference: Entrant
) -> None:
    logger.info("  preparing %s", entrant.name)
    for setting in entrant.settings:
        lane = lanes.setdefault(entrant.key(setting), Lane(entrant.name, setting))
        started = time.monotonic()
        try:
            lane.prepared = worker.ask("prepare", setting)
            lane.prepared["seconds"] = time.monotonic() - started
            of_device = lane.prepared.get("device_memory_bytes")
            lane.peak_memory_bytes = of_device or worker.peak_memory_bytes
            judge = lanes.get(reference.key(setting))
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
    for number, (a, b) in enumerate(zip(found, expected, strict=True)):
        allowed = tolerances[min(number, len(tolerances) - 1)]
        if not abs(a - b) <= allowed:
            return (
                f"refused: it computes something else than {judge.name} (value "
                f"{number + 1} is {a:.5f}, not {b:.5f}; {allowed:g} apart is allowed)"
            )
    return None


def _run_round(
    group: list[Entrant],
    workers: dict[str, Worker],
    lanes: dict[tuple, Lane],
    number: str,
    seconds: float,
) -> None:
    """Visits the first settings of all, then the second ones, and so on."""
    logger.info("  round %s", number)
    others = busy_share(BACKGROUND_S)
    settings = ([(entrant, x) for x in entrant.settings] for entrant in group)
    for turn in itertools.zip_longest(*settings):
        for entrant, setting in filter(None, turn):
            lane = lanes[entrant.key(setting)]
            lane.others[number] = others
            if lane.failure:
                continue
            try:
                found = workers[entrant.name].ask("run", setting, seconds)
            except WorkerError as error:
                lane.failure = str(error)
                continue
            lane.rates[number] = found.pop("units") / found.pop("seconds")
            for name, value in found.items():
                lane.extra.setdefault(name, []).append(value)
