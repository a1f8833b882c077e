"""Writes the page on which somebody listens and answers (section III-B).

One HTML file that works without a network, opened from the disk. The audio is inside it
as long as that is not too much, else in a folder beside it.
"""

import base64
import dataclasses
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from msd_tagger.common import files
from msd_tagger.frontend import mpeg
from msd_tagger.pages.page import template_of
from msd_tagger.pages.pictures import frequencies, spectrogram_png
from studies.annotation.answers import ANSWERS, COLUMNS
from studies.annotation.subsets import Subset

# What the browser is told that a file is; others are refused.
AUDIO_TYPES = dict.fromkeys((".aif", ".aiff"), "audio/aiff")
AUDIO_TYPES |= {".aac": "audio/aac", ".flac": "audio/flac"}
AUDIO_TYPES |= dict.fromkeys((".m4a", ".m4b", ".mp4"), "audio/mp4")
AUDIO_TYPES |= {".mp3": "audio/mpeg"}
AUDIO_TYPES |= dict.fromkeys((".oga", ".ogg", ".opus"), "audio/ogg")
AUDIO_TYPES |= dict.fromkeys((".wav", ".wave"), "audio/wav")
AUDIO_TYPES |= {".webm": "audio/webm"}
# How files of these endings begin, behind tags.
STARTS = (
    (rb"RIFF....WAVE", ".wav"),
    (rb"FORM....AIF", ".aiff"),
    (rb"fLaC", ".flac"),
    (rb"OggS", ".ogg"),
    (rb"....ftyp", ".m4a"),
    (rb"\x1a\x45\xdf\xa3.{,40}webm", ".webm"),
    (rb"\xff[\xf0\xf1\xf8\xf9]", ".aac"),
)
EMBED_LIMIT_BYTES = 150_000_000
TEMPLATES = Path(__file__).parents[1] / "templates"


@dataclasses.dataclass(frozen=True)
class ClipToHear:
    """A clip of the page."""

    track_id: str
    audio: Path
    spectrogram: np.ndarray | None = None  # dB of power [M, F]; None for no picture.
    existing_tags: Sequence[str] = ()  # What the corpus says; hidden until asked for.
    start_s: float = 0.0  # Where the clip starts in the file.
    heard_s: float | None = None  # How much of the picture is sound; None for all.


def write_annotation_page(
    folder: Path | str,
    subset: Subset,
    clips: Sequence[ClipToHear],
    *,
    duration_s: float = 29.0,
    centres_hz: Sequence[float] = (),
    embed_limit_bytes: int = EMBED_LIMIT_BYTES,
) -> Path:
    """Writes `<folder>/<subset>.html`.

    Args:
        folder: Created if missing.
        subset: The questions.
        clips: Those of the subset, in its order.
        duration_s: How much of each file is the clip, and how much a picture shows.
        centres_hz: Of the bands of the pictures; empty for no axis.
        embed_limit_bytes: With more audio than this in all, the files are copied to
            `<folder>/<subset>_audio_<digest>/`, which the page needs beside it.

    Raises:
        ValueError: As `check`.
    """
    page = Path(folder) / f"{subset.name}.html"
    check(subset, clips, page)
    embed = sum(clip.audio.stat().st_size for clip in clips) <= embed_limit_bytes
    names = copied_names(subset, clips)
    if not embed:
        copy_audio(page.parent, clips, names)
    data = {
        "digest": subset.digest,
        "name": subset.name,
        "columns": COLUMNS,
        "answers": ANSWERS,
        "frequencies": frequencies(np.asarray(centres_hz)) if len(centres_hz) else [],
        "clips": [
            {
                "id": clip.track_id,
                "labels": [subset.labels[k] for k in np.flatnonzero(asked)],
                "existing": list(clip.existing_tags),
                "start_s": clip.start_s,
                "heard_s": min(duration_s, clip.heard_s or duration_s),
                "type": AUDIO_TYPES[ending_of(clip.audio)],
                "file": "" if embed else name,
            }
            for clip, asked, name in zip(clips, subset.asked, names, strict=True)
        ],
    }
    template = template_of("annotate.html.j2", TEMPLATES)
    # Piece by piece: the audio may be large.
    content = template.generate(data=data, files=_files(clips, embed, duration_s))
    with files.replacing(page) as new, new.open("w", encoding="utf-8") as file:
        file.writelines(content)
    return page


