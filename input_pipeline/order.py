"""Which clips come when: a matter of numbers alone.

Within a split clips lie in the order of a hash of their ids, so that any first n of
them are a random subset, and inside of every larger one. An epoch is an order of whole
shards, drawn from (data seed, epoch), cut into windows; TensorFlow shuffles the clips
of a window (`stream.py`). Nothing has to be read to know where a window begins.
"""

import functools
import hashlib
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np


class Window(NamedTuple):
    """Some shards of an epoch, whose clips are shuffled together."""

    shards: np.ndarray  # int64 [W], in the order in which they are read.
    seed: int  # Of TensorFlow's shuffle.
    start: int  # Position of its first clip in the stream of all epochs.
    num_clips: int


def sort_key(track_id: str) -> bytes:
    """Returns what the clips of a split are sorted by: a hash of the id."""
    return hashlib.sha256(track_id.encode()).digest()


def subset_size(num_clips: int, fraction: float) -> int:
    """Counts the clips in a share of them, rounded up.

    >>> subset_size(100, 0.07), subset_size(3, 0.01), subset_size(0, 1)
    (7, 1, 0)

    Raises:
        ValueError: The fraction is not above 0 and at most 1.
    """
    if not 0 < fraction <= 1:
        raise ValueError(
            f"train.fraction is {fraction}; it must be above 0 and at most 1"
        )
    # Rounded first: 0.07 * 100 is 7.000000000000001 in floating point.
    return min(num_clips, max(1, math.ceil(round(fraction * num_clips, 6))))


def first_clips(shard_clips: Sequence[int] | np.ndarray, num_clips: int) -> np.ndarray:
    """Counts the clips that each shard has among the first of a split.

    >>> first_clips([4, 0, 4, 3], 6).tolist()
    [4, 0, 2, 0]
    """
    shard_clips = np.asarray(shard_clips, np.int64)
    before = np.cumsum(shard_clips) - shard_clips
    return np.clip(num_clips - before, 0, shard_clips)


def draw_excerpts(
    rows: np.ndarray, positions: np.ndarray, num_clips: int, data_seed: int, count: int
) -> np.ndarray:
    """Draws which of its excerpts each clip gives, anew for every epoch: int64 `[B]`.

    Args:
        rows: Of the clips, `[B]`.
        positions: Of the clips in the stream of all epochs, `[B]`.
        num_clips: The clips of an epoch.
        data_seed: Another seed draws others.
        count: How many excerpts each clip has.
    """
    epochs, drawn = positions // num_clips, np.zeros(len(rows), np.int64)
    if count == 1:
        return drawn
    for epoch in np.unique(epochs).tolist():
        of_epoch = epochs == epoch
        bits = _bits_of_clips(num_clips, data_seed, epoch)[rows[of_epoch]]
        drawn[of_epoch] = bits % np.uint64(count)
    return drawn


@functools.lru_cache(maxsize=4)
def _bits_of_clips(num_clips: int, data_seed: int, epoch: int) -> np.ndarray:
    # One number more than the seeds of `windows`: these bits are others.
    return np.random.PCG64([data_seed, epoch, 1]).random_raw(num_clips)


def windows(
    shard_clips: np.ndarray, window_shards: int, data_seed: int, first_position: int = 0
) -> Iterator[Window]:
    """Yields the windows of all epochs, without end.

    It sorts raw bits of PCG64, which NumPy guarantees to stay; its shuffles it does
    not. Shards without clips are left out.

    Args:
        shard_clips: int64 [shards], how many clips of each take part.
        window_shards: How many shards a window has; the last one may have fewer.
        data_seed: Another seed is another order.
        first_position: The first window is the one that holds this clip of the stream.
    """
    shards = np.flatnonzero(shard_clips)
    per_epoch = int(shard_clips.sum())
    epoch = first_position // per_epoch
    while True:
        bits = np.random.PCG64(np.random.SeedSequence([data_seed, epoch]))
        order = shards[np.argsort(bits.random_raw(len(shards)), kind="stable")]
        start = epoch * per_epoch
        for first in range(0, len(order), window_shards):
            seed = int(bits.random_raw() >> 33)  # 31 bits.
            members = order[first : first + window_shards]
            size = int(shard_clips[members].sum())
            if start + size > first_position:
                yield Window(members, seed, start, size)
            start += size
        epoch += 1
