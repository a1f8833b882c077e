"""Clips/s from shards to ready batches, beside what training consumes."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks import corpora, problem, results
from benchmarks.race import Entrant, Lane, Options, race
from benchmarks.results import Part, best, find, significant
from input_pipeline.batches import open_shards
from input_pipeline.prepare import prepare
from msd_tagger.frontend.recipe import Recipe

THREADS = (1, 2, 4)  # Of `open_shards`.
CLIP_BYTES = 2 * problem.BANDS * problem.FRAMES  # float16
LOADER_PROCESSES = (0, 1, 2)
NUM_CLIPS = 2048  # 32 shards, two windows.


def run(options: Options) -> Part:
    """Races threads, a DataLoader, and training alone and fed, in the same rounds."""
    num_clips = 32 if options.quick else NUM_CLIPS
    lanes = race(list(_entrants(options, num_clips)), options.rounds, options.seconds)
    training = best([x for x in lanes if x.name.startswith("training, made-up")])
    reader = find(lanes, _reading(2))
    requirement = results.compare(
        "input against what training consumes", 40.0, reader, training
    )
    tables = [_table(lanes, training, num_clips), _waiting(lanes)]
    return Part("input", [requirement], tables, {"all": lanes})


def _entrants(options: Options, num_clips: int) -> Iterator[Entrant]:
    sizes = options.sizes((8, 32), (128,))
    setting = {"batch_size": sizes[0]}
    directory = _write_shards(options.scratch / "input", num_clips)
    files = _write_files(options.scratch / "npy", directory)
    platform = {"platform": options.platform}
    training_gib = 1.0 + 0.07 * setting["batch_size"]

    def entrant(
        name: str,
        factory: str,
        choices: dict[str, Any],
        gib: float = 1.0,
        sizes: Sequence[int] = sizes[:1],
    ) -> Entrant:
        factory, settings = f"benchmarks.{factory}", [{"batch_size": x} for x in sizes]
        return Entrant(name, factory, choices, tuple(settings), memory_gib=gib)

    for threads in (2,) if options.quick else THREADS:
        read = {"directory": str(directory), "threads": threads}
        yield entrant(_reading(threads), "ours:shards", read, 2.0, sizes)
    for number in (1,) if options.quick else LOADER_PROCESSES:
        load = {"directory": str(files), "num_workers": number}
        yield entrant(f"DataLoader, {number} processes", "pytorch:loader", load)
    for dtype in ("float32",) if options.quick else ("float32", "bfloat16"):
        name, choices = f"training, made-up batches, {dtype}", {"dtype": dtype}
        yield entrant(name, "ours:training", platform | choices, training_gib)
    fed: dict[str, Any] = {**platform, "directory": str(directory), "threads": 2}
    yield entrant("training from shards", "ours:fed", fed, training_gib + 1)


def _reading(threads: int) -> str:
    return f"shards, {threads} thread{'s' * (threads > 1)}"


def _write_shards(directory: Path, num_clips: int) -> Path:
    """Prepares shards of noise with the project's own writers."""
    recipe = Recipe("mel")
    sounds = corpora.noise(directory / "sounds", recipe.sample_rate_hz)
    counts = {"train": num_clips, "valid": 8, "test": 8}
    corpus = corpora.repeat(directory / "clips", sounds, counts)
    return prepare(corpus, [recipe], directory / "data")["mel"]


def _write_files(directory: Path, shards: Path) -> Path:
    """Writes the training clips as one .npy file each, and a table of tags."""
    directory.mkdir()
    data = open_shards(shards)
    np.save(directory / "tags.npy", np.asarray(data.labels("train")["tags"]))
    for batch in data.evaluation_batches("train", 1):
        row, clip = batch["row"][0], batch["spectrogram"][0]
        np.save(directory / f"{row:05d}.npy", clip)
    return directory


def _table(lanes: list[Lane], training: Lane | None, num_clips: int) -> str:
    def megabytes(lane: Lane) -> str:
        return significant(median(lane.rates.values()) * CLIP_BYTES / 1e6)

    loader = best([x for x in lanes if x.name.startswith("DataLoader")])
    found = f"the best DataLoader is {results.label(loader)}" if loader else "none ran"
    [ratio] = results.against(training).values()
    columns = {
        "clips/s": results.rate,
        "MB/s": megabytes,
        "/ training": ratio,
        "peak memory": results.memory,
    }
    note = (
        f"{num_clips} training clips of {CLIP_BYTES} bytes, in the page cache. Of the "
        f"DataLoaders over one .npy file per clip, {found}."
    )
    return results.lane_table("Input", lanes, {"what": results.label}, columns, note)


def _waiting(lanes: list[Lane]) -> str:
    def percent(lane: Lane) -> str:
        shares = (100 * share for share in lane.extra["waiting_share"])
        return f"{results.spread(shares, 2)} %"

    fed = [lane for lane in lanes if "waiting_share" in lane.extra]
    title = "Share of training time that waits for a batch"
    return results.lane_table(title, fed, {"what": results.label}, {"waiting": percent})
