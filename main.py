"""Trains, studies and uses the music-tagging ConvNet.

    python main.py --config=configs/db_mel.py

prepares the corpus that the configuration names (the embedded synthetic one unless you
bring your own), trains, evaluates, and writes a report into the run's folder. Every key
of configs/default.py can be set on the command line, as in
--config.train.max_epochs=20.
"""

import logging
import os
import sys
from pathlib import Path

from absl import app, flags
from absl import logging as absl_logging
from ml_collections import ConfigDict, config_flags

from modes import Options

MODES = {
    "run": "prepare what is missing, train, evaluate, report; or do a whole study",
    "prepare": "only write the shards",
    "audit": "count the corpus and look for problems, without decoding audio",
    "annotate": "write pages to judge labels by listening, as Table I needs",
    "evaluate": "score a run's last checkpoint again, and report",
    "report": "only write the report of --workdir again; needs no --config",
}

CONFIG = config_flags.DEFINE_config_file("config", help_string="An experiment.")
MODE = flags.DEFINE_enum(
    "mode", "run", list(MODES), "; ".join(f"{k}: {v}" for k, v in MODES.items())
)
WORKDIR = flags.DEFINE_string(
    "workdir", "", "The run's folder; runs/<config>-<hash of its keys> by default."
)
DATA_DIR = flags.DEFINE_string("data_dir", "data", "Corpora and shards go here.")
POINT = flags.DEFINE_string(
    "point", "", "Of a study of several runs only this one, by name or number from 0."
)
PLATFORM = flags.DEFINE_enum(
    "platform", "", ["", "cpu", "gpu", "tpu"], "Insists on a kind of device."
)


def main(argv: list[str]) -> None:
    """Does what --mode says."""
    if argv[1:]:
        raise ValueError(f"arguments without a flag: {' '.join(argv[1:])}")
    if MODE.value == "report":
        from modes.report import report

        if not WORKDIR.value:
            raise ValueError("--workdir is missing: the folder of the run to report")
        return report(Path(WORKDIR.value))
    if CONFIG.value is None:
        raise ValueError("--config is missing; try --config=configs/db_mel.py")
    config, options = CONFIG.value, read_options()
    kinds = check(config, options)
    if options.mode == "audit":
        from modes.audit import audit

        return audit(config, options)
    if options.mode == "annotate":
        from modes.annotate import annotate

        return annotate(config, options)
    if options.mode == "prepare":
        from modes.corpus import load, prepare

        return prepare(config, options, load(config, options), kinds) and None
    if config.task == "train":
        from modes.run import run

        return run(config, options)
    from modes.study import run_study

    return run_study(config, options, kinds)


def read_options() -> Options:
    """What the flags say beside the configuration."""
    return Options(
        mode=MODE.value,
        workdir=WORKDIR.value,
        data_dir=Path(DATA_DIR.value),
        platform=PLATFORM.value,
        point=POINT.value,
    )


def check(config: ConfigDict, options: Options) -> list[str]:
    """Checks the configuration, and that of every point, before anything takes long.

    Returns:
        The kind of spectrogram of each.
    """
    from configs import checks, sweeps
    from input_pipeline.beam import parse_options
    from input_pipeline.recipe import Recipe
    from msd_tagger.pools import check_pools, choose_pools

    needs_audio = options.mode != "audit"
    checks.check(config, needs_audio)
    parse_options(config.prepare.beam)
    is_array_job = config.prepare.num_workers > 1
    if is_array_job and options.mode not in ("prepare", "audit", "annotate"):
        raise ValueError(
            f"--mode={options.mode} with --config.prepare.num_workers="
            f"{config.prepare.num_workers}: jobs of an array prepare and do nothing "
            "else; use --mode=prepare, then run without prepare.worker and "
            "prepare.num_workers"
        )
    if options.point and not config.sweep:
        raise ValueError(
            f"--point={options.point}: {config.name} is no study of several runs; "
            "leave --point out, or choose such a config (docs/studies.md)"
        )
    points = [sweeps.at(config, point) for point in config.sweep] or [config]
    for point in points:
        checks.check(point, needs_audio)
        kind = point.spectrogram.kind
        recipe = Recipe.from_config(point.clip, point.spectrogram, kind)
        check_pools(recipe.shape, choose_pools(point.model.pools, kind))
    return [point.spectrogram.kind for point in points]


def parse_flags(argv: list[str]) -> list[str]:
    """Parses flags; a wrong one ends the process with a sentence, not a traceback."""
    from configs import checks

    try:
        checks.check_keys(argv)
        arguments = flags.FLAGS(argv)
        _ = CONFIG.value
    except (
        flags.Error,
        AttributeError,
        ValueError,
        KeyError,
        TypeError,
        OSError,
    ) as error:
        _give_up(str(error).strip())
    return arguments


def _give_up(message: str) -> None:
    print(f"{Path(sys.argv[0]).name}: {message}", file=sys.stderr)
    sys.exit(2)


def _main(argv: list[str]) -> None:
    from msd_tagger.errors import MiscompilationError

    _set_up_logging()
    try:
        main(argv)
    except (ValueError, OSError, MiscompilationError) as error:
        if os.environ.get("MSD_TAGGER_TRACEBACK"):
            raise
        _give_up(str(error))
    except KeyboardInterrupt:
        _give_up("interrupted; the same command goes on from here")


def _set_up_logging() -> None:
    """Our own lines as plain text; of everybody else only warnings."""
    absl_logging.set_verbosity(absl_logging.WARNING)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", force=True)
    for name in ("main", "modes", "input_pipeline", "msd_tagger"):
        logging.getLogger(name).setLevel(logging.INFO)


if __name__ == "__main__":
    app.run(_main, flags_parser=parse_flags)
