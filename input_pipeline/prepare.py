"""Audio to shards, offline: plans the shards, runs the workers, completes the set.

    <data_dir>/shards/<corpus>-<digest>/<recipe>/
        clips-train.tfrecord-00000-of-00010, …   TFRecord files
        features.json, dataset_info.json         for tfds.builder_from_directory
        recipe.json, tags.txt                    how it was made; the order of tags
        index.npz                                row to id, labels, place in a file
        ledger.csv                               files left out, and why
        corpus.json                              counts; its presence says: complete

Both digests are part of the path: another clip list or recipe is another folder.
"""

import contextlib
import hashlib
import itertools
import json
import multiprocessing
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent import futures
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from tqdm import tqdm

from input_pipeline import beam, catalogue, jobs, published, shards
from input_pipeline.corpora import Clip, Corpus
from msd_tagger.common.facts import SPLITS
from msd_tagger.common.processes import available_cores, one_thread_each, progress_bar
from msd_tagger.frontend.recipe import Recipe

Work = tuple[shards.ShardTask, list[shards.Target]]
_BLOCK_CLIPS = 1000  # Files that a thread looks at in one go.


def prepare(
    corpus: Corpus,
    recipes: Sequence[Recipe],
    data_dir: Path | str,
    num_processes: int = 0,
    clips_per_shard: int = 64,
    max_bad_share: float = 0.1,
    own: jobs.Slice = jobs.Slice(),  # noqa: B008 (immutable)
    beam_options: Sequence[str] = (),
) -> dict[str, Path]:
    """Makes the shards of one or several recipes, decoding every file once.

    A complete set is recognised and left alone; an interrupted one goes on with the
    shards that are missing. The result does not depend on the number of processes and
    jobs, nor on interruptions, to the byte.

    Args:
        recipes: at most one of each kind, of the same sample rate, duration and offset.
        num_processes: 0 for one per core.
        clips_per_shard: 64 mel spectrograms are 17 MB. A set that was begun goes on as
            it was begun.
        max_bad_share: share of files that may be left out.
        own: the slice of the shards that this job writes; by default all of them.
        beam_options: of an Apache Beam pipeline that writes the shards, if not empty.

    Returns:
        Directory of every recipe's kind, to be given to `batches.open_shards`. A job of
        several may leave it incomplete, and then says so.

    Raises:
        ValueError: the recipes do not go together, or do not fit published
            spectrograms; too many bad files; a split without clips; a target that
            cannot be written.
        KeyboardInterrupt: finished shards stay, and what to do is printed.
    """
    _check_recipes(recipes)
    published.check_recipes((clip.path for clip in corpus.clips), recipes)
    _check_plan(clips_per_shard)
    directories = shard_directories(corpus, recipes, data_dir)
    if not all(map(catalogue.is_complete, directories.values())):
        with _clear_errors(data_dir):
            clips_per_shard = _begin(corpus, directories, clips_per_shard)
            tasks = plan(corpus, clips_per_shard)
            work = _missing_shards(own.of(tasks), directories)
            if work and beam_options:
                beam.run(work, beam_options)
            elif work:
                _run(work, num_processes or available_cores())
            _complete(corpus, directories, tasks, own, max_bad_share)
    for directory in filter(catalogue.is_complete, directories.values()):
        catalogue.remove_parts(directory)  # Ours may be later than the completion.
        catalogue.report(directory, max_bad_share)
    return {recipe.kind: directory for recipe, directory in directories.items()}


def shard_directories(
    corpus: Corpus, recipes: Sequence[Recipe], data_dir: Path | str
) -> dict[Recipe, Path]:
    """Where the shards of a corpus are or will be, for every recipe."""
    name = f"{corpus.name}-{clip_list_digest(corpus)}"
    root = Path(data_dir).absolute() / "shards" / name
    return {recipe: root / recipe.identifier for recipe in recipes}


def clip_list_digest(corpus: Corpus) -> str:
    """Eight hexadecimal digits that change with anything that changes the shards.

    Ids, splits, relative paths, sizes of the files, starts, labels and the tags.
    """
    digest = hashlib.sha256(json.dumps(corpus.tags).encode())
    clips = sorted(corpus.clips, key=lambda clip: clip.track_id)
    for clip, size_bytes in zip(clips, _sizes_bytes(clips), strict=True):
        row = (clip.track_id, clip.split, _relative(clip.path, corpus.audio_dir))
        digest.update(repr((*row, size_bytes, clip.start_s)).encode())
        for label in _labels(clip).values():
            digest.update(label)
    return digest.hexdigest()[:8]


def _sizes_bytes(clips: list[Clip]) -> Iterator[int]:
    """Size of every clip's file, -1 where there is none.

    In threads, which share the waiting: where each file takes half a millisecond, as
    on a network's file system, 240,000 take 9 s and not 139. On a local disk they take
    0.8 s either way.
    """
    blocks = range(0, len(clips), _BLOCK_CLIPS)
    with futures.ThreadPoolExecutor(16) as pool:
        for sizes in pool.map(
            lambda first: list(map(_size_bytes, clips[first : first + _BLOCK_CLIPS])),
            blocks,
        ):
            yield from sizes


def _size_bytes(clip: Clip) -> int:
    try:
        return os.stat(clip.path).st_size  # noqa: PTH116 (3 times faster)
    except OSError:
        return -1


