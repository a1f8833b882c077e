"""The study of tags says what the labels say, on the paper's corpus and on others."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from msd_tagger.common import paper
from msd_tagger.common.tags import TAGS
from studies.label_table import LabelTable, SplitLabels, write_label_table
from studies.records import SweepRecord
from studies.sections import tags
from studies.study import FAILS, HOLDS, UNDECIDED
from studies.tag_pairs import select_tags

REFERENCE = os.environ.get("MSD_TAGGER_REFERENCE")
EDGES = np.linspace(-5, 15, 401)


def labels_of(matrix: np.ndarray) -> SplitLabels:
    ids = np.array([f"clip-{number}" for number in range(len(matrix))])
    return SplitLabels(ids, np.asarray(matrix, np.uint8))


def record_of(folder: Path, names=(), corpus="folder", **splits) -> SweepRecord:
    if names:
        table = {name: labels_of(matrix) for name, matrix in splits.items()}
        write_label_table(folder / "labels.npz", LabelTable(tuple(names), table))
    return SweepRecord(folder, {"corpus": {"name": corpus}}, {}, {})


def draw_all(study) -> list[str]:
    for one in study.illustrations:
        one.draw()
        assert len(one.frame)
    for table in study.tables:
        assert all(len(row) == len(table.header) for row in table.rows)
    return [one.name for one in study.illustrations]


def claims_by_start(study, start: str):
    return [claim for claim in study.claims if claim.statement.startswith(start)]


def normal_histogram(samples: np.ndarray) -> np.ndarray:
    at = np.searchsorted(EDGES[1:-1], samples, side="right")
    return np.bincount(at, minlength=len(EDGES) - 1) / len(samples)


@pytest.mark.skipif(
    not REFERENCE, reason="MSD_TAGGER_REFERENCE, the published labels, is not set"
)
def test_the_published_labels_contradict_the_prose(tmp_path):
    folder = Path(REFERENCE, "msd")
    splits = {split: np.load(folder / f"{split}_y.npy") for split in ("valid", "test")}
    study = tags.study(record_of(tmp_path, TAGS, "msd", **splits))
    assert "41,174 valid and test clips" in study.paragraphs[0]
    assert "The labels of the training split" in study.paragraphs[0]
    tuples = study.tables[0]
    assert "16 of our 20 are among its 20" in tuples.caption
    assert len(tuples.strong) == 16
    assert tuples.rows[1][1:4] == ["alternative rock → rock", "0.593", "744"]
    assert tuples.rows[0][4:] == ["alternative rock → rock", "0.593"]
    for start, count in (("52,944", "6,721 of 41,174"), ("1,257", "125 of 41,174")):
        (claim,) = claims_by_start(study, start)
        assert claim.verdict == UNDECIDED and count in claim.here
        assert "those for training, are not among these 41,174" in claim.why
    (vectors,) = claims_by_start(study, "The 50 tags make")
    assert vectors.verdict == UNDECIDED and vectors.here == "3,683"
    assert claims_by_start(study, "The tuples that")[0].verdict == HOLDS
    names = draw_all(study)
    assert names[:2] == ["co_occurrence_selected", "co_occurrence_all"]
    assert len(study.illustrations[0].frame) == 23 * 22


def test_the_training_split_comes_first(tmp_path):
    record = record_of(
        tmp_path,
        ("rock", "pop", "jazz"),
        train=[[1, 1, 0], [1, 0, 0], [0, 1, 1]],
        test=[[0, 0, 1]],
    )
    study = tags.study(record)
    assert study.paragraphs[0].startswith(
        "Labels of the 3 training clips of the folder corpus, with 3 tags."
    )
    assert "from 2 (rock) to 1 (jazz)" in study.paragraphs[1]
    assert "3 different tag vectors, of which 3 occur once" in study.paragraphs[1]
    assert study.tables[0].rows[0][1:4] == ["jazz → pop", "1.000", "1"]
    # Few tags and another corpus: nothing can be said of the paper's counts.
    verdicts = {claim.verdict for claim in study.claims}
    assert verdicts == {UNDECIDED}
    assert "Figs 6 and 8 are left out" in study.paragraphs[-1]
    # The counts of the table are of all splits, the others of training.
    assert study.tables[1].rows[3] == ["clips with rock", "52,944", "2 of 4 (50 %)"]
    draw_all(study)


def test_counts_that_agree_with_the_paper(tmp_path):
    random = np.random.default_rng(0)
    matrix = np.zeros((20_000, 50), np.uint8)
    share = paper.TAG_COUNTS["rock"] / paper.CLIPS["train"]
    matrix[:, 0] = random.random(len(matrix)) < share
    study = tags.study(record_of(tmp_path, TAGS, "msd", train=matrix))
    (rock,) = claims_by_start(study, "52,944")
    assert rock.verdict == HOLDS and "would hold" not in rock.why
    (happy,) = claims_by_start(study, "1,257")
    assert happy.verdict == FAILS


@pytest.mark.parametrize(("both", "verdict"), [(6, HOLDS), (20, FAILS)])
def test_synonyms_that_do_or_do_not_meet(tmp_path, both, verdict):
    matrix = np.zeros((60, 2))
    matrix[:20, 0] = 1
    matrix[20 - both : 40, 1] = 1
    names = ("female vocalist", "female vocalists")
    if both == 20:
        matrix = np.repeat(matrix, 5, axis=0)
    study = tags.study(record_of(tmp_path, names, train=matrix))
    (claim,) = claims_by_start(study, "C(female vocalist, female vocalists)")
    assert claim.verdict == verdict
    assert claim.here.startswith(f"{100 * both / 20:.3g} %")


def test_tags_of_another_corpus_are_those_that_meet_most():
    together = np.diag([9] * 30)
    for k in range(0, 24, 2):
        together[k, k + 1] = together[k + 1, k] = 8 - k // 4
    chosen = select_tags([f"tag {k}" for k in range(30)], together)
    assert len(chosen) == 23 and set(chosen) <= set(range(24))
    assert select_tags(TAGS[::-1], np.eye(50)) == [
        49 - TAGS.index(tag) for tag in paper.SELECTED_TAGS
    ]


def test_nothing_is_said_without_files(tmp_path):
    study = tags.study(record_of(tmp_path))
    assert len(study.paragraphs) == 2 and not study.illustrations and not study.claims
    empty = record_of(tmp_path, ("rock",), train=np.zeros((0, 1)))
    assert "no clip in it" in tags.study(empty).paragraphs[0]


def test_one_tag_and_one_clip(tmp_path):
    study = tags.study(record_of(tmp_path, ("rock",), train=[[1]]))
    assert "co_occurrence_selected" not in draw_all(study)
    nobody = record_of(tmp_path, ("rock", "pop"), train=[[0, 0]])
    draw_all(tags.study(nobody))


@pytest.fixture
def with_input(tmp_path):
    random = np.random.default_rng(0)
    normal = random.normal(size=20_000)
    power = 10**normal
    power = (power - power.mean()) / power.std()
    centres_hz = np.linspace(0, 6000, 20)
    np.savez(
        tmp_path / "input_stats.npz",
        histogram_edges=EDGES,
        histogram_db=normal_histogram(normal),
        histogram_linear=normal_histogram(power),
        band_centres_hz=centres_hz,
        num_clips=np.array(200),
        band_mean_bypass=-centres_hz / 1000,
        band_mean_a_weighting=-np.abs(centres_hz - 2500) / 1000,
        band_mean_per_frequency=np.full(20, 1e-6),
    )
    return record_of(tmp_path)


def test_figures_6_and_8(with_input):
    study = tags.study(with_input)
    assert draw_all(study) == ["magnitude_histograms", "band_means"]
    assert [claim.verdict for claim in study.claims] == [HOLDS] * 4
    assert "200 training clips in 20 bands" in study.paragraphs[-1]


def test_findings_of_the_input_can_fail(with_input):
    arrays = dict(with_input.arrays("input_stats"))
    arrays["histogram_db"], arrays["histogram_linear"] = (
        arrays["histogram_linear"],
        arrays["histogram_db"],
    )
    arrays["band_mean_bypass"] = arrays["band_mean_bypass"][::-1]
    arrays["band_mean_per_frequency"] = arrays["band_mean_a_weighting"]
    np.savez(with_input.workdir / "input_stats.npz", **arrays)
    assert [claim.verdict for claim in tags.study(with_input).claims] == [FAILS] * 4


def test_bands_without_frequencies_have_no_figure_8(with_input):
    arrays = dict(with_input.arrays("input_stats"))
    del arrays["band_centres_hz"], arrays["band_mean_a_weighting"]
    np.savez(with_input.workdir / "input_stats.npz", **arrays)
    study = tags.study(with_input)
    assert draw_all(study) == ["magnitude_histograms"]
    assert [claim.verdict for claim in study.claims] == [HOLDS] * 2
    assert study.paragraphs[-1] == "Bands without frequencies: Fig. 8 is left out."


def test_distance_from_a_normal_distribution():
    frame = pd.DataFrame({"from": EDGES[:-1], "to": EDGES[1:]})
    frame["normal"] = np.diff(stats.norm.cdf(EDGES))
    assert tags.distance_from_normal(frame, "normal") < 1e-6
    frame["spike"] = np.zeros(400)
    frame.loc[200, "spike"] = 1  # Between 5 and 5.05 deviations.
    assert tags.distance_from_normal(frame, "spike") == pytest.approx(1)
    assert tags.share_beyond(frame, "spike", 5) == 1
    assert tags.share_beyond(frame, "spike", 5.05) == 0
