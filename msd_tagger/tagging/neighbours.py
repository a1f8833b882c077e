"""Nearest neighbours by cosine: of songs by embedding, of tags by label vector."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from msd_tagger.common import files
from msd_tagger.pages import page

# More make a page that takes long to open; the printed lists have all.
MAX_SHOWN = 1000
ROWS_AT_ONCE = 1024  # Of the matrix of all cosines, which may not fit into memory.


class Neighbours(NamedTuple):
    """Of N things the n nearest others."""

    names: Sequence[str]  # N of them.
    nearest: np.ndarray  # `[N, n]`, numbers of the nearest, the nearest first.
    cosine: np.ndarray  # `[N, n]`, mean over seeds; NaN where a vector is 0.


def find_neighbours(
    names: Sequence[str], vectors: np.ndarray, count: int
) -> Neighbours:
    """Finds the nearest others, at most `count`, of N things by vectors `[S, N, D]`.

    The features of a network mean something else for each seed, so the cosine is taken
    within a seed and averaged over seeds.
    """
    length = np.linalg.norm(vectors.astype(np.float64), axis=-1, keepdims=True)
    units = vectors / np.where(length > 0, length, np.nan)
    count = min(count, len(names) - 1)
    nearest, cosine = [], []
    for first in range(0, len(names), ROWS_AT_ONCE):
        rows = slice(first, first + ROWS_AT_ONCE)
        # Seed by seed: 15 at once would take 12 GB for 100,000 songs.
        found = sum(one[rows] @ one.T for one in units) / len(units)
        ranked = np.where(np.isnan(found), -2.0, found)
        ranked[np.arange(len(found)), np.arange(first, first + len(found))] = -np.inf
        order = np.argsort(-ranked, axis=1, kind="stable")[:, :count]
        nearest.append(order)
        cosine.append(np.take_along_axis(found, order, axis=1))
    return Neighbours(names, np.concatenate(nearest), np.concatenate(cosine))


def to_text(found: Neighbours) -> str:
    """Writes each thing with its neighbours below it."""
    lines = []
    for name, nearest, cosine in zip(*found, strict=True):
        lines.append(name)
        lines += [
            f"    {value:6.3f}  {found.names[k]}"
            for k, value in zip(nearest, cosine, strict=True)
        ]
    return "\n".join(lines)


def to_cards(found: Neighbours) -> list[dict[str, Any]]:
    """Gives what the page says of each thing: its name, and those of its neighbours."""
    return [
        {"name": name, "near": [(k, found.names[k], f"{c:.3f}") for k, c in near]}
        for name, near in zip(
            found.names[:MAX_SHOWN], map(zip, found.nearest, found.cosine), strict=False
        )
    ]


def write_page(
    path: Path,
    songs: Neighbours,
    tags: Neighbours,
    of_corpus: Mapping[str, Any],
    about: Sequence[str],
) -> Path:
    """Writes one HTML file that opens without a network, as `files.write_new`.

    Songs are neighbours by embedding, which `about` describes, and tags by label
    vector; `of_corpus` is what the networks were trained on, as in a run's summary.
    """
    shown = min(len(songs.names), MAX_SHOWN)
    if shown < len(songs.names):
        about = [*about, f"The first {shown:,} of {len(songs.names):,} are shown."]
    text = page.render(
        "neighbours.html.j2",
        title="Nearest neighbours",
        corpus=page.corpus(of_corpus, of_corpus.get("name")),
        facts=(
            (f"{len(songs.names):,}", "songs", "embedded"),
            (f"{len(tags.names):,}", "tags", "of the bundle"),
        ),
        about=about,
        songs=to_cards(songs),
        tags=to_cards(tags),
    )
    content = text.encode("utf-8", "backslashreplace")  # Names may not be UTF-8.
    return files.write_new(path, lambda new: new.write_bytes(content))
