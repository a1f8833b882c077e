"""The labels of a whole corpus in one small file, `labels.npz`.

The studies of tags start from it: they need neither the audio nor the shards. Tags are
stored as bits, so that 200,000 clips of 50 tags take 1.4 MB before compression.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from msd_tagger.common import contents, files
from msd_tagger.common.facts import SPLITS
from studies.record_contents import LABELS_OF_SPLIT
from studies.records import HINT, RunRecordError, read_arrays

LABEL_FILE = "labels.npz"


@dataclasses.dataclass(frozen=True)
class SplitLabels:
    """The labels of one split."""

    track_id: np.ndarray  # Text [N].
    tags: np.ndarray  # The corpus's weak labels, uint8 [N, K].
    true_tags: np.ndarray | None = None  # What is audible, uint8 [N, K], where known.


@dataclasses.dataclass(frozen=True)
class LabelTable:
    """The labels of a corpus: K names, and the splits that are there."""

    tag_names: tuple[str, ...]
    splits: Mapping[str, SplitLabels]

    def columns(self, labels: Iterable[str]) -> list[int]:
        """Finds where some labels stand among the tags."""
        return [self.tag_names.index(label) for label in labels]

    def track_ids(self) -> set[str]:
        """Collects the ids of all clips."""
        return {str(i) for labels in self.splits.values() for i in labels.track_id}

    def counted(self) -> tuple[str, np.ndarray] | None:
        """Picks the labels that statistics are of: training, or all without it.

        Says what the clips are, such as "training clips", before their tags `[N, K]`;
        None without any.
        """
        there = [split for split in SPLITS if split in self.splits]
        there = [split for split in there if len(self.splits[split].tags)]
        if not there or not self.tag_names:
            return None
        if "train" in there:
            return "training clips", self.splits["train"].tags
        tags = np.concatenate([self.splits[split].tags for split in there])
        return f"{' and '.join(there)} clips", tags


def write_label_table(path: Path | str, table: LabelTable) -> None:
    """Writes the labels whole or not at all; a file of that name is replaced.

    Raises:
        ValueError: Ids, tags and tag names do not fit each other.
    """
    arrays = {"tag_names": _text(table.tag_names), "splits": _text(table.splits)}
    for split, labels in table.splits.items():
        arrays[f"{split}_track_id"] = _text(labels.track_id)
        expected = (len(labels.track_id), len(table.tag_names))
        for name in ("tags", "true_tags"):
            tags = getattr(labels, name)
            if tags is None:
                continue
            if np.shape(tags) != expected:
                raise ValueError(
                    f"{split} {name} has shape {np.shape(tags)}; {expected[0]} track "
                    f"ids and {expected[1]} tag names ask for {expected}."
                )
            arrays[f"{split}_{name}"] = np.packbits(np.asarray(tags) > 0, axis=1)
    files.write_npz(Path(path), **arrays)  # Jobs of one study do so at the same time.


def read_label_table(path: Path | str) -> LabelTable:
    """Reads what `write_label_table` wrote.

    Raises:
        RunRecordError: The file cannot be read or is no table of labels. The message
            names it.
    """
    path = Path(path)
    arrays = read_arrays(path)
    names = tuple(arrays["tag_names"].tolist())
    splits = arrays["splits"].tolist()
    num_bytes = -(-len(names) // 8)

    def labels_of(split: str) -> SplitLabels:
        prefix = f"{split}_"
        own = {
            name.removeprefix(prefix): array
            for name, array in arrays.items()
            if name.startswith(prefix)
        }
        sizes: contents.Sizes = {"B": (num_bytes, f"{path}: tag_names, as bits,")}
        try:
            contents.check(own, LABELS_OF_SPLIT, f"{path}: {prefix}", sizes)
        except ValueError as error:
            raise RunRecordError(f"{error}{HINT}") from error
        unpacked = {
            name: np.unpackbits(own[name], axis=1, count=len(names))
            for name in ("tags", "true_tags")
            if name in own
        }
        return SplitLabels(own["track_id"], **unpacked)

    return LabelTable(names, {split: labels_of(split) for split in splits})


def find_label_table(workdir: Path) -> LabelTable | None:
    """Reads the `labels.npz` of a study's folder; None where there is none."""
    path = workdir / LABEL_FILE
    return read_label_table(path) if path.exists() else None


def _text(words: Iterable[str]) -> np.ndarray:
    """Returns words as an array of text, also where there are none."""
    return np.array(list(words), dtype=np.str_)
