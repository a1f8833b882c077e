"""`--mode=run`: prepare, train, evaluate, report; or a whole study."""

from functools import partial
from pathlib import Path

from ml_collections import ConfigDict

from configs.tasks import TRAIN
from input_pipeline.corpora import Corpus
from input_pipeline.published import is_spectrogram
from modes import MainOptions
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
from msd_tagger.common.csv_files import write_csv
from msd_tagger.training import distributed
from msd_tagger.training.schedule import resolve_batch_size


def start(config: ConfigDict, options: MainOptions) -> None:
    """Does what the configuration's `task` names: one run, or a study of several."""
    if config.task == TRAIN:
        run(config, options)
    else:
        from modes.study import run_study  # 2 s, for what a single run does not need.

        run_study(config, options)


def run(config: ConfigDict, options: MainOptions) -> None:
    """Does one run in a folder of its own, or with --mode=evaluate scores it again."""
    devices = set_up_devices(config, options)
    check_start([config])
    config.train.batch_size = resolve_batch_size(config.train.batch_size)
    distributed.shared(partial(check_folder, config, options))
    corpus = load_once(config, options)
    shards = prepare_once(config, options, corpus)
    data = open_data(config, shards)
    own = identity_of(config, data)
    workdir = choose_workdir(config, options, own)
    summary = train_in(workdir, config, options, own, data, devices)
    if distributed.is_first():
        with workspace.alone(workdir):
            if corpus is not None and corpus.has_audio:
                note_audio(workdir, corpus)
            report(workdir)
        print_scores(summary)
        print_baseline(workdir)
    distributed.finish()


def check_folder(config: ConfigDict, options: MainOptions) -> None:
    """Makes sure, before hours of preparation, that the run will have its folder.

    Raises:
        ValueError: It holds something else, is a file, or would have the data in it.
        OSError: Nothing can be written there.
    """
    workdir = Path(options.workdir or "runs")
    if options.workdir and config.resume:
        workspace.is_known(workdir, identity_of(config), is_part=True)
    data = options.data_dir
    if options.workdir and isinstance(data, Path):
        is_inside = workdir.resolve() in (data.resolve(), *data.resolve().parents)
        if is_inside and not workspace.holds_run(workdir):
            raise ValueError(
                f"--data_dir={data} is inside --workdir={workdir}, which has to be "
                "empty or new when the training begins; put it beside it"
            )
    workspace.check_writable(workdir)


def note_audio(workdir: Path, corpus: Corpus) -> None:
    """Writes where the audio of the test clips is, for the report's links."""
    from studies.listening import COLUMNS, PLACES  # Late: it draws.

    rows = [
        (clip.track_id, clip.path.absolute().as_uri(), clip.start_s or "")
        for clip in corpus.clips
        if clip.split == "test" and not is_spectrogram(clip.path)
    ]
    write_csv(workdir / PLACES, [COLUMNS, *rows])
