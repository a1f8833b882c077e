"""The network as one would first write it in Flax, as a contestant."""

import itertools
from functools import partial
from typing import Any

import jax
import numpy as np
import optax
from flax import traverse_util

from benchmarks import ours, problem
from benchmarks.worker import Work
from msd_tagger.network import preprocessing
from msd_tagger.network.pools import POOLS
from tests.plain_network import PlainConvNet, plain_variables


def training(batch_size: int, weights: str) -> Work:
    """Trains one seed from the weights of a file."""
    network, variables = _read(weights)
    optimiser = optax.adam(problem.LEARNING_RATE)
    update = jax.jit(
        partial(_update, network=network, optimiser=optimiser), donate_argnums=0
    )
    state = jax.device_put((variables, optimiser.init(variables["params"])))
    batches = itertools.cycle(problem.batches(batch_size))
    return ours.jax_training(update, state, batches, batch_size)


def inference(batch_size: int, weights: str) -> Work:
    """Scores clips with the weights of a file."""
    network, variables = _read(weights)

    def scores(variables: dict, spectrogram: jax.Array) -> jax.Array:
        logits: Any = network.apply(variables, _preprocess(spectrogram))
        return jax.nn.sigmoid(logits)

    apply = partial(jax.jit(scores), jax.device_put(variables))
    spectrogram = problem.batches(batch_size, 1)[0]["spectrogram"]
    return problem.scoring(lambda: np.asarray(apply(spectrogram)), batch_size)


def _read(weights: str) -> tuple[PlainConvNet, dict[str, Any]]:
    """Returns the plain network, and the real one's weights for it."""
    network = PlainConvNet(
        problem.TAGS,
        POOLS["mel"],
        momentum=problem.MOMENTUM,
        epsilon=problem.EPSILON,
        fast_variance=True,
    )
    with np.load(weights) as stored:
        flat = {name: stored[name] for name in stored.files}
    return network, plain_variables(traverse_util.unflatten_dict(flat, sep="/"))


def _preprocess(spectrogram: Any) -> jax.Array:
    no_bands: Any = None  # The default standardises by no statistics of a corpus.
    return preprocessing.apply(spectrogram, preprocessing.Preprocessing(), no_bands)


def _update(
    state: tuple,
    batch: problem.Batch,
    network: PlainConvNet,
    optimiser: optax.GradientTransformation,
) -> tuple[tuple, jax.Array]:
    variables, opt_state = state
    x = _preprocess(batch["spectrogram"])

    def loss_of(params: dict) -> tuple:
        logits, changed = network.apply(
            variables | {"params": params}, x, train=True, mutable=["batch_stats"]
        )
        labels = batch["tags"].astype(logits.dtype)
        return optax.sigmoid_binary_cross_entropy(logits, labels).mean(), changed

    params = variables["params"]
    (loss, changed), grads = jax.value_and_grad(loss_of, has_aux=True)(params)
    updates, opt_state = optimiser.update(grads, opt_state, params)
    variables = {"params": optax.apply_updates(params, updates), **changed}
    return (variables, opt_state), loss
