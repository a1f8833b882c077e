"""Fig. 2 from made-up points, and the three sets that it compares."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from msd_tagger.common import paper
from msd_tagger.pages import style
from studies import comparison, resampling
from studies.annotation.answers import ANNOTATIONS, Answer, write_answers
from studies.label_table import LabelTable, SplitLabels, write_label_table
from studies.sections import reliability
from studies.statistics import Correlation
from studies.study import FAILS, HOLDS, UNDECIDED
from tests import sweeps

COLUMNS = [sweeps.TAGS.index(tag) for tag in paper.INSTRUMENTATION_TAGS]


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    points = sweeps.size_points() | sweeps.grid_points()
    return sweeps.write_sweep(tmp_path_factory.mktemp("sweep"), points)


@pytest.fixture(scope="module")
def study(record):
    return reliability.study(record)


def numbers(study):
    """Mean scores by set, point and curve."""
    found = {}
    for key, name, curve, _, value in study.illustrations[0].frame.to_numpy():
        found.setdefault((key, curve, name), []).append(float(value))
    return {key: np.mean(values) for key, values in found.items()}


def test_the_curves_are_what_scikit_learn_says(record, study):
    drawn = numbers(study)
    point = record.points["size-mel-016"].arrays["predictions_test"]
    scores, tags, truth = point["scores"], point["tags"], point["true_tags"]
    judge = [roc_auc_score(tags, one) for one in scores]
    key = "mel", "all tags, ground truth", "size-mel-016"
    assert drawn[key] == pytest.approx(np.mean(judge), abs=1e-5)
    judge = [roc_auc_score(tags[:, COLUMNS], one[:, COLUMNS]) for one in scores]
    key = "mel", "instrumentation tags, ground truth", "size-mel-016"
    assert drawn[key] == pytest.approx(np.mean(judge), abs=1e-5)
    # 160 test clips are fewer than 400: all of them are annotated, by the oracle.
    judge = [roc_auc_score(truth[:, COLUMNS], one[:, COLUMNS]) for one in scores]
    key = "mel", "instrumentation tags, re-annotation", "size-mel-016"
    assert drawn[key] == pytest.approx(np.mean(judge), abs=1e-5)
    assert "truth on 160 test clips" in " ".join(study.paragraphs)


def test_rho_1_is_of_the_two_labellings_and_rho_2_of_all_tags(study):
    drawn = numbers(study)
    names = [name for key, _, name in drawn if key == "stft"][:7]
    curves = {
        curve: [drawn["stft", curve, name] for name in names]
        for curve in {curve for _, curve, _ in drawn}
    }
    four = curves["instrumentation tags, ground truth"]
    rho_1 = np.corrcoef(four, curves["instrumentation tags, re-annotation"])[0, 1]
    rho_2 = np.corrcoef(four, curves["all tags, ground truth"])[0, 1]
    (row,) = [row for row in study.tables[0].rows if row[0].startswith("STFT")]
    assert row[1] == "0.833"
    assert row[2].startswith(f"{rho_1:.3f} (")
    assert row[4].startswith(f"{rho_2:.3f} (")


def test_the_correlations_move_with_seeds_and_clips(study):
    (table,) = [one for one in study.tables if one.caption.startswith("How far")]
    curves = {}
    for key, _, curve, seed, value in study.illustrations[0].frame.to_numpy():
        curves.setdefault((key, curve, seed), []).append(float(value))
    rhos = [
        np.corrcoef(
            curves["mel", "all tags, ground truth", seed],
            curves["mel", "instrumentation tags, ground truth", seed],
        )[0, 1]
        for seed in range(sweeps.SEEDS)
    ]
    assert table.rows[0][3] == f"{min(rhos):.3f} to {max(rhos):.3f}"
    low, high = table.rows[0][2].split(" to ")
    assert float(low) < float(high) <= 1


def test_resampled_curves_are_scores_of_repeated_rows(record):
    points = record.select("size-mel-100")
    point, tags = points["size-mel-100"], paper.INSTRUMENTATION_TAGS
    answers = reliability.annotated_clips(record, point, tags)
    _, found = reliability.scores_of(point, tags, answers, 4)
    arrays = point.arrays["predictions_test"]
    weights = resampling.bootstrap_weights(160, 4)
    rows = np.repeat(np.arange(160), weights[:, 3].astype(int))
    for name, labels, columns in (
        ("all", arrays["tags"], slice(None)),
        ("four", arrays["tags"], COLUMNS),
        ("annotated", arrays["true_tags"], COLUMNS),
    ):
        judge = [
            roc_auc_score(labels[rows][:, columns], one[rows][:, columns])
            for one in arrays["scores"]
        ]
        assert found[name][3] == pytest.approx(np.mean(judge), abs=1e-9)


def test_noise_that_keeps_the_order_is_reliable(study):
    verdicts = [claim.verdict for claim in study.claims]
    assert verdicts[0] == HOLDS
    assert verdicts[2] == HOLDS


def test_runs_at_chance_correlate_with_nothing(tmp_path):
    """Three at chance and three that are not would correlate by any labels."""
    points = sweeps.size_points()
    for name, point in points.items():
        point["skill"] = 1.5 if name.endswith(("032", "064", "100")) else 0.0
    study = reliability.study(sweeps.write_sweep(tmp_path, points))
    assert study.tables[0].rows[0][0] == "mel, sizes (3 runs)"
    for one in (study.claims[0], study.claims[2]):
        assert one.verdict == UNDECIDED
        assert "left out: size-mel-002, size-mel-004, size-mel-008," in one.why
    for point in points.values():
        point["skill"] = 0.0
    dull = reliability.study(sweeps.write_sweep(tmp_path / "dull", points))
    assert {one.verdict for one in dull.claims} == {UNDECIDED}
    style.svg(dull.illustrations[0].draw, "light")


def test_nothing_holds_of_a_part(record):
    points = dict(record.points)
    arrays = dict(points["size-mel-016"].arrays)
    del arrays["predictions_test"]
    points["size-mel-016"] = dataclasses.replace(points["size-mel-016"], arrays=arrays)
    part = reliability.study(dataclasses.replace(record, points=points)).claims
    for one in (part[0], part[2]):
        assert one.verdict == UNDECIDED
        assert "but size-mel-016 has no predictions for the same clips." in one.why


def test_a_claim_about_sizes_needs_the_sizes_alone(record):
    lacking = dataclasses.replace(record, missing=("pre-stft-linear",))
    of_sizes, _, of_all = reliability.study(lacking).claims
    assert of_sizes.verdict == HOLDS
    assert of_all.verdict == UNDECIDED
    assert "but pre-stft-linear is missing." in of_all.why


def test_the_narrow_set_follows_its_rule(record):
    chosen = reliability.narrow_set(record.points)
    score = {name: comparison.auc(one).mean() for name, one in record.points.items()}
    best = max(score.values())
    assert len(chosen) == 6
    assert all(score[name] >= best - 0.059 for name in chosen)
    assert [score[name] for name in chosen] == sorted(score[name] for name in chosen)
    for family in reliability.FAMILIES:
        near = {
            name: value
            for name, value in score.items()
            if name.startswith(family) and value >= best - 0.059
        }
        if family != "pre-":
            assert max(near, key=near.get) in chosen
            assert min(near, key=near.get) in chosen


def test_equal_settings_count_once_in_the_narrow_set(record):
    # The grid's plain dB point is that of 100 % of the clips.
    assert "size-mel-100" in reliability.narrow_set(record.points)
    assert "pre-db-bypass-x1" not in reliability.narrow_set(record.points)


@pytest.mark.parametrize("theme", list(style.THEMES))
def test_the_figure_has_three_panels(study, theme):
    style.svg(study.illustrations[0].draw, theme)
    figure = study.illustrations[0].draw()
    titles = [axes.get_title(loc="left") or axes.get_title() for axes in figure.axes]
    assert [title.split("\n")[0] for title in titles] == list(reliability.SETS.values())


def write_labels(record):
    """The test split as a table of labels."""
    arrays = next(iter(record.points.values())).arrays["predictions_test"]
    split = SplitLabels(arrays["track_id"], arrays["tags"])
    write_label_table(
        record.workdir / "labels.npz", LabelTable(sweeps.TAGS, {"test": split})
    )
    return arrays["track_id"]


def test_answers_of_listeners_replace_the_oracle(tmp_path):
    points = sweeps.size_points(("mel",))
    record = sweeps.write_sweep(tmp_path, points, with_truth=False)
    assert "Nobody re-annotated" in " ".join(reliability.study(record).paragraphs)
    clips = write_labels(record)
    rng = np.random.default_rng(0)
    heard = rng.random((160, 4)) < 0.4
    answers = [
        Answer(str(clip), label, "yes" if yes else "no", "ann")
        for clip, row in zip(clips, heard, strict=True)
        for label, yes in zip(paper.INSTRUMENTATION_TAGS, row, strict=True)
    ]
    # One answer is missing and one is unsure: those clips leave one tag's score.
    answers = answers[1:]
    answers[0] = Answer(answers[0].track_id, answers[0].label, "unsure", "ann")
    write_answers(tmp_path / ANNOTATIONS, answers)
    study = reliability.study(record)
    assert "1 listener(s) on 160 test clips, 638 answers" in " ".join(study.paragraphs)
    scores = record.points["size-mel-100"].arrays["predictions_test"]["scores"]
    known = np.ones((160, 4), bool)
    known[0, :2] = False
    judge = [
        roc_auc_score(heard[known[:, k], k], one[known[:, k], COLUMNS[k]])
        for one in scores
        for k in range(4)
    ]
    key = "mel", "instrumentation tags, re-annotation", "size-mel-100"
    assert numbers(study)[key] == pytest.approx(np.mean(judge), abs=1e-5)


def test_answers_for_another_corpus_are_refused(tmp_path):
    record = sweeps.write_sweep(tmp_path, sweeps.size_points(("mel",)))
    write_labels(record)
    answers = [Answer("elsewhere-7", "guitar", "yes", "ann")]
    write_answers(tmp_path / ANNOTATIONS, answers)
    with pytest.raises(ValueError, match=r"line 2.*'elsewhere-7'"):
        reliability.study(record)


def test_a_subset_predicts_rho_as_scikit_learn_would(record):
    points = reliability.run_sets(record.points)["mel"]
    tags = paper.INSTRUMENTATION_TAGS
    scores = [
        reliability.scores_of(point, tags, None, 1)[0].four.mean()
        for point in points.values()
    ]
    found = reliability.rho_of_subsets(points, scores, tags, 3)
    assert len(found) == 4 and reliability.subset_size(160) == 80
    weights = resampling.subset_weights(160, 80, 3)
    rows = weights[:, 2] == 1
    weak, true = [], []
    for point in points.values():
        arrays = point.arrays["predictions_test"]
        scores = arrays["scores"][:, :, COLUMNS]
        tagged, truth = arrays["tags"][:, COLUMNS], arrays["true_tags"][:, COLUMNS]
        weak.append(np.mean([roc_auc_score(tagged, one) for one in scores]))
        judge = [roc_auc_score(truth[rows], one[rows]) for one in scores]
        true.append(np.mean(judge))
    assert found[3] == pytest.approx(np.corrcoef(weak, true)[0, 1], abs=1e-9)


def test_a_set_that_the_truth_ranks_otherwise_fails(tmp_path):
    points = sweeps.size_points()
    record = sweeps.write_sweep(tmp_path, points, with_truth=False)
    clips = write_labels(record)
    # "Heard" is whatever the smallest training scores high: the reverse of skill.
    arrays = record.points["size-mel-002"].arrays["predictions_test"]
    best = record.points["size-mel-100"].arrays["predictions_test"]
    wrong = arrays["scores"].mean(0)[:, COLUMNS] - best["scores"].mean(0)[:, COLUMNS]
    answers = [
        Answer(str(clip), label, "yes" if value > 0 else "no", "ann")
        for clip, row in zip(clips, wrong, strict=True)
        for label, value in zip(paper.INSTRUMENTATION_TAGS, row, strict=True)
    ]
    write_answers(tmp_path / ANNOTATIONS, answers)
    assert reliability.study(record).claims[0].verdict == FAILS


def test_little_data_leaves_things_open(tmp_path):
    few = {
        name: point | {"num_seeds": 1, "tags": ("rock", "guitar")}
        for name, point in sweeps.size_points(("mel",)).items()
        if name in ("size-mel-002", "size-mel-100")
    }
    record = sweeps.write_sweep(tmp_path / "few", few, with_truth=False)
    study = reliability.study(record)
    assert {claim.verdict for claim in study.claims} == {UNDECIDED}
    style.svg(study.illustrations[0].draw, "light")
    # The paper's others of the four are not in this corpus.
    [said] = [one for one in study.paragraphs if one.startswith("Left out")]
    assert said.endswith(": female vocalists, male vocalists, instrumental.")
    other = {name: point | {"tags": ("rock", "sad")} for name, point in few.items()}
    record = sweeps.write_sweep(tmp_path / "other", other)
    assert "instrumentation tag" in reliability.study(record).paragraphs[0]
    empty = sweeps.write_sweep(tmp_path / "empty", {})
    assert "needs two points of a set" in reliability.study(empty).paragraphs[0]


def test_a_set_of_two_runs_has_no_correlation_and_spoils_no_other(record):
    def part(sweep):
        gone = [k for k in sweep.points if k.startswith("size-stft-")][:-2]
        points = {k: one for k, one in sweep.points.items() if k not in gone}
        return dataclasses.replace(sweep, points=points, missing=tuple(gone))

    ranks, narrow, others = reliability.study(part(record)).claims
    assert "STFT, sizes: –" in ranks.here and "STFT, sizes: –" in others.here
    assert "the difference of Fisher's z is –" not in narrow.why
    whole = reliability.study(record).claims[1]
    assert "against " in narrow.why and " and " in whole.why.partition("against")[2]


@pytest.mark.filterwarnings("error")
def test_correlations_of_two_runs_leave_the_narrow_range_open():
    """They are 1, or by rounding more, which has no z."""
    beyond = pd.DataFrame({"rho_1": [1 + 1e-9, 1 + 1e-9]})
    scores = pd.DataFrame({"all": [0.6, 0.7]}, pd.Index(["a", "b"], name="point"))
    known = {"rho_1": Correlation(1 + 1e-9, 2)}
    one = reliability.RunSet("", {}, scores, known, beyond, beyond, np.array([]))
    found = {"mel": one, "stft": one, "mixed": one}
    assert reliability.narrow_claim(found).verdict == UNDECIDED
