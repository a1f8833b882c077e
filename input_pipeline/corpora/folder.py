"""The folder corpus: any directory of audio files with one `tags.csv`.

`tags.csv` is comma-separated UTF-8 with a header. Columns, in any order:

    track_id   unique name of the clip
    path       audio file, relative to the directory
    tags       tags of the clip, separated by "|"; may be empty
    split      train, valid or test. Without the column: by hash, 80/10/10
    artist     optional; without a split column, one artist is in one split only,
               and without artists too, where there is a column start_s, one file
    start_s    optional; where the clip starts in its file (several excerpts of a track)
    true_tags  optional; like tags, known of every clip

An optional `tags.txt` beside it, one tag a line, fixes the vocabulary and its order.
Without it the vocabulary is every tag of the column, the most frequent first.
"""

import hashlib
import logging
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from input_pipeline.corpora.corpus import IN_TWO_SPLITS, Clip, Corpus
from input_pipeline.corpora.tables import (
    path_inside,
    read_lines,
    read_vocabulary,
    split_of,
    vocabulary_by_count,
)
from msd_tagger.common.facts import SPLITS

REQUIRED = ("track_id", "path", "tags")
OPTIONAL = ("split", "artist", "start_s", "true_tags")

logger = logging.getLogger(__name__)


def load(
    directory: Path | str, name: str | None = None, version: str | None = None
) -> Corpus:
    """Reads `tags.csv`; the audio files themselves are not looked at.

    Links are followed; paths that leave the directory by name are refused. The name is
    by default that of the directory, the version has a digest of `tags.csv`.

    Raises:
        ValueError: Names the file, the row, what was found and what is allowed. A later
            row with the id of an earlier one is no error but `rejected`.
    """
    directory = Path(directory).absolute()
    table = directory / "tags.csv"
    # Read twice: the rows of 240,000 clips at once would take 200 MB.
    if next(_read_rows(table), None) is None:
        raise ValueError(f"{table} has a header but no rows; add one row per clip")
    tags = _vocabulary(directory, _read_rows(table))
    clips, rejected = _clips(directory, _read_rows(table), tags)
    empty = [
        one for one in clips if one.true_tags is not None and not any(one.true_tags)
    ]
    if empty:
        logger.warning(
            "%s: true_tags is empty for %d of %d clips, which says that no tag holds "
            "there; leave the column out if nobody listened to all of them",
            *(table, len(empty), len(clips)),
        )
    digest = hashlib.sha256(table.read_bytes()).hexdigest()[:8]
    return Corpus(
        name=name or _short_name(directory.name),
        version=version or f"{directory.name}-{digest}",
        audio_dir=directory,
        tags=tags,
        clips=clips,
        rejected=rejected,
    )


class _Row(dict):
    """One row of the table: column to text. Knows where it stands, for messages."""

    def __init__(self, values: dict[str, str], where: str) -> None:
        super().__init__(values)
        self.where = where

    def tags(self, column: str) -> list[str]:
        tags = (tag.strip() for tag in self.get(column, "").split("|"))
        return [tag for tag in tags if tag]


def _read_rows(table: Path) -> Iterator[_Row]:
    lines = read_lines(
        table,
        "comma",
        hint="quote values that contain a comma",
        missing="a folder corpus needs it, with the columns "
        f"{', '.join(REQUIRED)} and optionally {', '.join(OPTIONAL)}",
    )
    header = [column.strip() for column in next(lines)[1]]
    _check_header(table, header)
    for where, values in lines:
        yield _row(where, header, values)


def _check_header(table: Path, header: list[str]) -> None:
    missing = [column for column in REQUIRED if column not in header]
    unknown = [column for column in header if column not in REQUIRED + OPTIONAL]
    repeated = [column for column, count in Counter(header).items() if count > 1]
    if missing or unknown or repeated:
        raise ValueError(
            f"{table}: missing columns {missing}, unknown columns {unknown}, repeated "
            f"columns {repeated}; needed are {', '.join(REQUIRED)}, allowed beside "
            f"them {', '.join(OPTIONAL)}"
        )


def _row(where: str, header: list[str], values: list[str]) -> _Row:
    row = _Row(dict(zip(header, map(str.strip, values), strict=True)), where)
    broken = [value for value in row.values() if len(value.splitlines()) > 1]
    if broken:
        raise ValueError(f"{where}: a value spans several lines: {broken[0]!r}")
    if not row["track_id"]:
        raise ValueError(f"{where}: the track_id is empty; give every clip an id")
    return row


def _vocabulary(directory: Path, rows: Iterable[_Row]) -> tuple[str, ...]:
    listed = directory / "tags.txt"
    if listed.exists():
        return read_vocabulary(listed)
    counts: Counter[str] = Counter()
    for row in rows:
        counts.update(set(row.tags("tags")))
        # A tag that only the truth has is learnt by nobody, but has its column.
        counts.update(dict.fromkeys(row.tags("true_tags"), 0))
    if not counts:
        raise ValueError(
            f"{directory / 'tags.csv'}: no row has a tag; fill the column `tags`, "
            "several tags separated by |"
        )
    return vocabulary_by_count(counts)


def _clips(
    directory: Path, rows: Iterable[_Row], tags: tuple[str, ...]
) -> tuple[list[Clip], list[tuple[str, str, str]]]:
    clips: dict[str, Clip] = {}
    rejected = []
    columns = {tag: column for column, tag in enumerate(tags)}
    for row in rows:
        clip = _clip(directory, row, columns)
        first = clips.setdefault(clip.track_id, clip)
        if first is not clip:
            is_other = first.split != clip.split
            reason = IN_TWO_SPLITS if is_other else "duplicate id"
            rejected.append((clip.track_id, row["path"], reason))
    return list(clips.values()), rejected


def _clip(directory: Path, row: _Row, columns: dict[str, int]) -> Clip:
    artist = row.get("artist") or None
    return Clip(
        track_id=row["track_id"],
        split=_split(row, artist),
        path=path_inside(directory, row["path"], row.where),
        tags=_label_vector(row, "tags", columns),
        true_tags=(
            _label_vector(row, "true_tags", columns) if "true_tags" in row else None
        ),
        start_s=_start_s(row),
        artist=artist,
    )


def _split(row: _Row, artist: str | None) -> str:
    if "split" not in row:
        # Excerpts of one recording must not be both learnt and tested.
        return split_of(artist or row["path" if "start_s" in row else "track_id"])
    if row["split"] not in SPLITS:
        raise ValueError(
            f"{row.where}: split is {row['split']!r}; allowed are {', '.join(SPLITS)}"
        )
    return row["split"]


def _label_vector(row: _Row, column: str, columns: dict[str, int]) -> np.ndarray:
    vector = np.zeros(len(columns), np.uint8)
    for tag in row.tags(column):
        if tag not in columns:
            raise ValueError(
                f"{row.where}: the tag {tag!r} in column {column!r} is not in the "
                f"vocabulary of {len(columns)} tags; add it to tags.txt or leave it out"
            )
        vector[columns[tag]] = 1
    return vector


def _start_s(row: _Row) -> float | None:
    text = row.get("start_s", "")
    if not text:
        return None
    try:
        start_s = float(text)
    except ValueError:
        start_s = math.nan
    if not (math.isfinite(start_s) and start_s >= 0):
        raise ValueError(
            f"{row.where}: start_s is {text!r}; it must be seconds from 0, or empty"
        )
    return start_s


def _short_name(name: str) -> str:
    """Keeps what is safe in a file name."""
    kept = "".join(c if c.isalnum() or c in "-_." else "_" for c in name)
    return kept.strip(".") or "folder"
