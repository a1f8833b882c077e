"""The study of the ground truth, from labels and answers in a folder."""

import json

import numpy as np
import pytest

from msd_tagger.common import error_rates, paper
from msd_tagger.common.csv_files import write_csv
from studies.annotation.answers import AnnotationError
from studies.label_table import LabelTable, SplitLabels, write_label_table
from studies.records import read_sweep_record
from studies.sections.groundtruth import study, subsets_of
from studies.study import HOLDS, UNDECIDED

TAGABILITY = np.array([0.25, 0.02, 0.22, 0.02, 0.3])
TRUTH = np.array([0.3, 0.6, 0.15, 0.65, 0.2])
NAMES = (*paper.INSTRUMENTATION_TAGS, "rock")
SPLITS = {
    "train": slice(0, 6000),
    "valid": slice(6000, 7000),
    "test": slice(7000, 9000),
}


def write_study(folder, *, with_truth=True, names=NAMES, stop=None, **analysis):
    """Writes the folder of a study of 9,000 clips, or of those before `stop`."""
    rng = np.random.default_rng(0)
    true = rng.random((9000, 5)) < TRUTH
    weak = (true & (rng.random(true.shape) < TAGABILITY)) | (
        rng.random(true.shape) < 0.001
    )
    ids = np.array([f"clip-{i:04d}" for i in range(9000)])
    splits = {
        split: SplitLabels(
            ids[rows][:stop],
            weak[rows][:stop].astype(np.uint8),
            true[rows][:stop].astype(np.uint8) if with_truth else None,
        )
        for split, rows in SPLITS.items()
    }
    table = LabelTable(names, splits)
    write_label_table(folder / "labels.npz", table)
    config = {"task": "groundtruth", "sweep": [], "analysis": analysis}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "environment.json").write_text("{}")
    return table, true


def answer(folder, table, true):
    """Lets Ann answer everything, and Bob every second question."""
    lines = ["track_id,label,answer,annotator"]
    for subset in subsets_of(table, {}):
        for row, column in np.argwhere(subset.asked):
            clip = subset.track_id[row]
            holds = true[int(clip[5:]), column]
            said = ["no", "yes"][int(holds)]
            lines.append(f"{clip},{subset.labels[column]},{said},Ann")
            if row % 2:
                other = "unsure" if row % 3 == 0 else said
                lines.append(f"{clip},{subset.labels[column]},{other},Bob")
    lines.append("clip-0000,rock,yes,Ann")
    (folder / "annotations.csv").write_text("\n".join(lines) + "\n")


def test_the_corpus_s_oracle_answers(tmp_path):
    _, true = write_study(tmp_path)
    found = study(read_sweep_record(tmp_path))
    assert "The corpus itself knows" in found.paragraphs[0]
    assert any("female vocalists a recall of 88.7 %" in one for one in found.paragraphs)
    table = found.tables[0]
    assert [row[0] for row in table.rows[:2]] == [
        "female vocalists, paper",
        "female vocalists, here",
    ]
    assert table.rows[0][1:] == [
        *("4.0", "24.0", "96.0", "80.0"),
        *("17,840 (7.3 %)", "71,127 (29.3 %)", "94 (23.5 %)"),
    ]
    assert table.rows[-2] == ["mean, paper", "3.5", "42.5", "96.5", "71.9", *"–––"]
    # The truth of all clips, to within what a sample of 50 can say.
    against = found.tables[3]
    share = 100 * true[:, :4].mean(axis=0)
    assert [float(row[-1]) for row in against.rows] == share.round(1).tolist()
    assert all(abs(float(row[-2]) - float(row[-1])) < 21 for row in against.rows)
    assert [one.verdict for one in found.claims[:4]] == [HOLDS] * 4
    for illustration in found.illustrations:
        assert illustration.draw().axes
    sizes = {one.name: len(one.frame) for one in found.illustrations}
    names = ("groundtruth_errors", "groundtruth_occurrences", "label_noise_rates")
    assert sizes == dict(zip(names, (32, 28, 5), strict=True))


