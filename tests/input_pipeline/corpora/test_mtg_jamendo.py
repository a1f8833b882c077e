"""MTG-Jamendo: its tables, its three kinds of files, and what is refused."""

import time
from collections import Counter

import numpy as np
import pytest

from configs import checks, default
from input_pipeline import audit, audit_report, batches, corpora
from input_pipeline.corpora import load_corpus, mtg_jamendo
from input_pipeline.plan import clip_list_digest
from input_pipeline.prepare import prepare
from msd_tagger.frontend.recipe import Recipe
from msd_tagger.training import setup
from tests import fakes, small_jamendo
from tests.small_jamendo import HAPPY, PIANO, ROCK, row, write_labels, write_tracks

FORMS = (".mp3", ".low.mp3", ".npy")


def empty_tracks(audio_dir, tables, form=".mp3"):
    """Files for tests that only look for them."""
    for line in (line for table in tables for line in table):
        path = audio_dir / line.split("\t")[3].replace(".mp3", form)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return audio_dir


def load(directory, tables=None, **options):
    tables = tables or small_jamendo.rows()
    labels = write_labels(directory / "labels", tables)
    return mtg_jamendo.load(labels, empty_tracks(directory / "a", tables), **options)


def load_with(directory, line, **options):
    """Loads with one more row in the validation table: its line 6."""
    tables = small_jamendo.rows()
    labels = write_labels(
        directory / "labels", [tables[0], [*tables[1], line], tables[2]]
    )
    return mtg_jamendo.load(labels, empty_tracks(directory / "a", tables), **options)


def test_an_audit_of_the_labels_needs_no_audio(tmp_path):
    labels = write_labels(tmp_path / "labels")
    config = default.get_config()
    config.corpus.name, config.corpus.label_dir = "mtg_jamendo", str(labels)
    corpora.check(config.corpus, needs_audio=False)
    with pytest.raises(ValueError, match=r"needs --config\.corpus\.audio_dir=DIR"):
        corpora.check(config.corpus)
    corpus = load_corpus(config.corpus, tmp_path)
    assert len(corpus.clips) == 14 and corpus.version.endswith(", labels alone")
    found = audit.audit(corpus)
    assert found["files"]["number"] == 0 and found["clips"]["train"] == 6
    assert not any("missing" in one for one in audit.findings(found))
    told = audit_report.text(found | {"findings": []})
    assert "labels alone: no files were looked at" in told
    assert str(tmp_path) not in told


def test_tables_become_a_corpus(tmp_path):
    corpus = load(tmp_path)
    assert corpus.name == "mtg_jamendo"
    assert corpus.version.startswith("autotagging_top50tags split-0 (")
    assert corpus.tags == (ROCK, PIANO, HAPPY)  # Alphabetical.
    assert Counter(clip.split for clip in corpus.clips) == {
        "train": 6,
        "valid": 4,
        "test": 4,
    }
    clip = corpus.clips[2]
    assert (clip.track_id, clip.artist) == ("track_0000102", "artist_000051")
    assert clip.path == tmp_path / "a" / "02" / "102.mp3"
    assert clip.tags.tolist() == [1, 1, 0]
    assert clip.tags.dtype == np.uint8
    assert clip.start_s == 0.0  # 3 s are less than a clip.
    assert clip.true_tags is None


@pytest.mark.parametrize("form", FORMS)
def test_what_is_on_disk_is_found_out(tmp_path, form):
    tables = small_jamendo.rows()
    labels = write_labels(tmp_path / "labels", tables)
    audio_dir = empty_tracks(tmp_path / "a", tables, form)
    empty_tracks(audio_dir, tables[1:2], ".npy" if form == ".mp3" else ".mp3")
    corpus = mtg_jamendo.load(labels, audio_dir)
    assert {"".join(clip.path.suffixes) for clip in corpus.clips} == {form}
    assert corpus.version.endswith(mtg_jamendo.FORMS[form])


