"""What is in a corpus and what is wrong with it, without decoding audio."""

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable
from typing import Any

import numpy as np

from input_pipeline import file_states
from input_pipeline.corpora import IN_TWO_SPLITS, Clip, Corpus
from msd_tagger.common.facts import SPLITS


def audit(corpus: Corpus, num_threads: int = file_states.NUM_THREADS) -> dict[str, Any]:
    """Counts a corpus and looks for what would spoil training or scores.

    Returns:
        What `audit.json` holds, as docs/audit.md describes it: numbers, texts, lists
        and dicts.
    """
    files = _clips_by(corpus.clips, lambda clip: str(clip.path))
    states = file_states.examine(list(files), num_threads)
    broken = Counter(filter(None, states.problems))
    return {
        "corpus": {
            "name": corpus.name,
            "version": corpus.version,
            "audio_dir": str(corpus.audio_dir),
            "tags": list(corpus.tags),
        },
        **_label_counts(corpus),
        "artists": _artists(corpus.clips),
        "published": _published(corpus),
        "files": {
            "number": len(files),
            "total_bytes": states.total_bytes,
            **{problem: broken[problem] for problem in file_states.PROBLEMS},
        },
        "problems": {
            **_id_problems(corpus),
            **_file_problems(corpus, files, states),
        },
    }


def _label_counts(corpus: Corpus) -> dict[str, Any]:
    """Clips per split, tags per clip, positives per tag, distinct tag vectors."""
    labels = {split: _labels(corpus, split) for split in SPLITS}
    sizes = {split: rows.sum(1, dtype=int) for split, rows in labels.items()}
    num_sizes = 1 + max(int(size.max(initial=0)) for size in sizes.values())
    return {
        "clips": {split: len(rows) for split, rows in labels.items()},
        "tags_per_clip": {
            split: np.bincount(size, minlength=num_sizes).tolist()
            for split, size in sizes.items()
        },
        "positives": {
            split: rows.sum(0, dtype=int).tolist() for split, rows in labels.items()
        },
        "distinct_tag_vectors": len({clip.tags.tobytes() for clip in corpus.clips}),
    }


def _labels(corpus: Corpus, split: str) -> np.ndarray:
    """Returns uint8 [N, K] of a split, which may have no clips."""
    rows = [clip.tags for clip in corpus.clips if clip.split == split]
    return np.array(rows, np.uint8).reshape(len(rows), len(corpus.tags))


def _artists(clips: list[Clip]) -> dict[str, Any] | None:
    """Number of artists, and clips per split of those that are in several splits."""
    by_artist = _clips_by((c for c in clips if c.artist), lambda clip: clip.artist)
    if not by_artist:
        return None
    shared = {name: own for name, own in by_artist.items() if _in_two_splits(own)}
    return {
        "number": len(by_artist),
        "clips_without": sum(not clip.artist for clip in clips),
        "in_two_splits": {name: _per_split(shared[name]) for name in sorted(shared)},
    }


def _published(corpus: Corpus) -> dict[str, dict[str, dict[str, int]]]:
    """For every source and split the number published, and how many more are here."""
    here = _per_split(corpus.clips)
    return {
        source: {
            split: {"clips": number, "difference": here[split] - number}
            for split, number in counts.items()
        }
        for source, counts in corpus.published.items()
    }


def _id_problems(corpus: Corpus) -> dict[str, list[dict[str, Any]]]:
    """Ids in two splits, and other rows that became no clip."""
    rejected = defaultdict(list)
    for track_id, path, reason in corpus.rejected:
        group = {"clips": [[track_id, "", path]]}
        rejected[reason].append(group)
    by_id = _clips_by(corpus.clips, lambda clip: clip.track_id)
    doubled = [own for own in by_id.values() if _in_two_splits(own)]
    same = rejected.pop(IN_TWO_SPLITS, [])
    return {
        IN_TWO_SPLITS: [_group(own, corpus) for own in doubled] + same,
        **{f"rejected: {reason}": rows for reason, rows in rejected.items()},
    }


def _file_problems(
    corpus: Corpus, files: dict[str, list[Clip]], states: file_states.FileStates
) -> dict[str, list[dict[str, Any]]]:
    """Groups of clips whose file is broken, used twice, or there twice."""
    found: dict[str, list[list[Clip]]] = {name: [] for name in file_states.PROBLEMS}
    for own, problem in zip(files.values(), states.problems, strict=True):
        if problem:
            found[problem].append(own)
    if len(found["missing"]) == len(files):  # The list would be that of all clips.
        found["missing"] = []
    found["file in two splits"] = [own for own in files.values() if _in_two_splits(own)]
    excerpts = _clips_by(corpus.clips, lambda clip: (str(clip.path), clip.start_s))
    found["excerpt used twice"] = [own for own in excerpts.values() if len(own) > 1]
    clips_of_file = list(files.values())
    found["equal content"] = [
        [clip for number in group for clip in clips_of_file[number]]
        for group in states.copies
    ]
    return {
        problem: [_group(own, corpus) for own in groups]
        for problem, groups in found.items()
    }


def _group(clips: list[Clip], corpus: Corpus) -> dict[str, Any]:
    root = f"{corpus.audio_dir}{os.sep}"
    return {
        "clips": [
            [clip.track_id, clip.split, str(clip.path).removeprefix(root)]
            for clip in clips
        ],
        "in_two_splits": _in_two_splits(clips),
        "different_tags": _have_different_tags(clips),
    }


def _in_two_splits(clips: list[Clip]) -> bool:
    return any(clip.split != clips[0].split for clip in clips)


def _have_different_tags(clips: list[Clip]) -> bool:
    """Whether clips of one content, from the same start, differ in their tags."""
    by_start = _clips_by(clips, lambda clip: clip.start_s)
    return any(
        not np.array_equal(clip.tags, own[0].tags)
        for own in by_start.values()
        for clip in own
    )


def _clips_by(
    clips: Iterable[Clip], key: Callable[[Clip], Hashable]
) -> dict[Any, list[Clip]]:
    members = defaultdict(list)
    for clip in clips:
        members[key(clip)].append(clip)
    return dict(members)


def _per_split(clips: list[Clip]) -> dict[str, int]:
    counts = Counter(clip.split for clip in clips)
    return {split: counts[split] for split in SPLITS}