def test_its_rates_are_a_file_for_a_loss(tmp_path):
    table, true = write_study(tmp_path)
    figure = study(read_sweep_record(tmp_path)).illustrations[-1]
    path = tmp_path / f"{figure.name}.csv"
    write_csv(path, figure.numbers())
    found = error_rates.arrange(error_rates.read_rates(path), NAMES, path)
    weak = np.concatenate([one.tags for one in table.splits.values()])
    counted = error_rates.count_rates(weak, true)
    np.testing.assert_allclose(found.missing[:4], counted.missing[:4], atol=0.15)
    np.testing.assert_allclose(found.false[:4], counted.false[:4], atol=0.05)
    assert (found.missing[4], found.false[4]) == (0, 0)  # Nobody judged it.


def test_listeners_answer_like_the_oracle(tmp_path):
    table, true = write_study(tmp_path)
    by_oracle = study(read_sweep_record(tmp_path))
    answer(tmp_path, table, true)
    by_ear = study(read_sweep_record(tmp_path))
    assert by_ear.tables[0].rows == by_oracle.tables[0].rows
    assert "2 listeners gave" in by_ear.paragraphs[0]
    assert by_ear.paragraphs[0].endswith("1 answers to other questions are left out.")
    agreement = by_ear.tables[-1]
    assert [row[0] for row in agreement.rows] == [
        f"{label}: Ann, Bob" for label in paper.INSTRUMENTATION_TAGS
    ]
    assert {tuple(row[2:]) for row in agreement.rows} == {("100.0", "1.00")}


def test_without_truth_and_answers_nothing_is_claimed(tmp_path):
    write_study(tmp_path, with_truth=False)
    found = study(read_sweep_record(tmp_path))
    assert "Nobody has judged them yet" in found.paragraphs[0]
    assert {one.verdict for one in found.claims} == {UNDECIDED}
    here = found.tables[0].rows[1]
    assert here[1:5] == ["–"] * 4 and here[5] != "–" and here[6:] == ["–", "–"]
    assert "nan" not in str((found.paragraphs, found.tables, found.claims))
    for illustration in found.illustrations:
        assert illustration.draw().axes
    # No axes without a point, and no numbers that are missing.
    assert [one.name for one in found.illustrations] == ["groundtruth_occurrences"]
    shown = found.illustrations[0].frame
    assert shown.loc[shown.of == "here", "series"].unique().tolist() == ["ground truth"]
    assert {one.here for one in found.claims} == {"–"}


def test_few_clips_and_missing_labels_are_named(tmp_path):
    write_study(tmp_path, names=("guitar", *"abcd"), stop=60)
    found = study(read_sweep_record(tmp_path))
    text = " ".join(found.paragraphs)
    assert "no label female vocalists, male vocalists, instrumental: left out" in text
    assert "clips with the label guitar, not 50." in text
    assert "The test split has 60 clips, not 400." in text
    for illustration in found.illustrations:
        assert illustration.draw().axes


def test_other_labels_may_be_chosen(tmp_path):
    write_study(tmp_path, annotated_labels=["rock"], subset400_clips=100)
    found = study(read_sweep_record(tmp_path))
    assert (
        "100 test clips (Subset400) were drawn for the labels rock."
        in found.paragraphs[0]
    )
    assert found.tables[0].rows[4][0] == "rock, here"
    assert [row[0] for row in found.tables[-1].rows] == ["rock"]
    write_study(tmp_path, annotated_labels=["polka"])
    [said] = study(read_sweep_record(tmp_path)).paragraphs
    assert said.startswith(
        "Nothing is judged: the corpus has none of the labels to judge (polka). It has "
    )
    assert "choose some of these by --config.analysis.annotated_labels=" in said


def test_answers_of_another_corpus_are_an_error(tmp_path):
    write_study(tmp_path)
    text = "track_id,label,answer,annotator\nTRX,guitar,yes,Ann\n"
    (tmp_path / "annotations.csv").write_text(text)
    with pytest.raises(
        AnnotationError, match=r"annotations.csv, line 2: no clip .*TRX"
    ):
        study(read_sweep_record(tmp_path))


def test_a_study_without_labels_says_so(tmp_path):
    write_study(tmp_path)
    (tmp_path / "labels.npz").unlink()
    assert "no labels.npz" in study(read_sweep_record(tmp_path)).paragraphs[0]
