"""The problem that all contestants work on: the paper's, on made-up clips."""

import itertools
import math
from collections.abc import Callable, Iterator

import numpy as np

from benchmarks.worker import Work, repeating
from msd_tagger.frontend.recipe import Recipe

BANDS, FRAMES, TAGS = 96, 1360, 50
LEARNING_RATE = 5e-3  # Adam's.
MOMENTUM, EPSILON = 0.99, 1e-3  # Of batch normalisation.
NUM_BATCHES = 4  # Different ones, used in turn.
SIMILAR_STEPS = 3  # Steps whose losses are compared.

Batch = dict[str, np.ndarray]


def batches(batch_size: int, count: int = NUM_BATCHES, seed: int = 0) -> list[Batch]:
    """Makes spectrograms and tags as shards hold them, the same in every process.

    Returns:
        Each with spectrogram float16 `[B, 96, 1360]` in dB (louder in the bass, with
        events of some frames), tags uint8 `[B, 50]` (4 of 100 are set) and mask bool
        `[B]`.
    """
    return [_batch(np.random.default_rng([seed, i]), batch_size) for i in range(count)]


def _batch(random: np.random.Generator, batch_size: int) -> Batch:
    slope = np.linspace(10, -40, BANDS, dtype=np.float32)[:, None]
    shape = (batch_size, BANDS, FRAMES)
    events = random.standard_normal((batch_size, 1, FRAMES // 8), np.float32)
    x = slope + 6 * np.repeat(events, 8, axis=2)
    x = x + 7 * random.standard_normal(shape, np.float32)
    tags = random.random((batch_size, TAGS)) < 0.04
    return {
        "spectrogram": x.astype(np.float16),
        "tags": tags.astype(np.uint8),
        "mask": np.ones(batch_size, bool),
    }


class MadeUpData:
    """Made-up clips with the interface of prepared shards."""

    def __init__(self, batch_size: int) -> None:
        self.tags = tuple(f"tag {k}" for k in range(TAGS))
        self.recipe = Recipe("mel")
        self.corpus = {"name": "made up", "version": "1"}
        self._batches = batches(batch_size)

    def num_clips(self, split: str, fraction: float = 1.0) -> int:
        """Returns the same number for every split."""
        del split
        return math.ceil(fraction * sum(len(b["mask"]) for b in self._batches))

    def train_batches(
        self,
        batch_size: int,
        data_seed: int,
        first_step: int = 0,
        fraction: float = 1.0,
        rows: slice = slice(None),
    ) -> Iterator[Batch]:
        """Yields the same few batches in turn."""
        del batch_size, data_seed, first_step, fraction, rows
        return itertools.cycle(self._batches)


def scoring(
    score: Callable[[], np.ndarray],
    batch_size: int,
    device_memory_bytes: Callable[[], int | None] = lambda: None,
) -> Work:
    """Makes what scores one batch again and again; the scores come to the host.

    Args:
        score: Gives the scores of the batch, `[B, K]`.
        batch_size: B.
        device_memory_bytes: As in `Work`.
    """

    def logits() -> Iterator[float]:
        scores = score()[0].astype(np.float64)
        yield from np.log(scores) - np.log1p(-scores)

    return Work(logits, repeating(score, batch_size), device_memory_bytes)
