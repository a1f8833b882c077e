"""Checks the command line of a study and its corpus, and prints its points' numbers.

python -m scripts.slurm.points --config=configs/paper.py
"""

import contextlib
import sys
from collections.abc import Sequence

from configs import sweeps
from modes.command_line import read_options
from msd_tagger.commands import command_line
from scripts.slurm.check import STUDY, check


def choose_points(arguments: Sequence[str]) -> list[int]:
    """Finds the numbers of the points that a command line of main.py asks for.

    Raises:
        ValueError: It asks for no study, or something in it or in the corpus is wrong.
        OSError: A file of the corpus cannot be read.
    """
    config = check(STUDY, arguments)
    if not config.sweep:
        raise ValueError(
            f"{config.name} is not a study of several runs; submit it with "
            "scripts/slurm/submit.sh train.sh, or choose such a config "
            "(docs/studies.md)"
        )
    chosen = sweeps.choose(config.sweep, read_options().point)
    return [config.sweep.index(point) for point in chosen]


def _main() -> None:
    # Code of the user's may print; a script reads what is printed here.
    with contextlib.redirect_stdout(sys.stderr):
        points = choose_points(sys.argv[1:])
    print(*points, sep=",")


if __name__ == "__main__":
    command_line.run(_main)
