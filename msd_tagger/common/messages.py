"""What a process writes to stderr: our own lines, and warnings of libraries."""

import logging
import sys
from typing import Any

from absl import logging as absl_logging

# Loggers of this project.
OURS = ("main", "modes", "input_pipeline", "msd_tagger", "studies")


def set_up() -> None:
    """Shows our own lines as plain text, and of libraries only warnings."""
    absl_logging.set_verbosity(absl_logging.WARNING)
    absl_logging.get_absl_logger().addFilter(_is_news)
    sys.unraisablehook = _say_unless_late
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
