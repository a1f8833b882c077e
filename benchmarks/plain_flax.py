"""The network as one would first write it in Flax, as a contestant."""

import time
from functools import partial
from typing import Any

import numpy as np

from benchmarks import clock, problem


class Training:
    """Training steps of one seed.

    Args:
        weights: File that `ours.Training.write_weights` wrote.
        dtype: "float32" or "bfloat16".
    """

    def __init__(self, weights: str, dtype: str = "float32") -> None:
        self._weights, self._dtype = weights, dtype
        self._lanes: dict[int, _Steps] = {}

    def prepare(self, batch_size: int) -> dict[str, Any]:
        """Compiles, and trains some steps; "values" are the losses."""
        lane = _Steps(self._weights, self._dtype, problem.batches(batch_size))
        self._lanes[batch_size] = lane
        started = time.monotonic()
        losses = [lane.loss_of_step()]
        seconds = time.monotonic() - started
        losses += [lane.loss_of_step() for _ in range(problem.SIMILAR_STEPS - 1)]
        return {"values": losses, "first_step_s": seconds}

    def run(self, seconds: float, batch_size: int) -> dict[str, float]:
        """Trains for some seconds."""
        lane = self._lanes[batch_size]
        return clock.repeat(lane.step, lane.finish, seconds, batch_size)


class Inference:
    """Logits of clips; arguments as for `Training`."""

    def __init__(self, weights: str, dtype: str = "float32") -> None:
        self._weights, self._dtype = weights, dtype
        self._lanes: dict[int, tuple] = {}

    def prepare(self, batch_size: int) -> dict[str, Any]:
        """Compiles, and scores a batch; "values" are the first clip's logits."""
        import jax

        from msd_tagger.network import preprocessing as pre

        network, variables = read(self._weights, self._dtype)

        def score(variables: dict, spectrogram: jax.Array) -> jax.Array:
            x = pre.apply(spectrogram, pre.Preprocessing(), None)
            return network.apply(variables, x)

        apply = partial(jax.jit(score), jax.device_put(variables))
        batch = problem.batches(batch_size, 1)[0]["spectrogram"]
        self._lanes[batch_size] = (apply, batch)
        started = time.monotonic()
        values = np.asarray(apply(batch))[0].tolist()
        return {"values": values, "first_step_s": time.monotonic() - started}

    def run(self, seconds: float, batch_size: int) -> dict[str, float]:
        """Scores clips for some seconds; the scores come back to the host."""
        apply, batch = self._lanes[batch_size]

        def step() -> None:
            np.asarray(apply(batch))

        return clock.repeat(step, lambda: None, seconds, batch_size)


def read(weights: str, dtype: str) -> tuple[Any, dict[str, Any]]:
    """The plain network, and the real one's weights for it."""
    import jax.numpy as jnp
    from flax import traverse_util

    from msd_tagger.network.pools import POOLS
    from tests.plain_network import PlainConvNet, plain_variables

    network = PlainConvNet(
        problem.TAGS,
        POOLS["mel"],
        momentum=problem.MOMENTUM,
        epsilon=problem.EPSILON,
        dtype=jnp.dtype(dtype),
        fast_variance=True,
    )
    with np.load(weights) as stored:
        flat = {name: stored[name] for name in stored.files}
    return network, plain_variables(traverse_util.unflatten_dict(flat, sep="/"))


class _Steps:
    """Training steps on batches in turn, one of them in flight."""

    def __init__(self, weights: str, dtype: str, batches: list[problem.Batch]) -> None:
        import jax
        import optax

        network, variables = read(weights, dtype)
        optimiser = optax.adam(problem.LEARNING_RATE)
        step = partial(_train_step, network=network, optimiser=optimiser)
        self._update = jax.jit(step, donate_argnums=0)
        opt_state = optimiser.init(variables["params"])
        self._state = jax.device_put((variables, opt_state))
        self._batches, self._count = batches, 0
        self._in_flight: Any = None

    def step(self) -> None:
        import jax

        batch = self._batches[self._count % len(self._batches)]
        self._state, loss = self._update(
            self._state, batch["spectrogram"], batch["tags"]
        )
        jax.block_until_ready(self._in_flight)
        self._in_flight, self._count = loss, self._count + 1

    def finish(self) -> None:
        import jax

        jax.block_until_ready(self._state)

    def loss_of_step(self) -> float:
        self.step()
        return float(self._in_flight)


def _train_step(
    state: tuple, spectrogram: Any, tags: Any, network: Any, optimiser: Any
) -> tuple[tuple, Any]:
    import jax
    import optax

    from msd_tagger.network import preprocessing as pre

    variables, opt_state = state
    x = pre.apply(spectrogram, pre.Preprocessing(), None)

    def loss_of(params: dict) -> tuple:
        logits, changed = network.apply(
            variables | {"params": params}, x, train=True, mutable=["batch_stats"]
        )
        labels = tags.astype(logits.dtype)
        return optax.sigmoid_binary_cross_entropy(logits, labels).mean(), changed

    params = variables["params"]
    (loss, changed), grads = jax.value_and_grad(loss_of, has_aux=True)(params)
    updates, opt_state = optimiser.update(grads, opt_state, params)
    variables = {"params": optax.apply_updates(params, updates), **changed}
    return (variables, opt_state), loss
