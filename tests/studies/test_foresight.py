"""What a study can tell from chance, against simulations and the comparisons."""

import math

import numpy as np
import pandas as pd
import pytest

from studies import foresight
from studies.comparison import Comparison
from tests import sweeps


def test_a_difference_is_visible_as_often_as_said():
    """Of differences as large as `visible`, half are told from chance."""
    std, clips_error, seeds = 0.01, 0.004, 5
    rng = np.random.default_rng(0)
    known = foresight.Foresight(2000, std, clips_error)
    values = rng.normal(scale=math.sqrt(2) * std, size=(4000, seeds))
    values += known.visible(seeds) + rng.normal(scale=clips_error, size=(4000, 1))
    half = np.hypot(
        2.776 * values.std(axis=1, ddof=1) / math.sqrt(seeds), 1.96 * clips_error
    )
    assert 0.45 < (values.mean(axis=1) > half).mean() < 0.65


def test_a_sweep_asks_for_more_where_it_compares_more_pairs():
    """As its report does: half the interval of one of so many comparisons."""
    known = foresight.Foresight(200, 0.01, 0.009)
    values = pd.Series([-1, 0, 1]) * math.sqrt(2) * known.std
    one = Comparison("b − a", {}, values, known.std, known.clips_error, True)
    for pairs in (1, 3, 10):
        low, high = one.interval(pairs)
        assert known.visible(3, pairs) == pytest.approx((high - low) / 2)
    assert "3 seeds each (95 % for 10 pairs at once; 200" in known.sentence([3], 10)


def test_one_seed_shows_nothing():
    found = foresight.foresee({}, 200)
    assert found.visible(1) == math.inf
    assert "--config.num_seeds=3" in found.sentence([1])


def test_guesses_are_said_to_be():
    found = foresight.foresee({}, 2000)
    assert found.sentence([5, 3, 1]).endswith(
        "at least 0.0356 with 3 seeds each or 0.0185 with 5 seeds each (95 %; 2,000 "
        "test clips; a deviation of 0.01 over seeds and a standard error of 0.0029 "
        "over test clips are guesses)"
    )
    assert found.clips_error == pytest.approx(0.0029, abs=1e-4)


@pytest.fixture(scope="module")
def points(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    asked = {"a": {"skill": 1.0}, "b": {"skill": 1.4}}
    return sweeps.write_sweep(folder, asked, num_seeds=6).points


def test_complete_points_say_how_scores_scatter(points):
    found = foresight.foresee(points, 160)
    assert found.basis == "as measured in 2 complete points"
    # As the comparison of the two finds.
    from studies.comparison import compare, place, run_spread

    (one,) = compare(points, {"b − a": ("b", "a")}, place(points, "weak"))
    assert found.std == run_spread(points, "weak")[0]
    assert found.clips_error == pytest.approx(one.clips_error)
    assert found.visible(6) < found.visible(3) < found.visible(2)


def test_speed():
    assert foresight.speed({}, 0) is None
    assert foresight.speed({}, 4).clips_per_s == 120


def test_speed_counts_all_seeds(points):
    rates = [one.summary["clips_per_s"] * 6 for one in points.values()]
    assert foresight.speed(points, 2).clips_per_s == np.median(rates)


def test_table(points):
    table = foresight.table(points)
    assert [row[0] for row in table.rows] == ["2", "3", "5", "10", "15"]
    smallest = [float(row[1]) for row in table.rows]
    assert smallest == sorted(smallest, reverse=True)
    assert "160 test clips" in table.caption and "pairs" not in table.caption
    sweep = foresight.table({**points, "c": points["a"]}, is_sweep=True)
    assert "(95 % for 3 pairs at once)" in sweep.caption
    assert float(sweep.rows[0][1]) > smallest[0]
    assert foresight.table({"a": points["a"]}) is None
