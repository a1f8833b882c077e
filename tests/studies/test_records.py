"""Reading run records, whole, damaged and with parts missing."""

import json

import numpy as np
import pytest

from msd_tagger.common import workspace
from studies import records
from tests.records import write_json, write_record


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


def edit(path, **changes):
    """Changes values of a JSON file; dots go into objects."""
    content = json.loads(path.read_text())
    for key, value in changes.items():
        *parts, last = key.split("__")
        node = content
        for part in parts:
            node = node[int(part) if part.isdecimal() else part]
        node[last] = value
    path.write_text(json.dumps(content))


PER_SEED = "scores__test__weak__per_seed"
EDITS = {
    "no text": ({"tags__2": 5}, r"tags\[2\] is 5; it must be text"),
    "too few": ({"tags": ["a"]}, r"roc_auc_per_tag has the size 6, .*tags has 1"),
    "no scores": ({PER_SEED: {}}, r"per_seed has the size 0, .*best_step has 3"),
    "no object": ({"scores": []}, r"scores is \[\]; it must be an object"),
    "above 1": ({f"{PER_SEED}__0__roc_auc_macro": 1e9}, "roc_auc_macro is 1000000000"),
    "negative": ({"steps": -4}, "steps is -4; it must be a whole number from 0"),
    "huge": ({"train_seconds": 1e300}, "train_seconds is 1e.300"),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_summary_of_another_form_is_named(workdir, name):
    changes, message = EDITS[name]
    content = json.loads((workdir / "summary.json").read_text())
    content["tags"], changes = list(content["tags"]), dict(changes)
    if "tags__2" in changes:
        content["tags"][2] = changes.pop("tags__2")
        (workdir / "summary.json").write_text(json.dumps(content))
    edit(workdir / "summary.json", **changes)
    with pytest.raises(records.RunRecordError, match=rf"summary\.json: .*{message}"):
        records.read_run_record(workdir)


def test_arrays_that_do_not_fit_the_summary_are_named(workdir):
    path = workdir / "predictions_test.npz"
    arrays = dict(np.load(path))
    for name, array, message in (
        ("scores", arrays["scores"][:2], "scores has the size 2, .*best_step has 3"),
        ("tags", arrays["tags"][:, :5], "tags has the size 5, and .*tags has 6"),
        ("tags", arrays["tags"] / 2, "tags is float64"),
        ("scores", np.full((3, 40, 6), np.nan), "scores has values that are not finit"),
    ):
        np.savez(path, **arrays | {name: array})
        with pytest.raises(records.RunRecordError, match=message):
            records.read_run_record(workdir)
    np.savez(path, **{k: v for k, v in arrays.items() if k != "scores"})
    with pytest.raises(records.RunRecordError, match=r"_test\.npz has no 'scores'"):
        records.read_run_record(workdir)


def test_lines_that_are_no_numbers_of_this_run_are_named(workdir):
    path = workdir / "metrics.jsonl"
    whole = path.read_text()
    for line, message in (
        ('{"kind": "train", "step": 1}', "line 76 has no 'loss', but kind, step"),
        ("[1]", "line 76 must hold a JSON object"),
        ('{"kind": ["train"], "step": 1}', r"line 76: kind is \['train'\]; it must be"),
        ('{"step": 1}', "line 76: kind is None; it must be text"),
        ('{"kind": "train", "step": 1, "loss": [1, 2], "clips_per_s": 3}', "size 2"),
    ):
        path.write_text(f"{whole}{line}\n")
        with pytest.raises(records.RunRecordError, match=message):
            records.read_run_record(workdir)


def test_points_that_were_not_trained_alike_are_named(tmp_path):
    for name in "abc":
        write_record(tmp_path / "points" / name, num_tags=6, num_clips=40)
    edit(tmp_path / "points/b/config.json", train__batch_size=32)
    for changed, expected in (
        (
            "seed",
            r"batch_size is 16 in a, c and 32 in b\. Move .* in another --workdir",
        ),
        ("train.batch_size", None),
    ):
        sweep = [[name, [[changed, 1]]] for name in "abc"]
        for file, content in (("config", {"sweep": sweep}), ("environment", {})):
            write_json(tmp_path / f"{file}.json", content)
        if expected is None:
            assert len(records.read_sweep_record(tmp_path).points) == 3
            continue
        with pytest.raises(records.RunRecordError, match=expected):
            records.read_sweep_record(tmp_path)


def test_a_complete_record_that_was_altered_is_refused(workdir):
    workspace.seal(workdir)
    records.read_run_record(workdir)
    (workdir / "predictions_valid.npz").unlink()  # Who needs the space may do so.
    records.read_run_record(workdir)
    edit(workdir / "summary.json", steps=601)
    with pytest.raises(
        records.RunRecordError, match=r"summary\.json was altered.*seal"
    ):
        records.read_run_record(workdir)
    (workdir / "seal.json").write_text("{")
    with pytest.raises(records.RunRecordError, match=r"seal\.json was altered"):
        records.read_run_record(workdir)
    (workdir / "seal.json").unlink()
    assert records.read_run_record(workdir).summary["steps"] == 601


@pytest.mark.parametrize("sweep", [3, ["a"], [["a"]], [[["a"], {}]], [[5, {}]]])
def test_points_that_are_none_are_named(tmp_path, sweep):
    write_json(tmp_path / "config.json", {"sweep": sweep})
    with pytest.raises(records.RunRecordError, match=r"config\.json: sweep"):
        records.read_sweep_record(tmp_path)


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
