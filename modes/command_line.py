"""The command line: what each mode is called, does and takes, and its flags."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from absl import flags
from ml_collections import config_flags

from modes import Mode, Options

# What each mode does and asks for; its function is imported when it is called.
MODES = {
    "run": Mode(
        "prepare what is missing, train, evaluate, report; or do a whole study",
        "modes.run:start",
        takes=("workdir", "point"),
    ),
    "prepare": Mode(
        "only write the shards",
        "modes.corpus:start",
        takes=("workdir",),  # So that the run's own command line prepares it.
    ),
    "audit": Mode(
        "count the corpus and look for problems, without decoding audio",
        "modes.audit:audit",
        takes=("workdir",),
    ),
    "annotate": Mode(
        "write pages to judge labels by listening, as Table I needs",
        "modes.annotate:annotate",
        takes=("workdir",),
    ),
    "evaluate": Mode(
        "score a run's last checkpoint again, and report; or --bundle on any corpus",
        "modes.evaluate:start",
        takes=("workdir", "bundle", "out"),
    ),
    "report": Mode(
        "only write the report of --workdir again",
        "modes.report:start",
        needs_config=False,
        needs=("workdir",),
    ),
    "export": Mode(
        "copy the model bundle of the run in --workdir to --out",
        "msd_tagger.commands.export:export",
        needs_config=False,
        needs=("workdir", "out"),
    ),
    "tag": Mode(
        "print the tags of the files and folders given, by the model in --bundle",
        "msd_tagger.commands.tag:tag",
        needs_config=False,
        needs=("bundle",),
        takes=("top", "json", "csv", "taggram", "max_duration_s"),
        takes_arguments=True,
    ),
    "embed": Mode(
        "write the features of the files and folders given to --out",
        "msd_tagger.commands.embed:embed",
        needs_config=False,
        needs=("bundle", "out"),
        takes=("layers", "neighbours", "max_duration_s"),
        takes_arguments=True,
    ),
    "import": Mode(
        "turn the published Keras weights, --keras, into a model bundle, --out",
        "msd_tagger.commands.import_weights:start",
        needs_config=False,
        needs=("keras", "out"),
        takes=("calibrate",),
    ),
    "serve": Mode(
        "serve a page to try the model in --bundle on",
        "msd_tagger.commands.serve:serve",
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
FLAGS_OF_MODES = sorted(
    {name for mode in MODES.values() for name in mode.needs + mode.takes}
)


def check_flags(mode: Mode, options: Options) -> None:
    """Checks that the command line has what a mode needs, and nothing that it ignores.

    Raises:
        ValueError: Names the flag.
    """
    if options.arguments and not mode.takes_arguments:
        raise ValueError(f"arguments without a flag: {' '.join(options.arguments)}")
    if CONFIG.value is not None and not mode.needs_config:
        raise ValueError(f"--config means nothing to --mode={options.mode}")
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
    """What the flags say beside the configuration; each option has a flag's name."""
    names = set(Options._fields) - {"data_dir", "arguments"}
    values = {name: flags.FLAGS[name].value for name in names}
    data_dir = Path(DATA_DIR.value)
    return Options(**values, data_dir=data_dir, arguments=tuple(arguments))
