"""Noisy labels from made-up points: what they cost, and what is mended."""

import math

import numpy as np
import pandas as pd
import pytest

from msd_tagger.common import metrics
from msd_tagger.pages import style
from studies import clip_spread, comparison
from studies.records import RunRecord
from studies.sections import label_noise
from studies.study import FAILS, HOLDS, UNDECIDED
from tests import sweeps

TRUE, MISSING = {"labels": "true"}, (0.2, 0.3, 0.4, 0.6, 0.7, 0.8)
# What each point learns from, and its skill.
POINTS = {
    "clean": (TRUE, 2.5),
    "drop-50": ({**TRUE, "drop_positives": 0.5}, 1.9),
    "flip-05": ({**TRUE, "flip_labels": 0.05}, 1.2),
    "weak": ({}, 1.5),
    "size-50": ({**TRUE, "fraction": 0.5}, 1.8),
    "size-20": ({**TRUE, "fraction": 0.2}, 1.0),
    "fix-true": ({"label_noise": "true"}, 2.1),
    "fix-annotated": ({"label_noise": "annotated"}, 2.1),
    "fix-half": ({"label_noise": "true*0.5"}, 1.95),
    "fix-twice": ({"label_noise": "true*2"}, 1.9),
}


def write(folder, points=POINTS, **shared):
    made = {
        f"noise-{name}": {
            "skill": skill,
            "num_seeds": 3,
            "num_clips": 400,
            "own_noise": 0.15,
            "jitter": 0.03,
            "noise_seed": 20 * number,
            "missing": MISSING,
            **settings,
        }
        for number, (name, (settings, skill)) in enumerate(points.items())
    }
    return sweeps.write_sweep(folder, made, **shared)


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    return write(tmp_path_factory.mktemp("sweep"))


@pytest.fixture(scope="module")
def runs(record):
    placed = comparison.place(record.points, "true")
    return label_noise.Runs(record.points, "true", placed)


@pytest.fixture(scope="module")
def study(record):
    return label_noise.study(record)


def verdicts(study):
    starts = ("Networks", "5 %", "Tags", "Noisy", "A loss", "Error rates from", "Error")
    found = {}
    for start in starts:
        one = next(one for one in study.claims if one.statement.startswith(start))
        found[start] = one.verdict
    return found


def test_noise_that_costs_and_a_loss_that_mends(study):
    found = verdicts(study)
    for start in ("Networks", "5 %", "Noisy", "A loss"):
        assert found[start] == HOLDS, study.claims
    wrong = next(one for one in study.claims if "wrong by" in one.statement)
    assert wrong.verdict == HOLDS
    assert found["Error rates from"] in (HOLDS, UNDECIDED)
    names = [one.name for one in study.illustrations]
    assert names == [
        *("noise_training", "noise_worth", "noise_tags", "noise_evaluation"),
        "noise_remedy",
    ]
    for one in study.illustrations:
        for theme in style.THEMES:
            style.svg(one.draw, theme)
        assert one.caption and one.alt


def test_noise_that_helps_is_denied(tmp_path):
    upside_down = POINTS | {
        "drop-50": (POINTS["drop-50"][0], 3.5),
        "fix-true": (POINTS["fix-true"][0], 0.8),
    }
    found = verdicts(label_noise.study(write(tmp_path, upside_down)))
    assert found["Networks"] == found["A loss"] == FAILS
    assert found["Error rates from"] == FAILS


def test_a_noisy_clip_is_worth_the_clean_ones_that_score_alike(runs):
    """Weak labels lie between a fifth of the clips and half of them."""
    worth = label_noise.worth_of(runs, "noise-weak")
    low, high = worth.ends
    assert 0.2 < low < worth.share < high < 0.5
    # By skill, linear in the logarithm: 1.5 is five eighths of the way from 1.0 to 1.8.
    assert worth.share == pytest.approx(0.2 ** (3 / 8) * 0.5 ** (5 / 8), rel=0.15)
    assert label_noise.worth_of(runs, "noise-flip-05").share < worth.share


def test_beyond_the_sizes_a_worth_is_open(tmp_path):
    points = POINTS | {"weak": ({}, 0.4), "drop-50": (POINTS["drop-50"][0], 4.5)}
    record = write(tmp_path, points)
    placed = comparison.place(record.points, "true")
    runs = label_noise.Runs(record.points, "true", placed)
    assert label_noise.worth_of(runs, "noise-weak").ends == (0.0, 0.2)
    assert str(label_noise.worth_of(runs, "noise-weak")).startswith(
        "at most 0.2 (95 %:"
    )
    better = label_noise.worth_of(runs, "noise-drop-50")
    assert better.ends == (1.0, math.inf)


