"""The synthetic corpus as a reader: it is written first, where it is missing."""

import dataclasses
from pathlib import Path

from input_pipeline.corpora import folder
from input_pipeline.corpora.corpus import Corpus


def load(
    data_dir: Path,
    train_clips: int,
    valid_clips: int,
    test_clips: int,
    seed: int,
    tagability_exponent: float,
    num_processes: int = 0,
) -> Corpus:
    """Writes the corpus below `data_dir`, or finishes writing it, and reads it."""
    from input_pipeline.corpora import synthetic  # It takes 0.3 s to import.

    sizes, version = (train_clips, valid_clips, test_clips), synthetic.VERSION
    shown = "-".join(map(str, sizes))
    name = f"synthetic-v{version}-clips{shown}-seed{seed}-tags{tagability_exponent}"
    directory = data_dir / name
    synthetic.write_corpus(directory, sizes, seed, tagability_exponent, num_processes)
    version += (
        f" ({' / '.join(map(str, sizes))} clips, seed {seed}, "
        f"tagability exponent {tagability_exponent})"
    )
    found = folder.load(directory)
    return dataclasses.replace(found, name="synthetic", version=version)
