"""Differences of points with the spread over seeds and over test clips."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from studies import comparison, judges, resampling
from studies.records import RunRecord
from studies.study import FAILS, HOLDS, UNDECIDED
from tests import sweeps


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    points = {
        "good": {"skill": 2.0, "num_seeds": 3},
        "poor": {"skill": 1.0, "num_seeds": 2, "noise_seed": 7},
        "same": {"skill": 2.0, "num_seeds": 2, "noise_seed": 8},
        "once": {"skill": 1.0, "num_seeds": 1},
        "elsewhere": {"skill": 1.0, "num_clips": 90},
    }
    return sweeps.write_sweep(tmp_path_factory.mktemp("sweep"), points)


def compare(record, pairs, labels="weak"):
    placed = comparison.place(record.points, labels)
    return comparison.compare(record.points, pairs, placed, labels), placed


def test_differences_are_paired_over_the_seeds_that_both_have(record):
    (found,), _ = compare(record, {"gap": ("good", "poor")})
    points = record.points
    good, poor = comparison.auc(points["good"]), comparison.auc(points["poor"])
    assert found.values.tolist() == (good[:2] - poor).tolist()
    assert found.mean == pytest.approx((good[:2] - poor).mean())
    judge = stats.ttest_rel(good[:2], poor).confidence_interval(0.95)
    over_seeds, _ = found.half_widths()
    assert over_seeds == pytest.approx((judge.high - judge.low) / 2)


def test_the_error_over_clips_is_that_of_a_bootstrap_of_both_on_the_same_clips(record):
    (found,), placed = compare(record, {"gap": ("good", "poor")})
    arrays = [record.points[k].arrays["predictions_test"] for k in ("good", "poor")]
    weights = resampling.bootstrap_weights(160, 400)
    moved = [
        resampling.macro_auc(one["tags"], one["scores"], weights) for one in arrays
    ]
    assert found.clips_error == pytest.approx((moved[0] - moved[1]).std(), rel=0.12)
    # Pairing matters: the difference moves less than the two would apart.
    apart = [placed.error({name: 1.0}) for name in ("good", "poor")]
    assert found.clips_error < 0.8 * np.hypot(*apart)


def test_the_interval_holds_both_kinds_of_chance(record):
    (found,), _ = compare(record, {"gap": ("good", "poor")})
    over_seeds, over_clips = found.half_widths()
    low, high = found.interval()
    assert (low + high) / 2 == pytest.approx(found.mean)
    assert (high - low) / 2 == pytest.approx(np.hypot(over_seeds, over_clips))
    low, high = found.interval(claims=5)
    assert over_clips * stats.norm.ppf(0.995) / stats.norm.ppf(0.975) < (high - low) / 2


def test_points_on_other_clips_have_no_interval(record):
    (found,), placed = compare(record, {"gap": ("good", "elsewhere")})
    assert "elsewhere" not in placed.placements
    assert np.isnan(found.interval()).all()
    assert not comparison.excludes_zero(found.interval())
    assert "over test clips unknown" in comparison.sentence(found)
    assert comparison.table("noise_costs", [found]).rows[0][-1] == "unknown (clips)"


def test_networks_that_were_best_at_their_end_are_counted(record):
    last = record.points["poor"]
    summary = last.summary | {"best_step": [90, 100]}
    points = {"poor": dataclasses.replace(last, summary=summary)}
    said = comparison.scope(record, points, "poor")["cut"]
    assert said == " 1 of 2 networks were best at their last evaluation."
    summary = summary | {"best_step": [90, 90]}
    points = {"poor": dataclasses.replace(last, summary=summary)}
    assert comparison.scope(record, points, "poor")["cut"] == ""


def test_missing_points_leave_their_pair_out(record):
    pairs = {"gap": ("good", "nowhere"), "none": ("good", "same")}
    assert [one.name for one in compare(record, pairs)[0]] == ["none"]


def test_one_seed_says_so(record):
    (found,), _ = compare(record, {"gap": ("good", "once")})
    assert "spread over seeds unknown" in comparison.sentence(found)
    assert comparison.table("noise_costs", [found]).rows[0][-1] == "unknown (seeds)"


def of_scores(values, seeds, name="a"):
    """A run of which only these seeds' scores are known."""
    per_seed = [{"roc_auc_macro": float(one)} for one in values]
    scores = {"test": {"weak": {"per_seed": per_seed}}}
    summary = {"scores": scores, "seeds": list(seeds), "num_seeds": len(values)}
    return RunRecord(Path(name), {}, None, {}, [], [], summary, {})


