import os
import subprocess
import sys

from benchmarks.race import Entrant, Lane, Worker, busy_share, disagreement, groups


def lane(name, *rates, failure=None, **prepared):
    numbered = {f"0.{i}": rate for i, rate in enumerate(rates)}
    return Lane(name, {}, numbered, failure, prepared)


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


def test_an_environment_is_there_from_the_start_of_the_process():
    """As libraries that are loaded before a program need it."""
    read = "linecache:getline", {"filename": "/proc/self/environ", "lineno": 1}
    worker = Worker(Entrant("x", *read, (), environment={"OF_THE_ENTRANT": "alone"}))
    assert "OF_THE_ENTRANT=alone\0" in worker.ask("prepare", {})
    worker.close()
    assert "OF_THE_ENTRANT" not in os.environ


def test_other_load_is_seen():
    # Somebody who keeps one core busy, on a machine of few.
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as other:
        share = busy_share(0.5)
        other.kill()
    assert share >= 0.8 / os.cpu_count()
