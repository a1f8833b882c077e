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
import csv
import hashlib
import io
import json
import multiprocessing
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent import futures
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from input_pipeline import shards
from input_pipeline.corpora import SPLITS, Clip, Corpus
from input_pipeline.recipe import Recipe

COMPLETE = "corpus.json"


def prepare(
    corpus: Corpus,
    recipes: Sequence[Recipe],
    data_dir: Path | str,
    num_workers: int = 0,
    clips_per_shard: int = 64,
    max_bad_share: float = 0.1,
) -> dict[str, Path]:
    """Makes the shards of one or several recipes, decoding every file once.

    A complete set is recognised and left alone; an interrupted one goes on with the
    shards that are missing. The result does not depend on the number of workers, nor on
    interruptions, to the byte.

    Args:
        corpus: the clips.
        recipes: at most one of each kind, of the same sample rate, duration and offset.
        data_dir: the shards go below it.
        num_workers: processes; 0 for one per core.
        clips_per_shard: 64 mel spectrograms are 17 MB.
        max_bad_share: share of files that may be left out.

    Returns:
        Directory of every recipe's kind, to be given to `batches.open_shards`.

    Raises:
        ValueError: the recipes do not go together; too many bad files; a split without
            clips; a target that cannot be written.
        KeyboardInterrupt: finished shards stay, and what to do is printed.
    """
    _check_recipes(recipes)
    directories = shard_directories(corpus, recipes, data_dir)
    missing = {r: d for r, d in directories.items() if not is_complete(d)}
    if missing:
        _check_splits(Counter(clip.split for clip in corpus.clips), corpus.audio_dir)
        tasks = plan(corpus, clips_per_shard)
        with _clear_errors(data_dir):
            _write_missing_shards(tasks, missing, num_workers or os.cpu_count() or 1)
            for recipe, directory in missing.items():
                _complete(directory, recipe, corpus, tasks, max_bad_share)
    for directory in directories.values():
        _report(directory, max_bad_share)
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
    for clip in sorted(corpus.clips, key=lambda clip: clip.track_id):
        try:
            size_bytes = os.stat(clip.path).st_size  # noqa: PTH116 (3 times faster)
        except OSError:
            size_bytes = -1
        row = (clip.track_id, clip.split, _relative(clip.path, corpus.audio_dir))
        digest.update(repr((*row, size_bytes, clip.start_s)).encode())
        for label in _labels(clip).values():
            digest.update(label)
    return digest.hexdigest()[:8]


def plan(corpus: Corpus, clips_per_shard: int) -> list[shards.ShardTask]:
    """Cuts every split, sorted by track id, into shards.

    Raises:
        ValueError: `clips_per_shard` is below 1.
    """
    if clips_per_shard < 1:
        raise ValueError(
            f"prepare.clips_per_shard is {clips_per_shard}; it must be at least 1"
        )
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


def is_complete(directory: Path) -> bool:
    """Whether a set is whole and, where TFDS is installed, registered with it."""
    has_tfds = find_spec("tensorflow_datasets") is not None
    registered = (directory / "dataset_info.json").exists()
    return (directory / COMPLETE).exists() and (registered or not has_tfds)


def _check_recipes(recipes: Sequence[Recipe]) -> None:
    kinds = [recipe.kind for recipe in recipes]
    clips = {(r.sample_rate_hz, r.duration_s, r.offset) for r in recipes}
    if not kinds or len(set(kinds)) < len(kinds) or len(clips) > 1:
        raise ValueError(
            f"recipes of kinds {kinds} with (rate, duration, offset) {sorted(clips)}; "
            "give one recipe of each kind, all of the same clip"
        )


def _check_splits(counts: Counter, where: Path) -> None:
    empty = [split for split in SPLITS if not counts[split]]
    if empty:
        raise ValueError(
            f"no clips in {', '.join(empty)} (clips per split: {dict(counts)}); see "
            f"{where}. Assign clips to all of {', '.join(SPLITS)}, in the split column "
            "if the corpus has few clips or artists"
        )


def _row(clip: Clip, audio_dir: Path) -> tuple:
    path = _relative(clip.path, audio_dir)
    return clip.track_id, str(clip.path), path, clip.start_s, _labels(clip)


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
    except futures.process.BrokenProcessPool as error:
        raise ValueError(
            "a worker process died, most often for lack of memory; finished shards "
            "stay. Run the same command again, with a smaller prepare.num_workers"
        ) from error
    except OSError as error:
        raise ValueError(
            f"cannot write shards below {data_dir}: {error}. Finished shards stay; "
            "make room or choose another --data_dir, then run the same command again"
        ) from error


