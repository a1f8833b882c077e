"""Tags that are written in ways which nobody meant, and what to do about them."""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from input_pipeline.many import grouped

# What is found, and what to do.
PROBLEMS = {
    "written in several ways": "Write each in one way, with the same capitals and "
    "spaces",
    "with invisible characters": "Delete these",
    "that look like several in one": "Separate tags by |",
    "that look like an empty cell": "Leave the cell empty",
}
_NOTHING = {"nan", "none", "null", "n/a", "na", "nil", "<na>", "#n/a"}
# Zero-width spaces, soft hyphens and marks of direction; not the joiners of letters
# and of emoji.
_INVISIBLE = set(map(chr, (0xAD, 0x200B, 0x200E, 0x200F, 0x2060, 0xFEFF))) | {
    chr(code) for start in (0x202A, 0x2066) for code in range(start, start + 5)
}


def examine(tags: Sequence[str]) -> dict[str, list[list[str]]]:
    """Finds tags to look at: for each of `PROBLEMS` groups of tags.

    >>> found = examine(["Jazz", "jazz", "rock, pop", "nan", "90s"])
    >>> {problem: groups for problem, groups in found.items() if groups}
    ... # doctest: +NORMALIZE_WHITESPACE
    {'written in several ways': [['Jazz', 'jazz']],
     'that look like several in one': [['rock, pop']],
     'that look like an empty cell': [['nan']]}
    """
    alike = grouped(tags, _key).values()
    return {
        "written in several ways": [group for group in alike if len(group) > 1],
        "with invisible characters": [[tag] for tag in tags if _INVISIBLE & {*tag}],
        "that look like several in one": [[tag] for tag in tags if _is_list(tag)],
        "that look like an empty cell": [
            [tag] for tag in tags if _key(tag) in _NOTHING
        ],
    }


def meant_as(tags: Iterable[str], known: Iterable[str]) -> dict[str, str]:
    """Finds tags that differ only in how they are written from a known one: that one.

    >>> meant_as(["Jazz", "rock"], ["jazz", "pop"])
    {'Jazz': 'jazz'}
    """
    by_key = {_key(tag): tag for tag in known}
    return {tag: by_key[_key(tag)] for tag in tags if _key(tag) in by_key}


def sentences(problems: dict[str, list[list[str]]], most: int) -> Iterator[str]:
    """Says what is wrong, naming up to `most` groups, and what to do."""
    for problem, groups in problems.items():
        if groups:
            some = [" = ".join(map(shown, group)) for group in groups[:most]]
            more = ", …" if len(groups) > most else ""
            yield (
                f"Tags {problem} ({len(groups):,}): {', '.join(some)}{more}. "
                f"{PROBLEMS[problem]}."
            )


def shown(tag: str) -> str:
    r"""Returns a tag with what is not seen in it written out.

    >>> print(shown("jazz\u200b"), shown("Cafe\u0301"))
    jazz\u200b Cafe\u0301
    """
    hidden = {"Cf", "Cc", "Mn", "Zs"}
    return "".join(
        c.encode("unicode_escape").decode()
        if c != " " and unicodedata.category(c) in hidden
        else c
        for c in tag
    )


def _key(tag: str) -> str:
    """Gives what tags have in common that were meant as one."""
    plain = unicodedata.normalize("NFKC", tag).casefold()
    kept = "".join(c for c in plain if unicodedata.category(c) != "Cf")
    return " ".join(unicodedata.normalize("NFC", kept).split())


def _is_list(tag: str) -> bool:
    ends = tag[:1] + tag[-1:]
    return ends in ("[]", "{}", "()") or any(mark in tag for mark in ",;|\t")
