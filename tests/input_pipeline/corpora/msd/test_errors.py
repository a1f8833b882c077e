"""Label files of the Million Song Dataset that are wrong: file, place, what to do."""

import pickle
import shutil
import sqlite3
import struct
import time
from pathlib import Path

import numpy as np
import pytest

from input_pipeline.corpora import msd
from tests import msd_files
from tests.msd_files import IDS, LABELS, SEVEN_DIGITAL


def _expect(label_dir, message, **options):
    with pytest.raises(ValueError, match=message) as caught:
        msd.load(label_dir, None, **options)
    assert str(label_dir) in str(caught.value)


def test_no_labels_and_several(tmp_path):
    _expect(tmp_path, r"has no labels; looked for .*_y\.npy \(split_files\), lastfm_")
    msd_files.write_split_files(tmp_path)
    _expect(
        tmp_path, r"labels is lastfm, but .* has no lastfm_tags\.db", labels="lastfm"
    )
    msd_files.write_database(tmp_path)
    _expect(tmp_path, r"several .*corpus\.labels=split_files or lastfm")
    assert len(msd.load(tmp_path, None, labels="lastfm").clips) == 12
    assert msd.load(tmp_path, None, labels="split_files").version.startswith("split")
    with pytest.raises(ValueError, match="'csv'; choose from auto, split_files, lastf"):
        msd.load(tmp_path, None, labels="csv")


def test_an_audio_directory_in_neither_layout(tmp_path):
    label_dir = msd_files.write_split_files(tmp_path / "labels")
    place = r"such as A/B/C/TRABCDE128F4200000\.mp3 or 3/6/36122424\.clip\.mp3"
    with pytest.raises(ValueError, match=f"{tmp_path} has no audio .* {place}"):
        msd.load(label_dir, tmp_path)
    shutil.rmtree(label_dir)
    msd_files.write_database(label_dir)
    place = r"as Z/Y/X/TRZYXWV128F420000B\.mp3 or 3/6/.* \(.*/MSD_id_to_7D_id\.pkl is"
    with pytest.raises(ValueError, match=place):
        msd.load(label_dir, tmp_path, num_tags=3)


def _replace(line, text):
    def change(path):
        lines = path.read_text().splitlines()
        lines[line - 1] = text
        path.write_text("\n".join(lines) + "\n")

    return change


def _labels(change):
    def write(path):
        np.save(path, change(np.load(path)))

    return write


def _with(matrix, value):
    matrix = matrix.astype(np.float64)
    matrix[2, 1] = value
    return matrix


