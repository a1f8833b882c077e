"""How a song's tags are written: as text, as JSON, as CSV, as JAMS."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from msd_tagger.bundle import heard
from msd_tagger.bundle.format import Bundle
from msd_tagger.bundle.thresholds import FIRM_FROM, is_firm
from msd_tagger.common.text import clock, printable, split_name, text_path
from msd_tagger.tagging.songs import Failure, Song, TagScore, rank

CSV_COLUMNS = ("path", "tag", "score", "deviation", "threshold", "passes")


def to_text(song: Song, bundle: Bundle, top: int) -> str:
    """Writes the song's name and highest tags, those over their threshold marked."""
    count = len(song.starts_s)
    parts = f", {count} excerpts" if count > 1 else ""
    lines = [f"{printable(song.path)} ({clock(song.duration_s)}{parts})"]
    ranked = rank(song, bundle)[:top]
    width = max(len(printable(one.tag)) for one in ranked)
    return "\n".join([*lines, *(_line(one, width, bundle) for one in ranked)])


def _line(one: TagScore, width: int, bundle: Bundle) -> str:
    spread = "" if one.deviation is None else f" ± {one.deviation:.3f}"
    firm = is_firm(bundle.thresholds, bundle.tags.index(one.tag))
    mark = ("*" if firm else "?") if one.passes else " "
    return f"  {mark} {printable(one.tag).ljust(width)}  {one.score:.3f}{spread}"


def legend(bundle: Bundle) -> str:
    """Explains the marks and numbers of `to_text`, and what the network has heard."""
    chosen = bundle.thresholds
    if chosen is None:
        mark = "No tag is marked: this bundle has no thresholds."
    else:
        split = split_name(chosen.split)
        mark = (
            "* reaches the tag's own threshold, the one with the best F1 on the "
            f"{split} split; ? if fewer than {FIRM_FROM} clips of that split have the "
            "tag."
        )
    if len(bundle.seeds) > 1:
        count = len(bundle.seeds)
        mark = f"{mark} Scores: mean ± standard deviation over {count} seeds."
    return f"{mark}\n{heard.about(bundle)}"


def to_json(one: Song | Failure, bundle: Bundle, window_s: float = 0.0) -> str:
    """Writes one line: everything about a song, or why there is nothing.

    `over_time` has the mean over seeds for each excerpt of `window_s`, 0 for the length
    of the bundle's clips.
    """
    if isinstance(one, Failure):
        return json.dumps({"path": text_path(one.path), "error": one.reason})
    over_time = dict(zip(bundle.tags, one.scores.mean(0).T.tolist(), strict=True))
    found = {
        "path": text_path(one.path),
        "duration_s": round(one.duration_s, 3),
        "window_s": window_s or bundle.recipe.duration_s,
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


def to_jams(song: Song, bundle: Bundle, window_s: float) -> dict[str, Any]:
    """Makes a JAMS document of two annotations, `tag_open`: of song and excerpts.

    Confidences are scores; the song's path is among the identifiers.
    https://jams.readthedocs.io
    """
    of_song = [
        _observation(0.0, song.duration_s, one.tag, one.score)
        for one in rank(song, bundle)
    ]
    ends_s = np.minimum(song.starts_s + window_s, song.duration_s)
    lengths_s = np.maximum(ends_s - song.starts_s, 0)
    of_seeds = song.scores.mean(0)
    of_excerpts = [
        _observation(start_s, duration_s, tag, score)
        for start_s, duration_s, scores in zip(
            song.starts_s, lengths_s, of_seeds, strict=True
        )
        for tag, score in zip(bundle.tags, scores, strict=True)
    ]
    about = dict.fromkeys(("annotation_rules", "corpus", "validation", "version"), "")
    annotations = [
        {
            "namespace": "tag_open",
            "time": 0,
            "duration": song.duration_s,
            "data": data,
            "annotation_metadata": about
            | {
                "curator": {"name": "", "email": ""},
                "annotator": {},
                "annotation_tools": "msd-tagger",
                "data_source": "program",
            },
            "sandbox": {"of": of, "network": heard.about(bundle)},
        }
        for of, data in (("song", of_song), ("excerpts", of_excerpts))
    ]
    path = text_path(song.path)
    of_file: dict[str, Any] = {"title": Path(path).name, "artist": "", "release": ""}
    of_file |= {"identifiers": {"path": path}, "duration": song.duration_s}
    of_file["jams_version"] = "0.3.4"
    return {"file_metadata": of_file, "annotations": annotations, "sandbox": {}}


def _observation(
    start_s: float, duration_s: float, tag: str, score: float
) -> dict[str, Any]:
    times = {"time": float(start_s), "duration": float(duration_s)}
    return times | {"value": tag, "confidence": float(score)}
