"""Reading run records, whole, damaged and with parts missing."""

import json

import numpy as np
import pytest

from studies import records
from tests.records import write_record


@pytest.fixture
def workdir(tmp_path):
    return write_record(tmp_path / "run", num_tags=6, num_clips=40)


def test_reads_everything(workdir):
    record = records.read_run_record(workdir)
    assert record.summary["num_seeds"] == 3
    assert len(record.train) == 60 and len(record.evaluations) == 15
    assert record.arrays["predictions_test"]["scores"].shape == (3, 40, 6)
    assert "label_vectors" not in record.arrays


@pytest.mark.parametrize("name", records.REQUIRED)
def test_a_missing_required_file_is_named(workdir, name):
    (workdir / name).unlink()
    with pytest.raises(records.RunRecordError, match=f"{name} missing"):
        records.read_run_record(workdir)


def test_no_directory(tmp_path):
    with pytest.raises(ValueError, match="nowhere is not a directory"):
        records.read_run_record(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("summary.json", b"{"),
        ("config.json", b"[1]"),
        ("environment.json", b"\xff\xfe"),
        ("label_stats.npz", b"not an archive"),
    ],
)
def test_a_damaged_file_is_named(workdir, name, content):
    (workdir / name).write_bytes(content)
    with pytest.raises(records.RunRecordError, match=name):
        records.read_run_record(workdir)


def test_a_cut_last_line_is_forgiven_and_another_is_not(workdir):
    path = workdir / "metrics.jsonl"
    whole = path.read_text()
    path.write_text(whole + '{"kind": "tra')
    assert len(records.read_run_record(workdir).train) == 60
    path.write_text('{"kind": "tra\n' + whole)
    with pytest.raises(records.RunRecordError, match=r"metrics\.jsonl, line 1"):
        records.read_run_record(workdir)


def test_repeated_steps_count_once(workdir):
    path = workdir / "metrics.jsonl"
    again = {"kind": "train", "step": 600, "loss": [9, 9, 9], "clips_per_s": 1}
    path.write_text(path.read_text() + json.dumps(again) + "\n")
    record = records.read_run_record(workdir)
    assert len(record.train) == 60
    assert record.train[-1]["loss"] == [9, 9, 9]


def test_pickles_are_refused(workdir):
    np.savez(workdir / "label_vectors.npz", kernel=np.array([{}], dtype=object))
    with pytest.raises(records.RunRecordError, match=r"label_vectors\.npz"):
        records.read_run_record(workdir)
