"""How every contestant is timed."""

import time
from collections.abc import Callable


def repeat(
    step: Callable[[], None],
    finish: Callable[[], None],
    seconds: float,
    units_per_step: float,
) -> dict[str, float]:
    """Runs steps for some time.

    The first step is not timed: the caches hold what another contestant left there.

    Args:
        step: Does, or enqueues, one step.
        finish: Waits until all enqueued steps are done.
        seconds: No step begins later than this.
        units_per_step: What a step processes, in clips or clip-seeds.

    Returns:
        "units" processed, "seconds" and "steps".
    """
    step()
    finish()
    started = time.perf_counter()
    num_steps = 0
    while num_steps == 0 or time.perf_counter() - started < seconds:
        step()
        num_steps += 1
    finish()
    elapsed = time.perf_counter() - started
    return {"units": num_steps * units_per_step, "seconds": elapsed, "steps": num_steps}
