"""What the page is told: of the bundle once, and of every song."""

import base64
from pathlib import Path
from typing import Any

import numpy as np

from msd_tagger.bundle.format import Bundle
from msd_tagger.common.text import clock
from msd_tagger.pages.page import TEMPLATES, render
from msd_tagger.pages.pictures import spectrogram_png
from msd_tagger.tagging.server.limits import Limits
from msd_tagger.tagging.songs import MIN_REST_S, Excerpts, Song, rank

PAGE = Path(__file__).with_name("page")
# Shared with the reports, which it makes the page look like.
STYLE = TEMPLATES / "style.css"
FREQUENCIES_HZ = (100, 500, 1000, 2000, 4000, 8000, 16000)


def page_files(bundle: Bundle, limits: Limits) -> dict[str, tuple[str, str]]:
    """Returns the page and what it loads: path to media type and text."""
    page = render(
        "serve.html.j2",
        PAGE,
        about=about(bundle),
        legend=legend(bundle),
        num_seeds=len(bundle.seeds),
        has_thresholds=bundle.thresholds is not None,
        limits=limits,
    )
    script = (PAGE / "serve.js").read_text(encoding="utf-8")
    return {
        "/": ("text/html", page),
        "/style.css": ("text/css", STYLE.read_text(encoding="utf-8")),
        "/serve.css": ("text/css", (PAGE / "serve.css").read_text(encoding="utf-8")),
        "/serve.js": ("text/javascript", script),
    }


def about(bundle: Bundle) -> str:
    """Says in a sentence what listens."""
    corpus = bundle.provenance.get("corpus")
    name = corpus.get("name") if isinstance(corpus, dict) else None
    networks = count(len(bundle.seeds), "network")
    learnt = f" Corpus: {name}." if name else ""
    return f"{networks} for {count(len(bundle.tags), 'tag')}.{learnt}"


def count(number: int, noun: str) -> str:
    """Counts things.

    >>> count(1, "tag"), count(50, "tag")
    ('1 tag', '50 tags')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def answer(bundle: Bundle, heard: Excerpts, scores: np.ndarray) -> dict[str, Any]:
    """What the page shows of a song with scores `[S, E, K]`, ready for JSON.

    Tags that pass their thresholds come first, then by score; serve.js names all.
    """
    recipe = bundle.recipe
    # A short rest of a song is in no excerpt: the picture ends before it.
    end_s = min(heard.duration_s, heard.starts_s[-1] + recipe.duration_s)
    picture = laid_out(heard, end_s, recipe.frames_per_s)
    png = base64.b64encode(spectrogram_png(picture)).decode("ascii")
    return {
        "duration_s": float(heard.duration_s),
        "excerpt_s": recipe.duration_s,
        "starts_s": [float(start_s) for start_s in heard.starts_s],
        "facts": facts(heard, recipe.duration_s),
        "tags": tags_of(bundle, Song("", heard.duration_s, heard.starts_s, scores)),
        "spectrogram": f"data:image/png;base64,{png}",
        "spectrogram_s": float(end_s),
        "frequencies": frequencies(recipe.band_centres_hz()),
    }


def facts(heard: Excerpts, excerpt_s: float) -> str:
    """Says how long the song is, and what of it was heard."""
    excerpts = count(len(heard.starts_s), "excerpt")
    text = f"{clock(heard.duration_s)}, {excerpts} of {excerpt_s:g} s"
    left_s = heard.duration_s - len(heard.starts_s) * excerpt_s
    if left_s < MIN_REST_S:
        return text
    return f"{text}; {clock(left_s)} is silent, or the file ends early"


def tags_of(bundle: Bundle, song: Song) -> list[dict[str, Any]]:
    """Scores of each tag in all, and of each excerpt, with what is known of the tag."""
    over_time, thresholds = song.scores.mean(axis=0), bundle.thresholds
    found = []
    for one in rank(song, bundle):
        k = bundle.tags.index(one.tag)
        precision = None
        if thresholds is not None and one.threshold is not None:
            precision = float(thresholds.precision[k])
        more = {"precision": precision, "over_time": over_time[:, k].tolist()}
        found.append(one._asdict() | more)
    return sorted(found, key=lambda tag: not tag["passes"])


def laid_out(heard: Excerpts, end_s: float, frames_per_s: float) -> np.ndarray:
    """Puts excerpts where they belong in the song: `[E, M, F] -> [M, frames]`.

    Parts without an excerpt are silent, and as dark as can be.
    """
    num_bands = heard.spectrograms.shape[1]
    num_frames = max(1, round(end_s * frames_per_s))
    darkest = heard.spectrograms.min()
    picture = np.full((num_bands, num_frames), darkest, heard.spectrograms.dtype)
    for start_s, part in zip(heard.starts_s, heard.spectrograms, strict=True):
        place = picture[:, round(start_s * frames_per_s) :][:, : part.shape[1]]
        place[:] = part[:, : place.shape[1]]
    return picture


def frequencies(centres_hz: np.ndarray | None) -> list[dict[str, Any]]:
    """Where round frequencies lie in the picture, as a share of its height.

    Nowhere if bands have no frequencies, or do not rise.

    >>> frequencies(np.arange(0, 700, 100))
    [{'name': '100 Hz', 'height': 0.21...}, {'name': '500 Hz', 'height': 0.78...}]
    """
    if centres_hz is None or (np.diff(centres_hz) < 0).any():
        return []
    bands = np.arange(len(centres_hz))
    shown = [hz for hz in FREQUENCIES_HZ if centres_hz[0] <= hz <= centres_hz[-1]]
    return [
        {
            "name": f"{hz} Hz" if hz < 1000 else f"{hz // 1000} kHz",
            "height": (float(np.interp(hz, centres_hz, bands)) + 0.5) / len(centres_hz),
        }
        for hz in shown
    ]


def legend(bundle: Bundle) -> str:
    """Explains the table."""
    if bundle.thresholds is None:
        return "The bundle has no thresholds: only the order of the tags has a meaning."
    split = bundle.thresholds.split.replace("valid", "validation")
    return (
        "✓ and a full bar: the score reaches the tag's own threshold, the mark on the "
        f"bar, which is the best by F1 on the {split} split."
    )
