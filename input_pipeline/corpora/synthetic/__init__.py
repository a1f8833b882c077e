"""The embedded corpus: procedural music with known tags, written as FLAC files.

It is written in the folder format (`tags.csv` beside `audio/`), so the same decoding,
resampling and shard writing serves it and every real corpus. A clip is a function of
the corpus seed, its number and this version alone; its number says its split. Scores on
it say how well a program works, not how well it would do on music
(docs/synthetic_corpus.md).
"""

import io
import json
import multiprocessing
import os
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from input_pipeline.corpora.synthetic.attributes import draw_attributes
from input_pipeline.corpora.synthetic.clip import synthesize
from input_pipeline.corpora.synthetic.mastering import FILE_SAMPLE_RATE_HZ
from input_pipeline.corpora.synthetic.tag_rules import true_tags
from input_pipeline.corpora.synthetic.weak_labels import weak_tags
from msd_tagger.common import contents, processes
from msd_tagger.common.contents import COUNT, Number
from msd_tagger.common.csv_files import write_csv
from msd_tagger.common.facts import SPLITS
from msd_tagger.common.files import (
    read_json,
    remove_abandoned,
    write_bytes,
    write_text,
)
from msd_tagger.common.tags import TAGS

# Goes up with every change that changes a clip or a label, and is part of every report.
VERSION = "1.3"

# The splits of nine numbers in a row. A split takes its first numbers, so that a larger
# one of the same seed holds a smaller one, whatever the others have.
_SPLITS = ("train",) * 6 + ("valid",) + ("test",) * 2
NUM_CLIPS = (600, 100, 200)  # By default, in the order of `SPLITS`.
_ALLOWED = {
    "num_clips": dict.fromkeys(SPLITS, Number(1, 10**7, is_whole=True)),
    "seed": COUNT,
    "tagability_exponent": Number(0, 2),
    "clip_duration_s": Number(1, 120),
    "num_processes": COUNT,
}
_SETTINGS, _TABLE, _VOCABULARY, _AUDIO = "corpus.json", "tags.csv", "tags.txt", "audio"
# Unfinished files, and what systems that show folders put into them.
_IGNORED = r"\..*|Thumbs\.db|desktop\.ini"
_OWN_NAMES = re.compile(rf"corpus\.json|tags\.csv|tags\.txt|audio|{_IGNORED}")
_OWN_AUDIO_NAMES = re.compile(rf"clip-\d+\.flac|{_IGNORED}")


