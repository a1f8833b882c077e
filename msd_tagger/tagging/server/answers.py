"""What the page is told: of the bundle once, and of every song."""

import base64
from pathlib import Path
from typing import Any

import numpy as np

from msd_tagger.bundle import heard
from msd_tagger.bundle.format import Bundle
from msd_tagger.bundle.thresholds import FIRM_FROM, is_firm
from msd_tagger.common.text import clock, split_name
from msd_tagger.pages.page import TEMPLATES, render
from msd_tagger.pages.pictures import frequencies, spectrogram_png
from msd_tagger.tagging.server.limits import Limits
from msd_tagger.tagging.songs import MIN_REST_S, Excerpts, Song, rank

PAGE = Path(__file__).with_name("page")
# Shared with the reports, which it makes the page look like.
STYLE = TEMPLATES / "style.css"
# What the two halves of sample.mp3 were composed to be: clips 18 and 10, seed 1, of
# version 1.3 of the embedded corpus.
SAMPLE_TAGS = (
    "60s, catchy, instrumental, jazz",
    "80s, dance, electro, electronic, electronica, instrumental",
)


def page_files(bundle: Bundle, limits: Limits) -> dict[str, tuple[str, str | bytes]]:
    """Returns the page and what it loads: path to media type and content."""
    networks = count(len(bundle.seeds), "network")
    page = render(
        "serve.html.j2",
        PAGE,
        about=f"{networks} for {count(len(bundle.tags), 'tag')}.",
        heard=heard.about(bundle),
        is_synthetic=heard.is_synthetic(bundle),
        legend=legend(bundle),
        num_seeds=len(bundle.seeds),
        has_thresholds=bundle.thresholds is not None,
        limits=limits,
        sample_tags=SAMPLE_TAGS,
    )
    script = (PAGE / "serve.js").read_text(encoding="utf-8")
    return {
        "/": ("text/html", page),
        "/style.css": ("text/css", STYLE.read_text(encoding="utf-8")),
        "/serve.css": ("text/css", (PAGE / "serve.css").read_text(encoding="utf-8")),
        "/serve.js": ("text/javascript", script),
        "/sample.mp3": ("audio/mpeg", (PAGE / "sample.mp3").read_bytes()),
    }


def count(number: int, noun: str) -> str:
    """Counts things.

    >>> count(1, "tag"), count(50, "tag")
    ('1 tag', '50 tags')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def answer(bundle: Bundle, song: Excerpts, scores: np.ndarray) -> dict[str, Any]:
    """Gives what the page shows of a song with scores `[S, E, K]`, ready for JSON.

    Tags that pass their thresholds come first, then by score; serve.js names all.
    """
    recipe = bundle.recipe
    # A short rest of a song is in no excerpt: the picture ends before it.
    end_s = min(song.duration_s, song.starts_s[-1] + recipe.duration_s)
    picture = laid_out(song, end_s, recipe.frames_per_s)
    png = base64.b64encode(spectrogram_png(picture)).decode("ascii")
    return {
        "duration_s": float(song.duration_s),
        "excerpt_s": recipe.duration_s,
        "starts_s": [float(start_s) for start_s in song.starts_s],
        "facts": facts(song, recipe.duration_s),
        "tags": tags_of(bundle, Song("", song.duration_s, song.starts_s, scores)),
        "spectrogram": f"data:image/png;base64,{png}",
        "spectrogram_s": float(end_s),
        "frequencies": frequencies(recipe.band_centres_hz()),
    }


def facts(song: Excerpts, excerpt_s: float) -> str:
    """Says how long the song is, and what of it was heard."""
    excerpts = count(len(song.starts_s), "excerpt")
    text = f"{clock(song.duration_s)}, {excerpts} of {excerpt_s:g} s"
    left_s = song.duration_s - len(song.starts_s) * excerpt_s
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
        more = {"precision": precision, "is_firm": is_firm(thresholds, k)}
        found.append(one._asdict() | more | {"over_time": over_time[:, k].tolist()})
    return sorted(found, key=lambda tag: not (tag["passes"] and tag["is_firm"]))


def laid_out(song: Excerpts, end_s: float, frames_per_s: float) -> np.ndarray:
    """Puts excerpts where they belong in the song: `[E, M, F] -> [M, frames]`.

    Parts without an excerpt are silent, and as dark as can be.
    """
    num_bands = song.spectrograms.shape[1]
    num_frames = max(1, round(end_s * frames_per_s))
    darkest = song.spectrograms.min()
    picture = np.full((num_bands, num_frames), darkest, song.spectrograms.dtype)
    for start_s, part in zip(song.starts_s, song.spectrograms, strict=True):
        place = picture[:, round(start_s * frames_per_s) :][:, : part.shape[1]]
        place[:] = part[:, : place.shape[1]]
    return picture


def legend(bundle: Bundle) -> str:
    """Explains the table."""
    if bundle.thresholds is None:
        return "The bundle has no thresholds: only the order of the tags has a meaning."
    split = split_name(bundle.thresholds.split)
    return (
        "✓ and a full bar: the score reaches the tag's own threshold, the mark on the "
        f"bar, which is the best by F1 on the {split} split. ? in place of ✓: fewer "
        f"than {FIRM_FROM} clips of that split have the tag, so its threshold says "
        "little."
    )
