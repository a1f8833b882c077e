"""Batch statistics for weights that came without."""

import jax
import numpy as np

from msd_tagger.network.model import (
    Model,
    Weights,
    forget_statistics,
    prepare_batch,
    statistics_step,
)

BATCH_SIZE = 32


def estimate_statistics(
    weights: Weights, model: Model, spectrograms: np.ndarray
) -> Weights:
    """Estimates every layer's mean and variance over some clips.

    As in training, each layer gets what the layers below make of a batch with that
    batch's own statistics; the plain mean over the batches is kept. A prediction then
    depends on its clip alone.

    Args:
        weights: Of one seed, host arrays `[1, …]`, as is the result.
        model: Network and preprocessing.
        spectrograms: float16 `[N, M, F]` as stored, in an order that mixes them well.
    """

    @jax.jit
    def update(weights: Weights, spectrogram: jax.Array) -> Weights:
        batch = prepare_batch({"spectrogram": spectrogram}, model)
        return statistics_step(weights, batch, model)[0]

    weights = forget_statistics(jax.tree.map(lambda leaf: leaf[0], weights))
    for rows in batches(len(spectrograms)):
        weights = update(weights, spectrograms[rows])
    return jax.tree.map(lambda leaf: np.asarray(leaf)[None], weights)


def batches(num_clips: int, batch_size: int = BATCH_SIZE) -> np.ndarray:
    """Lists the rows of equal batches; the last one is filled up from the start.

    >>> batches(5, 2).tolist(), batches(3, 32).tolist()
    ([[0, 1], [2, 3], [4, 0]], [[0, 1, 2]])
    """
    size = min(batch_size, num_clips)
    count = -(-num_clips // size)
    return np.resize(np.arange(num_clips), (count, size))
