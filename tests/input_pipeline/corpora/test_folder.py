"""The folder corpus: what a tags.csv may hold, and what is refused."""

import unicodedata
from pathlib import Path

import numpy as np
import pytest

from input_pipeline.corpora import check_scorable, folder, load_corpus, tables
from msd_tagger.common.facts import SPLITS
from tests.small_corpus import TAGS, write_folder, write_table

ROW = ("a", "a.mp3", "train", "rock")


def _clips(directory, rows, columns=("track_id", "path", "split", "tags")):
    return folder.load(write_table(directory, rows, columns)).clips


def test_a_folder_becomes_a_corpus(tmp_path):
    corpus = folder.load(write_folder(tmp_path / "my music", 10, true_tags=True))
    assert corpus.name == "my_music"
    assert corpus.tags == TAGS
    assert corpus.has_true_tags
    assert [clip.split for clip in corpus.clips[:5]] == ["train"] * 3 + list(SPLITS[1:])
    clip = corpus.clips[1]
    assert clip.track_id == "id-001"
    assert clip.path == tmp_path / "my music" / "audio" / "001.wav"
    assert clip.tags.tolist() == [1, 1, 0]
    assert clip.tags.dtype == np.uint8
    assert clip.true_tags.tolist() == [0, 1, 0]


def test_without_tags_txt_the_vocabulary_is_counted(tmp_path):
    rows = [
        ("a", "a", "train", "b|a"),
        ("b", "b", "test", "c|b"),
        ("c", "c", "test", ""),
    ]
    assert folder.load(write_table(tmp_path, rows)).tags == ("b", "a", "c")


WANTED = [
    *[("a", "a", "train", "rock|pop"), ("b", "b", "train", "rock|jazz")],
    *[("c", "c", "train", "rock|pop"), ("d", "d", "test", "jazz|polka")],
    *[("e", "e", "test", "jazz"), ("f", "f", "valid", "jazz|polka")],
]


def test_the_tags_that_most_training_clips_have_are_kept_on_request(tmp_path, caplog):
    directory = write_table(tmp_path, WANTED)
    assert folder.load(directory).tags == ("jazz", "rock", "polka", "pop")
    with caplog.at_level("INFO"):
        corpus = folder.load(directory, num_tags=2)
    assert corpus.tags == ("rock", "pop")
    assert [clip.tags.tolist() for clip in corpus.clips[:4]] == [
        *([1, 1], [1, 0], [1, 1], [0, 0])
    ]
    said = "2 of 4 tags are left out, and with them 6 labels (jazz: 4, polka: 2)"
    assert said in caplog.text
    with pytest.raises(
        ValueError, match=r"num_tags=5: .* has only 4 tags; ask for few"
    ):
        folder.load(directory, num_tags=5)


def test_tags_outside_of_the_list_are_left_out_and_counted(tmp_path, caplog):
    directory = write_table(tmp_path, WANTED)
    (tmp_path / "tags.txt").write_text("polka\njazz\nrock\n")
    with caplog.at_level("INFO"):
        corpus = folder.load(directory)
    assert corpus.tags == ("polka", "jazz", "rock")
    assert corpus.clips[0].tags.tolist() == [0, 0, 1]
    assert "1 of 4 tags are left out, and with them 2 labels (pop: 2)" in caplog.text
    assert folder.load(directory, num_tags=2).tags == ("jazz", "rock")
    (tmp_path / "tags.txt").write_text("Polka\n")
    said = r"no row has a tag of those in .*tags.txt; write polka exactly as Polka"
    with pytest.raises(ValueError, match=said):
        folder.load(directory)


def test_tags_left_out_that_were_meant_as_one_that_is_kept_are_named(tmp_path, caplog):
    rows = [
        (f"{n}", f"{n}.mp3", "train", tag)
        for n, tag in enumerate(["jazz", "Jazz", "Jazz", "cafe\u0301", "polka"])
    ]
    directory = write_table(tmp_path, rows)
    (tmp_path / "tags.txt").write_text("jazz\ncaf\u00e9\n", encoding="utf-8")
    folder.load(directory)
    assert "2 of the left-out tags may mean a kept one" in caplog.text
    assert "(Jazz of jazz, cafe\\u0301 of caf\u00e9)" in caplog.text
    caplog.clear()
    (tmp_path / "tags.txt").write_text("jazz\npolka\nJazz\ncafe\u0301\n", "utf-8")
    folder.load(directory)
    assert not caplog.text


