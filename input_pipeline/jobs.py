"""Several jobs that write one set of shards together, without talking to each other.

They share a file system and nothing else. Every one plans the same shards, writes those
of its slice, and completes the set if it then finds all of them. Where two do the same
thing at once, they write the same bytes, and renames are atomic.
"""

import errno
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from input_pipeline import catalogue, shards

PLAN = "plan.json"  # In the folder of the parts: how the set was begun.


class Slice(NamedTuple):
    """Which of the planned shards a job writes.

    Every n-th, not a run of neighbours: neighbours are of one split and, as ids go,
    often of one folder or source, and the last shards of a split are shorter. So slices
    are equally long, and the same shards are of a slice whoever asks.
    """

    worker: int = 0  # Number of the job, from 0.
    num_workers: int = 1  # N, the number of jobs; 1 for a job that does everything.

    def of(self, tasks: list[shards.ShardTask]) -> list[shards.ShardTask]:
        """The tasks of this slice.

        >>> Slice(1, 3).of(["a", "b", "c", "d", "e"])
        ['b', 'e']
        """
        return tasks[self.worker :: self.num_workers]


def agree_on_plan(directories: Iterable[Path], clips_per_shard: int) -> int:
    """Settles how many clips a shard has: what the first job asked for.

    Two plans in one folder would overwrite each other's shards, so a set goes on as it
    was begun.

    Args:
        directories: of the sets that one pass is to write.

    Raises:
        ValueError: the sets were begun with different numbers.
        OSError: a directory cannot be written.
    """
    found = {path: _settle(path, clips_per_shard) for path in directories}
    numbers = set(found.values())
    if len(numbers) > 1:
        listed = ", ".join(f"{number} in {path}" for path, number in found.items())
        raise ValueError(
            f"these sets were begun with different prepare.clips_per_shard: {listed}. "
            "Finish them one by one, each with --config.spectrogram.kind alone"
        )
    agreed = numbers.pop() if numbers else clips_per_shard
    if agreed != clips_per_shard:
        print(
            f"going on with {agreed} clips per shard, as this set was begun, not with "
            f"prepare.clips_per_shard={clips_per_shard}"
        )
    return agreed


def _settle(directory: Path, clips_per_shard: int) -> int:
    """Creates the folder of parts with a plan in it, or reads the plan that is there.

    Renaming a folder is atomic and fails where a folder with content is.
    """
    parts = directory / shards.PARTS
    mine = shards.temporary(parts)
    mine.mkdir(parents=True)
    (mine / PLAN).write_text(json.dumps({"clips_per_shard": clips_per_shard}))
    try:
        mine.rename(parts)
    except OSError as error:
        shutil.rmtree(mine)
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
    try:
        plan = json.loads((parts / PLAN).read_text(encoding="utf-8"))
        return int(plan["clips_per_shard"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        if catalogue.is_written(directory):  # And tidied up meanwhile.
            return clips_per_shard
        raise ValueError(
            f"{parts / PLAN} is missing or damaged ({error}). Delete {parts} while no "
            "job writes there, then run the same command again"
        ) from error


def count_missing(directory: Path, tasks: list[shards.ShardTask]) -> int:
    """How many shards no job has finished, by the names of the parts alone."""
    found = {path.name for path in (directory / shards.PARTS).glob("*.json")}
    return sum(shards.part_name(task) not in found for task in tasks)


def report(own: Slice, num_missing: int, num_shards: int, directory: Path) -> None:
    """Prints, in one line, that a slice is written and the set is not whole."""
    print(
        f"slice {own.worker} of {own.num_workers} (from 0) is written; {num_missing:,} "
        f"of {num_shards:,} shards of the set are still missing; the last job to "
        "finish completes it, or the same command without prepare.worker and "
        f"prepare.num_workers: {directory}"
    )
