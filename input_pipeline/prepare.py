"""Audio to shards, offline: plans the shards, runs the workers, completes the set.

    <data_dir>/shards/<corpus>-<digest>/<recipe>/
        clips-train.tfrecord-00000-of-00010, …   TFRecord files
        features.json, dataset_info.json         for tfds.builder_from_directory
        recipe.json, tags.txt                    how it was made; the order of tags
        index.npz                                ids and labels; clips of a shard
        originals.npz                            which audio files it was made of
        ledger.csv                               files left out, and why
        corpus.json                              counts; its presence says: complete

Both digests are part of the path: another clip list or recipe is another folder. So
is other audio under the same names and of the same sizes: <corpus>-<digest>-2.
"""

import contextlib
import itertools
import multiprocessing
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent import futures
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from input_pipeline import beam, catalogue, plan, published, shards
from input_pipeline.corpora.corpus import Corpus
from input_pipeline.plan import Slice, shard_directories
from msd_tagger.common import processes
from msd_tagger.common.facts import SPLITS
from msd_tagger.frontend.recipe import Recipe


def prepare(
    corpus: Corpus,
    recipes: Sequence[Recipe],
    data_dir: Path | str,
    num_processes: int = 0,
    clips_per_shard: int = 64,
    max_bad_share: float = 0.1,
    own: Slice = Slice(),  # noqa: B008 (immutable)
    beam_options: Sequence[str] = (),
    needed: Sequence[str] = SPLITS,
) -> dict[str, Path]:
    """Makes the shards of one or several recipes, decoding every file once.

    A complete set is recognised and left alone; an interrupted one goes on with the
    shards that are missing. The result does not depend on the number of processes and
    jobs, nor on interruptions, to the byte.

    Args:
        corpus: The clips.
        recipes: At most one of each kind, of the same sample rate, duration and offset.
        data_dir: The shards go below it.
        num_processes: 0 for one per core.
        clips_per_shard: 64 mel spectrograms are 17 MB. A set that was begun goes on as
            it was begun.
        max_bad_share: Share of files that may be left out.
        own: The slice of the shards that this job writes; by default all of them.
        beam_options: Of an Apache Beam pipeline that writes the shards, if not empty.
        needed: The splits that must have clips: all of them to train.

    Returns:
        Directory of every recipe's kind, to be given to `batches.open_shards`. A job of
        several may leave it incomplete, and then says so.

    Raises:
        ValueError: The recipes do not go together, or do not fit published
            spectrograms; too many bad files; a needed split without clips; a
            target that cannot be written.
        KeyboardInterrupt: Finished shards stay, and what to do is printed.
    """
    _check_recipes(recipes)
    published.check_recipes((clip.path for clip in corpus.clips), recipes)
    if clips_per_shard < 1:
        raise ValueError(
            f"prepare.clips_per_shard is {clips_per_shard}; it must be at least 1"
        )
    directories = shard_directories(corpus, recipes, data_dir)
    if not all(map(catalogue.is_complete, directories.values())):
        with _clear_errors(data_dir):
            clips_per_shard = begin(corpus, directories, clips_per_shard, needed)
            tasks = plan.shard_tasks(corpus, clips_per_shard)
            write_missing(own.of(tasks), directories, num_processes, beam_options)
            complete(corpus, directories, tasks, own, max_bad_share, needed)
    for directory in filter(catalogue.is_complete, directories.values()):
        # Another job may have completed the set before the last parts of this one.
        catalogue.remove_parts(directory)
        catalogue.report(directory, max_bad_share, needed)
    return {recipe.kind: directory for recipe, directory in directories.items()}


def begin(
    corpus: Corpus,
    directories: dict[Recipe, Path],
    clips_per_shard: int,
    needed: Sequence[str] = SPLITS,
) -> int:
    """Checks that it can end well, and settles the number of clips per shard."""
    counts = Counter(clip.split for clip in corpus.clips)
    catalogue.check_splits(counts, corpus.audio_dir, needed)
    unfinished = itertools.filterfalse(catalogue.is_written, directories.values())
    return plan.agree_on_plan(unfinished, clips_per_shard)


