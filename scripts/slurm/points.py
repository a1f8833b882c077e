"""Checks the command line of a study, and prints how many points it has.

python -m scripts.slurm.points --config=configs/paper.py
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import main


def count_points(arguments: Sequence[str]) -> int:
    """Points of the study that a command line of main.py asks for.

    Raises:
        ValueError: It asks for no study, or something in it is wrong.
    """
    _, *words = main.parse_flags(["main.py", *arguments])
    config = main.CONFIG.value
    if config is None:
        raise ValueError("--config is missing; try --config=configs/paper.py")
    main.check("prepare", words)
    if not config.sweep:
        raise ValueError(
            f"{config.name} is no study of several runs; submit it with "
            "scripts/slurm/train.sh, or choose such a config (docs/studies.md)"
        )
    return len(config.sweep)


if __name__ == "__main__":
    try:
        print(count_points(sys.argv[1:]))
    except ValueError as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error}")
