"""Preparation as a tutorial shows it, and decoding alone, in plain processes.

Imports little: each of the processes starts with this module.
"""

import multiprocessing
from collections.abc import Callable
from pathlib import Path

import numpy as np

from msd_tagger.common.processes import available_cores, one_thread_each

# Of the default recipe.
DURATION_S, SAMPLE_RATE_HZ, DFT_SIZE, HOP, BANDS = 29.0, 12_000, 512, 256, 96


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
