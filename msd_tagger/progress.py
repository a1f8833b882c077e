"""How far a training is: a bar on a terminal, log lines elsewhere."""

import logging
import sys
import time

import jax
import numpy as np
from tqdm import tqdm

from msd_tagger.build import Schedule

logger = logging.getLogger(__name__)
LOG_EVERY_S = 30.0  # Between two log lines where there is no terminal.
# Steps that may wait for the device: enough to keep it busy, few enough that their
# buffers, which a CPU takes when a step is enqueued, do not pile up.
STEPS_IN_FLIGHT = 1


class Progress:
    """Collects losses without waiting for the device, and shows them now and then.

    Args:
        first_step: Steps that are done already.
        schedule: Of the training.
        num_seeds: S.
        seconds: Spent in timed steps before.
    """

    def __init__(
        self, first_step: int, schedule: Schedule, num_seeds: int, seconds: float = 0.0
    ) -> None:
        self._bar = tqdm(
            total=schedule.last_step,
            initial=first_step,
            unit="step",
            disable=not sys.stderr.isatty(),
            dynamic_ncols=True,
        )
        self._step, self._last_step = first_step, schedule.last_step
        self._clips_per_step, self._num_seeds = schedule.batch_size, num_seeds
        self._losses: list = []
        self._validation = ""
        self._logged_at = -LOG_EVERY_S
        self._clock: float | None = None  # None: the next step is not timed.
        self._timed_steps = 0  # Since the clock was last read.
        self._total_steps = 0
        self._earlier_seconds = seconds
        self.seconds = seconds  # Spent in timed steps, before a restart too.

    def add(self, losses: list[jax.Array]) -> None:
        """Notes one step and its losses per chunk of seeds, still on the device.

        The first step after a pause is not timed: it waits for its compilation or for
        the first batch.
        """
        if self._clock is None:
            jax.block_until_ready(losses)
            self._clock = time.monotonic()
        else:
            self._timed_steps += 1
        self._losses.append(losses)
        if len(self._losses) > STEPS_IN_FLIGHT:
            jax.block_until_ready(self._losses[-1 - STEPS_IN_FLIGHT])
        self._step += 1
        self._bar.update()

    def read(self) -> dict:
        """Waits for the device: mean losses `[S]` and clips/s since the last time."""
        losses = [np.concatenate([np.ravel(c) for c in step]) for step in self._losses]
        mean = np.mean(losses, axis=0)[: self._num_seeds]
        now = time.monotonic()
        seconds = now - self._clock
        rate = self._timed_steps * self._clips_per_step / seconds if seconds else None
        self.seconds += seconds
        self._total_steps += self._timed_steps
        self._losses, self._timed_steps, self._clock = [], 0, now
        self._show(mean, rate)
        return {"loss": mean, "clips_per_s": rate, "seconds": self.seconds}

    def note_validation(self, scores: list[float | None]) -> None:
        """Notes the validation ROC-AUC of each seed, after an evaluation.

        The clock stands still until the next step.
        """
        self._clock = None
        known = [score for score in scores if score is not None]
        text = f"{np.mean(known):.4f}" if known else "none"
        self._validation = f"valid ROC-AUC {text}"
        if not sys.stderr.isatty():
            logger.info("step %d: %s", self._step, self._validation)

    @property
    def clips_per_s(self) -> float | None:
        """Training clips per second since the start or restart; None before that."""
        seconds = self.seconds - self._earlier_seconds
        return self._total_steps * self._clips_per_step / seconds if seconds else None

    def close(self) -> None:
        """Leaves the terminal in order."""
        self._bar.close()

    def _show(self, loss: np.ndarray, rate: float | None) -> None:
        speed = f"{rate:.1f} clips/s" if rate else ""
        text = f"loss {loss.mean():.4f}"
        text = ", ".join(filter(None, [text, speed, self._validation]))
        self._bar.set_postfix_str(text, refresh=False)
        due = time.monotonic() - self._logged_at >= LOG_EVERY_S
        if due and not sys.stderr.isatty():
            self._logged_at = time.monotonic()
            logger.info("step %d of %d: %s", self._step, self._last_step, text)
