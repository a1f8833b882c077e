"""What is seen of a training: a bar or log lines, `metrics.jsonl`, a profile."""

import json
import logging
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

from msd_tagger.common.files import naming, plain, replacing
from msd_tagger.common.metrics import finite_or_none
from msd_tagger.common.text import clock
from msd_tagger.training import distributed
from msd_tagger.training.schedule import Schedule
from msd_tagger.training.steps import Output

logger = logging.getLogger(__name__)
# Is told of lines of metrics.jsonl, when a training starts and as they come.
Watch = Callable[[Sequence[Mapping[str, Any]]], None]
LOG_EVERY_S = 30.0  # Between two log lines where there is no terminal.


class Progress:
    """Collects losses without holding the device up, and shows them now and then.

    `check` is called with the losses `[S]` of every step and its number, in order.
    `earlier` is what `state` returned when the run was cut, after `first_step` steps.
    """

    def __init__(
        self,
        schedule: Schedule,
        num_seeds: int,
        check: Callable[[np.ndarray, int], None],
        first_step: int,
        earlier: Mapping[str, Any],
    ) -> None:
        self._bar = tqdm(
            total=schedule.last_step,
            initial=first_step,
            unit="step",
            disable=not (sys.stderr.isatty() and distributed.is_first()),
            dynamic_ncols=True,
        )
        self._step, self._schedule, self._num_seeds = first_step, schedule, num_seeds
        self._check = check
        self._in_flight: deque = deque()
        # So many steps may wait in the device's queue, which keeps it busy where a
        # batch comes late. A step that waits for a CPU has all of its buffers already,
        # so one has to be enough; elsewhere it holds its batch alone, 25 MB for 32 mel
        # clips.
        self._limit = 1 if jax.default_backend() == "cpu" else 2
        # What is called with the mean losses when those of a step are there.
        self._tellings: dict[int, Callable[[dict[str, Any]], None]] = {}
        # Sums in float64, taken step by step: cutting the run changes no bit of them.
        self._loss_sum = np.array(earlier.get("loss_sum", [0.0] * num_seeds))
        self._count = earlier.get("count", 0)
        self._timed_steps = earlier.get("timed_steps", 0)
        self._seconds = earlier.get("seconds", 0.0)  # Spent in timed steps.
        self._window = (self._timed_steps, self._seconds)  # When it began.
        self._clock: float | None = None  # None: the next step is not timed.
        # When the first step here was done, and its number.
        self._begun: tuple[float, int] | None = None
        self._validation = ""
        self._logged_at = -LOG_EVERY_S

    def add(self, outputs: list[Output]) -> None:
        """Notes one step and its outputs per chunk of seeds, still on the device.

        The first step after a pause is not timed: it waits for its compilation or for
        the first batch.
        """
        is_timed = self._clock is not None
        if not is_timed:
            jax.block_until_ready(outputs)
            self._clock = time.monotonic()
            self._begun = self._begun or (self._clock, self._step + 1)
        self._step += 1
        self._in_flight.append((outputs, self._step, is_timed))
        self._take(self._limit)
        self._bar.update()

    def tell(self, write: Callable[[dict[str, Any]], None]) -> None:
        """Has a line written: mean losses `[S]` and clips/s since the line before.

        The line also has the norm of this step's gradient `[S]`. It is written when
        the losses are there, so that the device need not wait for the host. What is not
        finite becomes None.
        """
        self._tellings[self._step] = write

    def _read(self, step: int, norms: np.ndarray) -> dict[str, Any]:
        self._tick()
        mean = self._loss_sum / self._count
        steps, seconds = self._timed_steps, self._seconds
        earlier_steps, earlier_s = self._window
        speed = rate(self._schedule, steps - earlier_steps, seconds - earlier_s)
        self._window = steps, seconds
        self._loss_sum, self._count = np.zeros(self._num_seeds), 0
        self._show(step, mean, speed)
        found = {"loss": finite_or_none(mean), "gradient_norm": finite_or_none(norms)}
        return found | {"clips_per_s": speed, "seconds": seconds}

    def state(self) -> dict[str, Any]:
        """Waits for the device, stops the clock; returns what a checkpoint needs."""
        self.pause()
        return {
            "loss_sum": self._loss_sum.tolist(),
            "count": self._count,
            "timed_steps": self._timed_steps,
            "seconds": self._seconds,
        }

    def pause(self) -> None:
        """Waits for the device; stops the clock until the next step."""
        self._take(0)
        self._tick()
        self._clock = None

    def note_validation(
        self, scores: Sequence[float | None], improved: np.ndarray, best: np.ndarray
    ) -> None:
        """Notes an evaluation, and says it in one line, on a terminal above the bar.

        Scores are the validation ROC-AUC of each seed, `improved` says whether it is
        the seed's best, and `best` has the best so far; `[S]` each.
        """
        known = [score for score in scores if score is not None]
        self._validation = f"valid ROC-AUC {np.mean(known):.4f}" if known else ""
        epoch = self._schedule.epoch(self._step)
        told = summary_of(scores, improved, best)
        line = f"epoch {epoch:.4g}, step {self._step}: {told}"
        if not sys.stderr.isatty():
            logger.info("%s", line)
        elif distributed.is_first():
            self._bar.write(line, file=sys.stderr)

    def close(self) -> None:
        """Ends the bar."""
        self._bar.close()

    def _take(self, keep: int) -> None:
        """Takes the losses of all steps but the newest `keep` from the device."""
        while len(self._in_flight) > keep:
            outputs, step, is_timed = self._in_flight.popleft()
            losses = self._of_seeds([one.loss for one in outputs])
            self._loss_sum = self._loss_sum + losses
            self._count += 1
            self._timed_steps += is_timed
            self._check(losses, step)
            if step in self._tellings:
                norms = self._of_seeds([one.gradient_norm for one in outputs])
                self._tellings.pop(step)(self._read(step, norms))

    def _of_seeds(self, chunks: list[jax.Array]) -> np.ndarray:
        """Takes what a step gave for each seed `[S]` from the device."""
        found = np.concatenate([np.ravel(chunk) for chunk in chunks])
        return found[: self._num_seeds].astype(np.float64)

    def _tick(self) -> None:
        now = time.monotonic()
        if self._clock is not None:
            self._seconds += now - self._clock
            self._clock = now

    def _show(self, step: int, loss: np.ndarray, clips_per_s: float | None) -> None:
        speed = f"{clips_per_s:.1f} clips/s" if clips_per_s else ""
        finite = loss[np.isfinite(loss)]
        text = f"loss {finite.mean():.4f}" if len(finite) else ""
        text = ", ".join(filter(None, [text, speed, self._validation]))
        self._bar.set_postfix_str(text, refresh=False)
        now = time.monotonic()
        if now - self._logged_at >= LOG_EVERY_S and not sys.stderr.isatty():
            self._logged_at = now
            last_step, left = self._schedule.last_step, self._time_left(step, now)
            logger.info("step %d of %d: %s%s", step, last_step, text, left)

    def _time_left(self, step: int, now: float) -> str:
        """Estimates when the last step is done, with evaluations once there was one."""
        begun, first = self._begun or (now, step)
        if step == first:
            return ""
        seconds = (now - begun) / (step - first) * (self._schedule.last_step - step)
        apart = "" if self._validation else ", evaluations apart"
        return f", at most {clock(seconds)} left{apart}"


