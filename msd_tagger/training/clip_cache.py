"""Where the training clips of a run are kept: `input.cache`.

With "none" every batch is read from the shards. With "memory" the clips are read once,
into the memory of the host, with "device" into that of the devices, and batches are
taken from there by the numbers of their rows. The batches are the same, bit for bit.
"""

import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from msd_tagger.common import processes
from msd_tagger.common.excerpts import Batch, excerpts_of
from msd_tagger.training import distributed, parallel
from msd_tagger.training.data import Data
from msd_tagger.training.setup import Setup, choose_layout

# Takes the rows `[B]` of a batch; gives the spectrograms and tags of this process's.
Take = Callable[[np.ndarray], dict[str, Any]]
CLIPS_AT_ONCE = 32  # That are read into the memory of the host.

logger = logging.getLogger(__name__)


def choose(config: ConfigDict, data: Data) -> str:
    """Resolves `input.cache`, and checks that the training clips fit there.

    "auto" is "device" where they take at most half of each device's free memory, else
    "none". A CPU has no memory of its own; asked for, that of the host counts as such.

    Raises:
        ValueError: They do not fit.
    """
    cache, layout = config.input.cache, choose_layout(config)
    if cache == "none":
        return cache
    num_clips = data.num_clips("train", config.train.fraction)
    clip_bytes = 2 * int(np.prod(data.recipe.shape)) + len(data.tags)
    num_excerpts = num_clips * data.recipe.excerpts_per_track
    needed = clip_bytes * parallel.held_rows(num_excerpts, layout)
    where, free = "on each device", parallel.free_memory_bytes(layout)
    if cache == "auto":
        return "device" if free is not None and needed <= free / 2 else "none"
    if cache == "memory":
        # Each process keeps all of them.
        needed = clip_bytes * num_excerpts * distributed.most_on_a_host()
        where, free = "in this machine's memory", _host_memory_bytes()
    elif free is None and jax.default_backend() == "cpu":
        num_devices = layout.num_own_devices * distributed.most_on_a_host()
        free = _host_memory_bytes() // num_devices
    if free is not None and needed > free:
        raise ValueError(
            f"input.cache={cache}: {num_clips:,} training clips need "
            f"{needed / 1e9:.3g} GB {where}, where {free / 1e9:.3g} GB are free; "
            "choose --config.input.cache=none, which reads each batch from the shards; "
            "several devices share the clips with --config.train.parallel=data"
        )
    return cache


def keep(setup: Setup) -> Setup:
    """Reads the training clips into the memory that `input.cache` names, if it does.

    Raises:
        ValueError: They do not fit, or cannot be read.
    """
    cache = choose(setup.config, setup.data)
    if cache == "none":
        return setup
    logger.info(
        "input.cache=%s: reading %d training clips", cache, setup.schedule.num_clips
    )
    take = _in_memory(setup) if cache == "memory" else _on_devices(setup)
    size = setup.schedule.batch_size
    mask = np.ones(size, bool)[parallel.own_rows(size, setup.layout)]

    def train_batches(seed: int, first_step: int, fraction: float) -> Iterator[Batch]:
        for rows in setup.data.train_rows(size, seed, first_step, fraction):
            yield take(rows) | {"mask": mask}

    return setup._replace(train_batches=train_batches)


def _in_memory(setup: Setup) -> Take:
    """Keeps all clips in the memory of this process."""
    data, num_rows = setup.data, _num_rows(setup, CLIPS_AT_ONCE)
    clips: dict[str, np.ndarray] = {
        "spectrogram": np.empty((num_rows, *data.recipe.shape), np.float16),
        "tags": np.empty((num_rows, len(data.tags)), np.uint8),
    }
    for number, batch in enumerate(_read(setup, CLIPS_AT_ONCE, slice(None))):
        for name, kept in clips.items():
            place = kept[number * CLIPS_AT_ONCE :][:CLIPS_AT_ONCE]
            place[:] = batch[name][: len(place)]
    own = parallel.own_rows(setup.schedule.batch_size, setup.layout)

    def take(numbers: np.ndarray) -> dict[str, Any]:
        rows = _rows(setup, numbers[own], CLIPS_AT_ONCE)
        return {name: kept[rows] for name, kept in clips.items()}

    return take


def _on_devices(setup: Setup) -> Take:
    """Keeps the clips on the devices that compute, in mode "data" spread over them."""
    layout = setup.layout
    size = parallel.held_batch_size(layout)
    batches = _read(setup, size, parallel.own_rows(size, layout))
    take = parallel.hold(batches, _num_rows(setup, size), layout)
    return lambda numbers: take(_rows(setup, numbers, size))


def _num_rows(setup: Setup, size: int) -> int:
    """Counts the rows that `_read` gives; the padding at their end needs no place.

    Where clips have several excerpts it is not at the end, and is counted.
    """
    num_clips, number = setup.schedule.num_clips, setup.data.recipe.excerpts_per_track
    return num_clips if number == 1 else -(-num_clips // size) * size * number


def _rows(setup: Setup, numbers: np.ndarray, size: int) -> np.ndarray:
    """Finds excerpts, numbered as by `Data.train_rows`, in what `_read` gives."""
    number = setup.data.recipe.excerpts_per_track
    rows, excerpts = np.divmod(numbers, number)
    return (rows // size * number + excerpts) * size + rows % size


def _read(setup: Setup, size: int, rows: slice) -> Iterator[Batch]:
    """Reads the training clips once, in the order of their rows.

    Where clips have several excerpts, `size` clips give their first ones, then their
    second ones, and so on.
    """
    share = setup.config.train.fraction
    for batch in setup.data.evaluation_batches("train", size, share, rows):
        for one in excerpts_of(batch):
            yield {name: one[name] for name in ("spectrogram", "tags")}


def _host_memory_bytes() -> int:
    """Estimates the memory that is left on the host, the least of all processes'.

    It is more than any host has where nobody tells.
    """
    found = processes.available_memory_bytes()
    return -distributed.agree([-sys.maxsize if found is None else -found])[0]
