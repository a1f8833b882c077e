"""What every pool of worker processes shares: threads, cores and a progress bar."""

import contextlib
import os
import sys
from collections.abc import Iterator

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


def progress_bar(num_clips: int, description: str) -> tqdm:
    """A bar over clips: moving on a terminal, every half minute in a log file."""
    interval_s = 0.2 if sys.stderr.isatty() else 30.0
    return tqdm(total=num_clips, desc=description, unit="clip", mininterval=interval_s)
