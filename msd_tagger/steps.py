"""Pure steps, written for one seed on one shard of a batch."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import struct

from msd_tagger import preprocessing as pre
from msd_tagger.network import ConvNet

Array = jax.Array
Tree = dict

# Streams of random keys: a key is fold_in(seed, stream, step), never carried along.
INITIALISATION = 0

OPTIMISERS: dict[str, Callable[[float], optax.GradientTransformation]] = {
    "adam": optax.adam,
    "sgd": optax.sgd,
}


class Model(NamedTuple):
    """What the steps need to know, fixed during training.

    Attributes:
        network: The ConvNet.
        preprocessing: What happens to stored spectrograms.
        bands: Per-band numbers of the frequency weighting.
        optimiser: Of the parameters.
    """

    network: ConvNet
    preprocessing: pre.Preprocessing
    bands: pre.BandStatistics
    optimiser: optax.GradientTransformation


class TrainState(struct.PyTreeNode):
    """All that training changes, for one seed.

    Attributes:
        step: Number of updates so far.
        params: Trainable parameters.
        batch_stats: Running means, variances and their number of updates.
        opt_state: Of the optimiser.
        best_params: Parameters at the best evaluation so far.
        best_batch_stats: Statistics there.
        best_score: Its score, -inf before the first evaluation.
        best_step: Its step.
    """

    step: Array
    params: Tree
    batch_stats: Tree
    opt_state: optax.OptState
    best_params: Tree
    best_batch_stats: Tree
    best_score: Array
    best_step: Array


def init_state(seed: Array, model: Model, input_shape: tuple[int, int]) -> TrainState:
    """A fresh state; the seed decides the initial weights and nothing else.

    Args:
        seed: Integer scalar.
        model: What to initialise.
        input_shape: Bands and frames of a spectrogram.
    """
    key = jax.random.fold_in(jax.random.key(seed), INITIALISATION)
    key = jax.random.fold_in(key, 0)
    variables = model.network.init(key, jnp.zeros((1, *input_shape)))
    params, batch_stats = variables["params"], variables["batch_stats"]
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        batch_stats=batch_stats,
        opt_state=model.optimiser.init(params),
        best_params=params,
        best_batch_stats=batch_stats,
        best_score=jnp.array(-jnp.inf, jnp.float32),
        best_step=jnp.zeros((), jnp.int32),
    )


def train_step(
    state: TrainState, batch: dict[str, Array], model: Model
) -> tuple[TrainState, Array]:
    """One update by the mean binary cross-entropy over clips and tags.

    Args:
        state: Of one seed.
        batch: "spectrogram" `[B, M, F]` and "tags" `[B, K]`; this device's share.
        model: What to train.

    Returns:
        The next state and the loss at the old parameters, over the whole batch.
    """
    axis_name = model.network.axis_name
    x = pre.apply(batch["spectrogram"], model.preprocessing, model.bands)

    def loss_of(params: Tree) -> tuple[Array, Tree]:
        variables = {"params": params, "batch_stats": state.batch_stats}
        logits, changed = model.network.apply(
            variables, x, train=True, mutable=["batch_stats"]
        )
        return cross_entropy(logits, batch["tags"]).mean(), changed["batch_stats"]

    (loss, batch_stats), grads = jax.value_and_grad(loss_of, has_aux=True)(state.params)
    if axis_name is not None:
        loss, grads = jax.lax.pmean((loss, grads), axis_name)
    updates, opt_state = model.optimiser.update(grads, state.opt_state, state.params)
    new_state = state.replace(
        step=state.step + 1,
        params=optax.apply_updates(state.params, updates),
        batch_stats=batch_stats,
        opt_state=opt_state,
    )
    return new_state, loss


def predict(
    params: Tree,
    batch_stats: Tree,
    spectrogram: Array,
    model: Model,
    batch_statistics: bool = False,
) -> Array:
    """Logits `[B, K]` of stored spectrograms `[B, M, F]`."""
    x = pre.apply(spectrogram, model.preprocessing, model.bands)
    variables = {"params": params, "batch_stats": batch_stats}
    return model.network.apply(variables, x, batch_statistics=batch_statistics)


def evaluation_step(
    state: TrainState, batch: dict[str, Array], model: Model
) -> dict[str, Array]:
    """Scores of a batch by the current weights.

    Args:
        state: Of one seed.
        batch: "spectrogram" `[B, M, F]`, "tags" `[B, K]` and "mask" `[B]`.
        model: What to evaluate.

    Returns:
        "scores" `[B, K]`, sigmoids, and "loss" `[B]`, the cross-entropy summed over
        tags, zero where masked.
    """
    logits = predict(state.params, state.batch_stats, batch["spectrogram"], model)
    loss = cross_entropy(logits, batch["tags"]).sum(-1)
    return {
        "scores": jax.nn.sigmoid(logits),
        "loss": jnp.where(batch["mask"], loss, 0.0),
    }


def statistics_step(
    state: TrainState, batch: dict[str, Array], model: Model
) -> TrainState:
    """Takes one more batch into batch statistics that are estimated anew.

    Start from a state whose statistics' `count` is zero; the result is their plain
    mean over the batches, at the current weights.
    """
    network = model.network.copy(momentum=1.0)
    x = pre.apply(batch["spectrogram"], model.preprocessing, model.bands)
    variables = {"params": state.params, "batch_stats": state.batch_stats}
    _, changed = network.apply(variables, x, train=True, mutable=["batch_stats"])
    return state.replace(batch_stats=changed["batch_stats"])


def keep_best(state: TrainState, score: Array) -> TrainState:
    """Keeps the current weights where `score` exceeds the best one so far."""
    better = score > state.best_score

    def choose(new: Tree, old: Tree) -> Tree:
        return jax.tree.map(lambda a, b: jnp.where(better, a, b), new, old)

    return state.replace(
        best_params=choose(state.params, state.best_params),
        best_batch_stats=choose(state.batch_stats, state.best_batch_stats),
        best_score=jnp.where(better, score, state.best_score),
        best_step=jnp.where(better, state.step, state.best_step),
    )


def take_best(state: TrainState) -> TrainState:
    """The state with its best weights as the current ones."""
    return state.replace(params=state.best_params, batch_stats=state.best_batch_stats)


def cross_entropy(logits: Array, tags: Array) -> Array:
    """Binary cross-entropy `[B, K]`, elementwise, from logits."""
    return optax.sigmoid_binary_cross_entropy(logits, tags.astype(logits.dtype))
