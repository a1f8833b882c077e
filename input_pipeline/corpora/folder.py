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
Without it the vocabulary is every tag of the column, the most frequent first. Tags
outside of the vocabulary are left out and counted.
"""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from input_pipeline import tag_names
from input_pipeline.corpora import names, tables
from input_pipeline.corpora.corpus import IN_TWO_SPLITS, Clip, Corpus
from msd_tagger.common.facts import SPLITS
from msd_tagger.common.text import printable, text_path
from msd_tagger.frontend import foreign

REQUIRED = ("track_id", "path", "tags")
OPTIONAL = ("split", "artist", "start_s", "true_tags")

SplitOf = Callable[[tables.Row], str]
logger = logging.getLogger(__name__)


def load(audio_dir: Path | str, num_tags: int = 0) -> Corpus:
    """Reads `tags.csv`; the audio files themselves are not looked at.

    Of the vocabulary the `num_tags` that most training clips have are kept; 0 keeps
    all. Links are followed; paths that leave the directory by name are refused. The
    name is that of the directory, the version has a digest of `tags.csv`.

    Raises:
        ValueError: Names the file, the row, what was found and what is allowed. A
            later row with the id of an earlier one is not an error, but `rejected`.
    """
    directory = Path(audio_dir).absolute()
    table = directory / "tags.csv"
    # Read anew each time: the rows of 240,000 clips at once would take 200 MB.
    if next(_read_rows(table), None) is None:
        raise ValueError(f"{table} has a header but no rows; add one row per clip")
    split_of = partial(_split, directory, names.finder(directory))
    tags = _vocabulary(directory, _read_rows(table), num_tags, split_of)
    clips, rejected = _clips(directory, _read_rows(table), tags, split_of)
    foreign.warn_of_missing(clip.path for clip in clips)
    return Corpus(
        name=_short_name(directory.name),
        version=f"{text_path(directory.name)}-{tables.digest(table)}",
        audio_dir=directory,
        tags=tags,
        clips=clips,
        rejected=rejected,
    )


def _read_rows(table: Path) -> Iterator[tables.Row]:
    rows = tables.read_table(
        table,
        "comma",
        REQUIRED,
        hint="quote values that contain a comma",
        missing="a folder corpus needs it, with the columns "
        f"{', '.join(REQUIRED)} and optionally {', '.join(OPTIONAL)}",
        optional=OPTIONAL,
    )
    for row in rows:
        broken = [
            value for value in row.values() if value and not tables.is_line(value)
        ]
        if broken:
            raise ValueError(f"{row.where}: a value spans several lines: {broken[0]!r}")
        if not row["track_id"]:
            raise ValueError(
                f"{row.where}: the track_id is empty; give every clip an id"
            )
        yield row


def _tags(row: tables.Row, column: str) -> list[str]:
    tags = (tag.strip() for tag in row.get(column, "").split("|"))
    return [tag for tag in tags if tag]


def _vocabulary(
    directory: Path, rows: Iterable[tables.Row], num_tags: int, split_of: SplitOf
) -> tuple[str, ...]:
    counts: Counter[str] = Counter()
    learnt: Counter[str] = Counter()
    for row in rows:
        tags = set(_tags(row, "tags"))
        counts.update(tags)
        # A tag that only the truth has is learnt by nobody, but has its column.
        counts.update(dict.fromkeys(_tags(row, "true_tags"), 0))
        if num_tags and split_of(row) == "train":
            learnt.update(tags)
    listed = tables.find_vocabulary(directory)
    found = listed or tables.vocabulary_by_count(counts)
    if counts.keys().isdisjoint(found) and (counts or not listed):
        among = f" of those in {directory / 'tags.txt'}" if listed else ""
        advice = "fill the column `tags`, several tags separated by |"
        for tag, listed_tag in tag_names.meant_as(counts, found).items():
            advice = f"write {tag} exactly as {listed_tag}, in both files the same"
        raise ValueError(f"{directory / 'tags.csv'}: no row has a tag{among}; {advice}")
    if num_tags > len(found):
        raise ValueError(
            f"corpus.num_tags={num_tags}: {directory} has only {len(found)} tags; ask "
            "for fewer, or leave it out to have all"
        )
    if num_tags:
        by_count = {tag: learnt[tag] for tag in found}
        best = tables.vocabulary_by_count(by_count)[:num_tags]
        found = tuple(filter(best.__contains__, found)) if listed else best
    _tell_left_out(directory, counts, found)
    return found


def _tell_left_out(
    directory: Path, counts: Mapping[str, int], tags: Collection[str]
) -> None:
    others = {tag: counts[tag] for tag in counts.keys() - {*tags}}
    if others:
        first = tables.vocabulary_by_count(others)[:3]
        logger.info(
            "%s: %d of %d tags are left out, and with them %d labels (%s%s)",
            *(directory, len(others), len(counts), sum(others.values())),
            ", ".join(f"{printable(tag)}: {others[tag]}" for tag in first),
            ", …" if len(others) > len(first) else "",
        )
    meant = tag_names.meant_as(tables.vocabulary_by_count(others), tags)
    if meant:
        shown = tag_names.shown
        pairs = [f"{shown(tag)} of {shown(meant[tag])}" for tag in [*meant][:3]]
        logger.warning(
            "%s: %d of the left-out tags may mean a kept one, as they differ only in "
            "spelling (%s%s); write each tag in one way",
            *(directory, len(meant), ", ".join(pairs)),
            ", …" if len(meant) > len(pairs) else "",
        )


def _clips(
    directory: Path,
    rows: Iterable[tables.Row],
    tags: tuple[str, ...],
    split_of: SplitOf,
) -> tuple[list[Clip], list[tuple[str, str, str]]]:
    clips: dict[str, Clip] = {}
    rejected = []
    num_empty = 0
    columns = {tag: column for column, tag in enumerate(tags)}
    for row in rows:
        clip = _clip(directory, row, columns, split_of(row))
        if clip.path.name.startswith("._"):  # A Mac's notes on the file of that name.
            rejected.append((clip.track_id, row["path"], "not audio"))
            continue
        first = clips.setdefault(clip.track_id, clip)
        if first is not clip:
            is_other = first.split != clip.split
            reason = IN_TWO_SPLITS if is_other else "duplicate id"
            rejected.append((clip.track_id, row["path"], reason))
        elif "true_tags" in row and not _tags(row, "true_tags"):
            num_empty += 1
    if num_empty:
        logger.warning(
            "%s: true_tags is empty for %d of %d clips, which says that no tag holds "
            "there; leave the column out if nobody listened to all of them",
            *(directory / "tags.csv", num_empty, len(clips)),
        )
    return list(clips.values()), rejected


def _clip(
    directory: Path, row: tables.Row, columns: dict[str, int], split: str
) -> Clip:
    def labels(column: str) -> np.ndarray:
        return tables.label_vector(_tags(row, column), columns)

    start = row.get("start_s")
    return Clip(
        track_id=row["track_id"],
        split=split,
        path=row.path_inside(directory, "path"),
        tags=labels("tags"),
        true_tags=labels("true_tags") if "true_tags" in row else None,
        start_s=tables.seconds(start, "start_s", row.where, True) if start else None,
        artist=row.get("artist") or None,
    )


def _split(directory: Path, find: Callable[[Path], Path], row: tables.Row) -> str:
    if "split" not in row:
        key = row.get("artist") or row["track_id"]
        if "start_s" in row and not row.get("artist"):
            # Excerpts of one file must not be both learnt and tested, however its path
            # is written.
            path = find(row.path_inside(directory, "path"))
            key = path.relative_to(directory).as_posix()
        return tables.split_of(key)
    if row["split"] not in SPLITS:
        raise ValueError(
            f"{row.where}: split is {row['split']!r}; choose from {', '.join(SPLITS)}"
        )
    return row["split"]


def _short_name(name: str) -> str:
    """Keeps what is safe in a file name, and not too long for one."""
    kept = "".join(c if c.isalnum() or c in "-_." else "_" for c in name)
    kept = kept.encode()[:200].decode(errors="ignore")
    return kept.strip(".") or "folder"
