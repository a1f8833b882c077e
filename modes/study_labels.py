"""The labels that statistics of a study are of: a corpus's, or sampled ones."""

from collections.abc import Sequence

import numpy as np
from ml_collections import ConfigDict

from input_pipeline.corpora import Corpus, synthetic
from msd_tagger.common.facts import SPLITS
from studies.label_table import LabelTable, SplitLabels


def are_sampled(config: ConfigDict) -> bool:
    """Tells whether label statistics are of synthetic clips without audio."""
    if config.analysis.annotations:  # Somebody listened to those of the corpus.
        return False
    return config.corpus.name == "synthetic" and config.analysis.label_only_clips > 0


def label_table(config: ConfigDict, corpus: Corpus | None) -> LabelTable:
    """Tabulates the labels of a corpus, or of many synthetic clips without audio."""
    if corpus is not None and not are_sampled(config):
        return table_of(corpus)
    count = config.analysis.label_only_clips
    true, weak = synthetic.label_only(count, config.corpus.seed)
    split_of = np.array([synthetic.split_of(number) for number in range(count)])
    ids = np.array([f"clip-{number:06d}" for number in range(count)])
    return _table(synthetic.TAGS, ids, split_of, weak, true)


def table_of(corpus: Corpus) -> LabelTable:
    """Tabulates the labels of a corpus."""
    clips = sorted(corpus.clips, key=lambda clip: clip.track_id)
    true = None
    if corpus.has_true_tags:
        true = np.stack([np.asarray(clip.true_tags) for clip in clips])
    ids = np.array([clip.track_id for clip in clips])
    split_of = np.array([clip.split for clip in clips])
    weak = np.stack([clip.tags for clip in clips])
    return _table(corpus.tags, ids, split_of, weak, true)


def describe(config: ConfigDict, corpus: Corpus | None, table: LabelTable) -> dict:
    """Says what the report has to say of the corpus of the label statistics."""
    counts = {split: len(labels.track_id) for split, labels in table.splits.items()}
    if corpus is not None and not are_sampled(config):
        return {"name": corpus.name, "version": corpus.version, "counts": counts}
    return {
        "name": "synthetic",
        "version": synthetic.VERSION,
        "counts": counts,
        "note": "Label statistics are of labels sampled without rendering audio.",
    }


def _table(
    names: Sequence[str],
    ids: np.ndarray,
    split_of: np.ndarray,
    weak: np.ndarray,
    true: np.ndarray | None,
) -> LabelTable:
    splits = {
        split: SplitLabels(ids[rows], weak[rows], None if true is None else true[rows])
        for split in SPLITS
        if (rows := split_of == split).any()
    }
    return LabelTable(tuple(names), splits)
