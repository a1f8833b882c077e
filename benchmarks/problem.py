"""The problem that all contestants work on: the paper's, on made-up clips."""

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


def batches(batch_size: int, count: int = NUM_BATCHES) -> list[Batch]:
    """Makes batches as shards give them, the same in every process.

    Spectrograms, in dB, are louder in the bass and have events of some frames; 4 of 100
    tags are set.
    """
    return [_batch(np.random.default_rng([0, i]), batch_size) for i in range(count)]


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
    """What the set-up of a training asks of prepared shards."""

    tags = tuple(f"tag {k}" for k in range(TAGS))
    recipe = Recipe("mel")

    def num_clips(self, split: str, fraction: float = 1.0) -> int:
        """Returns the same number for every split."""
        del split, fraction
        return 1000


def scoring(
    score: Callable[[], np.ndarray],
    batch_size: int,
    device_memory_bytes: Callable[[], int | None] = lambda: None,
) -> Work:
    """Makes what scores one batch again and again.

    `score` gives the scores of the batch, `[B, K]`, on the host.
    """

    def logits() -> Iterator[float]:
        scores = score()[0].astype(np.float64)
        yield from np.log(scores) - np.log1p(-scores)

    return Work(logits, repeating(score, batch_size), device_memory_bytes)
