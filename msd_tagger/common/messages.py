"""What a process writes: our own lines, and warnings of libraries."""

import atexit
import contextlib
import ctypes
import io
import logging
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any, TextIO

from absl import logging as absl_logging

# Loggers of this project.
OURS = ("main", "modes", "input_pipeline", "msd_tagger", "studies")


def open_streams() -> None:
    """Opens what the caller has closed (`2>&-`), and lets all text be printed.

    A file opened later would otherwise get the number of standard error, and with it
    what libraries print. Characters that a stream lacks are written as escapes.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def set_up() -> None:
    """Shows our own lines as plain text, and of libraries only warnings."""
    absl_logging.set_verbosity(absl_logging.WARNING)
    absl_logging.get_absl_logger().addFilter(_is_news)
    sys.unraisablehook = _say_unless_late
    # What is still said of objects when Python ends is nothing that a user can mend.
    atexit.register(setattr, sys, "unraisablehook", lambda _: None)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", force=True)
    for name in OURS:
        logging.getLogger(name).setLevel(logging.INFO)


def _is_news(record: logging.LogRecord) -> bool:
    """Leaves out Orbax's tracebacks of errors that it also raises and we report."""
    return not (record.exc_info and "orbax" in record.pathname)


def _say_unless_late(unraisable: Any) -> None:
    """Leaves out what files say that close after Orbax has abandoned a checkpoint."""
    if str(unraisable.exc_value) != "Event loop is closed":
        sys.__unraisablehook__(unraisable)


_quiet_lock, _quiet_depth, _quiet = threading.Lock(), 0, contextlib.ExitStack()


@contextlib.contextmanager
def quiet_decoders() -> Iterator[None]:
    """Keeps what libraries of C print off both streams; Python's own lines stay.

    libmpg123 complains after every seek, which is in its nature, libsndfile describes
    every damaged block of some formats on standard output, and nothing stops either.
    MSD_TAGGER_TRACEBACK, for those who look for an error, does. `sys.stdout` must be
    taken inside of the block, not before. Blocks may be nested, and used by several
    threads.
    """
    global _quiet_depth
    with _quiet_lock:
        if not _quiet_depth and not os.environ.get("MSD_TAGGER_TRACEBACK"):
            for name, number in (("stdout", 1), ("stderr", 2)):
                _quiet.enter_context(_ours_alone(name, number))
        _quiet_depth += 1
    try:
        yield
    finally:
        with _quiet_lock:
            _quiet_depth -= 1
            if not _quiet_depth:
                _quiet.close()


@contextlib.contextmanager
def _ours_alone(name: str, number: int) -> Iterator[None]:
    """Gives Python's stream a descriptor of its own, and the old one to nobody."""
    before: TextIO = getattr(sys, name)
    try:
        kept = os.dup(number)
    except OSError:  # The stream is closed.
        yield
        return
    with os.fdopen(
        kept, "w", buffering=1, encoding=before.encoding, errors=before.errors
    ) as ours:
        handlers = [
            handler
            for handler in logging.getLogger().handlers
            if isinstance(handler, logging.StreamHandler) and handler.stream is before
        ]
        before.flush()
        if _writes_to(before, number):
            setattr(sys, name, ours)
            for handler in handlers:
                handler.setStream(ours)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)
        try:
            yield
        finally:
            # What the C library still holds would come out with the next line.
            ctypes.CDLL(None).fflush(None)
            os.dup2(kept, number)
            setattr(sys, name, before)
            for handler in handlers:
                handler.setStream(before)


def _writes_to(stream: TextIO, number: int) -> bool:
    try:
        return stream.fileno() == number
    except (OSError, ValueError):  # Not a file, as in a notebook.
        return False
