"""The lines of `metrics.jsonl`."""

import json
from collections.abc import Sequence
from pathlib import Path

from msd_tagger.common.files import naming, plain, replacing


class MetricsFile:
    """The lines of `metrics.jsonl`: in the file, and for checkpoints.

    Args:
        path: The file; it is replaced.
        lines: Those that a checkpoint has.
        writes: Whether this process does so; others leave the file alone.
    """

    def __init__(
        self, path: Path, lines: Sequence[str] = (), writes: bool = True
    ) -> None:
        self._path, self.lines, self._writes = path, list(lines), writes
        if writes:
            with replacing(path) as temporary:
                temporary.write_text("".join(self.lines), encoding="utf-8")

    def append(self, **values: object) -> None:
        """Writes one line."""
        line = json.dumps(values, default=plain, allow_nan=False) + "\n"
        if self._writes:
            with naming(self._path), self._path.open("a", encoding="utf-8") as file:
                file.write(line)
        self.lines.append(line)
