import doctest
import json

import pytest

from benchmarks import results
from benchmarks.race import Lane
from benchmarks.results import (
    Part,
    Ratio,
    best,
    compare,
    lane_table,
    markdown,
    ratios,
    significant,
    spread,
    write,
)


def lanes():
    ours = Lane("ours", {"batch_size": 8}, {"0.0": 30.0, "0.1": 33.0})
    peer = Lane("peer", {"batch_size": 16}, {"0.0": 20.0, "0.1": 30.0})
    peer.others = {"0.0": 0.01, "0.1": 0.4}
    return ours, peer


def lane(name, *rates, failure=None, **prepared):
    numbered = {f"0.{i}": rate for i, rate in enumerate(rates)}
    return Lane(name, {}, numbered, failure, prepared)


def test_median_and_ends():
    assert spread([5, 1, 2], 1) == "2 (1 to 5)"
    assert spread([4, 1, 2, 3], 2) == "2.5 (1.0 to 4.0)"


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


def test_a_table_has_a_heading_and_a_note():
    rows = [["ours", "41.2"], ["a peer", "7"]]
    assert markdown("Speed", ("what", "clips/s"), rows, "Of two.") == (
        "### Speed\n\n"
        "| what   | clips/s |\n"
        "| ------ | ------: |\n"
        "| ours   |    41.2 |\n"
        "| a peer |       7 |\n"
        "\nOf two.\n"
    )


def test_a_ratio_is_shown_by_its_median():
    row = Ratio("x", (1.1, 1.25, 1.3), "a / b").row()
    assert row == ["x", "1.25 (1.10 to 1.30)", "a / b"]


def test_a_comparison_without_a_peer_says_why():
    ours, peer = lanes()
    found = compare("x", ours, peer)
    assert found.measured == (1.5, 1.1)
    assert found.note == "ours, batch size 8 / peer, batch size 16"
    missing = compare("x", ours, None, "torch is not installed")
    assert missing.row()[1:] == ["not measured", "torch is not installed"]


def test_the_page_and_the_numbers(tmp_path):
    ours, peer = lanes()
    part = Part("training", [compare("x", ours, peer)], [], {"all": [ours, peer]})
    machine = {"date": "2026-01-31", "versions": {"jax": "0.10.1"}}
    write(tmp_path, [part], machine, "python -m benchmarks")
    page = (tmp_path / "RESULTS.md").read_text()
    assert "Written by `python -m benchmarks` on 2026-01-31" in page
    assert "| x     | 1.30 (1.10 to 1.50) | ours, batch" in page
    assert "40 % in the worst; some rounds were disturbed" in page
    numbers = json.loads((tmp_path / "results.json").read_text())
    assert numbers["parts"]["training"]["all"][0]["rates"] == {"0.0": 30, "0.1": 33}
    assert numbers["summary"][0]["measured"] == [1.5, 1.1]


def test_a_lane_that_failed_says_why_instead_of_numbers():
    ours, peer = lanes()
    peer.failure = "torch is not installed"
    columns = {"clips/s": results.rate, **results.against(ours)}
    page = lane_table("Speed", [ours, peer], {"what": results.label}, columns)
    assert "| ours, batch size 8  | 31.5 (30.0 to 33.0)    |   1.00 |" in page
    assert "| peer, batch size 16 | torch is not installed |        |" in page


# Not among pytest's paths for doctests: some modules of the package need PyTorch.
def test_examples():
    found = doctest.testmod(results)
    assert found.attempted and not found.failed
