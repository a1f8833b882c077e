"""Trains, studies and uses the music-tagging ConvNet.

    python main.py --config=configs/db_mel.py

prepares the corpus that the configuration names (the embedded synthetic one unless you
bring your own), trains, evaluates, and writes a report into the run's folder. Every key
of docs/keys.md can be set on the command line, as in --config.train.max_epochs=20.
"""

import sys
from collections.abc import Sequence

from absl import app, flags
from ml_collections import ConfigDict, config_flags

from configs import checks, keys, sweeps
from configs.tasks import TRAIN
from modes.command_line import CONFIG, MODE, MODES, help_for, read_options
from msd_tagger import platform
from msd_tagger.commands import command_line


def main(argv: list[str]) -> command_line.Status:
    """Does what --mode says, and gives the exit status where it is not 0."""
    config, words = CONFIG.value, argv[1:]
    mode = check(MODE.value, words)
    if MODE.value in command_line.MODES:
        return command_line.perform(mode, words)
    options = read_options(words)
    is_deterministic = config is not None and config.train.deterministic
    command_line.set_up(mode, options.platform, is_deterministic)
    if config is not None and (config.compilation_cache_dir or config.task != TRAIN):
        platform.load_programs_quietly()
    does = command_line.load(mode.function)
    return does(config, options) if mode.needs_config else does(options)


def check(name: str, words: Sequence[str]) -> command_line.Mode:
    """Checks the command line; a ValueError names the flag or the key that is wrong."""
    mode, shown = MODES[name], f"--mode={name}"
    command_line.check_flags(mode, shown, words, MODES)
    if CONFIG.value is not None and not mode.needs_config:
        raise ValueError(f"--config has no meaning for {shown}")
    if flags.FLAGS["data_dir"].present and not mode.needs_config:
        raise ValueError(f"--data_dir has no meaning for {shown}")
    if CONFIG.value is None and mode.needs_config and not flags.FLAGS["config"].present:
        raise ValueError("--config is missing; try --config=configs/db_mel.py")
    if mode.needs_config:
        options = read_options()
        command_line.load("modes.corpus:check")(CONFIG.value, options)
        given = config_flags.get_override_values(flags.FLAGS["config"])
        check_wishes = command_line.load("modes.corpus:check_wishes")
        check_wishes(CONFIG.value, name, options.bundle, given)
    return mode


def parse_flags(argv: list[str]) -> list[str]:
    """Parses flags; a wrong one ends the process with a sentence, not a traceback."""
    platform.begin()
    with command_line.reporting_mistakes():
        if command_line.HELP & {*argv[1:]}:
            sys.exit(command_line.run(lambda: print(help_for(argv[1:]))))
        argv = command_line.with_home(argv)
        checks.check_file(argv)
        checks.check_keys(argv)
        try:
            words = command_line.parse(argv)
        except flags.IllegalFlagValueError as error:
            raise checks.in_words(error) from None
        # What get_config() could not open is told whoever asks for something first.
        getattr(CONFIG.value, "keys", None)
        # Whatever else it may return is refused by `check`.
        if isinstance(CONFIG.value, ConfigDict):
            keys.settle_places(CONFIG.value)
        if isinstance(CONFIG.value, ConfigDict) and "sweep" in CONFIG.value:
            given = config_flags.get_override_values(flags.FLAGS["config"])
            sweeps.settle(CONFIG.value, given)
        return words


if __name__ == "__main__":
    app.run(lambda argv: command_line.run(lambda: main(argv)), flags_parser=parse_flags)
