"""The poolings of the network; free of JAX, so that checking them is quick."""

import functools
import itertools
import math
import operator
from collections.abc import Sequence

Pools = Sequence[tuple[int, int]]

# Table II prints the poolings (2,4) (4,4) (4,5) (2,4) (4,4). Their product in
# frequency, 256, fits the 257 bins of the STFT; 96 mel bands take the authors' own.
POOLS: dict[str, tuple[tuple[int, int], ...]] = {
    "mel": ((2, 4), (3, 4), (2, 5), (2, 4), (4, 4)),
    "stft": ((2, 4), (4, 4), (4, 5), (2, 4), (4, 4)),
}


def choose_pools(pools: Pools, kind: str) -> Pools:
    """Returns the given poolings, or, if there are none, the paper's for the kind.

    Of a front end of one's own they are those for mel bands, which may not fit.

    >>> choose_pools((), "stft")[0], choose_pools([[3, 4]], "mel")
    ((2, 4), ((3, 4),))
    """
    return tuple((bands, frames) for bands, frames in pools) or POOLS.get(
        kind, POOLS["mel"]
    )


def fits(shape: tuple[int, int], pools: Pools) -> bool:
    """Tells whether poolings turn an input of `shape` into one value per channel.

    >>> fits((96, 1360), POOLS["mel"]), fits((96, 1360), POOLS["stft"])
    (True, False)
    """
    return all(
        _sizes(size, [pool[axis] for pool in pools])[-1] == 1
        for axis, size in enumerate(shape)
    )


def check_pools(shape: tuple[int, int], pools: Pools) -> None:
    """Checks that the poolings turn an input of `shape` into one value per channel.

    Raises:
        ValueError: The last map is not 1 x 1; the message proposes poolings that fit.
    """
    if not pools:
        raise ValueError("the poolings are (): no layer pools anything")
    for axis, what in enumerate(("bands", "frames")):
        sizes = _sizes(shape[axis], [pool[axis] for pool in pools])
        if sizes[-1] == 1:
            continue
        layer = sizes.index(0) if 0 in sizes else len(pools)
        of_layer = f"pools {sizes[layer - 1]} of them by {pools[layer - 1][axis]}"
        raise ValueError(
            f"the poolings {tuple(map(tuple, pools))} do not fit {shape[0]} bands x "
            f"{shape[1]} frames: the last map must be 1 x 1, but in {what} layer "
            f"{layer} {of_layer} and leaves {sizes[layer] or 'none'}. "
            f"{_proposal(shape, len(pools))}. Or change clip.duration_s or "
            "the spectrogram"
        )


def unheard(shape: tuple[int, int], pools: Pools) -> str:
    """Says which part of an input of `shape` changes no score; "" where all counts.

    A layer leaves out what remains when its map is divided by the pooling. Its
    convolution still sees one row or column of that.

    >>> unheard((96, 1360), POOLS["mel"])
    ''
    >>> unheard((96, 2559), POOLS["mel"]).split(".")[0]
    'the last 858 of 2559 frames change no score'
    """
    parts = []
    for axis, what in enumerate(("bands", "frames")):
        size = shape[axis]
        if lost := size - heard(size, [pool[axis] for pool in pools]):
            parts.append(f"the last {lost} of {size} {what}")
    if not parts:
        return ""
    return f"{' and '.join(parts)} change no score. {_proposal(shape, len(pools))}"


def heard(size: int, pools: Sequence[int]) -> int:
    """Counts the bands or frames, from the first, that reach the only output.

    >>> heard(2559, (4, 4, 5, 4, 4)), heard(191, (2, 3, 2, 2, 4))
    (1701, 141)
    """
    count = 1
    sizes = _sizes(size, pools)
    for size, pool in zip(reversed(sizes[:-1]), reversed(pools), strict=True):
        count = min(count * pool + 1, size)
    return count


def propose_pools(shape: tuple[int, int], num_layers: int = 5) -> Pools:
    """Finds poolings that end at 1 x 1 and hear all of an input of `shape`.

    They are about as small and as even as can be. Where none hear all, they leave out
    little.

    >>> propose_pools((128, 1292))
    ((2, 2), (3, 3), (2, 5), (3, 6), (2, 6))
    """
    found = [_propose(size, num_layers) or () for size in shape]
    return tuple(zip(*found, strict=True))


@functools.cache
def _propose(size: int, num_layers: int) -> tuple[int, ...] | None:
    """Proposes poolings of one axis; None where nothing ends at one."""
    if not num_layers:
        return () if size == 1 else None
    even = math.ceil(size ** (1 / num_layers))
    found = []
    for pool in range(max(1, even // 2), even + 6):
        rest = _propose(size // pool, num_layers - 1)
        if rest is not None:
            found.append((pool, *rest))
    return min(
        found, key=lambda p: (size - heard(size, p), max(p), sum(p)), default=None
    )


def _sizes(size: int, pools: Sequence[int]) -> list[int]:
    """Lists how many bands or frames there are before the first layer and after each.

    >>> _sizes(1360, (4, 4, 5, 4, 4))
    [1360, 340, 85, 17, 4, 1]
    """
    return [*itertools.accumulate(pools, operator.floordiv, initial=size)]


def _proposal(shape: tuple[int, int], num_layers: int) -> str:
    pools = str(propose_pools(shape, num_layers)).replace(" ", "")
    return f'These fit: --config.model.pools="{pools}"'
