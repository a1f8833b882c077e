"""Corpora: where clips, their audio and their tags come from.

Every corpus becomes the same `Corpus`; what follows (shards, batches, statistics) does
not know which one it was.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from input_pipeline.corpora import folder, magnatagatune, msd, mtg_jamendo, names
from input_pipeline.corpora.corpus import Clip, Corpus, check_scorable
from msd_tagger.common.facts import SPLITS

__all__ = ["Clip", "Corpus", "check_scorable", "load_corpus"]

# Name -> its function, and the keys of `config.corpus` that are its arguments.
READERS: dict[str, tuple[Callable[..., Corpus], str]] = {
    "folder": (folder.load, "audio_dir num_tags"),
    "msd": (msd.load, "label_dir audio_dir labels num_tags"),
    "magnatagatune": (
        magnatagatune.load,
        "audio_dir label_dir num_tags merge_synonyms",
    ),
    "mtg_jamendo": (
        mtg_jamendo.load,
        "audio_dir label_dir subset fold excerpts_per_track clip_duration_s",
    ),
}
# What `corpus.num_tags=0` means; elsewhere it means all tags.
DEFAULT_NUM_TAGS = {"msd": 50, "magnatagatune": 50}
# What must be given, as nothing else says where the corpus is: key -> what is there.
NEEDED = {
    "folder": ("audio_dir", "tags.csv and its audio files"),
    "msd": ("label_dir", "the label files"),
}


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
    if name == "synthetic":
        return _load_synthetic(config, Path(data_dir), num_workers)
    if name not in READERS:
        allowed = ", ".join(["synthetic", *READERS])
        raise ValueError(f"corpus.name is {name!r}; allowed are {allowed}")
    key, what = NEEDED.get(name, ("name", ""))
    if not config[key]:
        raise ValueError(
            f"corpus.{key} is empty; give the directory that holds {what}: "
            f"--config.corpus.{key}=…"
        )
    num_tags = config.get("num_tags") or DEFAULT_NUM_TAGS.get(name, 0)
    values = {**config, "clip_duration_s": clip_duration_s, "num_tags": num_tags}
    read, keys = READERS[name]
    corpus = read(*(values[key] for key in keys.split()))
    return names.as_on_disk(corpus) if corpus.has_audio else corpus


def _load_synthetic(
    config: Mapping[str, Any], data_dir: Path, num_workers: int
) -> Corpus:
    """Writes the corpus first, or finishes writing it."""
    from input_pipeline.corpora import synthetic  # It takes 0.3 s to import.

    sizes = [config[f"{split}_clips"] for split in SPLITS]
    seed, exponent = config["seed"], config["tagability_exponent"]
    shown = "-".join(map(str, sizes))
    name = f"synthetic-v{synthetic.VERSION}-clips{shown}-seed{seed}-tags{exponent}"
    synthetic.write_corpus(data_dir / name, sizes, seed, exponent, num_workers)
    version = (
        f"{synthetic.VERSION} ({' / '.join(map(str, sizes))} clips, seed {seed}, "
        f"tagability exponent {exponent})"
    )
    return folder.load(data_dir / name, name="synthetic", version=version)
