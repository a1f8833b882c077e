"""Trains, studies and uses the music-tagging ConvNet.

    python main.py --config=configs/db_mel.py

prepares the corpus that the configuration names (the embedded synthetic one unless you
bring your own), trains, evaluates, and writes a report into the run's folder. Every key
of configs/default.py can be set on the command line, as in
--config.train.max_epochs=20.
"""

import importlib
import os
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

from absl import app, flags
from ml_collections import ConfigDict

from modes import Options, command_line
from modes.command_line import CONFIG, MODE, MODES, check_flags, read_options
from msd_tagger.training import distributed

flags.adopt_module_key_flags(command_line)  # So that --help shows them.


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


def check(config: ConfigDict, options: Options) -> None:
    """Checks the configuration, and that of every point, before anything takes long."""
    from configs import checks, sweeps
    from input_pipeline.beam import parse_options
    from msd_tagger.frontend.recipe import Recipe
    from msd_tagger.network.pools import check_pools, choose_pools

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
    trains = (
        options.mode in ("run", "evaluate")
        and not options.bundle
        and (config.task == "train" or config.sweep)
    )
    if config.distributed and not trains:
        raise ValueError(
            f"--config.distributed={config.distributed} with --mode={options.mode} of "
            f"{config.name}: several processes train and evaluate, and nothing else; "
            "leave it out (array jobs prepare together: docs/preparation.md)"
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
    distributed.leave(exit_status)
    others = [one for one in threading.enumerate() if not one.daemon]
    if others != [threading.main_thread()]:
        # Python would wait for them: for minutes, after a save that failed. All files
        # are written whole or not at all, so nothing is lost.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(exit_status)
    sys.exit(exit_status)


def _main(argv: list[str]) -> int | None:
    from msd_tagger.common import interruption, messages
    from msd_tagger.common.errors import (
        Interrupted,
        LostProcessError,
        MiscompilationError,
    )

    messages.set_up()
    interruption.listen()
    try:
        with distributed.naming_losses():
            return main(argv)
    except BrokenPipeError:  # As of `| head`: nobody reads what would follow.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except LostProcessError as error:
        _give_up(str(error), distributed.LOST_STATUS)
    except (ValueError, OSError, MiscompilationError) as error:
        if os.environ.get("MSD_TAGGER_TRACEBACK"):
            raise
        _give_up(str(error))
    except Interrupted as interrupted:
        _give_up(str(interrupted), interrupted.exit_status)
    except Exception as error:
        if "RESOURCE_EXHAUSTED" in str(error):
            _give_up(
                f"the device has too little memory ({str(error).splitlines()[0]}). "
                "Let fewer seeds train at once (train.seeds_per_chunk), lower "
                "train.batch_size or train.evaluation_batch_size, or use "
                "--config.model.dtype=bfloat16"
            )
        if distributed.rank().count > 1:  # The others would wait for this one.
            traceback.print_exc()
            distributed.leave(1)
        raise


if __name__ == "__main__":
    app.run(_main, flags_parser=parse_flags)
