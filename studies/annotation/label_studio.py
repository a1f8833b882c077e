"""Exchange with Label Studio, for teams: tasks out, answers in.

The formats are those of https://labelstud.io/guide/task_format.html and
https://labelstud.io/tags/choices.html.
"""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np

from msd_tagger.common import files
from studies.annotation.answers import ANSWERS, AnnotationError, Answer
from studies.annotation.page import ClipToHear, check_clips, copied_names, copy_audio
from studies.annotation.subsets import Subset

# Where Label Studio serves the files below its LOCAL_FILES_DOCUMENT_ROOT.
LOCAL_FILES = "/data/local-files/?d="


def export_tasks(
    folder: Path | str,
    subset: Subset,
    clips: Sequence[ClipToHear],
    *,
    audio_url: str = LOCAL_FILES,
) -> Path:
    """Writes a Label Studio project: tasks, labelling interface and audio.

    A task is a clip. Its heading names the labels to answer: in Subset100 those that
    it was sampled for. Existing tags are not in it.

    Args:
        folder: gets `<subset>_tasks.json`, `<subset>_interface.xml` and
            `<subset>_audio_<digest>/`.
        subset: the questions.
        clips: its N clips, in its order; copied from their start, not cut.
        audio_url: what comes before the names of the copies in the tasks; by default
            for a Label Studio whose LOCAL_FILES_DOCUMENT_ROOT is the folder.

    Returns:
        The file of tasks.

    Raises:
        ValueError: as for a page; or a file of the project exists and differs.
    """
    check_clips(subset, clips)
    names = copied_names(subset, clips)
    tasks = [
        {"data": _task(subset, row, clip, audio_url + urllib.parse.quote(name))}
        for row, (clip, name) in enumerate(zip(clips, names, strict=True))
    ]
    texts = {
        "tasks.json": json.dumps(tasks, ensure_ascii=False, indent=1),
        "interface.xml": _interface(subset.labels),
    }
    paths = {Path(folder) / f"{subset.name}_{k}": v for k, v in texts.items()}
    for path, text in paths.items():
        if path.exists() and path.read_text(encoding="utf-8") != text:
            raise ValueError(f"{path} exists and differs; give another folder")
    copy_audio(Path(folder), clips, names)
    for path, text in paths.items():
        files.write_text(path, text)
    return next(iter(paths))


def read_export(path: Path | str) -> list[tuple[str, Answer]]:
    """Reads the answers out of a project's JSON export.

    Args:
        path: what Label Studio exports as JSON, of tasks that `export_tasks` wrote.

    Returns:
        The answers to the labels that were asked for, each after its place: file and
        task. Cancelled annotations and answers to other labels are left out. The
        annotator is the e-mail address or number that Label Studio gives; of several
        annotations of a task by one annotator the last counts.

    Raises:
        AnnotationError: the file is no such export; it names the file and the task.
    """
    try:
        tasks = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AnnotationError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(tasks, list):
        raise AnnotationError(f"{path} must hold a list of tasks: export as JSON")
    found = []
    for number, task in enumerate(tasks, start=1):
        place = f"{path}, task {number}"
        try:
            last = {(one.label, one.annotator): one for one in _answers(task)}
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise AnnotationError(
                f"{place}: not a task of ours with its annotations "
                f"({type(error).__name__}: {error}); export as JSON, not JSON_MIN"
            ) from error
        found += [(place, one) for one in last.values()]
    return found


def _task(subset: Subset, row: int, clip: ClipToHear, url: str) -> dict[str, Any]:
    """Returns the data of one task."""
    columns = np.flatnonzero(subset.asked[row])
    asked = {f"answer_{k + 1}": subset.labels[k] for k in columns}
    where = f" (from {clip.start_s:g} s)" if clip.start_s else ""
    return {
        "audio": url,
        "track_id": clip.track_id,
        "question": f"Can you hear: {', '.join(asked.values())}?{where}",
        "questions": asked,
    }


def _interface(labels: Sequence[str]) -> str:
    """Returns the labelling interface: a player, and three choices for each label."""
    lines = ["<View>", '  <Header value="$question"/>']
    lines.append('  <Audio name="audio" value="$audio"/>')
    for number, label in enumerate(labels, start=1):
        lines += [
            f"  <Header value={quoteattr(label)}/>",
            f'  <Choices name="answer_{number}" toName="audio" choice="single" '
            'showInline="true">',
            *(f'    <Choice value="{answer}"/>' for answer in ANSWERS),
            "  </Choices>",
        ]
    return "\n".join([*lines, "</View>", ""])


def _answers(task: dict[str, Any]) -> Iterator[Answer]:
    """Yields the answers of one task."""
    questions, track_id = task["data"]["questions"], task["data"]["track_id"]
    if not isinstance(track_id, str):
        raise TypeError(f"the track_id is {track_id!r}")
    for annotation in task["annotations"]:
        if annotation.get("was_cancelled"):
            continue
        for result in annotation["result"]:
            label = questions.get(result["from_name"])
            if label is not None:
                (answer,) = result["value"]["choices"]
                by = _name(annotation["completed_by"])
                yield Answer(track_id, label, answer, by)


def _name(completed_by: Any) -> str:
    """Returns what an export says of an annotator: a number, or what it knows."""
    if isinstance(completed_by, dict):
        return str(completed_by.get("email") or completed_by["id"])
    return str(completed_by)
