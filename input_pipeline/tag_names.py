"""Names of tags and artists that nobody meant so, and what to do about them."""

import html
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from input_pipeline.many import grouped

# What is found, and what to do.
PROBLEMS = {
    "written in several ways": "Write each in one way, with the same capitals and "
    "spaces",
    "with invisible characters": "Delete these",
    "that HTML or a wrong encoding may have changed": "Write them as they are meant",
    "that look like several in one": "Separate tags by |",
    "that look like an empty cell": "Leave the cell empty",
}
_NOTHING = {"nan", "none", "null", "n/a", "na", "nil", "<na>", "-", "?"}
# What spreadsheets write in the place of a formula that they could not compute.
_NOTHING |= {"#n/a", "#name?", "#ref!", "#value!", "#null!", "#div/0!", "#num!"}
# Zero-width spaces, soft hyphens and marks of direction; not the joiners of letters
# and of emoji.
_INVISIBLE = set(map(chr, (0xAD, 0x200B, 0x200E, 0x200F, 0x2060, 0xFEFF))) | {
    chr(code) for start in (0x202A, 0x2066) for code in range(start, start + 5)
}
_ENTITY = re.compile(r"&(#[0-9]+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]+);")


def examine(tags: Sequence[str]) -> dict[str, list[list[str]]]:
    """Finds tags to look at: for each of `PROBLEMS` groups of tags.

    >>> found = examine(["Jazz", "jazz", "rock, pop", "nan", "90s"])
    >>> {problem: groups for problem, groups in found.items() if groups}
    ... # doctest: +NORMALIZE_WHITESPACE
    {'written in several ways': [['Jazz', 'jazz']],
     'that look like several in one': [['rock, pop']],
     'that look like an empty cell': [['nan']]}
    """
    alike = grouped(tags, key).values()
    return {
        "written in several ways": [group for group in alike if len(group) > 1],
        "with invisible characters": [[tag] for tag in tags if _INVISIBLE & {*tag}],
        "that HTML or a wrong encoding may have changed": [
            [tag] for tag in tags if _is_changed(tag)
        ],
        "that look like several in one": [[tag] for tag in tags if _is_list(tag)],
        "that look like an empty cell": [[tag] for tag in tags if key(tag) in _NOTHING],
    }


def examine_artists(names: Sequence[str]) -> dict[str, list[list[str]]]:
    """Does the same for artists, who may have commas in their names.

    >>> found = examine_artists(["Simon, Paul", "Can", "CAN"])
    >>> {problem: groups for problem, groups in found.items() if groups}
    {'written in several ways': [['Can', 'CAN']]}
    """
    found = examine(names)
    del found["that look like several in one"]
    return found


def meant_as(tags: Iterable[str], known: Iterable[str]) -> dict[str, str]:
    """Finds tags that differ only in how they are written from a known one: that one.

    >>> meant_as(["Jazz", "rock"], ["jazz", "pop"])
    {'Jazz': 'jazz'}
    """
    by_key = {key(tag): tag for tag in known}
    return {tag: by_key[key(tag)] for tag in tags if key(tag) in by_key}


def sentences(
    problems: dict[str, list[list[str]]], most: int, what: str = "Tags"
) -> Iterator[str]:
    """Says what is wrong, naming up to `most` groups, and what to do."""
    for problem, groups in problems.items():
        if groups:
            some = [" = ".join(map(shown, group)) for group in groups[:most]]
            more = ", …" if len(groups) > most else ""
            yield (
                f"{what} {problem} ({len(groups):,}): {', '.join(some)}{more}. "
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


def key(name: str) -> str:
    """Gives what names have in common that were meant as one.

    >>> key("R&amp;B") == key("r&b "), key("Cafe\u0301") == key("CAFÉ")
    (True, True)
    """
    plain = unicodedata.normalize("NFKC", html.unescape(name)).casefold()
    kept = "".join(c for c in plain if unicodedata.category(c) != "Cf")
    return " ".join(unicodedata.normalize("NFC", kept).split())


def _is_changed(tag: str) -> bool:
    """Tells whether text is that of HTML, or UTF-8 that was read as something else.

    >>> [_is_changed(tag) for tag in ("R&amp;B", "caf\u00c3\u00a9", "café, AT&T")]
    [True, True, False]
    """
    return bool(_ENTITY.search(tag)) or "\ufffd" in tag or _is_read_wrongly(tag)


def _is_read_wrongly(tag: str) -> bool:
    for encoding in () if tag.isascii() else ("cp1252", "latin-1"):
        try:
            tag.encode(encoding).decode("utf-8")
        except UnicodeError:
            continue
        return True
    return False


def _is_list(tag: str) -> bool:
    ends = tag[:1] + tag[-1:]
    # Of the marks of East Asia, and without those of HTML.
    plain = unicodedata.normalize("NFKC", html.unescape(tag))
    return ends in ("[]", "{}", "()") or any(mark in plain for mark in ",;|\t、")
