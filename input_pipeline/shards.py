"""One shard: some clips of one split, from audio files to TFRecord files.

This is what a worker process runs, so it imports little. A shard is written under a
temporary name, then renamed; its `part`, a small JSON file with everything the index
and the ledger need, follows last. A shard is finished when its part is there: whoever
is killed before loses that shard and nothing else, and two jobs that write the same
shard write the same bytes.
"""

import contextlib
import ctypes
import dataclasses
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from multiprocessing import connection, parent_process
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from input_pipeline import audio, records
from input_pipeline.recipe import Recipe

PARTS = "parts"  # Folder of the parts; gone when the whole set is complete.


class ClipRow(NamedTuple):
    """A clip as a worker sees it.

    Attributes:
        track_id: unique name.
        path: the audio file.
        relative_path: the same, from the directory of the corpus, for the ledger.
        start_s: where the clip starts, or None.
        labels: the bytes of tags and, where known, true_tags.
    """

    track_id: str
    path: str
    relative_path: str
    start_s: float | None
    labels: dict[str, bytes]


@dataclasses.dataclass(frozen=True, eq=False)  # Holds dicts: hash by identity.
class ShardTask:
    """What a worker needs to know to write one shard.

    Attributes:
        split: "train", "valid" or "test".
        index: number of the shard within its split, from 0.
        num_shards: of the split.
        first: position of its first clip in the split.
        clips: its clips, sorted by track id.
    """

    split: str
    index: int
    num_shards: int
    first: int
    clips: tuple[ClipRow, ...]

    @property
    def file_name(self) -> str:
        """Name of the TFRecord file, as TFDS expects it.

        >>> ShardTask("train", 2, 10, 128, ()).file_name
        'clips-train.tfrecord-00002-of-00010'
        """
        return records.shard_name(self.split, self.index, self.num_shards)

    @property
    def plan(self) -> dict[str, Any]:
        """Which clips these are; differs when `clips_per_shard` was another."""
        return {"first": self.first, "count": len(self.clips)}


def read_part(directory: Path, task: ShardTask) -> dict[str, Any] | None:
    """Reads the part of a finished shard.

    Returns:
        The part, or None where the shard is not finished, belongs to another plan or
        has lost its TFRecord file.
    """
    try:
        part = json.loads(_part_path(directory, task).read_text(encoding="utf-8"))
        size_bytes = (directory / task.file_name).stat().st_size
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    is_same = part["plan"] == task.plan and part["size_bytes"] == size_bytes
    return part if is_same else None


def write_shard(task: ShardTask, directories: dict[Recipe, Path]) -> None:
    """Writes one shard for every recipe, decoding each clip once.

    Args:
        task: the clips.
        directories: where the shard of each recipe goes; the recipes must agree in
            sample rate, duration and offset.

    Raises:
        OSError: the target cannot be written.
        KeyboardInterrupt: the parent asked to stop; nothing of this shard is left.
    """
    rejected: list[tuple[str, str, str, str]] = []
    with contextlib.ExitStack() as stack:
        writers = [
            stack.enter_context(_writer(directory / task.file_name, recipe))
            for recipe, directory in directories.items()
        ]
        for clip in task.clips:
            was_written = _write_clip(clip, writers, rejected)
            _state.count(was_written)
    for writer, directory in zip(writers, directories.values(), strict=True):
        _write_part(directory, task, writer, rejected)


class _Writer:
    """Appends clips to one TFRecord file and remembers where they are."""

    def __init__(self, file: BinaryIO, recipe: Recipe) -> None:
        self.file, self.recipe = file, recipe
        self.track_ids: list[str] = []
        self.offsets: list[int] = []
        self.size_bytes = 0

    def append(self, clip: ClipRow, power: np.ndarray) -> None:
        """Adds one record. power: float32 [bins, frames]."""
        bands = audio.to_bands(power, _mel_filters(self.recipe))
        example = records.encode_example(
            {
                "track_id": clip.track_id.encode(),
                "spectrogram": audio.to_stored_db(bands).tobytes(),
                **clip.labels,
            }
        )
        start = records.parse_example(example)["spectrogram"][0]
        self.offsets.append(self.size_bytes + records.HEADER_BYTES + start)
        self.track_ids.append(clip.track_id)
        records.write_record(self.file, example)
        self.size_bytes = self.file.tell()


