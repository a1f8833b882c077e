"""How a song's tags are written: as text, as JSON, as CSV."""

import json
from collections.abc import Iterator, Sequence

import numpy as np

from msd_tagger.bundle.format import Bundle
from msd_tagger.common.text import clock, printable, text_path
from msd_tagger.tagging.songs import Failure, Song, TagScore, rank

CSV_COLUMNS = ("path", "tag", "score", "deviation", "threshold", "passes")


def to_text(song: Song, bundle: Bundle, top: int) -> str:
    """The song's name and its highest tags, those over their threshold marked."""
    count = len(song.starts_s)
    parts = f", {count} excerpts" if count > 1 else ""
    lines = [f"{printable(song.path)} ({clock(song.duration_s)}{parts})"]
    ranked = rank(song, bundle)[:top]
    width = max(len(printable(one.tag)) for one in ranked)
    return "\n".join([*lines, *(_line(one, width) for one in ranked)])


def _line(one: TagScore, width: int) -> str:
    spread = "" if one.deviation is None else f" ± {one.deviation:.3f}"
    mark = "*" if one.passes else " "
    return f"  {mark} {printable(one.tag).ljust(width)}  {one.score:.3f}{spread}"


def legend(bundle: Bundle) -> str:
    """What the marks and numbers of `to_text` mean."""
    chosen = bundle.thresholds
    if chosen is None:
        mark = "No tag is marked: this bundle has no thresholds."
    else:
        mark = (
            "* at or over the tag's own threshold, the one with the best F1 on the "
            f"{chosen.split} split."
        )
    if len(bundle.seeds) == 1:
        return mark
    return f"{mark} Scores: mean ± standard deviation over {len(bundle.seeds)} seeds."


def to_json(one: Song | Failure, bundle: Bundle) -> str:
    """One line: everything about a song, or why there is nothing.

    `over_time` has the mean over seeds for each excerpt.
    """
    if isinstance(one, Failure):
        return json.dumps({"path": text_path(one.path), "error": one.reason})
    over_time = dict(zip(bundle.tags, one.scores.mean(0).T.tolist(), strict=True))
    found = {
        "path": text_path(one.path),
        "duration_s": round(one.duration_s, 3),
        "starts_s": np.asarray(one.starts_s, float).tolist(),
        "tags": [
            tag._asdict() | {"over_time": over_time[tag.tag]}
            for tag in rank(one, bundle)
        ],
    }
    return json.dumps(found, allow_nan=False)


def to_rows(song: Song, bundle: Bundle) -> Iterator[Sequence[object]]:
    """Rows of `CSV_COLUMNS`, all tags of a song; what is not known is empty."""
    for one in rank(song, bundle):
        score, deviation, threshold = (
            "" if value is None else f"{value:.6f}"
            for value in (one.score, one.deviation, one.threshold)
        )
        passes = "" if one.passes is None else int(one.passes)
        yield text_path(song.path), one.tag, score, deviation, threshold, passes