@pytest.mark.parametrize(
    ("asked", "there"),
    [
        ("caf\u00e9/01.mp3", "cafe\u0301/01.mp3"),
        ("cafe\u0301.mp3", "caf\u00e9.mp3"),
        ("A/01.WAV", "a/01.wav"),
        ("my%20songs/R&amp;B%231.mp3", "my songs/R&B#1.mp3"),
        ("a  b\u00a0c.mp3", "a b c.mp3"),
        ("Don\u2019t\u2013stop.mp3", "Don't-stop.mp3"),
        ("100%25.mp3", "100%25.mp3"),
        ("same.mp3", "same.mp3"),
        ("rock/a\\b.mp3", "rock/a\\b.mp3"),
    ],
)
def test_names_are_found_as_they_are_written(tmp_path, caplog, asked, there):
    (tmp_path / there).parent.mkdir(exist_ok=True)
    (tmp_path / there).touch()
    write_table(tmp_path, [("a", asked, "train", "rock")])
    config = {"name": "folder", "audio_dir": str(tmp_path)}
    (clip,) = load_corpus(config, tmp_path).clips
    assert clip.path == tmp_path / there
    assert ("1 files were found under another" in caplog.text) == (asked != there)


def test_of_two_names_that_could_be_meant_none_is_taken(tmp_path):
    for name in ("song.mp3", "Song.mp3"):
        (tmp_path / name).touch()
    write_table(
        tmp_path, [("a", "SONG.mp3", "train", "x"), ("b", "b.mp3", "train", "")]
    )
    config = {"name": "folder", "audio_dir": str(tmp_path)}
    first, second = load_corpus(config, tmp_path).clips
    assert first.path == tmp_path / "SONG.mp3"
    assert second.path == tmp_path / "b.mp3"


def test_a_folder_may_have_any_name(tmp_path):
    for name in ("x" * 250, "長" * 80, "caf\udce9"):
        corpus = folder.load(write_table(tmp_path / name, [ROW]))
        assert len(f"{corpus.name}-12345678".encode()) < 255
        assert corpus.version.encode()


@pytest.mark.parametrize("gap", ["", " "])
def test_byte_order_mark_quotes_and_lines_without_content(tmp_path, gap):
    rows = (
        ("track_id", "path", "split", "tags"),
        ('"x"', '"a, b.mp3"', "train", '"rock|90s ""hits"""'),
    )
    text = "\ufeff" + "".join(f"{f',{gap}'.join(row)}\n" for row in rows) + "\n"
    text += "  \n,,,\n , ,,\n"  # As a spreadsheet writes rows that were emptied.
    (tmp_path / "tags.csv").write_text(text, encoding="utf-8")
    corpus = folder.load(tmp_path)
    assert len(corpus.clips) == 1
    assert corpus.clips[0].path == tmp_path / "a, b.mp3"
    assert corpus.tags == ('90s "hits"', "rock")


def test_blanks_around_a_name_count_where_such_a_file_is(tmp_path):
    text = 'track_id,path,tags\n1,"a.mp3 ",x\n2," b.mp3",x\n3, c.mp3 ,x\n'
    write_table(tmp_path, []).joinpath("tags.csv").write_text(text)
    for name in ("a.mp3", "a.mp3 ", " b.mp3", "c.mp3"):
        (tmp_path / name).touch()
    names = [clip.path.name for clip in folder.load(tmp_path).clips]
    assert names == ["a.mp3 ", " b.mp3", "c.mp3"]


def test_a_list_of_tags_that_cannot_be_read_is_not_passed_over(tmp_path):
    directory = write_table(tmp_path, [ROW])
    (directory / "tags.txt").symlink_to("nowhere")
    with pytest.raises(ValueError, match=r"tags\.txt cannot be read"):
        folder.load(directory)
    (directory / "tags.txt").unlink()
    (directory / "tags.txt").mkdir()
    with pytest.raises(ValueError, match=r"tags\.txt cannot be read"):
        folder.load(directory)


