"""Clips/s from MP3 to shards, beside a librosa loop and decoding alone.

Each pass starts its processes anew. A small pass before each large one is taken off,
so that what counts is the speed of a long preparation and not the start of Python.
"""

from statistics import median

from benchmarks import corpora, results
from benchmarks.race import Entrant, Lane, Options, race
from benchmarks.results import Columns, Part, Ratio
from benchmarks.ways import CLIPS_PER_SHARD, WAYS
from msd_tagger.common.processes import available_cores

MONO, STEREO = "22 kHz mono MP3", "44 kHz stereo MP3"
CLIPS_PER_CORE = 100


def run(options: Options) -> Part:
    """Races all ways over the same files, turn by turn."""
    folders = _folders(options)
    settings = tuple({"audio": audio} for audio in folders)
    entrants = [
        Entrant(
            way,
            "benchmarks.ways:preparation",
            {"way": way, "folders": folders, "scratch": str(options.scratch)},
            settings,
        )
        for way in WAYS
    ]
    lanes = race(entrants, options.fewer_rounds, options.seconds, memory_gib=1e3)
    against_librosa, over_decoding = [], []
    for audio in folders:
        found = (results.find(lanes, way, audio=audio) for way in WAYS)
        mine, librosa, decoding = found
        what = f"preparation against a librosa loop, {audio}"
        against_librosa.append(results.compare(what, mine, librosa))
        what = f"preparation time over decoding alone, {audio}"
        times = tuple(results.ratios(decoding, mine))
        over_decoding.append(Ratio(what, times, "ours / decoding alone"))
    summary = [*against_librosa, *over_decoding]
    return Part("preparation", summary, [_table(lanes)], {"all": lanes})


def _folders(options: Options) -> dict[str, dict[str, str]]:
    """Makes folders of clips, a small and a large one for every kind of audio."""
    scratch = options.scratch / "preparation"
    previews = corpora.mono_previews(scratch / "mono")
    stereo = corpora.stereo_clips(scratch / "stereo", previews[:6])
    # A shard for every core, and many more.
    small = CLIPS_PER_SHARD * available_cores()
    large = small + (4 if options.quick else CLIPS_PER_CORE) * available_cores()
    folders: dict[str, dict[str, str]] = {MONO: {}, STEREO: {}}
    for audio, files in ((MONO, previews), (STEREO, stereo)):
        for size, clips in (("small", small), ("large", large)):
            directory = scratch / f"{audio.replace(' ', '-')}-{size}"
            rest = {"valid": CLIPS_PER_SHARD, "test": CLIPS_PER_SHARD}
            corpora.repeat(directory, files, {"train": clips, **rest})
            folders[audio][size] = str(directory)
    return folders


def _table(lanes: list[Lane]) -> str:
    def middle(name: str, lane: Lane) -> float:
        return median(lane.extra[name])

    def cpu_ms(lane: Lane) -> str:
        return results.significant(1e3 * middle("cpu_s_per_clip", lane))

    def memory(lane: Lane) -> str:
        return f"{middle('process_memory_bytes', lane) / 1e6:.0f} MB"

    columns: Columns = {
        "clips/s": results.rate,
        "CPU ms per clip": cpu_ms,
        "start of the processes": lambda x: results.seconds(middle("start_s", x)),
        "memory of a process": memory,
    }
    note = (
        f"{available_cores()} processes. Clips/s and CPU time are of the clips of a "
        "large pass beyond those of a small one; the rest of the small one is the "
        "start. librosa writes a .npy file per clip, ours finished shards; decoding "
        "writes nothing."
    )
    names: Columns = {"way": lambda x: x.name, "audio": lambda x: x.setting["audio"]}
    return results.lane_table("Preparation, 29 s clips", lanes, names, columns, note)