def _write_missing_shards(
    tasks: list[shards.ShardTask], directories: dict[Recipe, Path], num_workers: int
) -> None:
    work = []
    for directory in directories.values():
        (directory / shards.PARTS).mkdir(parents=True, exist_ok=True)
    for task in tasks:
        needed = {
            recipe: directory
            for recipe, directory in directories.items()
            if shards.read_part(directory, task) is None
        }
        if needed:
            work.append((task, needed))
    if work:
        _run(work, list(directories), num_workers)


def _run(work: list[tuple], recipes: list[Recipe], num_workers: int) -> None:
    """Runs the tasks in fresh processes, with a progress bar over clips."""
    context = multiprocessing.get_context("spawn")
    counters = context.Array("q", 3)  # See shards._State.
    filters = {recipe: recipe.mel_filters() for recipe in recipes}
    num_clips = sum(len(task.clips) for task, _ in work)
    with (
        _one_thread_each(),
        _progress(num_clips) as bar,
        futures.ProcessPoolExecutor(
            min(num_workers, len(work)),
            mp_context=context,
            initializer=shards.start_worker,
            initargs=(counters, filters),
        ) as pool,
    ):
        try:
            pending = {pool.submit(shards.write_shard, *item) for item in work}
            _follow(pending, counters, bar)
        except BaseException as error:
            counters[2] = True
            pool.shutdown(wait=True, cancel_futures=True)
            if isinstance(error, KeyboardInterrupt):
                bar.write(
                    "Stopped. Finished shards stay; the same command goes on from "
                    "there.",
                    file=sys.stderr,
                )
            raise


def _follow(pending: set[futures.Future], counters: Any, bar: tqdm) -> None:
    while pending:
        done, pending = futures.wait(pending, 0.2, futures.FIRST_EXCEPTION)
        bar.set_postfix(left_out=counters[1], refresh=False)
        bar.update(counters[0] - bar.n)
        for future in done:
            future.result()


def _progress(num_clips: int) -> tqdm:
    # A log file gets a line every half minute, a terminal a moving bar.
    interval_s = 0.2 if sys.stderr.isatty() else 30.0
    return tqdm(total=num_clips, desc="preparing", unit="clip", mininterval=interval_s)


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    """Lets every worker use one core: workers times BLAS threads would fight.

    The libraries read these when they are first imported, in the child.
    """
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _complete(
    directory: Path,
    recipe: Recipe,
    corpus: Corpus,
    tasks: list[shards.ShardTask],
    max_bad_share: float,
) -> None:
    """Writes everything but the shards, the mark of completeness last."""
    if not (directory / COMPLETE).exists():
        parts = {task: shards.read_part(directory, task) for task in tasks}
        ledger = [(*row, "") for row in corpus.rejected]
        for part in parts.values():
            ledger += [tuple(row) for row in part["rejected"]]
        _write(directory / "ledger.csv", _csv(ledger))
        counts = _counts(corpus, parts, ledger)
        _check_bad_share(counts, max_bad_share, directory / "ledger.csv")
        _check_splits(Counter(counts["num_clips"]), directory / "ledger.csv")
        _remove_strangers(directory, tasks)
        _write(directory / "recipe.json", recipe.to_json() + "\n")
        _write(directory / "tags.txt", "".join(f"{tag}\n" for tag in corpus.tags))
        with shards.replacing(directory / "index.npz") as file:
            np.savez(file, **_index(corpus, parts))
    else:
        counts = json.loads((directory / COMPLETE).read_text(encoding="utf-8"))
    if find_spec("tensorflow_datasets") is not None:
        _register(directory, recipe, counts)
    _write(directory / COMPLETE, json.dumps(counts, indent=2) + "\n")
    _remove_parts(directory)


def _counts(corpus: Corpus, parts: dict, ledger: list[tuple]) -> dict[str, Any]:
    lengths: dict[str, list[int]] = {split: [] for split in SPLITS}
    sizes: dict[str, int] = dict.fromkeys(SPLITS, 0)
    for task, part in parts.items():
        lengths[task.split].append(len(part["track_id"]))
        sizes[task.split] += part["size_bytes"]
    return {
        "name": corpus.name,
        "version": corpus.version,
        "num_clips": {split: sum(lengths[split]) for split in SPLITS},
        "left_out": dict(sorted(Counter(row[2] for row in ledger).items())),
        "num_tags": len(corpus.tags),
        "has_true_tags": corpus.has_true_tags,
        "shard_lengths": lengths,
        "size_bytes": sizes,
    }


def _check_bad_share(
    counts: dict[str, Any], max_bad_share: float, ledger: Path
) -> None:
    num_bad = sum(counts["left_out"].values())
    num_all = num_bad + sum(counts["num_clips"].values())
    if num_bad > max_bad_share * num_all:
        raise ValueError(
            f"{num_bad} of {num_all} clips ({num_bad / num_all:.1%}) had to be left "
            f"out ({_reasons(counts)}), more than prepare.max_bad_share="
            f"{max_bad_share:g} allows; see {ledger}. Mend the files, or raise "
            "prepare.max_bad_share"
        )


