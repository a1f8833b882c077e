"""Builds small subsets, their clips and sound, for tests of re-annotation."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

from studies.annotation.page import ClipToHear
from studies.annotation.subsets import Subset, random_subset

# What a user's ids and tags may hold; none may become markup, a path or a key.
NASTY = ['</script><b>"x"</b>', "../../etc/passwd", "__proto__", "a, b", "é & ü"]


def make_subset(track_id: list[str] = NASTY, labels: tuple = ("guitar", "<i>vox")):
    """Returns a Subset400 of a few clips."""
    tagged = np.arange(len(track_id) * len(labels)).reshape(-1, len(labels)) % 2
    return random_subset(track_id, tagged, labels)


def make_clips(
    folder: Path, subset: Subset, duration_s: float = 0.5, start_s: float = 0.0
):
    """Writes one sound and returns the clips of a subset, all with it."""
    path = folder / "sound & co.wav"
    time_s = np.arange(0, duration_s, 1 / 8000)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes((8000 * np.sin(2765 * time_s)).astype("<i2").tobytes())
    picture = np.arange(48.0).reshape(6, 8).astype(np.float16)
    return [
        ClipToHear(track_id, path, picture, ("rock", "<u>hidden</u>"), start_s)
        for track_id in subset.track_id.tolist()
    ]
