"""The order of clips is a function of (data seed, epoch) alone."""

import itertools

import numpy as np
import pytest

from input_pipeline import order


def _stream(members, batch_size, num_places, data_seed=0):
    steps = range(-(-num_places // batch_size))
    batches = [order.rows_of_step(members, batch_size, data_seed, s) for s in steps]
    return np.concatenate(batches)[:num_places]


@pytest.mark.parametrize("batch_size", [1, 3, 8, 10, 25, 64])
def test_the_stream_does_not_depend_on_the_batch_size(batch_size):
    members = np.arange(10)
    expected = [order.permutation(10, 0, epoch) for epoch in range(7)]
    found = _stream(members, batch_size, 64)
    np.testing.assert_array_equal(found, np.concatenate(expected)[:64])


def test_every_epoch_has_every_clip_once_in_another_order():
    epochs = _stream(np.arange(50), 7, 500).reshape(10, 50)
    assert (np.sort(epochs, axis=1) == np.arange(50)).all()
    assert len({tuple(epoch) for epoch in epochs}) == 10


def test_data_seeds_differ():
    members = np.arange(50)
    first, second = (_stream(members, 8, 50, seed) for seed in (0, 1))
    assert (first != second).any()


def test_permutations_are_uniform():
    firsts = [order.permutation(4, 0, epoch)[0] for epoch in range(4000)]
    counts = np.bincount(firsts, minlength=4)
    assert abs(counts - 1000).max() < 150  # Five standard deviations.


def test_subsets_are_nested_and_of_the_right_size():
    ids = [f"TR{number:06d}" for number in range(1000)]
    subsets = [
        set(order.nested_subset(ids, fraction).tolist())
        for fraction in (0.02, 0.04, 0.07, 0.5, 1)
    ]
    assert [len(subset) for subset in subsets] == [20, 40, 70, 500, 1000]
    for smaller, larger in itertools.pairwise(subsets):
        assert smaller < larger


def test_a_subset_depends_on_ids_not_on_rows():
    ids = [f"TR{number:06d}" for number in range(100)]
    found = {ids[row] for row in order.nested_subset(ids, 0.1)}
    backwards = ids[::-1]
    assert {backwards[row] for row in order.nested_subset(backwards, 0.1)} == found


@pytest.mark.parametrize("fraction", [0, -0.5, 1.01, float("nan")])
def test_a_bad_fraction_is_named(fraction):
    with pytest.raises(ValueError, match=f"train.fraction is {fraction}"):
        order.nested_subset(["a"], fraction)
