"""Runs that were trained one by one, read as the points of one study."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from modes import MainOptions
from modes.compare import start
from studies import comparison, runs
from studies.sections import sweep
from tests import records, sweeps

USUAL = {"seed": 0, "num_seeds": 2, "train.learning_rate": 0.005, "shards": "x-1"}


def write(folder, matter=(), **changes):
    """A complete run, and what its result depends on."""
    sweeps.write_point(folder, **changes)
    matter = USUAL | dict(matter)
    records.write_json(folder / "matter.json", matter)
    edit(folder / "config.json", seed=matter["seed"])
    rate = {"learning_rate": matter["train.learning_rate"], "log_every_steps": 20}
    edit(folder / "config.json", train={"fraction": 1.0} | rate)
    return str(folder)


def edit(path, **changes):
    records.write_json(path, json.loads(path.read_text()) | changes)


@pytest.fixture
def two(tmp_path):
    """Two runs of other rates."""
    faster = {"train.learning_rate": 0.02, "shards": "x-2"}
    return [write(tmp_path / "a"), write(tmp_path / "b", faster, skill=2.0)]


def test_what_the_runs_differ_in_is_listed(two, tmp_path):
    record = runs.gather(two, tmp_path / "out")
    assert record.config["sweep"] == [
        ("a", [("train.learning_rate", 0.005)]),
        ("b", [("train.learning_rate", 0.02)]),
    ]
    assert record.config["train"] == {"fraction": 1.0, "log_every_steps": 20}
    study = sweep.study(record)
    assert study.title == "out: points compared"
    assert study.illustrations[0].frame["train.learning_rate"].tolist() == [0.005, 0.02]


def test_what_follows_from_keys_is_named_where_it_alone_differs(two, tmp_path):
    two.append(write(tmp_path / "c", {"shards": "x-3"}, noise_seed=5))
    [keys] = {
        tuple(key for key, _ in changes)
        for _, changes in runs.gather(two, tmp_path / "out").config["sweep"]
    }
    assert keys == ("shards", "train.learning_rate")


def test_runs_by_other_contents_of_one_file_are_not_one(two, tmp_path):
    for folder, content in zip(two, ("0a", "0b"), strict=True):
        same = {"train.learning_rate": 0.005, "shards": "x-1", "seed": 5}
        matter = USUAL | same | {"train.class_weights": content}
        records.write_json(Path(folder) / "matter.json", matter)
        train = {"fraction": 1.0, "learning_rate": 0.005, "class_weights": "w.csv"}
        edit(Path(folder) / "config.json", train=train, seed=5)
    record = runs.gather(two, tmp_path / "out")
    assert record.config["sweep"] == [
        ("a", [("train.class_weights", "0a")]),
        ("b", [("train.class_weights", "0b")]),
    ]
    said = sweep.study(record).paragraphs[0]
    assert said.startswith("2 points") and "differ in train.class_weights." in said


def test_seeds_of_other_folders_are_seeds(two, tmp_path):
    two.append(write(tmp_path / "c", {"seed": 2}, noise_seed=5))
    study = sweep.study(runs.gather(two, tmp_path / "out"))
    assert study.paragraphs[0].startswith("2 points, 2 or 4 seed(s) each")
    assert study.paragraphs[1].startswith("a, c differ in their seeds alone")


def test_networks_and_times_of_joined_runs_are_counted(two, tmp_path):
    two.append(write(tmp_path / "c", {"seed": 2}, noise_seed=5))
    lasting = (([90, 100], 100), ([100, 100], 100), ([60, 120], 120))
    for folder, (best, steps) in zip(two, lasting, strict=True):
        new = {"best_step": best, "steps": steps, "train_seconds": float(steps)}
        edit(Path(folder) / "summary.json", **new)
    record = runs.gather(two, tmp_path / "out")
    points, _ = sweep.join_seeds(record.points, sweep.settings_of(record))
    said = comparison.scope(record, points, "")["cut"]
    # Of a and c one each, and both of b: 100 is not the last step of a longer run.
    assert said == " 3 of 6 networks were best at their last evaluation."
    assert points["a"].summary["train_seconds"] == 220


def test_the_report_is_written_where_it_is_asked_for(two, tmp_path, capsys):
    out = tmp_path / "new" / "compared"
    options = MainOptions(mode="compare", out=str(out), files=tuple(two))
    before = sorted(tmp_path.rglob("*"))
    start(options)
    assert "1 of 1 differences can be told" in (out / "report.md").read_text()
    assert (out / "report.html").exists()
    assert (out / "numbers" / "sweep_points.csv").exists()
    said = capsys.readouterr().out
    assert "b − a (+" in said and said.endswith(f"report: {out / 'report.html'}\n")
    written = {
        one for one in tmp_path.rglob("*") if out.parent not in (one, *one.parents)
    }
    assert sorted(written) == before
    with pytest.raises(ValueError, match=r"compared holds files \(.*new or empty fol"):
        start(options)


def alter(folder, name):
    """Makes a run one that cannot be compared, as the name says."""
    path = folder / "predictions_test.npz"
    arrays = dict(np.load(path))
    match name:
        case "clips":
            arrays["track_id"][0] = "clip-other"
        case "labels":
            arrays["tags"][0, 0] ^= 1
        case "corpus":
            edit(folder / "summary.json", corpus=records.SYNTHETIC | {"version": "2"})
        case "tags":
            summary = json.loads((folder / "summary.json").read_text())
            tags = [*summary["tags"][:-1], "happy"]
            edit(folder / "summary.json", tags=tags)
        case "unfinished":
            edit(folder / "summary.json", complete=False)
        case "begun":
            (folder / "summary.json").unlink()
        case "untested":
            return path.unlink()
        case "unknown":
            (folder / "matter.json").unlink()
        case "study":
            (folder / "points" / "x").mkdir(parents=True)
        case "lost":
            return shutil.rmtree(folder)
    return np.savez(path, **arrays)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("clips", r"b cannot be compared with .*a: .* on 160 clips, .* 159 are in"),
        ("labels", r"b cannot be compared with .*a: its test clips have other labels"),
        ("corpus", r"b cannot .*: its corpus is synthetic 2 and not synthetic 1\.0"),
        ("tags", r"b cannot .*: its 6 tags differ, only one of the two has happy"),
        ("unfinished", r"b is not complete; give its command again"),
        ("begun", r"b holds no complete run record: summary\.json missing"),
        ("untested", r"b has no predictions_test\.npz"),
        ("unknown", r"b.matter\.json cannot be read: No such file"),
        ("study", r"b is a study; name its runs, such as .*points/\*"),
        ("lost", r"b is not a directory"),
    ],
)
def test_what_cannot_be_compared_is_refused(name, message, two, tmp_path):
    alter(tmp_path / "b", name)
    options = MainOptions(mode="compare", out=str(tmp_path / "out"), files=tuple(two))
    with pytest.raises(ValueError, match=message):
        start(options)
    assert not (tmp_path / "out").exists()


def test_two_different_folders_are_needed(two, tmp_path):
    with pytest.raises(ValueError, match="name two or more folders of runs"):
        runs.gather(two[:1], tmp_path / "out")
    with pytest.raises(ValueError, match="a is named twice"):
        runs.gather([*two, f"{two[0]}/"], tmp_path / "out")
    write(tmp_path / "c", {"seed": 1})
    with pytest.raises(ValueError, match="a and c are the same run: both have seed 1"):
        sweep.study(runs.gather([two[0], str(tmp_path / "c")], tmp_path / "out"))


def test_runs_of_one_name_are_named_by_their_folders(two, tmp_path):
    shutil.move(two[1], tmp_path / "more" / "a")
    names = [two[0], str(tmp_path / "more" / "a")]
    assert list(runs.gather(names, tmp_path / "out").points) == names
