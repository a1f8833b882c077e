"""Reads a prepared set of tiny clips and compares it with what is known of them."""

import csv
import random
from pathlib import Path

import numpy as np

from input_pipeline import records
from msd_tagger.frontend import audio
from msd_tagger.frontend.recipe import Recipe
from msd_tagger.frontend.spectrogram import spectrogram
from scripts import tiny_clips

NUM_SAMPLED = 2000  # Spectrograms computed again.


def verify(data_dir: Path, corpus: Path, num_clips: int) -> dict[str, str]:
    """Checks ids, labels, checksums and spectrograms.

    Returns:
        Rows for the table.

    Raises:
        SystemExit: names what differs.
    """
    (directory,) = data_dir.glob("shards/*/*")
    known = [tiny_clips.clip(number) for number in range(num_clips)]
    good = {clip.track_id: clip for clip in known if not clip.fault}
    bad = {clip.track_id: clip.fault for clip in known if clip.fault}
    _check("leftovers", sorted(p.name for p in directory.glob(".*")), [])
    _check("parts", (directory / "parts").exists(), False)
    with (directory / "ledger.csv").open(newline="", encoding="utf-8") as file:
        ledger = [(row["track_id"], row["reason"]) for row in csv.DictReader(file)]
    _check("ledger", sorted(ledger), sorted(bad.items()))
    num_shards = _check_index_and_shards(directory, good)
    num_sampled = _check_with_tfds(directory, corpus, good)
    return {
        "clips in the set, each once in index and shards": f"{len(good):,}",
        "clips in the ledger, each once": f"{len(bad):,}",
        "shards, all checksums right": f"{num_shards:,}",
        "read with TFDS, spectrogram computed again": f"{num_sampled:,}",
    }


def _check(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise SystemExit(f"{what}: {str(found)[:300]} is not {str(expected)[:300]}")


def _vectors(clips: list[tiny_clips.TinyClip]) -> np.ndarray:
    vectors = np.zeros((len(clips), len(tiny_clips.TAGS)), np.uint8)
    for row, clip in zip(vectors, clips, strict=True):
        row[list(clip.tags)] = 1
    return vectors


def _check_index_and_shards(
    directory: Path, good: dict[str, tiny_clips.TinyClip]
) -> int:
    """Both hold every good clip once, in the order of ids, with its labels."""
    index = np.load(directory / "index.npz")
    num_shards = 0
    for split in ("train", "valid", "test"):
        clips = sorted(
            (clip for clip in good.values() if clip.split == split),
            key=lambda clip: clip.track_id,
        )
        names = sorted(directory.glob(f"clips-{split}.tfrecord-*"))
        found = [records.index_shard(name, check=True) for name in names]
        ids = [track_id for shard in found for track_id in shard.track_id]
        expected = [clip.track_id for clip in clips]
        _check(f"ids of {split} in the shards", ids, expected)
        _check(f"ids of {split}", index[f"{split}_track_id"].tolist(), expected)
        tags = np.concatenate([shard.tags for shard in found if shard.track_id])
        offset = np.concatenate([shard.offset for shard in found])
        for labels in (index[f"{split}_tags"], tags):
            _check(f"tags of {split}", np.array_equal(labels, _vectors(clips)), True)
        same = np.array_equal(index[f"{split}_offset"], offset)
        _check(f"offsets of {split}", same, True)
        num_shards += len(names)
    return num_shards


def _check_with_tfds(
    directory: Path, corpus: Path, good: dict[str, tiny_clips.TinyClip]
) -> int:
    """TFDS reads labels and spectrograms that are computed from the audio again."""
    import tensorflow_datasets as tfds

    recipe = Recipe.from_json((directory / "recipe.json").read_text())
    builder = tfds.builder_from_directory(str(directory))
    size = builder.info.splits["train"].num_examples
    first = random.randrange(max(1, size - NUM_SAMPLED))
    part = f"train[{first}:{min(size, first + NUM_SAMPLED)}]"
    seen = set()
    for example in builder.as_dataset(split=part).as_numpy_iterator():
        clip = good[example["track_id"].decode()]
        start_s = float(clip.start_s) if clip.start_s else None
        samples = audio.read_clip(corpus / clip.path, recipe, start_s)
        expected = spectrogram(samples, recipe)
        same = np.array_equal(example["spectrogram"], expected)
        _check(f"spectrogram of {clip.track_id}", same, True)
        same = np.array_equal(example["tags"], _vectors([clip])[0])
        _check(f"tags of {clip.track_id}", same, True)
        seen.add(clip.track_id)
    _check("clips read with TFDS", len(seen), min(size, NUM_SAMPLED))
    return len(seen)
