"""Every parser: a sound input, how it is read, and what a changed result must keep.

Formats that protect their content (digests, checksums) must give what was written or
refuse; `PROTECTED` says so. The others may give other values, but only those that the
damaged file itself holds: `Parser.wrong` compares them with what other readers find
there, or with the bytes.
"""

import csv
import io
import json
import pickle
import shutil
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from input_pipeline import plan, published, shards
from input_pipeline.batches import open_shards
from input_pipeline.corpora import clip_lists, folder, msd
from msd_tagger.common import workspace
from msd_tagger.frontend import audio
from msd_tagger.frontend.recipe import Recipe
from studies import (
    comparison,
    label_table,
    records,
    report,
    study_report,
    unfinished,
)
from studies.annotation import answers, label_studio
from studies.record_contents import CORPUS
from studies.sections import network
from tests import keras_file, msd_files, small_corpus, small_jamendo, subsets, sweeps
from tests import records as made_records
from tests.preparing import prepare_folder
from tests.reading import whole

LABELS = ("guitar", "male vocalists")


class Parser(NamedTuple):
    """One kind of input.

    Attributes:
        weight: How often it is tried, beside the others.
        make: Writes sound input into an empty folder.
        damaged: Patterns of the files that are damaged, one at a time.
        read: Reads it, to something that can be compared.
        wrong: Says what a changed result has that the damaged file has not, or "".
        is_protected: Whether nothing but what was written may be read.
        open: A file that no digest protects, only the checksums inside of it.
    """

    weight: int
    make: Callable[[Path], Any]
    damaged: tuple[str, ...]
    read: Callable[[Path], Any]
    wrong: Callable[[Path, Any], str] = lambda path, value: ""
    is_protected: bool = False
    open: str = ""


def missing(found: Any, content: bytes, what: str) -> str:
    """Says which texts do not stand in a file, if any."""
    absent = [one for one in found if str(one).encode() not in content]
    return f"{what} {absent[:3]} is nowhere in the file" if absent else ""


# Shards and their parts.


def make_shards(path: Path) -> None:
    """Prepares a small corpus."""
    small_corpus.write_folder(path.with_name("shards_audio"), num_clips=10)
    made = prepare_folder(path.with_name("shards_audio"), path.with_name("shards_data"))
    shutil.copytree(made, path, dirs_exist_ok=True)


def read_shards(path: Path) -> Any:
    """Reads all records of all splits."""
    data = open_shards(path)
    batches = {split: whole(data, split) for split in ("train", "valid", "test")}
    labels = {split: data.labels(split) for split in batches}
    return batches, labels, data.tags, data.recipe, data.corpus


def task_of(path: Path) -> shards.ShardTask:
    """Three clips, the last of which is no audio; they lie beside the set."""
    files = path.with_name("part_audio")
    rows = [
        shards.ClipRow(
            *(f"id-{n}", str(files / f"{n}.wav"), f"{n}.wav", None),
            {"tags": bytes([1, n])},
        )
        for n in range(3)
    ]
    return shards.ShardTask("train", 0, 1, 0, tuple(rows))


def make_part(path: Path) -> None:
    """Writes a shard and its part."""
    task = task_of(path)
    for number, clip in enumerate(task.clips[:2]):
        small_corpus.write_sound(Path(clip.path), number)
    Path(task.clips[2].path).write_text("no audio")
    recipe = small_corpus.RECIPE
    target = shards.Target(recipe, path, recipe.mel_filters())
    plan.agree_on_plan([path], 3)
    shards.write_shard(task, [target])


def read_part(path: Path) -> Any:
    """Reads a part; one that is made anew is as good as the one that was written."""
    part = shards.read_part(path, task_of(path))
    if part is None:
        raise ValueError(f"{path}: the shard is written anew")
    return {name: part[name] for name in ("track_id", "rejected")}


# Bundles.


def make_bundle(path: Path) -> None:
    """Writes a bundle of a small network."""
    from msd_tagger.bundle.format import write_bundle
    from tests.bundles import make_bundle

    write_bundle(path, make_bundle())


def read_bundle(path: Path) -> Any:
    """Reads it."""
    from msd_tagger.bundle.format import read_bundle

    found = read_bundle(path)._asdict()
    weights = found.pop("weights")
    return found, weights.params, weights.batch_stats


