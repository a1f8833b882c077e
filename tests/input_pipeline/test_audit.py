"""An audit finds every kind of problem that is planted, and none where none is."""

import dataclasses
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from input_pipeline import audit_report
from input_pipeline.audit import audit, findings
from input_pipeline.corpora import Clip, Corpus, folder
from msd_tagger.common.facts import SPLITS
from tests.small_corpus import RECIPE, STFT, write_table

TAGS = ("rock", "pop", "jazz")
LABELS = ((1, 0, 1), (0, 1, 0), (1, 1, 0), (0, 0, 0))
COLUMNS = ("track_id", "path", "split", "tags", "artist", "start_s")

REFERENCE = os.environ.get("MSD_TAGGER_REFERENCE")


def clip(name, split, labels=LABELS[0], path=None, **more):
    path = path or f"{name}.mp3"
    return Clip(name, split, Path("music") / path, np.array(labels, np.uint8), **more)


def clean(num_clips=12):
    """Four clips a split, with and without every tag."""
    return [
        clip(
            f"id-{n:02d}",
            SPLITS[n % 3],
            LABELS[n // 3 % 4],
            artist=f"{SPLITS[n % 3]} {n}",
        )
        for n in range(num_clips)
    ]


def corpus_of(clips, tmp_path, **more):
    """A corpus of these clips, with a file of its own content for each path."""
    placed = []
    for one in clips:
        path = tmp_path / one.path
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"content of {one.path.name}".ljust(40))
        placed.append(dataclasses.replace(one, path=path))
    return Corpus("tones", "1", tmp_path / "music", TAGS, placed, **more)


def found_in(clips, tmp_path, **more):
    found = audit(corpus_of(clips, tmp_path, **more))
    return findings(found), found


def test_a_clean_corpus_has_no_findings(tmp_path):
    sentences, found = found_in(clean(), tmp_path)
    assert sentences == []
    assert not any(found["problems"].values())
    assert found["clips"] == dict.fromkeys(SPLITS, 4)
    assert found["tags_per_clip"] == {split: [1, 1, 2] for split in SPLITS}
    assert found["positives"] == {split: [2, 2, 1] for split in SPLITS}
    assert found["distinct_tag_vectors"] == 4
    artists = found["artists"]
    assert not any(artists.pop("names").values())
    assert artists == {"number": 12, "clips_without": 0, "in_two_splits": {}}
    assert found["files"] == {
        **{"number": 12, "total_bytes": 480},
        **{"missing": 0, "empty": 0, "unreadable": 0},
    }
    assert found["corpus"]["tags"] == list(TAGS)


def test_broken_files(tmp_path):
    corpus = corpus_of(clean(), tmp_path)
    corpus.clips[0].path.unlink()
    corpus.clips[1].path.unlink()
    corpus.clips[2].path.write_bytes(b"")
    corpus.clips[3].path.unlink()
    corpus.clips[3].path.mkdir()
    found = audit(corpus)
    assert findings(found) == [
        "2 of 12 files are missing: id-00.mp3, id-01.mp3.",
        "1 of 12 files is empty: id-02.mp3.",
        "1 of 12 files is unreadable: id-03.mp3.",
    ]
    assert found["problems"]["empty"][0]["clips"] == [["id-02", "test", "id-02.mp3"]]


def test_where_all_files_are_missing_one_line_says_so(tmp_path):
    corpus = corpus_of(clean(), tmp_path)
    for one in corpus.clips:
        one.path.unlink()
    found = audit(corpus)
    (sentence,) = findings(found)
    assert sentence == (
        f"All 12 files are missing below {tmp_path / 'music'}; is that the right "
        "directory?"
    )
    assert found["files"]["missing"] == 12
    assert found["problems"]["missing"] == []


def test_equal_content_under_two_names(tmp_path):
    corpus = corpus_of(clean(), tmp_path)
    for copy, original in ((3, 0), (1, 0), (4, 7)):
        content = corpus.clips[original].path.read_bytes()
        corpus.clips[copy].path.write_bytes(content)
    found = audit(corpus)
    assert findings(found) == [
        "2 groups of files have equal content, 1 in several splits, 2 with different "
        "tags: id-00.mp3 = id-01.mp3 = id-03.mp3, id-04.mp3 = id-07.mp3."
    ]
    first, second = found["problems"]["equal content"]
    assert first["in_two_splits"] and not second["in_two_splits"]


def test_a_copy_with_the_same_tags_in_one_split_is_still_a_copy(tmp_path):
    corpus = corpus_of([*clean(), clip("twin", "train", LABELS[0])], tmp_path)
    corpus.clips[-1].path.write_bytes(corpus.clips[0].path.read_bytes())
    assert findings(audit(corpus)) == [
        "1 group of files has equal content: id-00.mp3 = twin.mp3."
    ]


