"""What is in a corpus and what is wrong with it, without decoding audio.

Where its shards are prepared, every byte of them is checked too.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from input_pipeline import catalogue, file_states, tag_names
from input_pipeline.batches import open_shards
from input_pipeline.corpora.corpus import IN_TWO_SPLITS, Clip, Corpus
from input_pipeline.many import grouped
from input_pipeline.storage import Place
from msd_tagger.common.facts import SPLITS
from msd_tagger.frontend.recipe import Recipe

MAX_EXAMPLES = 3  # Named in a sentence.


def audit(
    corpus: Corpus,
    directories: Mapping[Recipe, Place] = MappingProxyType({}),
) -> dict[str, Any]:
    """Counts a corpus and looks for what would spoil training or scores.

    The directories are where its shards are, or will be.

    Returns:
        What `audit.json` holds, as docs/audit.md describes it: numbers, texts, lists
        and dicts.
    """
    clips = corpus.clips if corpus.has_audio else ()
    files = grouped(clips, lambda clip: str(clip.path))
    states = file_states.examine(list(files))
    broken = Counter(filter(None, states.problems))
    return {
        "corpus": {
            "name": corpus.name,
            "version": corpus.version,
            "audio_dir": str(corpus.audio_dir) if corpus.has_audio else "",
            "tags": list(corpus.tags),
        },
        "tag_names": tag_names.examine(corpus.tags),
        **_label_counts(corpus),
        "artists": _artists(corpus.clips),
        "published": _published(corpus),
        "files": {
            "number": len(files),
            "total_bytes": states.total_bytes,
            **{problem: broken[problem] for problem in file_states.PROBLEMS},
        },
        "prepared": _prepared(corpus, directories),
        "problems": {**_id_problems(corpus), **_file_problems(corpus, files, states)},
    }


def _prepared(
    corpus: Corpus, directories: Mapping[Recipe, Place]
) -> dict[str, dict[str, Any]]:
    """Reads all records of complete sets: how many are whole, or what is damaged."""
    found: dict[str, dict[str, Any]] = {}
    for recipe, directory in directories.items():
        if not catalogue.is_written(directory):
            continue
        one = {"directory": str(directory), "records": 0, "problem": ""}
        try:
            data = open_shards(directory, recipe, corpus.tags, check=True)
            one["records"] = sum(map(data.num_clips, SPLITS))
        except ValueError as error:
            one["problem"] = str(error)
        found[recipe.kind] = one
    return found


def _label_counts(corpus: Corpus) -> dict[str, Any]:
    """Clips per split, tags per clip, positives per tag, distinct tag vectors."""
    tags = {s: [clip.tags for clip in corpus.clips if clip.split == s] for s in SPLITS}
    labels = {  # uint8 [N, K] of every split, which may have no clips.
        split: np.array(rows, np.uint8).reshape(len(rows), len(corpus.tags))
        for split, rows in tags.items()
    }
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


def _artists(clips: list[Clip]) -> dict[str, Any] | None:
    """Counts artists, and clips per split of those in several; examines their names."""
    by_artist = grouped((c for c in clips if c.artist), lambda clip: clip.artist)
    if not by_artist:
        return None
    shared = {name: own for name, own in by_artist.items() if _in_two_splits(own)}
    return {
        "number": len(by_artist),
        "clips_without": sum(not clip.artist for clip in clips),
        "in_two_splits": {name: _per_split(shared[name]) for name in sorted(shared)},
        "names": tag_names.examine_artists(sorted(by_artist)),
    }


def _published(corpus: Corpus) -> dict[str, dict[str, dict[str, int]]]:
    """Counts the clips published per source and split, and how many more are here."""
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
        rejected[reason].append({"clips": [[track_id, "", path]]})
    by_id = grouped(corpus.clips, lambda clip: clip.track_id)
    doubled = [_group(own, corpus) for own in by_id.values() if _in_two_splits(own)]
    return {
        IN_TWO_SPLITS: doubled + rejected.pop(IN_TWO_SPLITS, []),
        **{f"rejected: {reason}": rows for reason, rows in rejected.items()},
    }


def _file_problems(
    corpus: Corpus, files: dict[str, list[Clip]], states: file_states.FileStates
) -> dict[str, list[dict[str, Any]]]:
    """Groups of clips whose file is broken, used twice, or there twice."""
    clips = list(files.values())
    found = {
        problem: [
            own for own, p in zip(clips, states.problems, strict=True) if p == problem
        ]
        for problem in file_states.PROBLEMS
    }
    if len(found["missing"]) == len(files):  # The list would be that of all clips.
        found["missing"] = []
    found["file in two splits"] = [own for own in clips if _in_two_splits(own)]
    excerpts = grouped(corpus.clips, lambda clip: (str(clip.path), clip.start_s))
    found["excerpt used twice"] = [own for own in excerpts.values() if len(own) > 1]
    found["equal content"] = [
        [clip for number in group for clip in clips[number]] for group in states.copies
    ]
    return {
        problem: [_group(own, corpus) for own in groups]
        for problem, groups in found.items()
    }


def _group(clips: list[Clip], corpus: Corpus) -> dict[str, Any]:
    root = f"{corpus.audio_dir}{os.sep}"
    by_start = grouped(clips, lambda clip: clip.start_s)
    return {
        "clips": [
            [clip.track_id, clip.split, str(clip.path).removeprefix(root)]
            for clip in clips
        ],
        "in_two_splits": _in_two_splits(clips),
        # Of clips of one content, from the same start.
        "different_tags": any(
            len({clip.tags.tobytes() for clip in own}) > 1 for own in by_start.values()
        ),
    }


def _in_two_splits(clips: list[Clip]) -> bool:
    return len({clip.split for clip in clips}) > 1


def _per_split(clips: list[Clip]) -> dict[str, int]:
    counts = Counter(clip.split for clip in clips)
    return {split: counts[split] for split in SPLITS}


def findings(found: dict[str, Any]) -> list[str]:
    """Says what is a problem, a sentence each; nothing for a corpus without one."""
    return [
        *_about_splits(found),
        *_about_files(found),
        *_about_repeated_files(found["problems"]),
        *_about_artists(found["artists"]),
        *tag_names.sentences(found["tag_names"], MAX_EXAMPLES),
        *_about_tags(found),
        *_about_rows(found["problems"]),
        *(one["problem"] for one in found["prepared"].values() if one["problem"]),
    ]


def _about_splits(found: dict[str, Any]) -> Iterator[str]:
    empty = [split for split in SPLITS if not found["clips"][split]]
    if empty:
        yield (
            f"There are no clips in {' and '.join(empty)}; a run needs all of "
            f"{', '.join(SPLITS)}."
        )
    groups = found["problems"][IN_TWO_SPLITS]
    ids = dict.fromkeys(group["clips"][0][0] for group in groups)
    if ids:
        number = _number(ids, "id is", "ids are")
        yield f"{number} in several splits: {_some(ids)}."


def _about_files(found: dict[str, Any]) -> Iterator[str]:
    number = found["files"]["number"]
    for problem in file_states.PROBLEMS:
        count = found["files"][problem]
        if problem == "missing" and count == number > 0:
            yield (
                f"All {number:,} files are missing below "
                f"{found['corpus']['audio_dir']}; is that the right directory?"
            )
        elif count:
            groups = found["problems"][problem]
            yield (
                f"{count:,} of {number:,} files {'is' if count == 1 else 'are'} "
                f"{problem}: {_some(group['clips'][0][2] for group in groups)}."
            )


_REPEATED = {
    "equal content": ("group of files has", "groups of files have", "equal content"),
    "file in two splits": ("file has", "files have", "clips in several splits"),
    "excerpt used twice": ("excerpt has", "excerpts have", "several clips"),
}


def _about_repeated_files(problems: dict[str, Any]) -> Iterator[str]:
    """Also says what makes it worse: test clips are learnt, or labels contradict."""
    for problem, (one, several, what) in _REPEATED.items():
        groups = problems[problem]
        if groups:
            in_two = sum(group["in_two_splits"] for group in groups)
            different = sum(group["different_tags"] for group in groups)
            if in_two and problem != "file in two splits":
                what += f", {in_two:,} in several splits"
            if different:
                what += f", {different:,} with different tags"
            examples = _some(_names(group, problem) for group in groups)
            yield f"{_number(groups, one, several)} {what}: {examples}."


def _names(group: dict[str, Any], problem: str) -> str:
    """Lists the paths of one content, or the path and its clips."""
    paths = list(dict.fromkeys(path for _, _, path in group["clips"]))
    if problem == "equal content":
        return " = ".join(paths)
    return f"{paths[0]} ({_some(track_id for track_id, _, _ in group['clips'])})"


def _about_artists(artists: dict[str, Any] | None) -> Iterator[str]:
    if not artists:
        return
    yield from tag_names.sentences(artists["names"], MAX_EXAMPLES, "Artists")
    if shared := artists["in_two_splits"]:
        yield (
            f"{len(shared):,} of {artists['number']:,} artists "
            f"{'has' if len(shared) == 1 else 'have'} clips in several splits: "
            f"{_some(shared)}."
        )


def _about_tags(found: dict[str, Any]) -> Iterator[str]:
    tags = found["corpus"]["tags"]
    for split in SPLITS:
        number, positives = found["clips"][split], found["positives"][split]
        counts = zip(tags, positives, strict=True)
        useless = [tag for tag, count in counts if count in (0, number)]
        if number and useless:
            what = "learnt" if split == "train" else "scored"
            yield (
                f"{len(useless):,} of {len(tags):,} tags cannot be {what}, because no "
                f"clip or every clip of {split} has them: {_some(useless)}."
            )


def _about_rows(problems: dict[str, Any]) -> Iterator[str]:
    for problem, groups in problems.items():
        if problem.startswith("rejected: "):
            number = _number(groups, "row became", "rows became")
            ids = _some(group["clips"][0][0] for group in groups)
            yield f"{number} no clip ({problem.removeprefix('rejected: ')}): {ids}."


def _number(things: Collection[object], one: str, several: str) -> str:
    return f"{len(things):,} {one if len(things) == 1 else several}"


def _some(names: Iterable[str]) -> str:
    """Lists the first few, and says that there are more.

    >>> _some("abcd")
    'a, b, c, …'
    """
    names = list(names)
    more = ["…"] if len(names) > MAX_EXAMPLES else []
    return ", ".join([*names[:MAX_EXAMPLES], *more])
