"""Ways from MP3 to spectrograms: ours, a tutorial's with librosa, and decoding alone.

Imports little: each process of a preparation starts with this module, and Linux counts
the memory of the one that starts it as its own.
"""

import multiprocessing
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.worker import Work
from msd_tagger.common.processes import available_cores, one_thread_each

# Of the default recipe.
DURATION_S, SAMPLE_RATE_HZ, DFT_SIZE, HOP, BANDS = 29.0, 12_000, 512, 256, 96
CLIPS_PER_SHARD = 4  # All cores end together, even with few clips.


def spectrogram(path: Path, fix_length: bool = False) -> np.ndarray:
    """Makes the decibels of a file, `[M, F]`; cut or filled to 29 s if asked to."""
    import librosa

    samples, _ = librosa.load(path, sr=SAMPLE_RATE_HZ, duration=DURATION_S)
    if fix_length:
        size = round(DURATION_S * SAMPLE_RATE_HZ)
        samples = librosa.util.fix_length(samples, size=size)
    power = librosa.feature.melspectrogram(
        y=samples, sr=SAMPLE_RATE_HZ, n_fft=DFT_SIZE, hop_length=HOP, n_mels=BANDS
    )
    return librosa.power_to_db(power, top_db=None)


def write(path: Path, target: Path) -> None:
    """Writes a clip's spectrogram as one .npy file."""
    np.save(target / f"{path.stem}.npy", spectrogram(path).astype(np.float16))


def decode(path: Path, target: Path) -> None:
    """Decodes: nothing is made of the samples."""
    import soundfile

    del target
    soundfile.read(path, dtype="float32")


def in_processes(work: Callable[[Path, Path], None], folder: Path, target: Path) -> int:
    """Does one of these with every file, on all cores; returns how many there are."""
    files = sorted(folder.glob("*.mp3"))
    context = multiprocessing.get_context("spawn")
    with one_thread_each(), context.Pool(available_cores()) as pool:
        pool.starmap(work, [(path, target) for path in files], chunksize=2)
        pool.close()
        pool.join()
    return len(files)


def ours(folder: Path, target: Path) -> int:
    """Runs the project's own preparation, shards and all; returns the clips."""
    from input_pipeline.corpora import folder as folders
    from input_pipeline.prepare import prepare
    from msd_tagger.frontend.recipe import Recipe

    corpus = folders.load(folder)
    prepare(corpus, [Recipe("mel")], target, clips_per_shard=CLIPS_PER_SHARD)
    shutil.rmtree(target / "shards")
    return len(corpus.clips)


WAYS: dict[str, Callable[[Path, Path], int]] = {
    "ours": ours,
    "librosa": partial(in_processes, write),
    "decoding alone": partial(in_processes, decode),
}


def preparation(
    audio: str, way: str, folders: dict[str, dict[str, str]], scratch: str
) -> Work:
    """Prepares clips of one kind of audio in one way.

    `folders` has for every kind a "small" and a "large" folder corpus; results go into
    `scratch`, and each pass deletes its own.
    """

    def one_pass(size: str) -> tuple[int, float, float]:
        """Returns clips, seconds and CPU seconds."""
        with tempfile.TemporaryDirectory(dir=scratch) as target:
            cpu_s, started = _children_cpu_s(), time.perf_counter()
            count = WAYS[way](Path(folders[audio][size]), Path(target))
            seconds = time.perf_counter() - started
            return count, seconds, _children_cpu_s() - cpu_s

    def fill_page_cache() -> Iterator[float]:
        one_pass("small")
        yield from ()

    def measure(seconds: float) -> dict[str, float]:
        del seconds  # Two passes, however long they take.
        small, large = one_pass("small"), one_pass("large")
        units, wall_s, cpu_s = (b - a for a, b in zip(small, large, strict=True))
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {
            "units": units,
            "seconds": wall_s,
            "cpu_s_per_clip": cpu_s / units,
            "start_s": small[1] - small[0] * wall_s / units,
            "process_memory_bytes": 1024 * children.ru_maxrss,
        }

    return Work(fill_page_cache, measure)


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
