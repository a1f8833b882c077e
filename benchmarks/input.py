"""Clips/s from shards to ready batches, beside what training consumes."""

import contextlib
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
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
SLOW_THREADS = (2, 8)  # The same, where every read takes 20 ms.
CLIP_BYTES = 2 * problem.BANDS * problem.FRAMES  # float16
LOADER_PROCESSES = (0, 1, 2)
TRAINING = "training, made-up batches"
NUM_CLIPS = 2048  # 32 shards, two windows.


def run(options: Options) -> Part:
    """Races threads, a DataLoader, and training alone and fed, in the same rounds."""
    num_clips = 32 if options.quick else NUM_CLIPS
    entrants = list(_entrants(options, num_clips))
    references = sum(entrant.name.startswith(TRAINING) for entrant in entrants)
    lanes = race(entrants, options.rounds, options.seconds, references)
    training = best([x for x in lanes if x.name.startswith(TRAINING)])
    reader = find(lanes, _reading(2))
    ratio = results.compare("input against what training consumes", reader, training)
    slow = find(lanes, _slow(SLOW_THREADS[0]))
    from_slow = results.compare(
        "input from a store of 20 ms a read, against what training consumes",
        None if slow.failure else slow,
        training,
        slow.failure or results.NONE_RAN,
    )
    table = _table(lanes, training, num_clips)
    return Part("input", [ratio, from_slow], [table], {"all": lanes})


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
        environment: Mapping[str, str] = {},
    ) -> Entrant:
        settings = tuple({"batch_size": size} for size in sizes)
        entrant = Entrant(name, f"benchmarks.{factory}", choices, settings)
        return entrant._replace(memory_gib=gib, environment=environment)

    for dtype in ("float32",) if options.quick else ("float32", "bfloat16"):
        name, choices = f"{TRAINING}, {dtype}", {"dtype": dtype}
        yield entrant(name, "ours:training", platform | choices, training_gib)
    for threads in (2,) if options.quick else THREADS:
        read = {"directory": str(directory), "threads": threads}
        yield entrant(_reading(threads), "ours:shards", read, 2.0, sizes)
    slow_reads = _slow_reads(options.scratch / "slow_reads.so")
    for threads in SLOW_THREADS[:1] if options.quick else SLOW_THREADS:
        name, slow = _slow(threads), "ours:slow_shards"
        read = {"directory": str(directory), "threads": threads}
        yield entrant(name, slow, read, 2.0, sizes, slow_reads)
    for number in (1,) if options.quick else LOADER_PROCESSES:
        load = {"directory": str(files), "num_workers": number}
        yield entrant(f"DataLoader, {number} processes", "pytorch:loader", load)
    fed: dict[str, Any] = {**platform, "directory": str(directory), "threads": 2}
    yield entrant("training from shards", "ours:fed", fed, training_gib + 1)


def _reading(threads: int) -> str:
    return f"shards, {threads} thread{'s' * (threads > 1)}"


def _slow(threads: int) -> str:
    return f"shards, 20 ms a read, {threads} threads"


def _slow_reads(library: Path) -> dict[str, str]:
    """Compiles what makes reads slow, and returns what loads it into a process."""
    source = Path(__file__).with_name("slow_reads.c")
    command = ["cc", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"]
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        subprocess.run(command, check=True, capture_output=True)
    others = os.environ.get("LD_PRELOAD", "")
    return {"LD_PRELOAD": f"{library}:{others}".rstrip(":")}


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
