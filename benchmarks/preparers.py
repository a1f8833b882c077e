"""Audio files to spectrogram files as contestants: ours, librosa, decoding alone.

Each pass starts its processes anew. A small pass before each large one is taken off,
so that what counts is the speed of a long preparation and not the start of Python.
"""

import multiprocessing
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import cores

SAMPLE_RATE_HZ, DFT_SIZE, HOP, BANDS = 12_000, 512, 256, 96  # The default recipe.
CLIPS_PER_SHARD = 4  # All cores end together, even with few clips.


class Preparation:
    """One way to prepare, over folders of clips.

    Args:
        way: One of `WAYS`.
        folders: For every kind of audio, a "small" and a "large" folder corpus.
        scratch: Where results go; each pass deletes its own.
    """

    def __init__(
        self, way: str, folders: dict[str, dict[str, str]], scratch: str
    ) -> None:
        self._pass, self._folders, self._scratch = WAYS[way], folders, scratch

    def prepare(self, audio: str) -> dict[str, Any]:
        """Reads what is needed into the page cache, by a small pass."""
        started = time.monotonic()
        self._measure(self._folders[audio]["small"])
        return {"first_step_s": time.monotonic() - started}

    def run(self, seconds: float, audio: str) -> dict[str, float]:
        """A small and a large pass, however long they take; units are clips."""
        del seconds
        small = self._measure(self._folders[audio]["small"])
        large = self._measure(self._folders[audio]["large"])
        units, wall_s, cpu_s = (b - a for a, b in zip(small, large, strict=True))
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {
            "units": units,
            "seconds": wall_s,
            "cpu_s_per_clip": cpu_s / units,
            "start_s": small[1] - small[0] * wall_s / units,
            "process_memory_bytes": 1024 * children.ru_maxrss,
        }

    def _measure(self, folder: str) -> tuple[int, float, float]:
        """Clips, seconds and CPU seconds of a pass over a folder."""
        with tempfile.TemporaryDirectory(dir=self._scratch) as target:
            cpu_s, started = _children_cpu_s(), time.perf_counter()
            count = self._pass(Path(folder), Path(target))
            seconds = time.perf_counter() - started
            return count, seconds, _children_cpu_s() - cpu_s


def ours(folder: Path, target: Path) -> int:
    """The project's own preparation, shards and all."""
    from input_pipeline.corpora import folder as folders
    from input_pipeline.prepare import prepare
    from msd_tagger.frontend.recipe import Recipe

    corpus = folders.load(folder)
    prepare(corpus, [Recipe("mel")], target, clips_per_shard=CLIPS_PER_SHARD)
    shutil.rmtree(target / "shards")
    return len(corpus.clips)


def in_processes(work: Callable[[Path, Path], None], folder: Path, target: Path) -> int:
    """A plain loop over the files, in as many processes as there are cores."""
    from msd_tagger.common.processes import one_thread_each

    files = sorted(folder.glob("*.mp3"))
    context = multiprocessing.get_context("spawn")
    with one_thread_each(), context.Pool(cores()) as pool:
        pool.starmap(work, [(path, target) for path in files], chunksize=2)
        pool.close()
        pool.join()
    return len(files)


def with_librosa(path: Path, target: Path) -> None:
    """What a tutorial shows, with the recipe's parameters."""
    import librosa

    samples, _ = librosa.load(path, sr=SAMPLE_RATE_HZ, duration=29.0)
    power = librosa.feature.melspectrogram(
        y=samples, sr=SAMPLE_RATE_HZ, n_fft=DFT_SIZE, hop_length=HOP, n_mels=BANDS
    )
    stored_db = librosa.power_to_db(power, top_db=None)
    np.save(target / f"{path.stem}.npy", stored_db.astype(np.float16))


def decode(path: Path, target: Path) -> None:
    """Decoding alone: nothing is made of the samples."""
    import soundfile

    del target
    soundfile.read(path, dtype="float32")


WAYS: dict[str, Callable[[Path, Path], int]] = {
    "ours": ours,
    "librosa": partial(in_processes, with_librosa),
    "decoding alone": partial(in_processes, decode),
}


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def counts(clips: int) -> dict[str, int]:
    """Clips by split of a corpus of about so many."""
    return {"train": clips, "valid": CLIPS_PER_SHARD, "test": CLIPS_PER_SHARD}


def small_and_large(large: int) -> Sequence[tuple[str, int]]:
    """A shard for every core, and many more."""
    small = CLIPS_PER_SHARD * cores()
    return (("small", small), ("large", small + large))
