"""The Million Song Dataset from each source of labels, in both layouts of the audio."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from input_pipeline.corpora import load_corpus, msd, tables
from input_pipeline.corpora.msd import pickles
from input_pipeline.corpora.tables import split_of
from input_pipeline.prepare import prepare
from msd_tagger.common.tags import TAGS as PUBLISHED_TAGS
from tests import msd_files
from tests.msd_files import IDS, LABELS, SEVEN_DIGITAL, SPLITS, TAGS
from tests.small_corpus import RECIPE

WRITERS = {
    "split_files": msd_files.write_split_files,
    "lastfm": msd_files.write_database,
    "pickles": msd_files.write_pickles,
}
PLACES = {
    ("msd", ".mp3"): lambda n: "/".join(IDS[n][2:5]) + f"/{IDS[n]}.mp3",
    ("7digital", ".clip.mp3"): lambda n: (
        f"{SEVEN_DIGITAL[n][0]}/{SEVEN_DIGITAL[n][1]}/{SEVEN_DIGITAL[n]}.clip.mp3"
    ),
}


@pytest.fixture(scope="module")
def audio(tmp_path_factory):
    """Directory of each layout; the last track's file is missing."""
    return {
        layout: msd_files.write_audio(tmp_path_factory.mktemp("audio"), *layout, [11])
        for layout in PLACES
    }


def _labels_of(corpus):
    columns = [corpus.tags.index(tag) for tag in TAGS]
    return {clip.track_id: clip.tags[columns].tolist() for clip in corpus.clips}


def _write(source, directory):
    WRITERS[source](directory)
    if source == "lastfm":  # Its tags are the most frequent ones.
        return directory, {"num_tags": 3}
    return directory, {}


@pytest.mark.parametrize("source", WRITERS)
@pytest.mark.parametrize("layout", PLACES)
def test_every_source_in_every_layout(tmp_path, audio, source, layout):
    label_dir, options = _write(source, tmp_path)
    if layout[0] == "7digital":
        msd_files.write_table_of_ids(label_dir)
    corpus = msd.load(label_dir, audio[layout], **options)
    assert _labels_of(corpus) == dict(zip(IDS, LABELS.tolist(), strict=True))
    assert corpus.name == "msd" and corpus.rejected == []
    by_id = {clip.track_id: clip for clip in corpus.clips}
    for n, track_id in enumerate(IDS):
        clip = by_id[track_id]
        assert clip.path == audio[layout] / PLACES[layout](n)
        assert clip.path.is_file() == (n != 11)
        assert clip.tags.dtype == np.uint8
        expected = split_of(track_id) if source == "lastfm" else SPLITS[n]
        assert clip.split == expected


@pytest.mark.parametrize(
    ("source", "layout"),
    [
        ("split_files", ("7digital", ".clip.mp3")),
        ("lastfm", ("msd", ".mp3")),
        ("pickles", ("msd", ".mp3")),
    ],
)
def test_from_files_to_shards(tmp_path, audio, source, layout):
    label_dir, options = _write(source, tmp_path / "labels")
    corpus = msd.load(label_dir, audio[layout], **options)
    directory = prepare(corpus, [RECIPE], tmp_path / "data", 1)["mel"]
    index = np.load(directory / "index.npz")
    columns = [index["tag_names"].tolist().index(tag) for tag in TAGS]
    found = {}
    for split in ("train", "valid", "test"):
        rows = index[f"{split}_tags"][:, columns].tolist()
        found |= dict(zip(index[f"{split}_track_id"].tolist(), rows, strict=True))
    assert found == dict(zip(IDS[:11], LABELS[:11].tolist(), strict=True))
    ledger = (directory / "ledger.csv").read_text().splitlines()[1:]
    assert len(ledger) == 1
    assert ledger[0].startswith(f"{IDS[11]},{PLACES[layout](11)},missing,")


def test_tags_of_the_database_are_counted_or_listed(tmp_path, audio):
    label_dir = msd_files.write_database(tmp_path)
    place = audio[("msd", ".mp3")]
    corpus = msd.load(label_dir, place, num_tags=4)
    assert corpus.tags == ("Hip-Hop", "rock", "Mellow", "rare")
    assert sum(clip.tags[3] for clip in corpus.clips) == 1
    msd_files.write_vocabulary(tmp_path, tags=("Mellow", "rare"))
    with pytest.raises(ValueError, match=r"num_tags=4: .* a list of 2 tags"):
        msd.load(label_dir, place, num_tags=4)
    corpus = msd.load(label_dir, place)
    assert corpus.tags == ("Mellow", "rare")
    assert {clip.track_id for clip in corpus.clips} == {*IDS[::3], IDS[11]}
    assert sorted(tmp_path.iterdir()) == [
        tmp_path / "lastfm_tags.db",
        tmp_path / "tags.txt",
    ]


def test_labels_that_come_with_their_tags_are_not_counted(tmp_path):
    label_dir = msd_files.write_split_files(tmp_path)
    with pytest.raises(ValueError, match=r"corpus.num_tags=7: .* \(split_files\) come"):
        msd.load(label_dir, None, num_tags=7)