def summary_of(
    scores: Sequence[float | None], improved: np.ndarray, best: np.ndarray
) -> str:
    """Says how the seeds stand after an evaluation; see `Progress.note_validation`.

    >>> summary_of([0.71, 0.75], np.array([True, False]), np.array([0.71, 0.76]))
    'valid ROC-AUC of 2 seeds: best 0.7500, mean 0.7300 ± 0.0283, 1 improved'
    >>> summary_of([0.71], np.array([False]), np.array([0.72]))
    'valid ROC-AUC 0.7100, best so far 0.7200'
    """
    known = np.array([score for score in scores if score is not None])
    if not known.size:
        return "valid ROC-AUC: no seed has one"
    if len(scores) == 1:
        rest = "the best so far" if improved[0] else f"best so far {best[0]:.4f}"
        return f"valid ROC-AUC {known[0]:.4f}, {rest}"
    spread = f" ± {known.std(ddof=1):.4f}" if len(known) > 1 else ""
    return (
        f"valid ROC-AUC of {len(known)} seeds: best {known.max():.4f}, "
        f"mean {known.mean():.4f}{spread}, {np.count_nonzero(improved)} improved"
    )


def rate(schedule: Schedule, steps: int, seconds: float) -> float | None:
    """Computes training clips per second; None where no step was timed."""
    return steps * schedule.batch_size / seconds if steps and seconds > 0 else None


class MetricsFile:
    """The lines of `metrics.jsonl`: in the file, and for checkpoints.

    The file is replaced by the lines that a checkpoint has, in the process that writes.
    There `watch` is told of these lines, and then of each that is added.
    """

    def __init__(
        self,
        path: Path,
        lines: Sequence[str] = (),
        writes: bool = True,
        watch: Watch = lambda _: None,
    ) -> None:
        self._path, self.lines, self._writes = path, list(lines), writes
        self._watch = watch
        if writes:
            with replacing(path) as temporary:
                temporary.write_text("".join(self.lines), encoding="utf-8")
            watch([json.loads(line) for line in self.lines])

    def append(self, **values: object) -> None:
        """Writes one line."""
        line = json.dumps(values, default=plain, allow_nan=False) + "\n"
        if self._writes:
            with naming(self._path), self._path.open("a", encoding="utf-8") as file:
                file.write(line)
            self._watch([json.loads(line)])
        self.lines.append(line)


class Trace:
    """Records some training steps by JAX's profiler, for TensorBoard and Perfetto.

    The steps are (first, last), counted from 1; () for no trace.
    """

    def __init__(self, steps: Sequence[int], directory: Path) -> None:
        self._first, self._last = steps or (0, 0)
        self._directory, self._runs, self._has_begun = directory, False, False

    def before(self, step: int) -> None:
        """Starts before the first step, or later in a run that goes on after it."""
        if self._first <= step <= self._last and not self._runs:
            jax.profiler.start_trace(str(self._directory))
            self._runs = self._has_begun = True

    def after(self, step: int, results: Any) -> None:
        """Stops after the last step, when its results are there."""
        if self._runs and step >= self._last:
            jax.block_until_ready(results)
            self.close()

    def close(self) -> None:
        """Ends the trace, if one is running, and writes it; says if there was none."""
        if self._last and not self._has_begun:
            logger.warning(
                "--config.profile_steps=(%d, %d): none of these steps was trained, so "
                "there is no trace",
                *(self._first, self._last),
            )
        if self._runs:
            self._runs = False
            jax.profiler.stop_trace()
            logger.info("trace of the profiler: %s", self._directory)
