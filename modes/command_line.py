"""The command line of main.py: its modes, and the flags that only it has."""

from collections.abc import Sequence

from absl import flags
from ml_collections import config_flags

from input_pipeline.storage import place
from modes import Options
from msd_tagger.commands import command_line
from msd_tagger.commands.command_line import Mode

# What each mode does and asks for; its function is imported when it is called.
MODES = {
    "run": Mode(
        "prepare what is missing, train, evaluate, report; or do a whole study",
        "modes.run:start",
        takes=("workdir", "point"),
        needs_config=True,
    ),
    "prepare": Mode(
        "write the shards and stop",
        "modes.corpus:start",
        takes=("workdir", "point"),  # So that the run's own command line prepares it.
        device=None,
        needs_config=True,
    ),
    "audit": Mode(
        "count the corpus and look for problems, without decoding audio, and check all "
        "prepared records",
        "modes.audit:audit",
        takes=("workdir",),
        device=None,
        needs_config=True,
    ),
    "annotate": Mode(
        "write pages on which to judge labels by listening, for Table I",
        "modes.annotate:annotate",
        takes=("workdir",),
        device=None,
        needs_config=True,
    ),
    "evaluate": Mode(
        "score a run again and write its report; or score --bundle on any corpus",
        "modes.evaluate:start",
        takes=("workdir", "bundle", "out"),
        needs_config=True,
    ),
    "report": Mode(
        "write the report of the run or study in --workdir again",
        "modes.report:start",
        needs=("workdir",),
        device=None,
    ),
    "compare": Mode(
        "compare runs, whose folders are named without a flag, in a report in --out",
        "modes.compare:start",
        needs=("out",),
        takes_files=True,
        device=None,
    ),
    **command_line.MODES,
    "import": command_line.MODES["import"]._replace(function="modes.calibrate:start"),
}

CONFIG = config_flags.DEFINE_config_file("config", help_string="The experiment.")
MODE = flags.DEFINE_enum(
    "mode",
    "run",
    list(MODES),
    "; ".join(
        f"{name}: {mode.help}{'' if mode.needs_config else ' (needs no --config)'}"
        for name, mode in MODES.items()
    ),
)
flags.DEFINE_string(
    "data_dir",
    "data",
    "The folder of corpora and shards; or, for shards alone, an address that "
    "TensorFlow reads, as gs://bucket/msd.",
)
flags.DEFINE_string(
    "point",
    "",
    "Do only these runs of a study: names, numbers from 0 and patterns such as "
    "'pre-db-*', separated by commas.",
)


def read_options(words: Sequence[str] = ()) -> Options:
    """What the flags say beside the configuration, and the words without a flag."""
    values = command_line.values_of(Options._fields[:-1])
    values["data_dir"] = place(values["data_dir"])
    return Options(**values, files=tuple(words))
