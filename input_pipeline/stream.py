"""Shards to batches, by TensorFlow's own operations.

Files are read one behind the other, several at once, each from its beginning: there is
no seek and no Python function in the path of a record. Python names windows of shards
(`order.py`); TensorFlow reads, shuffles, parses, batches and fetches ahead. So shards
may lie wherever its file systems reach.

The order depends on the windows alone. Threads change nothing: files may be read at
once, their records still come one file after another.
"""

import itertools
import logging
import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from input_pipeline import order
from input_pipeline.index import Split
from input_pipeline.order import Window
from input_pipeline.storage import tensorflow
from msd_tagger.common.errors import LostInputError
from msd_tagger.common.excerpts import Batch
from msd_tagger.common.interruption import pause

# Of each read: a store that takes 20 ms to answer still gives 200 MB/s per file.
_READ_BYTES = 2**22
# Batches that are made while the consumer works on one. Small ones come 6 % faster than
# with two; 32 clips take 8 MB.
_PREFETCHED_BATCHES = 4
# Waits before a store that failed is asked again, a minute in all.
_WAITS_S = (1, 2, 4, 8, 15, 30)

logger = logging.getLogger(__name__)


class Reader(NamedTuple):
    """How the clips of a split that take part are read."""

    split: Split
    shape: tuple[int, ...]  # Of a record's spectrogram, as `Recipe.stored_shape`.
    shard_clips: np.ndarray  # int64 [P], how many clips of each shard, from its start.
    threads: int
    window_shards: int  # How many shards of an epoch are shuffled together.

    @property
    def num_clips(self) -> int:
        """How many clips take part."""
        return int(self.shard_clips.sum())

    @property
    def num_excerpts(self) -> int:
        """How many excerpts E every clip has."""
        return self.shape[0] if len(self.shape) == 3 else 1

    @property
    def files(self) -> np.ndarray:
        """Paths of the shards, bytes [P]: TensorFlow takes no text that is not UTF-8.

        Encoded here, as AutoGraph warns of calls that it cannot read.
        """
        return np.array([os.fsencode(file) for file in self.split.files])

    @property
    def first_row(self) -> np.ndarray:
        """Row of the first clip of every shard, int64 [P]."""
        return np.cumsum(self.split.shard_clips) - self.split.shard_clips

    def windows(self, data_seed: int, first_position: int) -> Iterator[Window]:
        """Yields the windows of all epochs, see `order.windows`."""
        window = self.window_shards
        return order.windows(self.shard_clips, window, data_seed, first_position)

    def draw(self, rows: np.ndarray, positions: np.ndarray, seed: int) -> np.ndarray:
        """Draws an excerpt of each clip, see `order.draw_excerpts`."""
        count = self.num_excerpts
        return order.draw_excerpts(rows, positions, self.num_clips, seed, count)


def train_batches(
    reader: Reader, batch_size: int, data_seed: int, first_step: int, rows: slice
) -> Iterator[Batch]:
    """Yields batches without end, see `batches.ShardedSplits.train_batches`."""

    def open_at(step: int) -> Iterator[Batch]:
        clips = _shuffled(reader, data_seed, step * batch_size, _read_records)
        found = _batches(reader, clips, batch_size, rows)
        if reader.num_excerpts == 1:
            return found
        return map(draw, itertools.count(step), found)

    def draw(step: int, batch: Batch) -> Batch:
        positions = step * batch_size + np.arange(batch_size)[rows]
        drawn = reader.draw(batch["row"], positions, data_seed)
        each = np.arange(len(drawn))
        return batch | {"spectrogram": batch["spectrogram"][each, drawn]}

    def shards_of(step: int) -> list[int]:
        """Finds those whose damage would be seen in this step's batch."""
        found: list[int] = []
        for window in reader.windows(data_seed, step * batch_size):
            if window.start >= (step + 1) * batch_size:
                return found
            found += window.shards.tolist()
        return found

    return _persistent(reader, open_at, shards_of, first_step)


def train_rows(
    reader: Reader, batch_size: int, data_seed: int, first_step: int
) -> Iterator[np.ndarray]:
    """Yields what `train_batches` yields, by number, without reading a clip."""
    clips = _shuffled(reader, data_seed, first_step * batch_size, _name_rows)
    batches = clips.batch(batch_size).prefetch(16).as_numpy_iterator()
    for step, rows in enumerate(batches, first_step):
        positions = step * batch_size + np.arange(batch_size)
        drawn = reader.draw(rows, positions, data_seed)
        yield rows * reader.num_excerpts + drawn


