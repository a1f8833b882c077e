"""A split that lists of clips make: one file for each of train, valid and test.

As text with one clip a line, or in the two forms in which others published theirs: a
pickled list, and an array of texts. A clip is its id or its path, whatever the path's
extension; of several columns, separated by tabs, the last counts.
"""

import os
import posixpath
from collections.abc import Mapping
from pathlib import Path

from input_pipeline.corpora import tables
from input_pipeline.corpora.msd import safe_pickle
from msd_tagger.common.facts import SPLITS

FORMS = ("{}.txt", "{}.npy", "{}_list_pub.cP")


def read(directory: Path, names: Mapping[str, str]) -> dict[str, str] | None:
    """Reads the lists of a folder: from ids to splits; None where there is no list.

    The names are all that a clip has, its id and path, each with its id.

    Raises:
        ValueError: One of the three is missing, there are several of one split, or one
            names a clip that is not known or in another list.
    """
    found = {
        split: [
            path
            for form in FORMS
            if os.path.lexists(path := directory / form.format(split))
        ]
        for split in SPLITS
    }
    if not any(found.values()):
        return None
    wrong = [split for split, files in found.items() if len(files) != 1]
    if wrong:
        count, examples = sum(map(len, found.values())), ", ".join(FORMS)
        raise ValueError(
            f"{directory} has {count} lists of clips: there must be one for each of "
            f"{', '.join(SPLITS)}, and {' and '.join(wrong)} has none or several. "
            f"Names are {examples.replace('{}', 'train')}, and so on; without any "
            "list the folders decide the split"
        )
    stems = {_stem(name): clip_id for name, clip_id in names.items()}
    splits: dict[str, str] = {}
    for split, (file,) in found.items():
        for number, entry in enumerate(_entries(file), start=1):
            clip_id = names.get(_name(entry)) or stems.get(_stem(entry))
            if clip_id is None or clip_id in splits:
                why = "was listed before" if clip_id else "is not in the annotations"
                raise ValueError(f"{file}, entry {number}: {entry!r} {why}")
            splits[clip_id] = split
    return splits


def _stem(name: str) -> str:
    r"""Leaves out the extension, and what stands before a tab.

    >>> _stem("17\tf/a-0-29.mp3"), _stem("./f/a-0-29.npy"), _stem("2"), _stem("17\t")
    ('f/a-0-29', 'f/a-0-29', '2', '.')
    """
    return posixpath.splitext(posixpath.normpath(_name(name)))[0]


def _name(entry: str) -> str:
    return entry.rpartition("\t")[2].strip()


def _entries(file: Path) -> list[str]:
    if file.suffix == ".txt":
        return [line for line in tables.read_text(file).splitlines() if line.strip()]
    is_pickled = file.suffix == ".cP"
    found = safe_pickle.load(file) if is_pickled else tables.read_array(file).tolist()
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise ValueError(
            f"{file} is not a list of texts; expected one id or path per clip"
        )
    return found