def test_nothing_on_disk_names_what_was_looked_for(tmp_path):
    labels = write_labels(tmp_path / "labels")
    with pytest.raises(ValueError, match=r"00/100\.mp3, .*00/100\.low\.mp3, .*\.npy"):
        mtg_jamendo.load(labels, tmp_path)


def test_paths_make_other_shards(tmp_path):
    tables = small_jamendo.rows()
    labels = write_labels(tmp_path / "labels", tables)
    digests = {
        clip_list_digest(
            mtg_jamendo.load(labels, empty_tracks(tmp_path / form, tables, form))
        )
        for form in FORMS
    }
    assert len(digests) == 3


def test_one_excerpt_is_the_centre_and_several_are_spread_later(tmp_path):
    line = row(7, [ROCK], duration_s=129.0)
    (one,) = load_with(tmp_path, line).clips[10:11]
    assert (one.track_id, one.start_s) == ("track_0000007", 50.0)
    (many,) = load_with(tmp_path, line, excerpts_per_track=4).clips[10:11]
    assert (many.track_id, many.start_s) == ("track_0000007", None)
    assert (many.split, many.artist) == ("valid", "artist_000003")
    (short,) = load_with(tmp_path, line, clip_duration_s=9.0).clips[10:11]
    assert short.start_s == 60.0


def test_folds_subsets_and_a_fold_of_its_own(tmp_path):
    labels = tmp_path / "labels"
    genre = [[row(n, [ROCK])] for n in (100, 106, 110)]
    write_labels(labels, genre, fold=3, subset="autotagging_genre")
    audio_dir = empty_tracks(tmp_path / "a", genre)
    options = {"subset": "autotagging_genre", "fold": 3}
    whole = mtg_jamendo.load(labels, audio_dir, **options)
    alone = mtg_jamendo.load(labels / "split-3", audio_dir, **options)
    assert whole.tags == alone.tags == (ROCK,)
    assert whole.version == alone.version
    assert whole.published == {}
    with pytest.raises(ValueError, match=r"labels/split-3, but corpus.fold is 2"):
        mtg_jamendo.load(labels / "split-3", audio_dir, options["subset"], fold=2)
    with pytest.raises(ValueError, match=r"split-3/autotagging-train\.tsv"):
        mtg_jamendo.load(labels, audio_dir, "autotagging", fold=3)


def test_published_counts_are_of_clips(tmp_path):
    counts = {"train": 32_136, "valid": 10_888, "test": 11_356}
    assert sum(counts.values()) == 54_380
    assert load(tmp_path).published == {
        "MTG-Jamendo, autotagging_top50tags split-0": counts
    }