def evaluation_batches(reader: Reader, batch_size: int, rows: slice) -> Iterator[Batch]:
    """Yields every clip once, see `batches.ShardedSplits.evaluation_batches`."""
    first_row = np.cumsum(reader.shard_clips) - reader.shard_clips

    def open_at(step: int) -> Iterator[Batch]:
        clips = _in_order(reader, np.flatnonzero(reader.shard_clips), _read_records)
        found = _batches(reader, clips.skip(step * batch_size), batch_size, rows)
        length = len(range(batch_size)[rows])
        return (_padded(batch, length) for batch in found)

    def shards_of(step: int) -> list[int]:
        begins = first_row < (step + 1) * batch_size
        ends = first_row + reader.shard_clips > step * batch_size
        return np.flatnonzero(begins & ends).tolist()

    return _persistent(reader, open_at, shards_of, 0)


def _shuffled(reader: Reader, data_seed: int, position: int, read: Callable) -> Any:
    """Makes a data set of the clips of all epochs from a position on."""
    tf = tensorflow()
    one = tf.TensorSpec([], tf.int64)
    signature = (tf.TensorSpec([None], tf.int64), one, one)
    windows = partial(reader.windows, data_seed)
    named = tf.data.Dataset.from_generator(
        lambda: ((w.shards, w.seed, w.num_clips) for w in windows(position)),
        output_signature=signature,
    )

    def shuffle(shards: Any, seed: Any, num_clips: Any) -> Any:
        clips = _in_order(reader, shards, read)
        return clips.shuffle(num_clips, seed=seed, reshuffle_each_iteration=False)

    # The next window is read and shuffled while this one is used. The first of an epoch
    # has as many shards as any; the last may have fewer.
    clips = named.flat_map(shuffle).prefetch(next(windows(0)).num_clips)
    return clips.skip(position - next(windows(position)).start)


def _in_order(reader: Reader, shards: Any, read: Callable) -> Any:
    """Makes a data set of the clips of some shards, one shard after another."""
    tf = tensorflow()
    columns = (reader.files, reader.first_row, reader.shard_clips)
    chosen = tuple(tf.gather(tf.constant(column), shards) for column in columns)
    return tf.data.Dataset.from_tensor_slices(chosen).interleave(
        read,
        cycle_length=reader.threads,
        # A file is read to its end before it is another's turn, so that the order does
        # not depend on how many are read at once.
        block_length=max(1, int(reader.shard_clips.max(initial=1))),
        num_parallel_calls=reader.threads,
        deterministic=True,
    )


def _read_records(file: Any, first_row: Any, num_clips: Any) -> Any:
    """Makes a data set of (row, record) of the first clips of a shard."""
    tf = tensorflow()
    records = tf.data.TFRecordDataset(file, buffer_size=_READ_BYTES)
    # Where a file ends early, empty records follow, which fail when they are parsed.
    records = records.concatenate(tf.data.Dataset.from_tensors("").repeat())
    return tf.data.Dataset.zip((_name_rows(file, first_row, num_clips), records))


def _name_rows(file: Any, first_row: Any, num_clips: Any) -> Any:
    """Makes a data set of the rows of the first clips of a shard."""
    return tensorflow().data.Dataset.range(first_row, first_row + num_clips)


def _batches(
    reader: Reader, clips: Any, batch_size: int, rows: slice
) -> Iterator[Batch]:
    """Parses batches of (row, record), and compares them with the index."""
    tf = tensorflow()

    def parse(row: Any, record: Any) -> tuple:
        return (row[rows], *_parse(record[rows], reader))

    batches = clips.batch(batch_size).map(
        parse, num_parallel_calls=reader.threads, deterministic=True
    )
    options = tf.data.Options()
    options.threading.private_threadpool_size = reader.threads
    batches = batches.prefetch(_PREFETCHED_BATCHES).with_options(options)
    for row, track_id, tags, spectrogram in batches.as_numpy_iterator():
        _check(reader, row, track_id, tags)
        mask = np.ones(len(row), bool)
        yield {"spectrogram": spectrogram, "tags": tags, "mask": mask, "row": row}


