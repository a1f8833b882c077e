"""The poolings of the network; free of JAX, so that checking them is quick."""

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

    >>> choose_pools((), "stft")[0], choose_pools([[3, 4]], "mel")
    ((2, 4), ((3, 4),))
    """
    return tuple((bands, frames) for bands, frames in pools) or POOLS[kind]


def check_pools(shape: tuple[int, int], pools: Pools) -> None:
    """Checks that the poolings turn an input of `shape` into one value per channel.

    Raises:
        ValueError: The last map is not 1 x 1.
    """
    bands, frames = shape
    for pool in pools:
        bands, frames = bands // pool[0], frames // pool[1]
    if (bands, frames) != (1, 1):
        raise ValueError(
            f"the poolings {tuple(map(tuple, pools))} turn {shape[0]} bands x "
            f"{shape[1]} frames into {bands} x {frames}; they must end at 1 x 1. "
            "Change clip.duration_s, the spectrogram or model.pools"
        )