# Records and studies.


def make_record(path: Path) -> None:
    """Writes a run's record, without a seal."""
    made_records.write_record(path, num_tags=5, num_clips=30, num_seeds=2)
    rng = np.random.default_rng(0)
    names = np.array(made_records.TAG_NAMES[:5])
    kernel = rng.normal(size=(2, 4, 5)).astype(np.float32)
    np.savez(path / "label_vectors.npz", kernel=kernel, tag_names=names)


def make_begun(path: Path) -> None:
    """Writes what is there of a run that has not come to its end."""
    make_record(path)
    for one in (path / "summary.json", *path.glob("*.npz")):
        one.unlink()
    config = json.loads((path / "config.json").read_text())
    config["train"] |= {"max_epochs": 25.0, "max_steps": 0}
    made_records.write_json(path / "config.json", config)


def read_begun(path: Path) -> Any:
    """Says what the report does of a run that has not come to its end."""
    record = records.read_run_record(path, records.BEGUN)
    drawn = [one.alt for one in report.illustrations(record)]
    return unfinished.notice(record), unfinished.facts(record), drawn


def make_sealed(path: Path) -> None:
    """Writes a run's record with its seal."""
    make_record(path)
    workspace.seal(path)


def read_record(path: Path) -> Any:
    """Reads a record and makes all tables of its report."""
    record = records.read_run_record(path)
    scores = record.summary["scores"]["test"]
    known = records.labels_of(scores)
    for labels in known:
        report.spreads_of(record, labels)
    tables = [report.score_table(scores, None, "weak")]
    tables.append(report.tag_table(record))
    if thresholds := report.threshold_table(record):
        tables.append(thresholds[0])
    tables.append(report.config_table(record.config, record.config_default))
    drawn = [one.alt for one in report.illustrations(record)]
    comparison.seed_numbers(record)
    return [(table.header, table.rows, table.caption) for table in tables], drawn


def write_report(path: Path) -> Any:
    """Writes the whole report, figures too, of a record that can be read."""
    records.read_run_record(path)
    page = study_report.write_report_of(path).read_text(encoding="utf-8")
    (path / "report.html").unlink()
    shutil.rmtree(path / "figures")
    return len(page) > 1000


def make_study(path: Path) -> None:
    """Writes a study of two points, with all that its own folder may hold."""
    points: dict[str, dict[str, Any]] = {"a": {"kind": "mel"}, "b": {"kind": "stft"}}
    sweeps.write_sweep(path, points, num_clips=20)
    made_records.write_json(path / "corpus.json", made_records.SYNTHETIC)
    layer = {"name": "conv1", "kernel": [3, 3], "pool": [2, 4], "map": [32, 96, 1360]}
    layer |= {"output": [32, 48, 340], "parameters": 448, "multiply_adds": 10**7}
    tags = {**layer, "name": "tags", "pool": None, "output": [50, 1, 1]}
    one = {"input": [1, 96, 1360], "layers": [layer, tags], "parameters": 2000}
    one["multiply_adds"] = 2 * 10**7
    made_records.write_json(path / "network.json", {"mel": one, "stft": one})
    rng = np.random.default_rng(0)
    splits = {
        split: label_table.SplitLabels(
            np.array([f"{split}-{n}" for n in range(12)]), rng.random((12, 6)) < 0.4
        )
        for split in ("train", "test")
    }
    table = label_table.LabelTable(sweeps.TAGS, splits)
    label_table.write_label_table(path / "labels.npz", table)
    edges, shares = np.linspace(-5, 15, 21), np.full(20, 0.05)
    bands = {f"band_mean_{one}": np.zeros(8) for one in ("bypass", "a_weighting")}
    np.savez(
        path / "input_stats.npz",
        histogram_edges=edges,
        histogram_db=shares,
        histogram_linear=shares,
        band_centres_hz=np.arange(8.0),
        num_clips=np.array(20),
        **bands,
    )


def read_study(path: Path) -> Any:
    """Reads a study's folder and what stands in it beside the points."""
    record = records.read_sweep_record(path)
    own = records.read_json(path / "corpus.json", CORPUS)
    table = label_table.read_label_table(path / "labels.npz")
    networks = network.study(record)
    points = study_report.points_table(record).rows
    return (
        *(points, own, table.tag_names, table.track_ids(), networks.paragraphs),
        *(networks.tables[0].rows, record.arrays("input_stats")),
    )


