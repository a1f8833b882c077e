"""One shard: some clips of one split, from audio files to TFRecord files.

This is what a worker process runs, so it imports little. A shard is written under a
temporary name, then renamed; its `part`, a small JSON file with everything the index
and the ledger need, follows last. A shard is finished when its part is there: whoever
is killed before loses that shard and nothing else, and two jobs that write the same
shard write the same bytes.
"""

import contextlib
import dataclasses
import functools
import json
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from input_pipeline import originals, published, records
from input_pipeline.many import in_threads
from msd_tagger.common import messages, processes
from msd_tagger.common.files import parse_json, replacing, write_text
from msd_tagger.frontend import audio
from msd_tagger.frontend.handles import open_file
from msd_tagger.frontend.recipe import Recipe
from msd_tagger.frontend.sources import DECODERS
from msd_tagger.frontend.spectrogram import (
    power_stft,
    spectrogram,
    to_bands,
    to_stored_db,
)

PARTS = "parts"  # Folder of the parts; gone when the whole set is complete.


class ClipRow(NamedTuple):
    """A clip as a worker sees it."""

    track_id: str  # Unique name.
    path: str  # The audio file, or a published spectrogram.
    relative_path: str  # The same, from the directory of the corpus, for the ledger.
    start_s: float | None  # Where the clip starts, or None.
    labels: dict[str, bytes]  # The bytes of tags and, where known, true_tags.


@dataclasses.dataclass(frozen=True, eq=False)  # Holds dicts: hash by identity.
class ShardTask:
    """What a worker needs to know to write one shard."""

    split: str  # "train", "valid" or "test".
    index: int  # Number of the shard within its split, from 0.
    num_shards: int  # Of the split.
    first: int  # Position of its first clip in the split.
    clips: tuple[ClipRow, ...]  # Its clips, in the order of `order.sort_key`.

    @property
    def file_name(self) -> str:
        """Name of the TFRecord file, as TFDS expects it.

        >>> ShardTask("train", 2, 10, 128, ()).file_name
        'clips-train.tfrecord-00002-of-00010'
        """
        return records.shard_name(self.split, self.index, self.num_shards)

    @property
    def plan(self) -> dict[str, int]:
        """Which clips these are; differs when `clips_per_shard` was another."""
        return {"first": self.first, "count": len(self.clips)}


class Target(NamedTuple):
    """Where the shards of one recipe go."""

    recipe: Recipe  # Of the spectrograms.
    directory: Path  # Of the shards.
    filters: np.ndarray | None  # The recipe's mel filters.


Work = tuple[ShardTask, list[Target]]  # A shard, and the sets that lack it.
Rejected = tuple[str, str, str, str]  # Id, path, reason and detail, as in the ledger.


_PART = {"plan", "size_bytes", "track_id", "rejected", "stamps", "originals"}


def read_part(
    directory: Path, task: ShardTask, retry: bool = False
) -> dict[str, Any] | None:
    """Reads the part of a finished shard.

    Returns:
        The part, or None where the shard is to be written (again): it is not finished,
        its part is damaged, of an older version or of another plan, its TFRecord file
        was lost, or an audio file has changed since. With `retry` also where a file
        could not be read: a job asks so before it writes, not when it completes.
    """
    try:
        part = read_sealed(_part_path(directory, task))
        size_bytes = (directory / task.file_name).stat().st_size
    except (FileNotFoundError, ValueError):
        return None
    if part.keys() != _PART or part["plan"] != task.plan:
        return None
    left_out = {row[0] for row in part["rejected"]}
    ids = [row.track_id for row in task.clips if row.track_id not in left_out]
    if part["size_bytes"] != size_bytes or part["track_id"] != ids:
        return None
    stamps = _stamps(task, part["rejected"])
    if part["stamps"] != stamps or (retry and _may_be_readable(task, part["rejected"])):
        return None
    made_of = []
    for clip, known in zip(task.clips, part["originals"], strict=True):
        now = originals.stamp(clip.path)
        if not originals.is_same(clip.path, known, now):
            return None
        made_of.append((*now, known[-1]))
    part["originals"] = np.array(made_of, np.int64)  # It takes less memory.
    return part


def read_parts(
    directory: Path, tasks: Sequence[ShardTask], retry: bool = False
) -> Iterator[dict[str, Any] | None]:
    """Reads the parts of several shards, in order."""
    return in_threads(lambda task: read_part(directory, task, retry), tasks)


def read_sealed(path: Path) -> dict[str, Any]:
    """Reads what `sealed` made.

    Raises:
        ValueError: A bit of it is another, or it has no seal.
        FileNotFoundError: There is no such file.
    """
    content = parse_json(path.read_bytes(), path)
    seal = content.pop("seal", None)
    if sealed(content)["seal"] != seal:
        raise ValueError(f"{path} does not match its seal, or has none")
    return content


def sealed(content: dict[str, Any]) -> dict[str, Any]:
    """Adds a digest of all else, as JSON has no checksum of its own.

    >>> sealed({"a": 1})
    {'a': 1, 'seal': 'f9d86028c6e0d64e225186f96acb6933'}
    """
    text = json.dumps(content, sort_keys=True)
    return content | {"seal": sha256(text.encode()).hexdigest()[:32]}


