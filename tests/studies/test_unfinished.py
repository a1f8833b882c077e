"""What a report shows of a run and of a study that have not come to their end."""

import fcntl
import json
from contextlib import nullcontext

import numpy as np
import pytest

from msd_tagger.common import workspace
from studies import records, unfinished
from studies.report import write_report
from studies.study_report import write_report_of
from tests.made_up_studies import write_sweep
from tests.records import make_config, make_environment, make_metrics, write_json

COMMAND = "python main.py --config=configs/db_mel.py"


def write_begun(workdir, lines=(), num_seeds=2, saved=(), **train):
    """Writes what is in the folder of a run that was stopped."""
    workdir.mkdir(parents=True, exist_ok=True)
    config = make_config(num_seeds)
    config["train"] |= {"max_epochs": 25.0, "max_steps": 0, **train}
    write_json(workdir / "config.json", config)
    write_json(workdir / "environment.json", make_environment())
    write_json(workdir / "matter.json", {"seed": 0})
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (workdir / "metrics.jsonl").write_text(text)
    for step in saved:
        (workdir / "checkpoints" / str(step)).mkdir(parents=True)
    return workdir


def text_of(page):
    return page.read_text(encoding="utf-8")


def test_a_stopped_run_shows_its_curves_and_how_to_go_on(tmp_path):
    lines = make_metrics(2, steps=300)  # Forty steps an epoch.
    workdir = write_begun(tmp_path / "run", lines, saved=(240, 280))
    page = text_of(write_report(workdir))
    assert "Not finished." in page
    assert "up to step 300 of at most 1,000." in page
    assert f"goes on from step 280, which is saved: <code>{COMMAND}</code>" in page
    assert "the best so far of each, mean ± deviation of 2 seeds" in page
    for name in ("training_loss", "validation_roc_auc_macro", "training_speed"):
        assert (workdir / "figures" / f"{name}.png").exists()
    assert not (workdir / "summary.json").exists()
    assert not (workdir / workspace.SEAL).exists()
    assert not records.is_complete(workdir)


@pytest.mark.parametrize("has_file", [True, False])
def test_a_run_that_logged_nothing_yet(tmp_path, has_file):
    workdir = write_begun(tmp_path / "run")
    if not has_file:
        (workdir / "metrics.jsonl").unlink()
    page = text_of(write_report(workdir))
    assert "Nothing is logged yet. Nothing works on it;" in page
    assert "goes on from the start" in page


def test_a_run_without_an_evaluation_and_with_a_cut_line(tmp_path):
    workdir = write_begun(tmp_path / "run", make_metrics(1, steps=20), num_seeds=1)
    with (workdir / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "tra')
    page = text_of(write_report(workdir))
    assert "up to step 20 of at most 1,000" in page
    assert "macro ROC-AUC, validation" not in page


def test_a_run_that_is_under_way_is_left_alone(tmp_path):
    workdir = write_begun(tmp_path / "run", make_metrics(1, steps=40))
    for held, words in (
        (workspace.alone(workdir), "A process works on it now"),
        (nullcontext(), "Nothing works on it"),
    ):
        with held:
            assert words in " ".join(unfinished.notice(read(workdir)))
    with (workdir / "matter.json").open("r+") as file:  # Nothing was left locked.
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def read(workdir):
    return records.read_run_record(workdir, records.BEGUN)


@pytest.mark.parametrize(
    ("changes", "at_most"),
    [
        ({}, 1000),
        ({"max_steps": 700}, 700),
        ({"max_steps": 5000}, 1000),
        ({"max_epochs": 2.51}, 101),
        ({"batch_size": 0}, None),
    ],
)
def test_the_last_step_is_that_of_the_schedule(tmp_path, changes, at_most):
    workdir = write_begun(tmp_path / "run", make_metrics(1, steps=40), **changes)
    assert unfinished.steps(read(workdir)) == (40, at_most)


def test_a_seed_without_a_score_keeps_nothing(tmp_path):
    lines = make_metrics(2, steps=120)
    for line in lines:
        if line["kind"] == "evaluation":
            line["roc_auc_macro"][0] = None
    record = read(write_begun(tmp_path / "run", lines))
    first, second = unfinished.best_so_far(record.evaluations).step
    assert np.isnan(first) and second in (40, 80, 120)


def test_the_best_so_far_is_what_would_be_kept(tmp_path):
    """Not a score that came too late for its seed, nor one of a seed that failed."""
    lines = make_metrics(3, steps=160)
    told = [line for line in lines if line["kind"] == "evaluation"]
    scores = [[0.5, 0.5, 0.5], [0.6, 0.6, 0.7], [0.5, 0.9, 0.6], [0.7, 0.95, None]]
    best = [[1, 1, 1], [1, 1, 1], [0, 0, 0], [1, 0, 0]]
    for line, values, flags in zip(told, scores, best, strict=True):
        line |= {"roc_auc_macro": values, "best": [*map(bool, flags)]}
    found = unfinished.best_so_far(told)
    steps = [line["step"] for line in told]
    assert found.step.tolist()[:2] == [steps[3], steps[1]]
    assert found.score.tolist()[:2] == [0.7, 0.6]
    assert found.loc[2].isna().all()
    # Of a log that does not say so, the highest.
    plain = [{k: v for k, v in line.items() if k != "best"} for line in told]
    assert unfinished.best_so_far(plain).score.tolist()[:2] == [0.7, 0.95]
    page = text_of(write_report(write_begun(tmp_path / "run", lines, num_seeds=3)))
    assert "0.650 ± 0.071" in page and "of each, mean ± deviation of 2 seeds" in page


def test_a_stopped_study_says_which_points_are_there_and_how_far_one_is(tmp_path):
    asked = {"variance": {}, "size-stft-002": {"train.fraction": 0.02}}
    points = {"size-mel-100": {"train.fraction": 1.0}}
    workdir = write_sweep(tmp_path / "study", points, asked, task="sweep")
    write_begun(workdir / "points" / "variance", make_metrics(2, steps=80))
    page = text_of(write_report_of(workdir))
    assert "This page shows complete points alone, 1 of 3." in page
    assert f"<code>{COMMAND}</code>" in page
    assert "variance (step 80 of at most 1,000)" in page
    assert "size-stft-002 (missing)" in page
    assert "Not finished." in text_of(workdir / "report.md")
