"""A network with what happens before it: what a prediction needs, for one seed."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import struct

from msd_tagger.network import preprocessing as pre
from msd_tagger.network.convnet import ConvNet

Array = jax.Array
Tree = dict


class Model(NamedTuple):
    """What the steps need to know, fixed during training.

    Attributes:
        network: The ConvNet.
        preprocessing: What happens to stored spectrograms.
        bands: Per-band numbers of the frequency weighting.
        optimiser: Of the parameters that are trained.
        features_frozen: Whether training changes the last layer alone: neither the
            other parameters nor the batch statistics.
    """

    network: ConvNet
    preprocessing: pre.Preprocessing
    bands: pre.BandStatistics
    optimiser: optax.GradientTransformation
    features_frozen: bool = False


class Weights(struct.PyTreeNode):
    """What a prediction needs, for one seed.

    Attributes:
        params: Trainable parameters.
        batch_stats: Running means, variances and their number of updates.
    """

    params: Tree
    batch_stats: Tree


def prepare_batch(batch: dict[str, Array], model: Model) -> dict[str, Array]:
    """Preprocesses stored spectrograms, once for all seeds.

    Args:
        batch: "spectrogram" `[B, M, F]` as stored, and more.
        model: Knows the preprocessing.

    Returns:
        The batch, its spectrograms as the network takes them.
    """
    x = pre.apply(batch["spectrogram"], model.preprocessing, model.bands)
    return batch | {"spectrogram": x.astype(model.network.dtype)}


def predict(
    weights: Weights,
    spectrogram: Array,
    model: Model,
    batch_statistics: bool = False,
) -> Array:
    """Logits `[B, K]` of prepared spectrograms `[B, M, F]`."""
    variables = {"params": weights.params, "batch_stats": weights.batch_stats}
    return model.network.apply(
        variables, spectrogram, batch_statistics=batch_statistics
    )


def forget_statistics(weights: Weights) -> Weights:
    """Weights whose batch statistics are to be estimated anew."""
    zeros = jax.tree.map(jnp.zeros_like, weights.batch_stats)
    return weights.replace(batch_stats=zeros)


def statistics_step(
    weights: Weights, batch: dict[str, Array], model: Model
) -> tuple[Weights, None]:
    """Takes one more batch into the plain mean of the batch statistics.

    Follows `forget_statistics`; the statistics are those of the current parameters,
    where running ones are those of past parameters.
    """
    network = model.network.copy(momentum=1.0)
    variables = {"params": weights.params, "batch_stats": weights.batch_stats}
    _, changed = network.apply(
        variables, batch["spectrogram"], train=True, mutable=["batch_stats"]
    )
    return weights.replace(batch_stats=changed["batch_stats"]), None