def test_one_file_for_clips_of_two_splits(tmp_path):
    more = clip("other", "test", LABELS[0], path="id-00.mp3", start_s=29.0)
    sentences, _ = found_in([*clean(), more], tmp_path)
    assert sentences == [
        "1 file has clips in several splits: id-00.mp3 (id-00, other)."
    ]


def test_one_excerpt_for_several_clips(tmp_path):
    same = clip("same", "train", LABELS[0], path="id-00.mp3")
    differs = clip("differs", "train", LABELS[2], path="id-03.mp3")
    sentences, _ = found_in([*clean(), same, differs], tmp_path)
    assert sentences == [
        "2 excerpts have several clips, 1 with different tags: id-00.mp3 (id-00, same)"
        ", id-03.mp3 (id-03, differs)."
    ]


def test_several_excerpts_of_a_file_are_no_problem(tmp_path):
    parts = [
        clip(f"part-{n}", "train", LABELS[n], path="long.mp3", start_s=29.0 * n)
        for n in range(3)
    ]
    sentences, found = found_in([*clean(), *parts], tmp_path)
    assert sentences == []
    assert found["files"]["number"] == 13


def test_an_id_in_two_splits(tmp_path):
    again = clip("id-00", "test", LABELS[0], path="other.mp3")
    sentences, found = found_in([*clean(), again], tmp_path)
    assert sentences == ["1 id is in several splits: id-00."]
    (group,) = found["problems"]["id in two splits"]
    assert [split for _, split, _ in group["clips"]] == ["train", "test"]


def test_ids_in_two_splits_of_a_folder_corpus(tmp_path):
    rows = [(c.track_id, c.path.name, c.split, "rock", "", "") for c in clean()]
    rows += [("id-00", "id-12.mp3", "test", "pop", "", "")]
    rows += [("id-01", "id-13.mp3", "valid", "pop", "", "")]
    corpus = folder.load(write_table(tmp_path, rows, COLUMNS))
    found = findings(audit(corpus))
    assert "1 id is in several splits: id-00." in found
    assert "1 row became no clip (duplicate id): id-01." in found


def test_artists_in_two_splits(tmp_path):
    clips = [
        *clean(),
        clip("a", "train", artist="Can"),
        clip("b", "test", artist="Can"),
        clip("c", "test"),
    ]
    sentences, found = found_in(clips, tmp_path)
    assert sentences == ["1 of 13 artists has clips in several splits: Can."]
    assert found["artists"]["clips_without"] == 1
    assert found["artists"]["in_two_splits"] == {
        "Can": {"train": 1, "valid": 0, "test": 1}
    }


def test_artists_of_which_some_are_one_or_none_are_named(tmp_path):
    names = ["The Can", "the  can", "nan", "nan", "Simon, Paul", "cafe\u0301"]
    clips = [
        *clean(),
        *(clip(f"a{n}", "train", artist=name) for n, name in enumerate(names)),
    ]
    sentences, _ = found_in(clips, tmp_path)
    assert sentences == [
        "Artists written in several ways (1): The Can = the  can. Write each in one "
        "way, with the same capitals and spaces.",
        "Artists that look like an empty cell (1): nan. Leave the cell empty.",
    ]


def test_tags_that_nobody_can_learn_or_score(tmp_path):
    clips = [clip(f"t{n}", "train", labels) for n, labels in enumerate(LABELS[1:])]
    clips += [clip(f"v{n}", "valid", labels) for n, labels in enumerate(LABELS)]
    clips += [clip(f"e{n}", "test", (1, n, n)) for n in range(2)]
    sentences, _ = found_in(clips, tmp_path)
    assert sentences == [
        "1 of 3 tags cannot be learnt, because no clip or every clip of train has "
        "them: jazz.",
        "1 of 3 tags cannot be scored, because no clip or every clip of test has "
        "them: rock.",
    ]


def test_splits_without_clips(tmp_path):
    clips = [one for one in clean() if one.split != "train"]
    sentences, found = found_in(clips, tmp_path)
    assert sentences == [
        "There are no clips in train; a run needs all of train, valid, test."
    ]
    assert found["positives"]["train"] == [0, 0, 0]


def test_a_corpus_without_any_clip(tmp_path):
    rejected = [("a", "a.mp3", "no audio"), ("b", "b.mp3", "no audio")]
    sentences, found = found_in([], tmp_path, rejected=rejected)
    assert sentences == [
        "There are no clips in train and valid and test; a run needs all of train, "
        "valid, test.",
        "2 rows became no clip (no audio): a, b.",
    ]
    assert found["tags_per_clip"] == {split: [0] for split in SPLITS}


