"""MagnaTagATune: 25,863 clips of 29 s that players of a game described.

E. Law, K. West, M. Mandel, M. Bay and J. S. Downie, "Evaluation of algorithms using
games: the case of music tagging", ISMIR 2009. It is read as it is published:

    label_dir/annotations_final.csv   tab-separated: clip_id, 188 tags of 0/1, mp3_path
    label_dir/clip_info_final.csv     optional, tab-separated: clip_id, artist, …
    audio_dir/0/, …, audio_dir/f/     the files that mp3_path names

The split is the usual one by folder: 0 to b train, c valid, d to f test; or what lists
of clips in label_dir say, such as those of the usual 21,108 (`clip_lists`).
"""

import logging
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from input_pipeline.corpora import clip_lists, tables
from input_pipeline.corpora.corpus import Clip, Corpus
from msd_tagger.common.facts import SPLITS

ANNOTATIONS, CLIP_INFO = "annotations_final.csv", "clip_info_final.csv"

SPLIT_OF_FOLDER = {
    **dict.fromkeys("0123456789ab", "train"),
    **dict.fromkeys("c", "valid"),
    **dict.fromkeys("def", "test"),
}

# The first name of a line stands for the whole line. Proposed by K. Choi in
# github.com/keunwoochoi/magnatagatune-list, with "female vocal", which that list forgot
# beside "female vocals" and most of its users add.
_SYNONYMS = Path(__file__).with_name("magnatagatune_synonyms.csv")
SYNONYMS = [line.split(",") for line in _SYNONYMS.read_text("utf-8").splitlines()]

# The lists are public: in jordipons/musicnn-training, which keeps clips without a tag,
# and in minzwon/sota-music-tagging-models, which does not.
_PUBLISHED = {
    "Pons et al. 2018, without empty files": (18_706, 1_825, 5_329),
    "Lee et al. 2017, 29.1 s and a tag at least": (15_244, 1_529, 4_332),
    "Won et al. 2020, three training clips more": (15_247, 1_529, 4_332),
}
PUBLISHED = {
    name: dict(zip(SPLITS, counts, strict=True)) for name, counts in _PUBLISHED.items()
}

logger = logging.getLogger(__name__)


def load(
    audio_dir: Path | str,
    label_dir: Path | str,
    num_tags: int = 50,
    merge_synonyms: bool = False,
) -> Corpus:
    """Reads the annotations; the audio files themselves are not looked at.

    Clips without any of the tags stay: that nobody gave them one is an annotation too.
    Where there are lists of clips, those in none of them are left out.

    The tags are the `num_tags` most frequent ones over all clips; each line of
    `SYNONYMS` counts as one tag if they are to be merged.

    Raises:
        ValueError: Names the file, the line, what was found and what is allowed.
    """
    audio_dir, label_dir = Path(audio_dir).absolute(), Path(label_dir)
    table = label_dir / ANNOTATIONS
    names, rows, labels = _read_annotations(table, audio_dir)
    if merge_synonyms:
        names, labels = merged(names, labels)
    tags, labels = _most_frequent(names, labels, num_tags)
    splits, listed = _splits(label_dir, rows, audio_dir)
    artists, info = {}, label_dir / CLIP_INFO
    if os.path.lexists(info):
        found = _read_table(info, ("clip_id", "artist"))
        artists = {row["clip_id"]: row["artist"] for row in found}
    clips = [
        Clip(one, splits[one], path, vector, artist=artists.get(one) or None)
        for (one, path), vector in zip(rows.items(), labels, strict=True)
        if one in splits
    ]
    num_without = sum(not clip.tags.any() for clip in clips)
    if num_without:
        logger.info(
            "magnatagatune: %d of %d clips have none of the %d tags; they stay, as "
            "clips without a tag",
            *(num_without, len(clips), num_tags),
        )
    merging = ", synonyms merged" if merge_synonyms else ""
    return Corpus(
        name="magnatagatune",
        version=f"{ANNOTATIONS} {tables.digest(table)}, {num_tags} tags{merging}"
        f"{listed}",
        audio_dir=audio_dir,
        tags=tags,
        clips=clips,
        published=PUBLISHED,
    )


