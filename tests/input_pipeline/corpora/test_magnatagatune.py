"""MagnaTagATune as it is published: what is read, merged, kept and refused."""

import csv
import logging
from collections import Counter

import numpy as np
import pytest

from configs import checks
from input_pipeline.batches import open_shards
from input_pipeline.corpora import load_corpus, magnatagatune
from input_pipeline.prepare import prepare
from msd_tagger.training import setup
from tests import fakes
from tests.small_corpus import RECIPE
from tests.small_magnatagatune import (
    TAGS,
    rows,
    write_annotations,
    write_clip_info,
    write_magnatagatune,
)


def load(tmp_path, clips=None, **options):
    write_annotations(tmp_path, rows() if clips is None else clips)
    return magnatagatune.load(tmp_path / "mp3", tmp_path, **options)


def test_the_real_layout_becomes_a_corpus(tmp_path):
    audio_dir, label_dir = write_magnatagatune(tmp_path)
    config = {
        "name": "magnatagatune",
        "audio_dir": str(audio_dir),
        "label_dir": str(label_dir),
        "num_tags": 50,
        "merge_synonyms": False,
    }
    corpus = load_corpus(config, tmp_path)
    assert corpus.name == "magnatagatune"
    assert corpus.version.endswith(", 50 tags")
    assert len(corpus.tags) == 50
    assert corpus.tags[:3] == ("guitar", "beats", "strange")
    assert Counter(clip.split for clip in corpus.clips) == {
        "train": 12,
        "valid": 2,
        "test": 6,
    }
    first, last = corpus.clips[0], corpus.clips[-1]
    assert (first.track_id, last.track_id) == ("2", "78")
    assert all(clip.path.is_file() for clip in corpus.clips)
    assert last.path.parent == audio_dir / "f"
    assert [corpus.tags[k] for k in np.flatnonzero(first.tags)] == ["guitar", "strange"]
    assert first.tags.dtype == np.uint8
    assert {clip.artist for clip in corpus.clips if clip.split == "valid"} == {
        "Artist c"
    }
    assert corpus.published == magnatagatune.PUBLISHED


def test_the_published_counts_are_those_of_all_25_863_clips():
    pons, lee, won = magnatagatune.PUBLISHED.values()
    assert sum(pons.values()) == 25_863 - 3
    assert all(lee[split] < pons[split] for split in pons)
    assert sum(won.values()) == sum(lee.values()) + 3 == 21_108


@pytest.mark.parametrize(
    ("folders", "split"), [("0123456789ab", "train"), ("c", "valid"), ("def", "test")]
)
def test_folders_make_the_split(tmp_path, folders, split):
    clips = load(tmp_path, rows(folders=folders)).clips
    assert [clip.split for clip in clips] == [split] * len(folders)


def test_without_clip_info_no_artist_is_known(tmp_path):
    assert {clip.artist for clip in load(tmp_path).clips} == {None}


def test_a_clip_that_clip_info_does_not_know_has_no_artist(tmp_path):
    write_annotations(tmp_path, rows(folders="0c"))
    write_clip_info(tmp_path, {"2": "Kay\tKyser", "999": "Nobody"})
    corpus = magnatagatune.load(tmp_path, tmp_path)
    assert [clip.artist for clip in corpus.clips] == ["Kay\tKyser", None]


def test_synonyms_are_merged_before_tags_are_counted(tmp_path):
    # "strange" has 7 clips and "weird" 6: only together they are more than 7 "beats".
    apart = load(tmp_path, num_tags=3)
    assert apart.tags == ("guitar", "beats", "strange")
    together = load(tmp_path, num_tags=3, merge_synonyms=True)
    assert together.tags == ("beat", "guitar", "strange")
    counts = np.sum([clip.tags for clip in together.clips], axis=0)
    assert counts.tolist() == [13, 13, 13]
    assert together.version == apart.version + ", synonyms merged"


def test_every_synonym_is_a_tag_and_in_one_line():
    members = [name for line in magnatagatune.SYNONYMS for name in line]
    assert len(members) == len(set(members))
    assert set(members) <= set(TAGS)
    assert len(set(TAGS)) == 188
    names, labels = magnatagatune.merged(TAGS, np.eye(188, dtype=np.uint8))
    assert len(names) == 134  # As docs/magnatagatune_corpus.md says.
    # No clip lost its tag, and a line's members all became its first name.
    assert labels.sum(1).tolist() == [1] * 188
    at = {tag: names[row.argmax()] for tag, row in zip(TAGS, labels, strict=True)}
    assert at["women"] == at["female vocal"] == "female"
    assert at["metal"] == "heavy" and at["rock"] == "rock"


