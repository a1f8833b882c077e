"""MTG-Jamendo: its published splits, with its audio or its mel spectrograms.

`label_dir` is the folder `data/splits` of the data set's repository. It holds
`split-0` to `split-4`, and each of those three tables per subset, such as
`autotagging_top50tags-train.tsv`, tab-separated with the columns `HEADER`; the tags of
a track are all columns from the sixth on.

`audio_dir` holds the tracks in the folders that the archives make, in one of the three
`FORMS`; which one is found out by looking.

Bogdanov, Won, Tovstogan, Porter and Serra: The MTG-Jamendo Dataset for Automatic Music
Tagging, Machine Learning for Music Discovery Workshop, ICML 2019.
"""

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from input_pipeline.corpora import tables
from input_pipeline.corpora.corpus import Clip, Corpus

HEADER = ("TRACK_ID", "ARTIST_ID", "ALBUM_ID", "PATH", "DURATION", "TAGS")
CATEGORIES = ("genre", "instrument", "mood/theme")
SPLIT_FILES = {"train": "train", "valid": "validation", "test": "test"}
# What follows the path of a track instead of ".mp3" -> what that is.
FORMS = {".mp3": "audio", ".low.mp3": "low-quality audio", ".npy": "mel spectrograms"}
# Tracks per split of a subset and a fold, where they were published.
PUBLISHED = {
    "autotagging_top50tags split-0": {"train": 32_136, "valid": 10_888, "test": 11_356},
}

_IDS = re.compile(r"track_[0-9]+\tartist_[0-9]+\talbum_[0-9]+")

logger = logging.getLogger(__name__)


class _Track(NamedTuple):
    """One row of a table. `stem` is its path without the extension."""

    track_id: str
    split: str
    artist: str
    stem: str
    duration_s: float
    tags: list[str]
    where: str

    def file(self, audio_dir: Path, form: str) -> Path:
        """Returns the file of the track in one of the `FORMS`."""
        return tables.path_inside(audio_dir, self.stem + form, self.where)


def load(
    label_dir: Path | str,
    audio_dir: Path | str = "",
    subset: str = "autotagging_top50tags",
    fold: int = 0,
    excerpts_per_track: int = 1,
    clip_duration_s: float = 29.0,
) -> Corpus:
    """Reads the three tables of a subset; of the tracks only some are looked for.

    `audio_dir` holds `00/7400.mp3`, `00/7400.low.mp3` or `00/7400.npy`, and so on. A
    `tags.txt` in `label_dir`, one tag a line, fixes the vocabulary and its order;
    without it all tags of the three tables are taken, in alphabetical order, as the
    published lists have them. A single excerpt is the centre of its track; several are
    left to who prepares them. Without an `audio_dir` labels can be looked at, and no
    track is.

    Raises:
        ValueError: Names the file, the line, what was found and what is expected.
    """
    label_dir = Path(label_dir).absolute()
    root = Path(audio_dir).absolute() if audio_dir else label_dir
    files = _tables(label_dir, subset, fold)
    tracks = [
        track for split, table in files.items() for track in _read_tracks(table, split)
    ]
    _check_ids(tracks)
    every = tuple(sorted({tag for track in tracks for tag in track.tags}))
    tags = tables.find_vocabulary(label_dir) or every
    form = _find_form(root, tracks) if audio_dir else ".mp3"
    columns = {tag: column for column, tag in enumerate(tags)}
    clips = []
    for track in tracks:
        for tag in track.tags:
            if tag not in columns:
                raise ValueError(
                    f"{track.where}: the tag {tag!r} is not among the {len(tags)} tags "
                    f"of {label_dir / 'tags.txt'}; add it there, or remove that file "
                    "to take all tags of the tables"
                )
        labels = tables.label_vector(track.tags, columns)
        path, start_s = track.file(root, form), None
        if excerpts_per_track == 1:
            start_s = max(0.0, track.duration_s - clip_duration_s) / 2
        own = (track.track_id, track.split, path, labels)
        clips.append(Clip(*own, start_s=start_s, artist=track.artist))
    name, digest = f"{subset} split-{fold}", tables.digest(*files.values())
    counts = PUBLISHED.get(name)
    return Corpus(
        name="mtg_jamendo",
        version=f"{name} ({digest}), {FORMS[form] if audio_dir else 'labels alone'}",
        audio_dir=root,
        tags=tags,
        clips=clips,
        published={f"MTG-Jamendo, {name}": counts} if counts else {},
        has_audio=bool(audio_dir),
    )


