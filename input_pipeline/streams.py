"""Fetches batches ahead of their consumer: through tf.data, or with plain threads.

Both give the very same batches in the same order, as a batch depends on its step alone;
only who calls `load` differs.
"""

import functools
import logging
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from itertools import islice
from typing import Any

import numpy as np

from input_pipeline.reader import Batch

# Batches that are fetched while the consumer works on one. Two hide the reading; more
# would only hold memory, 8 MB for 32 clips.
_PREFETCHED_BATCHES = 2
# The cores belong to the training step.
_READING_THREADS = 2

Load = Callable[[int], Batch]
logger = logging.getLogger(__name__)


def stream(reader: str, load: Load, first_step: int, stop_step: int) -> Iterator[Batch]:
    """Yields `load(step)` for every step, in order.

    Without TensorFlow the reader "tf.data" is "plain" too, which the log says once.

    Raises:
        Exception: Whatever `load` raises, when its batch is due.
    """
    if reader == "tf.data" and not has_tensorflow():
        reader = "plain"
    return READERS[reader](load, first_step, stop_step)


def check_reader(reader: str) -> None:
    """Refuses a reader that does not exist."""
    if reader not in READERS:
        raise ValueError(f"reader is {reader!r}; allowed are {', '.join(READERS)}")


def _through_tf_data(load: Load, first_step: int, stop_step: int) -> Iterator[Batch]:
    tf = _tensorflow()
    types = [tf.as_dtype(dtype) for dtype in _DTYPES.values()]

    errors = []  # TensorFlow would make an error of its own of what `load` raises.

    def values_of(step: np.ndarray) -> list[np.ndarray]:
        try:
            batch = load(int(step))
        except Exception as error:
            errors.append(error)
            raise
        return [batch[name] for name in _DTYPES]

    # Steps, not records, flow through the pipeline: a step number determines its
    # batch, so starting in the middle costs nothing.
    dataset = tf.data.Dataset.range(first_step, stop_step)
    # One gather a step from the page cache. Order is kept whichever thread is first.
    dataset = dataset.map(
        lambda step: tf.numpy_function(values_of, [step], types),
        num_parallel_calls=_READING_THREADS,
        deterministic=True,
    )
    dataset = dataset.prefetch(_PREFETCHED_BATCHES)
    options = tf.data.Options()
    options.threading.private_threadpool_size = _READING_THREADS
    dataset = dataset.with_options(options)
    iterator = dataset.as_numpy_iterator()
    while True:
        try:
            values = next(iterator, None)
        except tf.errors.OpError:
            if errors:
                raise errors[0] from None
            raise
        if values is None:
            return
        yield dict(zip(_DTYPES, values, strict=True))


def _with_threads(load: Load, first_step: int, stop_step: int) -> Iterator[Batch]:
    steps = iter(range(first_step, stop_step))
    pool = ThreadPoolExecutor(_READING_THREADS, "batches")
    try:
        ahead = deque(
            pool.submit(load, step) for step in islice(steps, _PREFETCHED_BATCHES)
        )
        while ahead:
            batch = ahead.popleft().result()
            ahead.extend(pool.submit(load, step) for step in islice(steps, 1))
            yield batch
    finally:
        # Also when the consumer stops early or lets go of the iterator. Nobody waits:
        # a thread that still reads ends after that batch.
        pool.shutdown(wait=False, cancel_futures=True)


READERS = {"tf.data": _through_tf_data, "plain": _with_threads}

_DTYPES = {
    "spectrogram": np.float16,
    "tags": np.uint8,
    "mask": np.bool_,
    "row": np.int64,
}


@functools.cache
def has_tensorflow() -> bool:
    """Returns whether TensorFlow is installed; if not, the log says so once."""
    if find_spec("tensorflow") is not None:
        return True
    logger.info("TensorFlow is not installed; shards are read without it")
    return False


@functools.cache
def _tensorflow() -> Any:
    """Imports TensorFlow, with the accelerators left to JAX."""
    # Only tf.data is used, so oneDNN's kernels, and eight lines about them and the
    # processor at every start, are not needed; errors are exceptions.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    for kind in ("GPU", "TPU"):
        tf.config.set_visible_devices([], kind)
    return tf