@contextlib.contextmanager
def _writer(path: Path, recipe: Recipe) -> Iterator[_Writer]:
    with replacing(path) as file:
        yield _Writer(file, recipe)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Opens a file that appears under its name only when it is whole.

    The temporary name has host and process in it, so that jobs on one file system do
    not share one.
    """
    temporary = path.with_name(f".{path.name}.{socket.gethostname()}-{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _write_clip(
    clip: ClipRow, writers: list[_Writer], rejected: list[tuple[str, str, str, str]]
) -> bool:
    try:
        samples = audio.read_clip(clip.path, writers[0].recipe, clip.start_s)
    except audio.AudioError as error:
        row = (clip.track_id, clip.relative_path, error.reason, error.detail)
        rejected.append(row)
        return False
    powers: dict[tuple[int, int], np.ndarray] = {}
    for writer in writers:
        key = (writer.recipe.dft_size_samples, writer.recipe.hop_samples)
        if key not in powers:
            powers[key] = audio.power_stft(samples, writer.recipe)
        writer.append(clip, powers[key])
    return True


def _write_part(
    directory: Path, task: ShardTask, writer: _Writer, rejected: list
) -> None:
    part = {
        "plan": task.plan,
        "size_bytes": writer.size_bytes,
        "track_id": writer.track_ids,
        "offset": writer.offsets,
        "rejected": rejected,
    }
    with replacing(_part_path(directory, task)) as file:
        file.write(json.dumps(part).encode())


def _part_path(directory: Path, task: ShardTask) -> Path:
    return directory / PARTS / f"{task.file_name}.json"


@dataclasses.dataclass
class _State:
    """What a worker process shares with its parent.

    `counters` holds clips done, clips left out, and whether to stop.
    """

    counters: Any = None
    filters: dict[Recipe, np.ndarray | None] = dataclasses.field(default_factory=dict)

    def count(self, was_written: bool) -> None:
        if self.counters is None:
            return
        with self.counters.get_lock():
            self.counters[0] += 1
            self.counters[1] += not was_written
        if self.counters[2]:
            raise KeyboardInterrupt


_state = _State()


def _mel_filters(recipe: Recipe) -> np.ndarray | None:
    if recipe not in _state.filters:
        _state.filters[recipe] = recipe.mel_filters()
    return _state.filters[recipe]


def start_worker(counters: Any, filters: dict[Recipe, np.ndarray | None]) -> None:
    """Prepares a worker process.

    Args:
        counters: shared integers: clips done, clips left out, stop.
        filters: the filter bank of every recipe; computing it here would import
            librosa, 1.5 s in every worker.
    """
    _state.counters, _state.filters = counters, filters
    # Ctrl-C reaches the whole process group; the parent alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    _silence_decoders()
    _keep_buffers()


def _die_with_parent() -> None:
    """Ends the process when its parent is killed: a pool's workers would wait on."""
    connection.wait([parent_process().sentinel])
    os._exit(1)


def _silence_decoders() -> None:
    """Keeps the notes that libmpg123 writes about odd files off the progress bar.

    They come from C, past `sys.stderr`; Python's own messages go on to the terminal.
    """
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), 2)


def _keep_buffers() -> None:
    """Tells glibc to reuse the buffers of a clip instead of mapping them anew.

    Faulting in 10 MB for every clip costs 3 of 20 ms. Elsewhere nothing happens.
    """
    mmap_threshold, trim_threshold = -3, -1  # M_… in malloc.h
    with contextlib.suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(mmap_threshold, 1 << 30)
        mallopt(trim_threshold, 1 << 30)
