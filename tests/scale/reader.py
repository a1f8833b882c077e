"""Reads the rehearsal's set as training does, and says what it reads.

    python -m tests.scale.reader DIRECTORY FIRST_STEP

does so in a process that can be killed.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from itertools import islice
from pathlib import Path

import numpy as np

from input_pipeline.batches import ShardedSplits, open_shards
from input_pipeline.order import first_clips
from input_pipeline.storage import tensorflow

ROOT = Path(__file__).resolve().parents[2]
BATCH_SIZE = 8
# As many as 256 MB of real clips are; of tiny ones that would be the whole epoch.
WINDOW_SHARDS = 16
KILLED_AT = 10_000  # Step; half way where an epoch is short.
FRACTION = 0.02
_COMPARED = 500  # Batches after a kill.


def main() -> None:
    """Prints a line for every batch, without end."""
    directory, first_step = sys.argv[1:]
    tensorflow()
    print("TensorFlow is imported", flush=True)
    for line in _lines(_open(Path(directory)), int(first_step)):
        print(line, flush=True)


def _open(directory: Path) -> ShardedSplits:
    return open_shards(directory, window_shards=WINDOW_SHARDS)


def _lines(data: ShardedSplits, first_step: int) -> Iterator[str]:
    """Yields a checksum of ids and spectrograms, and the rows, of training batches."""
    ids = data.splits["train"].track_id
    for batch in data.train_batches(BATCH_SIZE, 0, first_step):
        row = batch["row"]
        clips = "".join(ids[row]).encode() + batch["spectrogram"].tobytes()
        yield " ".join([sha256(clips).hexdigest()[:16], *map(str, row)])


@contextmanager
def _reader(directory: Path, first_step: int) -> Iterator[Iterator[str]]:
    """Starts one, waits for TensorFlow, gives its lines, and kills it."""
    command = [sys.executable, "-m", "tests.scale.reader", str(directory)]
    with subprocess.Popen(
        [*command, str(first_step)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        next(process.stdout, "")
        try:
            yield (line.rstrip("\n") for line in process.stdout)
        finally:
            process.kill()  # SIGKILL.


def verify(directory: Path) -> dict[str, str]:
    """Reads an epoch, kills a reader in its middle, goes on, and compares.

    Returns:
        Rows for a table.

    Raises:
        SystemExit: Names what differs.
    """
    data = _open(directory)
    size = data.num_clips("train")
    num_steps = -(-size // BATCH_SIZE)
    step = min(KILLED_AT, num_steps // 2)
    undisturbed, epoch_s = _take(_lines(data, 0), num_steps + _COMPARED)
    _check_epoch(undisturbed, size)
    with _reader(directory, 0) as lines:
        first, first_s = _take(lines, 1)
        killed, _ = _take(lines, step - 1)
    _compare([*first, *killed], undisturbed)
    with _reader(directory, step) as lines:
        resumed, resumed_s = _take(lines, 1)
        after, _ = _take(lines, _COMPARED - 1)
    _compare([*resumed, *after], undisturbed[step:])
    rate = BATCH_SIZE * len(undisturbed) / epoch_s
    return {
        "clips of an epoch, each read once": f"{size:,}",
        f"read in batches of {BATCH_SIZE}": f"{rate:,.0f} clips/s",
        "first batch, after TensorFlow's import": f"{first_s:.2f} s, asked: 3 s",
        f"the same at step {step:,}, after a kill": f"{resumed_s:.2f} s, asked: 5 s",
        "batches before and after it, all equal": f"{step:,} and {_COMPARED}",
        f"read for {FRACTION:.0%} of the clips": _read_share(data),
    }


def _take(lines: Iterator[str], number: int) -> tuple[list[str], float]:
    """Returns so many lines, and the seconds that they took."""
    started = time.perf_counter()
    found = list(islice(lines, number))
    if len(found) < number:
        raise SystemExit(f"a reader ended after {len(found)} of {number} batches")
    return found, time.perf_counter() - started


def _check_epoch(lines: list[str], size: int) -> None:
    rows = [row for line in lines for row in line.split()[1:]]
    counts = np.bincount(np.array(rows[:size], int), minlength=size)
    if (counts != 1).any():
        raise SystemExit(f"{(counts == 1).sum()} of {size} clips were read once")


def _compare(found: list[str], undisturbed: list[str]) -> None:
    for line, expected in zip(found, undisturbed, strict=False):
        if line != expected:
            raise SystemExit(f"a reader read {line}, an undisturbed one {expected}")


def _read_share(data: ShardedSplits) -> str:
    """Reads a share of the clips, and nothing but the shards that hold them."""
    split = data.splits["train"]
    clips = first_clips(split.shard_clips, data.num_clips("train", FRACTION))
    expected, whole = split.shard_bytes[clips > 0].sum(), split.shard_bytes.sum()
    for _ in range(2):  # The first time TensorFlow reads other things too.
        before = _bytes_read()
        batches = data.evaluation_batches("train", BATCH_SIZE, FRACTION)
        count = sum(int(batch["mask"].sum()) for batch in batches)
        found = _bytes_read() - before
    if count != clips.sum() or found > 1.1 * expected:
        raise SystemExit(f"{count} clips: {found} bytes were read, not {expected}")
    return f"{found / 1e6:.2f} MB of {whole / 1e6:.2f} MB"


def _bytes_read() -> int:
    """What this process has read; 0 where the system does not tell."""
    try:
        text = Path("/proc/self/io").read_text()
    except OSError:
        return 0
    return int(text.split()[1])


if __name__ == "__main__":
    main()