def test_differences_from_published_counts_are_named_per_split(tmp_path):
    published = {"Somebody 2020": {"train": 5, "valid": 4, "test": 2}}
    sentences, found = found_in(clean(), tmp_path, published=published)
    assert sentences == []
    assert found["published"]["Somebody 2020"] == {
        "train": {"clips": 5, "difference": -1},
        "valid": {"clips": 4, "difference": 0},
        "test": {"clips": 2, "difference": 2},
    }


def test_prepared_records_are_all_read(corpus, prepared, tmp_path):
    copy = shutil.copytree(prepared["mel"], tmp_path / "mel")
    directories = {RECIPE: copy, STFT: tmp_path / "not yet"}
    found = audit(corpus, directories=directories)
    whole = {"directory": str(copy), "records": 23, "problem": ""}
    assert found["prepared"] == {"mel": whole}
    text = audit_report.text({"findings": [], **found})
    assert f"prepared, mel: all 23 records are whole, in {copy}" in text
    num_findings = len(findings(found))

    shard = copy / "clips-test.tfrecord-00000-of-00001"
    content = bytearray(shard.read_bytes())
    content[-1000] ^= 4
    shard.write_bytes(content)
    found = audit(corpus, directories=directories)
    *others, damaged = findings(found)
    assert len(others) == num_findings
    assert damaged.startswith(f"{shard}, record 3 (from 0): it does not match")
    text = audit_report.text({"findings": [damaged], **found})
    assert "are whole" not in text


@pytest.mark.skipif(
    not REFERENCE, reason="MSD_TAGGER_REFERENCE, the published labels, is not set"
)
def test_the_published_labels_of_the_paper(tmp_path):
    msd = Path(REFERENCE) / "msd"
    tags = tuple((msd / "tags.txt").read_text(encoding="utf-8").splitlines())
    clips = []
    for split in ("valid", "test"):
        ids = (msd / f"{split}_x_msd_id.txt").read_text().split()
        labels = np.load(msd / f"{split}_y.npy").astype(np.uint8)
        clips += [
            Clip(track_id, split, tmp_path / f"{track_id}.mp3", row)
            for track_id, row in zip(ids, labels, strict=True)
        ]
    found = audit(Corpus("msd", "1", tmp_path, tags, clips))
    assert found["clips"] == {"train": 0, "valid": 12_634, "test": 28_540}
    together = {
        tag: found["positives"]["valid"][k] + found["positives"]["test"][k]
        for k, tag in enumerate(tags)
    }
    assert (together["rock"], together["happy"]) == (6_721, 125)
    no_train, missing = findings(found)
    assert no_train.startswith("There are no clips in train;")
    assert missing.startswith("All 41,174 files are missing")


def test_tags_that_nobody_meant_are_listed_with_what_to_do(tmp_path):
    rows = [
        ("a", "Jazz|caf\u00e9"),
        ("b", "jazz|cafe\u0301"),
        ("c", "soul\u200b"),
        ("d", "rock, pop|rock;pop|['rock', 'pop']"),
        ("e", "nan|hip hop|90s|女性ボーカル|👩\u200d🎤|AT&T"),
        ("f", "R&amp;B|caf\u00c3\u00a9|caf\ufffd|ジャズ、ロック|#NAME?"),
    ]
    rows = [(name, f"{name}.mp3", tags) for name, tags in rows]
    corpus = folder.load(write_table(tmp_path, rows, ("track_id", "path", "tags")))
    found = audit(corpus)
    assert found["tag_names"] == {
        "written in several ways": [["Jazz", "jazz"], ["cafe\u0301", "caf\u00e9"]],
        "with invisible characters": [["soul\u200b"]],
        "that HTML or a wrong encoding may have changed": [
            *(["R&amp;B"], ["caf\u00c3\u00a9"], ["caf\ufffd"])
        ],
        "that look like several in one": [
            *(["['rock', 'pop']"], ["rock, pop"], ["rock;pop"], ["ジャズ、ロック"])
        ],
        "that look like an empty cell": [["#NAME?"], ["nan"]],
    }
    sentences = [one for one in findings(found) if one.startswith("Tags ")]
    assert sentences == [
        r"Tags written in several ways (2): Jazz = jazz, cafe\u0301 = café. Write each "
        "in one way, with the same capitals and spaces.",
        r"Tags with invisible characters (1): soul\u200b. Delete these.",
        "Tags that HTML or a wrong encoding may have changed (3): R&amp;B, cafÃ©, caf"
        "\ufffd. Write them as they are meant.",
        "Tags that look like several in one (4): ['rock', 'pop'], rock, pop, rock;pop, "
        "…. Separate tags by |.",
        "Tags that look like an empty cell (2): #NAME?, nan. Leave the cell empty.",
    ]
