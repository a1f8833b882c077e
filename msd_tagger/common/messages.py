"""What a process says on stderr: our own lines, and of everybody else only news."""

import logging
import sys
from typing import Any

from absl import logging as absl_logging


def set_up() -> None:
    """Our own lines as plain text; of everybody else only warnings."""
    absl_logging.set_verbosity(absl_logging.WARNING)
    absl_logging.get_absl_logger().addFilter(_is_news)
    sys.unraisablehook = _say_unless_late
    logging.basicConfig(level=logging.WARNING, format="%(message)s", force=True)
    for name in ("main", "modes", "input_pipeline", "msd_tagger"):
        logging.getLogger(name).setLevel(logging.INFO)


def _is_news(record: logging.LogRecord) -> bool:
    """False for Orbax's tracebacks of what it raises, too, and we put into words."""
    return not (record.exc_info and "orbax" in record.pathname)


def _say_unless_late(unraisable: Any) -> None:
    """Leaves out files that end after Orbax has given up a checkpoint for another."""
    if str(unraisable.exc_value) != "Event loop is closed":
        sys.__unraisablehook__(unraisable)
