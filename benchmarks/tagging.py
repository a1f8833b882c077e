"""Songs/s from MP3 to tags, against librosa with PyTorch; and the first tags."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import corpora, results
from benchmarks.race import ROOT, Entrant, Lane, Options, race
from benchmarks.results import Columns, Part, Requirement
from msd_tagger.common.processes import available_cores

SONGS_PER_S = 20.0
FIRST_TAGS_S = 10.0
NUM_SONGS = 96
# Of scores: librosa resamples and rounds differently.
TOLERANCES = (0.02,)
TORCH: dict[str, dict[str, Any]] = {
    "librosa, PyTorch channels-last": {},
    "librosa, PyTorch compiled channels-last frozen": {"compiled": True},
}


def run(options: Options) -> Part:
    """Races all contestants over the same songs, and times the command on one."""
    scratch = options.scratch / "tagging"
    previews = corpora.mono_previews(scratch / "previews")
    folder, number = scratch / "songs", 8 if options.quick else NUM_SONGS
    corpora.repeat(folder, previews, {"test": number})
    lanes = race(list(_entrants(options, folder)), options.rounds, options.seconds)
    mine, peer = lanes[0], results.best(lanes[1:])
    rates = tuple(mine.rates.values())
    what, seconds = "songs/s tagged, 22 kHz mono MP3", _first_tags_s(options, folder)
    speed = Requirement(what, SONGS_PER_S, rates, note="ours")
    what = "tagging against librosa and the best PyTorch"
    ratio = results.compare(what, 1.0, mine, peer)
    what = "seconds from the command to a song's tags"
    note = "ours; Python's start, imports and compilation included"
    first = Requirement(what, FIRST_TAGS_S, tuple(seconds), at_most=True, note=note)
    table = _table(lanes, peer)
    return Part("tagging", [speed, ratio, first], [table], {"all": lanes})


def _entrants(options: Options, folder: Path) -> Iterator[Entrant]:
    shared = {"folder": str(folder), "platform": options.platform}
    # As --mode=tag does: files are decoded in parallel already.
    one_thread = {"OPENBLAS_NUM_THREADS": "1"}
    mine = shared | {"bundle": options.bundle}
    ours = Entrant("ours", "benchmarks.ours:tagging", mine, ({},))
    yield ours._replace(tolerances=TOLERANCES, environment=one_thread)
    for name, choices in TORCH.items():
        if not options.quick or not choices:
            choices = shared | choices | {"weights": options.trained_weights}
            yield Entrant(
                name,
                "benchmarks.pytorch:tagging",
                choices,
                ({},),
                memory_gib=1.5 + 0.5 * available_cores(),
                tolerances=TOLERANCES,
                environment=options.torch_environment | one_thread,
            )


def _first_tags_s(options: Options, folder: Path) -> Iterator[float]:
    """Times the command on one song, from nothing compiled."""
    flags = ["--mode=tag", f"--bundle={options.bundle}"]
    command = [sys.executable, "main.py", *flags, str(next(folder.glob("*.mp3")))]
    for _ in range(options.fewer_rounds):
        started = time.monotonic()
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        yield time.monotonic() - started


def _table(lanes: list[Lane], peer: Lane | None) -> str:
    columns: Columns = {
        "songs/s": results.rate,
        **results.against(peer),
        "peak memory": results.memory,
        "start to first tags": lambda x: results.seconds(x.prepared["seconds"]),
    }
    note = (
        "Songs are MP3 previews of 29 s, 22 kHz mono, in the page cache. The start "
        "is that of the libraries, of compilation and of one song. Memory is that of "
        "the main process; a DataLoader has one more for each core."
    )
    names: Columns = {"contestant": lambda x: x.name}
    return results.lane_table("Tagging", lanes, names, columns, note)
