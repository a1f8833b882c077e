"""What every pool of worker processes shares: threads, cores and a progress bar."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from multiprocessing import connection, parent_process

from tqdm import tqdm

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def available_cores() -> int:
    """The cores this process may use; only Linux can tell them from all."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextlib.contextmanager
def one_thread_each() -> Iterator[None]:
    """Lets every worker use one core: workers times BLAS threads would fight.

    The libraries read these when they are first imported, in the child, before any
    initialiser of a pool runs: so they are set while the children start.
    """
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def follow_parent() -> None:
    """Called in a worker: its parent alone decides when it ends.

    Ctrl-C reaches the whole process group, so it is ignored here; and when the parent
    is killed, so is the worker, which would otherwise wait for work for ever.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    connection.wait([parent_process().sentinel])
    os._exit(1)


def progress_bar(total: int, description: str, unit: str = "clip") -> tqdm:
    """A bar over clips: moving on a terminal, every half minute in a log file."""
    interval_s = 0.2 if sys.stderr.isatty() else 30.0
    return tqdm(total=total, desc=description, unit=unit, mininterval=interval_s)
