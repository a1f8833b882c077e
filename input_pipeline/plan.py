"""What is to be prepared: the shards of a corpus, their folders, and who writes which.

Several jobs can write one set of shards together, without talking to each other. They
share a file system and nothing else. Each plans the same shards, writes those of its
slice, and completes the set if it then finds all of them. Where two do the same thing
at once, they write the same bytes, and renames are atomic.
"""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from input_pipeline import catalogue, shards
from input_pipeline.corpora.corpus import Clip, Corpus
from msd_tagger.common.facts import SPLITS
from msd_tagger.common.files import temporary
from msd_tagger.frontend.recipe import Recipe

PLAN = "plan.json"  # In the folder of the parts: how the set was begun.
_BLOCK_CLIPS = 1000  # Files that a thread looks at in one go.


class Slice(NamedTuple):
    """Which of the planned shards a job writes.

    Every n-th, not a run of neighbours: neighbours are of one split and, as ids go,
    often of one folder or source, and the last shards of a split are shorter. So slices
    are equally long, and the same shards are of a slice whoever asks.
    """

    worker: int = 0  # Number of the job, from 0.
    num_workers: int = 1  # The number of jobs n; 1 for a job that does everything.

    def of(self, tasks: list[shards.ShardTask]) -> list[shards.ShardTask]:
        """Selects the tasks of this slice.

        >>> Slice(1, 3).of(["a", "b", "c", "d", "e"])
        ['b', 'e']
        """
        return tasks[self.worker :: self.num_workers]


def shard_directories(
    corpus: Corpus, recipes: Sequence[Recipe], data_dir: Path | str
) -> dict[Recipe, Path]:
    """Returns where the shards of a corpus are or will be, for every recipe."""
    name = f"{corpus.name}-{clip_list_digest(corpus)}"
    root = Path(data_dir).absolute() / "shards" / name
    return {recipe: root / recipe.identifier for recipe in recipes}


def clip_list_digest(corpus: Corpus) -> str:
    """Returns eight hexadecimal digits that change with whatever changes the shards.

    Ids, splits, relative paths, sizes of the files, starts, labels and the tags.
    """
    digest = hashlib.sha256(json.dumps(corpus.tags).encode())
    clips = sorted(corpus.clips, key=lambda clip: clip.track_id)
    for clip, size_bytes in zip(clips, sizes_bytes(clips), strict=True):
        row = (clip.track_id, clip.split, _relative(clip.path, corpus.audio_dir))
        digest.update(repr((*row, size_bytes, clip.start_s)).encode())
        for label in _labels(clip).values():
            digest.update(label)
    return digest.hexdigest()[:8]


def sizes_bytes(clips: list[Clip], block_clips: int = _BLOCK_CLIPS) -> Iterator[int]:
    """Yields the size of every clip's file, -1 where there is none.

    In threads, which share the waiting: where each file takes half a millisecond, as
    on a network's file system, 240,000 take 9 s and not 139. On a local disk they take
    0.8 s either way.
    """
    blocks = range(0, len(clips), block_clips)
    with ThreadPoolExecutor(16) as pool:
        for sizes in pool.map(
            lambda first: list(map(_size_bytes, clips[first : first + block_clips])),
            blocks,
        ):
            yield from sizes


def _size_bytes(clip: Clip) -> int:
    try:
        return os.stat(clip.path).st_size  # noqa: PTH116 (3 times faster)
    except OSError:
        return -1


def shard_tasks(corpus: Corpus, clips_per_shard: int) -> list[shards.ShardTask]:
    """Cuts every split, sorted by track id, into shards."""
    by_split: dict[str, list[shards.ClipRow]] = {split: [] for split in SPLITS}
    for clip in sorted(corpus.clips, key=lambda clip: clip.track_id):
        path, relative = str(clip.path), _relative(clip.path, corpus.audio_dir)
        row = shards.ClipRow(clip.track_id, path, relative, clip.start_s, _labels(clip))
        by_split[clip.split].append(row)
    tasks = []
    for split, rows in by_split.items():
        starts = range(0, len(rows), clips_per_shard)
        for index, first in enumerate(starts):
            members = tuple(rows[first : first + clips_per_shard])
            task = shards.ShardTask(split, index, len(starts), first, members)
            tasks.append(task)
    return tasks


def _labels(clip: Clip) -> dict[str, bytes]:
    labels = {"tags": clip.tags, "true_tags": clip.true_tags}
    return {name: tags.tobytes() for name, tags in labels.items() if tags is not None}


def _relative(path: Path, audio_dir: Path) -> str:
    text, root = str(path), f"{audio_dir}{os.sep}"
    return text.removeprefix(root).replace(os.sep, "/")


def agree_on_plan(directories: Iterable[Path], clips_per_shard: int) -> int:
    """Settles how many clips a shard has: what the first job asked for.

    Two plans in one folder would overwrite each other's shards, so a set goes on as it
    was begun.
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
    mine = temporary(parts)
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