def test_optional_columns(tmp_path):
    columns = ("start_s", "artist", "tags", "path", "track_id")
    rows = [("12.5", "Can", "rock", "a.mp3", "1"), ("", "", "rock", "a.mp3", "2")]
    first, second = _clips(tmp_path, rows, columns)
    assert (first.start_s, first.artist) == (12.5, "Can")
    assert (second.start_s, second.artist) == (None, None)
    assert second.true_tags is None


def test_splits_by_hash_keep_artists_together(tmp_path):
    columns = ("track_id", "path", "tags", "artist")
    rows = [(f"{n}", "a.mp3", "rock", f"artist {n // 3}") for n in range(3000)]
    clips = _clips(tmp_path, rows, columns)
    by_artist = {}
    for clip in clips:
        by_artist.setdefault(clip.artist, set()).add(clip.split)
    assert all(len(splits) == 1 for splits in by_artist.values())
    shares = [np.mean([clip.split == split for clip in clips]) for split in SPLITS]
    np.testing.assert_allclose(shares, [0.8, 0.1, 0.1], atol=0.03)


def test_splits_by_hash_keep_excerpts_of_a_file_together(tmp_path):
    columns = ("track_id", "path", "tags", "start_s")
    spelled = ("a/{}.mp3", r"a\{}.mp3", "./a//{}.mp3")
    rows = [
        (f"{n}", spelled[n % 3].format(n // 3), "rock", f"{n % 3}") for n in range(300)
    ]
    by_file = {}
    for clip in _clips(tmp_path, rows, columns):
        by_file.setdefault(clip.path, set()).add(clip.split)
    assert len(by_file) == 100
    assert all(len(splits) == 1 for splits in by_file.values())
    assert set.union(*by_file.values()) == set(SPLITS)


def test_excerpts_stay_together_under_other_spellings(tmp_path):
    names = [f"Café {n}.Wav" for n in range(60)]
    columns = ("track_id", "path", "tags", "start_s")
    spelled = (
        str,
        str.upper,
        lambda name: unicodedata.normalize("NFD", name),
        lambda name: name.replace(" ", "%20"),
    )
    rows = []
    for number, name in enumerate(names):
        (tmp_path / name).touch()
        for k, spell in enumerate(spelled):
            rows.append((f"{number}-{k}", spell(name), "rock", f"{k}"))
    clips = _clips(tmp_path, rows, columns)
    by_file = {}
    for clip in clips:
        by_file.setdefault(clip.track_id.split("-")[0], set()).add(clip.split)
    assert all(len(splits) == 1 for splits in by_file.values())
    # As it was where all is spelled as on the disk.
    first = clips[:: len(spelled)]
    assert [one.split for one in first] == [*map(tables.split_of, names)]


def test_absolute_paths_into_the_folder_are_those_below_it(tmp_path):
    columns = ("track_id", "path", "tags", "start_s")
    rows = [("a", f"{tmp_path}/x/../a.mp3", "rock", "0"), ("b", "a.mp3", "rock", "9")]
    first, second = _clips(tmp_path, rows, columns)
    assert first.path == second.path == tmp_path / "a.mp3"
    assert first.split == second.split
    for outside in (f"{tmp_path}-b/a.mp3", str(tmp_path), f"{tmp_path}/../a.mp3"):
        with pytest.raises(ValueError, match=r"line 2: the path .* is not inside"):
            _clips(tmp_path, [("a", outside, "rock", "0")], columns)


def test_empty_cells_of_the_truth_are_told(tmp_path, caplog):
    columns = ("track_id", "path", "tags", "true_tags")
    rows = [("a", "a.mp3", "rock", "rock"), ("b", "b.mp3", "rock", "")]
    assert not _clips(tmp_path, rows, columns)[1].true_tags.any()
    assert "true_tags is empty for 1 of 2 clips" in caplog.text


def test_cells_of_the_truth_with_other_tags_are_not_called_empty(tmp_path, caplog):
    columns = ("track_id", "path", "tags", "true_tags")
    rows = [("a", "a.mp3", "rock", "rock"), ("b", "b.mp3", "rock", "harp")]
    directory = write_table(tmp_path, rows, columns)
    (directory / "tags.txt").write_text("rock\n")
    assert not folder.load(directory).clips[1].true_tags.any()
    assert "true_tags is empty" not in caplog.text


def test_a_repeated_id_is_rejected_and_the_first_stays(tmp_path):
    rows = [ROW, ("b", "b.mp3", "test", "rock")]
    rows += [("a", "second.mp3", "train", "rock"), ("a", "other.mp3", "test", "rock")]
    corpus = folder.load(write_table(tmp_path, rows))
    assert [clip.track_id for clip in corpus.clips] == ["a", "b"]
    assert corpus.clips[0].path.name == "a.mp3"
    assert corpus.rejected == [
        ("a", "second.mp3", "duplicate id"),
        ("a", "other.mp3", "id in two splits"),
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            ("a", "../a.mp3", "train", "rock"),
            r"line 3: the path '../a.mp3' is not inside",
        ),
        (("a", "b/../../a.mp3", "train", "rock"), "line 3: the path"),
        (("a", "/etc/passwd", "train", "rock"), "line 3: the path '/etc/passwd'"),
        (("a", "..\\a.mp3", "train", "rock"), "line 3: the path"),
        (("a", r"C:\a.mp3", "train", "rock"), r"line 3: the path 'C:\\\\a.mp3' is not"),
        (("a", "D:/a.mp3", "train", "rock"), "line 3: the path 'D:/a.mp3' is not"),
        (("a", "https://b.org/a", "train", "rock"), "line 3: the path 'https://b.org"),
        (("a", "", "train", "rock"), "line 3: the path ''"),
        (
            ("a", "a.mp3", "dev", "rock"),
            "line 3: split is 'dev'; choose from train, val",
        ),
        (("", "a.mp3", "train", "rock"), "line 3: the track_id is empty"),
        (("a", "a.mp3", "train"), "line 3: 3 values for 4 columns"),
        (("a", "a.mp3", "train", "rock", "pop"), "line 3: 5 values for 4 columns"),
    ],
)
def test_a_bad_row_is_named(tmp_path, row, message):
    (tmp_path / "tags.txt").write_text("rock\npop\n")
    with pytest.raises(ValueError, match=message):
        _clips(tmp_path, [("first", "b.mp3", "test", "pop"), row])


