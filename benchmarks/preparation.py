"""Clips/s from MP3 to shards, beside a librosa loop and decoding alone."""

from pathlib import Path

from benchmarks import corpora, preparers
from benchmarks.machine import cores
from benchmarks.options import Options
from benchmarks.race import Entrant, Lane, find, race
from benchmarks.results import (
    NOT_MEASURED,
    Part,
    Requirement,
    Table,
    compare,
)
from benchmarks.spread import Spread, ratios, significant

MONO, STEREO = "22 kHz mono MP3", "44 kHz stereo MP3"
LIBROSA_AT_LEAST = {MONO: 1.2, STEREO: 1.4}
DECODING_AT_MOST = 1.8
CLIPS_PER_CORE = 100


def run(options: Options) -> Part:
    """All ways over the same files, turn by turn."""
    folders = _folders(options)
    settings = tuple({"audio": audio} for audio in folders)
    entrants = [
        Entrant(
            way,
            "benchmarks.preparers:Preparation",
            {"way": way, "folders": folders, "scratch": str(options.scratch)},
            settings,
            memory_gib=0.5 * cores(),
        )
        for way in preparers.WAYS
    ]
    rounds = options.fewer_rounds
    lanes = race(entrants, rounds, options.seconds, memory_gib=1e3)
    requirements = [
        *(_against_librosa(lanes, audio) for audio in folders),
        *(_against_decoding(lanes, audio) for audio in folders),
    ]
    return Part("preparation", requirements, [_table(lanes)], {"all": lanes})


def _folders(options: Options) -> dict[str, dict[str, str]]:
    """Folders of clips, a small and a large one for every kind of audio."""
    scratch = options.scratch / "preparation"
    previews = corpora.mono_previews(scratch / "mono", cores())
    sounds = {
        MONO: previews,
        STEREO: corpora.stereo_clips(scratch / "stereo", previews[:6]),
    }
    per_core = 4 if options.quick else CLIPS_PER_CORE
    folders: dict[str, dict[str, str]] = {}
    for audio, files in sounds.items():
        name = audio.replace(" ", "-")
        folders[audio] = {}
        for size, clips in preparers.small_and_large(per_core * cores()):
            directory = scratch / f"{name}-{size}"
            corpora.repeat(directory, files, preparers.counts(clips))
            folders[audio][size] = str(Path(directory))
    return folders


def _against_librosa(lanes: list[Lane], audio: str) -> Requirement:
    ours, loop = find(lanes, "ours", audio=audio), find(lanes, "librosa", audio=audio)
    asked = LIBROSA_AT_LEAST[audio]
    return compare(f"preparation against a librosa loop, {audio}", asked, ours, loop)


def _against_decoding(lanes: list[Lane], audio: str) -> Requirement:
    ours = find(lanes, "ours", audio=audio)
    decoding = find(lanes, "decoding alone", audio=audio)
    times = tuple(ratios(decoding, ours))
    what = f"preparation time over decoding alone, {audio}"
    return Requirement(what, DECODING_AT_MOST, times, True, "ours / decoding alone")


def _table(lanes: list[Lane]) -> Table:
    columns = (
        "way",
        "audio",
        "clips/s",
        "CPU ms per clip",
        "start of the processes",
        "memory of a process",
    )
    note = (
        f"{cores()} processes. Clips/s and CPU time are of the clips of a large pass "
        "beyond those of a small one; the rest of the small one is the start. librosa "
        "writes a .npy file per clip, ours finished shards; decoding writes nothing."
    )
    return Table("Preparation, 29 s clips", columns, [*map(_row, lanes)], note)


def _row(lane: Lane) -> list[str]:
    if lane.failure or not lane.rates:
        reason = lane.failure or NOT_MEASURED
        return [lane.name, lane.setting["audio"], reason, "", "", ""]
    middle = {name: Spread.of(values).median for name, values in lane.extra.items()}
    return [
        lane.name,
        lane.setting["audio"],
        Spread.of(lane.rates.values()).text(),
        significant(1e3 * middle["cpu_s_per_clip"]),
        f"{significant(middle['start_s'], 2)} s",
        f"{middle['process_memory_bytes'] / 1e6:.0f} MB",
    ]
