"""When a training evaluates, and its learning rate at every step."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from msd_tagger.training.schedule import build_schedule, learning_rate_at
from msd_tagger.training.setup import set_up
from tests import fakes


def test_a_step_has_the_rate_that_the_schedule_says():
    """By SGD on a gradient that is always 1."""
    config = fakes.small_config(train__optimiser="sgd", train__learning_rate=0.4)
    config.train.update(learning_rate_schedule="cosine", warmup_epochs=1.0)
    config.train.update(max_epochs=3.0, max_steps=0, batch_size=8)
    data = fakes.FakeData()
    setup = set_up(config, data)
    per_epoch, last = data.num_clips("train") // 8, setup.schedule.last_step
    optimiser = setup.model.optimiser
    one = jnp.ones(())
    state, found = optimiser.init(one), []
    for _ in range(last):
        update, state = optimiser.update(one, state)
        found.append(-float(update))
    rising = 0.4 * np.arange(1, per_epoch + 1) / per_epoch
    left = np.arange(last - per_epoch) / (last - per_epoch)
    falling = 0.2 * (1 + np.cos(np.pi * left))
    np.testing.assert_allclose(found, [*rising, *falling], atol=1e-6)
    rate_at = learning_rate_at(config, setup.schedule)
    np.testing.assert_allclose(
        [rate_at(n) for n in range(1, last + 1)], found, atol=1e-6
    )


def test_schedule_evaluates_once_an_epoch_and_at_the_end():
    config = fakes.small_config(train__max_epochs=3.0, train__batch_size=4)
    schedule = build_schedule(config, 50)
    found = [s for s in range(1, schedule.last_step + 1) if schedule.evaluates_at(s)]
    assert found == [13, 25, 38]
    config.train.max_epochs = 20.0
    schedule = build_schedule(config, 5)  # Too few to evaluate every epoch.
    found = [s for s in range(1, schedule.last_step + 1) if schedule.evaluates_at(s)]
    assert found == [10, 20, 25]


@pytest.mark.parametrize(
    ("clips", "batch_size", "epochs", "steps"),
    [(200, 8, 4.4, 110), (200, 6, 30.0, 1000), (201, 8, 4.4, 111)],
)
def test_rounding_adds_no_step(clips, batch_size, epochs, steps):
    config = fakes.small_config(train__max_epochs=epochs, train__batch_size=batch_size)
    assert build_schedule(config, clips).last_step == steps


@pytest.mark.parametrize(
    ("clips", "batch_size", "every"), [(103, 10, 1.0), (826, 8, 0.03), (64, 8, 0.1)]
)
def test_each_multiple_of_an_epoch_is_evaluated_once(clips, batch_size, every):
    config = fakes.small_config(
        train__max_epochs=12.0,
        train__batch_size=batch_size,
        train__evaluate_every_epochs=every,
    )
    schedule = build_schedule(config, clips)
    found = [s for s in range(1, schedule.last_step + 1) if schedule.evaluates_at(s)]
    multiples = int(schedule.last_step / schedule.evaluate_every)
    due = {
        min(math.ceil(round(k * schedule.evaluate_every, 9)), schedule.last_step)
        for k in range(1, multiples + 1)
    }
    assert found == sorted(due | {schedule.last_step})