def simulate(rng, num_seeds):
    """Four runs of different skill; noise lies half way between two clean sizes."""
    labels = (rng.random((120, 10)) < 0.25).astype(np.uint8)
    shared = 1.2 * labels + rng.normal(size=labels.shape)
    points, placements = {}, {}
    for number, (learnt, skill) in enumerate(
        [
            ({}, 0.3),
            ({"fraction": 0.5}, 0.15),
            ({"fraction": 0.2}, -0.05),
            ({"drop_positives": 0.5}, 0.05),
        ]
    ):
        luck = 0.05 * rng.normal(size=(num_seeds, 1, 1))
        own = 0.25 * rng.normal(size=(num_seeds, *labels.shape))
        scores = shared + (skill + luck) * labels + own
        per_seed = [metrics.score(labels, one) for one in scores]
        name, found = f"noise-{number}", {"weak": {"per_seed": per_seed}}
        config = {"train": {"fraction": 1.0, **learnt}}
        summary = {"scores": {"test": found}, "num_seeds": num_seeds}
        points[name] = RunRecord(None, config, None, {}, [], [], summary, {})
        placements[name] = clip_spread.placements(labels, scores)
    return label_noise.Runs(points, "weak", comparison.Placed(labels, placements))


def test_a_worth_is_in_its_interval_as_often_as_that_says():
    """Tried in 150 studies: in 97 % with three seeds, in all with two."""
    rng, true, missed = np.random.default_rng(0), (0.2 * 0.5) ** 0.5, 0
    for _ in range(20):
        low, high = label_noise.worth_of(simulate(rng, 3), "noise-3").ends
        missed += not low <= true <= high
    assert missed <= 4  # More are missed in 0.3 % of cases if the rate is 5 %.


def test_two_points_of_a_mix_are_its_ends(runs):
    pair = runs.compare(
        [("noise-weak", "noise-size-20"), ("noise-weak", "noise-size-50")]
    )
    for part, end in ((0.0, pair[0]), (1.0, pair[1])):
        found = label_noise.mix(pair[0], pair[1], part, runs.placed)
        np.testing.assert_allclose(found.values, end.values)
        assert found.clips_error == pytest.approx(end.clips_error)
    between = label_noise.mix(pair[0], pair[1], 0.5, runs.placed)
    assert between.mean == pytest.approx((pair[0].mean + pair[1].mean) / 2)


def test_a_tags_loss_stands_beside_its_tagability(runs):
    losses = label_noise.tag_losses(runs)
    assert list(losses.tag) == list(sweeps.TAGS)
    np.testing.assert_allclose(losses.tagability, 1 - np.array(MISSING))

    def of_tags(name):
        per_seed = runs.points[name].summary["scores"]["test"]["true"]["per_seed"]
        return np.mean([one["roc_auc_per_tag"] for one in per_seed], axis=0)

    expected = of_tags("noise-clean") - of_tags("noise-weak")
    np.testing.assert_allclose(losses.loss, expected)


def test_ranks_without_noise_are_the_truths_and_get_worse(runs):
    ranked = label_noise.rank_by_noise(runs)
    flips = ranked[ranked.noise == label_noise.FLIP].set_index("rate").rho
    assert flips[0.01] > flips[0.2]
    weak = ranked[ranked.noise == label_noise.WEAK].iloc[0]
    assert weak.rate == pytest.approx(0.3, abs=0.05)  # As tests/sweeps.py makes them.
    aucs = [
        [comparison.auc(one, labels).mean() for one in runs.points.values()]
        for labels in ("true", "weak")
    ]
    order = np.argsort(np.argsort(aucs))
    assert weak.rho == pytest.approx(np.corrcoef(order)[0, 1])
    annotated = label_noise.rank_by_annotated(runs)
    assert list(annotated.clips) == [50, 100, 200]
    assert annotated.rho.iloc[-1] > annotated.rho.iloc[0]
    drawn = ranked[ranked.noise != label_noise.WEAK]
    assert (drawn.low <= drawn.rho + 1e-9).all() and (drawn.low < drawn.high).any()
    assert math.isnan(weak.low) and math.isnan(weak.high)  # There is only one draw.


@pytest.mark.parametrize(
    ("weak", "expected"),
    [
        (0.95, "labels of 200 of them, the fewest that do as well, rank them by 0.960"),
        (0.99, "labels of 400 of them, the most that were tried, rank them by 0.980"),
    ],
)
def test_the_report_says_nothing_of_sizes_that_were_not_tried(weak, expected):
    few = {100: 0.9, 200: 0.96, 400: 0.98}
    rows = [(label_noise.ANNOTATED, size, rho) for size, rho in few.items()]
    rows.append((label_noise.WEAK, math.nan, weak))
    ranked = pd.DataFrame(rows, columns=["noise", "clips", "rho"])
    (text,) = label_noise.of_annotated(ranked)
    assert f"by ρ = {weak:.3f}; clean {expected} on average." in text
    assert label_noise.of_annotated(ranked[:3]) == []


def test_the_report_sets_clean_labels_of_few_clips_against_weak_ones_of_all(study):
    assert sum(one.startswith("The weak labels of") for one in study.paragraphs) == 1


