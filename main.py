"""Trains, studies and uses the music-tagging ConvNet.

    python main.py --config=configs/db_mel.py

prepares the corpus that the configuration names (the embedded synthetic one unless you
bring your own), trains, evaluates, and writes a report into the run's folder. Every key
of configs/default.py can be set on the command line, as in
--config.train.max_epochs=20.
"""

import importlib
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from absl import app, flags
from absl import logging as absl_logging
from ml_collections import ConfigDict, config_flags

from modes import Mode, Options

# What each mode does and asks for; its function is imported when it is called.
MODES = {
    "run": Mode(
        "prepare what is missing, train, evaluate, report; or do a whole study",
        "modes.run:start",
    ),
    "prepare": Mode("only write the shards", "modes.corpus:start"),
    "audit": Mode(
        "count the corpus and look for problems, without decoding audio",
        "modes.audit:audit",
    ),
    "annotate": Mode(
        "write pages to judge labels by listening, as Table I needs",
        "modes.annotate:annotate",
    ),
    "evaluate": Mode(
        "score a run's last checkpoint again, and report; or --bundle on any corpus",
        "modes.evaluate_bundle:start",
        takes=("bundle", "out"),
    ),
    "report": Mode(
        "only write the report of --workdir again",
        "modes.report:start",
        needs_config=False,
        needs=("workdir",),
    ),
    "export": Mode(
        "copy the model bundle of the run in --workdir to --out",
        "modes.export:export",
        needs_config=False,
        needs=("workdir", "out"),
    ),
    "tag": Mode(
        "print the tags of the files and folders given, by the model in --bundle",
        "modes.tag:tag",
        needs_config=False,
        needs=("bundle",),
        takes=("top", "json", "csv", "taggram", "max_duration_s"),
        takes_arguments=True,
    ),
    "embed": Mode(
        "write the features of the files and folders given to --out",
        "modes.embed:embed",
        needs_config=False,
        needs=("bundle", "out"),
        takes=("layers", "neighbours", "max_duration_s"),
        takes_arguments=True,
    ),
    "import": Mode(
        "turn the published Keras weights, --keras, into a model bundle, --out",
        "modes.import_weights:start",
        needs_config=False,
        needs=("keras", "out"),
        takes=("calibrate",),
    ),
    "serve": Mode(
        "serve a page to try the model in --bundle on",
        "modes.serve:serve",
        needs_config=False,
        needs=("bundle",),
        takes=("host", "port", "max_duration_s"),
    ),
}