# Labels of the Million Song Dataset.


def read_msd(path: Path) -> Any:
    """Reads labels of whatever source, of three tags."""
    corpus = msd.load(path, None, num_tags=3)
    clips = [(c.track_id, c.split, str(c.path.name), c.tags) for c in corpus.clips]
    return corpus.tags, clips, corpus.rejected


def wrong_msd(path: Path, value: Any) -> str:
    """Ids and tags stand in the files, each id once; labels are 0 or 1."""
    tags, clips, _ = value
    content = b"".join(file.read_bytes() for file in sorted(path.iterdir()))
    ids = [clip[0] for clip in clips]
    if len(set(ids)) < len(ids):
        return "an id is there twice"
    if any(set(clip[3].tolist()) - {0, 1} for clip in clips):
        return "a label is neither 0 nor 1"
    return missing(ids, content, "the id") or missing(tags, content, "the tag")


def wrong_split_files(path: Path, value: Any) -> str:
    """Labels are those of the arrays, in their order."""
    _, clips, _ = value
    there = [path / f"{split}_y.npy" for split in ("train", "valid", "test")]
    arrays = [np.load(file) for file in there if file.exists()]
    expected = np.concatenate(arrays).astype(np.uint8)
    if not np.array_equal([clip[3] for clip in clips], expected):
        return "the labels are not those of the arrays"
    return wrong_msd(path, value)


# Published weights.


def read_keras(path: Path) -> Any:
    """Reads an HDF5 file."""
    from msd_tagger.bundle import published_weights

    return published_weights.read_keras(path / "weights.hdf5")


def wrong_keras(path: Path, value: Any) -> str:
    """Every array stands in the file as it is."""
    content = (path / "weights.hdf5").read_bytes()
    params = value.params
    arrays = {"mel_filters": value.mel_filters.T, "tags": params["tags"]["kernel"]}
    for i in range(1, 6):
        kernel = params[f"conv{i}_kernel"].transpose(3, 2, 0, 1)[:, :, ::-1, ::-1]
        arrays |= {f"conv{i}": kernel, f"scale{i}": params[f"norm{i}"]["scale"]}
        arrays |= {f"bias{i}": params[f"conv{i}_bias"]}
    for name, array in arrays.items():
        texts = [np.ascontiguousarray(array, kind).tobytes() for kind in ("<f4", ">f4")]
        if not any(text in content for text in texts):
            return f"{name} is nowhere in the file"
    return ""


# Answers of listeners.

IDS = tuple(f"clip {number}" for number in range(6))


def make_answers(path: Path) -> None:
    """Writes what a page gives."""
    rows = [
        answers.Answer(track_id, label, answer, 'Ann "the ear"')
        for track_id in IDS
        for label, answer in zip(LABELS, ("yes", "unsure"), strict=True)
    ]
    answers.write_answers(path / "answers.csv", rows)


def wrong_answers(path: Path, value: Any) -> str:
    """Every answer is a row, and every row is an answer."""
    text = (path / "answers.csv").read_bytes().decode("utf-8-sig")
    header, *rows = filter(None, csv.reader(io.StringIO(text, newline="")))
    names = [name.strip() for name in header]
    cells = [dict(zip(names, map(str.strip, row), strict=True)) for row in rows]
    found = [one._asdict() for one in value]
    expected = [one | {"answer": one["answer"].lower()} for one in cells]
    return "" if found == expected else f"{len(rows)} rows are {len(value)} answers"


def make_export(path: Path) -> None:
    """Writes tasks, and answers to them as Label Studio does."""
    subset = subsets.make_subset(list(IDS), LABELS)
    clips = subsets.make_clips(path, subset)
    tasks = json.loads(
        label_studio.export_tasks(path / "tasks", subset, clips).read_text()
    )
    for number, task in enumerate(tasks):
        result = [
            {
                "from_name": name,
                "to_name": "audio",
                "type": "choices",
                "value": {"choices": [("yes", "no", "unsure")[number % 3]]},
            }
            for name in task["data"]["questions"]
        ]
        by = {"id": 4, "email": "ann@x.org"} if number % 2 else 7
        one = {"id": number, "completed_by": by, "was_cancelled": False}
        task["annotations"] = [one | {"result": result}]
    (path / "export.json").write_text(json.dumps(tasks, indent=1))


