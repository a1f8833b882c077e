"""The areas under the curves, judged by scikit-learn and by their own properties."""

import json

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from msd_tagger.common import metrics


def make_case(kind: str, num_clips: int = 211, num_tags: int = 7, seed: int = 0):
    """Returns labels and scores in which every tag has positives and negatives."""
    rng = np.random.default_rng(seed)
    prevalence = np.linspace(0.02, 0.9, num_tags)
    labels = (rng.random((num_clips, num_tags)) < prevalence).astype(np.uint8)
    labels[0], labels[1] = 1, 0
    scores = rng.random((num_clips, num_tags)) + 0.4 * labels
    return labels, {
        "random": scores,
        "float32": scores.astype(np.float32),
        "ties": np.round(scores, 1),
        "two values": np.round(scores / 2),
        "constant": np.full_like(scores, 0.25),
        "perfect": labels.astype(float),
        "reversed": -labels.astype(float),
        "integers": np.round(scores * 3).astype(np.uint8),
        "large and small": np.exp(40 * (scores - 1)),
    }[kind]


CASES = (
    "random",
    "float32",
    "ties",
    "two values",
    "constant",
    "perfect",
    "reversed",
    "integers",
    "large and small",
)


@pytest.mark.parametrize("kind", CASES)
def test_equals_scikit_learn_per_tag_and_averaged(kind):
    labels, scores = make_case(kind)
    ours = metrics.score(labels, scores)
    theirs = {
        "roc_auc_per_tag": roc_auc_score(labels, scores, average=None),
        "roc_auc_macro": roc_auc_score(labels, scores, average="macro"),
        "roc_auc_micro": roc_auc_score(labels, scores, average="micro"),
        "pr_auc_per_tag": average_precision_score(labels, scores, average=None),
        "pr_auc_macro": average_precision_score(labels, scores, average="macro"),
        "pr_auc_micro": average_precision_score(labels, scores, average="micro"),
    }
    for name, value in theirs.items():
        np.testing.assert_allclose(ours[name], value, rtol=0, atol=1e-12, err_msg=name)
    assert ours["num_tags_scored"] == labels.shape[1]
    assert ours["positives"] == labels.sum(axis=0).tolist()


@pytest.mark.parametrize("seed", range(20))
def test_equals_scikit_learn_on_small_tied_rankings(seed):
    rng = np.random.default_rng(seed)
    labels = np.vstack([[0], [1], rng.integers(0, 2, (rng.integers(0, 9), 1))])
    scores = rng.integers(0, 4, labels.shape) / 3
    ours = metrics.score(labels, scores)
    assert ours["roc_auc_macro"] == pytest.approx(
        roc_auc_score(labels[:, 0], scores[:, 0]), abs=1e-12
    )
    assert ours["pr_auc_macro"] == pytest.approx(
        average_precision_score(labels[:, 0], scores[:, 0]), abs=1e-12
    )


def test_empty_and_full_tags_are_left_out_and_counted():
    labels, scores = make_case("ties")
    labels[:, 2], labels[:, 5] = 0, 1
    kept = [0, 1, 3, 4, 6]
    ours = metrics.score(labels, scores)
    alone = metrics.score(labels[:, kept], scores[:, kept])
    assert ours["num_tags_scored"] == 5
    for name in metrics.AVERAGES:
        assert ours[name] == alone[name]
    for name in ("roc_auc_per_tag", "pr_auc_per_tag"):
        assert ours[name][2] is None and ours[name][5] is None
        assert [ours[name][k] for k in kept] == alone[name]
    assert ours["roc_auc_micro"] == pytest.approx(
        roc_auc_score(labels[:, kept], scores[:, kept], average="micro"), abs=1e-12
    )


@pytest.mark.parametrize("fill", [0, 1])
def test_nothing_to_score_gives_none_and_never_nan(fill):
    found = metrics.score(
        np.full((4, 3), fill), np.random.default_rng(0).random((4, 3))
    )
    assert found["num_tags_scored"] == 0
    assert all(found[name] is None for name in metrics.AVERAGES)
    assert found["roc_auc_per_tag"] == [None] * 3
    json.dumps(found, allow_nan=False)


def test_one_clip_is_not_an_error():
    assert metrics.score([[1, 0]], [[0.2, 0.3]])["roc_auc_macro"] is None


