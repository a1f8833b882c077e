"""A corpus of very many very short clips, whose every label and fate is known.

Real files that take the real way: three in four are WAV of 844 bytes, the others FLAC,
two clips of one longer file, or broken. Every clip sounds different, at 8 kHz.
"""

import csv
import hashlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

TAGS = tuple(f"tag-{number:02d}" for number in range(50))
RATE_HZ, CLIP_S = 8000, 0.1
_CLIP_SAMPLES = round(RATE_HZ * CLIP_S)
_PER_FOLDER = 1000


class TinyClip(NamedTuple):
    """What is known of a clip, worked out from its number alone.

    Attributes:
        number: from 0.
        track_id: sorts in another order than the numbers.
        path: within the corpus.
        split: "train", "valid" or "test".
        tags: columns of its tags.
        start_s: where it starts in its file, or "".
        fault: reason for which it is to be left out, or "".
    """

    number: int
    track_id: str
    path: str
    split: str
    tags: tuple[int, ...]
    start_s: str
    fault: str


def clip(number: int) -> TinyClip:
    """Describes one clip."""
    digest = hashlib.sha256(str(number).encode()).hexdigest()
    fault = {7: "truncated", 8: "missing", 9: "empty"}.get(number % 500, "")
    kind, is_second = ("flac" if number % 10 == 3 else "wav"), number % 10 == 5
    file_number = number - 1 if is_second else number
    return TinyClip(
        number=number,
        track_id=f"TR{digest[:16].upper()}",
        path=f"{number // _PER_FOLDER:03d}/{file_number:06d}.{kind}",
        split=(*("train",) * 8, "valid", "test")[number // 10 % 10],
        tags=tuple(sorted({number % 50, number // 50 % 50, int(digest[-4:], 16) % 50})),
        start_s={4: "0", 5: str(CLIP_S)}.get(number % 10, ""),
        fault=fault,
    )


def write(directory: Path, num_clips: int, num_processes: int) -> Iterator[int]:
    """Writes audio files, tags.txt and tags.csv; yields clips written so far."""
    directory.mkdir(parents=True)
    firsts = range(0, num_clips, _PER_FOLDER)
    with ProcessPoolExecutor(num_processes) as pool:
        for first in pool.map(partial(_write_folder, directory, num_clips), firsts):
            yield min(first + _PER_FOLDER, num_clips)
    (directory / "tags.txt").write_text("".join(f"{tag}\n" for tag in TAGS))
    with (directory / "tags.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("track_id", "path", "split", "tags", "start_s"))
        for known in map(clip, range(num_clips)):
            tags = "|".join(TAGS[column] for column in known.tags)
            table.writerow(
                (known.track_id, known.path, known.split, tags, known.start_s)
            )


def _write_folder(directory: Path, num_clips: int, first: int) -> int:
    numbers = range(first, min(first + _PER_FOLDER, num_clips))
    noise = np.random.default_rng(first).integers(
        28, 228, (len(numbers), 2 * _CLIP_SAMPLES), np.uint8
    )
    (directory / f"{first // _PER_FOLDER:03d}").mkdir()
    for known, samples in zip(map(clip, numbers), noise, strict=True):
        length = _CLIP_SAMPLES * (2 if known.number % 10 == 4 else 1)
        if known.fault != "missing" and known.number % 10 != 5:
            _write_file(directory / known.path, samples[:length], known.fault)
    return first


def _write_file(path: Path, samples: np.ndarray, fault: str) -> None:
    if path.suffix == ".flac":
        centred = (samples.astype(np.int16) - 128) << 8
        soundfile.write(path, centred, RATE_HZ, subtype="PCM_S8")
        return
    content = _wav(samples)
    if fault:
        content = b"" if fault == "empty" else content[: len(content) // 2]
    path.write_bytes(content)


def _wav(samples: np.ndarray) -> bytes:
    """Mono WAV of 8 bits; written by hand, as libsndfile takes ten times as long."""
    size, rate = samples.size, RATE_HZ.to_bytes(4, "little")
    header = b"RIFF" + (36 + size).to_bytes(4, "little") + b"WAVEfmt \x10\0\0\0"
    layout = b"\x01\0\x01\0" + rate + rate + b"\x01\0\x08\0"
    return header + layout + b"data" + size.to_bytes(4, "little") + samples.tobytes()