CONFIG = config_flags.DEFINE_config_file("config", help_string="An experiment.")
MODE = flags.DEFINE_enum(
    "mode",
    "run",
    list(MODES),
    "; ".join(
        f"{name}: {mode.help}{'' if mode.needs_config else ' (needs no --config)'}"
        for name, mode in MODES.items()
    ),
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
BUNDLE = flags.DEFINE_string("bundle", "", "Folder of a model bundle to use.")
OUT = flags.DEFINE_string(
    "out", "", "For what is made: a new or empty folder, or for embed a new file."
)
TOP = flags.DEFINE_integer("top", 5, "Tags of each song to print and to draw.")
JSON = flags.DEFINE_string(
    "json", "", "A new file for all about each song, one JSON object a line; - prints."
)
CSV = flags.DEFINE_string(
    "csv", "", "A new file for all scores, a line for each song and tag; - prints."
)
TAGGRAM = flags.DEFINE_string(
    "taggram", "", "A new or empty folder for a picture of each song's tags over time."
)
MAX_DURATION_S = flags.DEFINE_float(
    "max_duration_s", 3600.0, "Longer files are refused."
)
LAYERS = flags.DEFINE_enum(
    "layers", "last", ["last", "all"], "Whose features: the last layer's, or all's."
)
NEIGHBOURS = flags.DEFINE_string(
    "neighbours", "", "A new .html file for the nearest songs and tags; - prints them."
)

KERAS = flags.DEFINE_string("keras", "", "The published weights, an HDF5 file.")
CALIBRATE = flags.DEFINE_string(
    "calibrate", "", "A folder of audio files, or shards, to fix batch statistics by."
)
HOST = flags.DEFINE_string(
    "host", "127.0.0.1", "Address to serve on; others than this are open to others."
)
PORT = flags.DEFINE_integer(
    "port", 8000, "Port to serve on; 0 takes a free one.", 0, 65535
)

# Flags that mean something to a few modes alone: those that name them.
FLAGS_OF_MODES = (
    "bundle",
    "out",
    "top",
    "json",
    "csv",
    "taggram",
    "max_duration_s",
    "layers",
    "neighbours",
    "keras",
    "calibrate",
    "host",
    "port",
)


def main(argv: list[str]) -> int | None:
    """Does what --mode says, and gives the exit status where it is not 0."""
    mode, options = MODES[MODE.value], read_options(argv[1:])
    check_flags(mode, options)
    if not mode.needs_config:
        return load(mode.function)(options)
    if CONFIG.value is None:
        raise ValueError("--config is missing; try --config=configs/db_mel.py")
    check(CONFIG.value, options)
    return load(mode.function)(CONFIG.value, options)


def load(function: str) -> Callable[..., int | None]:
    """Imports a function that is given as "module:name"."""
    module, _, name = function.partition(":")
    return getattr(importlib.import_module(module), name)


def check_flags(mode: Mode, options: Options) -> None:
    """Checks that the command line has what a mode needs, and nothing that it ignores.

    Raises:
        ValueError: Names the flag.
    """
    if options.arguments and not mode.takes_arguments:
        raise ValueError(f"arguments without a flag: {' '.join(options.arguments)}")
    for name in mode.needs:
        if not flags.FLAGS[name].value:
            raise ValueError(f"--{name} is missing; --mode={options.mode}: {mode.help}")
    for name in FLAGS_OF_MODES:
        if flags.FLAGS[name].present and name not in mode.needs + mode.takes:
            users = [n for n, m in MODES.items() if name in m.needs + m.takes]
            raise ValueError(
                f"--{name} means nothing to --mode={options.mode}; modes that take it: "
                f"{', '.join(users) or 'none'}"
            )


def read_options(arguments: Sequence[str]) -> Options:
    """What the flags say beside the configuration."""
    return Options(
        mode=MODE.value,
        workdir=WORKDIR.value,
        data_dir=Path(DATA_DIR.value),
        platform=PLATFORM.value,
        point=POINT.value,
        bundle=BUNDLE.value,
        out=OUT.value,
        top=TOP.value,
        json=JSON.value,
        csv=CSV.value,
        taggram=TAGGRAM.value,
        max_duration_s=MAX_DURATION_S.value,
        layers=LAYERS.value,
        neighbours=NEIGHBOURS.value,
        keras=KERAS.value,
        calibrate=CALIBRATE.value,
        host=HOST.value,
        port=PORT.value,
        arguments=tuple(arguments),
    )


def check(config: ConfigDict, options: Options) -> None:
    """Checks the configuration, and that of every point, before anything takes long."""
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


def parse_flags(argv: list[str]) -> list[str]:
    """Parses flags; a wrong one ends the process with a sentence, not a traceback."""
    from configs import checks

    try:
        checks.check_keys(argv)
        flags.FLAGS.set_gnu_getopt(True)  # Flags may follow names of files.
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


def _give_up(message: str, exit_status: int = 2) -> None:
    print(f"{Path(sys.argv[0]).name}: {message}", file=sys.stderr)
    sys.exit(exit_status)


def _main(argv: list[str]) -> int | None:
    from msd_tagger import interruption
    from msd_tagger.errors import Interrupted, MiscompilationError

    _set_up_logging()
    interruption.listen()
    try:
        return main(argv)
    except BrokenPipeError:  # As of `| head`: nobody reads what would follow.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ValueError, OSError, MiscompilationError) as error:
        if os.environ.get("MSD_TAGGER_TRACEBACK"):
            raise
        _give_up(str(error))
    except Interrupted as interrupted:
        _give_up(str(interrupted), interrupted.exit_status)


def _set_up_logging() -> None:
    """Our own lines as plain text; of everybody else only warnings."""
    absl_logging.set_verbosity(absl_logging.WARNING)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", force=True)
    for name in ("main", "modes", "input_pipeline", "msd_tagger"):
        logging.getLogger(name).setLevel(logging.INFO)


if __name__ == "__main__":
    app.run(_main, flags_parser=parse_flags)