def test_other_seeds_are_compared_by_the_scatter_of_each():
    first, second = (0.71, 0.72, 0.75), (0.80, 0.81)
    points = {"a": of_scores(first, (0, 1, 2)), "b": of_scores(second, (2, 7))}
    placed = comparison.Placed(np.empty((0, 0)), {})
    [found] = comparison.compare(points, {"b − a": ("b", "a")}, placed)
    judge = stats.ttest_ind(second, first, equal_var=False).confidence_interval(0.95)
    assert found.mean == pytest.approx(np.mean(second) - np.mean(first))
    half = found.half_widths()[0]
    assert [found.mean - half, found.mean + half] == pytest.approx(list(judge))
    assert comparison.average("", [found], placed).half_widths()[0] is not half
    points["b"] = of_scores(second, (1, 2))  # Two in common: pairs.
    [found] = comparison.compare(points, {"b − a": ("b", "a")}, placed)
    assert found.unpaired is None and found.values.tolist() == pytest.approx(
        [0.08, 0.06]
    )
    points["b"] = of_scores((0.8,), (5,))
    [found] = comparison.compare(points, {"b − a": ("b", "a")}, placed)
    assert np.isnan(found.half_widths()[0])


@pytest.mark.parametrize("num_seeds", [2, 3, 15])
def test_other_seeds_differ_by_chance_as_rarely_as_promised(num_seeds):
    rng, placed = (
        np.random.default_rng(num_seeds),
        comparison.Placed(np.empty((0, 0)), {}),
    )
    wrong = 0
    for _ in range(400):
        points = {
            name: of_scores(
                rng.normal(0.7, std, num_seeds), np.arange(num_seeds) + start
            )
            for name, std, start in (("a", 0.002, 0), ("b", 0.02, 100))
        }
        [one] = comparison.compare(points, {"b − a": ("b", "a")}, placed)
        wrong += abs(one.mean) > one.half_widths()[0]
    assert wrong <= stats.binom.ppf(0.999, 400, 0.05)


@pytest.mark.parametrize("values", [(0.1, 0.1), (0.8 - 0.7, 0.9 - 0.8)])
def test_equal_differences_are_no_certainty(values):
    one = comparison.Comparison("", {}, pd.Series(values), 0.1, 0.01, is_informed=True)
    assert one.answer() == "unknown (seeds)"


def test_a_point_that_scatters_more_than_others_is_near_chance_more_easily():
    points = {f"{k}": of_scores((0.7, 0.701, 0.702), range(3)) for k in range(6)}
    points["wild"] = of_scores((0.51, 0.60, 0.51), range(3))
    placed = comparison.Placed(np.empty((0, 0)), {})
    assert comparison.informed(points, "weak", placed) == {*points} - {"wild"}


@pytest.mark.parametrize(("num_seeds", "about"), [(2, 1 / 8), (15, 1 / 30)])
def test_networks_at_chance_pass_as_often_as_is_said(num_seeds, about):
    """Of a deviation five times that of the others, as docs/studies.md says."""
    rng, placed = np.random.default_rng(0), comparison.Placed(np.empty((0, 0)), {})
    passed = 0
    for _ in range(600):
        quiet = rng.normal(0.7, 0.004, (6, num_seeds))
        points = {
            f"{k}": of_scores(one, range(num_seeds)) for k, one in enumerate(quiet)
        }
        points["wild"] = of_scores(rng.normal(0.5, 0.02, num_seeds), range(num_seeds))
        passed += "wild" in comparison.informed(points, "weak", placed)
    assert passed / 600 == pytest.approx(about, abs=0.035)


