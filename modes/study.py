"""A study: several runs, their statistics, one report."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import jax
from ml_collections import ConfigDict

from configs import sweeps
from configs.keys import SWEEP
from input_pipeline.batches import ShardedSplits
from input_pipeline.corpora import Corpus
from modes import Options, labels
from modes.corpus import load_once, open_data, prepare_once, recipe_of
from modes.report import report
from modes.training import (
    begin,
    check_start,
    choose_workdir,
    identity_of,
    join_processes,
    print_scores,
    set_up_devices,
    train_in,
)
from msd_tagger import platform
from msd_tagger.common import files, workspace
from msd_tagger.network.describe import describe
from msd_tagger.training import distributed
from msd_tagger.training.input_statistics import write_input_statistics
from msd_tagger.training.setup import build_schedule, resolve_batch_size
from studies.label_table import write_label_table

logger = logging.getLogger(__name__)


def run_study(config: ConfigDict, options: Options) -> None:
    """A study: its statistics, its runs one after another, its report."""
    if options.mode != "run":
        raise ValueError(f"--mode={options.mode} is for a single run, not for a study")
    chosen = sweeps.choose(config.sweep, options.point)
    needs_audio = bool(config.sweep) or config.task == "tags"
    devices, corpus, data = [], None, {}
    if needs_audio:
        devices = set_up_devices(config, options)
        check_start(sweeps.runs(config, options.point))
    elif config.distributed:
        join_processes(config, options)
    if config.sweep:  # Otherwise points of one study would have those of their devices.
        config.train.batch_size = resolve_batch_size(config.train.batch_size)
    own = identity_of(config)
    workdir = choose_workdir(config, options, own)
    distributed.shared(lambda: workspace.claim(workdir, own))
    logger.info("study folder: %s", workdir)
    if needs_audio and not config.compilation_cache_dir:
        # Runs whose arrays have the same shapes share their compiled programs.
        config.compilation_cache_dir = str(workdir / "programs")
        platform.keep_programs(config.compilation_cache_dir)
    distributed.shared(lambda: begin(workdir, config, own, devices))
    if needs_audio or not (config.task == "network" or labels.are_sampled(config)):
        corpus = load_once(config, options)
    if needs_audio:
        shards = prepare_once(config, options, corpus)
        every = {input_of(run): run for run in sweeps.runs(config, options.point)}
        data = {name: open_data(run, shards) for name, run in every.items()}
    if distributed.is_first():
        write_statistics(workdir, config, corpus, data)
    failed = run_points(workdir, config, options, chosen, data, devices)
    if distributed.is_first():
        report(workdir)
    distributed.finish()
    if failed:
        raise ValueError(f"points without a result: {'; '.join(failed)}")


def input_of(config: ConfigDict) -> str:
    """Names what a run reads: points that read the same share it."""
    return f"{recipe_of(config).identifier}, {config.input.window_shards}"


def run_points(
    workdir: Path,
    config: ConfigDict,
    options: Options,
    points: Sequence[sweeps.Point],
    data: Mapping[str, ShardedSplits],
    devices: list[str],
) -> list[str]:
    """Runs points that are not complete, and names those that fail, with the reason."""
    failed = []
    for number, point in enumerate(points, start=1):
        at_point = sweeps.at(config, point)
        train = at_point.train
        train.batch_size = resolve_batch_size(train.batch_size)
        own_data = data[input_of(at_point)]
        own = identity_of(at_point, own_data)
        num_clips = own_data.num_clips("train", train.fraction)
        logger.info(
            "point %d of %d, %s: at most %d steps of %d clips, %d seeds",
            *(number, len(points), point[0]),
            build_schedule(at_point, num_clips).last_step,
            *(train.batch_size, at_point.num_seeds),
        )
        try:
            folder = workdir / "points" / point[0]
            summary = train_in(folder, at_point, options, own, own_data, devices)
            if distributed.is_first():
                print_scores(summary)
        except ValueError as error:
            if distributed.rank().count > 1:
                raise  # The others may not have failed, and would wait for this one.
            logger.error("point %s: %s", point[0], error)
            failed.append(f"{point[0]} ({error})")
        jax.clear_caches()
    return failed


def write_statistics(
    workdir: Path,
    config: ConfigDict,
    corpus: Corpus | None,
    data: Mapping[str, ShardedSplits],
) -> None:
    """Writes what a report needs beside the runs: layers, labels, input."""
    if config.task in ("network", "paper"):
        files.write_json(workdir / "network.json", describe(config.model.channels))
    if config.task not in ("network", SWEEP):
        table = labels.label_table(config, corpus)
        write_label_table(workdir / "labels.npz", table)
        described = labels.describe(config, corpus, table)
        files.write_json(workdir / "corpus.json", described)
        if config.analysis.annotations:
            from studies.annotation.answers import gather_answers  # Late, too.

            ids = {str(i) for split in table.splits.values() for i in split.track_id}
            answers = config.analysis.annotations
            gather_answers(answers, workdir, ids, table.tag_names)
    own_data = data.get(input_of(config))  # Unless no chosen point needs it.
    if config.task in ("tags", "paper") and own_data:
        write_input_statistics(config, own_data, workdir / "input_stats.npz")
