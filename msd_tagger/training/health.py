"""Seeds whose loss is no longer a finite number: they stop, the others go on."""

import logging
from typing import NamedTuple

import numpy as np
from ml_collections import ConfigDict

logger = logging.getLogger(__name__)


class Failure(NamedTuple):
    """A seed that stopped.

    Attributes:
        number: Of the seed among the S of the run, from 0.
        seed: Its initialisation.
        step: The first whose loss was not finite; the last of a seed without a score.
        reason: What happened and what is likely behind it.
    """

    number: int
    seed: int
    step: int
    reason: str


class Health:
    """Which seeds have failed.

    Args:
        config: Of the run.
        failures: Those that a checkpoint knows of.
    """

    def __init__(self, config: ConfigDict, failures: list = ()) -> None:
        self._config = config
        self.failures = [Failure(*failure) for failure in failures]

    @property
    def failed(self) -> np.ndarray:
        """Bool `[S]`."""
        failed = np.zeros(self._config.num_seeds, bool)
        failed[[failure.number for failure in self.failures]] = True
        return failed

    def check(self, losses: np.ndarray, step: int) -> None:
        """Marks seeds whose loss `[S]` at a step is not finite.

        Raises:
            ValueError: None is left.
        """
        if np.isfinite(losses).all():
            return
        for number in np.flatnonzero(~np.isfinite(losses) & ~self.failed).tolist():
            found = f"its loss at step {step} was {losses[number]}"
            self.fail(number, step, f"{found}: {likely_cause(self._config, step)}")

    def fail(self, number: int, step: int, reason: str) -> None:
        """Marks one seed.

        Raises:
            ValueError: None is left.
        """
        seed = self._config.seed + number
        self.failures.append(Failure(number, seed, step, reason))
        if not self.failed.all():
            logger.warning("seed %d stops, the others go on: %s", seed, reason)
            return
        seeds = "its seed" if len(self.failures) == 1 else "each of its seeds"
        reasons = "; ".join(f"seed {one.seed}: {one.reason}" for one in self.failures)
        raise ValueError(f"training stops, as {seeds} did: {reasons}")


def likely_cause(config: ConfigDict, step: int) -> str:
    """What most often makes a loss infinite or undefined, for a configuration.

    Args:
        config: Of the run.
        step: When it was noticed.
    """
    train, input_of = config.train, config.preprocessing
    linear = input_of.magnitude == "linear" and not input_of.standardise_clip
    if step == 1 or linear or input_of.scale > 100:
        return (
            "the input is probably too large; keep preprocessing.standardise_clip, or "
            f"lower preprocessing.scale={input_of.scale:g} (preprocessing.magnitude="
            f"{input_of.magnitude!r})"
        )
    return (
        f"train.learning_rate={train.learning_rate:g} is probably too large for "
        f"train.optimiser={train.optimiser!r}; try a third of it"
    )
