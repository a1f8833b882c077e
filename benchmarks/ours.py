"""This project's own programs as contestants: what main.py runs, through its doors."""

import itertools
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks import clock, problem
from msd_tagger import platform as platform_

WEIGHTS_BATCH = 2  # Clips of the steps that make the trained weights.


class Training:
    """Training steps of S seeds.

    Args:
        dtype: "float32" or "bfloat16".
        num_seeds: S.
        platform: "cpu", "gpu", "tpu" or "" for JAX's own choice.
    """

    def __init__(
        self, dtype: str = "float32", num_seeds: int = 1, platform: str = ""
    ) -> None:
        platform_.set_up(platform)
        self._dtype, self._num_seeds = dtype, num_seeds
        self._lanes: dict[int, _Steps] = {}

    def prepare(self, batch_size: int) -> dict[str, Any]:
        """Compiles, and trains some steps from the initial weights.

        Returns:
            "values", the first seed's losses, and "first_step_s", with compilation.
        """
        setup = set_up(batch_size, self._dtype, self._num_seeds)
        lane = self._lanes[batch_size] = _Steps(setup, self.batches(batch_size))
        started = time.monotonic()
        losses = [lane.loss_of_step()]
        seconds = time.monotonic() - started
        losses += [lane.loss_of_step() for _ in range(problem.SIMILAR_STEPS - 1)]
        return {
            "values": losses,
            "first_step_s": seconds,
            "device_memory_bytes": device_memory_bytes(),
        }

    def batches(self, batch_size: int) -> Iterator[problem.Batch]:
        """What is trained on: the same few batches in turn."""
        return itertools.cycle(problem.batches(batch_size))

    def run(self, seconds: float, batch_size: int) -> dict[str, float]:
        """Trains for some seconds; units are clip-seeds."""
        lane = self._lanes[batch_size]
        units = batch_size * self._num_seeds
        return clock.repeat(lane.step, lane.finish, seconds, units)

    def write_weights(self, initial: str, trained: str, steps: int) -> None:
        """Writes the first seed's weights for all contestants.

        Args:
            initial: An .npz file of "params/…" and "batch_stats/…".
            trained: Another, of the weights after some steps.
            steps: How many.
        """
        setup = set_up(WEIGHTS_BATCH, self._dtype, 1)
        lane = _Steps(setup, self.batches(WEIGHTS_BATCH))
        _write(initial, lane.chunks, setup.layout)
        for _ in range(steps):
            lane.loss_of_step()
        _write(trained, lane.chunks, setup.layout)

    def check(self) -> dict[str, Any]:
        """Runs the canary and describes the devices.

        Raises:
            MiscompilationError: The installed JAX computes wrongly here.
        """
        import jax

        from msd_tagger.training import canary

        canary.check()
        device = jax.local_devices()[0]
        return {
            "backend": jax.default_backend(),
            "device": device.device_kind,
            "num_devices": jax.local_device_count(),
        }


class Inference:
    """Scores of clips, as evaluation computes them.

    Args:
        weights: File that `Training.write_weights` wrote.
        dtype: "float32" or "bfloat16".
        platform: As for `Training`.
    """

    def __init__(
        self, weights: str, dtype: str = "float32", platform: str = ""
    ) -> None:
        platform_.set_up(platform)
        self._weights, self._dtype = weights, dtype
        self._lanes: dict[int, tuple] = {}

    def prepare(self, batch_size: int) -> dict[str, Any]:
        """Compiles, and scores a batch.

        Returns:
            "values", the first clip's logits, and "first_step_s", with compilation.
        """
        from msd_tagger.training import parallel

        setup = set_up(batch_size, self._dtype, 1)
        weights = parallel.to_devices(read_weights(self._weights), setup.layout)
        batch = problem.batches(batch_size, 1)[0]
        self._lanes[batch_size] = (setup.programs.evaluate, weights, batch)
        started = time.monotonic()
        scores = setup.programs.evaluate(weights, batch)["scores"][0, 0]
        seconds = time.monotonic() - started
        logits = np.log(scores) - np.log1p(-scores)
        return {
            "values": logits.tolist(),
            "first_step_s": seconds,
            "device_memory_bytes": device_memory_bytes(),
        }

    def run(self, seconds: float, batch_size: int) -> dict[str, float]:
        """Scores clips for some seconds; the scores come back to the host."""
        evaluate, weights, batch = self._lanes[batch_size]

        def step() -> None:
            evaluate(weights, batch)

        return clock.repeat(step, lambda: None, seconds, batch_size)


def set_up(batch_size: int, dtype: str, num_seeds: int, data: Any = None) -> Any:
    """The default configuration set up for training; a `setup.Setup`."""
    from configs import default
    from msd_tagger.training import setup as build

    config = default.get_config()
    config.train.batch_size = batch_size
    config.num_seeds = num_seeds
    config.model.dtype = dtype
    return build.set_up(config, data or problem.SyntheticData(batch_size))


def read_weights(path: str) -> Any:
    """Weights `[1, …]`, a `model.Weights`."""
    from flax import traverse_util

    from msd_tagger.network.model import Weights

    with np.load(path) as stored:
        flat = {name: stored[name][None] for name in stored.files}
    tree = traverse_util.unflatten_dict(flat, sep="/")
    return Weights(tree["params"], tree["batch_stats"])


def _write(path: str, chunks: list, layout: Any) -> None:
    from flax import traverse_util

    from msd_tagger.training import parallel

    weights = parallel.from_devices(chunks, layout).weights
    tree = {"params": weights.params, "batch_stats": weights.batch_stats}
    flat = traverse_util.flatten_dict(tree, sep="/")
    np.savez(path, **{name: np.asarray(leaf)[0] for name, leaf in flat.items()})


def device_memory_bytes() -> int | None:
    """Peak memory of the first device; None where it does not tell, as on CPU."""
    import jax

    statistics = jax.local_devices()[0].memory_stats() or {}
    return statistics.get("peak_bytes_in_use")


class _Steps:
    """Training steps on batches in turn, one of them in flight as in the real loop."""

    def __init__(self, setup: Any, batches: Iterator[problem.Batch]) -> None:
        from msd_tagger.training import parallel
        from msd_tagger.training.setup import first_state

        self._update, self._batches = setup.programs.update, batches
        self.chunks = parallel.to_devices(first_state(setup), setup.layout)
        self._in_flight: Any = None

    def step(self) -> None:
        import jax

        self.chunks, losses = self._update(self.chunks, next(self._batches))
        jax.block_until_ready(self._in_flight)
        self._in_flight = losses

    def finish(self) -> None:
        import jax

        jax.block_until_ready(self.chunks)

    def loss_of_step(self) -> float:
        self.step()
        loss = float(np.ravel(self._in_flight[0])[0])
        self.finish()
        return loss
