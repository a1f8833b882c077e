"""Trains the same small run on several host devices; prints how far they differ.

Clips that are kept on these devices have to give the same bits as clips that are read.

    devices_program few|all

is run in a process of its own, because the number of host devices is fixed at start; it
expects XLA_FLAGS to ask for eight.
"""

import itertools
import json
import sys
import tempfile
from pathlib import Path
from unittest import mock

import jax
import numpy as np

from msd_tagger import platform
from msd_tagger.training import clip_cache, parallel, results, setup
from msd_tagger.training import loop as train
from tests import fakes, programs

SEEDS = 5  # No multiple of the devices, so that some seeds only fill up.


def fit(first_devices=0, **overrides):
    """Weights, losses and predictions after 20 steps, `[S, …]`.

    The first 10 may be on another number of devices.
    """
    with tempfile.TemporaryDirectory() as directory:
        for steps, devices in ((10, {"train__num_devices": first_devices}), (20, {})):
            if steps == 20 or first_devices:
                config = fakes.small_config(
                    train__max_steps=steps,
                    train__max_epochs=100.0,
                    train__optimiser="sgd",
                    **{"num_seeds": SEEDS} | overrides | devices,
                )
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
    """Largest absolute one."""
    pairs = zip(jax.tree.leaves(many), jax.tree.leaves(one), strict=True)
    return max(float(np.max(np.abs(a - b))) for a, b in pairs)


def in_one_program(*choices, choose=parallel.choose_layout):
    """A layout as on accelerators: seeds take turns inside one program."""
    return choose(*choices)._replace(is_one_program=True)


# Mode, devices, and how many seeds take turns inside one program, as on accelerators,
# where they learn from clips that are kept there. XLA fuses the body of a loop in
# another way. All is trained by SGD: it shows a gradient's scale, which Adam hides.
# Seeds that devices share without turns are those of "auto" below.
IN_TURN = (("data", 4, 2), ("seeds", 4, 1))


# A network of one's own, whose batches are augmented as a whole.
OWN = {
    "model__network": "tests.own_networks:Small",
    "train__augmentations": ("spec_augment", "mixup", "random_gain"),
    "num_seeds": 2,
}


def check_kept_batches(mode, devices):
    """Batches from the devices' memory, against those that are read."""
    data = fakes.FakeData({"train": 300, "valid": 2, "test": 2})
    config = fakes.small_config(
        train__num_devices=devices, train__parallel=mode, input__cache="device"
    )
    read = setup.set_up(config, data)
    kept = clip_cache.keep(read)
    for found, expected in itertools.islice(
        zip(*(one.train_batches(3, 30, 1.0) for one in (kept, read)), strict=True), 12
    ):
        for name, array in found.items():
            np.testing.assert_array_equal(
                np.asarray(array).view(np.uint8), expected[name].view(np.uint8)
            )
        share = found["spectrogram"].addressable_shards[-1].data
        assert len(share) == (8 // devices if mode == "data" else 8)
    (held,) = (a for a in jax.live_arrays() if a.ndim == 4 and a.dtype == np.float16)
    on_each = {shard.data.size for shard in held.addressable_shards}
    clips = -(-300 // 32 // devices) * 32 if mode == "data" else 320
    assert on_each == {clips * fakes.BANDS * fakes.FRAMES}, on_each


def main(cases):
    for case in (("data", 2), ("data", 4), ("data", 8), ("seeds", 4)):
        check_kept_batches(*case)
    one = fit(train__num_devices=1)
    for mode, devices, at_once in IN_TURN if cases == "all" else IN_TURN[:1]:
        with mock.patch.object(parallel, "choose_layout", in_one_program):
            run = fit(
                train__parallel=mode,
                train__num_devices=devices,
                train__seeds_per_chunk=at_once,
                input__cache="device",
            )
        tell((mode, devices, "in-turn"), run, one)
    if cases != "all":
        return
    # Chosen by itself; ten steps split batches over 8 devices, ten seeds over 4.
    run = fit(8, train__num_devices=4, train__parallel="auto")
    tell(("auto", 4, "after-8"), run, one)
    one = fit(train__num_devices=1, **OWN)
    run = fit(train__num_devices=4, train__parallel="data", **OWN)
    tell(("data", 4, "own"), run, one)


def tell(how, run, one):
    for name, value in run.items():
        print(*how, name, difference(value, one[name]))


if __name__ == "__main__":
    assert jax.local_device_count() == 8
    # Several runs have the programs for one device and for the first state.
    with tempfile.TemporaryDirectory() as folder, programs.shared():
        platform.keep_programs(folder)
        main(sys.argv[1])
