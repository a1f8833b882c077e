"""Songs/s from MP3 to tags, against librosa with PyTorch; and the first tags."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import corpora, results
from benchmarks.race import ROOT, Entrant, Lane, Options, race
from benchmarks.results import Columns, Part, Ratio
from msd_tagger.common.processes import available_cores

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
    summary = [
        Ratio("songs/s tagged, 22 kHz mono MP3", tuple(mine.rates.values()), "ours"),
        results.compare("tagging against librosa and the best PyTorch", mine, peer),
        Ratio(
            "seconds from the command to a song's tags",
            tuple(_first_tags_s(options, folder)),
            "ours; Python's start, imports and compilation included",
        ),
    ]
    return Part("tagging", summary, [_table(lanes, peer)], {"all": lanes})


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
