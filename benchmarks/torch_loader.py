"""A torch DataLoader over one .npy file per clip: what many would write first."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from benchmarks import clock


class Clips(Dataset):
    """Spectrograms of one file each, and a table of tags.

    Args:
        directory: Holds "00000.npy", … and "tags.npy".
    """

    def __init__(self, directory: str) -> None:
        self._directory = Path(directory)
        self._tags = np.load(self._directory / "tags.npy")

    def __len__(self) -> int:
        """Number of clips."""
        return len(self._tags)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Spectrogram [M, F] and tags [K]."""
        spectrogram = np.load(self._directory / f"{row:05d}.npy")
        return torch.from_numpy(spectrogram), torch.from_numpy(self._tags[row])


class Loader:
    """Batches in a new random order each epoch.

    Args:
        directory: Of the clips.
        num_workers: Processes that load; 0 for none beside the consumer.
    """

    def __init__(self, directory: str, num_workers: int) -> None:
        self._directory, self._num_workers = directory, num_workers
        self._lanes: dict[int, Iterator] = {}

    def prepare(self, batch_size: int) -> dict[str, Any]:
        """Starts the workers and reads the first batch."""
        started = time.monotonic()
        loader = DataLoader(
            Clips(self._directory),
            batch_size,
            shuffle=True,
            num_workers=self._num_workers,
            persistent_workers=self._num_workers > 0,
            pin_memory=torch.cuda.is_available(),
        )
        batches = self._lanes[batch_size] = _endless(loader)
        next(batches)
        return {"first_step_s": time.monotonic() - started}

    def run(self, seconds: float, batch_size: int) -> dict[str, float]:
        """Reads for some seconds."""
        batches = self._lanes[batch_size]

        def step() -> None:
            next(batches)

        return clock.repeat(step, lambda: None, seconds, batch_size)


def _endless(loader: DataLoader) -> Iterator:
    while True:
        yield from loader
