"""A network with its preprocessing: what a prediction needs, for one seed."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import struct

from msd_tagger.common.class_weights import ClassWeights
from msd_tagger.common.error_rates import Rates
from msd_tagger.network import preprocessing as pre
from msd_tagger.network.convnet import ConvNet, ConvNormEluPool
from msd_tagger.network.own import OwnNetwork, check_last_layer

Array = jax.Array
Tree = dict[str, Any]
Network = ConvNet | OwnNetwork
# Of a batch and a random key: another batch.
Augmentation = Callable[[dict[str, Array], Array], dict[str, Array]]


class Model(NamedTuple):
    """What stays the same during training.

    With frozen features training changes the last layer alone, neither the other
    parameters nor the batch statistics.
    """

    network: Network
    preprocessing: pre.Preprocessing
    bands: pre.BandStatistics
    optimiser: optax.GradientTransformation
    features_frozen: bool = False
    label_noise: Rates | None = None  # That the training's loss corrects for.
    class_weights: ClassWeights | None = None  # Of the training's loss.
    augmentations: tuple[Augmentation, ...] = ()

    @property
    def is_random(self) -> bool:
        """Whether a step of training depends on chance, and so on the seed."""
        return bool(self.augmentations) or isinstance(self.network, OwnNetwork)


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
    weights: Weights, spectrogram: Array, network: Network, key: Array | None = None
) -> tuple[Array, Tree]:
    """Computes logits `[B, K]` in training, and the batch statistics after it.

    A network of one's own may drop out by a key, other units on every device.
    """
    variables = {"params": weights.params, "batch_stats": weights.batch_stats}
    if key is not None and network.axis_name is not None:
        key = jax.random.fold_in(key, jax.lax.axis_index(network.axis_name))
    logits, changed = network.apply(
        variables,
        spectrogram,
        train=True,
        mutable=["batch_stats"],
        rngs=None if key is None else {"dropout": key},
    )
    return logits, changed["batch_stats"]


def layer_features(
    weights: Weights, spectrogram: Array, model: Model, batch_statistics: bool = False
) -> Array:
    """Computes `[B, L, C]`: the mean over bands and frames of each layer's output.

    Spectrograms are preprocessed, `[B, M, F]`. A network of one's own has one such
    layer, the one below the tags.

    Raises:
        ValueError: It has none.
    """
    variables = {"params": weights.params, "batch_stats": weights.batch_stats}
    if isinstance(model.network, OwnNetwork):
        check_last_layer(weights.params, "a feature")
        found: Any = model.network.apply(variables, spectrogram, method="features")
        return found[:, None]
    _, kept = model.network.apply(
        variables,
        spectrogram,
        batch_statistics=batch_statistics,
        capture_intermediates=lambda module, _: isinstance(module, ConvNormEluPool),
        mutable=["intermediates"],
    )
    layers = kept["intermediates"]
    names = [f"norm{i}" for i in range(1, 1 + len(layers))]
    outputs = [layers[name]["__call__"][0].astype(jnp.float32) for name in names]
    return jnp.stack([output.mean((1, 2)) for output in outputs], axis=1)


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
    network, key = model.network.copy(momentum=1.0), None
    if isinstance(network, OwnNetwork):
        number = weights.batch_stats["count"].astype(jnp.int32)
        key = jax.random.fold_in(jax.random.key(0), number)
    _, batch_stats = forward(weights, batch["spectrogram"], network, key)
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