@pytest.mark.parametrize("start_s", ["soon", "-1", "nan", "inf", "1_0"])
def test_a_bad_start_is_named(tmp_path, start_s):
    with pytest.raises(ValueError, match=f"line 2: start_s is '{start_s}'"):
        _clips(
            tmp_path, [("a", "a.mp3", "rock", start_s)], (*folder.REQUIRED, "start_s")
        )


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (("track_id", "path"), r"missing columns \['tags'\]"),
        (("track_id", "path", "tags", "genre"), r"unknown columns \['genre'\]"),
        (("track_id", "path", "tags", "tags"), r"repeated columns \['tags'\]"),
    ],
)
def test_a_bad_header_is_named(tmp_path, columns, message):
    with pytest.raises(ValueError, match=message):
        _clips(tmp_path, [("a",) * len(columns)], columns)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"track_id,path,tags\n", "has a header but no rows"),
        (b"", "missing columns"),
        (b"track_id,path,tags\na,b,\xff\xfe\n", r"tags.csv, line 2: .* is not UTF-8"),
        (b"track_id,path,tags\r\n\r\na,caf\xe9,x\r\n", r"line 3: b'a,caf.xe9,x.r'"),
        ("track_id,path,tags\na,b,x\n".encode("utf-16"), "line 1: .* but UTF-16; save"),
        (b"PK\3\4\x14\0\6\0", "tags.csv is a spreadsheet or an archive .*; save it"),
        (b"\x1f\x8b\x08\0", "tags.csv is compressed .*; unpack it with gunzip"),
        (b"\n<!DOCTYPE html>\n", "tags.csv is a web page, and no text; download the"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS, and"),
        (b"track_id,path,tags\na,b,\n", "no row has a tag"),
        (b"track_id;path;tags\na;b;x\n", "line 1: .* are semicolon-separated; save"),
        (b"path\ttrack_id\ttags\na\tb\tx\n", "tab-separated; .* as comma-separated"),
        (
            b'track_id,path,tags\na,b,c\nd,"e,f\ng,h,i\n',
            "the row that starts in line 3: unexpected end of data. Close every",
        ),
    ],
)
def test_a_bad_table_is_named(tmp_path, content, message):
    (tmp_path / "tags.csv").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        folder.load(tmp_path)