def copied_names(subset: Subset, clips: Sequence[ClipToHear]) -> list[str]:
    """Names the copies of the clips' files by number: ids may be anything.

    The digest keeps copies for other questions apart.
    """
    folder = f"{subset.name}_audio_{subset.digest[:8]}"
    return [
        f"{folder}/{number:04d}{ending_of(clip.audio)}"
        for number, clip in enumerate(clips, start=1)
    ]


def ending_of(path: Path) -> str:
    """Gives the ending for a file's content; its own only where that says nothing."""
    with path.open("rb") as file:
        start = mpeg.behind_tags(lambda at, count: os.pread(file.fileno(), count, at))
        head = os.pread(file.fileno(), 2**14, start)
    if mpeg.find(head, most=1):
        return ".mp3"
    found = (ending for begin, ending in STARTS if re.match(begin, head, re.DOTALL))
    return next(found, path.suffix.lower())


def copy_audio(folder: Path, clips: Sequence[ClipToHear], names: Sequence[str]) -> None:
    """Copies the clips' files to their names below a folder."""
    for clip, name in zip(clips, names, strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(clip.audio, folder / name)


def check_clips(subset: Subset, clips: Sequence[ClipToHear]) -> None:
    """Checks that the clips are those of the subset and can be played.

    Raises:
        ValueError: The subset is empty, its clips are not the given ones, or an audio
            file is missing or of an unknown type. The message names the first one.
    """
    if not len(subset.track_id):
        raise ValueError(
            f"{subset.name} is empty: the {subset.split} split has no clip"
        )
    ids = [clip.track_id for clip in clips]
    if ids != subset.track_id.tolist():
        raise ValueError(
            f"{len(ids)} clips were given for the {len(subset.track_id)} of "
            f"{subset.name}; they must be the same, in the same order"
        )
    for clip in clips:
        which = f"{clip.audio} of clip {clip.track_id!r} is"
        if not clip.audio.is_file():
            raise ValueError(f"{which} missing; a page to listen needs the audio files")
        if ending_of(clip.audio) not in AUDIO_TYPES:
            allowed = ", ".join(AUDIO_TYPES)
            raise ValueError(
                f"{which} not known, by its content or its ending, to play in "
                f"browsers, which take {allowed}; convert it, for example to .flac, "
                "and write its new name into the corpus's table"
            )


def check(subset: Subset, clips: Sequence[ClipToHear], page: Path) -> None:
    """Checks that a page may be written; pictures of the clips do not matter.

    Raises:
        ValueError: As `check_clips`, or the page exists and asks other questions.
    """
    check_clips(subset, clips)
    if not page.exists():
        return
    with page.open("rb") as file:
        if subset.digest.encode() not in file.read(4096):
            raise ValueError(
                f"{page} exists and asks other questions, or of other audio; give "
                "another folder, or move it away"
            )


def _files(
    clips: Sequence[ClipToHear], embed: bool, duration_s: float
) -> Iterator[tuple[str, str]]:
    """Yields the ids and contents, in base64, of what the page has inside.

    Pictures end where the sound does: what pads a clip is silence of ours.
    """
    for row, clip in enumerate(clips):
        if clip.spectrogram is not None:
            share = min(1.0, (clip.heard_s or duration_s) / duration_s)
            num_frames = max(1, round(share * clip.spectrogram.shape[1]))
            png = spectrogram_png(clip.spectrogram[:, :num_frames])
            yield f"picture-{row}", base64.b64encode(png).decode()
        if embed:
            yield f"audio-{row}", base64.b64encode(clip.audio.read_bytes()).decode()
