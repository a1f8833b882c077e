"""Points that somebody chose, from made-up runs of chosen skill."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from msd_tagger.pages import style
from studies import comparison
from studies.records import read_sweep_record
from studies.sections import sweep
from studies.study_report import write_report_of
from tests import records, sweeps

RATES = {"slow": 0.001, "usual": 0.005, "fast": 0.02}
CALM = {"jitter": 0.001, "own_noise": 0.3, "num_seeds": 4}


def write(workdir, points, keys, **config):
    """A study whose points have some skills, and change keys as given."""
    sweeps.write_sweep(workdir, points)
    return write_config(workdir, keys, **config)


def write_config(workdir, keys, **config):
    asked = [[name, list(changes.items())] for name, changes in keys.items()]
    config = {"task": "sweep", "name": "mine", "sweep": asked} | config
    records.write_json(workdir / "config.json", config)
    return read_sweep_record(workdir)


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    """Two rates that are alike, and a better one; one point never ran."""
    skills = {"slow": 0.8, "usual": 0.8, "fast": 2.0}
    points = {
        name: CALM | {"skill": skill, "noise_seed": 10 * row}
        for row, (name, skill) in enumerate(skills.items())
    }
    keys = {name: {"train.learning_rate": rate} for name, rate in RATES.items()}
    keys["usual"] = {}  # As the study has it.
    keys["lost"] = {"train.learning_rate": 0.1}
    return write(
        tmp_path_factory.mktemp("rates"), points, keys, train={"learning_rate": 0.005}
    )


@pytest.fixture(scope="module")
def study(record):
    return sweep.study(record)


def test_what_differs_is_told_and_what_does_not_is_not(study):
    weak = next(one for one in study.paragraphs if one.startswith("Against the weak"))
    assert weak.startswith("Against the weak labels, 2 of 3 differences can be told")
    assert "fast − slow (+0." in weak and "fast − usual (+0." in weak
    assert "usual − slow" not in weak
    assert "corrected for their number" in study.paragraphs[-1]


def test_verdicts_are_corrected_for_the_number_of_pairs(record, study):
    points = record.points
    placed = comparison.place(points, "weak")
    found = sweep.compare_all(points, placed, "weak")
    assert len(found) == 3
    table = next(one for one in study.tables if "differs" in one.header)
    ends = [tuple(one) for one in table.frame["95 %"]]
    assert ends == [one.interval(3) for one in found]
    assert [one.answer(3) for one in found] == list(table.frame["differs"])
    assert [*table.strong] == [1, 2]


def test_what_was_done_is_said(study):
    first = study.paragraphs[0]
    assert study.title == "mine: points compared"
    assert first.startswith("3 points, 4 seed(s) each, scored on 160 test clips.")
    assert "They differ in train.learning_rate." in first
    assert "Not complete: lost is missing." in first


def test_one_number_is_an_axis(record, study):
    frame = study.illustrations[0].frame
    assert list(frame["train.learning_rate"]) == sorted(RATES.values())
    assert list(frame["point"]) == ["slow", "usual", "fast"]
    assert ((frame["low"] < frame["mean"]) & (frame["mean"] < frame["high"])).all()
    settings = sweep.settings_of(record)
    assert sweep.axis_of(settings).loc["usual"] == 0.005
    placed = comparison.place(record.points, "weak")
    scores = sweep.scores_of(record.points, placed, "weak")
    axis = pd.Series(RATES, name="train.learning_rate")
    [axes] = sweep.points_and_intervals(scores, "weak", axis).axes
    assert axes.get_xscale() == "log"
    names = [one.get_text() for one in axes.get_xticklabels()]
    assert names == ["0.001", "0.005", "0.02"]
    near = axis.map({0.001: 1.0, 0.005: 2.0, 0.02: 3.0})
    [axes] = sweep.points_and_intervals(scores, "weak", near).axes
    assert axes.get_xscale() == "linear"


@pytest.mark.parametrize(
    "values",
    [
        {"a": {"x": 1, "y": 2}, "b": {"x": 2, "y": 3}},
        {"a": {"x": "db"}, "b": {"x": "linear"}},
        {"a": {"x": True}, "b": {"x": False}},
        {"a": {"x": [[2, 4]]}, "b": {"x": [[4, 4]]}},
    ],
)
def test_other_points_are_named(values, tmp_path):
    points = {name: {"noise_seed": row} for row, name in enumerate(values)}
    record = write(tmp_path, points, values)
    assert sweep.axis_of(sweep.settings_of(record)) is None
    drawn = sweep.study(record).illustrations[0].draw()
    assert [one.get_text() for one in drawn.axes[0].get_yticklabels()] == ["a", "b"]


def test_points_of_other_seeds_are_one(tmp_path):
    keys = {"first": {"seed": 0}, "other": {"x": 1}, "second": {"seed": 2, "x": 0}}
    points = {name: {"noise_seed": row} for row, name in enumerate(keys)}
    sweeps.write_sweep(tmp_path, points)
    path = tmp_path / "points" / "second" / "config.json"
    records.write_json(path, sweeps.make_point_config(2) | {"seed": 2})
    record = write_config(tmp_path, keys, x=0)
    study = sweep.study(record)
    assert "first, second differ in their seeds alone and are one point, first." in (
        study.paragraphs
    )
    assert study.paragraphs[0].startswith("2 points, 2 or 4 seed(s)")
    joined, _ = sweep.join_seeds(record.points, sweep.settings_of(record))
    assert comparison.seed_numbers(joined["first"]) == [0, 1, 2, 3]
    both = [comparison.auc(record.points[name]) for name in ("first", "second")]
    np.testing.assert_array_equal(comparison.auc(joined["first"]), np.concatenate(both))
    scores = joined["first"].arrays["predictions_test"]["scores"]
    assert scores.shape[0] == 4
    mean = joined["first"].summary["scores"]["test"]["weak"]["mean"]["roc_auc_macro"]
    assert mean == pytest.approx(np.concatenate(both).mean())


def test_the_same_run_twice_is_refused(tmp_path):
    record = write(tmp_path, {"a": {}, "b": {}}, {"a": {"x": 1}, "b": {"x": 1}})
    with pytest.raises(ValueError, match="a and b are the same run: both have seed 0"):
        sweep.study(record)
    # The report says so in place of its section.
    page = write_report_of(tmp_path).with_suffix(".md").read_text()
    assert "a and b are the same run" in page and "2 of 2 points complete" in page


def test_a_point_has_the_value_that_it_trained_with(tmp_path):
    half = {"train.fraction": 0.5}
    keys = {"steps": half, "epochs": half | {"train.max_epochs": 12}}
    points = {name: {"noise_seed": row} for row, name in enumerate(keys)}
    sweeps.write_sweep(tmp_path, points)
    for name, epochs in (("steps", 24.0), ("epochs", 12.0)):
        path = tmp_path / "points" / name / "config.json"
        config = json.loads(path.read_text())
        config["train"] |= {"fraction": 0.5, "max_epochs": epochs}
        records.write_json(path, config)
    record = write_config(tmp_path, keys, train={"fraction": 1.0, "max_epochs": 12.0})
    settings = sweep.settings_of(record)
    assert settings["train.max_epochs"].map(repr).tolist() == ["24.0", "12.0"]
    assert sweep.study(record).paragraphs[0].startswith("2 points, 2 seed(s) each")


def test_one_seed_or_chance_decides_nothing(tmp_path):
    keys = {"a": {"x": 1}, "b": {"x": 2}}
    single = {name: {"num_seeds": 1, "noise_seed": n} for n, name in enumerate(keys)}
    said = sweep.study(write(tmp_path / "one", single, keys)).paragraphs[1]
    assert "0 of 1 differences" in said and "A point has one seed" in said
    guessing = {name: {"skill": 0.0, "noise_seed": n} for n, name in enumerate(keys)}
    said = sweep.study(write(tmp_path / "guess", guessing, keys)).paragraphs[1]
    assert "0 of 1 differences" in said and "cannot be told from chance, their" in said


def test_without_points_a_sentence_says_so(tmp_path):
    study = sweep.study(write(tmp_path, {}, {"a": {"x": 1}}))
    assert study.paragraphs == ["No point is complete and could be scored."]


def test_the_baseline_stands_beside(tmp_path):
    keys = {"a": {"x": 1}, "b": {"x": 2}}
    for row, name in enumerate(keys):
        folder = tmp_path / "points" / name
        records.write_record(folder, num_tags=4, num_clips=60, empty_tags=())
        records.write_json(folder / "config.json", records.make_config(3) | {"x": row})
    records.write_json(tmp_path / "environment.json", records.make_environment())
    record = write_config(tmp_path, keys)
    study = sweep.study(record)
    table = study.tables[0]
    assert table.header[-2:] == ["linear baseline", "network − baseline"]
    baseline = record.points["a"].summary["baseline"]["scores"]["test"]["weak"]["mean"]
    frame = study.illustrations[0].frame
    assert set(frame["baseline"]) == {baseline["roc_auc_macro"]}
    gap = frame["mean"][0] - baseline["roc_auc_macro"]
    assert table.rows[0][-1].startswith(f"{gap:+.4f}".replace("-", "−"))
    style.svg(study.illustrations[0].draw, "dark")
    assert study.illustrations[0].caption.endswith("Diamonds: the linear baseline.")


def test_runs_lie_over_each_other(record):
    lines = [one for one in records.make_metrics(4) if one["kind"] == "evaluation"]
    points = {
        name: dataclasses.replace(one, evaluations=lines[: 5 + row])
        for row, (name, one) in enumerate(record.points.items())
    }
    curves = sweep.study(dataclasses.replace(record, points=points)).illustrations[-1]
    assert curves.name == "sweep_curves"
    frame = curves.frame
    assert frame.groupby("point", sort=False).size().to_dict() == {
        name: 5 + row for row, name in enumerate(points)
    }
    assert frame["step"][0] == lines[0]["step"]
    assert frame["mean"][0] == pytest.approx(np.mean(lines[0]["roc_auc_macro"]))
    style.svg(curves.draw, "dark")
