"""SplitMix64 (Steele et al. 2014, doi:10.1145/2660193.2660195): random bits."""

import numpy as np

_SHIFT_30, _SHIFT_27, _SHIFT_31 = np.uint64(30), np.uint64(27), np.uint64(31)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def scramble(state: np.ndarray) -> np.ndarray:
    """Scrambles uint64 values of any shape; different ones stay different."""
    state = (state ^ (state >> _SHIFT_30)) * _FIRST
    state = (state ^ (state >> _SHIFT_27)) * _SECOND
    return state ^ (state >> _SHIFT_31)
