"""Whether a training is well: seeds that fail stop alone, stalls are reported."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from ml_collections import ConfigDict

logger = logging.getLogger(__name__)

# What the main thread may wait for, and the usual cause.
HINTS = {
    "input": "the disk or network that holds the shards is slow, or does not answer",
    "device": "a step is being compiled, or the device or another process hangs",
    "checkpoint": "the disk that holds the run's folder is slow, full or unreachable",
}


class FailedSeed(NamedTuple):
    """A seed that stopped."""

    number: int  # Among the S of the run, from 0.
    seed: int  # Its initialisation.
    step: int  # The first whose loss was not finite; the last of one without a score.
    reason: str  # What happened, and the likely cause.


class Health:
    """Which seeds of a run have failed, some perhaps before its last checkpoint."""

    def __init__(self, config: ConfigDict, failures: Iterable[Any] = ()) -> None:
        self._config = config
        # Marks seeds `[S]` for which an evaluation after a step comes too late.
        self.is_late: Callable[[int], np.ndarray | bool] = lambda _: False
        self.failures = [FailedSeed(*failure) for failure in failures]

    @property
    def failed(self) -> np.ndarray:
        """Marks the failed seeds, bool `[S]`."""
        failed = np.zeros(self._config.num_seeds, bool)
        failed[[failure.number for failure in self.failures]] = True
        return failed

    def check(self, losses: np.ndarray, step: int) -> None:
        """Marks seeds whose loss `[S]` at a step is not finite.

        Those that are out of patience have their result already.

        Raises:
            ValueError: None is left.
        """
        fails = (
            ~np.isfinite(losses) & ~self.failed & ~np.asarray(self.is_late(step - 1))
        )
        for number in np.flatnonzero(fails).tolist():
            found = f"its loss at step {step} was {losses[number]}"
            self.fail(number, step, f"{found}: {likely_cause(self._config, step)}")

    def fail(self, number: int, step: int, reason: str) -> None:
        """Marks one seed; a ValueError says so where none is left."""
        seed = self._config.seed + number
        self.failures.append(FailedSeed(number, seed, step, reason))
        if not self.failed.all():
            logger.warning("seed %d stops, the others go on: %s", seed, reason)
            return
        seeds = "its seed" if len(self.failures) == 1 else "each of its seeds"
        reasons = "; ".join(f"seed {one.seed}: {one.reason}" for one in self.failures)
        raise ValueError(f"training stops, because {seeds} failed: {reasons}")


def likely_cause(config: ConfigDict, step: int) -> str:
    """Says what most often makes a loss infinite or undefined at a step."""
    train, preprocessing = config.train, config.preprocessing
    linear = preprocessing.magnitude == "linear" and not preprocessing.standardise_clip
    if step == 1 or linear or preprocessing.scale > 100:
        return (
            "the input is probably too large; keep preprocessing.standardise_clip, or "
            f"lower preprocessing.scale={preprocessing.scale:g} "
            f"(preprocessing.magnitude={preprocessing.magnitude!r})"
        )
    return (
        f"train.learning_rate={train.learning_rate:g} is probably too large for "
        f"train.optimiser={train.optimiser!r}; try a third of it"
    )


class Watchdog:
    """Logs when the main thread has waited long for the same thing.

    A thread looks every quarter of that time; the main thread only notes what it does,
    which takes well below a microsecond. The wait before each further warning doubles.
    `warning_s` says how long a wait may be; 0 for no warnings.
    """

    def __init__(self, warning_s: float) -> None:
        self._warning_s = warning_s
        self._now = ("", 0, time.monotonic())  # Activity, step, since when.
        self._warned = (self._now, 0.0)
        self._over = threading.Event()
        if warning_s:
            threading.Thread(target=self._watch, daemon=True, name="stalls").start()

    def enter(self, activity: str, step: int) -> None:
        """Notes what the main thread does: a key of `HINTS`, or "" for other work."""
        self._now = (activity, step, time.monotonic())

    def batches(self, batches: Iterable, step: int) -> Iterator:
        """Gives batches on: getting one is input, what is done with it is device."""
        iterator = iter(batches)
        while True:
            self.enter("input", step)
            batch = next(iterator, None)
            self.enter("device", step)
            if batch is None:
                return
            yield batch

    def close(self) -> None:
        """Ends the watch."""
        self._over.set()

    def look(self, at_s: float) -> None:
        """Logs a warning where one is due at a time of `time.monotonic`."""
        activity, step, since = now = self._now
        seconds, (warned_now, warned_s) = at_s - since, self._warned
        due_s = max(self._warning_s, 2 * warned_s if warned_now == now else 0.0)
        if activity and seconds >= due_s:
            self._warned = (now, seconds)
            logger.warning(
                "step %d has waited for the %s for %.0f s: %s",
                *(step, activity, seconds, HINTS[activity]),
            )

    def _watch(self) -> None:
        while not self._over.wait(self._warning_s / 4):
            self.look(time.monotonic())
