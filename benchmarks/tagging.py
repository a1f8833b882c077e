"""Songs/s from MP3 to tags, against librosa with PyTorch; and the first tags."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import corpora
from benchmarks.machine import cores
from benchmarks.options import Options
from benchmarks.race import ROOT, Entrant, Lane, Worker, race
from benchmarks.results import (
    NOT_MEASURED,
    Part,
    Requirement,
    Table,
    compare,
    gigabytes,
)
from benchmarks.spread import Spread, best, ratios, significant

SONGS_PER_S = 20.0
FIRST_TAGS_S = 10.0
NUM_SONGS = 96
# Of scores: librosa resamples and rounds differently.
TOLERANCES = (0.02,)
TORCH = {
    "librosa, PyTorch channels-last": {},
    "librosa, PyTorch compiled channels-last frozen": {"compiled": True},
}


def run(options: Options) -> Part:
    """All contestants over the same songs, and the command on one of them."""
    folder = _songs(options)
    lanes = race(list(_entrants(options, folder)), options.rounds, options.seconds)
    ours, peer = lanes[0], best(lanes[1:])
    rates = tuple(ours.rates.values())
    requirements = [
        Requirement("songs/s tagged, 22 kHz mono MP3", SONGS_PER_S, rates, note="ours"),
        compare("tagging against librosa and the best PyTorch", 1.0, ours, peer),
        Requirement(
            "seconds from the command to a song's tags",
            FIRST_TAGS_S,
            tuple(_first_tags_s(options, folder)),
            at_most=True,
            note="ours; Python's start, imports and compilation included",
        ),
    ]
    return Part("tagging", requirements, [_table(lanes, peer)], {"all": lanes})


def _songs(options: Options) -> Path:
    """A folder of previews of 29 s."""
    scratch = options.scratch / "tagging"
    previews = corpora.mono_previews(scratch / "previews", cores())
    number = 8 if options.quick else NUM_SONGS
    corpora.repeat(scratch / "songs", previews, {"test": number})
    return scratch / "songs"


def _entrants(options: Options, folder: Path) -> Iterator[Entrant]:
    shared = {
        "weights": options.trained_weights,
        "folder": str(folder),
        "platform": options.platform,
    }
    yield Entrant(
        "ours",
        "benchmarks.taggers:Tagging",
        shared,
        ({},),
        memory_gib=1.0,
        tolerances=TOLERANCES,
    )
    for name, choices in TORCH.items():
        if options.quick and choices:
            continue
        yield Entrant(
            name,
            "benchmarks.torch_tagger:Tagging",
            shared | choices,
            ({},),
            memory_gib=1.5 + 0.5 * cores(),
            tolerances=TOLERANCES,
            environment={
                "TORCHINDUCTOR_CACHE_DIR": str(options.scratch / "inductor"),
                # As ours: files are decoded in parallel already.
                "OPENBLAS_NUM_THREADS": "1",
            },
        )


def _first_tags_s(options: Options, folder: Path) -> Iterator[float]:
    """Times the command on one song, from nothing compiled."""
    bundle = options.scratch / "tagging" / "bundle"
    worker = Worker(Entrant("bundle", "benchmarks.taggers:Bundles", {}, ()))
    worker.ask("write", weights=options.trained_weights, directory=str(bundle))
    worker.close()
    song = next(folder.glob("*.mp3"))
    command = [sys.executable, "main.py", "--mode=tag", f"--bundle={bundle}", str(song)]
    for _ in range(options.fewer_rounds):
        started = time.monotonic()
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        yield time.monotonic() - started


def _table(lanes: list[Lane], peer: Lane | None) -> Table:
    against = f"/ {peer.name}" if peer else "ratio"
    columns = ("contestant", "songs/s", against, "peak memory", "start to first tags")
    note = (
        "Songs are MP3 previews of 29 s, 22 kHz mono, in the page cache. The start "
        "is that of the libraries, of compilation and of one song. Memory is that of "
        "the main process; a DataLoader has one more for each core."
    )
    return Table("Tagging", columns, [_row(lane, peer) for lane in lanes], note)


def _row(lane: Lane, peer: Lane | None) -> list[str]:
    if lane.failure or not lane.rates:
        return [lane.name, lane.failure or NOT_MEASURED, "", "", ""]
    shared = ratios(lane, peer) if peer else []
    return [
        lane.name,
        Spread.of(lane.rates.values()).text(),
        significant(Spread.of(shared).median) if shared else "",
        gigabytes(lane.peak_memory_bytes),
        f"{significant(lane.prepared['seconds'], 2)} s",
    ]
