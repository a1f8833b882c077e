"""Readers of prepared shards as contestants: alone, and feeding the training."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import clock, ours, problem

READERS = ("tf.data", "plain")  # Of `input_pipeline.batches.open_shards`.


class Shards:
    """Batches ready for the device.

    Args:
        directory: Prepared shards.
        reader: One of `READERS`.
    """

    def __init__(self, directory: str, reader: str) -> None:
        self._directory, self._reader = directory, reader
        self._lanes: dict[int, Iterator[problem.Batch]] = {}

    def prepare(self, batch_size: int) -> dict[str, Any]:
        """Opens the shards and reads the first batch."""
        started = time.monotonic()
        batches = train_batches(self._directory, self._reader, batch_size)
        next(batches)
        self._lanes[batch_size] = batches
        return {"first_step_s": time.monotonic() - started}

    def run(self, seconds: float, batch_size: int) -> dict[str, float]:
        """Reads for some seconds."""
        batches = self._lanes[batch_size]

        def step() -> None:
            next(batches)

        return clock.repeat(step, lambda: None, seconds, batch_size)


class Fed(ours.Training):
    """Training steps fed from shards, and the time that they wait for a batch.

    Args:
        directory: Prepared shards.
        reader: One of `READERS`.
        dtype: "float32" or "bfloat16".
        platform: "cpu", "gpu", "tpu" or "".
    """

    def __init__(
        self, directory: str, reader: str, dtype: str = "float32", platform: str = ""
    ) -> None:
        super().__init__(dtype, platform=platform)
        self._directory, self._reader = directory, reader
        self._waited_s = 0.0

    def run(self, seconds: float, batch_size: int) -> dict[str, float]:
        """Trains for some seconds; "waiting_share" of them for input."""
        self._waited_s = 0.0
        found = super().run(seconds, batch_size)
        return found | {"waiting_share": self._waited_s / found["seconds"]}

    def batches(self, batch_size: int) -> Iterator[problem.Batch]:
        """Batches from the shards, the waiting for them timed."""
        found = train_batches(self._directory, self._reader, batch_size)
        while True:
            started = time.perf_counter()
            batch = next(found)
            self._waited_s += time.perf_counter() - started
            yield batch


def train_batches(
    directory: str, reader: str, batch_size: int
) -> Iterator[problem.Batch]:
    """Endless training batches by one of the `READERS`."""
    from input_pipeline.batches import open_shards

    data = open_shards(Path(directory), reader=reader)
    return data.train_batches(batch_size, data_seed=0)
