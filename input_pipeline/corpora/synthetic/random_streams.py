"""Random numbers addressed by (seed, stream, clip, column), never carried along.

Every clip has its own generator, so drawing one clip or 200,000 gives the same numbers.
"""

import zlib

import numpy as np

from msd_tagger.common.splitmix import scramble

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def uniforms(
    seed: int, stream: str, clip_numbers: np.ndarray, num_columns: int
) -> np.ndarray:
    """Draws numbers in (0, 1) that depend on nothing but their address.

    Streams of different names are independent of each other.

    Returns:
        float64 `[N, num_columns]`, strictly between 0 and 1.

    >>> clips = np.arange(5)
    >>> all_of_them = uniforms(0, "tempo", clips, 3)
    >>> bool((uniforms(0, "tempo", clips[3:4], 2) == all_of_them[3:4, :2]).all())
    True
    """
    name = np.array([zlib.crc32(stream.encode())], np.uint64)
    origin = scramble(scramble(np.array([seed], np.uint64) + _GOLDEN) ^ name)
    clips = scramble(origin + np.asarray(clip_numbers, np.uint64) * _GOLDEN)
    columns = np.arange(1, num_columns + 1, dtype=np.uint64) * _GOLDEN
    bits = scramble(clips[:, None] + columns[None, :])
    return ((bits >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53


def generator(seed: int, stream: str, clip_number: int) -> np.random.Generator:
    """Returns the NumPy generator of one clip's stream, for its performance details."""
    return np.random.default_rng([seed, clip_number, zlib.crc32(stream.encode())])
