"""What is written is read again, and what does not fit is named."""

import numpy as np
import pytest

from studies.label_table import (
    LabelTable,
    SplitLabels,
    read_label_table,
    write_label_table,
)
from studies.records import RunRecordError


def labels_of(num_clips: int, num_tags: int, truth: bool) -> SplitLabels:
    random = np.random.default_rng(num_clips)
    tags = random.integers(0, 2, (num_clips, num_tags), dtype=np.uint8)
    ids = np.array([f"clip-é{i}" for i in range(num_clips)], dtype=np.str_)
    return SplitLabels(ids, tags, 1 - tags if truth else None)


@pytest.mark.parametrize("num_tags", [1, 8, 50])
def test_a_table_is_read_as_it_was_written(tmp_path, num_tags):
    names = tuple(f"tag {k}" for k in range(num_tags))
    splits = {
        "valid": labels_of(3, num_tags, truth=True),
        "test": labels_of(5, num_tags, truth=False),
        "train": labels_of(0, num_tags, truth=False),
    }
    write_label_table(tmp_path / "labels.npz", LabelTable(names, splits))
    found = read_label_table(tmp_path / "labels.npz")
    assert found.tag_names == names
    assert list(found.splits) == ["valid", "test", "train"]
    for split, expected in splits.items():
        labels = found.splits[split]
        assert labels.track_id.tolist() == expected.track_id.tolist()
        assert labels.tags.dtype == np.uint8
        np.testing.assert_array_equal(labels.tags, expected.tags)
        assert (labels.true_tags is None) == (expected.true_tags is None)
        if labels.true_tags is not None:
            np.testing.assert_array_equal(labels.true_tags, expected.true_tags)
    assert [path.name for path in tmp_path.iterdir()] == ["labels.npz"]


def test_labels_that_do_not_fit_are_refused(tmp_path):
    table = LabelTable(("rock",), {"test": labels_of(3, 2, truth=False)})
    with pytest.raises(ValueError, match=r"test tags has shape \(3, 2\).* for \(3, 1"):
        write_label_table(tmp_path / "labels.npz", table)
    assert list(tmp_path.iterdir()) == []


def test_another_file_is_named(tmp_path):
    path = tmp_path / "labels.npz"
    np.savez(path, tag_names=np.array(["rock"]), other=np.zeros(2))
    with pytest.raises(RunRecordError, match=r"labels.npz has no 'splits', but other"):
        read_label_table(path)
    with pytest.raises(RunRecordError, match=r"nowhere.npz cannot be read"):
        read_label_table(tmp_path / "nowhere.npz")
