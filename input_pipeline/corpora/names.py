"""Finds audio files whose names differ from the table's only in how they are written.

A Mac writes é as two characters where a table has one, Windows does not tell `01.WAV`
from `01.wav`, playlists write a blank as `%20`, and spreadsheets curl quotes.
"""

import dataclasses
import functools
import logging
import os
import urllib.parse
from collections.abc import Callable
from pathlib import Path

from input_pipeline import tag_names
from input_pipeline.corpora.corpus import Corpus
from input_pipeline.many import grouped, in_threads

# Of a folder: from `_key` to the names that have it.
Names = Callable[[Path], dict[str, list[str]]]
# Quotation marks and dashes of typesetters.
_ALIKE = str.maketrans(
    dict.fromkeys("\u2018\u2019\u201a\u2032", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u2033", '"')
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-")
)
logger = logging.getLogger(__name__)


def as_on_disk(corpus: Corpus) -> Corpus:
    """Returns a corpus with the paths as their files are named.

    A path without such a file, or with several, stays as it is. The log says how many
    were found under another spelling.
    """
    # Folders are listed, and at once: that takes less than asking for every file.
    folders = list({clip.path.parent for clip in corpus.clips})
    names = dict(zip(folders, in_threads(_names_in, folders), strict=True))
    find = finder(corpus.audio_dir)
    clips, found = [], dict[Path, Path]()
    for clip in corpus.clips:
        path = clip.path
        if path.name not in names[path.parent]:
            path = find(path)
        if path != clip.path:
            found.setdefault(path, clip.path)
            clip = dataclasses.replace(clip, path=path)
        clips.append(clip)
    if found:
        path, asked = next(iter(found.items()))
        logger.warning(
            "%d files were found under another spelling than in the table (accents, "
            "capitals, blanks, quotation marks, dashes or %%20); the first is %s for "
            "%s",
            *(len(found), ascii(str(path)), ascii(str(asked))),
        )
    return dataclasses.replace(corpus, clips=clips)


def finder(top: Path) -> Callable[[Path], Path]:
    """Returns what gives paths below a folder as they are written there.

    It lists each folder once. A path without such a file, or with several, stays as it
    is.
    """
    by_key = functools.cache(lambda folder: grouped(sorted(_names_in(folder)), _key))
    return lambda path: _spelled(path, top, by_key)


def _names_in(folder: Path) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))  # noqa: PTH208 (names alone)
    except OSError:
        return frozenset()


def _spelled(path: Path, top: Path, names: Names) -> Path:
    """Follows a path below a folder, by its parts as they are written there."""
    if not path.is_relative_to(top):
        return path
    found = top
    for part in path.relative_to(top).parts:
        same = names(found).get(_key(part), [])
        if part not in same and len(same) != 1:
            return path
        found /= part if part in same else same[0]
    return found


def _key(name: str) -> str:
    """Gives what a name has in common with others that are written otherwise.

    >>> _key("CAFÉ.WAV") == _key("café.wav"), _key("a%20b.mp3") == _key("a\u00a0b.mp3")
    (True, True)
    >>> _key("Don\u2019t\u2013stop.mp3") == _key("don't-stop.mp3")
    True
    """
    return tag_names.key(urllib.parse.unquote(name).translate(_ALIKE))