def _splits(
    label_dir: Path, rows: dict[str, Path], audio_dir: Path
) -> tuple[dict[str, str], str]:
    """Finds the split of every clip that takes part, and what to call that."""
    names = {clip_id: clip_id for clip_id in rows}
    names |= {path.relative_to(audio_dir).as_posix(): one for one, path in rows.items()}
    listed = clip_lists.read(label_dir, names)
    if listed is None:
        return {
            one: SPLIT_OF_FOLDER[path.parent.name] for one, path in rows.items()
        }, ""
    found = Counter(listed.values())
    counts = {split: found[split] for split in SPLITS}
    sources = [source for source, known in PUBLISHED.items() if known == counts]
    logger.info(
        "magnatagatune: lists in %s make the split: %s, %s; %d clips are in none",
        *(label_dir, counts, f"as {sources[0]}" if sources else "as nobody published"),
        len(rows) - len(listed),
    )
    return listed, f", lists of {' / '.join(map(str, counts.values()))} clips"


def merged(
    names: tuple[str, ...], labels: np.ndarray
) -> tuple[tuple[str, ...], np.ndarray]:
    """Makes one tag of every line of `SYNONYMS`: given if one of them was.

    Returns:
        Names and labels `[N, K']` of the tags that are left, in the order of the first
        of each.

    >>> merged(("weird", "rock", "strange"), np.array([[1, 0, 0], [0, 1, 0]]))[0]
    ('strange', 'rock')
    """
    stands_for = {name: line[0] for line in SYNONYMS for name in line}
    columns: dict[str, list[int]] = {}
    for column, name in enumerate(names):
        columns.setdefault(stands_for.get(name, name), []).append(column)
    kept = [labels[:, members].max(1) for members in columns.values()]
    return tuple(columns), np.stack(kept, axis=1)


def _most_frequent(
    names: tuple[str, ...], labels: np.ndarray, num_tags: int
) -> tuple[tuple[str, ...], np.ndarray]:
    if num_tags > len(names):
        raise ValueError(
            f"corpus.num_tags is {num_tags}, but {ANNOTATIONS} has {len(names)} tags; "
            f"give --config.corpus.num_tags={len(names)} or less"
        )
    counts = dict(zip(names, labels.sum(0).tolist(), strict=True))
    tags = tables.vocabulary_by_count(counts)[:num_tags]
    columns = [names.index(tag) for tag in tags]
    return tags, np.ascontiguousarray(labels[:, columns])


def _read_annotations(
    table: Path, audio_dir: Path
) -> tuple[tuple[str, ...], dict[str, Path], np.ndarray]:
    """Returns the names of the tags, clip_id to path, and the labels uint8 [N, K]."""
    names: tuple[str, ...] = ()
    rows: dict[str, Path] = {}
    flags = []
    for row in _read_table(table, ("clip_id", "mp3_path")):
        names = names or tuple(n for n in row if n not in ("clip_id", "mp3_path"))
        clip_id = row["clip_id"]
        if not clip_id or clip_id in rows:
            raise ValueError(
                f"{row.where}: the clip_id {clip_id!r} is empty or was given before; "
                "every clip has one line"
            )
        rows[clip_id] = _audio_path(audio_dir, row)
        for name in names:
            if row[name] not in ("0", "1"):
                raise ValueError(
                    f"{row.where}: the value of tag {name!r} is {row[name]!r}; it must "
                    "be 0 or 1"
                )
        flags.append([row[name] == "1" for name in names])
    if not rows or not names:
        raise ValueError(
            f"{table}: {len(rows)} clips with {len(names)} tags; it must have a column "
            "per tag and a line per clip"
        )
    return names, rows, np.array(flags, np.uint8)


def _audio_path(audio_dir: Path, row: tables.Row) -> Path:
    path = row.path_inside(audio_dir, "mp3_path")
    parts = path.relative_to(audio_dir).parts
    if len(parts) != 2 or parts[0] not in SPLIT_OF_FOLDER:
        raise ValueError(
            f"{row.where}: the mp3_path {row['mp3_path']!r} is not a file in one of "
            "the folders 0 to 9 and a to f, which make the split"
        )
    return path


def _read_table(table: Path, needed: tuple[str, ...]) -> Iterator[tables.Row]:
    return tables.read_table(
        table,
        "tab",
        needed,
        hint="expected one value a column, separated by tabs",
        missing=f"corpus.label_dir must hold {ANNOTATIONS} "
        "(docs/magnatagatune_corpus.md says where it comes from)",
    )
