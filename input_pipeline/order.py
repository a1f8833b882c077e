"""Which clips come when: a matter of numbers alone.

The order of training examples is a function of (data seed, epoch), the members of a
training subset one of their ids. Nothing has to be read to know either.
"""

import functools
import hashlib
import math
from collections.abc import Sequence

import numpy as np


def permutation(num_clips: int, data_seed: int, epoch: int) -> np.ndarray:
    """Orders an epoch: int64 `[num_clips]`, the same with every version of NumPy.

    It sorts raw bits of PCG64, which NumPy guarantees; its shuffles it does not.

    >>> permutation(5, data_seed=0, epoch=0), permutation(5, data_seed=0, epoch=1)
    (array([3, 2, 1, 0, 4]), array([4, 1, 2, 0, 3]))
    """
    bits = np.random.PCG64(np.random.SeedSequence([data_seed, epoch]))
    return np.argsort(bits.random_raw(num_clips), kind="stable")


def rows_of_step(
    members: np.ndarray, batch_size: int, data_seed: int, step: int
) -> np.ndarray:
    """Rows of one training batch.

    Step s takes positions s * B to s * B + B - 1 of one permutation after the other,
    so that the last clips of an epoch share a batch with the first of the next.
    """
    positions = np.arange(step * batch_size, (step + 1) * batch_size)
    epochs, within = np.divmod(positions, len(members))
    rows = np.empty_like(positions)
    for epoch in np.unique(epochs):
        here = epochs == epoch
        order = _cached_permutation(len(members), data_seed, int(epoch))
        rows[here] = members[order[within[here]]]
    return rows


def nested_subset(track_ids: Sequence[str] | np.ndarray, fraction: float) -> np.ndarray:
    """Rows of a subset that is inside of every larger one: the lowest hashes of ids.

    >>> nested_subset(["a", "b", "c", "d"], 0.5), nested_subset(["a", "b", "c"], 1)
    (array([2, 3]), array([0, 1, 2]))

    Returns:
        Sorted rows, int64; ceil(fraction * N) of the N.
    """
    size = subset_size(len(track_ids), fraction)
    if size == len(track_ids):
        return np.arange(size)
    hashes = [hashlib.sha256(str(track_id).encode()).digest() for track_id in track_ids]
    return np.sort(np.array(sorted(range(len(hashes)), key=hashes.__getitem__)[:size]))


def subset_size(num_clips: int, fraction: float) -> int:
    """Counts the clips in a share of them, rounded up.

    >>> subset_size(100, 0.07), subset_size(3, 0.01)
    (7, 1)

    Raises:
        ValueError: The fraction is not above 0 and at most 1.
    """
    if not 0 < fraction <= 1:
        raise ValueError(
            f"train.fraction is {fraction}; it must be above 0 and at most 1"
        )
    # Rounded first: 0.07 * 100 is 7.000000000000001 in floating point.
    return max(1, math.ceil(round(fraction * num_clips, 6)))


# Two epochs meet in a batch, more only where a subset is smaller than a batch.
@functools.lru_cache(maxsize=4)
def _cached_permutation(num_clips: int, data_seed: int, epoch: int) -> np.ndarray:
    return permutation(num_clips, data_seed, epoch)
