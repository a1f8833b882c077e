"""The command line of main.py: its modes, and the flags that only it has."""

import re
from collections.abc import Sequence

from absl import flags
from ml_collections import config_flags

from configs import wishes
from input_pipeline.storage import place
from modes import MainOptions
from msd_tagger.commands import command_line
from msd_tagger.commands.command_line import Mode

# What each mode does and asks for; its function is imported when it is called.
MODES = {
    "run": Mode(
        "prepare what is missing, train, evaluate, report; or do a whole study",
        "modes.run:start",
        takes=("workdir", "point"),
        needs_config=True,
        examples=(
            "--config=configs/db_mel.py --workdir=runs/first",
            "--config=configs/db_mel.py --config.num_seeds=3 "
            "--config.corpus.name=folder --config.corpus.audio_dir=/path/to/music",
            "--config=configs/paper.py:quick --point='pre-db-*'",
        ),
    ),
    "prepare": Mode(
        "write the spectrograms, as shards, and stop",
        "modes.corpus:start",
        takes=("workdir", "point"),  # So that the run's own command line prepares it.
        device=None,
        needs_config=True,
        examples=(
            "--config=configs/db_mel.py",
            "--config=configs/db_mel.py --config.corpus.name=folder "
            "--config.corpus.audio_dir=/path/to/music --data_dir=/path/to/data",
        ),
    ),
    "audit": Mode(
        "count clips and tags, look for problems without decoding audio, and check all "
        "prepared records",
        "modes.audit:audit",
        takes=("workdir",),
        device=None,
        needs_config=True,
        examples=(
            "--config=configs/db_mel.py --config.corpus.name=folder "
            "--config.corpus.audio_dir=/path/to/music",
            "--config=configs/db_mel.py --workdir=runs/audit",
        ),
    ),
    "annotate": Mode(
        "write pages on which to judge labels by listening, for Table I",
        "modes.annotate:annotate",
        takes=("workdir",),
        device=None,
        needs_config=True,
        examples=(
            "--config=configs/groundtruth.py --config.corpus.name=folder "
            "--config.corpus.audio_dir=/path/to/music",
            "--config=configs/groundtruth.py --config.analysis.subset400_clips=50 "
            "--config.analysis.label_studio=True",
        ),
    ),
    "evaluate": Mode(
        "score a run again and write its report; or score --bundle on any corpus",
        "modes.evaluate:start",
        takes=("workdir", "bundle", "out"),
        needs_config=True,
        examples=(
            "--config=configs/db_mel.py --workdir=runs/first",
            "--config=configs/db_mel.py --bundle=runs/first/bundle "
            "--config.corpus.name=folder --config.corpus.audio_dir=/path/to/music",
        ),
    ),
    "report": Mode(
        "write the report of the run or study in --workdir again",
        "modes.report:start",
        needs=("workdir",),
        device=None,
        examples=("--workdir=runs/first",),
    ),
    "compare": Mode(
        "compare runs, given by their folders, and write a report to --out",
        "modes.compare:start",
        needs=("out",),
        words="RUN…",
        device=None,
        examples=("runs/first runs/second --out=runs/compared",),
    ),
    **command_line.MODES,
    "import": command_line.MODES["import"]._replace(function="modes.calibrate:start"),
}

CONFIG = config_flags.DEFINE_config_file(
    "config",
    help_string="What to train or study: a file of configs/, or one of your own.",
)
MODE = flags.DEFINE_enum(
    "mode",
    "run",
    list(MODES),
    "What to do; `python main.py --help` lists what there is.",
)
flags.DEFINE_string(
    "data_dir",
    "data",
    "The folder of corpora and shards. Shards alone may also be at an address that "
    "TensorFlow reads, such as gs://bucket/msd.",
)
flags.DEFINE_string(
    "point",
    "",
    "Do only these runs (points) of a study: names, numbers from 0 or patterns such as "
    "'pre-db-*', separated by commas.",
)


def read_options(words: Sequence[str] = ()) -> MainOptions:
    """Reads what the flags say beside the configuration; words are without a flag."""
    values = command_line.values_of(MainOptions._fields[:-1])
    values["data_dir"] = place(values["data_dir"])
    return MainOptions(**values, files=tuple(words))


def help_for(words: Sequence[str]) -> str:
    """Writes the help text of main.py, or of the mode that a command line names.

    Raises:
        ValueError: There is no such mode.
    """
    named = re.search(r"(?:^|\s)--?mode[=\s](\S+)", " ".join(words))
    if named is None:
        closing = "python main.py --mode=MODE --help lists a mode's flags and keys."
        about = "Trains, studies and uses the music-tagging ConvNet: python main.py"
        return f"{command_line.overview(about, MODES, _called)}\n\n{closing}"
    name = named[1]
    if name not in MODES:
        raise ValueError(f"--mode={name} is unknown; choose from {', '.join(MODES)}")
    more = ("config", "data_dir") if MODES[name].needs_config else ()
    text = command_line.help_of(MODES[name], _called(name), more)
    return f"{text}\n\n{_about_keys(name)}" if more else text


def _called(name: str) -> str:
    return "python main.py" + (f" --mode={name}" if name != "run" else "")


def _about_keys(name: str) -> str:
    """Lists the keys that a mode reads, by section."""
    sections: dict[str, list[str]] = {}
    for key in wishes.keys_of_mode(name):
        section, _, last = key.rpartition(".")
        sections.setdefault(section, []).append(last)
    lines = [
        "Keys that it reads, given as --config.corpus.name=folder (see docs/keys.md):"
    ]
    for section, keys in sections.items():
        named = ".".join(filter(None, ("--config", section)))
        lines += command_line.wrapped(f"  {named}: {', '.join(keys)}")
    return "\n".join(lines)
