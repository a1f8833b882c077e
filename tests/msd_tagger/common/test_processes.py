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