def label_only(
    num_clips: int, seed: int, tagability_exponent: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Samples the labels of N clips without rendering audio.

    Row i belongs to clip number i of `write_corpus` with the same seed and exponent. An
    exponent of 1 gives the real data set's tag shares (1.7 tags a clip), 0.5 about 2.3
    tags a clip.

    Returns:
        True and weak tags, uint8 `[N, K]` each, columns in the order of `TAGS`.

    Raises:
        ValueError: The exponent is out of range.
    """
    return _labels(np.arange(num_clips), seed, tagability_exponent)


def write_corpus(
    directory: str | os.PathLike,
    num_clips: Sequence[int] = NUM_CLIPS,
    seed: int = 0,
    tagability_exponent: float = 0.5,
    num_processes: int = 0,
    clip_duration_s: float = 29.0,
) -> Path:
    """Writes the corpus as a folder of FLAC files, or finishes writing it.

    Every file gets a temporary name first and `tags.csv` comes last, so a call that was
    interrupted at any moment is simply repeated; a finished corpus returns at once.

    The numbers of clips are those for training, validation and test. The number of
    processes (0 for one per available core) changes no byte.

    Raises:
        ValueError: An argument is out of range, or the directory holds other files or
            another corpus.
    """
    directory = Path(directory)
    settings = {  # What identifies the corpus, as stored in its directory.
        "corpus": "synthetic",
        "version": VERSION,
        "num_clips": dict(zip(SPLITS, num_clips, strict=True)),
        "seed": seed,
        "tagability_exponent": float(tagability_exponent),
        "clip_duration_s": float(clip_duration_s),
    }
    given = settings | {"num_processes": num_processes}
    contents.check(given, _ALLOWED, "the synthetic corpus: ")
    _claim(directory, settings)
    present = {path.name for path in (directory / _AUDIO).iterdir()}
    numbers = clip_numbers(num_clips)
    missing = [i for i in numbers.tolist() if _file_name(i) not in present]
    if not missing and (directory / _TABLE).exists():
        return directory
    _write_audio(directory / _AUDIO, missing, seed, clip_duration_s, num_processes)
    for folder in (directory, directory / _AUDIO):
        remove_abandoned(folder)  # Files of processes that were killed.
    write_text(directory / _VOCABULARY, "\n".join([*TAGS, ""]))
    write_csv(directory / _TABLE, _table_rows(numbers, seed, tagability_exponent))
    return directory


def split_of(clip_number: int) -> str:
    """Returns the split of a clip.

    >>> [split_of(clip_number) for clip_number in (0, 6, 8, 9)]
    ['train', 'valid', 'test', 'train']
    """
    return _SPLITS[clip_number % len(_SPLITS)]


def clip_numbers(num_clips: Sequence[int]) -> np.ndarray:
    """Lists the numbers of a corpus's clips, int `[N]`, by the size of each split.

    >>> clip_numbers((7, 1, 1))
    array([0, 1, 2, 3, 4, 5, 6, 7, 9])
    """
    found = []
    for split, count in zip(SPLITS, num_clips, strict=True):
        places = np.flatnonzero(np.array(_SPLITS) == split)
        turns, within = np.divmod(np.arange(count), len(places))
        found.append(turns * len(_SPLITS) + places[within])
    return np.sort(np.concatenate(found))


def _claim(directory: Path, settings: dict[str, Any]) -> None:
    """Creates the directory, or makes sure that all in it is this corpus's."""
    audio, path = directory / _AUDIO, directory / _SETTINGS
    audio.mkdir(parents=True, exist_ok=True)
    for folder, own_names in ((directory, _OWN_NAMES), (audio, _OWN_AUDIO_NAMES)):
        for entry in sorted(folder.iterdir()):
            if not own_names.fullmatch(entry.name):
                raise ValueError(
                    f"{entry} does not belong to a synthetic corpus, which is never "
                    "written among other files; choose an empty directory."
                )
    if not path.exists():
        content = [*directory.glob("tags.*"), *audio.glob("clip-*")]
        if content:
            raise ValueError(
                f"{directory} holds {content[0].name} but no {_SETTINGS}, so it may "
                "not be a synthetic corpus; choose an empty directory."
            )
        write_text(path, json.dumps(settings, indent=1))
        return
    try:
        found = read_json(path)
    except ValueError as error:
        raise ValueError(
            f"{error}. Delete {directory}; the corpus is then written anew"
        ) from error
    if found != settings:
        raise ValueError(
            f"{directory} holds another corpus: {found}, not {settings}. Choose "
            "another directory, or delete this one."
        )


def _file_name(clip_number: int) -> str:
    return f"clip-{clip_number:06d}.flac"


def _write_audio(
    directory: Path,
    clip_numbers: list[int],
    seed: int,
    duration_s: float,
    num_processes: int,
) -> None:
    """Writes the clips, in worker processes when there are several."""
    num_processes = min(num_processes or processes.available_cores(), len(clip_numbers))
    write = partial(_write_clip, directory, seed, duration_s)
    with processes.progress_bar(len(clip_numbers), "synthetic corpus") as bar:
        if num_processes <= 1:
            for number in clip_numbers:
                write(number)
                bar.update()
            return
        processes.check_shared_memory()
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(
            num_processes, context, initializer=processes.follow_parent
        )
        try:
            with processes.one_thread_each():
                for _ in pool.map(write, clip_numbers, chunksize=4):
                    bar.update()
        except BrokenProcessPool as error:
            raise ValueError(
                "a worker process died while it wrote the synthetic corpus, probably "
                "for lack of memory; finished clips stay. Run the same command again, "
                "with a smaller prepare.num_processes"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _write_clip(
    directory: Path, seed: int, duration_s: float, clip_number: int
) -> None:
    """Renders one clip and writes it as FLAC."""
    sound = synthesize(seed, clip_number, duration_s)
    write_bytes(directory / _file_name(clip_number), encode_flac(sound))


def encode_flac(sound: np.ndarray) -> bytes:
    """Makes a mono FLAC of 16 bits from float32 `[T]` at 22.05 kHz.

    An MP3 encoder would take four times as long as the music itself.
    """
    encoded = io.BytesIO()
    rate_hz = FILE_SAMPLE_RATE_HZ
    soundfile.write(encoded, sound, rate_hz, format="FLAC", subtype="PCM_16")
    return encoded.getvalue()


def _labels(
    numbers: np.ndarray, seed: int, tagability_exponent: float
) -> tuple[np.ndarray, np.ndarray]:
    """Gives the true and weak tags of clips, uint8 `[N, K]` each."""
    true = true_tags(draw_attributes(seed, numbers))
    return true, weak_tags(true, seed, numbers, tagability_exponent)


def _table_rows(
    numbers: np.ndarray, seed: int, tagability_exponent: float
) -> Iterator[Sequence[str]]:
    """Yields the rows of `tags.csv`."""
    true, weak = _labels(numbers, seed, tagability_exponent)
    yield "track_id", "path", "split", "tags", "true_tags"
    names = np.array(TAGS)
    for row, number in enumerate(numbers.tolist()):
        name = _file_name(number)
        tags = ("|".join(names[labels[row] == 1]) for labels in (weak, true))
        yield name.removesuffix(".flac"), f"{_AUDIO}/{name}", split_of(number), *tags
