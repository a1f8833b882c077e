"""From a corpus to a page of questions, and from its answers to a study."""

import csv
import json
import shutil

import pytest

from configs import default
from modes import MainOptions, study
from modes.annotate import annotate, to_hear
from modes.corpus import load
from modes.study_labels import table_of
from studies.annotation.answers import COLUMNS
from studies.label_table import read_label_table
from studies.sections import groundtruth
from tests.small_corpus import RECIPE, write_folder, write_sound


@pytest.fixture
def config(tmp_path):
    config = default.get_config()
    config.task = "groundtruth"
    config.clip.duration_s = 1.0
    config.corpus.name = "folder"
    config.corpus.audio_dir = str(write_folder(tmp_path / "music"))
    config.analysis.annotated_labels = ("pop", "jazz")
    config.analysis.subset100_clips = 4
    return config


def options(tmp_path, name):
    return MainOptions(workdir=str(tmp_path / name), data_dir=tmp_path / "data")


def test_answers_come_back(tmp_path, config, capsys):
    annotate(config, options(tmp_path, "pages"))
    printed = capsys.readouterr().out
    for subset in ("subset100", "subset400"):
        assert str(tmp_path / "pages" / f"{subset}.html") in printed

    table = table_of(load(config, options(tmp_path, "")))
    _, subset400 = groundtruth.subsets_of(table, config.analysis.to_dict())
    file = tmp_path / "answers.csv"
    with file.open("w", newline="") as stream:
        rows = [(i, "pop", "yes", "Ann") for i in subset400.track_id]
        csv.writer(stream).writerows([COLUMNS, *rows])
    config.analysis.annotations = (str(file),)
    study.run_study(config, options(tmp_path, "study"))
    assert (tmp_path / "study" / "annotations.csv").exists()
    kept = read_label_table(tmp_path / "study" / "labels.npz")
    assert kept.tag_names == table.tag_names
    text = (tmp_path / "study" / "report.md").read_text()
    assert "could not be" not in text
    assert "1 listener gave 4 answers (4 yes, 0 no, 0 unsure)" in text


def test_labels_that_the_corpus_lacks_are_named(tmp_path, config, caplog):
    config.analysis.annotated_labels = ("pop", "nosuch")
    annotate(config, options(tmp_path, "pages"))
    assert "the corpus has no label nosuch, so the pages do not ask" in caplog.text


def test_label_studio_gets_the_same_clips(tmp_path, config):
    config.analysis.label_studio = True
    annotate(config, options(tmp_path, "pages"))
    tasks = json.loads((tmp_path / "pages" / "subset400_tasks.json").read_text())
    assert len(tasks) == 4


def test_equal_questions_about_other_audio_are_other_pages(
    tmp_path, config, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    names = options(tmp_path, "")._replace(workdir="")

    def folder(config):
        annotate(config, names)
        (page,) = {
            line.split()[-1] for line in capsys.readouterr().out.splitlines()[:1]
        }
        return tmp_path / page

    first = folder(config)
    before = first.read_bytes()
    other = write_folder(tmp_path / "other")
    shutil.copytree(other, tmp_path / "moved")
    for number, path in enumerate(sorted((other / "audio").iterdir())):
        write_sound(path, seed=100 + number)  # As long, and of the same name.
    config.corpus.audio_dir = str(tmp_path / "moved")
    assert folder(config) == first  # The same sounds in another folder.
    config.corpus.audio_dir = str(other)
    second = folder(config)
    assert second.parent != first.parent
    assert (second.name, first.read_bytes()) == (first.name, before)
    config.clip.offset = "centre"
    assert folder(config).parent not in (first.parent, second.parent)
    with pytest.raises(ValueError, match="asks other questions, or of other audio"):
        annotate(config, names._replace(workdir=str(first.parent)))


def test_a_clip_starts_where_it_is_cut_and_may_lack_a_picture(tmp_path, config):
    corpus = load(config, options(tmp_path, ""))
    heard = to_hear(corpus.clips[0], RECIPE, corpus.tags)
    assert heard.spectrogram.shape == RECIPE.shape
    assert (heard.start_s, list(heard.existing_tags)) == (0.0, ["rock"])
    corpus.clips[1].path.write_bytes(b"")
    assert to_hear(corpus.clips[1], RECIPE, corpus.tags).spectrogram is None