def test_a_vocabulary_that_is_no_text_is_named(tmp_path):
    write_table(tmp_path, [ROW])
    (tmp_path / "tags.txt").write_text("<html>")
    with pytest.raises(ValueError, match=r"tags.txt is a web page, and no text"):
        folder.load(tmp_path)


@pytest.mark.parametrize("content", ["", "rock\npop\nrock\n"])
def test_a_bad_vocabulary_is_named(tmp_path, content):
    write_table(tmp_path, [ROW])
    (tmp_path / "tags.txt").write_text(content)
    with pytest.raises(ValueError, match=r"tags.txt: \d tags, repeated"):
        folder.load(tmp_path)


def test_a_missing_table_says_what_is_needed(tmp_path):
    with pytest.raises(ValueError, match=r"tags.csv does not exist.*track_id, path"):
        folder.load(tmp_path)


def test_corpora_go_by_name(tmp_path):
    config = {"name": "folder", "audio_dir": str(write_folder(tmp_path / "a", 5))}
    assert len(load_corpus(config, tmp_path).clips) == 5
    with pytest.raises(ValueError, match=r"name=folder needs .*audio_dir=DIR"):
        load_corpus(config | {"audio_dir": ""}, tmp_path)
    with pytest.raises(ValueError, match="'gtzan'; choose from synthetic, folder"):
        load_corpus(config | {"name": "gtzan"}, tmp_path)


def test_the_example_of_the_documentation(tmp_path):
    page = (Path(__file__).parents[3] / "docs" / "folder_corpus.md").read_text()
    table = page.split("```text\n")[-1].split("```")[0]
    assert table.startswith("track_id,")
    (tmp_path / "tags.csv").write_text(table, encoding="utf-8")
    found = folder.load(tmp_path)
    assert {clip.split for clip in found.clips} == {"train", "valid", "test"}
    assert found.has_true_tags
    assert "Mellow" in found.tags  # Only the truth has it.


def test_a_value_over_several_lines_is_refused(tmp_path):
    text = 'track_id,path,tags\na,a.mp3,"deep\nhouse"\n'
    (tmp_path / "tags.csv").write_text(text)
    with pytest.raises(ValueError, match="spans several lines"):
        folder.load(tmp_path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tags.csv", "track_id,path,tags\na,a.mp3,rock\0\n"),
        ("tags.csv", "track_id,path,tags\na\0,a.mp3,rock\n"),
        ("tags.txt", "pop\nrock\0\n"),
    ],
)
def test_a_nul_is_refused_where_it_is(name, text, tmp_path):
    directory = write_table(tmp_path, [ROW])
    (directory / name).write_text(text)
    with pytest.raises(ValueError, match=rf"{name}, line 2 has a NUL character"):
        folder.load(directory)


@pytest.mark.parametrize("tags", [("rock", "rock"), ("", "")])
def test_validation_clips_that_all_agree_cannot_steer(tmp_path, tags):
    rows = [f"v{i},{i}.mp3,valid,{tag}" for i, tag in enumerate(tags)]
    rows += ["t,t.mp3,train,rock", "u,u.mp3,test,rock"]
    text = "\n".join(["track_id,path,split,tags", *rows]) + "\n"
    (tmp_path / "tags.csv").write_text(text)
    with pytest.raises(ValueError, match="the 2 validation clips"):
        check_scorable(folder.load(tmp_path))
