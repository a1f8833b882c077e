"""Pure steps, written for one seed on one shard of a batch."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import struct

from msd_tagger.common.class_weights import ClassWeights
from msd_tagger.common.error_rates import Rates
from msd_tagger.network.model import Model, Tree, Weights, forward, predict
from msd_tagger.training.augmentation import augment

Array = jax.Array

# Streams of random keys: a key is fold_in(seed, stream, step), never carried along.
INITIALISATION, DROPOUT, AUGMENTATION = 0, 1, 2


class Output(NamedTuple):
    """What a training step says of itself, for one seed."""

    loss: Array  # At the old parameters, over the whole batch.
    gradient_norm: Array  # Of all gradients together, the root of the sum of squares.


class TrainState(struct.PyTreeNode):
    """All that training changes, for one seed."""

    step: Array  # Number of updates so far.
    weights: Weights
    opt_state: optax.OptState
    best: Weights  # As they were evaluated at the best evaluation so far.
    best_score: Array  # Of that evaluation, -inf before the first.
    best_step: Array  # Of that evaluation.
    seed: Array | None = None  # Where a step depends on chance.


def init_state(seed: Array, model: Model, input_shape: tuple[int, int]) -> TrainState:
    """Initialises a state; the seed decides the initial weights, and chance later on.

    The input's shape is bands and frames.
    """
    key = key_of(seed, INITIALISATION, 0)
    variables = model.network.init(key, jnp.zeros((1, *input_shape)))
    weights = Weights(variables["params"], variables["batch_stats"])
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        weights=weights,
        opt_state=model.optimiser.init(trained_params(weights.params, model)),
        best=weights,
        best_score=jnp.array(-jnp.inf, jnp.float32),
        best_step=jnp.zeros((), jnp.int32),
        seed=jnp.asarray(seed, jnp.uint32) if model.is_random else None,
    )


def key_of(seed: Array, stream: int, step: Array | int) -> Array:
    """Makes the random key of a seed's stream for a step."""
    key = jax.random.fold_in(jax.random.key(seed), stream)
    return jax.random.fold_in(key, step)


def norm(tree: Tree) -> Array:
    """Computes the root of the sum of squares of all numbers of a tree, float32.

    As one array: a sum for each of its parts would be a kernel for each on a GPU.
    """
    leaves = [leaf.astype(jnp.float32).ravel() for leaf in jax.tree.leaves(tree)]
    return jnp.sqrt(jnp.sum(jnp.square(jnp.concatenate(leaves))))


def train_step(
    state: TrainState, batch: dict[str, Array], model: Model
) -> tuple[TrainState, Output]:
    """Updates one seed by the mean binary cross-entropy over clips and tags.

    The batch is this device's share of it, preprocessed: "spectrogram" `[B, M, F]` and
    "tags" `[B, K]`.

    Returns:
        The next state, and the loss and the norm of the gradient at the old parameters.
    """
    axis_name, weights = model.network.axis_name, state.weights
    key = None
    if state.seed is not None:
        key = key_of(state.seed, DROPOUT, state.step)
        chance = key_of(state.seed, AUGMENTATION, state.step)
        batch = augment(batch, chance, model.augmentations, axis_name)

    def loss_of(trained: Tree) -> tuple[Array, Tree]:
        current = weights.replace(params=weights.params | trained)
        x, batch_stats = batch["spectrogram"], weights.batch_stats
        if model.features_frozen:
            logits = predict(current, x, model)
        else:
            logits, batch_stats = forward(current, x, model.network, key)
        loss = cross_entropy(
            logits, batch["tags"], model.label_noise, model.class_weights
        )
        return loss.mean(), batch_stats

    trained = trained_params(weights.params, model)
    (loss, batch_stats), grads = jax.value_and_grad(loss_of, has_aux=True)(trained)
    if axis_name is not None:
        loss, grads = jax.lax.pmean((loss, grads), axis_name)
    updates, opt_state = model.optimiser.update(grads, state.opt_state, trained)
    params = weights.params | optax.apply_updates(trained, updates)
    return state.replace(
        step=state.step + 1, weights=Weights(params, batch_stats), opt_state=opt_state
    ), Output(loss, norm(grads))


def trained_params(params: Tree, model: Model) -> Tree:
    """Picks the parameters that training changes; only they get gradients."""
    return {"tags": params["tags"]} if model.features_frozen else params


def evaluation_step(
    weights: Weights, batch: dict[str, Array], model: Model
) -> dict[str, Array]:
    """Scores a preprocessed batch with the weights of one seed.

    Returns:
        "scores" `[B, K]`, sigmoids, and "loss" `[B]`, the cross-entropy summed over
        tags, zero where masked.
    """
    logits = predict(weights, batch["spectrogram"], model)
    loss = cross_entropy(logits, batch["tags"]).sum(-1)
    return {
        "scores": jax.nn.sigmoid(logits),
        "loss": jnp.where(batch["mask"], loss, 0.0),
    }


def keep_best(
    state: TrainState, evaluated: Weights, score: Array, patience_steps: float
) -> TrainState:
    """Keeps the evaluated weights where `score` exceeds the best one so far.

    State, weights and score, a number, are of one seed. -inf never counts.
    A seed whose patience has run out keeps what it has, however long the others still
    train: its result does not depend on the seeds that it runs with.
    """
    waiting = state.step - state.best_step <= patience_steps
    waiting |= jnp.isneginf(state.best_score)
    better = (score > state.best_score) & waiting
    best = jax.tree.map(
        lambda new, old: jnp.where(better, new, old), evaluated, state.best
    )
    return state.replace(
        best=best,
        best_score=jnp.where(better, score, state.best_score),
        best_step=jnp.where(better, state.step, state.best_step),
    )


def cross_entropy(
    logits: Array,
    tags: Array,
    noise: Rates | None = None,
    weights: ClassWeights | None = None,
) -> Array:
    """Computes the binary cross-entropy `[B, K]`, elementwise, from logits.

    Labels are 0, 1 or, of mixed clips, between. Weights are for the plain loss alone.

    With error rates of each tag the labels are compared with how often a label is to
    be expected, (1 - m) p + f (1 - p), where p is the probability that the tag is true:
    the forward correction of Patrini et al. 2017 (doi:10.1109/CVPR.2017.240), per tag.
    """
    labels = tags.astype(logits.dtype)
    if noise is None and weights is None:
        return optax.sigmoid_binary_cross_entropy(logits, labels)
    true, not_true = jax.nn.log_sigmoid(logits), jax.nn.log_sigmoid(-logits)
    if weights is not None:
        positive, negative = (jnp.asarray(one, logits.dtype) for one in weights)
        return -(positive * labels * true + negative * (1 - labels) * not_true)
    assert noise is not None  # Of both there is one.

    def log_of(share: np.ndarray) -> Array:
        with np.errstate(divide="ignore"):  # A rate of 0 adds nothing.
            return jnp.asarray(np.log(share), logits.dtype)

    missing, false = noise
    label = jnp.logaddexp(log_of(1 - missing) + true, log_of(false) + not_true)
    no_label = jnp.logaddexp(log_of(missing) + true, log_of(1 - false) + not_true)
    if jnp.issubdtype(tags.dtype, jnp.integer):
        return -jnp.where(labels > 0, label, no_label)
    return -(labels * label + (1 - labels) * no_label)
