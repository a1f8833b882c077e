import subprocess
import sys
import time

import pytest

from msd_tagger.common import processes


@pytest.mark.parametrize("refused", [(), (-3,), (-3, -4), (-8,)])
def test_a_refused_option_keeps_no_other_from_being_set(monkeypatch, refused):
    asked = []

    class Libc:
        def mallopt(self, option, value):
            asked.append(option)
            return int(option not in refused)

    monkeypatch.setattr(processes.ctypes, "CDLL", lambda _: Libc())
    monkeypatch.setattr(processes.sys, "platform", "linux")
    assert processes.keep_big_buffers() == (refused in ((), (-3,)))
    assert {-8, -3, -1, -2} <= set(asked)
    assert (-4 in asked) == (-3 in refused)


def test_a_dead_process_that_nobody_reaped_does_not_run():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert processes.is_running(process.pid)
    process.kill()
    deadline_s = time.monotonic() + 10
    while processes.is_running(process.pid) and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert not processes.is_running(process.pid)
    process.communicate()
