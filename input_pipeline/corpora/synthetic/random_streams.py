"""Random numbers addressed by (seed, stream, clip, column), never carried along.

Every clip has its own generator (SplitMix64, Steele et al. 2014,
doi:10.1145/2660193.2660195), so drawing one clip or 200,000 gives the same numbers.
"""

import zlib

import numpy as np

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_SHIFT_30, _SHIFT_27, _SHIFT_31 = np.uint64(30), np.uint64(27), np.uint64(31)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def _mix(state: np.ndarray) -> np.ndarray:
    """Returns SplitMix64's bijective scrambling of uint64 values, any shape."""
    state = (state ^ (state >> _SHIFT_30)) * _FIRST
    state = (state ^ (state >> _SHIFT_27)) * _SECOND
    return state ^ (state >> _SHIFT_31)


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
    origin = _mix(_mix(np.array([seed], np.uint64) + _GOLDEN) ^ name)
    clips = _mix(origin + np.asarray(clip_numbers, np.uint64) * _GOLDEN)
    columns = np.arange(1, num_columns + 1, dtype=np.uint64) * _GOLDEN
    bits = _mix(clips[:, None] + columns[None, :])
    return ((bits >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53


def generator(seed: int, stream: str, clip_number: int) -> np.random.Generator:
    """Returns the NumPy generator of one clip's stream, for its performance details."""
    return np.random.default_rng([seed, clip_number, zlib.crc32(stream.encode())])
