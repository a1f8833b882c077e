"""A study: several runs, their statistics, one report."""

import logging
import math
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
from ml_collections import ConfigDict

from configs import sweeps
from configs.identity import digest
from configs.tasks import SWEEP
from input_pipeline import corpora
from input_pipeline.batches import ShardedSplits
from input_pipeline.corpora import Corpus
from modes import MainOptions, study_labels
from modes.corpus import load_once, open_data, pools_of, prepare_once, recipe_of
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
from msd_tagger.common.processes import available_cores
from msd_tagger.network.describe import Input, describe
from msd_tagger.network.pools import POOLS, fits
from msd_tagger.pages.tables import duration
from msd_tagger.training import distributed
from msd_tagger.training.input_statistics import write_input_statistics
from msd_tagger.training.schedule import build_schedule, resolve_batch_size
from studies import foresight
from studies.label_table import LABEL_FILE, write_label_table
from studies.records import POINTS, read_run_record

logger = logging.getLogger(__name__)


def run_study(config: ConfigDict, options: MainOptions) -> None:
    """Does a study: its statistics, its runs one after another, its report."""
    if options.mode != "run":
        raise ValueError(f"--mode={options.mode} is for a single run, not for a study")
    chosen = sweeps.choose(config.sweep, options.point)
    looks_at_input = config.task == "tags" and corpora.names_audio(config.corpus)
    needs_audio = bool(config.sweep) or looks_at_input
    devices, corpus, data = [], None, {}
    if needs_audio:
        devices = set_up_devices(config, options)
        check_start(sweeps.runs(config, options.point), config.task)
    elif config.distributed:
        join_processes(config, options)
    if config.sweep:  # Otherwise points of one study would have those of their devices.
        config.train.batch_size = resolve_batch_size(config.train.batch_size)
    if config.task == SWEEP:  # Again, as 0 is a number now.
        sweeps.check_different(config)
    own = identity_of(config)
    workdir = choose_workdir(config, options, own)
    distributed.shared(lambda: workspace.claim(workdir, own))
    logger.info("study folder: %s", workdir)
    if needs_audio and not config.compilation_cache_dir:
        # Runs whose arrays have the same shapes share their compiled programs.
        config.compilation_cache_dir = str(workdir / "programs")
        platform.keep_programs(config.compilation_cache_dir)
    distributed.shared(lambda: begin(workdir, config, own, devices))
    needs_no_corpus = config.task == "network" or study_labels.are_sampled(config)
    if needs_audio or not needs_no_corpus:
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


def inputs_of(config: ConfigDict) -> dict[str, Input]:
    """Describes the inputs of both kinds with their poolings, if they fit.

    The configuration's are for its own kind; the other has the paper's.
    """
    pools = POOLS | {config.spectrogram.kind: pools_of(config)}
    shapes = {kind: recipe_of(config, kind).shape for kind in POOLS}
    found = {kind: (shape, pools[kind]) for kind, shape in shapes.items()}
    return {kind: one for kind, one in found.items() if fits(*one)}


class Work(NamedTuple):
    """A point that is to be trained."""

    name: str
    config: ConfigDict
    folder: Path
    data: ShardedSplits
    last_step: int
    own: dict  # What its result depends on.

    @property
    def clips(self) -> int:
        """Counts the clips that all its seeds learn from, at most."""
        return self.last_step * self.config.train.batch_size * self.config.num_seeds


def run_points(
    workdir: Path,
    config: ConfigDict,
    options: MainOptions,
    points: Sequence[sweeps.Point],
    data: Mapping[str, ShardedSplits],
    devices: list[str],
) -> list[str]:
    """Runs points that are not complete, and names those that fail, with the reason."""
    failed = []
    works = [_work(workdir, config, point, data) for point in points]
    whole = {one.name: one.folder for one in works if _is_whole(one.folder)}
    # Of points that are the same run the first is trained.
    firsts = {digest(one.own): one for one in reversed(works)}
    done = {digest(one.own) for one in works if one.name in whole}
    left = {one.name: one.clips for key, one in firsts.items() if key not in done}
    if left and distributed.is_first():
        foretell(config, works, whole, sum(left.values()))
    seconds, clips = 0.0, 0
    for number, work in enumerate(works, start=1):
        train, seeds = work.config.train, work.config.num_seeds
        time_left = duration(seconds / clips * sum(left.values())) if clips else ""
        logger.info(
            "point %d of %d, %s: at most %d steps of %d clips, %d seed%s%s",
            *(number, len(works), work.name, work.last_step, train.batch_size),
            *(seeds, "s" * (seeds > 1), time_left and f"; at most {time_left} left"),
        )
        begun = time.monotonic()
        try:
            distributed.shared(partial(reuse, work))
            is_new = distributed.is_first() and not workspace.holds_run(work.folder)
            summary = train_in(
                work.folder, work.config, options, work.own, work.data, devices
            )
            if distributed.is_first():
                print_scores(summary)
                if is_new:  # Of what went on here, a part was done before.
                    seconds += time.monotonic() - begun
                    clips += summary["steps"] * train.batch_size * seeds
        except ValueError as error:
            if distributed.rank().count > 1:
                raise  # The others may not have failed, and would wait for this one.
            logger.error("point %s: %s", work.name, error)
            failed.append(f"{work.name} ({error})")
        left.pop(work.name, None)
        jax.clear_caches()
    return failed


