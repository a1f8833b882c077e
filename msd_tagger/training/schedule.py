"""When a training steps, evaluates and ends, and its learning rate at every step."""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import jax
import numpy as np
import optax
from ml_collections import ConfigDict

# Fewer steps between two evaluations than this would be mostly evaluation: a small
# subset repeats several times in between.
MIN_STEPS_BETWEEN_EVALUATIONS = 10


class Schedule(NamedTuple):
    """When things happen, in steps."""

    batch_size: int
    num_clips: int
    last_step: int
    # An evaluation takes place at the first step that reaches each multiple of this.
    evaluate_every: float
    # A score counts if it comes at most this long after the best one before it; inf if
    # it always counts.
    patience_steps: float

    def epoch(self, step: int) -> float:
        """Counts the passes over the training clips after `step` steps."""
        return step * self.batch_size / self.num_clips

    def next_evaluation(self, step: int) -> int:
        """Finds the first step after `step` that an evaluation follows."""
        count = int(step // self.evaluate_every) + 1
        # A multiple may have been reached by `step` itself, as steps are whole.
        count += math.ceil(count * self.evaluate_every) <= step
        due = math.ceil(count * self.evaluate_every)
        return max(step + 1, min(due, self.last_step))

    def evaluates_at(self, step: int) -> bool:
        """Tells whether an evaluation follows step number `step` (counted from 1)."""
        return step == self.next_evaluation(step - 1)


def build_schedule(config: ConfigDict, num_clips: int) -> Schedule:
    """Works out a configuration's schedule for N training clips.

    Raises:
        ValueError: The warm-up would last to the end.
    """
    train = config.train
    batch_size = resolve_batch_size(train.batch_size)
    steps_per_epoch = num_clips / batch_size
    # Rounding must not add a step, as to 4.4 epochs of 25 steps.
    last_step = math.ceil(round(train.max_epochs * steps_per_epoch, 6))
    if train.max_steps:
        last_step = min(last_step, train.max_steps)
    if round(train.warmup_epochs * steps_per_epoch) >= last_step:
        raise ValueError(
            f"--config.train.warmup_epochs={train.warmup_epochs:g}: the learning rate "
            f"would rise until the end, as the training has {last_step} steps and an "
            f"epoch {steps_per_epoch:g}; give fewer epochs"
        )
    every = train.evaluate_every_epochs * steps_per_epoch
    every = max(every, MIN_STEPS_BETWEEN_EVALUATIONS)
    # At least one interval, and one step more, as evaluations fall on whole steps.
    patience = max(train.patience_epochs * steps_per_epoch, every) + 1
    patience = patience if train.patience_epochs else math.inf
    return Schedule(batch_size, num_clips, last_step, every, patience)


def resolve_batch_size(batch_size: int) -> int:
    """Replaces the batch size 0: by 8 on a CPU, by 32 elsewhere."""
    return batch_size or (8 if jax.default_backend() == "cpu" else 32)


def learning_rates(config: ConfigDict, schedule: Schedule) -> float | optax.Schedule:
    """Makes the learning rate of every step; a number where it is always the same."""
    train, num_steps = config.train, schedule.last_step
    num_warmup = round(train.warmup_epochs * schedule.num_clips / schedule.batch_size)
    return _learning_rates(
        *(train.learning_rate_schedule, train.learning_rate, num_steps, num_warmup)
    )


def _learning_rates(
    name: str, highest: float, num_steps: int, num_warmup: int
) -> float | optax.Schedule:
    """Makes a "constant" or "cosine" schedule with a warm-up.

    It rises evenly over the warm-up, whose last step has the highest rate; then it is
    constant, or falls by a cosine that is 0 one step after the last.

    >>> rates = _learning_rates("cosine", 0.4, num_steps=6, num_warmup=2)
    >>> [round(float(rates(step)), 3) for step in range(6)]
    [0.2, 0.4, 0.4, 0.341, 0.2, 0.059]
    """
    if name == "constant" and not num_warmup:
        return highest
    later = optax.constant_schedule(highest)
    if name == "cosine":
        later = optax.cosine_decay_schedule(highest, max(1, num_steps - num_warmup))
    first = highest / max(1, num_warmup)
    warmup = optax.linear_schedule(first, highest, max(1, num_warmup - 1))
    return optax.join_schedules([warmup, later], [num_warmup])


def learning_rate_at(config: ConfigDict, schedule: Schedule) -> Callable[[int], float]:
    """Gives the learning rate that led to a step, as a number.

    A schedule is asked for many steps at once: each time the host waits for the device.
    """
    rates, many = learning_rates(config, schedule), 1024
    if not callable(rates):
        return lambda step: float(rates)

    @lru_cache(maxsize=1)
    def part(number: int) -> np.ndarray:
        return np.asarray(rates(np.arange(number * many, (number + 1) * many)))

    return lambda step: float(part((step - 1) // many)[(step - 1) % many])