def read_export(path: Path) -> Any:
    """Reads it."""
    return answers.check_answers(answers.read_export(path / "export.json"), IDS, LABELS)


def wrong_export(path: Path, value: Any) -> str:
    """Every answer stands in the file, and none of a sound task is lost."""
    tasks = json.loads((path / "export.json").read_bytes().decode("utf-8-sig"))
    texts = set(_texts(tasks))
    if any({one.track_id, one.label, one.answer} - texts for one in value):
        return "an answer is nowhere in the file"
    return ""


def _texts(tree: Any) -> Iterator[str]:
    inside = tree.values() if isinstance(tree, dict) else tree
    for one in inside if isinstance(tree, (dict, list)) else ():
        yield from [one] if isinstance(one, str) else _texts(one)


# Lists of clips.

LISTED = {f"{letter}/song-{n}-0-29.mp3": str(n) for n, letter in enumerate("0123cdef")}


def make_lists(path: Path) -> None:
    """Writes a list of every form."""
    names = list(LISTED)
    (path / "train.txt").write_text("\n".join(names[:4]))
    np.save(path / "valid.npy", np.array([f"7\t{name}" for name in names[4:6]]))
    (path / "test_list_pub.cP").write_bytes(pickle.dumps(names[6:], protocol=0))


def read_lists(path: Path) -> Any:
    """Reads the split that they make."""
    return clip_lists.read(path, LISTED)


# Folders of audio.


def make_tags(path: Path) -> None:
    """Writes a table of clips and a vocabulary."""
    small_corpus.write_folder(path, num_clips=8)
    shutil.rmtree(path / "audio")


def read_tags(path: Path) -> Any:
    """Reads a folder corpus."""
    corpus = folder.load(path)
    clips = [
        (c.track_id, c.split, c.path.relative_to(path).as_posix(), c.tags)
        for c in corpus.clips
    ]
    return corpus.tags, clips, corpus.rejected


def wrong_tags(path: Path, value: Any) -> str:
    """Every row is a clip or is rejected; ids and tags stand in the tables."""
    tags, clips, rejected = value
    table = (path / "tags.csv").read_bytes()
    text = io.StringIO(table.decode("utf-8-sig"), newline="")
    rows = [*filter(None, csv.reader(text))][1:]
    if len(rows) != len(clips) + len(rejected):
        return f"{len(rows)} rows are {len(clips)} clips, {len(rejected)} rejected"
    for clip, row in zip(clips, [] if rejected else rows, strict=False):
        given = {tag for tag, is_given in zip(tags, clip[3], strict=True) if is_given}
        cells = {x.strip() for cell in row for x in (cell, *cell.split("|"))}
        if given - cells or clip[0] not in cells:
            return f"{clip[0]} has {given}, its row is {row}"
    both = table.replace(b'""', b'"') + (path / "tags.txt").read_bytes()
    return missing(tags, both, "the tag") or missing(
        [clip[0] for clip in clips], table.replace(b'""', b'"'), "the id"
    )


# Published spectrograms and audio.

JAMENDO = Recipe("mel", duration_s=1.0)


def make_published(path: Path) -> None:
    """Writes a published spectrogram."""
    samples = small_corpus.sound(3, 2.0, 12_000)[:, 0]
    values = small_jamendo.published(samples)
    small_jamendo.write_spectrogram(path / "1.npy", values)


def wrong_published(path: Path, value: Any) -> str:
    """The clip is half of what the file holds at its start, at least -100."""
    stored = np.load(path / "1.npy").astype(np.float32)[:, : value.shape[1]]
    expected = np.full(value.shape, -100, np.float16)
    expected[:, : stored.shape[1]] = np.maximum(stored / 2, -100)
    return "" if np.array_equal(value, expected) else "other values than the file's"


def make_audio(name: str, **options: Any) -> Callable[[Path], Any]:
    """Returns what writes two seconds of sound."""
    return lambda path: small_corpus.write_sound(
        path / name, 5, duration_s=2, **options
    )


def read_audio(path: Path) -> Any:
    """Reads one clip of the only file."""
    (file,) = path.iterdir()
    return audio.read_clip(file, JAMENDO)