def _reasons(counts: dict[str, Any]) -> str:
    return ", ".join(f"{count} {why}" for why, count in counts["left_out"].items())


def _report(directory: Path, max_bad_share: float) -> None:
    counts = json.loads((directory / COMPLETE).read_text(encoding="utf-8"))
    _check_bad_share(counts, max_bad_share, directory / "ledger.csv")
    num_clips = sum(counts["num_clips"].values())
    num_shards = sum(map(len, counts["shard_lengths"].values()))
    num_bad = sum(counts["left_out"].values())
    why = f" ({_reasons(counts)}), see ledger.csv" if num_bad else ""
    print(
        f"{num_clips} clips in {num_shards} shards, {num_bad} left out{why}: "
        f"{directory}"
    )


def _index(corpus: Corpus, parts: dict) -> dict[str, np.ndarray]:
    """Arrays of index.npz; rows of a split are in the order of their track ids.

    Per split: track_id [N] text, shard int32 [N], offset int64 [N] of the spectrogram
    in its file, tags uint8 [N, K], true_tags uint8 [N, K] if known, and the size of
    every file, shard_bytes.
    """
    labels = {clip.track_id: clip for clip in corpus.clips}
    index: dict[str, np.ndarray] = {}
    for split in SPLITS:
        rows = [
            (track_id, task.index, offset)
            for task, part in parts.items()
            if task.split == split
            for track_id, offset in zip(part["track_id"], part["offset"], strict=True)
        ]
        ids, numbers, offsets = zip(*rows, strict=True)
        index[f"{split}_track_id"] = np.array(ids)
        index[f"{split}_shard"] = np.array(numbers, np.int32)
        index[f"{split}_offset"] = np.array(offsets, np.int64)
        index[f"{split}_tags"] = np.stack([labels[i].tags for i in ids])
        if corpus.has_true_tags:
            true_tags = np.stack([labels[i].true_tags for i in ids])
            index[f"{split}_true_tags"] = true_tags
        index[f"{split}_shard_bytes"] = np.array(
            [part["size_bytes"] for task, part in parts.items() if task.split == split]
        )
    return index


def _register(directory: Path, recipe: Recipe, counts: dict[str, Any]) -> None:
    """Writes features.json and dataset_info.json.

    TFDS's own builder writes a data set in one piece and cannot resume; this call
    declares files that are already there.
    """
    import tensorflow_datasets as tfds

    as_bytes = tfds.features.Encoding.BYTES
    tags = tfds.features.Tensor(
        shape=(counts["num_tags"],), dtype=np.uint8, encoding=as_bytes
    )
    features = {
        "track_id": tfds.features.Text(),
        "spectrogram": tfds.features.Tensor(
            shape=recipe.shape, dtype=np.float16, encoding=as_bytes
        ),
        "tags": tags,
    }
    if counts["has_true_tags"]:
        features["true_tags"] = tags
    template = tfds.core.ShardedFileTemplate(
        data_dir=directory, dataset_name=shards.DATASET, filetype_suffix="tfrecord"
    )
    tfds.folder_dataset.write_metadata(
        data_dir=directory,
        features=features,
        split_infos=[
            tfds.core.SplitInfo(
                name=split,
                shard_lengths=lengths,
                num_bytes=counts["size_bytes"][split],
                filename_template=template.replace(split=split),
            )
            for split, lengths in counts["shard_lengths"].items()
        ],
        version=f"{recipe.version}.0.0",
        description=f"{counts['name']} {counts['version']}, {recipe.to_json()}",
        check_data=False,
    )


def _remove_strangers(directory: Path, tasks: list[shards.ShardTask]) -> None:
    """Removes shards of another `clips_per_shard`: TFDS would trip over them."""
    planned = {task.file_name for task in tasks}
    for path in directory.glob(f"{shards.DATASET}-*.tfrecord-*"):
        if path.name not in planned:
            path.unlink(missing_ok=True)


def _remove_parts(directory: Path) -> None:
    parts = directory / shards.PARTS
    for path in [*parts.glob("*"), *parts.glob(".*"), *directory.glob(".*.tmp")]:
        path.unlink(missing_ok=True)
    with contextlib.suppress(FileNotFoundError):
        parts.rmdir()


def _csv(ledger: list[tuple]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([("track_id", "path", "reason", "detail"), *ledger])
    return text.getvalue()


def _write(path: Path, text: str) -> None:
    with shards.replacing(path) as file:
        file.write(text.encode())
