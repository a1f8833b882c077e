"""`--mode=run`: prepare, train, evaluate, report; or a whole study."""

from ml_collections import ConfigDict

from modes import Options
from modes.corpus import load_once, open_data, prepare_once
from modes.report import print_baseline, report
from modes.training import (
    check_start,
    choose_workdir,
    identity_of,
    print_scores,
    set_up_devices,
    train_in,
)
from msd_tagger.common import workspace
from msd_tagger.training import distributed
from msd_tagger.training.setup import resolve_batch_size


def start(config: ConfigDict, options: Options) -> None:
    """Does what the configuration's `task` names: one run, or a study of several."""
    if config.task == "train":
        run(config, options)
    else:
        from modes.study import run_study  # 2 s, for what a single run does not need.

        run_study(config, options)


def run(config: ConfigDict, options: Options) -> None:
    """One run, in a folder of its own; with --mode=evaluate only its scores again."""
    devices = set_up_devices(config, options)
    check_start([config])
    shards = prepare_once(config, options, load_once(config, options))
    data = open_data(config, shards)
    config.train.batch_size = resolve_batch_size(config.train.batch_size)
    own = identity_of(config, data)
    workdir = choose_workdir(config, options, own)
    summary = train_in(workdir, config, options, own, data, devices)
    if distributed.is_first():
        with workspace.alone(workdir):
            report(workdir)
        print_scores(summary)
        print_baseline(workdir)
    distributed.finish()
