"""`--mode=run`: train, evaluate, report, or a whole study; and `--mode=evaluate`."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from pathlib import Path

from ml_collections import ConfigDict

from modes import Options
from modes.corpus import load_once, prepare_once
from modes.report import report
from msd_tagger.training import distributed

logger = logging.getLogger(__name__)


def start(config: ConfigDict, options: Options) -> None:
    """Does what the configuration's `task` names: one run, or a study of several."""
    if config.task == "train":
        return run(config, options)
    from modes.study import run_study  # It takes its runs from this module.

    return run_study(config, options)


def run(config: ConfigDict, options: Options) -> None:
    """One run, in a folder of its own."""
    from configs import checks
    from input_pipeline.batches import open_shards

    devices = find_devices(config, options)
    check_start(config)
    from msd_tagger.common import record
    from msd_tagger.training import setup as build

    kind = config.spectrogram.kind
    corpus = load_once(config, options)
    shards = prepare_once(config, options, corpus, [kind])[kind]
    data = open_shards(shards, reader=config.input.reader)
    config.train.batch_size = build.resolve_batch_size(config.train.batch_size)
    matter = checks.matter(config) | shards_matter(shards)
    workdir = choose_workdir(config, options, matter)
    summary = run_in(workdir, config, options, matter, data, devices)
    if distributed.is_first():
        with record.alone(workdir):
            report(workdir)
        tell(summary)
    distributed.finish()


def shards_matter(directory: Path) -> dict:
    """Which clips a run learns from, and the spectrograms' recipe with its version."""
    return {"shards": directory.parent.name, "recipe": directory.name}


@distributed.naming_losses()
def run_in(
    workdir: Path,
    config: ConfigDict,
    options: Options,
    matter: dict,
    data: object,
    devices: list[str],
) -> dict:
    """Trains unless that is done, evaluates, and writes the record.

    Returns:
        The summary; nothing in a process that does not write.
    """
    from msd_tagger.common import record, seal
    from msd_tagger.training import loop as train
    from msd_tagger.training import results

    def look() -> tuple[bool, bool]:
        is_known = record.check_same(workdir, matter)
        is_run = options.mode == "run"
        return is_known, is_run and is_known and seal.is_whole(workdir)

    is_known, is_complete = distributed.shared(look)
    if is_complete:
        logger.info("%s is complete", workdir)
        return results.read_summary(workdir)
    logger.info("run folder: %s", workdir)
    begins = options.mode == "run"
    if not (begins or is_known):
        raise ValueError(f"{workdir} holds no run of this config; use --mode=run first")
    with ExitStack() as stack:

        def enter() -> None:
            record.claim(workdir, matter)
            stack.enter_context(record.alone(workdir))
            if begins:
                begin(workdir, config, matter, devices)

        distributed.shared(enter)
        reach = train.train if begins else train.restore
        trained = reach(config, data, workdir)
        predictions = results.predict(trained)
        if not distributed.is_first():
            return {}
        baseline = None
        if config.analysis.linear_baseline:
            baseline = linear_baseline(data, config.train.fraction)
        summary = results.write_results(trained, workdir, predictions, baseline)
        if summary["complete"]:
            seal.seal(workdir)
        return summary


def begin(workdir: Path, config: ConfigDict, matter: dict, devices: list[str]) -> None:
    """Writes what a run or a study begins with."""
    from msd_tagger.common import record

    record.start(workdir, config.to_dict(), matter, devices)
    write_defaults(workdir)


def join_processes(config: ConfigDict, options: Options) -> None:
    """Sets JAX up and meets the other processes, if the job has several.

    Raises:
        ValueError: They do not meet, or were given different things to do.
    """
    from configs import checks
    from msd_tagger import platform

    platform.set_up(options.platform)
    distributed.start(config.distributed, config.process_count, config.process_index)
    told = {f"--{flag}": str(value) for flag, value in options._asdict().items()}
    keys = checks.flatten(config.to_dict())
    del keys["process_index"]
    distributed.check_same(told | {f"--config.{k}": keys[k] for k in keys})


def find_devices(config: ConfigDict, options: Options) -> list[str]:
    """Sets JAX up and names its devices, before anything takes long."""
    from msd_tagger import platform

    join_processes(config, options)
    platform.keep_programs(config.compilation_cache_dir)
    devices = platform.devices()
    from msd_tagger.training import setup as build

    build.choose_layout(config)
    return devices


def check_start(config: ConfigDict) -> None:
    """Checks the bundle that training starts from, before anything takes long."""
    from msd_tagger.frontend.recipe import Recipe
    from msd_tagger.training import setup as build

    kind = config.spectrogram.kind
    recipe = Recipe.from_config(config.clip, config.spectrogram, kind)
    build.starting_bundle(config, recipe)


def choose_workdir(config: ConfigDict, options: Options, matter: dict) -> Path:
    """The folder of a run or a study, a new one where it is not to be resumed."""
    from configs import checks
    from msd_tagger.common import files

    workdir = Path(options.workdir or f"runs/{config.name}-{checks.digest(matter)}")
    if options.mode == "run" and not config.resume:
        workdir = Path(distributed.shared(lambda: str(files.unused(workdir))))
    return workdir


def write_defaults(workdir: Path) -> None:
    """Writes the defaults beside the configuration, so that a report can compare."""
    from configs import default
    from msd_tagger.common import files

    files.write_json(workdir / "config_default.json", default.get_config().to_dict())


def linear_baseline(data: object, fraction: float) -> dict:
    """Scores of a logistic regression on the same clips and labels."""
    from studies import baseline

    shares = {"train": fraction, "valid": 1.0, "test": 1.0}
    features = {
        split: baseline.split_features(data.evaluation_batches(split, 32, share))
        for split, share in shares.items()
    }
    labels = {split: data.labels(split, share) for split, share in shares.items()}
    return baseline.evaluate_baseline(features, labels)


def tell(summary: dict, split: str = "test") -> None:
    """Prints the scores of a split."""
    for kind in ("weak", "true"):
        scores = summary["scores"][split][kind]
        if scores is None:
            continue
        line = ", ".join(
            f"{name} {value:.4f}"
            for name, value in scores["mean"].items()
            if value is not None
        )
        print(f"{split}, {kind} labels: {line}")
