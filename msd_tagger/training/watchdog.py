"""Notices a training that stands still, and says what it waits for."""

import logging
import threading
import time
from collections.abc import Iterable, Iterator

logger = logging.getLogger(__name__)

# What the main thread may wait for, and what is usually behind it.
HINTS = {
    "input": "the disk or network that holds the shards is slow, or does not answer",
    "device": "a step is being compiled, or the device or another process hangs",
    "checkpoint": "the disk that holds the run's folder is slow, full or unreachable",
}


class Watchdog:
    """Logs when the main thread has waited for the same thing for long.

    A thread looks every quarter of that time; the main thread only notes where it is,
    which takes well below a microsecond. Each further warning takes twice as long.

    Args:
        warning_s: How long a wait may be; 0 for never a warning.
    """

    def __init__(self, warning_s: float) -> None:
        self._warning_s = warning_s
        self._at = ("", 0, time.monotonic())  # Place, step, since when.
        self._warned = (self._at, 0.0)
        self._over = threading.Event()
        if warning_s:
            threading.Thread(target=self._watch, daemon=True, name="stalls").start()

    def enter(self, place: str, step: int) -> None:
        """Notes what the main thread does from now on.

        Args:
            place: A key of `HINTS`, or "" for nothing that is watched.
            step: Of the training.
        """
        self._at = (place, step, time.monotonic())

    def batches(self, batches: Iterable, step: int) -> Iterator:
        """The same batches: getting one is input, what is done with it is device."""
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

    def look(self, now: float) -> None:
        """Logs a warning where one is due at a time of `time.monotonic`."""
        place, step, since = at = self._at
        seconds, (warned_at, warned_s) = now - since, self._warned
        due_s = max(self._warning_s, 2 * warned_s if warned_at == at else 0.0)
        if place and seconds >= due_s:
            self._warned = (at, seconds)
            logger.warning(
                "step %d has waited for the %s for %.0f s: %s",
                *(step, place, seconds, HINTS[place]),
            )

    def _watch(self) -> None:
        while not self._over.wait(self._warning_s / 4):
            self.look(time.monotonic())
