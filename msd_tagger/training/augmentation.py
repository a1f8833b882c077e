"""Augmentation: pure functions of a batch and a random key, in training alone.

A batch has "spectrogram" `[B, M, F]`, preprocessed, "tags" `[B, K]`, float32 in [0, 1],
and "mask" `[B]`. A function gives another batch of the same shapes. Each seed draws
anew, and a batch that is split over devices is augmented as a whole: what comes out is
the same on any number of them.
"""

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from msd_tagger.common import calls
from msd_tagger.network.model import Augmentation

Array = jax.Array
Batch = dict[str, Array]


def spec_augment(
    batch: Batch,
    key: Array,
    time_masks: int = 2,
    time_share: float = 0.1,
    band_masks: int = 2,
    band_share: float = 0.15,
) -> Batch:
    """Hides stretches of frames and of bands (https://arxiv.org/abs/1904.08779).

    Each mask is at most a share of the clip wide, evenly distributed from 0 on, and
    lies anywhere. What is hidden becomes the clip's mean.
    """
    if not (0 <= time_share <= 1 and 0 <= band_share <= 1):
        raise ValueError(
            f"time_share={time_share:g} and band_share={band_share:g} must be from 0 "
            "to 1"
        )
    if min(time_masks, band_masks) < 0:
        raise ValueError(
            f"time_masks={time_masks} and band_masks={band_masks} must be at least 0"
        )
    x = batch["spectrogram"]
    in_time, in_bands = jax.random.split(key)
    clips, bands, frames = x.shape
    hidden = _stretches(in_time, clips, frames, time_masks, time_share)[:, None, :]
    hidden |= _stretches(in_bands, clips, bands, band_masks, band_share)[:, :, None]
    return batch | {"spectrogram": jnp.where(hidden, x.mean((1, 2), keepdims=True), x)}


def _stretches(key: Array, clips: int, size: int, masks: int, share: float) -> Array:
    """Draws masks of one axis, bool `[B, size]`."""
    for_width, for_start = jax.random.split(key)
    shape = (clips, masks, 1)
    width = jax.random.randint(for_width, shape, 0, 1 + int(share * size))
    start = jax.random.uniform(for_start, shape) * (size - width + 1)
    place = jnp.arange(size) - jnp.floor(start).astype(int)
    return ((place >= 0) & (place < width)).any(1)


def mixup(batch: Batch, key: Array, alpha: float = 0.2) -> Batch:
    """Mixes each clip, and its labels, with another (https://arxiv.org/abs/1710.09412).

    The weight of the other is drawn for each clip from Beta(alpha, alpha).
    """
    if not alpha > 0:
        raise ValueError(f"alpha={alpha:g} must be above 0; leave mixup out for none")
    for_weights, for_order = jax.random.split(key)
    clips = len(batch["mask"])
    weight = jax.random.beta(for_weights, alpha, alpha, (clips,))
    other = jax.random.permutation(for_order, clips)

    def mix(x: Array) -> Array:
        of_other = weight.reshape(-1, *[1] * (x.ndim - 1)).astype(x.dtype)
        return (1 - of_other) * x + of_other * x[other]

    return batch | {name: mix(batch[name]) for name in ("spectrogram", "tags")}


def random_gain(batch: Batch, key: Array, spread: float = 0.3) -> Batch:
    """Makes each clip louder or softer: adds a number from -spread to spread.

    A gain is a shift of decibels. Of standardised clips 1 is their deviation.
    """
    if not spread >= 0:
        raise ValueError(f"spread={spread:g} must be at least 0")
    x = batch["spectrogram"]
    shift = jax.random.uniform(key, (len(x), 1, 1), x.dtype, -spread, spread)
    return batch | {"spectrogram": x + shift}


AUGMENTATIONS: dict[str, Callable[..., Batch]] = {
    one.__name__: one for one in (spec_augment, mixup, random_gain)
}


def build(texts: Sequence[str]) -> tuple[Augmentation, ...]:
    """Builds augmentations, such as "mixup(alpha=0.4)" or "package.module:function".

    Raises:
        ValueError: There is none of that name, or it does not take these arguments.
    """
    return tuple(map(_build, texts))


def _build(text: str) -> Augmentation:
    where = f"--config.train.augmentations: {text}"
    call = calls.parse(text, where)
    if calls.is_own(call.name):
        function = calls.load(call.name, where)
    elif call.name in AUGMENTATIONS:
        function = AUGMENTATIONS[call.name]
    else:
        raise ValueError(
            f"{where}: choose from {', '.join(AUGMENTATIONS)}, or give a function of "
            'your own as "package.module:function"'
        )
    if not inspect.isfunction(function):
        raise ValueError(f"{where}: {call.name} is not a function")
    known = [*inspect.signature(function).parameters][2:]
    calls.check_arguments(call, known, where)
    return partial(function, **call.arguments)


def check(
    texts: Sequence[str], shape: tuple[int, int], dtype: str, magnitude: str
) -> None:
    """Tries augmentations on shapes alone: B clips of some bands and frames.

    Raises:
        ValueError: One cannot be built, fails, or changes the shape of a batch.
    """
    batch = {
        "spectrogram": jax.ShapeDtypeStruct((4, *shape), dtype),
        "tags": jax.ShapeDtypeStruct((4, 3), jnp.float32),
        "mask": jax.ShapeDtypeStruct((4,), bool),
    }
    for text, augment in zip(texts, build(texts), strict=True):
        where = f"--config.train.augmentations: {text}"
        name = calls.parse(text, where).name
        if magnitude == "linear" and name == "random_gain":
            raise ValueError(
                f"{where} shifts decibels, but preprocessing.magnitude=linear has "
                "none; leave it out"
            )
        try:
            found = jax.eval_shape(augment, batch, jax.random.key(0))
        # It may be somebody's own code, which may raise anything.
        except Exception as error:
            is_ours = name in AUGMENTATIONS and isinstance(error, ValueError)
            why = f": {error}" if is_ours else f" fails: {calls.told(error)}"
            raise ValueError(f"{where}{why}") from error
        structures: list[Any] = [jax.tree.structure(one) for one in (found, batch)]
        if structures[0] != structures[1]:
            is_dict = isinstance(found, dict)
            given = ", ".join(map(str, found)) if is_dict else type(found).__name__
            raise ValueError(
                f"{where} gives {given}; it must give the batch back, a dict of "
                f"{', '.join(batch)}"
            )
        same = jax.tree.map(
            lambda a, b: (a.shape, a.dtype) == (b.shape, b.dtype), found, batch
        )
        if not all(jax.tree.leaves(same)):
            raise ValueError(
                f"{where} gives arrays of other shapes or types than it gets; they "
                "must be those of the batch"
            )


def augment(
    batch: Batch,
    key: Array,
    augmentations: Sequence[Augmentation],
    axis_name: str | None = None,
) -> Batch:
    """Augments this device's share of a batch, of which all devices see the whole."""
    if not augmentations:
        return batch
    batch = batch | {"tags": batch["tags"].astype(jnp.float32)}
    share = len(batch["mask"])
    if axis_name is not None:
        batch = jax.lax.all_gather(batch, axis_name, tiled=True)
    for number, one in enumerate(augmentations):
        batch = one(batch, jax.random.fold_in(key, number))
    if axis_name is None:
        return batch
    first = share * jax.lax.axis_index(axis_name)
    return jax.tree.map(lambda x: jax.lax.dynamic_slice_in_dim(x, first, share), batch)
