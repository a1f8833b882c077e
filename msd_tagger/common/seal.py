"""Whether a complete run's record is still what was written."""

import hashlib
import logging
from pathlib import Path

from msd_tagger.common.files import read_json, write_json

NAME = "seal.json"
APART = {NAME, "environment.json"}  # The latter is of each start, not of the result.
logger = logging.getLogger(__name__)


def seal(workdir: Path) -> None:
    """Notes what the files of a complete record are, as the last thing of a run."""
    write_json(workdir / NAME, {name: _sha256(workdir / name) for name in _of(workdir)})


def is_whole(workdir: Path) -> bool:
    """Whether a run is complete and the files of its record are what they were.

    Raises:
        ValueError: It was complete, is no longer, and has no checkpoint to be written
            again from.
    """
    altered = _altered(workdir)
    if not altered:
        return True
    has_ended = _has_ended(workdir)
    if has_ended and not any((workdir / "checkpoints").glob("[0-9]*")):
        raise ValueError(
            f"{workdir} was complete, but {', '.join(altered)} was altered or lost "
            "since, and there is no checkpoint to write it again from; restore it, or "
            "train anew in another --workdir"
        )
    if has_ended:
        logger.warning("%s: altered or lost: %s", workdir, ", ".join(altered))
    return False


def _has_ended(workdir: Path) -> bool:
    """Whether there was a complete record; an evaluation half way writes one, too."""
    if (workdir / NAME).exists():
        return True
    try:
        return bool(read_json(workdir / "summary.json").get("complete", True))
    except FileNotFoundError:
        return False
    except (OSError, ValueError, AttributeError):
        return True


def _altered(workdir: Path) -> list[str]:
    """Names of files that are not what they were; the seal's own if it is missing."""
    try:
        known = dict(read_json(workdir / NAME))
    except (OSError, ValueError, TypeError):
        return [NAME]
    found = {name: _sha256(workdir / name) for name in _of(workdir)}
    return sorted(name for name in known if known[name] != found.get(name))


def _of(workdir: Path) -> list[str]:
    found = (workdir.glob(pattern) for pattern in ("*.json*", "*.npz", "bundle/*"))
    names = {str(path.relative_to(workdir)) for paths in found for path in paths}
    return sorted(name for name in names - APART if not name.endswith(".tmp"))


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
