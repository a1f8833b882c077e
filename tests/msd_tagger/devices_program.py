"""Trains the same small run on several host devices; prints how far they differ.

Run in a process of its own, because the number of host devices is fixed at start; it
expects XLA_FLAGS to ask for four.
"""

import tempfile
from pathlib import Path

import jax
import numpy as np

from msd_tagger import train
from tests import fakes


def fit(**overrides):
    config = fakes.small_config(num_seeds=3, train__max_steps=20, **overrides)
    config.train.max_epochs = 100.0
    with tempfile.TemporaryDirectory() as directory:
        return train.train(config, fakes.FakeData(), Path(directory)).state


def difference(a, b):
    leaves = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return max(float(np.max(np.abs(x - y))) for x, y in leaves)


CASES = {
    "sgd": (("data", 2),),
    "adam": (("data", 2), ("data", 4), ("seeds", 2)),
}

if __name__ == "__main__":
    assert jax.local_device_count() == 4
    for optimiser, layouts in CASES.items():
        of = {"train__optimiser": optimiser}
        one = fit(train__num_devices=1, **of)
        for mode, devices in layouts:
            many = fit(train__num_devices=devices, train__parallel=mode, **of)
            found = difference(one.weights, many.weights)
            print(optimiser, mode, devices, found)
