import doctest
import json

import pytest

from benchmarks import results, spread
from benchmarks.race import Lane
from benchmarks.results import Part, Requirement, Table, compare, markdown, write


def lanes():
    ours = Lane("ours", {"batch_size": 8}, {"0.0": 30.0, "0.1": 33.0})
    peer = Lane("peer", {"batch_size": 16}, {"0.0": 20.0, "0.1": 30.0})
    peer.others = {"0.0": 0.01, "0.1": 0.4}
    return ours, peer


def test_a_table_has_its_columns_aligned():
    table = Table("Speed", ("what", "clips/s"), [["ours", "41.2"], ["a peer", "7"]])
    assert markdown(table) == (
        "### Speed\n\n"
        "| what   | clips/s |\n"
        "|--------|---------|\n"
        "| ours   | 41.2    |\n"
        "| a peer | 7       |\n"
    )


def test_a_requirement_is_met_by_its_median():
    assert Requirement("x", 1.2, (1.1, 1.25, 1.3)).is_met
    assert not Requirement("x", 1.2, (1.1, 1.19, 1.3)).is_met
    assert Requirement("x", 1.8, (1.5, 1.7, 2.0), at_most=True).is_met
    assert Requirement("x", 1.2, ()).is_met is None
    row = Requirement("x", 1.2, (1.1, 1.25, 1.3), note="a / b").row()
    assert row == ["x", "at least 1.2", "1.25 (1.10 to 1.30)", "yes", "a / b"]


def test_a_comparison_without_a_peer_says_why():
    ours, peer = lanes()
    found = compare("x", 1.0, ours, peer)
    assert found.measured == (1.5, 1.1)
    assert found.note == "ours, batch size 8 / peer, batch size 16"
    missing = compare("x", 1.0, ours, None, "torch is not installed")
    assert missing.row()[2:] == ["not measured", "", "torch is not installed"]


def test_the_page_and_the_numbers(tmp_path):
    ours, peer = lanes()
    part = Part("training", [compare("x", 1.0, ours, peer)], [], {"all": [ours, peer]})
    machine = {"date": "2026-01-31", "versions": {"jax": "0.10.1"}}
    write(tmp_path, [part], machine, "python -m benchmarks")
    page = (tmp_path / "RESULTS.md").read_text()
    assert "Written by `python -m benchmarks` on 2026-01-31" in page
    assert "| x     | at least 1 | 1.30 (1.10 to 1.50) | yes | ours, batch" in page
    assert "40 % in the worst; some rounds were disturbed" in page
    numbers = json.loads((tmp_path / "results.json").read_text())
    assert numbers["parts"]["training"]["all"][0]["rates"] == {"0.0": 30, "0.1": 33}
    assert numbers["summary"][0]["measured"] == [1.5, 1.1]


# Not among pytest's paths for doctests: some modules of the package need PyTorch.
@pytest.mark.parametrize("module", [results, spread])
def test_examples(module):
    found = doctest.testmod(module)
    assert found.attempted and not found.failed