def test_a_list_of_tags_wins(tmp_path):
    listed = tmp_path / "labels" / "tags.txt"
    load(tmp_path)
    listed.write_text(f"{HAPPY}\n{ROCK}\ngenre---none\n{PIANO}\n")
    corpus = load(tmp_path)
    assert corpus.tags == (HAPPY, ROCK, "genre---none", PIANO)
    assert corpus.clips[2].tags.tolist() == [0, 1, 0, 1]
    listed.write_text(f"{ROCK}\n{HAPPY}\n")
    with pytest.raises(
        ValueError, match=rf"train\.tsv, line 4: .*{PIANO}' is not amon"
    ):
        load(tmp_path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (row(7, []), "5 columns; expected 5 and at least one tag"),
        ("track_0000007", "1 columns"),
        (row(7, [ROCK], track="7"), "the ids are '7', 'artist_000003'"),
        (row(7, [ROCK], track="track_7a"), "the ids are 'track_7a'"),
        (row(7, [ROCK], artist="Nina"), ".*'Nina', 'album_000003'"),
        (row(7, [ROCK], album="album_"), ".*'album_'; expected track_"),
        (row(7, [ROCK], duration="long"), "DURATION is 'long'"),
        (row(7, [ROCK], duration="nan"), "DURATION is 'nan'"),
        (row(7, [ROCK], duration="0"), "DURATION is '0'"),
        (row(7, [ROCK], path="../7.mp3"), r"the path '\.\./7\.mp3' is not inside"),
        (row(7, [ROCK], path="/etc/7.mp3"), r"the path '/etc/7\.mp3' is not inside"),
        (row(7, [ROCK], path="07/7.wav"), r"the path '07/7\.wav' must end in \.mp3"),
        (row(7, ["style---rock"]), "the tag 'style---rock' must be one of the cat"),
        (row(7, [ROCK, "genre-rock"]), "the tag 'genre-rock' must"),
        (row(7, [ROCK, ""]), "the tag '' must"),
        (row(7, ["genre---"]), "the tag 'genre---' must"),
        (row(102, [ROCK]), r"track_0000102 is in two splits, .*train\.tsv, line 4"),
        (row(107, [ROCK]), r"track_0000107 is listed twice, .*validation.tsv, line 3"),
    ],
)
def test_a_bad_row_is_named(tmp_path, line, message):
    where = r"split-0/autotagging_top50tags-validation\.tsv, line 6: "
    with pytest.raises(ValueError, match=where + message):
        load_with(tmp_path, line)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "line 1: '' is not the header; expected .* TRACK_ID ARTIST_ID"),
        (b"TRACK_ID,ARTIST_ID\n", "line 1: 'TRACK_ID,ARTIST_ID' is not the header"),
        (small_jamendo.HEADER.encode(), "has a header but no tracks"),
        (b"\xff\xfe", "is not UTF-8 but UTF-16"),
    ],
)
def test_a_bad_table_is_named(tmp_path, content, message):
    load(tmp_path)
    table = tmp_path / "labels" / "split-0" / "autotagging_top50tags-test.tsv"
    table.write_bytes(content)
    with pytest.raises(ValueError, match=rf"top50tags-test\.tsv.*{message}"):
        mtg_jamendo.load(tmp_path / "labels", tmp_path / "a")


def test_all_54380_tracks_take_seconds(tmp_path):
    numbers = iter(range(54_380))
    tables = [
        [row(next(numbers), [ROCK, HAPPY]) for _ in range(count)]
        for count in mtg_jamendo.PUBLISHED["autotagging_top50tags split-0"].values()
    ]
    labels = write_labels(tmp_path / "labels", tables)
    audio_dir = empty_tracks(tmp_path / "a", [tables[0][:1]])
    start_s = time.process_time()
    corpus = mtg_jamendo.load(labels, audio_dir)
    assert time.process_time() - start_s < 10  # About 1; machines differ.
    (counts,) = corpus.published.values()
    assert Counter(clip.split for clip in corpus.clips) == counts


@pytest.mark.parametrize("form", [".low.mp3", ".npy"])
def test_from_files_to_the_batches_of_a_network(tmp_path, form):
    config = fakes.override(
        default.get_config(),
        {
            "corpus__name": "mtg_jamendo",
            "corpus__audio_dir": str(write_tracks(tmp_path / "a", form)),
            "corpus__label_dir": str(write_labels(tmp_path / "labels")),
            "corpus__excerpts_per_track": 2,
            "clip__duration_s": 1.0,
            "model__pools": ((8, 6), (12, 7)),
            "train__batch_size": 4,
        },
    )
    checks.check(config)
    corpus = load_corpus(config.corpus, tmp_path, clip_duration_s=1.0)
    recipe = Recipe.from_config(config.clip, config.spectrogram, "mel", 2)
    (directory,) = prepare(corpus, [recipe], tmp_path / "data", 1).values()
    data = batches.open_shards(directory)
    assert data.num_clips("train") == 6
    setup.set_up(config, data)
    batch = next(data.train_batches(4, 0))
    assert batch["spectrogram"].shape == (4, 96, 47) and batch["mask"].all()
    assert np.ptp(batch["spectrogram"], axis=(1, 2)).min() > 1
