"""The order of clips is a function of shards, window and (data seed, epoch) alone."""

import itertools

import numpy as np
import pytest

from input_pipeline import order

CLIPS = np.array([4, 4, 0, 3, 4, 1, 4, 4])


def _epochs(number, window_shards, data_seed=0, first_position=0):
    found, size = [], 0
    for window in order.windows(CLIPS, window_shards, data_seed, first_position):
        found.append(window)
        size += window.num_clips
        if size >= number * CLIPS.sum():
            return found
    raise AssertionError


@pytest.mark.parametrize("window_shards", [1, 3, 7, 100])
def test_every_epoch_has_every_shard_once_in_another_order(window_shards):
    per_epoch = -(-7 // window_shards)
    found = _epochs(6, window_shards)
    orders = set()
    for first in range(0, len(found), per_epoch):
        of_epoch = found[first : first + per_epoch]
        assert {len(window.shards) for window in of_epoch[:-1]} <= {window_shards}
        shards = np.concatenate([window.shards for window in of_epoch])
        assert sorted(shards.tolist()) == [0, 1, 3, 4, 5, 6, 7]
        orders.add(tuple(shards.tolist()))
    assert len(orders) == 6
    assert len({window.seed for window in found}) == len(found)
    starts = np.cumsum([0, *(window.num_clips for window in found)])
    assert [window.start for window in found] == starts[:-1].tolist()


@pytest.mark.parametrize("position", [0, 1, 10, 23, 24, 25, 100, 10**12])
def test_a_position_says_which_window_it_lies_in(position):
    first = next(order.windows(CLIPS, 3, 5, position))
    assert first.start <= position < first.start + first.num_clips
    if position < 200:
        before = [w for w in _epochs(20, 3, 5) if w.start + w.num_clips > position]
        np.testing.assert_array_equal(first.shards, before[0].shards)
        assert first[1:] == before[0][1:]


def test_data_seeds_differ():
    first, second = (_epochs(1, 100, seed)[0] for seed in (0, 1))
    assert first.seed != second.seed
    assert (first.shards != second.shards).any()


def test_the_order_stays_what_it_is():
    """As it was written down: another version of NumPy must not change it."""
    found = [(w.shards.tolist(), w.seed) for w in _epochs(1, 4)]
    assert found == PINNED


PINNED = [([4, 3, 1, 7], 1566581935), ([0, 5, 6], 1167425779)]


def test_orders_are_uniform():
    clips = np.ones(4, np.int64)
    firsts = []
    for window in itertools.islice(order.windows(clips, 4, 0), 4000):
        firsts.append(window.shards[0])
    counts = np.bincount(firsts, minlength=4)
    assert abs(counts - 1000).max() < 150  # Five standard deviations.


def test_keys_depend_on_ids_alone():
    ids = [f"TR{number:06d}" for number in range(1000)]
    keys = [order.sort_key(track_id) for track_id in ids]
    assert len(set(keys)) == 1000
    # Neighbours by id are no neighbours: the first tenth is of all parts.
    first = np.argsort(np.argsort(keys))[:100]
    assert 400 < first.mean() < 600


@pytest.mark.parametrize("fraction", [0, -0.5, 1.01, float("nan")])
def test_a_bad_fraction_is_named(fraction):
    with pytest.raises(ValueError, match=f"train.fraction is {fraction}"):
        order.subset_size(5, fraction)
