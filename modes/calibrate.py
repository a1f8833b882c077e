"""`--mode=import` of the package, and calibration on prepared shards."""

from pathlib import Path

import numpy as np

from msd_tagger.commands import import_weights
from msd_tagger.commands.command_line import Options
from msd_tagger.frontend.recipe import Recipe


def start(options: Options) -> None:
    """Imports what the flags name; --calibrate may be a folder of shards."""
    import_weights.start(options, read_shards)


def read_shards(folder: Path, recipe: Recipe) -> tuple[np.ndarray, str]:
    """Clips `[N, M, F]` to calibrate by, and what they are, in words."""
    from input_pipeline.batches import open_shards  # It needs more than audio does.

    data = open_shards(folder, recipe)
    # Any first clips of a split are a random choice.
    number = min(import_weights.MAX_CLIPS, data.num_clips("train"))
    share = number / data.num_clips("train")
    batch = next(data.evaluation_batches("train", number, share))
    return batch["spectrogram"], f"{number} training clips of {data.corpus['name']}"