SPLIT_FILES = {
    "short list": (
        "valid_x_msd_id.txt",
        lambda path: path.write_text(IDS[0]),
        "has 1 lines, valid_y.npy has 3 rows",
    ),
    "path as id": (
        "test_x_msd_id.txt",
        _replace(2, "TR../../../../etc/x"),
        r"line 2: 'TR\.\./\.\./\.\./\.\./etc/x' is not an MSD track id",
    ),
    "lower case": ("test_x_msd_id.txt", _replace(1, IDS[9].lower()), "line 1: 'trabx"),
    "blank line": ("train_x_msd_id.txt", _replace(3, ""), "line 3: '' is not an MSD"),
    "not digits": (
        "valid_x_7d_id.txt",
        _replace(3, "../36"),
        r"valid_x_7d_id.txt, line 3: '\.\./36' is not a 7digital id",
    ),
    "twice in a split": (
        "train_x_msd_id.txt",
        _replace(5, IDS[1]),
        rf"id.txt, line 5: the id {IDS[1]} is .* first in .*train_x_msd_id.txt, line 2",
    ),
    "in two splits": (
        "test_x_msd_id.txt",
        _replace(3, IDS[6]),
        rf"test_x_msd_id.txt, line 3: the id {IDS[6]} .*valid_x_msd_id.txt, line 1",
    ),
    "not text": (
        "train_x_msd_id.txt",
        lambda path: path.write_bytes(b"\xff\xfe"),
        "line 1: .* is not UTF-8 but UTF-16",
    ),
    "no lists": (
        "test_y.npy",
        lambda path: [p.unlink() for p in path.parent.glob("test_x*")],
        "only a part of the split test: test_y.npy and test_x_msd_id.txt or test_x_7d",
    ),
    "no labels": ("test_y.npy", Path.unlink, "only a part of the split test: test_y"),
    "one dimension": ("test_y.npy", _labels(np.ravel), r"shape is \(9,\); it must be"),
    "no rows": ("test_y.npy", _labels(lambda y: y[:0]), r"shape is \(0, 3\)"),
    "number of tags": (
        "valid_y.npy",
        _labels(lambda y: y[:, :2]),
        r"valid_y.npy has 2 columns, but .*txt there lists 3 tags",
    ),
    "NaN": (
        "test_y.npy",
        _labels(lambda y: _with(y, np.nan)),
        "row 3: column 2 is nan",
    ),
    "weight": (
        "test_y.npy",
        _labels(lambda y: _with(y, 0.7)),
        "row 3: column 2 is 0.7",
    ),
    "text labels": ("test_y.npy", _labels(lambda y: y.astype("U5")), "type is <U5"),
    "objects": (
        "test_y.npy",
        lambda path: np.save(path, np.array([[{}]]), allow_pickle=True),
        "test_y.npy is not an array: ",
    ),
    "cut": (
        "test_y.npy",
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        "test_y.npy is not an array: ",
    ),
    "empty": ("test_y.npy", lambda path: path.write_bytes(b""), "is not an array: "),
    "archive": (
        "test_y.npy",
        lambda path: np.savez(path.open("wb"), y=LABELS),
        "is not an array but an archive",
    ),
}


@pytest.mark.parametrize("name", SPLIT_FILES)
def test_split_files(tmp_path, name):
    file, change, message = SPLIT_FILES[name]
    label_dir = msd_files.write_split_files(tmp_path)
    change(label_dir / file)
    _expect(label_dir, message)


@pytest.mark.parametrize(
    "text", ["3/6/36122424", "3/7/36122424.npy", "../36122424.npy"]
)
def test_file_names_of_the_split_files(tmp_path, text):
    label_dir = msd_files.write_split_files(tmp_path, ["filename"])
    _replace(2, text)(label_dir / "train_x_filename.txt")
    _expect(label_dir, f"filename.txt, line 2: '{text}' is not a name such as 3/6/361")


def test_lists_that_differ_and_tags_that_are_not_listed(tmp_path):
    label_dir = msd_files.write_split_files(tmp_path)
    for path in [*tmp_path.glob("test_x_[7f]*"), *tmp_path.glob("train_x_msd*")]:
        path.unlink()
    _expect(label_dir, r"different lists of ids: {'train': \['7d_id', 'filename'\]")
    (label_dir / "tags.txt").unlink()
    msd_files.write_split_files(tmp_path)
    (label_dir / "tags.txt").unlink()
    _expect(label_dir, "train_y.npy has 3 columns, but without tags.txt or .* 50 tags")


DATABASES = {
    "dangling track": ([(99, 2, 100)], "tid_tag refers to row 99 of tids"),
    "dangling tag": ([(1, 99, 100)], "tid_tag refers to row 99 of tags"),
    "text as weight": ([(1, 1, "high")], r"tid_tag, row \d+: \(1, 1, 'high'\) are not"),
    "NaN": ([(1, 1, float("nan"))], r"row \d+: \(1, 1, None\) are not two row numbers"),
    "text as row": ([(IDS[0], 1, 9)], r"row \d+: \('TRABCDE128F4200000', 1, 9.0\) are"),
}


@pytest.mark.parametrize("name", DATABASES)
def test_rows_of_the_database(tmp_path, name):
    extra, message = DATABASES[name]
    _expect(msd_files.write_database(tmp_path, extra=extra), message, num_tags=3)


