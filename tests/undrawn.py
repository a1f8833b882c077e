"""What stands in for the figures of a report where a test looks at other things.

Drawing them takes nearly half of the CPU time of a small run.
"""

from pathlib import Path
from typing import Any


def draw(illustration: Any, folder: Path, **_: Any) -> dict[str, Any]:
    """Returns what `page.draw` does, of an empty picture, and writes no file."""
    return {"light": "data:,", "dark": "data:,", "width": 1, "alt": illustration.alt}
