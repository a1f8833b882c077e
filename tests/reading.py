"""Reads prepared sets whole, for comparisons."""

import itertools

import numpy as np


def take(batches, number):
    return list(itertools.islice(batches, number))


def rows(batches):
    return np.concatenate([batch["row"][batch["mask"]] for batch in batches])


def whole(data, split, fraction=1.0):
    """All clips of a split, in one batch."""
    return next(
        data.evaluation_batches(split, data.num_clips(split, fraction), fraction)
    )


def assert_equal(first, second):
    """Two lists of batches have the same bits."""
    for one, other in zip(first, second, strict=True):
        assert list(one) == list(other) == ["spectrogram", "tags", "mask", "row"]
        for name, value in one.items():
            assert value.dtype == other[name].dtype
            np.testing.assert_array_equal(value, other[name])