def test_clips_without_a_tag_stay_and_are_counted(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        corpus = load(tmp_path, num_tags=1)
    assert len(corpus.clips) == 20
    assert sum(not clip.tags.any() for clip in corpus.clips) == 7
    assert "7 of 20 clips have none of the 1 tags" in caplog.text


def test_more_tags_than_there_are(tmp_path):
    with pytest.raises(ValueError, match=r"num_tags is 189.* has 188 tags; .*=188 or"):
        load(tmp_path, num_tags=189)


@pytest.mark.parametrize(
    ("clip", "message"),
    [
        (("5", (), "../0/x.mp3"), r"line 3: the path '../0/x.mp3' is not inside"),
        (("5", (), "/etc/passwd"), r"line 3: the path '/etc/passwd' is not inside"),
        (("5", (), ""), r"line 3: the path '' is not inside"),
        (
            ("5", (), "g/x.mp3"),
            r"line 3: the mp3_path 'g/x.mp3' is not a file in one of",
        ),
        (
            ("5", (), "f"),
            r"line 3: the mp3_path 'f' is not a file in one of the folders",
        ),
        (("5", (), "mp3/f/x.mp3"), r"line 3: the mp3_path 'mp3/f/x.mp3' is not a file"),
        (("2", (), "1/x.mp3"), r"line 3: the clip_id '2' is empty or was given before"),
        (("", (), "1/x.mp3"), r"line 3: the clip_id '' is empty"),
    ],
)
def test_a_bad_row_is_named(tmp_path, clip, message):
    with pytest.raises(ValueError, match=message):
        load(tmp_path, [*rows(folders="0"), clip])


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["clip_id\trock\tmp3_path", "2\t2\t0/a.mp3"], r"line 2: .*'rock' is '2'; it"),
        (["clip_id\trock\tmp3_path", "2\t\t0/a.mp3"], r"line 2: .*'rock' is ''; it mu"),
        (["clip_id\trock\tmp3_path", "2\t1"], r"line 2: 2 values for 3 columns"),
        (["clip_id\trock\tmp3_path", "2\t1\t1\t0/a"], r"line 2: 4 values for 3 col"),
        (["clip_id,rock,mp3_path"], r"line 1: .* comma-separated; save"),
        (["clip_id\trock\tpath"], r"line 1: missing columns \['mp3_path'\]"),
        (["clip_id\trock\trock\tmp3_path"], r"repeated columns \['rock'\]"),
        (["clip_id\t\tmp3_path"], r"columns without a name: 1"),
        (["clip_id\trock\tmp3_path"], r"0 clips with 0 tags"),
        (["clip_id\tmp3_path", "2\t0/a.mp3"], r"1 clips with 0 tags"),
        ([], r"line 1: missing columns"),
    ],
)
def test_a_bad_table_is_named(tmp_path, lines, message):
    (tmp_path / "annotations_final.csv").write_text("\n".join(lines))
    with pytest.raises(ValueError, match=message) as raised:
        magnatagatune.load(tmp_path, tmp_path, num_tags=1)
    assert "annotations_final.csv" in str(raised.value)


def test_a_table_in_another_encoding_and_none_at_all(tmp_path):
    with pytest.raises(ValueError, match=r"annotations_final.csv does not exist"):
        magnatagatune.load(tmp_path, tmp_path)
    (tmp_path / "annotations_final.csv").write_bytes(b"clip_id\t\xff\tmp3_path\n")
    with pytest.raises(ValueError, match=r"line 1: .* is not UTF-8 but perhaps cp1252"):
        magnatagatune.load(tmp_path, tmp_path)


def test_a_bad_clip_info_is_named(tmp_path):
    write_annotations(tmp_path, rows())
    with (tmp_path / "clip_info_final.csv").open("w") as file:
        csv.writer(file, delimiter="\t").writerows([("clip_id", "title"), ("2", "x")])
    with pytest.raises(ValueError, match=r"clip_info_final.csv, line 1: missing.*arti"):
        magnatagatune.load(tmp_path, tmp_path)


def test_from_files_to_the_batches_of_a_network(tmp_path, capfd):
    audio_dir, label_dir = write_magnatagatune(tmp_path)
    # One of the three files that are empty in everybody's copy.
    next((audio_dir / "6").glob("*.mp3")).write_bytes(b"")
    config = fakes.small_config(
        corpus__name="magnatagatune",
        corpus__audio_dir=str(audio_dir),
        corpus__label_dir=str(label_dir),
        corpus__num_tags=4,
        corpus__merge_synonyms=True,
        model__pools=((8, 7), (12, 6)),
        train__batch_size=4,
    )
    checks.check(config)
    corpus = load_corpus(config.corpus, tmp_path)
    shards = prepare(corpus, [RECIPE], tmp_path / "data", num_processes=1)
    assert "19 clips in 3 shards, 1 left out (1 empty)" in capfd.readouterr().out
    data = open_shards(shards["mel"])
    assert data.tags == ("beat", "guitar", "strange", "techno")
    setup.set_up(config, data)
    batch = next(data.train_batches(4, 0))
    assert batch["tags"].shape == (4, 4) and batch["mask"].all()
    assert np.ptp(batch["spectrogram"], axis=(1, 2)).min() > 1
