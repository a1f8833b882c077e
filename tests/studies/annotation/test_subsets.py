"""Which clips are heard: as many with a label as without, and always the same."""

import numpy as np
import pytest

from studies.annotation.subsets import (
    balanced_subset,
    random_subset,
    shortages,
    subsets_of,
)
from studies.label_table import LabelTable, SplitLabels

LABELS = ("guitar", "female vocalists")
IDS = np.array([f"clip-{i:04d}" for i in range(1000)])
TAGGED = np.random.default_rng(0).random((1000, 2)) < (0.06, 0.3)


def sides(subset):
    """Clips with and without each label, of those asked about it."""
    return [
        (int((subset.asked & side).sum(axis=0)[k]))
        for k in range(len(subset.labels))
        for side in (subset.tagged, ~subset.tagged)
    ]


def test_half_of_the_clips_asked_about_a_label_carry_it():
    subset = balanced_subset(IDS, TAGGED, LABELS, per_side=50)
    assert sides(subset) == [50, 50, 50, 50]
    assert subset.track_id.tolist() == IDS[subset.rows].tolist()
    np.testing.assert_array_equal(subset.tagged, TAGGED[subset.rows])
    assert len(set(subset.rows)) == len(subset.rows) <= 200
    assert subset.asked.any(axis=1).all() and not subset.asked.all()
    assert shortages(subset) == []
    # The order gives nothing away: labels come mixed.
    assert 15 < subset.tagged[subset.asked[:, 0], 0][:50].sum() < 35


@pytest.mark.parametrize("draw", [balanced_subset, random_subset])
def test_a_sample_is_a_function_of_seed_and_ids(draw):
    order = np.random.default_rng(1).permutation(1000)
    first, shuffled = draw(IDS, TAGGED, LABELS), draw(IDS[order], TAGGED[order], LABELS)
    assert first.track_id.tolist() == shuffled.track_id.tolist()
    assert first.digest == shuffled.digest
    other = draw(IDS, TAGGED, LABELS, seed=1)
    assert len(set(first.track_id) & set(other.track_id)) < 0.7 * len(first.rows)
    assert other.digest != first.digest


def test_a_smaller_sample_is_inside_of_a_larger_one():
    small = random_subset(IDS, TAGGED, LABELS, size=40)
    large = random_subset(IDS, TAGGED, LABELS, size=400)
    assert large.track_id[:40].tolist() == small.track_id.tolist()
    assert large.asked.all() and len(large.rows) == 400
    half = balanced_subset(IDS, TAGGED, LABELS, per_side=25)
    whole = balanced_subset(IDS, TAGGED, LABELS, per_side=50)
    assert set(half.track_id) <= set(whole.track_id)


def test_a_sample_is_spread_over_the_corpus():
    drawn = random_subset(IDS, TAGGED, LABELS, size=400).rows
    assert abs(drawn.mean() - 499.5) < 40  # 3 deviations of the mean.


def test_too_few_clips_are_taken_and_named():
    subset = balanced_subset(IDS[:30], TAGGED[:30], LABELS)
    with_label = TAGGED[:30].sum(axis=0)
    assert sides(subset)[0::2] == with_label.tolist()
    assert len(shortages(subset)) == 4
    assert shortages(subset)[0] == (
        f"The train split has {with_label[0]} clips with the label guitar, not 50."
    )
    short = random_subset(IDS[:30], TAGGED[:30], LABELS)
    assert shortages(short) == ["The test split has 30 clips, not 400."]


def test_both_come_from_their_splits():
    tags = np.concatenate([TAGGED[:, :1], TAGGED[:, ::-1]], axis=1).astype(np.uint8)
    names = ("rock", "female vocalists", "guitar")
    splits = {
        "train": SplitLabels(IDS[:900], tags[:900]),
        "test": SplitLabels(IDS[900:], tags[900:]),
    }
    options = {"annotated_labels": LABELS}
    hundred, four_hundred = subsets_of(LabelTable(names, splits), options)
    assert set(hundred.track_id) <= set(IDS[:900])
    assert set(four_hundred.track_id) == set(IDS[900:])
    np.testing.assert_array_equal(hundred.tagged, TAGGED[:900][hundred.rows])
    only_test = LabelTable(names, {"test": splits["test"]})
    assert len(subsets_of(only_test, options)[0].rows) == 0
    some = subsets_of(only_test, {"annotated_labels": ("guitar", "drums")})
    assert some[1].labels == ("guitar",)
    with pytest.raises(ValueError, match=r"judge \(drums\)\. It has rock"):
        subsets_of(only_test, {"annotated_labels": ("drums",)})
    many = LabelTable(tuple(f"tag {number}" for number in range(1000)), {})
    with pytest.raises(ValueError, match=r", tag 49 and 950 more; choose some of"):
        subsets_of(many, {"annotated_labels": ("drums",)})
