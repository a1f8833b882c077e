"""Which clips of a tag the network places best and worst, and where their audio is."""

import os
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote_to_bytes

import numpy as np

from msd_tagger.common.csv_files import csv_cells
from msd_tagger.pages.tables import number
from studies.comparison import LABEL_ARRAYS
from studies.records import RunRecord, labels_of

# Of the test clips, written by the run: `track_id`, `uri` of the file, `start_s`.
PLACES = "audio_test.csv"
COLUMNS = ("track_id", "uri", "start_s")
NUM_CLIPS = 2  # Of each kind, for each tag.
# Which clips: whether they carry the tag, and whether the highest scores are wanted.
KINDS = {
    "found best": (True, True),
    "missed": (True, False),
    "without it, but highest": (False, True),
}


class Heard(NamedTuple):
    """A clip, as the page names it."""

    track_id: str
    score: str  # Mean over seeds.
    link: str  # To its audio, relative to the page; "" where that is not there.


def clips_of_tags(record: RunRecord) -> tuple[str, list[tuple[str, list[list[Heard]]]]]:
    """Picks clips of the test split for each tag, a list for each of `KINDS`.

    Before the tags stand the labels that say which clips carry one: the true ones where
    they are known. There are no tags where there are no predictions.
    """
    labels = labels_of(record.summary["scores"]["test"])[-1]
    arrays = record.arrays.get("predictions_test", {})
    if LABEL_ARRAYS[labels] not in arrays:
        return labels, []
    carries, scores = arrays[LABEL_ARRAYS[labels]] > 0, arrays["scores"].mean(axis=0)
    names, links = arrays["track_id"], _links(record.workdir)
    found = []
    for k, tag in enumerate(record.summary["tags"]):
        order = np.argsort(-scores[:, k], kind="stable")
        kinds = []
        for has_tag, from_top in KINDS.values():
            rows = order[carries[order, k] == has_tag]
            rows = rows[:NUM_CLIPS] if from_top else rows[::-1][:NUM_CLIPS]
            heard = ((str(names[n]), number(scores[n, k], 2)) for n in rows)
            kinds.append([Heard(*one, links.get(one[0], "")) for one in heard])
        found.append((tag, kinds))
    return labels, found


def _links(workdir: Path) -> dict[str, str]:
    """Finds the audio of test clips: addresses relative to the page, by track id."""
    found: dict[str, str] = {}
    if not (workdir / PLACES).is_file():
        return found
    for _, row in csv_cells(workdir / PLACES, COLUMNS):
        path = Path(os.fsdecode(unquote_to_bytes(row["uri"].removeprefix("file://"))))
        if path.is_file():
            relative = os.path.relpath(path, workdir.resolve())
            start = f"#t={row['start_s']}" if row["start_s"] else ""
            found[row["track_id"]] = "./" + quote(os.fsencode(relative)) + start
    return found