def write_shard(task: ShardTask, targets: Sequence[Target], number: int = 0) -> None:
    """Writes one shard for every target, decoding each clip once.

    The targets' recipes must agree in sample rate, duration and offset.

    Raises:
        KeyboardInterrupt: The parent asked to stop; nothing of this shard is left.
    """
    rejected: list[Rejected] = []
    written: list[str] = []
    made_of: list[originals.Original] = []
    # Some may be excerpts of one file.
    original = functools.cache(originals.original)
    with contextlib.ExitStack() as stack:
        files = []
        for target in targets:
            path = stack.enter_context(replacing(target.directory / task.file_name))
            files.append(stack.enter_context(path.open("wb")))
        for clip in task.clips:
            made_of.append(original(clip.path))
            try:
                stored = _stored(clip, targets)
            except audio.AudioError as error:
                row = (clip.track_id, clip.relative_path, error.reason, error.detail)
                rejected.append(row)
                _count(number, was_written=False)
                continue
            for file, spectrogram_db in zip(files, stored, strict=True):
                records.write_record(file, _record(clip, spectrogram_db))
            written.append(clip.track_id)
            _count(number, was_written=True)
        sizes_bytes = [file.tell() for file in files]
    part = {
        "plan": task.plan,
        "track_id": written,
        "rejected": rejected,
        "stamps": _stamps(task, rejected),
        "originals": made_of,
    }
    for target, size_bytes in zip(targets, sizes_bytes, strict=True):
        path = _part_path(target.directory, task)
        write_text(path, json.dumps(sealed(part | {"size_bytes": size_bytes})))


def _record(clip: ClipRow, spectrogram_db: np.ndarray) -> bytes:
    return records.encode_example(
        {
            "track_id": clip.track_id.encode(),
            "spectrogram": spectrogram_db.data.cast("B"),
            **clip.labels,
        }
    )


def _stored(clip: ClipRow, targets: Sequence[Target]) -> list[np.ndarray]:
    """Makes what records hold: float16, in dB, of the shape `Recipe.stored_shape`."""
    if published.is_spectrogram(clip.path):
        return [
            published.read_clip(clip.path, target.recipe, clip.start_s)
            for target in targets
        ]
    excerpts = audio.read_excerpts(clip.path, targets[0].recipe, clip.start_s)
    made = zip(*(_spectrograms(samples, targets) for samples in excerpts), strict=True)
    return [
        np.stack(of_clip).reshape(target.recipe.stored_shape)
        for of_clip, target in zip(made, targets, strict=True)
    ]


def _spectrograms(
    samples: np.ndarray, targets: Sequence[Target]
) -> Iterator[np.ndarray]:
    """Makes the spectrogram of every target; those of one DFT share it."""
    powers: dict[tuple[int, int], np.ndarray] = {}
    for recipe, _, filters in targets:
        if recipe.own_shape:
            yield spectrogram(samples, recipe)
            continue
        key = (recipe.dft_size_samples, recipe.hop_samples)
        if key not in powers:
            powers[key] = power_stft(samples, recipe)
        yield to_stored_db(to_bands(powers[key], filters))


def _may_be_readable(task: ShardTask, rejected: list[Rejected]) -> bool:
    """Tells whether a file opens that could not be read: a disk may have been away.

    That does not say that it can be read.
    """
    closed = {track_id for track_id, _, reason, _ in rejected if reason == "unreadable"}
    for clip in task.clips:
        if clip.track_id in closed:
            with contextlib.suppress(audio.AudioError):
                open_file(clip.path).close()
                return True
    return False


def _stamps(task: ShardTask, rejected: list[Rejected]) -> list[list[int | str] | None]:
    """Reads size and time of change of the files left out: a mended one is tried again.

    The time of change, not of modification: it moves with permissions too. And what
    decoded them, as another version may read them.
    """
    left_out = {row[0] for row in rejected}
    stamps: list[list[int | str] | None] = []
    for clip in task.clips:
        if clip.track_id in left_out:
            try:
                found = Path(clip.path).stat()
                stamps.append([found.st_size, found.st_ctime_ns, DECODERS])
            except OSError:
                stamps.append(None)
    return stamps


def count_missing(directory: Path, tasks: Sequence[ShardTask]) -> int:
    """Counts the shards that no job has finished.

    By the names of the parts, and only where all are there by what they say.
    """
    found = {path.name for path in (directory / PARTS).glob("*.json")}
    missing = sum(_part_path(directory, task).name not in found for task in tasks)
    return missing or sum(part is None for part in read_parts(directory, tasks))


def _part_path(directory: Path, task: ShardTask) -> Path:
    """Returns the file that says that a shard is finished."""
    return directory / PARTS / f"{task.file_name}.json"


class SharedCounts(NamedTuple):
    """Memory that all processes share: arrays of `multiprocessing`.

    It has no lock: each number has one writer, and a lock that a killed worker held
    would stop all others for ever.
    """

    num_done: Any  # Clips done, by task.
    num_left_out: Any  # Clips left out, by task.
    stop: Any  # One number; not 0 once the workers are to stop.


_counts: SharedCounts | None = None  # Of this process, if it is a worker.
_for_good = contextlib.ExitStack()


def _count(number: int, was_written: bool) -> None:
    if _counts is None:
        return
    _counts.num_done[number] += 1
    _counts.num_left_out[number] += not was_written
    if _counts.stop[0]:
        raise KeyboardInterrupt


def start_worker(counts: SharedCounts) -> None:
    """Prepares a worker process; the counts are shared with the parent.

    What a pool passes here must be small: it starts its workers one after the other,
    and one that dies while the next is being started is not noticed.
    """
    global _counts
    _counts = counts
    processes.follow_parent()
    _for_good.enter_context(messages.quiet_decoders())
    processes.keep_big_buffers()