def reuse(work: Work) -> None:
    """Copies the result of a point that is the same run, if there is one."""
    if same := workspace.take_over(work.folder, work.own):
        logger.info("%s is the same run: its folder is copied", same.name)


def _is_whole(folder: Path) -> bool:
    """Asks `workspace.is_whole`; a damaged point fails in its turn, beside others."""
    with suppress(ValueError):
        return workspace.is_whole(folder)
    return False


def foretell(
    config: ConfigDict, works: Sequence[Work], whole: Mapping[str, Path], clips: int
) -> None:
    """Says what the points will be able to show, and how long they will take.

    Those whose folders are `whole` say how much scores scatter. The clips are counted
    for every seed and epoch.
    """
    complete = {name: read_run_record(folder) for name, folder in whole.items()}
    num_test_clips = works[0].data.num_clips("test", 1.0)
    known = foresight.foresee(complete, num_test_clips)
    if len(works) > 1:
        shown = known.sentence(*_seeds_and_pairs(config, {one.name for one in works}))
        logger.info("what this study can show: %s", shown)
    on_cpu = jax.default_backend() == "cpu"
    if speed := foresight.speed(complete, available_cores() if on_cpu else 0):
        time_needed = duration(clips / speed.clips_per_s)
        logger.info(
            "training takes %s if no point stops early (%s)", time_needed, speed.basis
        )
    else:
        logger.info("how long training takes is known when the first point is trained")


def _seeds_and_pairs(
    config: ConfigDict, chosen: Collection[str]
) -> tuple[set[int], int]:
    """Lists the numbers of seeds that chosen points have, and counts pairs of a study.

    A number that only one point has is left out if others are shared, as it makes no
    pair. Points of a sweep that differ in the seed alone are one for its report.
    """
    is_sweep, seeds, keys = config.task == SWEEP, Counter[str](), dict[str, str]()
    for (name, changes), run in zip(config.sweep, sweeps.runs(config), strict=True):
        own = sorted(repr(one) for one in changes if one[0] not in sweeps.SEEDS)
        keys[name] = repr(own) if is_sweep else name
        seeds[keys[name]] += run.num_seeds
    counts = Counter(seeds[key] for key in {keys[name] for name in chosen})
    shared = {number for number, points in counts.items() if points > 1}
    return shared or {min(counts)}, math.comb(len(seeds), 2) if is_sweep else 1


def _work(
    workdir: Path,
    config: ConfigDict,
    point: sweeps.Point,
    data: Mapping[str, ShardedSplits],
) -> Work:
    name, at_point = point[0], sweeps.at(config, point)
    train = at_point.train
    train.batch_size = resolve_batch_size(train.batch_size)
    own_data = data[input_of(at_point)]
    num_clips = own_data.num_clips("train", train.fraction)
    last_step = build_schedule(at_point, num_clips).last_step
    own = identity_of(at_point, own_data)
    return Work(name, at_point, workdir / POINTS / name, own_data, last_step, own)


def write_statistics(
    workdir: Path,
    config: ConfigDict,
    corpus: Corpus | None,
    data: Mapping[str, ShardedSplits],
) -> None:
    """Writes what a report needs beside the runs: layers, labels, input."""
    if config.task in ("network", "paper"):
        described = describe(config.model.channels, inputs=inputs_of(config))
        files.write_json(workdir / "network.json", described)
    if config.task not in ("network", SWEEP):
        table = study_labels.label_table(config, corpus)
        write_label_table(workdir / LABEL_FILE, table)
        files.write_json(
            workdir / "corpus.json", study_labels.describe(config, corpus, table)
        )
        if config.analysis.annotations:
            from studies.annotation.answers import gather_answers  # Late, too.

            ids = {str(i) for split in table.splits.values() for i in split.track_id}
            answers = config.analysis.annotations
            gather_answers(answers, workdir, ids, table.tag_names)
    own_data = data.get(input_of(config))  # Unless no chosen point needs it.
    if config.task in ("tags", "paper") and own_data:
        write_input_statistics(config, own_data, workdir / "input_stats.npz")
