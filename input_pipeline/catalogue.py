"""Completes a set of shards: index, ledger, counts, and registration with TFDS.

Everything here is worked out from the parts that the workers left, so a set can be
completed by whichever process finds it whole.

`corpus.json` says what a complete set holds. A flipped bit in the other files is found
by zip's or TFRecord's checksums. JSON and text have none, so `corpus.json` has a digest
of itself, the recipe and the tags.
"""

import contextlib
import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from input_pipeline import index, originals, records, shards
from input_pipeline.corpora.corpus import Corpus
from input_pipeline.storage import Place, tensorflow
from msd_tagger.common import contents
from msd_tagger.common.contents import COUNT
from msd_tagger.common.csv_files import write_csv
from msd_tagger.common.facts import SPLITS
from msd_tagger.common.files import (
    read_json,
    remove_abandoned,
    temporary,
    write_text,
)
from msd_tagger.frontend.recipe import Recipe

REGISTERED = "dataset_info.json"  # The last of TFDS's files.
LEDGER = "ledger.csv"
CORPUS_FILE = "corpus.json"  # Written last: its presence says that the set is whole.
_WITH_IT = ("recipe.json", "tags.txt")
# What it says; see `contents`.
_COUNTS = {
    "name": str,
    "version": str,
    "num_clips": dict.fromkeys(SPLITS, COUNT),
    "left_out": contents.Each(COUNT),
    "num_tags": COUNT,
    "has_true_tags": bool,
    "shard_lengths": dict.fromkeys(SPLITS, contents.Each(COUNT)),
    "size_bytes": dict.fromkeys(SPLITS, COUNT),
}


def is_complete(directory: Path) -> bool:
    """Tells whether a set is whole and, where it can be, registered with TFDS."""
    registered = (directory / REGISTERED).exists()
    has_tfds = find_spec("tensorflow_datasets") is not None
    can_be = has_tfds and os.access(directory, os.W_OK)
    return is_written(directory) and (registered or not can_be)


def is_written(directory: Place) -> bool:
    """Tells whether all shards and their index are there, registered or not."""
    return (directory / CORPUS_FILE).exists()


def read_counts(directory: Place) -> dict[str, Any]:
    """Reads `corpus.json`, without the digest.

    Sets that were made before there was a digest are not compared with one.

    Raises:
        ValueError: The set was altered since, or the file is not JSON.
    """
    path, again = directory / CORPUS_FILE, f"Delete {directory} and prepare again"
    try:
        counts = read_json(path)
        known = counts.pop("digest", None)
        contents.check(counts, _COUNTS, f"{path}: ")
    except ValueError as error:
        raise ValueError(f"{error}. {again}") from error
    if known not in (None, _digest(directory, counts)):
        raise ValueError(
            f"{CORPUS_FILE}, {' or '.join(_WITH_IT)} in {directory} was altered since "
            f"it was written. {again}"
        )
    return counts


