"""What stands in for the figures of a report where a test looks at other things.

Drawing them takes nearly half of the CPU time of a small run.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any


def replace(setattr: Callable[[Any, str, Any], None]) -> None:
    """Puts it in the place of `page.draw`."""
    from msd_tagger.pages import page  # It imports matplotlib.

    setattr(page, "draw", draw)


def draw(illustration: Any, folder: Path, **_: Any) -> dict[str, Any]:
    """Returns what `page.draw` does, of an empty picture, and writes no file."""
    return {"light": "data:,", "dark": "data:,", "width": 1, "alt": illustration.alt}
