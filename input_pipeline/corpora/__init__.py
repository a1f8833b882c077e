"""Corpora: where clips, their audio and their tags come from.

Every corpus becomes the same `Corpus`; what follows (shards, batches, statistics) does
not know which one it was.
"""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

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

    @property
    def has_true_tags(self) -> bool:
        """Whether the corpus knows the truth about its clips."""
        return all(clip.true_tags is not None for clip in self.clips)


def load_corpus(
    config: Mapping[str, Any],
    data_dir: Path | str,
    num_workers: int = 0,
    clip_duration_s: float = 29.0,
) -> Corpus:
    """Loads the corpus that `config.corpus` names; makes it first where it can.

    Args:
        config: The keys of `config.corpus`.
        data_dir: Where corpora that are made here are kept.
        num_workers: Processes for making one; 0 for one per core.
        clip_duration_s: `config.clip.duration_s`, for corpora that spread excerpts.

    Raises:
        ValueError: No such corpus, or its files are not what they should be.
    """
    name = config["name"]
    if name not in _LOADERS:
        raise ValueError(f"corpus.name is {name!r}; allowed are {', '.join(_LOADERS)}")
    config = {**config, "clip_duration_s": clip_duration_s}
    return _LOADERS[name](config, Path(data_dir), num_workers)


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


def _load_folder(config: Mapping[str, Any], data_dir: Path, num_workers: int) -> Corpus:
    from input_pipeline.corpora import folder

    if not config["audio_dir"]:
        raise ValueError(
            "corpus.audio_dir is empty; give the directory that holds tags.csv and "
            "its audio files: --config.corpus.audio_dir=…"
        )
    return folder.load(config["audio_dir"])


def _load_synthetic(
    config: Mapping[str, Any], data_dir: Path, num_workers: int
) -> Corpus:
    from input_pipeline.corpora import folder, synthetic

    options = {
        "num_clips": config["num_clips"],
        "seed": config["seed"],
        "tagability_exponent": config["tagability_exponent"],
    }
    name = f"synthetic-v{synthetic.VERSION}-" + "-".join(
        f"{key.replace('_', '')}{value}" for key, value in options.items()
    )
    directory = data_dir / name
    synthetic.write_corpus(directory, num_workers=num_workers, **options)
    version = (
        f"{synthetic.VERSION} ({options['num_clips']} clips, seed {options['seed']}, "
        f"tagability exponent {options['tagability_exponent']})"
    )
    return folder.load(directory, name="synthetic", version=version)


def _load_magnatagatune(
    config: Mapping[str, Any], data_dir: Path, num_workers: int
) -> Corpus:
    from input_pipeline.corpora import magnatagatune

    return magnatagatune.load(
        config["audio_dir"],
        config["label_dir"],
        num_tags=config["num_tags"],
        merge_synonyms=config["merge_synonyms"],
    )


def _load_mtg_jamendo(
    config: Mapping[str, Any], data_dir: Path, num_workers: int
) -> Corpus:
    from input_pipeline.corpora import mtg_jamendo

    return mtg_jamendo.load(
        config["audio_dir"],
        config["label_dir"],
        subset=config["subset"],
        fold=config["fold"],
        excerpts_per_track=config["excerpts_per_track"],
        clip_duration_s=config["clip_duration_s"],
    )


def _load_msd(config: Mapping[str, Any], data_dir: Path, num_workers: int) -> Corpus:
    from input_pipeline.corpora import msd

    if not config["label_dir"]:
        raise ValueError(
            "corpus.label_dir is empty; give the directory that holds the label files: "
            "--config.corpus.label_dir=…"
        )
    return msd.load(
        config["label_dir"], config["audio_dir"], config["labels"], config["num_tags"]
    )


_LOADERS: dict[str, Callable[[Mapping[str, Any], Path, int], Corpus]] = {
    "synthetic": _load_synthetic,
    "folder": _load_folder,
    "msd": _load_msd,
    "magnatagatune": _load_magnatagatune,
    "mtg_jamendo": _load_mtg_jamendo,
}