def test_what_is_not_above_fifty_does_not_count(tmp_path):
    corpus = msd.load(msd_files.write_database(tmp_path, (100, 50)), None, num_tags=2)
    assert {clip.track_id for clip in corpus.clips} == set(IDS[::2])


def test_the_first_list_of_the_pickles_holds_two_splits(tmp_path, monkeypatch):
    monkeypatch.setattr(pickles, "NUM_TRAIN", 6)
    corpus = msd.load(msd_files.write_pickles(tmp_path, with_valid=False), None)
    assert [clip.split for clip in corpus.clips] == SPLITS


@pytest.mark.parametrize("protocol", [2, 4])
def test_pickles_that_python_3_wrote_again(tmp_path, protocol):
    vectors = {
        name.encode(): row.astype(np.float64)
        for name, row in zip(IDS, LABELS, strict=True)
    }
    content = pickle.dumps(vectors, protocol)
    corpus = msd.load(msd_files.write_pickles(tmp_path, content), None)
    assert _labels_of(corpus) == dict(zip(IDS, LABELS.tolist(), strict=True))


@pytest.mark.parametrize("kind", ["7d_id", "filename"])
def test_split_files_without_msd_ids(tmp_path, audio, kind):
    label_dir = msd_files.write_split_files(tmp_path, [kind])
    corpus = msd.load(label_dir, audio[("7digital", ".clip.mp3")])
    assert [clip.track_id for clip in corpus.clips] == SEVEN_DIGITAL
    assert corpus.clips[0].path.is_file()
    with pytest.raises(ValueError, match=r"such as 3/6/36122424\.clip\.mp3, ending in"):
        msd.load(label_dir, audio[("msd", ".mp3")])


def test_a_track_without_7digital_id_is_left_out(tmp_path, audio):
    label_dir = msd_files.write_pickles(tmp_path)
    table = dict(zip(IDS[1:], SEVEN_DIGITAL[1:], strict=True))
    msd_files.write_table_of_ids(tmp_path, table)
    corpus = msd.load(label_dir, audio[("7digital", ".clip.mp3")])
    assert [clip.track_id for clip in corpus.clips] == IDS[1:]
    assert corpus.rejected == [(IDS[0], "", "no 7digital id")]


def test_another_extension(tmp_path):
    label_dir = msd_files.write_split_files(tmp_path / "labels")
    audio_dir = msd_files.write_audio(tmp_path / "audio", "7digital", ".ogg")
    corpus = msd.load(label_dir, audio_dir)
    assert all(clip.path.is_file() for clip in corpus.clips)


def test_the_layout_is_known_from_a_few_files(tmp_path, monkeypatch, audio):
    label_dir = msd_files.write_split_files(tmp_path)
    sought = []
    exists = Path.is_file
    monkeypatch.setattr(
        Path, "is_file", lambda path: sought.append(path) or exists(path)
    )
    monkeypatch.setattr(tables, "ENOUGH_FOUND", 2)
    msd.load(label_dir, audio[("msd", ".mp3")])
    sought = [path for path in sought if path.suffix != ".txt"]
    assert len(sought) == 2 * len(msd.EXTENSIONS)


def test_the_version_tells_labels_apart(tmp_path):
    first = msd.load(msd_files.write_split_files(tmp_path / "a"), None)
    same = msd.load(msd_files.write_split_files(tmp_path / "b"), None)
    assert same.version == first.version
    changed = np.load(tmp_path / "b" / "test_y.npy")
    changed[0, 0] ^= True
    np.save(tmp_path / "b" / "test_y.npy", changed)
    other = msd.load(tmp_path / "b", None)
    assert other.version.startswith("split files ")
    assert other.version != first.version


def test_it_goes_by_name(tmp_path, audio):
    config = {
        "name": "msd",
        "label_dir": str(msd_files.write_pickles(tmp_path)),
        "audio_dir": str(audio[("msd", ".mp3")]),
        "labels": "pickles",
        "num_tags": 0,
    }
    assert len(load_corpus(config, tmp_path).clips) == 12
    with pytest.raises(ValueError, match=r"needs --config.corpus.label_dir=DIR"):
        load_corpus(config | {"label_dir": ""}, tmp_path)


REFERENCE = os.environ.get("MSD_TAGGER_REFERENCE")


@pytest.mark.skipif(
    not REFERENCE, reason="MSD_TAGGER_REFERENCE, the published labels, is not set"
)
def test_the_published_files(caplog):
    corpus = msd.load(Path(REFERENCE) / "msd", None)
    assert "has no train_y.npy" in caplog.text
    counts = {s: sum(clip.split == s for clip in corpus.clips) for s in SPLITS}
    assert counts == {"train": 0, "valid": 12_634, "test": 28_540}
    assert corpus.tags == PUBLISHED_TAGS
    labels = np.array([clip.tags for clip in corpus.clips]).sum(0)
    assert labels[corpus.tags.index("rock")] == 6721
    assert labels[corpus.tags.index("happy")] == 125
    for source in corpus.published.values():
        assert source["train"] in (201_680, 201_672)
    assert corpus.published["the public split files"] == counts | {"train": 201_680}
