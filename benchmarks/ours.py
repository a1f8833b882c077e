"""This project's own programs as contestants: what main.py runs, through its doors."""

import hashlib
import itertools
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import problem
from benchmarks.worker import Work, loading, repeating
from input_pipeline.batches import open_shards
from msd_tagger import platform as platform_

SLOW_READ_S = 0.02
WEIGHTS_BATCH = 2  # Clips of the steps that make the trained weights.


def training(
    batch_size: int,
    dtype: str = "float32",
    num_seeds: int = 1,
    platform: str = "",
    batches: Iterator[problem.Batch] | None = None,
    seeds_per_chunk: int = 0,
) -> Work:
    """Trains S seeds of the default configuration, by default on a few batches."""
    platform_.set_up(platform)
    from msd_tagger.training import parallel
    from msd_tagger.training.setup import first_state

    setup = _set_up(batch_size, dtype, num_seeds, seeds_per_chunk)
    return jax_training(
        setup.programs.update,
        parallel.to_devices(first_state(setup), setup.layout),
        batches or itertools.cycle(problem.batches(batch_size)),
        batch_size * num_seeds,
    )


def jax_training(
    update: Callable, state: Any, batches: Iterator[problem.Batch], units: int
) -> Work:
    """Trains on batches in turn, one of them in flight as in the real loop.

    `update` takes state and batch, and gives state and losses. The units of a step are
    clip-seeds.
    """
    import jax

    in_flight: Any = None

    def step() -> None:
        nonlocal state, in_flight
        state, losses = update(state, next(batches))
        jax.block_until_ready(in_flight)
        in_flight = losses

    def finish() -> None:
        jax.block_until_ready(state)

    def losses() -> Iterator[float]:
        for _ in range(problem.SIMILAR_STEPS):
            step()
            [first, *_] = jax.tree.leaves(in_flight)
            loss = float(np.ravel(first)[0])  # The first seed's.
            finish()
            yield loss

    return Work(losses, repeating(step, units, finish), device_memory_bytes)


