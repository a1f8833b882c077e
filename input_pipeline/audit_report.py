"""An audit on the screen and as files.

<workdir>/audit.json          everything
<workdir>/problems.csv        a line per clip and problem
<workdir>/tags.csv            positives per tag and split
<workdir>/tags_per_clip.csv   clips per number of tags and split
<workdir>/artists.csv         clips per split of the artists in several splits
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from msd_tagger.common.csv_files import write_csv
from msd_tagger.common.facts import SPLITS
from msd_tagger.common.files import check_writable, read_json, write_text
from msd_tagger.common.text import printable

EVERYTHING = "audit.json"
# On the screen; the files have all of them.
MAX_TAGS, NUM_FIRST_TAGS, NUM_LAST_TAGS = 60, 40, 10
MAX_SIZES = 11

Cell = int | str


def claim(workdir: Path, subject: dict[str, Any]) -> None:
    """Checks that a folder is new or holds an audit of the same corpus.

    Raises:
        ValueError: It holds something else, and what.
        OSError: It cannot be written, or not be made.
    """
    if workdir.exists() and not workdir.is_dir():
        raise ValueError(f"--workdir={workdir} is a file; give a new folder")
    inside = workdir.iterdir() if workdir.exists() else ()
    names = sorted(path.name for path in inside if path.suffix != ".tmp")
    if names:
        _check_same(workdir, names, subject)
    there = next(one for one in (workdir, *workdir.parents) if one.exists())
    check_writable(there / EVERYTHING)


def _check_same(workdir: Path, names: list[str], subject: dict[str, Any]) -> None:
    if EVERYTHING not in names:
        raise ValueError(
            f"--workdir={workdir} holds files ({names[0]}, …) but no audit; give an "
            "empty or new folder"
        )
    path = workdir / EVERYTHING
    try:
        before = dict(read_json(path)["subject"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} was not written by an audit; give another --workdir"
        ) from error
    keys = sorted(before.keys() | subject.keys())
    differing = [key for key in keys if before.get(key) != subject.get(key)]
    if differing:
        changes = (f"{k}: {before.get(k)} -> {subject.get(k)}" for k in differing)
        raise ValueError(
            f"--workdir={workdir} holds the audit of another corpus "
            f"({', '.join(changes)}); give another folder, or leave --workdir out to "
            "have one named"
        )


def write(found: dict[str, Any], workdir: Path) -> None:
    """Writes the files, `audit.json` first: it marks the folder."""
    write_text(workdir / EVERYTHING, json.dumps(found, indent=1) + "\n")
    problems = [
        (problem, number, *clip)
        for problem, groups in found["problems"].items()
        for number, group in enumerate(groups, start=1)
        for clip in group["clips"]
    ]
    header = ("problem", "group", "track_id", "split", "path")
    write_csv(workdir / "problems.csv", [header, *problems])
    write_csv(workdir / "tags.csv", _tag_rows(found))
    write_csv(workdir / "tags_per_clip.csv", _size_rows(found))
    shared = found["artists"]["in_two_splits"] if found["artists"] else {}
    artists = [
        (name, *(own[split] for split in SPLITS)) for name, own in shared.items()
    ]
    write_csv(workdir / "artists.csv", [("artist", *SPLITS), *artists])


def text(found: dict[str, Any]) -> str:
    """Formats an audit for reading: what is a problem, then the counts."""
    corpus, sentences, tags = found["corpus"], found["findings"], _tag_rows(found)
    if len(tags) > MAX_TAGS + 1:
        tags = _shortened(tags, NUM_FIRST_TAGS, NUM_LAST_TAGS)
    headline = f"{len(sentences)} problem{'s' if len(sentences) > 1 else ''} found:"
    paragraphs = [
        f"Audit of {corpus['name']}, {corpus['version']}",
        "\n".join([headline, *(f"- {one}" for one in sentences)])
        if sentences
        else "No problems found.",
        _aligned(_split_rows(found)),
        _aligned(_shortened(_size_rows(found), MAX_SIZES, 0)),
        _facts(found),
        _aligned(tags),
    ]
    lines = "\n\n".join(paragraphs).split("\n")
    return "\n".join(map(printable, lines))  # Names may be anything.


def _split_rows(found: dict[str, Any]) -> list[list[Cell]]:
    """Clips per split, and those of every source with the difference."""

    def row(name: str, numbers: dict[str, int], sign: str = "") -> list[Cell]:
        cells = [f"{numbers[s]:{sign},}" if s in numbers else "" for s in SPLITS]
        return [name, *cells, f"{sum(numbers.values()):{sign},}"]

    rows: list[list[Cell]] = [["clips", *SPLITS, "all"], row("here", found["clips"])]
    for source, splits in found["published"].items():
        rows.append(row(source, {s: one["clips"] for s, one in splits.items()}))
        more = {split: one["difference"] for split, one in splits.items()}
        rows.append(row("  difference", more, "+"))
    return rows


def _size_rows(found: dict[str, Any]) -> list[list[Cell]]:
    counts = found["tags_per_clip"]
    return _count_rows("tags per clip", range(len(counts[SPLITS[0]])), counts)


def _tag_rows(found: dict[str, Any]) -> list[list[Cell]]:
    """Positives of every tag, the most frequent first."""
    rows = _count_rows("positives", found["corpus"]["tags"], found["positives"])
    return [rows[0], *sorted(rows[1:], key=lambda row: -int(row[-1]))]


def _count_rows(
    name: str, what: Iterable[Cell], counts: dict[str, list[int]]
) -> list[list[Cell]]:
    """Gives what is counted, its number in every split, and their sum."""
    per_split = zip(*(counts[split] for split in SPLITS), strict=True)
    rows = [[one, *own, sum(own)] for one, own in zip(what, per_split, strict=True)]
    return [[name, *SPLITS, "all"], *rows]


def _shortened(
    rows: list[list[Cell]], num_first: int, num_last: int
) -> list[list[Cell]]:
    """Keeps the header and the first and last rows, with dots for those between."""
    if len(rows) - 1 <= num_first + num_last + 1:
        return rows
    between: list[Cell] = ["…"] * len(rows[0])
    return [*rows[: num_first + 1], between, *rows[len(rows) - num_last :]]


def _facts(found: dict[str, Any]) -> str:
    num_clips = sum(found["clips"].values())
    positives = sum(sum(counts) for counts in found["positives"].values())
    without = sum(counts[0] for counts in found["tags_per_clip"].values())
    files, artists = found["files"], found["artists"]
    mean = positives / max(1, num_clips)
    lines = [
        f"{len(found['corpus']['tags']):,} tags, {mean:.2f} a clip on average; "
        f"{without:,} clips without a tag; "
        f"{found['distinct_tag_vectors']:,} distinct tag vectors",
        f"{files['number']:,} files, {files['total_bytes'] / 1e6:,.1f} MB, below "
        f"{found['corpus']['audio_dir']}"
        if found["corpus"]["audio_dir"]
        else "labels alone: no files were looked at, as corpus.audio_dir is not given",
    ]
    if artists:
        lines.append(
            f"{artists['number']:,} artists; {artists['clips_without']:,} clips "
            "without one"
        )
    for kind, one in found["prepared"].items():
        if not one["problem"]:
            whole = f"all {one['records']:,} records are whole"
            lines.append(f"prepared, {kind}: {whole}, in {one['directory']}")
    return "\n".join(lines)


def _aligned(rows: Sequence[Sequence[Cell]]) -> str:
    """Aligns a table: the first column to the left, numbers to the right.

    >>> print(_aligned([["clips", "train"], ["here", 1200]]))
    clips  train
    here   1,200
    """
    texts = [[f"{v:,}" if isinstance(v, int) else str(v) for v in row] for row in rows]
    first, *others = zip(*texts, strict=True)
    columns = [[cell.ljust(max(map(len, first))) for cell in first]]
    columns += [[cell.rjust(max(map(len, one))) for cell in one] for one in others]
    return "\n".join("  ".join(row).rstrip() for row in zip(*columns, strict=True))
