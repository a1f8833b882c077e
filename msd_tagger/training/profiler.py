"""A trace of some training steps by JAX's profiler."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

logger = logging.getLogger(__name__)


class Trace:
    """Records some steps.

    Args:
        steps: First and last, counted from 1; () for no trace.
        directory: Where it goes; TensorBoard and Perfetto open it.
    """

    def __init__(self, steps: Sequence[int], directory: Path) -> None:
        self._first, self._last = steps or (0, 0)
        self._directory, self._runs = directory, False

    def before(self, step: int) -> None:
        """Starts before the first step, or later in a run that goes on after it."""
        if self._first <= step <= self._last and not self._runs:
            jax.profiler.start_trace(str(self._directory))
            self._runs = True

    def after(self, step: int, results: Any) -> None:
        """Stops after the last step, when its results are there."""
        if self._runs and step >= self._last:
            jax.block_until_ready(results)
            self.close()

    def close(self) -> None:
        """Ends the trace, if one is running, and writes it."""
        if self._runs:
            self._runs = False
            jax.profiler.stop_trace()
            logger.info("trace of the profiler: %s", self._directory)