def _tables(label_dir: Path, subset: str, fold: int) -> dict[str, Path]:
    """Finds the three tables, in the fold's folder or in `label_dir` itself."""
    folder = label_dir / f"split-{fold}"
    if not folder.is_dir() and re.fullmatch(r"split-[0-9]+", label_dir.name):
        if label_dir.name != folder.name:
            raise ValueError(
                f"label_dir is {label_dir}, but corpus.fold is {fold}; give the folder "
                "that holds all of split-0 to split-4, or the fold that this one is"
            )
        folder = label_dir
    files = {s: folder / f"{subset}-{name}.tsv" for s, name in SPLIT_FILES.items()}
    missing = [str(table) for table in files.values() if not table.is_file()]
    if missing:
        raise ValueError(
            f"no file {', '.join(missing)}; corpus.label_dir must be data/splits of "
            "the repository MTG/mtg-jamendo-dataset, which holds split-0 to split-4"
        )
    return files


def _read_tracks(table: Path, split: str) -> Iterator[_Track]:
    # Not splitlines: it would break lines at characters that no editor counts.
    lines = tables.read_text(table).rstrip("\n").split("\n")
    if tuple(lines[0].split("\t")) != HEADER:
        raise ValueError(
            f"{table}, line 1: {lines[0][:200]!r} is not the header; expected the "
            f"tab-separated columns {' '.join(HEADER)}"
        )
    if len(lines) == 1:
        raise ValueError(f"{table} has a header but no tracks; fetch it again")
    for number, line in enumerate(lines[1:], start=2):
        yield _track(line, split, f"{table}, line {number}")


def _track(line: str, split: str, where: str) -> _Track:
    values = line.split("\t")
    if len(values) < len(HEADER):
        raise ValueError(
            f"{where}: {len(values)} columns; expected {len(HEADER) - 1} and at "
            "least one tag, separated by tabs"
        )
    track_id, artist, album, path, duration, *tags = values
    if not _IDS.fullmatch(f"{track_id}\t{artist}\t{album}"):
        raise ValueError(
            f"{where}: the ids are {track_id!r}, {artist!r}, {album!r}; expected "
            "track_, artist_ and album_, each followed by digits"
        )
    for tag in tags:
        category, dashes, name = tag.partition("---")
        if category not in CATEGORIES or not dashes or not name.strip():
            raise ValueError(
                f"{where}: the tag {tag!r} must be one of the categories "
                f"{', '.join(CATEGORIES)}, then ---, then its name"
            )
    if not path.endswith(".mp3"):
        raise ValueError(f"{where}: the path {path!r} must end in .mp3")
    duration_s = tables.seconds(duration, "DURATION", where, may_be_0=False)
    stem = path.removesuffix(".mp3")
    return _Track(track_id, split, artist, stem, duration_s, tags, where)


def _check_ids(tracks: list[_Track]) -> None:
    first: dict[str, _Track] = {}
    for track in tracks:
        earlier = first.setdefault(track.track_id, track)
        if earlier is not track:
            twice = "in two splits" if earlier.split != track.split else "listed twice"
            raise ValueError(
                f"{track.where}: {track.track_id} is {twice}, it was already in "
                f"{earlier.where}; every track must be in one row of one split"
            )


def _find_form(audio_dir: Path, tracks: list[_Track]) -> str:
    form = tables.usual_ending(audio_dir, [track.stem for track in tracks], FORMS)
    if form is None:
        examples = ", ".join(str(tracks[0].file(audio_dir, form)) for form in FORMS)
        raise ValueError(
            f"none of the tracks that were looked for is below {audio_dir}, neither as "
            f"audio nor as spectrogram: {examples}, and so on. Set corpus.audio_dir to "
            "the folder that holds the folders 00 to 99"
        )
    logger.info("%s: %s (*%s)", audio_dir, FORMS[form], form)
    return form