def test_a_row_says_whether_the_sides_differ(record):
    pairs = {"gap": ("good", "poor"), "none": ("good", "same")}
    found, _ = compare(record, pairs, "true")
    table = comparison.table("noise_costs", found)
    assert [row[-1] for row in table.rows] == ["yes", "cannot be said"]
    assert table.strong == [0]


def test_the_mean_of_pairs_is_that_of_their_points(record):
    pairs = {"gap": ("good", "poor"), "none": ("good", "same")}
    found, placed = compare(record, pairs)
    mean = comparison.average("mean", found, placed)
    assert mean.mean == pytest.approx((found[0].mean + found[1].mean) / 2)
    of_seeds = (found[0].values + found[1].values) / 2
    assert mean.seeds_error == pytest.approx(of_seeds.std() / np.sqrt(2))
    weights = {"good": 1.0, "poor": -0.5, "same": -0.5}
    assert mean.clips_error == pytest.approx(placed.error(weights))
    assert comparison.average("mean", [], placed) is None


def test_scores_near_chance_are_seen(tmp_path):
    points = {
        "good": {"skill": 2.0},
        "dull": {"skill": 0.0},
        "dim": {"skill": 0.0, "noise_seed": 3},
    }
    record = sweeps.write_sweep(tmp_path, points)
    (one, none), _ = compare(record, {"a": ("good", "dull"), "b": ("dim", "dull")})
    assert one.is_informed and not none.is_informed
    assert comparison.table("noise_costs", [none]).rows[0][-1] == "both near chance"


def test_labels_that_not_every_point_has_are_left_out(tmp_path):
    points = {"a": {}, "b": {"with_truth": False}}
    record = sweeps.write_sweep(tmp_path, points)
    assert comparison.known_labels(record.points) == ["weak"]
    assert comparison.known_labels(record.select("a")) == ["weak", "true"]
    assert comparison.known_labels({}) == []


def test_gaps_are_points_seeds_and_scores_that_are_not_there(record):
    lost = [{"seed": 3, "number": 1, "step": 9, "reason": "its loss is NaN"}]
    once = record.points["once"]
    nothing = {"test": {"weak": {"per_seed": [{"roc_auc_macro": None}]}}}
    points = {
        "good": record.points["good"],
        "lost": dataclasses.replace(
            once, summary=once.summary | {"failed_seeds": lost}
        ),
        "none": dataclasses.replace(once, summary=once.summary | {"scores": nothing}),
    }
    part = dataclasses.replace(record, points=points, missing=("away", "good-2"))
    assert comparison.gaps(part, "lo", "no", "aw", "good") == [
        "away is missing",
        "good-2 is missing",
        "lost failed with seed 3",
        "none has no score",
    ]
    assert comparison.gaps(part, "good") == ["good-2 is missing"]
    assert comparison.gaps(record, "") == []


def test_what_is_near_chance_neither_holds_nor_fails(record):
    (gap,), _ = compare(record, {"gap": ("good", "poor")})
    assert judges.differences([gap], 0, np.inf, "")[0] == HOLDS
    assert judges.differences([gap], -np.inf, 0, "")[0] == FAILS
    dull = dataclasses.replace(gap, name="dull", is_informed=False)
    for found, below in (([dull], UNDECIDED), ([gap, dull], FAILS)):
        verdict, why = judges.differences(found, 0, np.inf, "")
        assert verdict == UNDECIDED and why.endswith("told from chance: dull.")
        assert judges.differences(found, -np.inf, 0, "")[0] == below


def test_a_pair_without_common_seeds_is_not_left_out(record):
    other = dataclasses.replace(
        record.points["once"], summary=record.points["once"].summary | {"seeds": [7]}
    )
    points = {"good": record.points["good"], "once": other}
    placed = comparison.place(points, "weak")
    (found,) = comparison.compare(points, {"gap": ("good", "once")}, placed)
    assert np.isnan(found.interval()).all() and found.answer() == "unknown (seeds)"
    assert judges.differences([found], 0, np.inf, "")[0] == UNDECIDED
