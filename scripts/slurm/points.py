"""Checks the command line of a study and its corpus, and prints its points' numbers.

python -m scripts.slurm.points --mode=prepare --config=configs/paper.py
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from ml_collections import ConfigDict

import main
from configs import sweeps
from input_pipeline.corpora import check_scorable, load_corpus
from input_pipeline.file_states import size_bytes
from modes.command_line import read_options
from msd_tagger import platform
from msd_tagger.commands import command_line
from msd_tagger.common.errors import sentence

SOUGHT = 100  # Audio files, evenly spread over the corpus.
MANY_MISSING = 0.5  # Their exact share is known when all are prepared.


def choose_points(arguments: Sequence[str]) -> list[int]:
    """The numbers of the points that a command line of main.py asks for.

    Raises:
        ValueError: It asks for no study, or something in it or in the corpus is wrong.
        OSError: A file of the corpus cannot be read.
    """
    _, *words = main.parse_flags(["main.py", *arguments])
    config = main.CONFIG.value
    if config is None:
        raise ValueError("--config is missing; try --config=configs/paper.py")
    platform.set_up("cpu")  # Where jobs are submitted there may be no other.
    main.check("prepare", words)
    command_line.load("modes.training:check_names")(sweeps.runs(config), config.task)
    if not config.sweep:
        raise ValueError(
            f"{config.name} is no study of several runs; submit it with "
            "scripts/slurm/submit.sh train.sh, or choose such a config "
            "(docs/studies.md)"
        )
    if not config.resume:
        raise ValueError(
            "--config.resume=False: every job would begin a folder of its own; leave "
            "it out, and name a new folder where the study should begin anew"
        )
    check_corpus(config)
    chosen = sweeps.choose(config.sweep, read_options().point)
    return [config.sweep.index(point) for point in chosen]


def check_corpus(config: ConfigDict) -> None:
    """Reads the labels, and looks for some of the audio files.

    Raises:
        ValueError: The labels are not what they should be, or most files are missing.
    """
    corpus = config.corpus
    if corpus.name == "synthetic":
        return
    clips = load_corpus(corpus, "", clip_duration_s=config.clip.duration_s)
    check_scorable(clips)
    paths = [str(clip.path) for clip in clips.clips]
    sought = paths[:: max(1, len(paths) // SOUGHT)]
    missing = [path for path in sought if isinstance(size_bytes(path), str)]
    if len(missing) > max(MANY_MISSING, config.prepare.max_bad_share) * len(sought):
        raise ValueError(
            f"--config.corpus.audio_dir={corpus.audio_dir}: of {len(sought)} audio "
            f"files that were looked for, {len(missing)} are missing, empty or "
            f"unreadable, as {missing[0]}; is it the folder that the labels are of?"
        )


if __name__ == "__main__":
    try:
        print(",".join(map(str, choose_points(sys.argv[1:]))))
    except (ValueError, OSError) as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {sentence(error)}")
