"""What a process writes to stderr: our own lines, and warnings of libraries."""

import atexit
import io
import logging
import os
import sys
from typing import Any

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
