"""Folders of audio to prepare: a few sounds, each the content of many clips."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
import soxr

from input_pipeline.corpora import Corpus, folder, synthetic
from msd_tagger.common.csv_files import write_csv

DURATION_S = 29.0
NUM_SOUNDS = 9
_STEREO_RATE_HZ = 44_100
# As libsndfile counts at the rates of the files.
_MP3_64_KBIT_S, _MP3_128_KBIT_S = 0.6, 0.68


def noise(directory: Path, rate_hz: int) -> list[Path]:
    """Writes WAV files of noise at the rate of the spectrograms: cheap to prepare."""
    directory.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    paths = [directory / f"{number}.wav" for number in range(8)]
    for path in paths:
        samples = 0.1 * random.standard_normal(round(DURATION_S * rate_hz), np.float32)
        soundfile.write(path, samples, rate_hz)
    return paths


def mono_previews(directory: Path) -> list[Path]:
    """Writes music of the embedded corpus as MP3 of 22.05 kHz, mono, 64 kbit/s."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = [directory / f"{number}.mp3" for number in range(NUM_SOUNDS)]
    for number, path in enumerate(paths):
        soundfile.write(
            *(path, synthetic.synthesize(0, number, DURATION_S)),
            synthetic.FILE_SAMPLE_RATE_HZ,
            bitrate_mode="CONSTANT",
            compression_level=_MP3_64_KBIT_S,
        )
    return paths


def stereo_clips(directory: Path, previews: Sequence[Path]) -> list[Path]:
    """Writes the same music as MP3 of 44.1 kHz, stereo."""
    directory.mkdir(parents=True, exist_ok=True)
    for preview in previews:
        samples, rate_hz = soundfile.read(preview, dtype="float32")
        left = soxr.resample(samples, rate_hz, _STEREO_RATE_HZ)
        # An echo on one side: the channels differ, as those of a recording do.
        right = 0.8 * left + 0.3 * np.roll(left, 700)
        soundfile.write(
            directory / preview.name,
            np.stack([left, right], axis=1),
            _STEREO_RATE_HZ,
            bitrate_mode="CONSTANT",
            compression_level=_MP3_128_KBIT_S,
        )
    return [directory / preview.name for preview in previews]


def repeat(directory: Path, sounds: Sequence[Path], counts: dict[str, int]) -> Corpus:
    """Makes a folder corpus of so many clips by split: links to a few files."""
    directory.mkdir(parents=True)
    names = [f"{split}-{i:05d}" for split, n in counts.items() for i in range(n)]
    rows = [("track_id", "path", "split", "tags")]
    for number, name in enumerate(names):
        sound = sounds[number % len(sounds)]
        link = directory / f"{name}{sound.suffix}"
        link.symlink_to(sound)
        tags = "|".join(f"tag {k}" for k in range(50) if (number + k) % 25 == 0)
        rows.append((name, link.name, name.split("-")[0], tags))
    write_csv(directory / "tags.csv", rows)
    (directory / "tags.txt").write_text("".join(f"tag {k}\n" for k in range(50)))
    return folder.load(directory)
