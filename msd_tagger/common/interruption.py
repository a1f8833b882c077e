"""Signals that ask a process to end, answered when nothing is lost by ending.

SIGTERM comes from SLURM (at the time limit, on pre-emption, by `scancel`), from
Kubernetes and from clouds that take a machine back; SIGUSR1 is the usual early warning
of SLURM (`--signal`), SIGHUP means that the terminal was closed, SIGINT is Ctrl-C.
Outside training they end the process at once: every file is written whole or not at
all. During training they wait for the end of the step, so that a checkpoint is saved.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from msd_tagger.common.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)


class Interruption:
    """A signal that waits for its answer."""

    number: int | None = None  # Of the first signal since training began.


_waiting: Interruption | None = None  # While a training runs.


def listen() -> None:
    """Answers the signals from now on; one that is ignored (`nohup`) stays ignored.

    Call it again after a library has set its own handlers.
    """
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _answer)


@contextmanager
def deferred() -> Iterator[Interruption]:
    """Lets signals wait until the code inside looks at `number`.

    A second Ctrl-C does not wait. Outside the main thread, or before `listen`, nothing
    changes: the caller then has its own handlers.
    """
    global _waiting
    if threading.current_thread() is threading.main_thread():
        _waiting = Interruption()
    try:
        yield _waiting or Interruption()
    finally:
        _waiting = None


def _answer(number: int, _: FrameType | None) -> None:
    again = number == signal.SIGINT and _waiting and _waiting.number == number
    if _waiting is None or again:
        raise Interrupted(number)
    # Nothing else here: the main thread may be in the middle of anything, even a print.
    _waiting.number = _waiting.number or number
