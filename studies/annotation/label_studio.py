"""Writes the questions as a project of Label Studio, for teams.

The formats are those of https://labelstud.io/guide/task_format.html and
https://labelstud.io/tags/choices.html. `answers.read_export` reads what comes back.
"""

import json
import urllib.parse
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np

from msd_tagger.common import files
from studies.annotation.answers import ANSWERS
from studies.annotation.page import ClipToHear, check_clips, copied_names, copy_audio
from studies.annotation.subsets import Subset

# Where Label Studio serves the files below its LOCAL_FILES_DOCUMENT_ROOT.
LOCAL_FILES = "/data/local-files/?d="


def export_tasks(
    folder: Path | str, subset: Subset, clips: Sequence[ClipToHear]
) -> Path:
    """Writes `<subset>_tasks.json`, `<subset>_interface.xml` and the audio for them.

    A task is a clip. Its heading names the labels to answer: in Subset100 those that it
    was sampled for. Existing tags are not in it. Audio is copied from its start, not
    cut, to `<subset>_audio_<digest>/`; the tasks are for a Label Studio whose
    LOCAL_FILES_DOCUMENT_ROOT is the folder. Returns the file of tasks.

    Raises:
        ValueError: `check_clips` refuses, or a file of the project exists and differs.
    """
    check_clips(subset, clips)
    names = copied_names(subset, clips)
    tasks = []
    for clip, name, asked in zip(clips, names, subset.asked, strict=True):
        labels = {f"answer_{k + 1}": subset.labels[k] for k in np.flatnonzero(asked)}
        where = f" (from {clip.start_s:g} s)" if clip.start_s else ""
        data = {
            "audio": LOCAL_FILES + urllib.parse.quote(name),
            "track_id": clip.track_id,
            "question": f"Can you hear: {', '.join(labels.values())}?{where}",
            "questions": labels,
        }
        tasks.append({"data": data})
    paths = {
        Path(folder) / f"{subset.name}_{name}": text
        for name, text in (
            ("tasks.json", json.dumps(tasks, ensure_ascii=False, indent=1)),
            ("interface.xml", _interface(subset.labels)),
        )
    }
    for path, text in paths.items():
        if path.exists() and path.read_text(encoding="utf-8") != text:
            raise ValueError(f"{path} exists and differs; give another folder")
    copy_audio(Path(folder), clips, names)
    for path, text in paths.items():
        files.write_text(path, text)
    return next(iter(paths))


def _interface(labels: Sequence[str]) -> str:
    """Returns the labelling interface: a player, and three choices for each label."""
    choices = "\n".join(f'    <Choice value="{answer}"/>' for answer in ANSWERS)
    questions = "".join(
        f"""  <Header value={quoteattr(label)}/>
  <Choices name="answer_{number}" toName="audio" choice="single" showInline="true">
{choices}
  </Choices>
"""
        for number, label in enumerate(labels, start=1)
    )
    return f"""<View>
  <Header value="$question"/>
  <Audio name="audio" value="$audio"/>
{questions}</View>
"""
