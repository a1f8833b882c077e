"""The vocabulary of a corpus: K tags in the order of the label vectors."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path


def vocabulary_by_count(counts: Mapping[str, int]) -> tuple[str, ...]:
    """Tags by falling count, equal ones by name.

    >>> vocabulary_by_count({"pop": 1, "rock": 3, "jazz": 1})
    ('rock', 'jazz', 'pop')
    """
    return tuple(sorted(counts, key=lambda tag: (-counts[tag], tag)))


def read_vocabulary(listed: Path) -> tuple[str, ...]:
    """Reads a list of tags, one a line.

    Raises:
        ValueError: the file cannot be read, is empty, or lists a tag twice.
    """
    try:
        lines = listed.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{listed} cannot be read as UTF-8 text: {error}") from error
    tags = tuple(line.strip() for line in lines if line.strip())
    repeated = [tag for tag, count in Counter(tags).items() if count > 1]
    if not tags or repeated:
        raise ValueError(
            f"{listed}: {len(tags)} tags, repeated: {repeated}; it must list every "
            "tag once, one a line"
        )
    return tags
