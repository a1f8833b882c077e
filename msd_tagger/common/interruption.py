"""Signals that ask a process to end, answered when nothing is lost by ending.

SIGTERM comes from SLURM (at the time limit, on pre-emption, by `scancel`), from
Kubernetes and from clouds that take a machine back; SIGUSR1 is the usual early warning
of SLURM (`--signal`), SIGHUP means that the terminal was closed, SIGINT is Ctrl-C.
Outside training they end the process at once: every file is written whole or not at
all. During training they wait for the end of the step, so that a checkpoint is saved.

The handler raises `Interrupted` wherever the main thread is. That may be in a callback
that loses exceptions: JAX adds one to every garbage collection, and its tracing causes
many. So the handler first notes the signal, and a timer raises again until the
exception is on its way up.
"""

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from msd_tagger.common.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)
AGAIN_S = 0.1  # What was raised and lost is raised again.


class Interruption:
    """A signal that waits for its answer."""

    number: int | None = None  # Of the first signal.
    raised: bool = False  # Whether the handler has raised it.


_asked = Interruption()
_is_deferred = False


@contextmanager
def answered() -> Iterator[None]:
    """Answers the signals inside; one that is ignored (`nohup`) stays ignored.

    Afterwards they end the process by themselves, without a word: whoever sends another
    while it ends is in a hurry.

    Raises:
        Interrupted: One came, even if something inside lost the exception.
    """
    global _asked
    heard = [n for n in SIGNALS if signal.getsignal(n) is not signal.SIG_IGN]
    hook = sys.unraisablehook
    sys.unraisablehook = lambda it: None if _is_ours(it.exc_value) else hook(it)
    for number in heard:
        signal.signal(number, _answer)
    try:
        yield
        check()
    except Exception as error:
        if _asked.raised:  # Something made another exception of it.
            raise Interrupted(_asked.number or 0) from error
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number in heard:
            signal.signal(number, signal.SIG_DFL)
        sys.unraisablehook, _asked = hook, Interruption()


@contextmanager
def deferred() -> Iterator[Interruption]:
    """Lets signals wait until the code inside looks at `number`.

    A second Ctrl-C does not wait. Outside the main thread, or of `answered`, nothing
    changes: the caller then has its own handlers.

    Raises:
        Interrupted: A signal came before, or after the last look.
    """
    global _is_deferred
    check()
    _is_deferred = threading.current_thread() is threading.main_thread()
    try:
        yield _asked
    finally:
        _is_deferred = False
    check()


def check() -> None:
    """Raises `Interrupted` if a signal came that was not answered yet."""
    if _asked.number is not None:
        raise Interrupted(_asked.number)


def pause(seconds: float) -> bool:
    """Sleeps, and returns True; or False, at once, where there is a waiting signal."""
    ends = time.monotonic() + seconds
    while _asked.number is None and (left := ends - time.monotonic()) > 0:
        time.sleep(min(left, 0.2))
    return _asked.number is None


def _answer(number: int, _: FrameType | None) -> None:
    # Nothing but this: the main thread may be in the middle of anything, even a print.
    is_again = number == signal.SIGINT == _asked.number
    is_first, _asked.number = _asked.number is None, _asked.number or number
    if is_again or (is_first and not _is_deferred):
        _asked.raised = True
        signal.signal(signal.SIGALRM, _repeat)
        signal.setitimer(signal.ITIMER_REAL, AGAIN_S, AGAIN_S)
        raise Interrupted(_asked.number)


def _repeat(*_: int | FrameType | None) -> None:
    """Raises again, unless the code that was stopped is cleaning up after the first."""
    if _asked.number is not None and not _is_ours(sys.exc_info()[1]):
        raise Interrupted(_asked.number)


def _is_ours(error: BaseException | None) -> bool:
    """Tells whether an exception is `Interrupted`, or came while that was handled."""
    while error is not None and not isinstance(error, Interrupted):
        error = error.__context__
    return error is not None
