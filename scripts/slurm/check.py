"""Checks the command line of a job and its corpus, before the job waits in a queue.

python -m scripts.slurm.check train.sh --config=configs/db_mel.py
"""

import sys
from collections.abc import Sequence

from ml_collections import ConfigDict

import main
from configs import sweeps
from configs.tasks import TASKS
from input_pipeline.corpora import Corpus
from input_pipeline.file_states import size_bytes
from modes.command_line import read_options
from msd_tagger import platform
from msd_tagger.commands import command_line

# Scripts whose jobs prepare, or do so at first; others run.
PREPARE, STUDY, POINT = "prepare.sh", "study.sh", "point.sh"
SOUGHT = 100  # Audio files, evenly spread over the corpus.
MANY_MISSING = 0.5  # Their exact share is known when all are prepared.


def check(script: str, arguments: Sequence[str]) -> ConfigDict:
    """Checks what a script gives to main.py, and returns the configuration.

    Raises:
        ValueError: Something in the command line or in the corpus is wrong.
        OSError: A file of the corpus cannot be read.
    """
    mode = "prepare" if script in (PREPARE, STUDY) else "run"
    _, *words = main.parse_flags(["main.py", f"--mode={mode}", *arguments])
    config = main.CONFIG.value
    if config is None:
        raise ValueError("--config is missing; try --config=configs/db_mel.py")
    platform.set_up("cpu")  # Where jobs are submitted there may be no other.
    main.check(mode, words)
    if script != PREPARE:
        # Not sooner, as it brings JAX.
        check_names = command_line.load("modes.training:check_names")
        check_names(sweeps.runs(config), config.task)
    if not config.resume:
        raise ValueError(
            "--config.resume=False: every job, and one that comes back into the queue, "
            "would begin a folder of its own; leave it out, and name a new folder "
            "where a run or study should begin anew"
        )
    if script == POINT and read_options().point:
        raise ValueError(
            f"--point={read_options().point} with {POINT}: each job of the array has a "
            "point of its own; choose them by --array=3,7 or with study.sh"
        )
    corpus = find_corpus(config)
    if corpus and script != PREPARE and TASKS[config.task].trains:
        check_learnable = command_line.load("modes.corpus:check_learnable")
        check_learnable(config, read_options(), corpus)
    return config


def find_corpus(config: ConfigDict) -> Corpus | None:
    """Reads the labels, and looks for some of the audio files.

    None for the synthetic corpus, which its first job makes.

    Raises:
        ValueError: The labels are not what they should be, or most files are missing.
    """
    from modes.corpus import read  # Late: it brings JAX.

    corpus = config.corpus
    if corpus.name == "synthetic":
        return None
    found = read(config, "")
    paths = [str(clip.path) for clip in found.clips] if found.has_audio else []
    sought = paths[:: max(1, len(paths) // SOUGHT)]
    missing = [path for path in sought if isinstance(size_bytes(path), str)]
    if len(missing) > max(MANY_MISSING, config.prepare.max_bad_share) * len(sought):
        raise ValueError(
            f"--config.corpus.audio_dir={corpus.audio_dir}: of {len(sought)} audio "
            f"files that were looked for, {len(missing)} are missing, empty or "
            f"unreadable, such as {missing[0]}; is this the folder of these labels?"
        )
    return found


def _main() -> None:
    check(sys.argv[1], sys.argv[2:])


if __name__ == "__main__":
    command_line.run(_main)