CHANGES = {
    "no table": ("DROP TABLE tags", r"with the tables .*: no such table: tags"),
    "no column": ("ALTER TABLE tid_tag RENAME val TO weight", "no such column: val"),
    "view": (
        "DROP TABLE tids; CREATE VIEW tids AS SELECT 'x' AS tid",
        "no such table: tids",
    ),
    "virtual table": (
        "DROP TABLE tags; CREATE VIRTUAL TABLE tags USING fts5(tag)",
        "no such table: tags",
    ),
    # Each row of it would be made anew whenever it is read: 800 MB.
    "generated column": (
        "ALTER TABLE tags ADD COLUMN more AS (hex(zeroblob(400000000)))",
        "tags has the generated column more",
    ),
    "generated name": (
        "DROP TABLE tags; CREATE TABLE tags (n, tag AS (hex(zeroblob(400000000))));"
        "INSERT INTO tags VALUES (1)",
        "tags has the generated column tag",
    ),
    "long name": (
        "UPDATE tags SET tag = hex(zeroblob(9999)) WHERE tag = 'rock'",
        "string or blob too big",
    ),
    "no id": (
        f"UPDATE tids SET tid = '../x' WHERE tid = '{IDS[4]}'",
        r"lastfm_tags.db, tids, row 8: '\.\./x' is not an MSD track id",
    ),
    "empty id": (f"UPDATE tids SET tid = NULL WHERE tid = '{IDS[4]}'", "row 8 of tids"),
    "lines": ("UPDATE tags SET tag = 'a\nb' WHERE tag = 'rock'", r"'a\\nb' cannot be"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_tables_of_the_database(tmp_path, name):
    change, message = CHANGES[name]
    msd_files.write_database(tmp_path)
    database = sqlite3.connect(tmp_path / "lastfm_tags.db")
    database.executescript(change)
    database.close()
    _expect(tmp_path, message, num_tags=3)


def test_pages_that_lead_to_a_page_again_and_again_are_given_up(tmp_path):
    """Rows without number in a small file: every page names the next 100 times."""
    path = msd_files.write_database(tmp_path) / "lastfm_tags.db"
    database = sqlite3.connect(path)
    (page,) = database.execute(
        "SELECT rootpage FROM sqlite_master WHERE name = 'tid_tag'"
    ).fetchone()
    (size,) = database.execute("PRAGMA page_size").fetchone()
    database.close()
    content = bytearray(path.read_bytes())
    last = len(content) // size + 1
    leaf = content[(page - 1) * size : page * size]
    for level in range(6):
        below = last + 5 if level == 5 else last + level
        inner = bytearray(size)
        cells = [size - 5 * (n + 1) for n in range(100)]
        # An inner page of a table: kind, cells, where they start, the last child.
        inner[:12] = struct.pack(">BHHHBI", 5, 0, 100, cells[-1], 0, below)
        for number, cell in enumerate(cells):
            struct.pack_into(">H", inner, 12 + 2 * number, cell)
            struct.pack_into(">IB", inner, cell, below, number)
        if level == 0:
            content[(page - 1) * size : page * size] = inner
        else:
            content += inner
    content += leaf
    struct.pack_into(">I", content, 28, len(content) // size)
    path.write_bytes(content)
    start = time.process_time()
    _expect(tmp_path, "or is damaged: it has more rows than", num_tags=3)
    assert time.process_time() - start < 5


def test_what_the_database_does_not_have(tmp_path):
    label_dir = msd_files.write_database(tmp_path)
    _expect(label_dir, "has 4 tags with a weight above 50, fewer than .*num_tags=50")
    msd_files.write_vocabulary(label_dir, tags=("rock", "mellow"))
    _expect(label_dir, "does not know the tags mellow, which are listed beside it")
    path = tmp_path / "lastfm_tags.db"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"CREATE TABLE tids (", b"CREATE TABLE tids \xb1"))
    _expect(label_dir, "is damaged: 'utf-8' codec can't decode byte 0xb1")
    path.write_bytes(b"<html>404</html>" * 99)
    _expect(label_dir, "is not the database of Last.fm tags.*file is not a database")


def test_a_directory_with_marks_of_an_address(tmp_path):
    label_dir = msd_files.write_database(tmp_path / "a?mode=rwc#b %20")
    assert len(msd.load(label_dir, None, num_tags=3).clips) == 12
    assert [path.name for path in tmp_path.iterdir()] == ["a?mode=rwc#b %20"]


def _vectors(changes=()):
    vectors = dict(zip(IDS, LABELS.astype(bool), strict=True)) | dict(changes)
    return pickle.dumps(vectors, 2)


PICKLES = {
    "list of numbers": (
        "filtered_list_test.cP",
        pickle.dumps([*IDS[9:11], 2.5], 2),
        "filtered_list_test.cP, entry 3: a float is not an MSD track id",
    ),
    "path as id": (
        "filtered_list_valid.cP",
        msd_files.python2_list([IDS[6], "../../x"]),
        r"filtered_list_valid.cP, entry 2: '\.\./\.\./x' is not an MSD track id",
    ),
    "in two splits": (
        "filtered_list_test.cP",
        msd_files.python2_list(IDS[8:10]),
        r"list_test.cP, entry 1: .* first in .*filtered_list_valid.cP, entry 3",
    ),
    "no list": ("filtered_list_test.cP", pickle.dumps({}, 2), "holds a dict; it must"),
    "empty list": ("filtered_list_test.cP", pickle.dumps([], 2), "must be a list of"),
    "no dict": (
        "msd_id_to_tag_vector.cP",
        pickle.dumps([], 2),
        "holds a list; it must",
    ),
    "unknown id": (
        "msd_id_to_tag_vector.cP",
        pickle.dumps({IDS[0]: LABELS[0]}, 2),
        rf"has nothing for {IDS[1]} \(.*filtered_list_train.cP, entry 2\)",
    ),
    "no array": (
        "msd_id_to_tag_vector.cP",
        _vectors({IDS[3]: [0, 1, 0]}),
        f"has a list for {IDS[3]}",
    ),
    "length": (
        "msd_id_to_tag_vector.cP",
        _vectors({IDS[3]: np.ones(4, bool)}),
        f"entry {IDS[3]}: 4 labels for 3 tags",
    ),
    "all lengths": (
        "msd_id_to_tag_vector.cP",
        pickle.dumps(dict.fromkeys(IDS, np.ones(4, bool)), 2),
        "vector.cP has 4 columns, but .* lists 3 tags",
    ),
    "NaN": (
        "msd_id_to_tag_vector.cP",
        _vectors({IDS[3]: np.array([0, np.nan, 1])}),
        f"entry {IDS[3]}: column 2 is nan",
    ),
    "code": (
        "msd_id_to_tag_vector.cP",
        b"cos\nsystem\n(S'false'\ntR.",
        r"msd_id_to_tag_vector.cP is not a pickle .* asks for 'os\.system'",
    ),
}


@pytest.mark.parametrize("name", PICKLES)
def test_pickles(tmp_path, name):
    file, content, message = PICKLES[name]
    msd_files.write_pickles(tmp_path)
    (tmp_path / file).write_bytes(content)
    _expect(tmp_path, message)


def test_pickles_that_are_missing(tmp_path):
    msd_files.write_pickles(tmp_path)
    (tmp_path / "msd_id_to_tag_vector.cP").rename(tmp_path / "kept")
    _expect(tmp_path, "msd_id_to_tag_vector.cP is missing")
    (tmp_path / "kept").rename(tmp_path / "msd_id_to_tag_vector.cP")
    for path in tmp_path.glob("filtered*"):
        path.unlink()
    _expect(tmp_path, "but no list of tracks: filtered_list_train.cP and")


def test_a_7digital_id_that_is_a_path(tmp_path):
    label_dir = msd_files.write_pickles(tmp_path / "labels")
    table = dict(zip(IDS, SEVEN_DIGITAL, strict=True)) | {IDS[4]: "../../36122424"}
    msd_files.write_table_of_ids(label_dir, table)
    message = rf"7D_id.pkl, entry {IDS[4]}: '\.\./\.\./36122424' is not a 7digital id"
    with pytest.raises(ValueError, match=message):
        msd.load(label_dir, tmp_path)