def wrong_audio(path: Path, value: Any) -> str:
    """A clip is whole, finite, and not silent where the file has sound."""
    if value.shape != (JAMENDO.num_samples,) or not np.isfinite(value).all():
        return f"{value.shape} {value.dtype}, finite: {np.isfinite(value).all()}"
    return ""


def wrong_packed(path: Path, value: Any) -> str:
    """What cannot be decoded is not silent; a file that is short ends in silence."""
    sounds = np.flatnonzero(np.trim_zeros(value, "b"))
    longest_s = np.diff(sounds, prepend=0).max() / JAMENDO.sample_rate_hz
    if longest_s > 0.2:
        return f"{longest_s:.2f} s of silence"
    return wrong_audio(path, value)


def wrong_wav(path: Path, value: Any) -> str:
    """Samples are those of Python's own reader, where that reads the file."""
    try:
        with wave.open(str(path / "a.wav")) as file:
            is_plain = (file.getnchannels(), file.getsampwidth()) == (1, 2)
            rate_hz, content = file.getframerate(), file.readframes(10**6)
    except (wave.Error, EOFError, ValueError, ZeroDivisionError):
        return wrong_audio(path, value)
    samples = np.frombuffer(content[: len(content) // 2 * 2], "<i2") / 2**15
    if is_plain and rate_hz == JAMENDO.sample_rate_hz:
        samples = audio.fit(samples, JAMENDO.num_samples)
        if not np.allclose(samples, value, atol=1e-4):
            return "other samples than the file's"
    return wrong_audio(path, value)


PARSERS = {
    "shards of a prepared set": Parser(
        *(6, make_shards, ("*tfrecord*", "index.npz", "*.json", "tags.txt")),
        *(read_shards, lambda path, value: "", True, "index.npz"),
    ),
    "part of a set": Parser(
        *(4, make_part, ("parts/clips*.json",), read_part, lambda path, value: "", True)
    ),
    "bundle": Parser(
        *(4, make_bundle, ("*",), read_bundle, lambda path, value: "", True)
    ),
    "record of a complete run": Parser(
        *(6, make_sealed, ("[cms]*.json*", "*.npz")),
        *(read_record, lambda path, value: "", True),
    ),
    "record without a seal": Parser(8, make_record, ("*.json*", "*.npz"), read_record),
    "record of a run that goes on": Parser(4, make_begun, ("*.json*",), read_begun),
    "report of a record": Parser(1, make_record, ("*.json*", "*.npz"), write_report),
    "study": Parser(6, make_study, ("*.json", "*.npz", "points/a/*.json*"), read_study),
    "pickles": Parser(
        *(7, msd_files.write_pickles, ("*.cP", "*.txt"), read_msd, wrong_msd)
    ),
    "SQLite": Parser(7, msd_files.write_database, ("*.db",), read_msd, wrong_msd),
    "lists of clips": Parser(
        *(3, make_lists, ("*",), read_lists, lambda path, value: "")
    ),
    "split files": Parser(
        *(5, msd_files.write_split_files, ("*",), read_msd, wrong_split_files)
    ),
    "HDF5": Parser(
        *(5, lambda path: keras_file.write(path / "weights.hdf5"), ("*",)),
        *(read_keras, wrong_keras),
    ),
    "Label Studio": Parser(
        *(5, make_export, ("export.json",), read_export, wrong_export)
    ),
    "annotations": Parser(
        *(4, make_answers, ("answers.csv",)),
        lambda path: answers.read_answers(path / "answers.csv", IDS, LABELS),
        wrong_answers,
    ),
    "tags.csv": Parser(6, make_tags, ("tags.*",), read_tags, wrong_tags),
    "published .npy": Parser(
        *(4, make_published, ("1.npy",)),
        lambda path: published.read_clip(path / "1.npy", JAMENDO),
        wrong_published,
    ),
    "audio, WAV": Parser(
        *(4, make_audio("a.wav", rate_hz=12_000), ("*",), read_audio, wrong_wav)
    ),
} | {
    f"audio, {name}": Parser(
        3, make_audio(f"a.{name.lower()}"), ("*",), read_audio, wrong
    )
    for name, wrong in (
        ("MP3", wrong_packed),
        ("FLAC", wrong_packed),
        ("Ogg", wrong_packed),
        ("AIFF", wrong_audio),
    )
}
