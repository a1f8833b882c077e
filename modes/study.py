"""`--mode=run` of a study of the paper: several runs, their statistics, one report."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ml_collections import ConfigDict

from modes import Options
from modes.corpus import kinds, load_once, prepare_once
from modes.report import report
from modes.run import (
    begin,
    check_start,
    choose_workdir,
    find_devices,
    join_processes,
    run_in,
    shards_matter,
    tell,
)
from msd_tagger.training import distributed

if TYPE_CHECKING:
    import numpy as np

    from input_pipeline.corpora import Corpus
    from studies.label_table import LabelTable

logger = logging.getLogger(__name__)


def run_study(config: ConfigDict, options: Options) -> None:
    """A study of the paper: its statistics, its runs one after another, its report."""
    from configs import checks, sweeps
    from input_pipeline.batches import open_shards
    from msd_tagger.common import record

    if options.mode != "run":
        raise ValueError(f"--mode={options.mode} is for a single run, not for a study")
    if options.point:
        chosen = [sweeps.find(config.sweep, options.point)]
    else:
        chosen = list(config.sweep)
    matter = checks.matter(config)
    if config.distributed:
        join_processes(config, options)
    workdir = choose_workdir(config, options, matter)
    distributed.shared(lambda: record.claim(workdir, matter))
    logger.info("study folder: %s", workdir)
    needs_audio = bool(config.sweep) or config.task == "tags"
    devices = []
    if needs_audio:
        # Runs whose arrays have the same shapes share their compiled programs.
        own = str(workdir / "programs")
        config.compilation_cache_dir = config.compilation_cache_dir or own
        devices = find_devices(config, options)
        for point in chosen:
            check_start(sweeps.at(config, point))
    distributed.shared(lambda: begin(workdir, config, matter, devices))
    corpus, data = None, {}
    if needs_audio or not (config.task == "network" or draws_labels(config)):
        corpus = load_once(config, options)
    if needs_audio:
        data = {
            kind: open_shards(shards, reader=config.input.reader)
            for kind, shards in prepare_once(
                config, options, corpus, kinds(config)
            ).items()
        }
    if distributed.is_first():
        write_statistics(workdir, config, corpus, data)
    failed = []
    if chosen:
        failed = run_points(workdir, config, options, chosen, data, devices)
    if distributed.is_first():
        report(workdir)
    distributed.finish()
    if failed:
        raise ValueError(f"points without a result: {'; '.join(failed)}")


def run_points(
    workdir: Path,
    config: ConfigDict,
    options: Options,
    points: Sequence[tuple],
    data: dict,
    devices: list[str],
) -> list[str]:
    """Runs points that are not complete; one that fails does not stop the others.

    Returns:
        Name and reason of those that failed.
    """
    import jax

    from configs import checks, sweeps
    from msd_tagger.training import setup as build

    failed = []
    for number, point in enumerate(points, start=1):
        at_point = sweeps.at(config, point)
        train = at_point.train
        train.batch_size = build.resolve_batch_size(train.batch_size)
        of_kind = data[at_point.spectrogram.kind]
        matter = checks.matter(at_point) | shards_matter(of_kind.directory)
        schedule = build.build_schedule(
            at_point, of_kind.num_clips("train", train.fraction)
        )
        logger.info(
            "point %d of %d, %s: at most %d steps of %d clips, %d seeds",
            *(number, len(points), point[0]),
            *(schedule.last_step, train.batch_size, at_point.num_seeds),
        )
        try:
            place = workdir / "points" / point[0]
            summary = run_in(place, at_point, options, matter, of_kind, devices)
            if distributed.is_first():
                tell(summary)
        except ValueError as error:
            if distributed.rank().count > 1:
                raise  # The others may not have failed, and would wait for this one.
            logger.error("point %s: %s", point[0], error)
            failed.append(f"{point[0]} ({error})")
        jax.clear_caches()
    return failed


def write_statistics(
    workdir: Path, config: ConfigDict, corpus: Corpus | None, data: dict
) -> None:
    """What a study's report needs beside its runs: layers, labels, input."""
    from msd_tagger.common import files

    if config.task in ("network", "paper"):
        from msd_tagger.network.describe import describe

        files.write_json(workdir / "network.json", describe(config.model.channels))
    if config.task != "network":
        from studies.label_table import write_label_table

        table = label_table(config, corpus)
        write_label_table(workdir / "labels.npz", table)
        described = describe_labels(config, corpus, table)
        files.write_json(workdir / "corpus.json", described)
        if config.analysis.annotations:
            from studies.annotation.answers import gather_answers

            ids = {str(i) for labels in table.splits.values() for i in labels.track_id}
            answers = config.analysis.annotations
            gather_answers(answers, workdir, ids, table.tag_names)
    if config.task in ("tags", "paper"):
        from msd_tagger.training.input_statistics import write_input_statistics

        of_kind = data[config.spectrogram.kind]
        write_input_statistics(config, of_kind, workdir / "input_stats.npz")


def describe_labels(
    config: ConfigDict, corpus: Corpus | None, table: LabelTable
) -> dict:
    """What the report says about the corpus of the label statistics."""
    counts = {split: len(labels.track_id) for split, labels in table.splits.items()}
    if not draws_labels(config):
        return {"name": corpus.name, "version": corpus.version, "counts": counts}
    from input_pipeline.corpora import synthetic

    note = "Label statistics are of clips that were drawn, not played."
    version = synthetic.VERSION
    return {"name": "synthetic", "version": version, "counts": counts, "note": note}


def draws_labels(config: ConfigDict) -> bool:
    """Whether label statistics are of synthetic clips that nobody plays."""
    if config.analysis.annotations:  # Somebody listened to those of the corpus.
        return False
    return config.corpus.name == "synthetic" and config.analysis.label_only_clips > 0


def label_table(config: ConfigDict, corpus: Corpus | None) -> LabelTable:
    """The labels of a corpus, or of many synthetic clips that are only drawn."""
    import numpy as np

    if not draws_labels(config):
        return table_of(corpus)
    from input_pipeline.corpora import synthetic

    count = config.analysis.label_only_clips
    true, weak = synthetic.label_only(count, config.corpus.seed)
    split_of = np.array([synthetic.split_of(number) for number in range(count)])
    ids = np.array([f"clip-{number:06d}" for number in range(count)])
    return _table(synthetic.TAGS, ids, split_of, weak, true)


def table_of(corpus: Corpus) -> LabelTable:
    """The labels of a corpus."""
    import numpy as np

    clips = sorted(corpus.clips, key=lambda clip: clip.track_id)
    true = None
    if corpus.has_true_tags:
        true = np.stack([clip.true_tags for clip in clips])
    ids = np.array([clip.track_id for clip in clips])
    split_of = np.array([clip.split for clip in clips])
    weak = np.stack([clip.tags for clip in clips])
    return _table(corpus.tags, ids, split_of, weak, true)


def _table(
    names: Sequence[str],
    ids: np.ndarray,
    split_of: np.ndarray,
    weak: np.ndarray,
    true: np.ndarray | None,
) -> LabelTable:
    from msd_tagger.common.facts import SPLITS
    from studies.label_table import LabelTable, SplitLabels

    splits = {
        split: SplitLabels(ids[rows], weak[rows], None if true is None else true[rows])
        for split in SPLITS
        if (rows := split_of == split).any()
    }
    return LabelTable(tuple(names), splits)
