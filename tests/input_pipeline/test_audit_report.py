"""An audit reads well, is written whole, and never over anything else."""

import csv
import dataclasses
import json

import pytest

from input_pipeline import audit_report
from input_pipeline.audit import audit, findings
from input_pipeline.corpora import folder
from tests.small_corpus import TAGS, write_folder

SUBJECT = {"name": "folder", "audio_dir": "/music"}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Of ten tones: one missing, two equal ones, a repeated id."""
    directory = tmp_path_factory.mktemp("corpus") / "tones"
    repeated = ("id-000", "audio/000.wav", "train", "rock")
    corpus = folder.load(write_folder(directory, 10, extra_rows=[repeated]))
    corpus.clips[4].path.unlink()
    corpus.clips[6].path.write_bytes(corpus.clips[0].path.read_bytes())
    published = {"Somebody 2020": {"train": 1_006, "valid": 2, "test": 1}}
    found = audit(dataclasses.replace(corpus, published=published))
    return {"findings": findings(found), "subject": SUBJECT, **found}


def read_csv(path):
    with path.open(newline="") as file:
        return list(csv.reader(file))


def test_problems_stand_at_the_top(found):
    lines = audit_report.text(found).splitlines()
    assert lines[0].startswith("Audit of tones, tones-")
    assert lines[2] == "6 problems found:"
    assert lines[3] == "- 1 of 10 files is missing: audio/004.wav."
    assert lines[4] == (
        "- 1 group of files has equal content: audio/000.wav = audio/006.wav."
    )
    assert lines[8] == "- 1 row became no clip (duplicate id): id-000."


def test_counts_stand_below_in_aligned_columns(found):
    text = audit_report.text(found)
    table = text.split("\n\n")[2].splitlines()
    assert [line.split() for line in table] == [
        ["clips", "train", "valid", "test", "all"],
        ["here", "6", "2", "2", "10"],
        ["Somebody", "2020", "1,006", "2", "1", "1,009"],
        ["difference", "-1,000", "+0", "+1", "-999"],
    ]
    assert len({len(line) for line in table}) == 1
    assert "3 tags, 1.90 a clip on average; 0 clips without a tag; 3 distinct" in text
    assert text.splitlines()[-1].split() == ["jazz", "2", "1", "0", "3"]


def test_a_clean_corpus_says_so(found):
    assert "No problems found." in audit_report.text(found | {"findings": []})


def test_long_tables_are_shortened_on_the_screen(found):
    tags = [f"tag {k}" for k in range(188)]
    counts = {split: list(range(188)) for split in ("train", "valid", "test")}
    many = found | {
        "corpus": found["corpus"] | {"tags": tags},
        "positives": counts,
        "tags_per_clip": {split: [1] * 30 for split in counts},
    }
    text = audit_report.text(many)
    tables = text.split("\n\n")
    assert len(tables[-1].splitlines()) == 1 + 40 + 1 + 10
    assert "tag 187 " in text and "tag 0 " in text and "tag 100 " not in text
    assert tables[3].splitlines()[-1].startswith("…")


def test_files_hold_everything(found, tmp_path):
    workdir = tmp_path / "new" / "audit"
    audit_report.claim(workdir, SUBJECT)
    audit_report.write(found, workdir)
    assert json.loads((workdir / "audit.json").read_text()) == found
    assert read_csv(workdir / "tags.csv")[:2] == [
        ["positives", "train", "valid", "test", "all"],
        ["rock", "6", "2", "2", "10"],
    ]
    assert [row[0] for row in read_csv(workdir / "tags.csv")[1:]] == list(TAGS)
    problems = read_csv(workdir / "problems.csv")
    assert ["missing", "1", "id-004", "test", "audio/004.wav"] in problems
    assert ["rejected: duplicate id", "1", "id-000", "", "audio/000.wav"] in problems
    assert [row for row in problems if row[0] == "equal content"] == [
        ["equal content", "1", "id-000", "train", "audio/000.wav"],
        ["equal content", "1", "id-006", "train", "audio/006.wav"],
    ]
    assert read_csv(workdir / "tags_per_clip.csv")[1:3] == [
        ["0", "0", "0", "0", "0"],
        ["1", "2", "1", "1", "4"],
    ]
    assert read_csv(workdir / "artists.csv") == [["artist", "train", "valid", "test"]]


def test_artists_in_several_splits_have_their_file(found, tmp_path):
    shared = {"Can": {"train": 3, "valid": 0, "test": 1}}
    artists = {"number": 9, "clips_without": 2, "in_two_splits": shared}
    audit_report.write(found | {"artists": artists}, tmp_path)
    assert read_csv(tmp_path / "artists.csv")[1:] == [["Can", "3", "0", "1"]]
    text = audit_report.text(found | {"artists": artists})
    assert "9 artists; 2 clips without one" in text


def test_an_audit_of_the_same_corpus_is_written_again(found, tmp_path):
    for number in (1, 2):
        audit_report.claim(tmp_path, SUBJECT)
        audit_report.write(found | {"number": number}, tmp_path)
        (tmp_path / ".audit.json.1@host.tmp").touch()  # Of a killed process.
    assert json.loads((tmp_path / "audit.json").read_text())["number"] == 2


def test_a_folder_of_something_else_is_refused(found, tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(ValueError, match=r"holds files \(thesis.tex, …\) but no audit"):
        audit_report.claim(tmp_path, SUBJECT)
    with pytest.raises(ValueError, match=r"thesis\.tex is a file; give a new folder"):
        audit_report.claim(tmp_path / "thesis.tex", SUBJECT)
    with pytest.raises(OSError, match=r"thesis\.tex/.* cannot be written: Not a dir"):
        audit_report.claim(tmp_path / "thesis.tex" / "new", SUBJECT)
    assert [one.name for one in tmp_path.iterdir()] == ["thesis.tex"]
    audit_report.write(found, tmp_path)
    other = SUBJECT | {"audio_dir": "/more music"}
    with pytest.raises(ValueError, match=r"\(audio_dir: /music -> /more music\)"):
        audit_report.claim(tmp_path, other)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"subject": 3}', "\udcff"])
def test_a_file_of_that_name_that_is_no_audit(tmp_path, content):
    (tmp_path / "audit.json").write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(ValueError, match=r"audit\.json was not written by an audit"):
        audit_report.claim(tmp_path, SUBJECT)


def test_names_cannot_control_the_terminal(found):
    corpus = found["corpus"] | {"tags": ["ro\x1b[31mck", *found["corpus"]["tags"][1:]]}
    text = audit_report.text(found | {"corpus": corpus, "findings": ["a\x07.mp3"]})
    assert r"ro\x1b[31mck" in text
    assert r"- a\x07.mp3" in text
    assert text.replace("\n", "").isprintable()
