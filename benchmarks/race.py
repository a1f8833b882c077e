"""Contestants side by side: started together, then turn by turn, A B C A B C.

The speed of a shared machine drifts by more than the differences of interest. A ratio
is therefore taken within each round, and the median of the ratios is what counts.
"""

import contextlib
import dataclasses
import itertools
import logging
import multiprocessing
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.worker import main as answer_requests
from msd_tagger.common import processes

ROOT = Path(__file__).resolve().parents[1]
# Memory that stays free for everything else on the machine, and what is taken to be
# there where nobody tells.
SPARE_GIB, UNTOLD_BYTES = 2.0, 2**32
# Before each round, for what other processes do meanwhile.
BACKGROUND_S = 0.25

Sizes = tuple[int, ...]

logger = logging.getLogger(__name__)


class Options(NamedTuple):
    """What the command line chooses for all parts."""

    scratch: Path  # For this run's files; deleted at the end.
    weights: str  # File of the peers' initial weights.
    trained_weights: str  # File of weights after some steps.
    bundle: str  # Model bundle with these.
    platform: str = ""  # "cpu", "gpu", "tpu" or "" for JAX's own choice.
    batch_sizes: Sizes = ()  # To use instead of each part's own; () for those.
    rounds: int = 5  # Visits to each contestant.
    seconds: float = 1.0  # Of each visit.
    quick: bool = False  # Few contestants, tiny sizes: it runs, and measures nothing.
    backend: str = "cpu"  # Of JAX, as it was found.

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
    """A contestant to be started."""

    name: str  # In tables.
    factory: str  # "module:function" of what gives a `worker.Work` in the worker.
    options: Mapping[str, Any]  # Arguments of the function.
    settings: tuple[dict[str, Any], ...]  # Further arguments, a dict for each lane.
    # Whether glibc is told to keep big buffers before anything else.
    keep_buffers: bool = True
    memory_gib: float = 1.0  # What it may need, for all settings.
    # How far its first, second, … value may be from the first entrant's; the last holds
    # for all that follow. Empty for any.
    tolerances: tuple[float, ...] = ()
    environment: Mapping[str, str] = {}  # Of the worker, from its start on.

    def key(self, setting: dict[str, Any]) -> tuple:
        """Names its lane of a setting."""
        return (self.name, *sorted(setting.items()))


@dataclasses.dataclass
class Lane:
    """What one entrant did with one setting; rates and other load by round."""

    name: str  # Of the entrant.
    setting: dict[str, Any]
    # Units per second.
    rates: dict[str, float] = dataclasses.field(default_factory=dict)
    failure: str | None = None  # Why there are no rates, a sentence.
    # "values", "first_step_s" and "device_memory_bytes" of its `Work`, and "seconds"
    # until it was ready.
    prepared: dict[str, Any] = dataclasses.field(default_factory=dict)
    # Of its process, or of its accelerator, when this setting (and those before) had
    # been prepared.
    peak_memory_bytes: int | None = None
    # Further numbers that it measured, by name.
    extra: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    # Share of the machine that other processes kept busy.
    others: dict[str, float] = dataclasses.field(default_factory=dict)


class WorkerError(RuntimeError):
    """A contestant could not do what it was asked to."""


class Worker:
    """A worker process and the pipe to it."""

    def __init__(self, entrant: Entrant) -> None:
        self._log = tempfile.NamedTemporaryFile()  # noqa: SIM115 (closed with it)
        context = multiprocessing.get_context("spawn")
        self._pipe, other_end = context.Pipe()
        self._process = context.Process(
            target=answer_requests,
            args=(
                other_end,
                self._log.name,
                entrant.factory,
                dict(entrant.options),
                entrant.keep_buffers,
            ),
        )
        with processes.set_variables(entrant.environment):
            self._process.start()
        other_end.close()
        self.peak_memory_bytes: int | None = None

    def ask(
        self,
        method: str,
        arguments: dict[str, Any],
        seconds: float = 0.0,
        limit_s: float | None = None,
    ) -> Any:
        """Asks for "prepare" or "run" (`worker.main`), and waits for the answer.

        Raises:
            WorkerError: It failed, or took longer than `limit_s`, by which its process
                is ended; the message is one line for a table.
        """
        try:
            self._pipe.send((method, arguments, seconds))
            if not self._pipe.poll(limit_s):
                self._process.kill()
                raise WorkerError("it took too long")
            result, failure, self.peak_memory_bytes = self._pipe.recv()
        except (EOFError, OSError) as error:
            said = " ".join(self.last_words(300).split())
            raise WorkerError(f"its process ended ({said})") from error
        if failure:
            logger.debug("%s", self.last_words(4000))
            raise WorkerError(failure)
        return result

    def last_words(self, num_bytes: int) -> str:
        """Reads the end of what it has printed, tracebacks included."""
        said = Path(self._log.name).read_bytes()[-num_bytes:]
        return said.decode(errors="replace")

    def close(self) -> None:
        """Ends the process by closing the pipe, and waits for its end."""
        self._pipe.close()
        self._process.join(timeout=20)
        self._process.kill()
        self._process.join()
        self._log.close()


def race(
    entrants: Sequence[Entrant],
    rounds: int,
    seconds: float,
    num_references: int = 1,
    memory_gib: float | None = None,
) -> list[Lane]:
    """Runs all entrants, in groups that fit into memory: by default into what is free.

    The first entrants are the references: they run in every group, so that every ratio
    to them is one of the same rounds.

    Returns:
        Lanes in the order of the entrants; a reference's rates are of all groups.
    """
    free_bytes = processes.available_memory_bytes() or UNTOLD_BYTES
    available = memory_gib or free_bytes / 2**30 - SPARE_GIB
    references, others = entrants[:num_references], entrants[num_references:]
    lanes: dict[tuple, Lane] = {}
    for number, group in enumerate(groups(references, others, available)):
        with contextlib.ExitStack() as stack:
            workers = {}
            for entrant in group:
                worker = stack.enter_context(contextlib.closing(Worker(entrant)))
                workers[entrant.name] = worker
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
    before = _ticks()
    time.sleep(seconds)
    spent = [b - a for a, b in zip(before, _ticks(), strict=True)]
    # user, nice, system, idle, iowait, irq, softirq, steal; guests are in user.
    return 1 - sum(spent[3:5]) / sum(spent) if any(spent) else 0.0


def _ticks() -> list[int]:
    """Reads what all cores did since the machine started."""
    try:
        return [int(n) for n in Path("/proc/stat").read_text().split(maxsplit=9)[1:9]]
    except OSError:
        return [0] * 8


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