def test_both_curves_of_evaluation_are_in_one_frame(study):
    shown = {one.name: one for one in study.illustrations}["noise_evaluation"].frame
    lines = shown.to_csv(index=False).splitlines()
    assert lines[0] == "noise,rate,rho,low,high,clips"
    few = [line.split(",") for line in lines if line.startswith(label_noise.ANNOTATED)]
    assert [line[-1] for line in few] == ["50", "100", "200"]
    assert [line[1] for line in few] == [""] * 3
    assert sum(line.startswith(label_noise.FLIP) for line in lines) == 5


def test_a_corpus_without_truth_is_its_own_reference(tmp_path):
    points = {
        "clean": ({}, 2.5),
        "drop-50": ({"drop_positives": 0.5}, 1.5),
        "size-50": ({"fraction": 0.5}, 2.0),
        "size-20": ({"fraction": 0.2}, 1.0),
        "fix-true": ({"drop_positives": 0.5, "label_noise": "true"}, 2.2),
    }
    study = label_noise.study(write(tmp_path, points, with_truth=False))
    found = verdicts(study)
    assert found["Networks"] == found["A loss"] == HOLDS
    assert found["Tags"] == UNDECIDED
    assert "The truth of these clips is not used" in study.paragraphs[0]
    assert "noise_tags" not in [one.name for one in study.illustrations]
    assert study.tables[0].rows[1][0] == "50 % of positives missing"


def test_the_truth_is_the_reference_before_a_point_that_learns_from_it(tmp_path):
    some = {name: POINTS[name] for name in ("weak", "fix-true", "fix-half")}
    record = write(tmp_path, some, missing=("noise-clean",))
    record.config["sweep"][-1][1] = [["train.labels", "true"]]
    study = label_noise.study(record)
    assert "truth" in study.paragraphs[0]
    assert "The truth of these clips is not used" not in study.paragraphs[0]
    assert study.tables[0].rows[0][0] == "weak labels"


@pytest.mark.parametrize("base", [("weak",), ()])
def test_a_line_is_drawn_where_a_score_is_that_was_not_corrected(tmp_path, base):
    some = {name: POINTS[name] for name in (*base, "clean", "size-50", "fix-true")}
    study = label_noise.study(write(tmp_path, some))
    shown = {one.name: one for one in study.illustrations}
    assert ("Dashed: not corrected" in shown["noise_remedy"].caption) == bool(base)
    (axes,) = label_noise.draw_remedy(
        shown["noise_remedy"].frame, "weak labels" if base else None
    ).axes
    assert any(one.get_linestyle() == "--" for one in axes.lines) == bool(base)
    drawn = shown["noise_training"].frame
    assert drawn[drawn.rate.isna()].noise.unique() == [
        "clean labels, 50 % of the clips"
    ]


def test_points_that_are_missing_are_named(tmp_path):
    some = {name: POINTS[name] for name in ("clean", "weak")}
    study = label_noise.study(write(tmp_path, some, missing=("noise-drop-50",)))
    assert "Not complete: noise-drop-50" in study.paragraphs[0]
    assert verdicts(study)["A loss"] == UNDECIDED
    nothing = label_noise.study(sweeps.write_sweep(tmp_path / "none", {}))
    assert nothing.paragraphs == ["No point of this study varies the noise of labels."]


def test_why_tags_are_not_compared_is_said(runs, tmp_path):
    def why(study):
        [found] = [one.why for one in study.claims if one.statement.startswith("Tags")]
        return found

    lacking = {name: POINTS[name] for name in ("clean", "drop-50")}
    found = label_noise.study(write(tmp_path / "a", lacking, missing=("noise-weak",)))
    assert why(found) == "the points for it are not complete."
    losses = label_noise.tag_losses(runs)[:3]
    few = label_noise._claim_of_tags(runs, losses, ())
    assert few.why == "3 tags are too few; it needs 4."
    assert "not complete" not in why(label_noise.study(write(tmp_path / "b")))


@pytest.mark.parametrize(
    ("gap", "verdict"),
    [
        ("noise-fix-twice is missing", HOLDS),
        ("noise-weak failed with seed 1", UNDECIDED),
        ("noise-clean has no score", UNDECIDED),
    ],
)
def test_what_tags_lose_needs_the_two_points_that_tell(runs, gap, verdict):
    losses = pd.DataFrame({"tagability": np.arange(6), "loss": -np.arange(6.0)})
    assert label_noise._claim_of_tags(runs, losses, [gap]).verdict == verdict


def test_scores_near_chance_decide_nothing(tmp_path):
    dull = {name: (settings, 0.0) for name, (settings, _) in POINTS.items()}
    found = verdicts(label_noise.study(write(tmp_path, dull)))
    assert set(found.values()) == {UNDECIDED}


def test_runs_at_chance_have_no_rank(tmp_path):
    some = POINTS | {k: (POINTS[k][0], 0.0) for k in ("flip-05", "size-20")}
    study = label_noise.study(write(tmp_path, some))
    (found,) = [one for one in study.claims if one.statement.startswith("Noisy and")]
    assert f"{len(POINTS) - 2} runs above chance" in found.why
