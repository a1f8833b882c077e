import os
import subprocess
import sys

import pytest

from benchmarks.race import Entrant, Lane, busy_share, disagreement, groups
from benchmarks.spread import Spread, best, ratios, significant


def lane(name, *rates, failure=None, **prepared):
    numbered = {f"0.{i}": rate for i, rate in enumerate(rates)}
    return Lane(name, {}, numbered, failure, prepared)


def test_median_and_ends():
    assert Spread.of([5, 1, 2]) == (2, 1, 5, 3)
    assert Spread.of([4, 1, 2, 3]).median == 2.5


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.0004567, "0.000457"), (9.996, "10.0"), (1234.5, "1,234")],
)
def test_significant_digits(value, text):
    assert significant(value) == text


def test_ratios_are_taken_within_rounds():
    a, b = lane("a", 10, 20, 40), lane("b", 5, 10)
    assert ratios(a, b) == [2, 2]
    b.rates["1.0"] = 1.0
    assert ratios(a, b) == [2, 2]


def test_the_best_is_best_in_the_middle():
    lanes = [lane("steady", 5, 5, 5), lane("lucky", 1, 1, 50), lane("none")]
    assert best([*lanes, lane("refused", 99, failure="refused")]).name == "steady"
    assert best([lane("none")]) is None


def test_groups_fit_into_memory_and_hold_the_references():
    entrants = [Entrant(n, "", {}, (), memory_gib=4) for n in ("r", "a", "b", "c")]
    found = [[x.name for x in g] for g in groups(entrants[:1], entrants[1:], 12)]
    assert found == [["r", "a", "b"], ["r", "c"]]
    # Too little memory for two is no reason to run nothing.
    tight = [[x.name for x in g] for g in groups(entrants[:1], entrants[1:], 1)]
    assert tight == [["r", "a"], ["r", "b"], ["r", "c"]]


def test_another_computation_is_refused():
    judge = lane("ours", values=[1.0, 2.0, 3.0])
    assert (
        disagreement(lane("a", values=[1.0009, 2.1, 3.1]), judge, (1e-3, 0.2)) is None
    )
    said = disagreement(lane("a", values=[1.0, 2.5, 3.0]), judge, (1e-3, 0.2))
    assert "value 2 is 2.50000, not 2.00000" in said
    nan = lane("a", values=[float("nan"), 2.0, 3.0])
    assert "refused" in disagreement(nan, judge, (1e-3, 0.2))
    assert "nothing to compare" in disagreement(lane("a"), judge, (1e-3,))


def test_other_load_is_seen():
    # Somebody who keeps one core busy, on a machine of few.
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as other:
        share = busy_share(0.5)
        other.kill()
    assert share >= 0.8 / os.cpu_count()
