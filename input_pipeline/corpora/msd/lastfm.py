"""The Last.fm tags of the Million Song Dataset: `lastfm_tags.db`, a SQLite database.

    tids      tid: MSD track ids
    tags      tag: names
    tid_tag   tid, tag, val: rows of the other two tables (rowid, from 1), weight to 100

A tag counts where its weight is above 50, as in the public split files. Tracks without
any of the K tags are left out, as there. The database has no splits: a track's is a
hash of its id, so tracks of one artist can be in several.
"""

import contextlib
import itertools
import logging
import sqlite3
from collections import Counter
from pathlib import Path

import numpy as np

from input_pipeline.corpora import tables
from input_pipeline.corpora.msd import labels

DATABASE = "lastfm_tags.db"
WEIGHT_ABOVE = 50  # A tag counts when its weight is above this threshold.

# No name is longer, and no row takes more instructions of SQLite for each of its bytes:
# a damaged tree of pages can have more rows than the file has bytes.
_LONGEST_BYTES = 10_000
_INSTRUCTIONS_PER_BYTE = 20
_SPARE_INSTRUCTIONS = 10**6
# An index would turn one pass over nine million rows into as many jumps.
_COUNTING = "FROM tid_tag NOT INDEXED WHERE val > ?"

logger = logging.getLogger(__name__)


def read(label_dir: Path, num_tags: int) -> labels.Labels:
    """Reads the tags that are listed in `label_dir`, else the most frequent ones.

    Raises:
        ValueError: The file is no such database, or holds what it should not.
    """
    path = label_dir / DATABASE
    listed = tables.find_vocabulary(label_dir, labels.VOCABULARIES)
    try:
        # The address form is the one that can open a file for reading only.
        address = f"{path.absolute().as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(address, uri=True)) as database:
            # A name that is not UTF-8 is no reason to read none.
            database.text_factory = lambda text: text.decode("utf-8", "replace")
            _limit(database, path)
            _check(database, path)
            names = dict(database.execute("SELECT rowid, tag FROM tags"))
            counts = dict(
                database.execute(
                    f"SELECT tag, COUNT(*) {_COUNTING} GROUP BY tag", (WEIGHT_ABOVE,)
                )
            )
            tags = listed or _most_frequent(names, counts, num_tags, path)
            columns = _columns(names, tags, path)
            ids, matrix = _read_labels(database, path, columns, len(tags))
    # SQLite says "out of memory" of damage, too, and what it quotes may be no text.
    except (sqlite3.Error, MemoryError, UnicodeDecodeError) as error:
        reason = str(error) or "out of memory"
        if reason == "interrupted":  # By `_limit`.
            reason = "it has more rows than a file of its size can have"
        raise ValueError(
            f"{path} is not the database of Last.fm tags, with the tables tids(tid), "
            f"tags(tag) and tid_tag(tid, tag, val), or is damaged: {reason}"
        ) from error
    splits = [tables.split_of(track_id) for track_id in ids]
    return labels.Labels("Last.fm tags", tags, ids, splits, matrix)


def _limit(database: sqlite3.Connection, path: Path) -> None:
    """Bounds what the file can cost by its size."""
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_BYTES)
    most = _SPARE_INSTRUCTIONS + _INSTRUCTIONS_PER_BYTE * path.stat().st_size
    calls = itertools.count(1)
    step = 10_000
    database.set_progress_handler(lambda: next(calls) * step > most, step)


def _check(database: sqlite3.Connection, path: Path) -> None:
    for table in ("tids", "tags", "tid_tag"):
        kinds = database.execute(
            "SELECT type FROM sqlite_master WHERE name = ? AND rootpage > 0", (table,)
        )  # A virtual table has no page.
        if kinds.fetchall() != [("table",)]:
            raise sqlite3.DatabaseError(f"no such table: {table}")
        # They are computed whenever they are read, at any cost.
        computed = database.execute(
            "SELECT name FROM pragma_table_xinfo(?) WHERE hidden > 0", (table,)
        )
        if column := computed.fetchone():
            raise sqlite3.DatabaseError(f"{table} has the generated column {column[0]}")
    # Text would count as above any number.
    wrong = database.execute(
        "SELECT rowid, tid, tag, val FROM tid_tag WHERE typeof(tid) != 'integer' OR "
        "typeof(tag) != 'integer' OR typeof(val) NOT IN ('integer', 'real') LIMIT 1"
    ).fetchone()
    if wrong:
        raise ValueError(
            f"{path}, tid_tag, row {wrong[0]}: {str(wrong[1:])[:100]} are not two row "
            "numbers and a weight"
        )


def _most_frequent(
    names: dict[int, str], counts: dict[int, int], num_tags: int, path: Path
) -> tuple[str, ...]:
    by_name: Counter[str] = Counter()
    for row, count in counts.items():
        by_name[_named(names, row, path, "tags")] += count
    if len(by_name) < num_tags:
        raise ValueError(
            f"{path} has {len(by_name)} tags with a weight above {WEIGHT_ABOVE}, fewer "
            f"than corpus.num_tags={num_tags}; ask for fewer"
        )
    tags = tables.vocabulary_by_count(by_name)[:num_tags]
    for tag in tags:
        if not tables.is_line(tag):
            raise ValueError(f"{path}, tags: {tag[:60]!r} cannot be the name of a tag")
    return tags


def _read_labels(
    database: sqlite3.Connection, path: Path, columns: dict[int, int], num_tags: int
) -> tuple[list[str], np.ndarray]:
    """Ids [N] and labels uint8 [N, K] of the tracks that have one of the tags."""
    wanted = ", ".join(map(str, columns))  # Whole numbers, all of them.
    found = database.execute(
        f"SELECT tid, tag {_COUNTING} AND tag IN ({wanted})", (WEIGHT_ABOVE,)
    )
    flat = itertools.chain.from_iterable(found)
    pairs = np.fromiter(flat, np.int64).reshape(-1, 2)
    if not len(pairs):
        raise ValueError(f"{path}: no track has any of the tags above {WEIGHT_ABOVE}")
    tracks, rows = np.unique(pairs[:, 0], return_inverse=True)
    matrix = np.zeros((len(tracks), num_tags), np.uint8)
    matrix[rows, [columns[row] for row in pairs[:, 1].tolist()]] = 1
    known = dict(database.execute("SELECT rowid, tid FROM tids"))
    ids = [_named(known, track, path, "tids") for track in tracks.tolist()]
    places = (f"{path}, tids, row {track}" for track in tracks.tolist())
    labels.check_ids(zip(places, ids, strict=True), labels.MSD_ID)
    num_without = len(known) - len(ids)
    logger.info("%d tracks without any of the tags are left out", num_without)
    return ids, matrix


def _columns(
    names: dict[int, str], tags: tuple[str, ...], path: Path
) -> dict[int, int]:
    """Maps the row of a tag in the database to its column."""
    column_of = {tag: column for column, tag in enumerate(tags)}
    columns = {row: column_of[name] for row, name in names.items() if name in column_of}
    unknown = [tag for tag in tags if column_of[tag] not in columns.values()]
    if unknown:
        raise ValueError(
            f"{path} does not know the tags {', '.join(unknown)}, which are listed "
            "beside it; the spelling counts"
        )
    return columns


def _named(names: dict[int, str], row: int, path: Path, table: str) -> str:
    name = names.get(row)
    if not isinstance(name, str):
        raise ValueError(
            f"{path}: tid_tag refers to row {row} of {table}, which has no text"
        )
    return name
