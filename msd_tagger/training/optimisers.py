"""How weights are updated: an optimiser of optax by its name, with its arguments."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax

from msd_tagger.common import calls

_NAMES = (
    *("adam", "sgd", "adabelief", "adadelta", "adagrad", "adamax", "adamaxw", "adamw"),
    *("adan", "amsgrad", "lamb", "lars", "lion", "novograd", "radam", "rmsprop"),
    *("signum", "yogi"),
)
OPTIMISERS: dict[str, Callable[..., optax.GradientTransformation]] = {
    name: getattr(optax, name) for name in _NAMES
}
# What optimisers call the parameters that their weight decay is for.
MASKS = ("mask", "weight_decay_mask")


def build(
    text: str, rates: float | optax.Schedule, weight_decay: float = 0.0
) -> optax.GradientTransformation:
    """Builds an optimiser, such as "adamw(weight_decay=0.01)".

    `weight_decay` times each kernel is added to its gradient, whatever the optimiser.
    That, and what an optimiser itself calls weight decay, leaves biases and the
    parameters of normalisations alone.

    Raises:
        ValueError: There is none of that name, or it does not take these arguments.
    """
    where = f"--config.train.optimiser={text}"
    call = calls.parse(text, where)
    if call.name not in OPTIMISERS:
        raise ValueError(
            f"{where}: choose one of {', '.join(sorted(OPTIMISERS))}, perhaps with "
            "arguments"
        )
    make = OPTIMISERS[call.name]
    known = [*inspect.signature(make).parameters][1:]  # Without the learning rate.
    masks = {name: kernels for name in MASKS if name in known}
    calls.check_arguments(call, [name for name in known if name not in masks], where)
    if call.arguments.get("weight_decay") and not masks:
        raise ValueError(
            f"{where}: its weight decay would shrink biases and normalisations too; "
            f"give --config.train.weight_decay={call.arguments['weight_decay']}"
        )
    try:
        found = make(rates, **call.arguments, **masks)
        _try(found)
    except (ArithmeticError, TypeError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from error
    if not weight_decay:
        return found
    return optax.chain(optax.add_decayed_weights(weight_decay, kernels), found)


def kernels(params: Any) -> Any:
    """Marks what weight decay is for: arrays of two axes or more, but for biases.

    Those of attention have two axes, and normalisations may have several.
    """

    def is_one(path: Sequence[Any], leaf: Any) -> bool:
        name = getattr(path[-1], "key", "") if path else ""
        return jnp.ndim(leaf) > 1 and name not in ("bias", "scale")

    return jax.tree_util.tree_map_with_path(is_one, params)


def _try(optimiser: optax.GradientTransformation) -> None:
    """Lets an optimiser update something, as shapes alone."""
    params = {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)}

    def update(params: Any) -> Any:
        return optimiser.update(params, optimiser.init(params), params)

    jax.eval_shape(update, params)
