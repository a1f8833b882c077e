"""A corpus: clips, and what is known of them."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np

# Reason of a row that is `rejected` because its id is taken in another split.
IN_TWO_SPLITS = "id in two splits"


@dataclasses.dataclass(frozen=True, slots=True)  # Slots: there may be 240,000.
class Clip:
    """One excerpt of audio and its tags."""

    track_id: str  # Unique within the corpus.
    split: str  # One of `SPLITS`.
    path: Path  # The audio file, or a published mel spectrogram (`published.py`).
    tags: np.ndarray  # uint8 [K], 1 where listeners gave the tag (the weak labels).
    # uint8 [K], 1 where the tag holds, or None where nobody knows.
    true_tags: np.ndarray | None = None
    # Where the clip starts in its file; None leaves it to `clip.offset`.
    start_s: float | None = None
    artist: str | None = None  # Name of the artist, or None.


@dataclasses.dataclass(frozen=True)
class Corpus:
    """Clips with one vocabulary of K tags."""

    name: str  # Short name; part of the path of the shards.
    version: str  # What the clips and labels are a version of, for the record of a run.
    audio_dir: Path  # Directory that the paths in the ledger are relative to.
    tags: tuple[str, ...]  # Names of the K tags, in the order of the label vectors.
    clips: list[Clip]  # All clips, in any order.
    # (track_id, path, reason) of rows that became no clip.
    rejected: list[tuple[str, str, str]] = dataclasses.field(default_factory=list)
    # Source to clips per split, as others counted them; for the audit.
    published: Mapping[str, Mapping[str, int]] = dataclasses.field(default_factory=dict)
    # Whether the user said where the audio is; an audit of labels needs none.
    has_audio: bool = True

    @property
    def has_true_tags(self) -> bool:
        """Whether the corpus knows the truth about its clips."""
        return all(clip.true_tags is not None for clip in self.clips)


def check_scorable(corpus: Corpus) -> None:
    """Checks that training can be steered by the validation split.

    Raises:
        ValueError: No tag has both validation clips with it and without it.
    """
    tags = np.array([clip.tags for clip in corpus.clips if clip.split == "valid"])
    counts = tags.sum(0) if len(tags) else np.zeros(len(corpus.tags))
    if not ((counts > 0) & (counts < len(tags))).any():
        raise ValueError(
            f"the {len(tags)} validation clips of {corpus.name} cannot tell a good "
            "network from a bad one: no tag has both clips with it and clips without "
            "it. Give more clips the split `valid`, with other tags"
        )
