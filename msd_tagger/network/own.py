"""A network of one's own: a Flax module, and what training needs around it."""

import dataclasses
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from msd_tagger.common import calls, files
from msd_tagger.network.convnet import past_weight

Array = jax.Array
Tree = dict[str, Any]

LAST = "tags"  # The layer that gives logits, where a network has one of that name.
LAST_LAYER = f'a last layer nn.Dense(num_tags, name="{LAST}")'
# Fields that are set where a module has them; without them these values alone are done.
SETTINGS = {"dtype": "float32", "precision": "default"}
# What the user's arguments cannot be.
GIVEN = ("num_tags", *SETTINGS)


class OwnNetwork(nn.Module):
    """Gives a user's module the interface of `ConvNet`.

    Its `nn.BatchNorm` layers follow the batch's statistics as those of `ConvNet` do:
    over all devices, and free of their initial values.
    """

    call: str  # "package.module:Name", perhaps with arguments.
    code: str  # Digest of the module's file, as it was when the network was built.
    num_tags: int
    momentum: float = 0.99  # Of the running batch statistics.
    dtype: jnp.dtype = jnp.float32
    axis_name: str | None = None  # Mapped axis over which the batch is split, if any.
    precision: str = "default"

    def setup(self) -> None:
        """Makes the module; its parameters keep the names that they have there."""
        call = calls.parse(self.call, self.call)
        module = _module_of(call, self.call)
        settings = {name: getattr(self, name) for name in GIVEN}
        given = {k: v for k, v in settings.items() if k in _fields(module)}
        self.own = module(**given, **call.arguments)
        nn.share_scope(self, self.own)
        self.count = self.variable("batch_stats", "count", jnp.zeros, ())

    def __call__(
        self, x: Array, train: bool = False, batch_statistics: bool = False
    ) -> Array:
        """Computes logits `[B, K]`, float32, of spectrograms `[B, M, F]`."""
        past = past_weight(self.count.value, self.momentum)

        def follow(call: Callable, args: tuple, kwargs: Tree, context: Any) -> Any:
            layer = context.module
            if isinstance(layer, nn.BatchNorm) and context.method_name == "__call__":
                # Flax makes layers anew at each call: nobody else has this one.
                object.__setattr__(layer, "momentum", past)
                object.__setattr__(layer, "axis_name", self.axis_name)
            return call(*args, **kwargs)

        with nn.intercept_methods(follow):
            logits = self.own(x, train=train or batch_statistics)
        if train and not self.is_initializing():
            self.count.value = self.count.value + 1
        return logits.astype(jnp.float32)

    def features(self, x: Array) -> Array:
        """Computes what the layer "tags" gets, `[B, C]`; a mean over other axes."""
        kept = []

        def keep(call: Callable, args: tuple, kwargs: Tree, context: Any) -> Any:
            if context.module.path == (LAST,) and context.method_name == "__call__":
                kept.append(args[0])
            return call(*args, **kwargs)

        with nn.intercept_methods(keep):
            self(x)
        found = kept[0].astype(jnp.float32)
        return found.mean(tuple(range(1, found.ndim - 1)))


def build(
    text: str,
    num_tags: int,
    *,
    dtype: str = "float32",
    precision: str = "default",
    where: str = "--config.model.network",
    **settings: Any,
) -> OwnNetwork:
    """Builds the network that a text names; `settings` are fields of `OwnNetwork`.

    Raises:
        ValueError: It cannot be imported, is no Flax module, or lacks what it is given.
    """
    where = f"{where}={text}"
    call = calls.parse(text, where)
    module = _module_of(call, where)
    known = _fields(module)
    if "num_tags" not in known:
        raise ValueError(f"{where}: {call.name} needs a field `num_tags: int`")
    calls.check_arguments(call, [name for name in known if name not in GIVEN], where)
    asked = {"dtype": dtype, "precision": precision}
    for name, value in asked.items():
        if name not in known and value != SETTINGS[name]:
            raise ValueError(
                f"{where}: {call.name} has no field {name!r}, so it cannot obey "
                f"--config.model.{name}={value}; give it one, or leave that out"
            )
    kind: Any = jnp.dtype(dtype)
    settings |= {"dtype": kind, "precision": precision}
    code = calls.digest_of(call.name, where)
    return OwnNetwork(str(call), code, num_tags, **settings)


def _module_of(call: calls.Call, where: str) -> type[nn.Module]:
    module = calls.load(call.name, where)
    is_module = isinstance(module, type) and issubclass(module, nn.Module)
    # The interface itself would make a module of whatever its fields name.
    if not is_module or issubclass(module, OwnNetwork):
        raise ValueError(f"{where}: {call.name} is not a class of flax.linen.Module")
    return module


def _fields(module: type) -> list[str]:
    """Lists the fields of a Flax module that are its user's."""
    fields = [one.name for one in dataclasses.fields(module) if one.init]
    return [name for name in fields if name not in ("parent", "name")]


