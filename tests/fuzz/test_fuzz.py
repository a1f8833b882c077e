"""A few damaged inputs of every parser; the command tries thousands."""

import itertools
import json
import os
import random
import signal
from collections import Counter

import pytest

from tests.faults import pages
from tests.fuzz import mutations
from tests.fuzz.__main__ import table, try_all
from tests.fuzz.cases import FAILURES, REFUSED, Bench, Case
from tests.fuzz.parsers import PARSERS

# Their libraries and sound inputs take seconds: the command alone tries them.
SLOW = {"bundle", "shards of a prepared set", "report of a record", "study"}


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return Bench(tmp_path_factory.mktemp("fuzz"))


@pytest.mark.parametrize("kind", sorted(PARSERS.keys() - SLOW))
def test_damaged_inputs_become_sentences(bench, kind):
    cases = (case for n in itertools.count() if (case := Case(1, n)).kind == kind)
    ended = [bench.try_case(case) for case in itertools.islice(cases, 8)]
    assert [one.detail for one in ended if one.way in FAILURES] == []


def test_a_case_is_the_same_whenever_it_is_tried(tmp_path):
    found = []
    for name in ("a", "b"):
        path, *how = Bench(tmp_path / name).damage(Case(0, 12))
        found.append((path.name, path.read_bytes(), *how))
    assert found[0] == found[1]


def test_the_judge_sees_every_failure(bench, monkeypatch):
    case = Case(0, 4)

    def reading(read):
        monkeypatch.setitem(
            PARSERS, case.kind, PARSERS[case.kind]._replace(read=read, wrong=odd)
        )
        return bench.try_case(case).way

    def odd(path, value):
        return "odd" if value == "other" else ""

    def fail(error):
        def read(path):
            raise error

        return read

    whole = PARSERS[case.kind]
    bench.copy(case.kind)
    assert reading(fail(KeyError("x"))) == "traceback"
    assert reading(fail(ValueError("no name"))) == "traceback"
    assert reading(fail(ValueError(f"{bench.damaged} is damaged"))) == REFUSED
    assert reading(lambda path: "other") == "silent"
    assert reading(lambda path: "legit") == "read, changed"
    protected = whole._replace(is_protected=True, read=lambda path: "legit")
    monkeypatch.setitem(PARSERS, case.kind, protected)
    assert bench.try_case(case).way == "silent"


def dying(connection, scratch):
    """As `cases.work`, but it dies of the first case and hangs in the second."""
    case = connection.recv()
    if case.number == 0:
        os.abort()
    signal.setitimer(signal.ITIMER_PROF, 0.1)
    while True:
        pass


def test_a_crash_and_a_hang_are_seen_and_the_next_case_is_tried(tmp_path):
    cases = [Case(0, 0), Case(0, 1), Case(0, 0)]
    found = list(try_all(cases, 1, tmp_path, dying))
    assert [ended.way for _, ended in found] == ["crash", "hang", "crash"]
    assert [case for case, _ in found] == cases
    assert "exit status -6" in found[0][1].detail


EACH = [*dict.fromkeys(mutations.BYTES)]


@pytest.mark.parametrize("change", EACH, ids=lambda one: one.__name__)
@pytest.mark.parametrize("content", [b"", b"a", bytes(range(256)), b'{"a": 12}'])
def test_any_content_can_be_damaged(change, content):
    for seed in range(30):
        assert isinstance(change(content, random.Random(seed)), bytes)


def test_structures_are_changed_by_one_value():
    content = json.dumps({"a": [1, 2], "b": {"c": "d"}}).encode()
    found = {mutations.change_json(content, random.Random(n)) for n in range(99)}
    assert len(found) > 30


def test_each_part_of_the_page_is_kept_by_the_other(tmp_path):
    path = tmp_path / "faults.md"
    pages.write_section(path, "# Damaged inputs", "# Damaged inputs\n\n| a |\n")
    pages.write_section(path, "# Faults tried", "# Faults tried\n\nkills\n")
    pages.write_section(path, "# Damaged inputs", "# Damaged inputs\n\n| b |\n")
    text = path.read_text()
    assert text == "# Faults tried\n\nkills\n\n# Damaged inputs\n\n| b |\n"


def test_the_table_counts_every_way():
    counts = {"a": Counter({REFUSED: 2, "hang": 1}), "b": Counter({"silent": 1})}
    text = table(counts)
    assert "| a | 3 | 2 | 0 | 0 | 1 |" in text and "| all | 4 | 2 | 0 | 0 | 2 |" in text