def _digest(directory: Place, counts: dict[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(counts, sort_keys=True).encode())
    for path in (directory / name for name in _WITH_IT):
        if not path.exists():
            raise ValueError(f"{path} is missing. Delete {directory} and prepare again")
        digest.update(path.read_bytes())
    return digest.hexdigest()


def report(
    directory: Place, max_bad_share: float, needed: Sequence[str] = SPLITS
) -> None:
    """Prints what a complete set holds and what was left out, in one line."""
    counts = read_counts(directory)
    _check_bad_share(counts, max_bad_share, directory / LEDGER)
    check_splits(Counter(counts["num_clips"]), directory / LEDGER, needed)
    num_clips = sum(counts["num_clips"].values())
    num_shards = sum(map(len, counts["shard_lengths"].values()))
    num_bad = sum(counts["left_out"].values())
    why = f" ({_reasons(counts)}), see {LEDGER}" if num_bad else ""
    print(
        f"{num_clips} clips in {num_shards} shards, {num_bad} left out{why}: "
        f"{directory}"
    )


def check_splits(counts: Counter, where: Place, needed: Sequence[str]) -> None:
    """Refuses a corpus that leaves a split without clips that needs some."""
    empty = [split for split in needed if not counts[split]]
    if empty:
        raise ValueError(
            f"no clips in {', '.join(empty)} (clips per split: {dict(counts)}); see "
            f"{where}. Assign clips to all of {', '.join(needed)}, in the split column "
            "if the corpus has few clips or artists"
        )


def complete(
    directory: Path,
    recipe: Recipe,
    corpus: Corpus,
    tasks: list[shards.ShardTask],
    max_bad_share: float,
    needed: Sequence[str] = SPLITS,
) -> None:
    """Writes everything but the shards, the mark of completeness last."""
    if is_written(directory):  # At that time TFDS was not installed.
        counts = read_counts(directory)
    else:
        counts = _write_catalogue(
            directory, recipe, corpus, tasks, max_bad_share, needed
        )
    if find_spec("tensorflow_datasets") is not None:
        _register(directory, recipe, counts)
    whole = counts | {"digest": _digest(directory, counts)}
    write_text(directory / CORPUS_FILE, json.dumps(whole, indent=2) + "\n")
    remove_parts(directory)


def remove_parts(directory: Path) -> None:
    """Tidies a complete set up: parts, and temporary files of killed processes."""
    parts = directory / shards.PARTS
    for path in parts.glob("*.json"):
        with contextlib.suppress(OSError):  # Gone, or not ours to remove.
            path.unlink()
    for folder in (directory, parts):
        remove_abandoned(folder)
    with contextlib.suppress(OSError):  # Gone, or another job is still in it.
        parts.rmdir()


def _write_catalogue(
    directory: Path,
    recipe: Recipe,
    corpus: Corpus,
    tasks: list[shards.ShardTask],
    max_bad_share: float,
    needed: Sequence[str],
) -> dict[str, Any]:
    found = dict(zip(tasks, shards.read_parts(directory, tasks), strict=True))
    parts = {task: part for task, part in found.items() if part is not None}
    if len(parts) < len(tasks):
        if is_written(directory):  # Another job completed it, and tidied up.
            return read_counts(directory)
        raise ValueError(
            f"shards have disappeared from {directory}, or audio files have changed "
            "meanwhile; run the same command again, without prepare.worker and "
            "prepare.num_workers"
        )
    ledger = [(*row, "") for row in corpus.rejected]
    ledger += [tuple(row) for part in parts.values() for row in part["rejected"]]
    header = ("track_id", "path", "reason", "detail")
    write_csv(directory / LEDGER, [header, *ledger])
    splits = _splits(corpus, parts)
    counts: dict[str, Any] = {
        "name": corpus.name,
        "version": corpus.version,
        "num_clips": {split: len(own["track_id"]) for split, own in splits.items()},
        "left_out": dict(sorted(Counter(row[2] for row in ledger).items())),
        "num_tags": len(corpus.tags),
        "has_true_tags": corpus.has_true_tags,
        "shard_lengths": {s: own["shard_clips"].tolist() for s, own in splits.items()},
        "size_bytes": {s: int(own["shard_bytes"].sum()) for s, own in splits.items()},
    }
    _check_bad_share(counts, max_bad_share, directory / LEDGER)
    check_splits(Counter(counts["num_clips"]), directory / LEDGER, needed)
    planned = {task.file_name for task in tasks}
    for path in directory.glob(f"{records.DATASET}-*.tfrecord-*"):
        if path.name not in planned:  # Of a plan that was given up.
            path.unlink(missing_ok=True)  # TFDS would trip over it.
    write_text(directory / "recipe.json", recipe.to_json() + "\n")
    write_text(directory / "tags.txt", "".join(f"{tag}\n" for tag in corpus.tags))
    index.write(directory / index.INDEX, corpus.tags, splits)
    ids = [clip.track_id for task in parts for clip in task.clips]
    by_id = sorted(range(len(ids)), key=ids.__getitem__)
    made_of = np.concatenate([part["originals"] for part in parts.values()])
    originals.write(directory, made_of[by_id])
    return counts


def _check_bad_share(
    counts: dict[str, Any], max_bad_share: float, ledger: Place
) -> None:
    num_bad = sum(counts["left_out"].values())
    num_all = num_bad + sum(counts["num_clips"].values())
    if num_bad > max_bad_share * num_all:
        raise ValueError(
            f"{num_bad} of {num_all} clips ({num_bad / num_all:.1%}) had to be left "
            f"out ({_reasons(counts)}), more than "
            f"prepare.max_bad_share={max_bad_share:g} allows; see {ledger}. Repair the "
            "files, or raise prepare.max_bad_share. If the size of a file changes, all "
            f"shards are made again in another folder, and {ledger.parent} can be "
            "deleted"
        )


def _reasons(counts: dict[str, Any]) -> str:
    return ", ".join(f"{count} {why}" for why, count in counts["left_out"].items())


def _splits(
    corpus: Corpus, parts: dict[shards.ShardTask, dict[str, Any]]
) -> dict[str, dict[str, np.ndarray]]:
    """Makes the arrays of the index, see `index.Split`."""
    by_id = {clip.track_id: clip for clip in corpus.clips}
    splits: dict[str, dict[str, np.ndarray]] = {}
    for split in SPLITS:
        own = [part for task, part in parts.items() if task.split == split]
        clips = [by_id[track_id] for part in own for track_id in part["track_id"]]
        shape = len(clips), len(corpus.tags)
        splits[split] = {
            "track_id": np.array([clip.track_id for clip in clips], np.str_),
            "tags": np.array([one.tags for one in clips], np.uint8).reshape(shape),
            "shard_clips": np.array([len(part["track_id"]) for part in own], np.int64),
            "shard_bytes": np.array([part["size_bytes"] for part in own], np.int64),
        }
        if corpus.has_true_tags:
            truth = np.array([one.true_tags for one in clips], np.uint8)
            splits[split]["true_tags"] = truth.reshape(shape)
    return splits


def _register(directory: Path, recipe: Recipe, counts: dict[str, Any]) -> None:
    """Writes features.json and dataset_info.json, each whole or not at all.

    TFDS's own builder writes a data set in one piece and cannot resume; this call
    declares files that are already there.
    """
    tensorflow()  # As TFDS would, which takes longer.
    import tensorflow_datasets as tfds

    def tensor(shape: tuple[int, ...], dtype: type) -> Any:
        encoding = tfds.features.Encoding.BYTES
        return tfds.features.Tensor(shape=shape, dtype=dtype, encoding=encoding)

    features = {
        "track_id": tfds.features.Text(),
        "spectrogram": tensor(recipe.stored_shape, np.float16),
        "tags": tensor((counts["num_tags"],), np.uint8),
    }
    if counts["has_true_tags"]:
        features["true_tags"] = features["tags"]
    template = tfds.core.ShardedFileTemplate(
        data_dir=directory, dataset_name=records.DATASET, filetype_suffix="tfrecord"
    )
    unfinished = temporary(directory / "unfinished")
    unfinished.mkdir()
    try:
        for split in SPLITS:  # It takes names and format of the splits from files.
            (unfinished / records.shard_name(split, 0, 1)).touch()
        tfds.folder_dataset.write_metadata(
            data_dir=unfinished,
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
        for name in ("features.json", REGISTERED):  # When all of it is there.
            (unfinished / name).replace(directory / name)
    finally:
        shutil.rmtree(unfinished)
