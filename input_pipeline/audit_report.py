"""An audit on the screen and as files.

<workdir>/audit.json          everything
<workdir>/problems.csv        a line per clip and problem
<workdir>/tags.csv            positives per tag and split
<workdir>/tags_per_clip.csv   clips per number of tags and split
<workdir>/artists.csv         clips per split of the artists in several splits
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from msd_tagger.common.facts import SPLITS
from msd_tagger.common.files import read_json, write_csv, write_text

EVERYTHING = "audit.json"
# On the screen; the files have all of them.
MAX_TAGS, NUM_FIRST_TAGS, NUM_LAST_TAGS = 60, 40, 10
MAX_SIZES = 11


def claim(workdir: Path, subject: dict[str, Any]) -> None:
    """Checks that a folder is new or holds an audit of the same corpus.

    Raises:
        ValueError: It holds something else, and what.
    """
    if workdir.exists() and not workdir.is_dir():
        raise ValueError(f"--workdir={workdir} is a file; give a new folder")
    inside = workdir.iterdir() if workdir.exists() else ()
    names = sorted(path.name for path in inside if path.suffix != ".tmp")
    if not names:
        return
    if EVERYTHING not in names:
        raise ValueError(
            f"--workdir={workdir} holds files ({names[0]}, …) but no audit; give an "
            "empty or new folder"
        )
    before = _read_subject(workdir / EVERYTHING)
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
    write_csv(workdir / "problems.csv", _problem_rows(found["problems"]))
    write_csv(workdir / "tags.csv", _tag_rows(found))
    write_csv(workdir / "tags_per_clip.csv", _size_rows(found))
    write_csv(workdir / "artists.csv", _artist_rows(found["artists"]))


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
    return "\n\n".join(paragraphs)


def _split_rows(found: dict[str, Any]) -> list[list[object]]:
    """Clips per split, and those of every source with the difference."""
    rows: list[list[object]] = [["clips", *SPLITS, "all"]]
    rows.append(["here", *_with_sum(found["clips"])])
    for source, splits in found["published"].items():
        numbers = {split: one["clips"] for split, one in splits.items()}
        rows.append([source, *_with_sum(numbers)])
        signed = [
            f"{splits[s]['difference']:+,}" if s in splits else "" for s in SPLITS
        ]
        total = sum(one["difference"] for one in splits.values())
        rows.append(["  difference", *signed, f"{total:+,}"])
    return rows


def _with_sum(numbers: dict[str, int]) -> list[object]:
    return [*(numbers.get(split, "") for split in SPLITS), sum(numbers.values())]


def _size_rows(found: dict[str, Any]) -> list[list[object]]:
    per_split = [found["tags_per_clip"][split] for split in SPLITS]
    rows = [
        [size, *counts, sum(counts)]
        for size, counts in enumerate(zip(*per_split, strict=True))
    ]
    return [["tags per clip", *SPLITS, "all"], *rows]


def _tag_rows(found: dict[str, Any]) -> list[list[object]]:
    """Positives of every tag, the most frequent first."""
    per_split = [found["positives"][split] for split in SPLITS]
    rows = [
        [tag, *counts, sum(counts)]
        for tag, *counts in zip(found["corpus"]["tags"], *per_split, strict=True)
    ]
    rows.sort(key=lambda row: -row[-1])
    return [["positives", *SPLITS, "all"], *rows]


def _shortened(
    rows: list[list[object]], num_first: int, num_last: int
) -> list[list[object]]:
    """Keeps the header and the first and last rows, with dots for those between."""
    if len(rows) - 1 <= num_first + num_last + 1:
        return rows
    between = ["…"] * len(rows[0])
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
        f"{found['corpus']['audio_dir']}",
    ]
    if artists:
        lines.append(
            f"{artists['number']:,} artists; {artists['clips_without']:,} clips "
            "without one"
        )
    return "\n".join(lines)


def _problem_rows(problems: dict[str, Any]) -> Iterator[Sequence[object]]:
    yield "problem", "group", "track_id", "split", "path"
    for problem, groups in problems.items():
        for number, group in enumerate(groups, start=1):
            for clip in group["clips"]:
                yield problem, number, *clip


def _artist_rows(artists: dict[str, Any] | None) -> Iterator[Sequence[object]]:
    yield "artist", *SPLITS
    for artist, counts in (artists or {"in_two_splits": {}})["in_two_splits"].items():
        yield artist, *(counts[split] for split in SPLITS)


def _aligned(rows: Sequence[Sequence[object]]) -> str:
    """Aligns a table: the first column to the left, numbers to the right.

    >>> print(_aligned([["clips", "train"], ["here", 1200]]))
    clips  train
    here   1,200
    """
    texts = [[f"{v:,}" if isinstance(v, int) else str(v) for v in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    lines = []
    for first, *others in texts:
        cells = (cell.rjust(w) for cell, w in zip(others, widths[1:], strict=True))
        lines.append("  ".join([first.ljust(widths[0]), *cells]).rstrip())
    return "\n".join(lines)


def _read_subject(path: Path) -> dict[str, Any]:
    try:
        return dict(read_json(path)["subject"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} was not written by an audit; give another --workdir"
        ) from error
