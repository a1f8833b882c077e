"""Work in threads: in order, with a bar on request, and no longer than it is used."""

import threading

import pytest

from input_pipeline.many import NUM_THREADS, in_threads


@pytest.mark.parametrize("per_task", [1, 7, 1000])
def test_results_come_in_the_order_of_the_items(per_task, capsys):
    found = in_threads(str, range(100), per_task=per_task)
    assert list(found) == [str(n) for n in range(100)]
    assert capsys.readouterr().err == ""


def test_a_description_makes_a_bar(capsys):
    assert list(in_threads(abs, [], "nothing to look at")) == []
    assert capsys.readouterr().err == ""
    assert list(in_threads(abs, [-1, 2], "looking for files")) == [1, 2]
    assert "looking for files" in capsys.readouterr().err


def test_what_nobody_waits_for_is_not_begun():
    begun, may_end = [], threading.Event()

    def work(number):
        begun.append(number)
        assert number == 0 or may_end.wait(600)

    found = in_threads(work, range(10 * NUM_THREADS))
    next(found)
    threading.Timer(0.5, may_end.set).start()
    found.close()
    assert len(begun) <= NUM_THREADS + 1
