"""Sends signals while a training step is traced, and counts those not answered.

    python -m tests.faults.signals --signals=100

The step of a small network is traced again and again, with garbage collected ten times
as often as usual: a signal that arrives in a callback of the collector is the easiest
to lose. It comes at a random moment, and has to end the tracing. What that takes when
an exception was lost is counted, too. (`python -m tests.faults` sends signals to whole
runs and lets them go on, which takes far longer.)
"""

import argparse
import gc
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial

from msd_tagger import platform
from msd_tagger.common import interruption
from msd_tagger.common.errors import Interrupted

WITHIN_S = 3.0  # Tracing a step takes a second, and begins again.
LIMIT_S = 30.0  # More than that, and a signal was not answered.


def main() -> None:
    """Sends the signals, prints how they were answered, and fails if one was not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--signals", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for number in interruption.SIGNALS:  # Shells let background jobs ignore Ctrl-C.
        signal.signal(number, signal.SIG_DFL)
    platform.set_up("cpu")
    trace = traced_step()
    trace()  # What is only imported when it is needed is there from now on.
    rng, counts = random.Random(options.seed), Counter[str]()
    gc.set_threshold(70)
    for done in range(1, options.signals + 1):
        number = rng.choice(interruption.SIGNALS)
        counts[answer(trace, number, rng.uniform(0, WITHIN_S))] += 1
        print(f"{done}: {dict(counts)}", flush=True)
    sys.exit("not answered" in counts)


def traced_step() -> Callable[[], object]:
    """Returns what traces a training step and its gradient, every time anew."""
    import jax

    from msd_tagger.network.model import prepare_batch
    from msd_tagger.training import setup, steps
    from msd_tagger.training.band_statistics import bands_without_statistics
    from msd_tagger.training.schedule import build_schedule
    from tests import fakes

    data = fakes.FakeData()
    bands = bands_without_statistics(data)
    config = fakes.small_config()
    schedule = build_schedule(config, data.num_clips("train"))
    model = setup.build_model(config, len(data.tags), bands, None, schedule)
    batch = next(iter(data.train_batches(8, 0)))
    shape = data.recipe.shape
    init = partial(steps.init_state, model=model, input_shape=shape)
    state = jax.eval_shape(init, 0)

    def trace() -> object:
        jax.clear_caches()
        return jax.eval_shape(
            lambda state, batch: steps.train_step(
                state, prepare_batch(batch, model), model=model
            ),
            state,
            batch,
        )

    return trace


def answer(trace: Callable[[], object], number: int, moment_s: float) -> str:
    """Sends a signal after a while, and says how it was answered."""
    timer = threading.Timer(moment_s, os.kill, (os.getpid(), number))
    timer.start()
    try:
        with interruption.answered():
            hook, lost = sys.unraisablehook, []
            sys.unraisablehook = lambda it: (lost.append(it.object), hook(it))
            deadline_s = time.monotonic() + moment_s + LIMIT_S
            while time.monotonic() < deadline_s:
                trace()
            timer.join()
    except Interrupted as interrupted:
        if interrupted.number != number:
            return "not answered"
        return "answered, though lost at first" if lost else "answered"
    return "not answered"


if __name__ == "__main__":
    main()