def plan(corpus: Corpus, clips_per_shard: int) -> list[shards.ShardTask]:
    """Cuts every split, sorted by track id, into shards."""
    by_split: dict[str, list[Clip]] = {split: [] for split in SPLITS}
    for clip in sorted(corpus.clips, key=lambda clip: clip.track_id):
        by_split[clip.split].append(clip)
    tasks = []
    for split, clips in by_split.items():
        starts = range(0, len(clips), clips_per_shard)
        for index, first in enumerate(starts):
            members = clips[first : first + clips_per_shard]
            rows = tuple(_row(clip, corpus.audio_dir) for clip in members)
            task = shards.ShardTask(split, index, len(starts), first, rows)
            tasks.append(task)
    return tasks


def _begin(
    corpus: Corpus, directories: dict[Recipe, Path], clips_per_shard: int
) -> int:
    """Checks that it can end well, and settles the number of clips per shard."""
    counts = Counter(clip.split for clip in corpus.clips)
    catalogue.check_splits(counts, corpus.audio_dir)
    unfinished = itertools.filterfalse(catalogue.is_written, directories.values())
    return jobs.agree_on_plan(unfinished, clips_per_shard)


def _complete(
    corpus: Corpus,
    directories: dict[Recipe, Path],
    tasks: list[shards.ShardTask],
    own: jobs.Slice,
    max_bad_share: float,
) -> None:
    for recipe, directory in directories.items():
        num_missing = 0
        if own.num_workers > 1:
            num_missing = jobs.count_missing(directory, tasks)
        # In this order: parts disappear as soon as another job has completed the set.
        if catalogue.is_complete(directory):
            continue
        if num_missing and not catalogue.is_written(directory):
            jobs.report(own, num_missing, len(tasks), directory)
        else:
            catalogue.complete(directory, recipe, corpus, tasks, max_bad_share)


def _check_plan(clips_per_shard: int) -> None:
    if clips_per_shard < 1:
        raise ValueError(
            f"prepare.clips_per_shard is {clips_per_shard}; it must be at least 1"
        )


def _check_recipes(recipes: Sequence[Recipe]) -> None:
    kinds = [recipe.kind for recipe in recipes]
    clips = {(r.sample_rate_hz, r.duration_s, r.offset) for r in recipes}
    if not kinds or len(set(kinds)) < len(kinds) or len(clips) > 1:
        raise ValueError(
            f"recipes of kinds {kinds} with (rate, duration, offset) {sorted(clips)}; "
            "give one recipe of each kind, all of the same clip"
        )


def _row(clip: Clip, audio_dir: Path) -> shards.ClipRow:
    return shards.ClipRow(
        track_id=clip.track_id,
        path=str(clip.path),
        relative_path=_relative(clip.path, audio_dir),
        start_s=clip.start_s,
        labels=_labels(clip),
    )


def _labels(clip: Clip) -> dict[str, bytes]:
    labels = {"tags": clip.tags.tobytes()}
    if clip.true_tags is not None:
        labels["true_tags"] = clip.true_tags.tobytes()
    return labels


def _relative(path: Path, audio_dir: Path) -> str:
    text, root = str(path), f"{audio_dir}{os.sep}"
    return text.removeprefix(root).replace(os.sep, "/")


@contextlib.contextmanager
def _clear_errors(data_dir: Path | str) -> Iterator[None]:
    try:
        yield
    except BrokenProcessPool as error:
        raise ValueError(
            "a worker process died, for lack of memory or because a file crashed its "
            "decoder; finished shards stay. Run the same command again, with a smaller "
            "prepare.num_processes if memory was short"
        ) from error
    except OSError as error:
        raise ValueError(
            f"cannot write shards below {data_dir}: {error}. Finished shards stay; "
            "make room or choose another --data_dir, then run the same command again"
        ) from error


def _missing_shards(
    tasks: list[shards.ShardTask], directories: dict[Recipe, Path]
) -> list[Work]:
    """What is to be done: tasks, and the sets that lack them."""
    work = []
    # Asked only now: a set that was completed since then has no parts any more.
    targets = [
        shards.Target(recipe, directory, recipe.mel_filters())
        for recipe, directory in directories.items()
        if not catalogue.is_written(directory)
    ]
    for task in tasks:
        needed = [t for t in targets if shards.read_part(t.directory, task) is None]
        if needed:
            work.append((task, needed))
    # The largest first: no process is left alone with a full one at the end.
    work.sort(key=lambda item: -len(item[0].clips))
    return work


def _run(work: list[Work], num_processes: int) -> None:
    """Runs the tasks in fresh processes, with a progress bar over clips."""
    context = multiprocessing.get_context("spawn")
    progress = shards.Progress.of(context, len(work))
    num_clips = sum(len(task.clips) for task, _ in work)
    with (
        one_thread_each(),
        progress_bar(num_clips, "preparing") as bar,
        futures.ProcessPoolExecutor(
            min(num_processes, len(work)),
            mp_context=context,
            initializer=shards.start_worker,
            initargs=(progress,),
        ) as pool,
    ):
        try:
            pending = {
                pool.submit(shards.write_shard, *item, place)
                for place, item in enumerate(work)
            }
            _follow(pending, progress, bar)
        except BaseException as error:
            progress.stop[0] = True
            pool.shutdown(wait=True, cancel_futures=True)
            if isinstance(error, KeyboardInterrupt):
                bar.write(
                    "Stopped. Finished shards stay; the same command goes on from "
                    "there.",
                    file=sys.stderr,
                )
            raise


def _follow(pending: set[futures.Future], progress: shards.Progress, bar: tqdm) -> None:
    while pending:
        done, pending = futures.wait(pending, 0.2, futures.FIRST_EXCEPTION)
        bar.set_postfix(left_out=sum(progress.num_left_out), refresh=False)
        bar.update(sum(progress.num_done) - bar.n)
        for future in done:
            future.result()