def write_missing(
    tasks: list[shards.ShardTask],
    directories: dict[Recipe, Path],
    num_processes: int,
    beam_options: Sequence[str] = (),
) -> int:
    """Writes the shards that a set lacks, and returns how many those were."""
    work: list[shards.Work] = []
    # Asked only now: a set that was completed since then has no parts any more.
    targets = [
        shards.Target(recipe, directory, recipe.mel_filters())
        for recipe, directory in directories.items()
        if not catalogue.is_written(directory)
    ]
    parts = [shards.read_parts(one.directory, tasks, retry=True) for one in targets]
    for task, *found in zip(tasks, *parts, strict=True):
        needed = [t for t, part in zip(targets, found, strict=True) if part is None]
        if needed:
            work.append((task, needed))
    # The largest first: no process is left alone with a full one at the end.
    work.sort(key=lambda item: -len(item[0].clips))
    if work and beam_options:
        beam.run(work, beam_options)
    elif work:
        run_workers(work, num_processes or processes.available_cores())
    return len(work)


def complete(
    corpus: Corpus,
    directories: dict[Recipe, Path],
    tasks: list[shards.ShardTask],
    own: Slice,
    max_bad_share: float,
    needed: Sequence[str] = SPLITS,
) -> None:
    """Completes the sets, or says how much other jobs have still to write."""
    for recipe, directory in directories.items():
        num_missing = 0
        if own.num_workers > 1:
            num_missing = shards.count_missing(directory, tasks)
        # In this order: parts disappear as soon as another job has completed the set.
        if catalogue.is_complete(directory):
            continue
        if num_missing and not catalogue.is_written(directory):
            print(
                f"slice {own.worker} of {own.num_workers} (from 0) is written; "
                f"{num_missing:,} of {len(tasks):,} shards of the set are still "
                "missing; the last job to finish completes it, or the same command "
                f"without prepare.worker and prepare.num_workers: {directory}"
            )
        else:
            catalogue.complete(directory, recipe, corpus, tasks, max_bad_share, needed)


def run_workers(work: list[shards.Work], num_processes: int) -> None:
    """Writes shards in fresh processes, with a progress bar over clips."""
    processes.check_shared_memory()
    context = multiprocessing.get_context("spawn")
    sizes = (len(work), len(work), 1)
    counts = shards.SharedCounts(*(context.RawArray("q", size) for size in sizes))
    num_clips = sum(len(task.clips) for task, _ in work)
    with (
        processes.one_thread_each(),
        processes.progress_bar(num_clips, "preparing") as bar,
        futures.ProcessPoolExecutor(
            min(num_processes, len(work)),
            mp_context=context,
            initializer=shards.start_worker,
            initargs=(counts,),
        ) as pool,
    ):
        try:
            pending = {
                pool.submit(shards.write_shard, *item, number)
                for number, item in enumerate(work)
            }
            while pending:
                done, pending = futures.wait(pending, 0.2, futures.FIRST_EXCEPTION)
                bar.set_postfix(left_out=sum(counts.num_left_out), refresh=False)
                bar.update(sum(counts.num_done) - bar.n)
                for future in done:
                    future.result()
        except BaseException as error:
            counts.stop[0] = True
            pool.shutdown(wait=True, cancel_futures=True)
            if isinstance(error, KeyboardInterrupt):
                bar.write(
                    "Stopped. Finished shards stay; the same command goes on from "
                    "there.",
                    file=sys.stderr,
                )
            raise


def _check_recipes(recipes: Sequence[Recipe]) -> None:
    kinds = [recipe.kind for recipe in recipes]
    clips = {
        (r.sample_rate_hz, r.duration_s, r.offset, r.excerpts_per_track)
        for r in recipes
    }
    if not kinds or len(set(kinds)) < len(kinds) or len(clips) > 1:
        raise ValueError(
            f"recipes of kinds {kinds} with (rate, duration, offset, excerpts) "
            f"{sorted(clips)}; give one recipe of each kind, all of the same clip"
        )


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