def _parse(records: Any, reader: Reader) -> tuple[Any, Any, Any]:
    """Parses records [B]: track_id [B], tags [B, K], spectrogram [B, *shape].

    B may be 0: of a last batch some processes have no row.
    """
    tf = tensorflow()
    text = tf.io.FixedLenFeature([], tf.string)
    found = tf.io.parse_example(
        records, dict.fromkeys(("track_id", "tags", "spectrogram"), text)
    )
    tags = tf.io.decode_raw(found["tags"], tf.uint8)
    spectrogram = tf.io.decode_raw(found["spectrogram"], tf.float16)
    size = tf.size(records)
    tags = tf.reshape(tags, [size, reader.split.tags.shape[1]])
    return found["track_id"], tags, tf.reshape(spectrogram, [size, *reader.shape])


def _check(
    reader: Reader, row: np.ndarray, track_id: np.ndarray, tags: np.ndarray
) -> None:
    """Compares clips with the index.

    Raises:
        LostInputError: A record is of another clip, or has other labels.
    """
    split = reader.split
    expected = [name.encode() for name in split.track_id[row].tolist()]
    if track_id.tolist() == expected and np.array_equal(tags, split.tags[row]):
        return
    wrong = [i for i, name in enumerate(expected) if track_id[i] != name]
    at = wrong[0] if wrong else 0
    shard = int(np.searchsorted(reader.first_row, row[at], side="right")) - 1
    found, wanted = track_id[at].decode(errors="replace"), split.track_id[row[at]]
    raise LostInputError(
        f"{split.files[shard]} holds other clips than index.npz says (the clip "
        f"{found!r} with its labels, not {wanted!r} with its own). " + _again(reader)
    )


def _padded(batch: Batch, length: int) -> Batch:
    """Fills the last batch up with zeros, where the mask is False and the row -1."""
    missing = length - len(batch["row"])
    if not missing:
        return batch

    def fill(array: np.ndarray) -> np.ndarray:
        return np.pad(array, ((0, missing), *[(0, 0)] * (array.ndim - 1)))

    filled = {name: fill(array) for name, array in batch.items()}
    filled["row"][length - missing :] = -1
    return filled


def _persistent(
    reader: Reader,
    open_at: Callable[[int], Iterator[Batch]],
    shards_of: Callable[[int], list[int]],
    step: int,
) -> Iterator[Batch]:
    """Yields the batches from a step on; where the store fails, it is asked again.

    Raises:
        LostInputError: A shard is damaged, or the store is away for more than a minute,
            or until a signal came.
    """
    tf = tensorflow()
    failures = 0
    batches = open_at(step)
    while True:
        try:
            batch = next(batches, None)
        except tf.errors.OpError as error:
            reason = _explain(reader, shards_of(step), error)
            if failures == len(_WAITS_S):
                raise LostInputError(
                    f"{reader.split.directory} cannot be read, after {failures} "
                    f"attempts in {sum(_WAITS_S)} s: {reason}. What was saved stays; "
                    "give the same command when the shards are back"
                ) from error
            logger.warning(
                "%s: %s; trying again in %d s",
                *(reader.split.directory, reason, _WAITS_S[failures]),
            )
            if not pause(_WAITS_S[failures]):
                raise LostInputError(
                    f"{reader.split.directory} cannot be read: {reason}"
                ) from error
            failures += 1
            batches = open_at(step)
            continue
        if batch is None:
            return
        yield batch
        step, failures = step + 1, 0


def _explain(reader: Reader, shards: list[int], error: Exception) -> str:
    """Returns why the store failed, in short.

    Raises:
        LostInputError: It did not: a shard is damaged.
    """
    tf = tensorflow()
    if isinstance(error, (tf.errors.DataLossError, tf.errors.InvalidArgumentError)):
        for shard in shards:
            try:
                damage = _find_damage(reader, shard)
            except tf.errors.OpError as other:
                error = other
                break
            if damage:
                raise LostInputError(f"{damage}. {_again(reader)}") from error
    return str(getattr(error, "message", error)).splitlines()[0][:200]


def _find_damage(reader: Reader, shard: int) -> str:
    """Reads a shard record by record: what is wrong with it, and where, or ""."""
    tf = tensorflow()
    file, count = reader.split.files[shard], 0
    try:
        name = os.fsencode(file)
        for record in tf.data.TFRecordDataset(name, buffer_size=_READ_BYTES):
            _parse(record[None], reader)
            count += 1
    except tf.errors.DataLossError:
        return f"{file}, record {count} (from 0): it does not match its checksum"
    except tf.errors.InvalidArgumentError:
        return f"{file}, record {count} (from 0): it is not of this set"
    if count < reader.split.shard_clips[shard]:
        expected = reader.split.shard_clips[shard]
        return f"{file} ends after {count} of {expected} records"
    return ""


def _again(reader: Reader) -> str:
    return f"Delete {reader.split.directory} and prepare again"
