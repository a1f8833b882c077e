"""A network with its preprocessing: what a prediction needs, for one seed."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import struct

from msd_tagger.common.label_noise import Rates
from msd_tagger.network import preprocessing as pre
from msd_tagger.network.convnet import ConvNet

Array = jax.Array
Tree = dict[str, Any]


class Model(NamedTuple):
    """What stays the same during training.

    With frozen features training changes the last layer alone, neither the other
    parameters nor the batch statistics.
    """

    network: ConvNet
    preprocessing: pre.Preprocessing
    bands: pre.BandStatistics
    optimiser: optax.GradientTransformation
    features_frozen: bool = False
    label_noise: Rates | None = None  # That the training's loss corrects for.


class Weights(struct.PyTreeNode):
    """What a prediction needs, for one seed."""

    params: Tree
    batch_stats: Tree  # Running means, variances and their number of updates.


def prepare_batch(batch: dict[str, Array], model: Model) -> dict[str, Array]:
    """Preprocesses a batch's "spectrogram" `[B, M, F]`, once for all seeds."""
    x = pre.apply(batch["spectrogram"], model.preprocessing, model.bands)
    return batch | {"spectrogram": x.astype(model.network.dtype)}


def predict(
    weights: Weights, spectrogram: Array, model: Model, batch_statistics: bool = False
) -> Array:
    """Computes logits `[B, K]` of preprocessed spectrograms `[B, M, F]`."""
    variables = {"params": weights.params, "batch_stats": weights.batch_stats}
    logits: Any = model.network.apply(
        variables, spectrogram, batch_statistics=batch_statistics
    )
    return logits


def forward(
    weights: Weights, spectrogram: Array, network: ConvNet
) -> tuple[Array, Tree]:
    """Computes logits `[B, K]` in training, and the batch statistics after it."""
    variables = {"params": weights.params, "batch_stats": weights.batch_stats}
    logits, changed = network.apply(
        variables, spectrogram, train=True, mutable=["batch_stats"]
    )
    return logits, changed["batch_stats"]


def forget_statistics(weights: Weights) -> Weights:
    """Clears the batch statistics, so that they can be estimated anew."""
    zeros = jax.tree.map(jnp.zeros_like, weights.batch_stats)
    return weights.replace(batch_stats=zeros)


def statistics_step(
    weights: Weights, batch: dict[str, Array], model: Model
) -> tuple[Weights, None]:
    """Adds one batch to the plain mean of the batch statistics.

    Follows `forget_statistics`. The statistics are those of the current parameters;
    running ones are those of past parameters.
    """
    network = model.network.copy(momentum=1.0)
    _, batch_stats = forward(weights, batch["spectrogram"], network)
    return weights.replace(batch_stats=batch_stats), None


def estimate_statistics(
    weights: Weights, model: Model, spectrograms: np.ndarray
) -> Weights:
    """Estimates every layer's mean and variance over some clips.

    As in training, each layer gets what the layers below make of a batch with that
    batch's own statistics; the plain mean over the batches is kept. A prediction then
    depends on its clip alone. Weights are of one seed, host arrays `[1, …]`;
    spectrograms float16 `[N, M, F]` as stored, in an order that mixes them well.
    """

    @jax.jit
    def update(weights: Weights, spectrogram: Array) -> Weights:
        batch = prepare_batch({"spectrogram": spectrogram}, model)
        return statistics_step(weights, batch, model)[0]

    weights = forget_statistics(jax.tree.map(lambda leaf: leaf[0], weights))
    for rows in equal_batches(len(spectrograms)):
        weights = update(weights, spectrograms[rows])
    return jax.tree.map(lambda leaf: np.asarray(leaf)[None], weights)


def equal_batches(num_clips: int, batch_size: int = 32) -> np.ndarray:
    """Lists the rows of equal batches; the last one is filled up from the start.

    >>> equal_batches(5, 2).tolist(), equal_batches(3).tolist()
    ([[0, 1], [2, 3], [4, 0]], [[0, 1, 2]])
    """
    size = min(batch_size, num_clips)
    count = -(-num_clips // size)
    return np.resize(np.arange(num_clips), (count, size))
