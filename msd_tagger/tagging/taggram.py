"""A picture of one song's tags over time."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from msd_tagger.bundle.format import Bundle
from msd_tagger.common.text import clock, printable
from msd_tagger.pages import style
from msd_tagger.tagging.songs import Song, rank


def write_song(
    path: Path, song: Song, bundle: Bundle, top: int = 5, window_s: float = 0.0
) -> None:
    """Writes a PNG of a song's highest tags, titled by its name and folder.

    The whole path is the PNG's own title. `window_s` is the length of its excerpts, 0
    for that of the bundle's clips.
    """
    tags = [one.tag for one in rank(song, bundle)[:top]]
    rows = [bundle.tags.index(tag) for tag in tags]
    window_s = window_s or bundle.recipe.duration_s
    scores = song.scores.mean(0)[:, rows]
    edges_s, of_parts = parts(song.starts_s, window_s, song.duration_s, scores)
    whole = printable(song.path)
    title = "/".join(Path(whole).parts[-2:])
    about = {"Title": whole}
    style.save(
        lambda: draw(title, tags, of_parts, edges_s), path, dpi=150, metadata=about
    )


def draw(
    title: str, tags: Sequence[str], scores: np.ndarray, edges_s: np.ndarray
) -> Figure:
    """Draws scores over time, `[K, P]`, NaN where there is none.

    The K tags are from the top down; edges are `[P + 1]`, where parts start and end.
    """
    figure = Figure(figsize=(7, 1.2 + 0.22 * len(tags)))
    axes = figure.add_subplot()
    # The same colours for every song; roots, as most scores are small.
    norm = PowerNorm(0.5, 0, 1)
    rows = np.arange(len(tags) + 1)
    image = axes.pcolormesh(edges_s, rows, scores, cmap="viridis", norm=norm)
    axes.set_yticks(rows[:-1] + 0.5, [style.label(tag) for tag in tags])
    axes.invert_yaxis()
    axes.grid(False)
    axes.xaxis.set_major_locator(MaxNLocator(8, steps=[1, 1.5, 3, 6, 10], integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda s, _: clock(s)))
    axes.set_xlabel("time")
    axes.set_title(style.label(title))
    figure.colorbar(image, ax=axes, label="score", ticks=[0, 0.05, 0.2, 0.5, 1])
    return figure


def parts(
    starts_s: np.ndarray, window_s: float, duration_s: float, scores: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Excerpts as parts that leave no gap: what was silent gets NaN.

    Where excerpts overlap, a part has the mean of those that it is in.

    >>> edges, filled = parts(np.array([0.0, 58.0]), 29.0, 80.0, np.ones((2, 1)))
    >>> edges.tolist(), filled.tolist()
    ([0.0, 29.0, 58.0, 80.0], [[1.0, nan, 1.0]])
    >>> edges, filled = parts(np.array([0, 2]), 4, 6, np.array([[0.0], [1.0]]))
    >>> edges.tolist(), filled.tolist()
    ([0.0, 2.0, 4.0, 6.0], [[0.0, 0.5, 1.0]])

    Starts are `[E]` and scores `[E, K]`; edges are `[P + 1]` and their scores `[K, P]`.
    """
    starts_s = np.asarray(starts_s, float)
    last_s = max(duration_s, starts_s[-1] + 1)  # A part of no width could not be seen.
    ends_s = np.minimum(starts_s + window_s, last_s)
    edges_s = np.unique(np.concatenate([[0.0], starts_s, ends_s]).round(6))
    middles_s = (edges_s[:-1] + edges_s[1:]) / 2
    covers = (starts_s[:, None] < middles_s) & (middles_s < ends_s[:, None])  # [E, P]
    with np.errstate(invalid="ignore"):
        return edges_s, scores.T @ covers / covers.sum(0)
