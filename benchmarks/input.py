"""Clips/s from shards to ready batches, beside what training consumes."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks import corpora, problem
from benchmarks.options import Options
from benchmarks.race import Entrant, Lane, race
from benchmarks.readers import READERS
from benchmarks.results import (
    NOT_MEASURED,
    Part,
    Table,
    compare,
    gigabytes,
    label,
)
from benchmarks.spread import Spread, best, ratios, significant

CLIP_BYTES = 2 * problem.BANDS * problem.FRAMES  # float16
LOADER_WORKERS = (0, 1, 2)
NUM_CLIPS = 512
GROWTH = (64, 512, 2048)  # Training clips.


def run(options: Options) -> Part:
    """Readers, a DataLoader, and training alone and fed, in the same rounds."""
    size = options.sizes((8,), (128,))[0]
    setting = {"batch_size": size}
    num_clips = 32 if options.quick else NUM_CLIPS
    shards = write_shards(options.scratch / f"input-{num_clips}", num_clips)
    files = write_files(options.scratch / "npy", shards)
    entrants = [*_entrants(options, shards, files, setting)]
    lanes = race(entrants, options.rounds, options.seconds)
    training = best([x for x in lanes if x.name.startswith("training, made-up")])
    reader = next(lane for lane in lanes if lane.name == "shards, tf.data")
    if reader.failure:
        reader = next(lane for lane in lanes if lane.name == "shards, plain")
    loader = best([x for x in lanes if x.name.startswith("DataLoader")])
    requirements = [
        compare("input against what training consumes", 10.0, reader, training)
    ]
    tables = [_table(lanes, training, loader, num_clips), _waiting(lanes)]
    races = {"all": lanes}
    if not options.quick:
        grown = _grow(options, setting)
        tables.append(_growth(grown))
        races["growth"] = grown
    return Part("input", requirements, tables, races)


def write_shards(directory: Path, num_clips: int) -> Path:
    """Prepares shards of noise with the project's own writers.

    Returns:
        Their directory, as `open_shards` takes it.
    """
    from input_pipeline.prepare import prepare
    from msd_tagger.frontend.recipe import Recipe

    recipe = Recipe("mel")
    sounds = corpora.noise(directory / "sounds", recipe.sample_rate_hz)
    counts = {"train": num_clips, "valid": 8, "test": 8}
    corpus = corpora.repeat(directory / "clips", sounds, counts)
    return prepare(corpus, [recipe], directory / "data")["mel"]


def write_files(directory: Path, shards: Path) -> Path:
    """The training clips as one .npy file each."""
    from input_pipeline.batches import open_shards

    directory.mkdir()
    data = open_shards(shards)
    np.save(directory / "tags.npy", data.labels("train")["tags"])
    for row in range(data.num_clips("train")):
        clip = data.read("train", np.array([row]))["spectrogram"][0]
        np.save(directory / f"{row:05d}.npy", clip)
    return directory


def _entrants(
    options: Options, shards: Path, files: Path, setting: dict
) -> Iterator[Entrant]:
    settings, platform = (setting,), {"platform": options.platform}
    for reader in READERS:
        yield Entrant(
            f"shards, {reader}",
            "benchmarks.readers:Shards",
            {"directory": str(shards), "reader": reader},
            settings,
        )
    for workers in LOADER_WORKERS:
        if options.quick and workers != 1:
            continue
        yield Entrant(
            f"DataLoader, {workers} processes",
            "benchmarks.torch_loader:Loader",
            {"directory": str(files), "num_workers": workers},
            settings,
        )
    memory_gib = 1.0 + 0.07 * setting["batch_size"]
    for dtype in ("float32",) if options.quick else ("float32", "bfloat16"):
        yield Entrant(
            f"training, made-up batches, {dtype}",
            "benchmarks.ours:Training",
            platform | {"dtype": dtype},
            settings,
            memory_gib=memory_gib,
        )
    for reader in READERS:
        yield Entrant(
            f"training from shards, {reader}",
            "benchmarks.readers:Fed",
            platform | {"directory": str(shards), "reader": reader},
            settings,
            memory_gib=memory_gib,
        )


def _grow(options: Options, setting: dict) -> list[Lane]:
    """The default reader over corpora of several sizes, a process each."""
    entrants = []
    for num_clips in GROWTH:
        directory = options.scratch / f"input-{num_clips}"
        if directory.exists():
            (shards,) = (directory / "data").glob("shards/*/*")
        else:
            shards = write_shards(directory, num_clips)
        arguments = {"directory": str(shards), "reader": "tf.data"}
        entrants.append(
            Entrant(
                f"{num_clips} clips", "benchmarks.readers:Shards", arguments, (setting,)
            )
        )
    return race(entrants, options.fewer_rounds, options.seconds)


def _table(
    lanes: list[Lane], training: Lane | None, loader: Lane | None, num_clips: int
) -> Table:
    columns = ("what", "clips/s", "MB/s", "/ training", "peak memory")
    rows = []
    for lane in lanes:
        if lane.failure or not lane.rates:
            rows.append([label(lane), lane.failure or NOT_MEASURED, "", "", ""])
            continue
        rate = Spread.of(lane.rates.values())
        shared = ratios(lane, training) if training else []
        rows.append(
            [
                label(lane),
                rate.text(),
                significant(rate.median * CLIP_BYTES / 1e6),
                significant(Spread.of(shared).median) if shared else "",
                gigabytes(lane.peak_memory_bytes),
            ]
        )
    found = f"the best DataLoader is {label(loader)}" if loader else "none ran"
    note = (
        f"{num_clips} training clips of {CLIP_BYTES} bytes, in the page cache. Of the "
        f"DataLoaders over one .npy file per clip, {found}."
    )
    return Table("Input", columns, rows, note)


def _waiting(lanes: list[Lane]) -> Table:
    rows = []
    for lane in lanes:
        shares = lane.extra.get("waiting_share", [])
        if shares:
            percent = Spread.of(100 * share for share in shares)
            rows.append([label(lane), f"{percent.text(2)} %"])
    return Table(
        "Share of training time that waits for a batch", ("what", "waiting"), rows
    )


def _growth(lanes: list[Lane]) -> Table:
    columns = ("training clips", "clips/s", "opened and first batch", "peak memory")
    rows = [
        [
            lane.name,
            Spread.of(lane.rates.values()).text(),
            f"{significant(lane.prepared['first_step_s'], 2)} s",
            gigabytes(lane.peak_memory_bytes),
        ]
        if lane.rates
        else [lane.name, lane.failure or NOT_MEASURED, "", ""]
        for lane in lanes
    ]
    return Table("Input by the number of clips, tf.data", columns, rows)
