"""A corpus of very many very short clips, whose every label and fate is known.

Real files that take the real way: three in four are WAV of 844 bytes, the others FLAC,
two clips of one longer file, or broken. Every clip sounds different, at 8 kHz.
"""

import csv
import hashlib
import multiprocessing
import random
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from input_pipeline.batches import open_shards
from input_pipeline.order import sort_key
from msd_tagger.common.csv_files import write_csv
from msd_tagger.common.facts import SPLITS
from msd_tagger.frontend import audio
from msd_tagger.frontend.recipe import Recipe
from msd_tagger.frontend.spectrogram import spectrogram

TAGS = tuple(f"tag-{number:02d}" for number in range(50))
RATE_HZ, CLIP_S = 8000, 0.1
NUM_SAMPLED = 2000  # Spectrograms computed again.
_CLIP_SAMPLES = round(RATE_HZ * CLIP_S)
_PER_FOLDER = 1000


class TinyClip(NamedTuple):
    """What is known of a clip, worked out from its number alone."""

    number: int  # From 0.
    track_id: str  # Sorts in another order than the numbers.
    path: str  # Within the corpus.
    split: str
    tags: tuple[int, ...]  # Columns of its tags.
    start_s: str  # Where it starts in its file, or "".
    fault: str  # Reason for which it is to be left out, or "".

    @property
    def vector(self) -> np.ndarray:
        """Its tags, uint8 `[K]`."""
        return np.isin(np.arange(len(TAGS)), self.tags).astype(np.uint8)


def clip(number: int) -> TinyClip:
    """Describes one clip."""
    digest = hashlib.sha256(str(number).encode()).hexdigest()
    suffix, is_second = ("flac" if number % 10 == 3 else "wav"), number % 10 == 5
    file_number = number - 1 if is_second else number
    return TinyClip(
        number=number,
        track_id=f"TR{digest[:16].upper()}",
        path=f"{number // _PER_FOLDER:03d}/{file_number:06d}.{suffix}",
        split=(*("train",) * 8, "valid", "test")[number // 10 % 10],
        tags=tuple(sorted({number % 50, number // 50 % 50, int(digest[-4:], 16) % 50})),
        start_s={4: "0", 5: str(CLIP_S)}.get(number % 10, ""),
        fault={7: "truncated", 8: "missing", 9: "empty"}.get(number % 500, ""),
    )


def write(directory: Path, num_clips: int, num_processes: int) -> Iterator[int]:
    """Writes audio files, tags.txt and tags.csv; yields clips written so far."""
    directory.mkdir(parents=True)
    firsts = range(0, num_clips, _PER_FOLDER)
    # Forked from a process that has threads, they could wait for a lock for ever.
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(num_processes, context) as pool:
        for first in pool.map(partial(_write_folder, directory, num_clips), firsts):
            yield min(first + _PER_FOLDER, num_clips)
    (directory / "tags.txt").write_text("".join(f"{tag}\n" for tag in TAGS))
    rows = [("track_id", "path", "split", "tags", "start_s")]
    for known in map(clip, range(num_clips)):
        tags = "|".join(TAGS[column] for column in known.tags)
        rows.append((known.track_id, known.path, known.split, tags, known.start_s))
    write_csv(directory / "tags.csv", rows)


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
    # Mono WAV of 8 bits, by hand: libsndfile takes ten times as long.
    size, rate = samples.size, RATE_HZ.to_bytes(4, "little")
    content = b"RIFF" + (36 + size).to_bytes(4, "little") + b"WAVEfmt \x10\0\0\0"
    content += b"\x01\0\x01\0" + rate + rate + b"\x01\0\x08\0"
    content += b"data" + size.to_bytes(4, "little") + samples.tobytes()
    if fault:
        content = b"" if fault == "empty" else content[: len(content) // 2]
    path.write_bytes(content)


def verify(data_dir: Path, corpus: Path, num_clips: int) -> dict[str, str]:
    """Compares ids, labels, checksums and spectrograms of a prepared set.

    Returns:
        Rows for a table.

    Raises:
        SystemExit: Names what differs.
    """
    (directory,) = data_dir.glob("shards/*/*")
    known = [clip(number) for number in range(num_clips)]
    good = [one for one in known if not one.fault]
    bad = sorted((one.track_id, one.fault) for one in known if one.fault)
    _check("leftovers", sorted(p.name for p in directory.glob(".*")), [])
    _check("parts", (directory / "parts").exists(), False)
    with (directory / "ledger.csv").open(newline="", encoding="utf-8") as file:
        ledger = sorted(
            (row["track_id"], row["reason"]) for row in csv.DictReader(file)
        )
    _check("ledger", ledger, bad)
    num_shards = sum(_check_split(directory, split, good) for split in SPLITS)
    num_sampled = _check_with_tfds(directory, corpus, good)
    return {
        "clips in the set, each once in index and shards": f"{len(good):,}",
        "clips in the ledger, each once": f"{len(bad):,}",
        "shards, all checksums right": f"{num_shards:,}",
        "read with TFDS, spectrogram computed again": f"{num_sampled:,}",
    }


def _check(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise SystemExit(f"{what}: {str(found)[:300]} is not {str(expected)[:300]}")


def _check_split(directory: Path, split: str, good: list[TinyClip]) -> int:
    """Index and shards hold every good clip once, by `sort_key`, with its labels.

    Reading compares the records with the index, and with their checksums.
    """
    clips = sorted(
        (one for one in good if one.split == split), key=lambda x: sort_key(x.track_id)
    )
    data = open_shards(directory)
    data.check(split)
    found = data.splits[split]
    expected = [one.track_id for one in clips]
    _check(f"ids of {split}", found.track_id.tolist(), expected)
    vectors = np.array([one.vector for one in clips])
    _check(f"tags of {split}", np.array_equal(found.tags, vectors), True)
    return len(found.files)


def _check_with_tfds(directory: Path, corpus: Path, good: list[TinyClip]) -> int:
    """TFDS reads labels and spectrograms that are computed from the audio again."""
    import tensorflow_datasets as tfds

    by_id = {one.track_id: one for one in good}
    recipe = Recipe.from_json((directory / "recipe.json").read_text())
    builder = tfds.builder_from_directory(str(directory))
    size = builder.info.splits["train"].num_examples
    first = random.randrange(max(1, size - NUM_SAMPLED))
    part = f"train[{first}:{min(size, first + NUM_SAMPLED)}]"
    seen = set()
    for example in builder.as_dataset(split=part).as_numpy_iterator():
        known = by_id[example["track_id"].decode()]
        start_s = float(known.start_s) if known.start_s else None
        samples = audio.read_clip(corpus / known.path, recipe, start_s)
        same = np.array_equal(example["spectrogram"], spectrogram(samples, recipe))
        _check(f"spectrogram of {known.track_id}", same, True)
        same = np.array_equal(example["tags"], known.vector)
        _check(f"tags of {known.track_id}", same, True)
        seen.add(known.track_id)
    _check("clips read with TFDS", len(seen), min(size, NUM_SAMPLED))
    return len(seen)
