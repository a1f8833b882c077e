import errno
import functools
import multiprocessing
import os
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from msd_tagger.common import processes


@pytest.mark.parametrize("refused", [(), (-4,), (-8,)])
def test_a_refused_option_keeps_no_other_from_being_set(monkeypatch, refused):
    asked = []

    class Libc:
        def mallopt(self, option, value):
            asked.append(option)
            return int(option not in refused)

    monkeypatch.setattr(processes.ctypes, "CDLL", lambda _: Libc())
    monkeypatch.setattr(processes.sys, "platform", "linux")
    assert processes.keep_big_buffers() == (not refused)
    assert set(asked) == {-8, -4, -1, -2}


def test_a_dead_process_that_nobody_reaped_does_not_run():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert processes.is_running(process.pid)
    process.kill()
    deadline_s = time.monotonic() + 600
    while processes.is_running(process.pid) and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert not processes.is_running(process.pid)
    process.communicate()


@pytest.mark.parametrize(
    ("number", "says"),
    [(errno.EROFS, "Read-only file system"), (errno.ENOSPC, "No space left on dev")],
)
def test_shared_memory_that_cannot_be_used_is_named(monkeypatch, number, says):
    def lock(_):
        raise OSError(number, os.strerror(number))

    processes.check_shared_memory()
    context = multiprocessing.get_context("spawn")
    monkeypatch.setattr(type(context), "Lock", lock)
    message = rf"^/dev/shm cannot be used \({says}.*--shm-size"
    with pytest.raises(ValueError, match=message):
        processes.check_shared_memory()


@pytest.mark.parametrize("free", [0, 4096])
def test_shared_memory_that_is_full_is_named(monkeypatch, free):
    size = SimpleNamespace(free=free, total=2**26)
    monkeypatch.setattr(processes.shutil, "disk_usage", lambda _: size)
    with pytest.raises(ValueError, match=r"/dev/shm cannot be used \(No space left"):
        processes.check_shared_memory()
    size.free = size.total = 0  # As where there is no limit.
    processes.check_shared_memory()


def test_available_memory_is_the_least_of_machine_and_groups(tmp_path):
    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def group(folder, limit, used, inactive_file, names=("max", "current")):
        for name, value in zip(names, (limit, used), strict=True):
            write(f"sys/fs/cgroup/{folder}/memory.{name}", f"{value}\n")
        dropped = ("inactive_file", "total_inactive_file")["in_bytes" in names[0]]
        stat = f"anon 1\n{dropped} {inactive_file}\n"
        write(f"sys/fs/cgroup/{folder}/memory.stat", stat)

    found = functools.partial(processes.available_memory_bytes, tmp_path)
    assert found() is None
    write("proc/meminfo", "MemTotal: 9 kB\nMemAvailable:    8 kB\n")
    assert found() == 8192
    write("proc/self/cgroup", "4:memory:/old\n0::/job/step\n")
    assert found() == 8192
    group("job/step", "max", 100, 0)
    assert found() == 8192
    group("job", 5000, 3000, 500)
    assert found() == 2500
    # Of version 1, where no limit is a large number.
    first = ("limit_in_bytes", "usage_in_bytes")
    group("memory/old", 2**63 - 4096, 100, 0, first)
    assert found() == 2500
    group("memory/old", 3000, 2000, 300, first)
    assert found() == 1300
    group("job/step", 700, 900, 100)  # A limit that was lowered meanwhile.
    assert found() == 0


def test_this_machine_has_memory_available():
    assert processes.available_memory_bytes() > 2**20
