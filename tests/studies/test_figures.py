"""Every figure draws, in both themes, also with odd input and without a warning."""

import itertools
import warnings

import numpy as np
import pandas as pd
import pytest

from msd_tagger.pages import style
from studies import figures, records

STEPS = np.arange(1, 9)
CURVES = pd.DataFrame(np.linspace(0.4, 0.7, 24).reshape(8, 3), STEPS)


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def drawn(draw, theme="light"):
    content = style.svg(draw, theme)
    assert b"<svg" in content
    return content


@pytest.mark.parametrize("num_seeds", [1, 3, 20])
def test_learning_curves_of_any_number_of_seeds(num_seeds):
    values = pd.DataFrame(np.resize(CURVES, (8, num_seeds)), STEPS)
    drawn(lambda: figures.training_loss(values, values))
    best = np.full(num_seeds, 4.0)
    drawn(lambda: figures.validation_curve(values, best, "macro ROC-AUC"))


def test_the_ring_lies_on_the_step_that_is_kept():
    best = np.array([2, 5, np.nan])
    axes = figures.validation_curve(CURVES, best, "macro ROC-AUC").axes[0]
    rings = [line for line in axes.lines if line.get_marker() == "o"]
    found = [(line.get_xdata()[0], line.get_ydata()[0]) for line in rings]
    assert found == [(2, CURVES.iloc[1, 0]), (5, CURVES.iloc[4, 1])]


def test_a_loss_before_any_evaluation_and_one_that_diverged():
    drawn(lambda: figures.training_loss(CURVES, records.per_seed([], "loss")))
    gone = CURVES.mask(CURVES > 0.6)
    drawn(lambda: figures.training_loss(gone, gone))
    many = pd.concat([gone] * 4, axis=1, ignore_index=True)
    drawn(lambda: figures.validation_curve(many, many.iloc[0], "macro PR-AUC"))


def test_speed_starts_at_zero():
    figure = figures.training_speed(CURVES[0] * 50)
    assert figure.axes[0].get_ylim()[0] == 0


@pytest.mark.parametrize("kinds", [("weak",), ("weak", "true")])
@pytest.mark.parametrize("theme", list(style.THEMES))
def test_scores_with_and_without_truth_and_baseline(kinds, theme):
    network = {kind: [0.7, 0.72] for kind in kinds}
    drawn(lambda: figures.scores_overview(network, {}), theme)
    drawn(lambda: figures.scores_overview(network, dict.fromkeys(kinds, 0.7)), theme)


def test_tags_without_a_score_leave_a_gap():
    columns = {"tag": ["rock", "$pop_x$", "<jazz>"], "clips (weak)": [3, 0, 9]}
    auc = {"weak": [0.6, np.nan, 0.5], "true": [0.8, 0.7, 0.5]}
    for labels, values in auc.items():
        columns[f"ROC-AUC ({labels})"] = list(np.array([values, values]).T)
        columns[f"95 % ({labels})"] = [[one - 0.1, one + 0.1] for one in values]
    frame = pd.DataFrame(columns)
    figure = figures.auc_per_tag(frame)
    ends = figure.axes[0].collections[0].get_segments()[0][:, 0]
    np.testing.assert_allclose(ends, [0.5, 0.7])
    names = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert len(names) == 3 and names[2] == "<jazz>"
    drawn(lambda: figures.auc_per_tag(frame.assign(tag=["a", "b", "c"])))


def test_counts_are_ordered():
    frame = pd.DataFrame({"tag": ["rare", "frequent"], "clips": [2, 10]})
    figure = figures.tag_counts(frame)
    names = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert names == ["frequent", "rare"]
    assert [bar.get_width() for bar in figure.axes[0].patches] == [10, 2]


def test_many_bars_stand_in_two_columns():
    tags = [f"tag {k}" for k in range(51)]
    frame = pd.DataFrame({"tag": tags, "clips": np.arange(51) * 900})
    figure = figures.tag_counts(frame)
    left, right = figure.axes
    assert [len(axes.patches) for axes in (left, right)] == [26, 25]
    assert left.get_xlim() == right.get_xlim() and left.get_ylim() == right.get_ylim()


@pytest.mark.parametrize("clips", [900, 52_944, 2_000_000])
@pytest.mark.parametrize("rarest", [0.0001, 0.2])
def test_ticks_do_not_lie_over_each_other(clips, rarest):
    """At any size of corpus, with tags of one clip in ten thousand."""
    counts = np.geomspace(clips, max(1, clips * rarest), 50).astype(int).tolist()
    tags = [f"tag {k}" for k in range(50)]
    figure = figures.tags_per_split(tags, {"train": counts}, {"train": 4 * clips})
    figure.draw_without_rendering()
    for axes in figure.axes:
        boxes = [
            label.get_window_extent()
            for label in axes.get_xticklabels()
            if label.get_text()
            and axes.get_xlim()[0] <= label.get_position()[0] <= axes.get_xlim()[1]
        ]
        boxes.sort(key=lambda box: box.x0)
        assert len(boxes) > 1
        assert all(a.x1 < b.x0 for a, b in itertools.pairwise(boxes))


def test_curves_of_more_runs_than_have_looks_name_the_best():
    steps = pd.DataFrame({"step": [1, 2, 3], "mean": [0.5, 0.6, 0.55]})
    runs = [
        steps.assign(point=f"run {k}", mean=steps["mean"] + 0.01 * k) for k in range(14)
    ]
    frame = pd.concat(runs).assign(low=0.4, high=0.8)
    figure = figures.curves_of_points(frame)
    assert len(figure.axes[0].lines) == 14
    named = [text.get_text() for text in figure.legends[0].get_texts()]
    assert named == [f"run {k}" for k in range(2, 14)]
    drawn(lambda: figures.curves_of_points(frame[frame["point"] == "run 3"]), "dark")


def test_themes_differ_and_drawings_repeat():
    def draw():
        return figures.training_speed(CURVES[0])

    assert drawn(draw, "light") != drawn(draw, "dark")
    assert drawn(draw) == drawn(draw)


def test_tags_per_split_shows_shares_and_where_there_are_none():
    positives = {"train": [40, 0, 8], "valid": [0, 0, 0], "test": [5, 1, 0]}
    clips = {"train": 80, "valid": 0, "test": 10}

    def draw():
        return figures.tags_per_split(("a", "b", "c"), positives, clips)

    drawn(draw, "dark")
    left, right = draw().axes
    shares = {line.get_label(): line.get_xdata().tolist() for line in left.lines}
    # Most frequent first: a, c, b. The smallest share is 10 %, so none is drawn at 5.
    assert shares == {"train": [50, 10, 5], "test": [50, 5, 10]}
    assert [text.get_text() for text in left.get_yticklabels()] == ["a", "c", "b"]
    assert [bar.get_width() for bar in right.patches] == [45, 8, 1]


def test_tags_per_split_of_very_many_tags_and_of_no_clip():
    tags = [f"tag {k}" for k in range(500)]
    positives = {"train": list(range(500))}
    left, _ = figures.tags_per_split(tags, positives, {"train": 900}).axes
    assert len(left.get_yticks()) == figures.MAX_DRAWN_TAGS
    assert left.get_yticklabels()[0].get_text() == "tag 499"
    drawn(lambda: figures.tags_per_split(("a",), {"train": [0]}, {"train": 0}))
