"""What processes share: memory, threads, cores and a progress bar."""

import contextlib
import ctypes
import errno
import functools
import hashlib
import multiprocessing
import os
import resource
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from multiprocessing import connection, parent_process
from pathlib import Path

from tqdm import tqdm

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

# Option numbers of mallopt(3) and the values that keep big buffers in the process.
_MALLOPT = (
    (-4, 0),  # M_MMAP_MAX: hundreds of MB come from the heap, too.
    (-8, 1),  # M_ARENA_MAX: one arena, so that a freed buffer serves every thread.
    (-1, 2**31 - 1),  # M_TRIM_THRESHOLD: the heap is not handed back in between.
    (-2, 2**28),  # M_TOP_PAD: it grows in steps of 256 MiB, which are only touched
    # when they are used.
)


SHARED_MEMORY = Path("/dev/shm")  # On Linux.
_SHARED_BYTES = 2**16  # Of locks, a page each, and of counts.


def keep_big_buffers() -> bool:
    """Tells glibc to reuse large freed buffers instead of returning them.

    A training step writes feature maps of more than 100 MB. Memory that is mapped
    afresh for each of them is faulted in page by page, which costs more than the
    arithmetic: keeping it makes a CPU step about 1.5 times faster. Of the 20 ms that a
    clip takes to prepare, faulting in its 10 MB costs 3.

    Returns:
        Whether every option was taken (False where the C library is not glibc).
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    taken = [mallopt(option, value) == 1 for option, value in _MALLOPT]
    return all(taken)


def available_cores() -> int:
    """Counts the cores this process may use; only Linux can tell them from all."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def available_memory_bytes(root: Path = Path("/")) -> int | None:
    """Estimates how much memory this process can still use; None where nobody tells.

    The machine tells, and on Linux every control group that holds the process, as of a
    job or a container. `root` is where /proc and /sys are.
    """
    found = []
    with contextlib.suppress(OSError):
        text = (root / "proc/meminfo").read_text().partition("MemAvailable:")[2]
        found += [1024 * int(number) for number in text.split()[:1]]
    with contextlib.suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers not in _GROUPS:  # No group of memory.
                continue
            folder, *names = _GROUPS[controllers]
            group = root / "sys/fs/cgroup" / folder / path.strip("/")
            for one in (group, *group.parents):
                with contextlib.suppress(OSError, ValueError):  # No limit, or no group.
                    found.append(_left_in_group(one, *names))
    return min(found, default=None)


# What /proc calls a group of version 2 and of version 1, which many clusters have; its
# folder, the files of its limit and use, and a line of memory.stat: contents of files
# that were read, which the kernel drops where memory is needed.
_GROUPS = {
    "": ("", "memory.max", "memory.current", "inactive_file"),
    "memory": (
        *("memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
        "total_inactive_file",
    ),
}


def _left_in_group(group: Path, limit: str, use: str, dropped: str) -> int:
    """Subtracts what a control group uses from its limit, which may be "max"."""
    most, used = (int((group / name).read_text()) for name in (limit, use))
    lines = (group / "memory.stat").read_text().splitlines()
    return max(0, most - used + int(dict(map(str.split, lines)).get(dropped, 0)))


def peak_memory_bytes(process: str = "self") -> int:
    """Returns the most memory that a process ever held (VmHWM); 0 if it has ended.

    Not `ru_maxrss`: a child inherits that from the process that started it. Where there
    is no /proc, that is what is returned, of this process.
    """
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        peak *= 1 if sys.platform == "darwin" else 1024
        return peak if process == "self" else 0
    # A process that is about to end holds none.
    return 1024 * int(status.partition("VmHWM:")[2].partition("kB")[0] or 0)


def one_thread_each() -> contextlib.AbstractContextManager[None]:
    """Lets every worker use one core: workers times BLAS threads would fight.

    The libraries read these when they are first imported, in the child, before any
    initialiser of a pool runs: so they are set while the children start.
    """
    return set_variables(dict.fromkeys(_THREADS, "1"))


@contextlib.contextmanager
def set_variables(values: Mapping[str, str]) -> Iterator[None]:
    """Sets variables of the environment for the processes that are started inside."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def check_shared_memory() -> None:
    """Makes a lock that processes share, as a test, and looks for room for memory.

    Raises:
        ValueError: The folder where the system keeps them is full or read-only.
    """
    try:
        multiprocessing.get_context("spawn").Lock()
        if SHARED_MEMORY.exists():
            size = shutil.disk_usage(SHARED_MEMORY)
            if size.total and size.free < _SHARED_BYTES:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError as error:
        raise ValueError(
            f"{SHARED_MEMORY} cannot be used ({error.strerror}), where the system "
            "keeps the memory and the locks that worker processes share. Make it "
            "writable and leave some room in it; containers have options for that, "
            "such as --shm-size=1g"
        ) from error


@contextlib.contextmanager
def deaf_to_ctrl_c() -> Iterator[None]:
    """Starts processes that Ctrl-C, which reaches a whole group, cannot end.

    `follow_parent` does the same, but only when a process has imported what it needs.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def follow_parent() -> None:
    """Lets the parent of this worker alone decide when it ends.

    Ctrl-C reaches the whole process group, so it is ignored here; and when the parent
    is killed, so is the worker, which would otherwise wait for work for ever.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


@functools.cache
def this_host() -> str:
    """Names the host, or the container: where a process number means one process.

    Containers may share a name and number their processes each from 1. What differs is
    the namespace of these numbers, within one start of one kernel.
    """
    known = []
    with contextlib.suppress(OSError):  # Not on Linux.
        known.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        known.append(str(Path("/proc/self/ns/pid").readlink()))
    digest = hashlib.sha256("".join(known).encode()).hexdigest()[:8]
    return f"{socket.gethostname()}-{digest}"


def is_running(number: int) -> bool:
    """Tells whether a process of `this_host` runs, by its number."""
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # Someone else's.
        return True
    try:
        stat = Path(f"/proc/{number}/stat").read_text(encoding="utf-8")
    except OSError:  # Not on Linux.
        return True
    # A process that is dead and not yet reaped answers signals too.
    return stat.rsplit(")", 1)[1].split()[0] not in "ZX"


def progress_bar(total: int, description: str, unit: str = "clip") -> tqdm:
    """Makes a bar over clips: moving on a terminal, every half minute in a log file."""
    interval_s = 0.2 if sys.stderr.isatty() else 30.0
    return tqdm(total=total, desc=description, unit=unit, mininterval=interval_s)
