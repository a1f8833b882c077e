"""The Million Song Dataset: labels from one of three sources, audio in two layouts.

    labels      split files, lastfm_tags.db or pickles; see the modules of these names
    audio       A/B/C/TRABCDE128F42A7B1C.mp3    third to fifth characters of the MSD id
                3/6/36122424.clip.mp3           first two digits of the 7digital id

Which of them there are is found out by looking. Whether the file of a track is there is
not: a missing one is left out when spectrograms are prepared.
"""

import hashlib
import json
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from input_pipeline.corpora.corpus import Clip, Corpus
from input_pipeline.corpora.msd import lastfm, pickles, split_files
from input_pipeline.corpora.msd.labels import Labels
from input_pipeline.corpora.tables import usual_ending

# Name of a source -> (files of which one is there, what it is known by).
SOURCES: dict[str, tuple[Collection[str], str]] = {
    "split_files": (split_files.FILES.values(), "{train,valid,test}_y.npy"),
    "lastfm": ((lastfm.DATABASE,), lastfm.DATABASE),
    "pickles": (
        (pickles.VECTORS, *pickles.LISTS.values()),
        "filtered_list_{train,test}.cP",
    ),
}
EXTENSIONS = (".mp3", ".clip.mp3", ".ogg", ".flac", ".wav")


def load(
    label_dir: Path | str,
    audio_dir: Path | str | None = None,
    labels: str = "auto",
    num_tags: int = 0,
) -> Corpus:
    """Reads the labels and finds the layout of the audio.

    Without an audio directory only the labels are of interest, and the clips' files do
    not exist. Of labels from Last.fm without a list of tags beside them, the
    `num_tags` most frequent tags are kept; 0 keeps 50.

    Raises:
        ValueError: No labels or several kinds of them, labels that are not what they
            should be, or an audio directory in neither layout.
    """
    label_dir = Path(label_dir).absolute()
    source = _source(label_dir, labels)
    read = {
        "split_files": lambda: split_files.read(label_dir),
        "lastfm": lambda: lastfm.read(label_dir, num_tags or 50),
        "pickles": lambda: pickles.read(label_dir),
    }
    found = read[source]()
    if num_tags and num_tags != len(found.tags):
        raise ValueError(
            f"corpus.num_tags={num_tags}: the labels in {label_dir} ({source}) come "
            f"with a list of {len(found.tags)} tags; only labels from Last.fm without "
            "such a list are counted here, so leave corpus.num_tags out"
        )
    root = Path(audio_dir).absolute() if audio_dir else None
    paths = _paths(found, label_dir, root)
    clips, rejected = [], []
    rows = zip(found.track_ids, found.splits, paths, found.matrix, strict=True)
    for track_id, split, path, tags in rows:
        if path is None:
            rejected.append((track_id, "", "no 7digital id"))
        else:
            clips.append(Clip(track_id, split, (root or label_dir) / path, tags))
    text = json.dumps([found.tags, found.track_ids, found.splits])
    digest = hashlib.sha256(text.encode() + found.matrix.tobytes()).hexdigest()[:8]
    return Corpus(
        name="msd",
        version=f"{found.source} {digest}",
        audio_dir=root or label_dir,
        tags=found.tags,
        clips=clips,
        rejected=rejected,
        published=found.published,
        has_audio=root is not None,
    )


def _source(label_dir: Path, wanted: str) -> str:
    there = [
        name
        for name, (files, _) in SOURCES.items()
        if any((label_dir / file).exists() for file in files)
    ]
    if wanted in there:
        return wanted
    if wanted in SOURCES:
        raise ValueError(
            f"corpus.labels is {wanted}, but {label_dir} has no {SOURCES[wanted][1]}"
        )
    if wanted != "auto":
        raise ValueError(
            f"corpus.labels is {wanted!r}; choose from auto, {', '.join(SOURCES)}"
        )
    if not there:
        files = (f"{known_by} ({name})" for name, (_, known_by) in SOURCES.items())
        raise ValueError(f"{label_dir} has no labels; looked for {', '.join(files)}")
    if len(there) > 1:
        raise ValueError(
            f"{label_dir} has several kinds of labels; choose with "
            f"--config.corpus.labels={' or '.join(there)}"
        )
    return there[0]


def _stem(track_id: str, first: int, stop: int) -> str:
    """Returns the path of a track without extension: some characters, then the id.

    >>> _stem("TRABCDE128F42A7B1C", 2, 5), _stem("36122424", 0, 2)
    ('A/B/C/TRABCDE128F42A7B1C', '3/6/36122424')
    """
    return "/".join([*track_id[first:stop], track_id])


def _paths(labels: Labels, label_dir: Path, audio_dir: Path | None) -> list[str | None]:
    """Paths of the tracks in the audio directory, None where the id is not known."""
    expected = []
    for stems, usual in _layouts(labels, label_dir):
        known = [stem for stem in stems if stem]
        extension: str | None = usual
        if audio_dir:
            extension = usual_ending(audio_dir, known, EXTENSIONS)
        if extension:
            return [stem and stem + extension for stem in stems]
        expected.append(known[0] + usual)
    if labels.are_msd_ids and len(expected) == 1:
        table = label_dir / pickles.SEVEN_DIGITAL
        expected.append(f"3/6/36122424.clip.mp3 (for which {table} is needed)")
    raise ValueError(
        f"{audio_dir} has no audio of the tracks that {label_dir} lists; expected "
        f"files such as {' or '.join(expected)}, ending in any of "
        f"{', '.join(EXTENSIONS)}. Give the directory that the first folder is in"
    )


def _layouts(labels: Labels, label_dir: Path) -> Iterator[tuple[list[str | None], str]]:
    """Yields the stems of all tracks in one layout, then in the other, if it has ids.

    One after the other: a table of ids that is pickled takes seconds to read. Beside
    the stems stands the layout's usual extension.
    """
    ids: Sequence[str | None] | None = labels.track_ids
    if labels.are_msd_ids:
        yield [_stem(track_id, 2, 5) for track_id in labels.track_ids], ".mp3"
        ids = labels.seven_digital_ids or pickles.read_seven_digital_ids(
            label_dir, labels.track_ids
        )
    if ids and any(ids):
        yield [track_id and _stem(track_id, 0, 2) for track_id in ids], ".clip.mp3"
