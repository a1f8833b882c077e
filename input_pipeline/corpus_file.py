"""`corpus.json`: what a complete set of shards says of itself, and a digest of that.

A flipped bit in the other files is found by zip's or TFRecord's checksums. JSON and
text have none, so a digest of this file, the recipe and the tags is kept here.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

NAME = "corpus.json"  # Written last: its presence says that the set is whole.
_WITH_IT = ("recipe.json", "tags.txt")


def text(directory: Path, counts: dict[str, Any]) -> str:
    """Content of the file, once the other files of the set are there."""
    whole = counts | {"digest": _digest(directory, counts)}
    return json.dumps(whole, indent=2) + "\n"


def read(directory: Path) -> dict[str, Any]:
    """What the file says, without the digest.

    Sets that were made before there was a digest are not compared with one.

    Raises:
        ValueError: the set was altered since, or the file is not JSON.
        OSError: the file cannot be read.
    """
    path = directory / NAME
    try:
        counts = json.loads(path.read_text(encoding="utf-8"))
        known = counts.pop("digest", None)
    except (ValueError, AttributeError) as error:
        raise ValueError(
            f"{path} is damaged ({error}). Delete {directory} and prepare again"
        ) from error
    if known not in (None, _digest(directory, counts)):
        raise ValueError(
            f"{NAME}, {' or '.join(_WITH_IT)} in {directory} was altered since it was "
            "written. Delete the folder and prepare again"
        )
    return counts


def _digest(directory: Path, counts: dict[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(counts, sort_keys=True).encode())
    for name in _WITH_IT:
        if not (directory / name).exists():
            raise ValueError(
                f"{directory / name} is missing. Delete {directory} and prepare again"
            )
        digest.update((directory / name).read_bytes())
    return digest.hexdigest()