def test_only_the_ranking_matters():
    labels, scores = make_case("ties")
    monotonic = np.arctan(scores * 3) - 5
    assert metrics.score(labels, scores) == metrics.score(labels, monotonic)


def test_the_order_of_clips_does_not_matter():
    labels, scores = make_case("ties")
    order = np.random.default_rng(1).permutation(len(labels))
    straight = metrics.score(labels, scores)
    shuffled = metrics.score(labels[order], scores[order])
    # The sums run in another order, so the last bit may differ.
    np.testing.assert_allclose(
        shuffled["pr_auc_per_tag"], straight["pr_auc_per_tag"], rtol=1e-13
    )
    assert shuffled["roc_auc_per_tag"] == straight["roc_auc_per_tag"]


def test_negated_scores_mirror_the_roc_curve():
    labels, scores = make_case("ties")
    straight = metrics.score(labels, scores)["roc_auc_per_tag"]
    mirrored = metrics.score(labels, -scores)["roc_auc_per_tag"]
    np.testing.assert_allclose(np.add(straight, mirrored), 1, atol=1e-12)


def test_a_constant_score_is_chance():
    labels, scores = make_case("constant")
    found = metrics.score(labels, scores)
    assert found["roc_auc_per_tag"] == [0.5] * labels.shape[1]
    np.testing.assert_allclose(found["pr_auc_per_tag"], labels.mean(axis=0))


def test_score_all_gives_seeds_and_their_spread():
    labels, scores = make_case("random")
    truth = np.roll(labels, 1, axis=0)
    seeds = np.stack([scores, scores[::-1], np.sqrt(scores)])
    found = metrics.score_all(labels, seeds, truth)
    assert found["num_seeds"] == 3 and found["num_clips"] == len(labels)
    assert found["weak"]["per_seed"][1] == metrics.score(labels, seeds[1])
    assert found["true"]["per_seed"][2] == metrics.score(truth, seeds[2])
    values = [one["roc_auc_macro"] for one in found["weak"]["per_seed"]]
    assert found["weak"]["mean"]["roc_auc_macro"] == pytest.approx(np.mean(values))
    assert found["weak"]["std"]["roc_auc_macro"] == pytest.approx(
        np.std(values, ddof=1)
    )
    assert found["weak"]["min"]["roc_auc_macro"] == min(values)
    assert found["weak"]["max"]["roc_auc_macro"] == max(values)
    json.dumps(found, allow_nan=False)


def test_score_all_without_truth_and_with_one_seed():
    labels, scores = make_case("random")
    found = metrics.score_all(labels, scores[None], None)
    assert found["true"] is None
    assert found["weak"]["std"]["roc_auc_macro"] is None
    assert found["weak"]["mean"] == found["weak"]["min"] == found["weak"]["max"]


def test_a_million_pairs_stay_exact():
    rng = np.random.default_rng(3)
    labels = (rng.random((40_000, 25)) < 0.03).astype(np.uint8)
    scores = np.round(rng.random(labels.shape), 3) + 0.1 * labels
    found = metrics.score(labels, scores)
    expected = roc_auc_score(labels.ravel(), scores.ravel())
    assert found["roc_auc_micro"] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        (np.zeros((3, 2)), np.zeros((3, 4)), r"shape \(3, 2\) and scores \(3, 4\)"),
        (np.zeros(3), np.zeros(3), r"shape \(3,\)"),
        (np.zeros((0, 2)), np.zeros((0, 2)), r"nothing to score.*\(0, 2\)"),
        (np.full((2, 1), 2), np.zeros((2, 1)), r"0 or 1, but hold \[2\]"),
        (np.full((2, 1), np.nan), np.zeros((2, 1)), r"0 or 1, but hold \[nan\]"),
        (np.zeros((2, 1)), [[np.nan], [np.inf]], "2 of 2 scores are NaN or infinite"),
    ],
)
def test_wrong_input_says_what_was_given(labels, scores, message):
    with pytest.raises(ValueError, match=message):
        metrics.score(labels, scores)


@pytest.mark.parametrize(
    ("scores", "message"),
    [(np.zeros((3, 2)), r"shape \(3, 2\)"), (np.zeros((0, 3, 2)), "no seed")],
)
def test_score_all_wants_a_seed_axis(scores, message):
    with pytest.raises(ValueError, match=message):
        metrics.score_all(np.zeros((3, 2)), scores)