def held(batch_size: int, num_clips: int, platform: str) -> Work:
    """Trains on clips that are in the device's memory."""
    platform_.set_up(platform)
    from msd_tagger.training import parallel

    layout = _set_up(batch_size, "float32", 1).layout
    size = parallel.held_batch_size(layout)
    [batch] = problem.batches(size, 1)
    mask = batch.pop("mask")[:1].repeat(batch_size)
    parts = itertools.repeat(batch, -(-num_clips // size))
    take, random = parallel.hold(parts, num_clips, layout), np.random.default_rng(0)
    rows = (random.integers(0, num_clips, batch_size) for _ in itertools.count())
    return training(
        batch_size,
        platform=platform,
        batches=(take(own) | {"mask": mask} for own in rows),
    )


def digest(
    batch_size: int, steps: int, programs: str, platform: str
) -> dict[str, str | float]:
    """Digests the state after some steps; programs are kept in a folder."""
    platform_.set_up(platform)
    platform_.keep_programs(programs)
    import jax

    from msd_tagger.training import parallel
    from msd_tagger.training.setup import first_state

    setup = _set_up(batch_size, "float32", 1)
    state = parallel.to_devices(first_state(setup), setup.layout)
    batches = itertools.cycle(problem.batches(batch_size))
    for batch in itertools.islice(batches, steps):
        state, losses = setup.programs.update(state, batch)
    found = hashlib.sha256()
    for leaf in jax.tree.leaves(state):
        found.update(np.asarray(leaf).tobytes())
    [loss, *_] = jax.tree.leaves(losses)
    return {"digest": found.hexdigest()[:12], "loss": float(np.ravel(loss)[0])}


def inference(
    batch_size: int, weights: str, dtype: str = "float32", platform: str = ""
) -> Work:
    """Scores clips as evaluation does, with the weights of a file."""
    platform_.set_up(platform)
    from flax import traverse_util

    from msd_tagger.network.model import Weights
    from msd_tagger.training import parallel

    setup = _set_up(batch_size, dtype, 1)
    with np.load(weights) as stored:
        flat = {name: stored[name][None] for name in stored.files}
    tree = traverse_util.unflatten_dict(flat, sep="/")
    on_devices = parallel.to_devices(Weights(**tree), setup.layout)
    batch = problem.batches(batch_size, 1)[0]

    def score() -> np.ndarray:
        return setup.programs.evaluate(on_devices, batch)["scores"][0]

    return problem.scoring(score, batch_size, device_memory_bytes)


def shards(batch_size: int, directory: str, threads: int) -> Work:
    """Reads prepared shards, epoch by epoch.

    The first epoch of a visit is not timed: while others had their turn, two windows
    were read ahead.
    """
    batches = train_batches(directory, threads, batch_size)
    num_steps = -(-open_shards(directory).num_clips("train") // batch_size)

    def epoch() -> None:
        for _ in range(num_steps):
            next(batches)

    work = loading(batches, batch_size)
    return work._replace(measure=repeating(epoch, num_steps * batch_size))


def slow_shards(batch_size: int, directory: str, threads: int) -> Work:
    """Reads prepared shards where a large read takes 20 ms (`slow_reads.c`).

    Raises:
        ValueError: It does not.
    """
    with next(Path(directory).glob("clips-train*")).open("rb") as file:
        started = time.perf_counter()
        os.pread(file.fileno(), 2**16, 0)
        if time.perf_counter() - started < SLOW_READ_S:
            raise ValueError("reads are not slow here: it takes Linux and cc")
    return shards(batch_size, directory, threads)


def fed(batch_size: int, directory: str, threads: int, platform: str) -> Work:
    """Trains from shards."""
    batches = train_batches(directory, threads, batch_size)
    return training(batch_size, platform=platform, batches=batches)


def train_batches(
    directory: str, threads: int, batch_size: int
) -> Iterator[problem.Batch]:
    """Yields training batches without end."""
    data = open_shards(directory, threads=threads)
    yield from data.train_batches(batch_size, data_seed=0)


def tagging(bundle: str, folder: str, platform: str) -> Work:
    """Tags a folder's files by this project's own `tag_files`."""
    platform_.set_up(platform)
    from msd_tagger.bundle.format import read_bundle
    from msd_tagger.tagging.songs import Song, tag_files
    from msd_tagger.tagging.tagger import Tagger

    tagger = Tagger(read_bundle(Path(bundle)))
    files = sorted(Path(folder).glob("*.mp3"))

    def scores_of_one() -> Iterator[float]:
        [song] = tag_files(tagger, files[:1])
        assert isinstance(song, Song), song
        yield from song.scores[0, 0].tolist()

    measure = repeating(lambda: list(tag_files(tagger, files)), len(files))
    return Work(scores_of_one, measure)


def start(
    platform: str, weights: str, trained_weights: str, bundle: str, steps: int
) -> dict[str, Any]:
    """Runs the canary, and writes the weights that all contestants start from.

    Initial ones and those after some steps are .npz files of "params/…" and
    "batch_stats/…"; the latter are a model bundle too.

    Returns:
        What the devices are.

    Raises:
        NoDeviceError: There is no device of the platform.
        MiscompilationError: The installed JAX computes wrongly here.
    """
    platform_.set_up(platform)
    platform_.devices()
    import jax
    from flax import traverse_util

    from msd_tagger.bundle.format import Bundle, write_bundle
    from msd_tagger.training import canary, parallel
    from msd_tagger.training.setup import first_state, network_of

    canary.check()
    setup = _set_up(WEIGHTS_BATCH, "float32", 1)
    chunks = parallel.to_devices(first_state(setup), setup.layout)

    def write(path: str) -> Any:
        found = parallel.from_devices(chunks, setup.layout).weights
        found = jax.tree.map(np.asarray, found)
        flat = traverse_util.flatten_dict(vars(found), sep="/")
        np.savez(path, **{name: leaf[0] for name, leaf in flat.items()})
        return found

    write(weights)
    batches = itertools.cycle(problem.batches(WEIGHTS_BATCH))
    for batch in itertools.islice(batches, steps):
        chunks, _ = setup.programs.update(chunks, batch)
    made = Bundle(
        tags=setup.data.tags,
        recipe=setup.data.recipe,
        preprocessing=setup.model.preprocessing,
        network={**network_of(setup.config), "dtype": "float32"},
        bands=jax.tree.map(np.asarray, setup.model.bands),
        weights=write(trained_weights),
        seeds=(0,),
        batch_statistics=False,
        thresholds=None,
        scores={},
        provenance={"source": "benchmark"},
    )
    write_bundle(Path(bundle), made)
    return {
        "backend": jax.default_backend(),
        "device": jax.local_devices()[0].device_kind,
        "num_devices": jax.local_device_count(),
    }


def device_memory_bytes() -> int | None:
    """Reads the peak memory of the first device; None where it does not tell."""
    import jax

    statistics = jax.local_devices()[0].memory_stats() or {}
    return statistics.get("peak_bytes_in_use")


def _set_up(
    batch_size: int, dtype: str, num_seeds: int, seeds_per_chunk: int = 0
) -> Any:
    """Makes a run of the default configuration ready to train."""
    from configs import default
    from msd_tagger.training import setup

    config = default.get_config()
    config.train.batch_size = batch_size
    config.num_seeds = num_seeds
    config.train.seeds_per_chunk = seeds_per_chunk
    config.model.dtype = dtype
    data: Any = problem.MadeUpData()  # All that a benchmark needs of it.
    return setup.set_up(config, data)
