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
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from input_pipeline import catalogue, order, originals, shards, storage
from input_pipeline.corpora.corpus import Clip, Corpus
from input_pipeline.storage import Place, RemotePath
from msd_tagger.common.facts import SPLITS
from msd_tagger.common.files import temporary
from msd_tagger.frontend.recipe import Recipe

PLAN = "plan.json"  # In the folder of the parts: how the set was begun.


class Slice(NamedTuple):
    """Which of the planned shards a job writes.

    Every n-th, not a run of neighbours: those are of one split, whose last shard is
    shorter. So slices are equally long, and the same shards are of a slice whoever
    asks.
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
    corpus: Corpus, recipes: Sequence[Recipe], data_dir: Place | str
) -> dict[Recipe, Any]:
    """Returns where the shards of a corpus are or will be, for every recipe.

    Where audio was replaced since a set was completed, that is a folder beside it. They
    are places of the same kind as `data_dir`.
    """
    paths = [clip.path for clip in _sorted(corpus)]
    now = originals.stamps(paths)
    name = f"{corpus.name}-{clip_list_digest(corpus, now)}"
    root = storage.place(data_dir)
    base = (root if isinstance(root, RemotePath) else root.absolute()) / "shards" / name
    for recipe in recipes:
        _name_older(base, recipe)
    return {one: _of_this_audio(base / one.identifier, paths, now) for one in recipes}


def _name_older(base: Place, recipe: Recipe) -> None:
    """Says that sets of older versions of a recipe are there, and not read."""
    for version in range(1, recipe.version):
        older = base / replace(recipe, version=version).identifier
        if older.exists() and not (base / recipe.identifier).exists():
            print(
                f"{older} was made by version {version} of the spectrograms and is not "
                "read; delete it when no run needs it"
            )


def _of_this_audio(first: Any, paths: Sequence[Path], now: np.ndarray) -> Any:
    """Chooses among the sets of one clip list and recipe.

    Those made after audio was replaced lie in folders with a number behind the name.
    """
    root = first.parent
    numbered = {1: first}
    for folder in storage.names(root.parent):
        start, _, ending = folder.rpartition("-")
        if start == root.name and ending.isdecimal():
            numbered[int(ending)] = root.parent / folder / first.name
    known = [n for n in sorted(numbered, reverse=True) if numbered[n].exists()]
    replaced = None
    for number in known:
        directory = numbered[number]
        if catalogue.is_written(directory):
            found = originals.find_replaced(directory, paths, now)
            if found is None:
                return directory
            replaced = replaced or found
    newest = numbered[known[0]] if known else first
    if replaced is None or not catalogue.is_written(newest):
        return newest
    new = root.with_name(f"{root.name}-{known[0] + 1}") / first.name
    print(
        f"audio was replaced since {newest} was made ({replaced}); the shards of the "
        f"new audio are in {new}. Delete the old folder when no run needs it"
    )
    return new


def clip_list_digest(corpus: Corpus, stamps: np.ndarray | None = None) -> str:
    """Returns eight hexadecimal digits that change with the clip list.

    Ids, splits, relative paths, sizes of the files, starts, labels and the tags. The
    stamps of the files, where known, are in the order of ids, int64 [N, 2].
    """
    digest = hashlib.sha256(json.dumps(corpus.tags).encode())
    clips = _sorted(corpus)
    if stamps is None:
        stamps = originals.stamps([clip.path for clip in clips])
    for clip, size_bytes in zip(clips, stamps[:, 0].tolist(), strict=True):
        row = (clip.track_id, clip.split, _relative(clip.path, corpus.audio_dir))
        digest.update(repr((*row, size_bytes, clip.start_s)).encode())
        digest.update(b"".join(_labels(clip).values()))
    return digest.hexdigest()[:8]


def _sorted(corpus: Corpus) -> list[Clip]:
    return sorted(corpus.clips, key=lambda clip: clip.track_id)


def shard_tasks(corpus: Corpus, clips_per_shard: int) -> list[shards.ShardTask]:
    """Cuts every split into shards, its clips in the order of `order.sort_key`."""
    by_split: dict[str, list[shards.ClipRow]] = {split: [] for split in SPLITS}
    for clip in sorted(corpus.clips, key=lambda clip: order.sort_key(clip.track_id)):
        path, relative = str(clip.path), _relative(clip.path, corpus.audio_dir)
        row = shards.ClipRow(clip.track_id, path, relative, clip.start_s, _labels(clip))
        by_split[clip.split].append(row)
    tasks = []
    for split, rows in by_split.items():
        starts = range(0, len(rows), clips_per_shard)
        for index, first in enumerate(starts):
            members = tuple(rows[first : first + clips_per_shard])
            tasks.append(shards.ShardTask(split, index, len(starts), first, members))
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

    Raises:
        ValueError: The folders were begun with different numbers, or a plan is damaged.
    """
    found = {path: _settle(path, clips_per_shard) for path in directories}
    agreed, *others = {*found.values()} or {clips_per_shard}
    if others:
        listed = ", ".join(f"{number} in {path}" for path, number in found.items())
        raise ValueError(
            f"these sets were begun with different prepare.clips_per_shard: {listed}. "
            "Finish them one by one, each with --config.spectrogram.kind alone"
        )
    if agreed != clips_per_shard:
        print(
            f"going on with {agreed} clips per shard, with which this set was begun, "
            f"not with prepare.clips_per_shard={clips_per_shard}"
        )
    return agreed


def _settle(directory: Path, clips_per_shard: int) -> int:
    """Creates the folder of parts with a plan in it, or reads the plan that is there.

    Renaming a folder is atomic and fails where a folder with content is.
    """
    parts = directory / shards.PARTS
    mine = temporary(parts)
    mine.mkdir(parents=True)
    settled = shards.sealed({"clips_per_shard": clips_per_shard})
    (mine / PLAN).write_text(json.dumps(settled))
    try:
        mine.rename(parts)
    except OSError as error:
        shutil.rmtree(mine)
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
    try:
        return int(shards.read_sealed(parts / PLAN)["clips_per_shard"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        if catalogue.is_written(directory):  # And tidied up meanwhile.
            return clips_per_shard
        raise ValueError(
            f"{parts / PLAN} is missing or damaged ({error}). Delete {parts} while no "
            "job writes there, then run the same command again"
        ) from error