def check(network: OwnNetwork, shape: tuple[int, int]) -> Tree:
    """Checks that a network can be trained on spectrograms of some bands and frames.

    Returns:
        Its parameters, as shapes.

    Raises:
        ValueError: What it lacks, or what it raises, and where.
    """
    where = f"--config.model.network={network.call}"
    network = network.clone(axis_name=None)  # Nothing is mapped here.
    variables = variables_of(network, shape, where)
    if strange := variables.keys() - {"params", "batch_stats"}:
        raise ValueError(
            f"{where} keeps variables in {', '.join(sorted(strange))}; only parameters "
            "and the statistics of nn.BatchNorm are allowed"
        )
    for name in files.flatten(variables["batch_stats"], "/"):
        if name.split("/")[-1] not in ("mean", "var", "count"):
            raise ValueError(
                f"{where} keeps {name} in batch_stats, which only nn.BatchNorm may"
            )
    _check_evaluation(network, variables, shape, where)
    params = variables["params"]
    for name, leaf in files.flatten(params, "/").items():
        if leaf.dtype != jnp.float32:
            raise ValueError(
                f"{where}: its parameter {name} is {leaf.dtype}; parameters must be "
                "float32 (param_dtype), also if it computes in another type"
            )
    if has_last_layer(params):
        more = network.clone(num_tags=network.num_tags + 1)
        _check_alike(params, variables_of(more, shape, where)["params"], where)
    return params


def variables_of(network: OwnNetwork, shape: tuple[int, int], where: str) -> Tree:
    """Lists the shapes of a network's variables; traces it in training and without.

    Raises:
        ValueError: It fails, or gives no logits `[B, K]`.
    """
    x = jax.ShapeDtypeStruct((2, *shape), network.dtype)
    key = jax.random.key(0)
    train = partial(network.apply, train=True, mutable=True, rngs={"dropout": key})
    how = "train=False, from init()"
    try:
        variables = jax.eval_shape(network.init, key, x)
        how = "train=True"
        logits, _ = jax.eval_shape(train, variables, x)
    # It is somebody's own code, which may raise anything.
    except Exception as error:
        raise _failure(network, shape, where, how, error) from error
    if logits.shape != (2, network.num_tags):
        raise ValueError(
            f"{where} makes {list(logits.shape)} of spectrograms {[2, *shape]} and "
            f"{network.num_tags} tags; it must give logits {[2, network.num_tags]}"
        )
    return variables


def _check_evaluation(
    network: OwnNetwork, variables: Tree, shape: tuple[int, int], where: str
) -> None:
    """Traces a network as it is evaluated: without chance, and changing nothing."""
    try:
        x = jax.ShapeDtypeStruct((2, *shape), network.dtype)
        jax.eval_shape(network.apply, variables, x)
    except Exception as error:
        how = "train=False (no random numbers, and no statistics to update)"
        raise _failure(network, shape, where, how, error) from error


def _failure(
    network: OwnNetwork, shape: tuple[int, int], where: str, how: str, error: Exception
) -> ValueError:
    call = calls.parse(network.call, where)
    said = calls.told(error, str(calls.source_of(call.name, where)))
    return ValueError(f"{where} fails on spectrograms {[2, *shape]} with {how}: {said}")


def _check_alike(params: Tree, more: Tree, where: str) -> None:
    """Checks that the last layer alone depends on the number of tags."""
    before, after = (files.flatten(one, "/") for one in (params, more))
    for name, leaf in before.items():
        same = name in after and after[name].shape == leaf.shape
        if not same and name.split("/")[0] != LAST:
            raise ValueError(
                f"{where}: the shape of {name} depends on num_tags, and only that of "
                f'"{LAST}" may; or give the layer "{LAST}" another name, and do '
                "without features, transfer to other tags and label vectors"
            )


def has_max_pool(network: OwnNetwork, shape: tuple[int, int]) -> bool:
    """Tells whether a network takes the largest values of windows by `nn.max_pool`."""
    x = jax.ShapeDtypeStruct((2, *shape), network.dtype)
    variables = jax.eval_shape(network.init, jax.random.key(0), x)
    return "reduce_window_max" in str(jax.make_jaxpr(network.apply)(variables, x))


def has_last_layer(params: Mapping[str, Any]) -> bool:
    """Tells whether parameters `[…]` or `[S, …]` have a layer of each tag's logit.

    A convolution of that name has none: its kernel has more axes.
    """
    layer = params.get(LAST)
    if not isinstance(layer, Mapping):
        return False
    if not {"kernel"} <= {*layer} <= {"kernel", "bias"}:
        return False
    num_axes = len(layer["kernel"].shape)
    if "bias" in layer:  # Which has those of the seeds and the tags.
        return num_axes - len(layer["bias"].shape) == 1
    return num_axes in (2, 3)


def check_last_layer(params: Mapping[str, Any], wish: str) -> None:
    """Raises a ValueError where a network lacks the layer that something needs."""
    if not has_last_layer(params):
        raise ValueError(f"{wish} needs a network with {LAST_LAYER}; this one has none")
