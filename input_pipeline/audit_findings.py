"""The problems that an audit found, in sentences."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from input_pipeline.corpora import IN_TWO_SPLITS
from input_pipeline.file_states import PROBLEMS
from msd_tagger.common.facts import SPLITS

MAX_EXAMPLES = 3


def findings(found: dict[str, Any]) -> list[str]:
    """What is a problem, a sentence each; nothing for a corpus without one."""
    return [
        *_about_splits(found),
        *_about_files(found),
        *_about_repeated_files(found["problems"]),
        *_about_artists(found["artists"]),
        *_about_tags(found),
        *_about_rows(found["problems"]),
    ]


def _about_splits(found: dict[str, Any]) -> Iterator[str]:
    empty = [split for split in SPLITS if not found["clips"][split]]
    if empty:
        yield (
            f"There are no clips in {' and '.join(empty)}; a run needs all of "
            f"{', '.join(SPLITS)}."
        )
    groups = found["problems"][IN_TWO_SPLITS]
    if groups:
        ids = dict.fromkeys(group["clips"][0][0] for group in groups)
        are = "id is" if len(ids) == 1 else "ids are"
        yield f"{len(ids):,} {are} in several splits: {_some(ids)}."


def _about_files(found: dict[str, Any]) -> Iterator[str]:
    number = found["files"]["number"]
    for problem in PROBLEMS:
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
    "equal content": ("group", "of files", "equal content"),
    "file in two splits": ("file", "", "clips in several splits"),
    "excerpt used twice": ("excerpt", "", "several clips"),
}


def _about_repeated_files(problems: dict[str, Any]) -> Iterator[str]:
    for problem, (noun, of, what) in _REPEATED.items():
        groups = problems[problem]
        if groups:
            have = f"{noun} {of} has" if len(groups) == 1 else f"{noun}s {of} have"
            examples = _some(_names(group, problem) for group in groups)
            yield (
                f"{len(groups):,} {' '.join(have.split())} {what}"
                f"{_how(groups, problem)}: {examples}."
            )


def _names(group: dict[str, Any], problem: str) -> str:
    """The paths of one content, or the path and its clips."""
    paths = list(dict.fromkeys(path for _, _, path in group["clips"]))
    if problem == "equal content":
        return " = ".join(paths)
    return f"{paths[0]} ({_some(track_id for track_id, _, _ in group['clips'])})"


def _how(groups: Sequence[dict[str, Any]], problem: str) -> str:
    """What makes it worse: that test clips are learnt, or labels contradict."""
    in_two = sum(group["in_two_splits"] for group in groups)
    different = sum(group["different_tags"] for group in groups)
    parts = []
    if in_two and problem != "file in two splits":
        parts.append(f", {in_two:,} in several splits")
    if different:
        parts.append(f", {different:,} with different tags")
    return "".join(parts)


def _about_artists(artists: dict[str, Any] | None) -> Iterator[str]:
    shared = artists["in_two_splits"] if artists else {}
    if shared:
        have = "has" if len(shared) == 1 else "have"
        yield (
            f"{len(shared):,} of {artists['number']:,} artists {have} clips in several "
            f"splits: {_some(shared)}."
        )


def _about_tags(found: dict[str, Any]) -> Iterator[str]:
    tags = found["corpus"]["tags"]
    for split in SPLITS:
        number, positives = found["clips"][split], found["positives"][split]
        useless = [
            tag
            for tag, count in zip(tags, positives, strict=True)
            if count in (0, number)
        ]
        if number and useless:
            what = "learnt" if split == "train" else "scored"
            yield (
                f"{len(useless):,} of {len(tags):,} tags cannot be {what}, because no "
                f"clip or every clip of {split} has them: {_some(useless)}."
            )


def _about_rows(problems: dict[str, Any]) -> Iterator[str]:
    for problem, groups in problems.items():
        if problem.startswith("rejected: "):
            became = "row became" if len(groups) == 1 else "rows became"
            ids = _some(group["clips"][0][0] for group in groups)
            reason = problem.removeprefix("rejected: ")
            yield f"{len(groups):,} {became} no clip ({reason}): {ids}."


def _some(names: Iterable[str]) -> str:
    """The first few, and that there are more.

    >>> _some("abcd")
    'a, b, c, …'
    """
    names = list(names)
    more = ["…"] if len(names) > MAX_EXAMPLES else []
    return ", ".join([*names[:MAX_EXAMPLES], *more])
