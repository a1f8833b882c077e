"""The split that lists of clips make, in the forms in which others published theirs."""

import logging
import pickle
from collections import Counter

import numpy as np
import pytest

from input_pipeline.corpora import clip_lists, magnatagatune
from tests.small_magnatagatune import rows, write_annotations

CLIPS = rows()
CHOSEN = {"train": CLIPS[1:9], "valid": CLIPS[12:13], "test": CLIPS[17:]}


def load(folder):
    write_annotations(folder, CLIPS)
    return magnatagatune.load(folder / "mp3", folder)


def write_text(folder, split, clips):
    """Ids, as a user would list them."""
    (folder / f"{split}.txt").write_text(
        "".join(f"{clip_id}\n" for clip_id, *_ in clips)
    )


def write_array(folder, split, clips):
    """Numbers of rows and paths, separated by tabs; a number may be another's id."""
    lines = [f"{number}\t{path}" for number, (*_, path) in enumerate(clips)]
    np.save(folder / f"{split}.npy", np.array(lines))


def write_pickle(folder, split, clips):
    """Paths of arrays that somebody made of the audio, by protocol 0."""
    paths = [path.replace(".mp3", ".npy") for *_, path in clips]
    file = folder / f"{split}_list_pub.cP"
    file.write_bytes(pickle.dumps(paths, protocol=0))


@pytest.mark.parametrize("write", [write_text, write_array, write_pickle])
def test_lists_choose_clips_and_their_split(tmp_path, write, caplog):
    caplog.set_level(logging.INFO)
    whole = load(tmp_path)
    for split, clips in CHOSEN.items():
        write(tmp_path, split, clips)
    corpus = load(tmp_path)
    assert {clip.track_id: clip.split for clip in corpus.clips} == {
        clip_id: split for split, clips in CHOSEN.items() for clip_id, *_ in clips
    }
    labels = {clip.track_id: clip.tags.tolist() for clip in whole.clips}
    assert all(labels[clip.track_id] == clip.tags.tolist() for clip in corpus.clips)
    assert (
        corpus.tags == whole.tags
    )  # Counted over all clips, as the lists' authors do.
    assert corpus.version == f"{whole.version}, lists of 8 / 1 / 3 clips"
    assert "as nobody published; 8 clips are in none" in caplog.text


def test_known_lists_are_called_by_their_source(tmp_path, caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    counts = Counter({split: len(clips) for split, clips in CHOSEN.items()})
    monkeypatch.setitem(magnatagatune.PUBLISHED, "Somebody 2020", dict(counts))
    for split, clips in CHOSEN.items():
        write_text(tmp_path, split, clips)
    load(tmp_path)
    assert "'test': 3}, as Somebody 2020" in caplog.text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2\n", r"test\.txt, entry 1: '2' was listed before"),
        ("17\t \n", r"test\.txt, entry 1: '17\\t ' is not in the annotations"),
        (".\n", r"test\.txt, entry 1: '.' is not in the annotations"),
        ("/\n", r"test\.txt, entry 1: '/' is not in the annotations"),
        ("f/none.mp3\n", r"entry 1: 'f/none.mp3' is not in the annotations"),
        (None, r"2 lists of clips: there must be one for each .* and test has none"),
    ],
)
def test_lists_that_cannot_be_meant_are_named(tmp_path, text, message):
    write_text(tmp_path, "train", CLIPS[:3])
    write_text(tmp_path, "valid", CLIPS[12:13])
    if text is not None:
        (tmp_path / "test.txt").write_text(text)
    with pytest.raises(ValueError, match=message):
        load(tmp_path)


def test_links_to_nowhere_are_no_missing_lists(tmp_path):
    for split in ("train", "valid", "test"):
        (tmp_path / f"{split}.txt").symlink_to("nowhere")
    with pytest.raises(ValueError, match=r"train\.txt cannot be read"):
        load(tmp_path)


def test_names_with_dots_are_told_apart(tmp_path):
    for split in ("train", "valid", "test"):
        (tmp_path / f"{split}.txt").write_text(f"song.{split}\n")
    ids = {f"song.{split}": split for split in ("train", "valid", "test")}
    found = clip_lists.read(tmp_path, ids)
    assert found == {split: split for split in ids.values()}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("test.npy", b"no array"),
        ("test_list_pub.cP", pickle.dumps([1, 2])),
        ("test_list_pub.cP", b"cos\nsystem\n(S'true'\ntR."),
    ],
)
def test_files_that_are_no_lists_are_named(tmp_path, name, content):
    write_text(tmp_path, "train", CLIPS[:3])
    write_text(tmp_path, "valid", CLIPS[12:13])
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=name):
        load(tmp_path)


@pytest.mark.parametrize("order", ["<", ">"])
def test_texts_of_what_is_no_character_are_refused(tmp_path, order):
    for split, clips in CHOSEN.items():
        write_array(tmp_path, split, clips)
    path = tmp_path / "valid.npy"
    array = np.load(path).astype(f"{order}U40")
    array.view(f"{order}u4").reshape(len(array), -1)[0, 2] = 0x0A0A006F
    np.save(path, array)
    with pytest.raises(ValueError, match=r"valid\.npy has texts of what is no charact"):
        load(tmp_path)
