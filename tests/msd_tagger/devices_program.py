"""Trains the same small run on several host devices; prints how far they differ.

Run in a process of its own, because the number of host devices is fixed at start; it
expects XLA_FLAGS to ask for eight.
"""

import json
import tempfile
from pathlib import Path

import jax
import numpy as np

from msd_tagger.training import loop as train
from msd_tagger.training import results
from tests import fakes

SEEDS = 15  # No multiple of the devices, so that some seeds only fill up.


def fit(num_seeds, **overrides):
    """Weights, losses and predictions after 20 steps, `[S, …]`."""
    config = fakes.small_config(
        num_seeds=num_seeds,
        train__max_steps=20,
        train__max_epochs=100.0,
        **overrides,
    )
    with tempfile.TemporaryDirectory() as directory:
        run = train.train(config, fakes.FakeData(), Path(directory))
        text = (Path(directory) / "metrics.jsonl").read_text().splitlines()
    losses = np.array([json.loads(line)["loss"] for line in text]).T
    return {
        "params": run.state.weights.params,
        "statistics": run.state.weights.batch_stats,
        "losses": losses,
        "predictions": results.predict(run),
    }


def difference(many, one):
    """Largest absolute one, over the seeds that both have."""
    pairs = zip(jax.tree.leaves(many), jax.tree.leaves(one), strict=True)
    return max(float(np.max(np.abs(a - b[: len(a)]))) for a, b in pairs)


CASES = {
    "sgd": (("data", 8),),
    "adam": (("data", 2), ("data", 4), ("seeds", 4)),
}

if __name__ == "__main__":
    assert jax.local_device_count() == 8
    for optimiser, layouts in CASES.items():
        of = {"train__optimiser": optimiser}
        one = fit(SEEDS, train__num_devices=1, **of)
        for mode, devices in layouts:
            seeds = SEEDS if mode == "seeds" else 2
            place = {"train__num_devices": devices, "train__parallel": mode}
            many = fit(seeds, **place, **of)
            for name, value in many.items():
                print(optimiser, mode, devices, name, difference(value, one[name]))
