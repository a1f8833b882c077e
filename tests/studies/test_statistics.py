"""Spreads, intervals and correlations, by the paper's numbers and by scipy."""

import numpy as np
import pytest
from scipy import stats

from msd_tagger.common import paper
from studies import statistics

CLIPS = np.array([12, 24, 48, 96, 192, 384, 600])
VALUES = np.array([0.842, 0.845, 0.8431, 0.8472, 0.8444, 0.8429])


def test_the_papers_interval_is_the_normal_one():
    count = paper.VARIANCE_RUNS
    normal = statistics.normal_half_width(paper.VARIANCE_STD, count)
    assert round(normal, 5) == paper.VARIANCE_CI95
    by_t = statistics.t_half_width(paper.VARIANCE_STD, count, count - 1)
    assert round(by_t, 5) == 0.00075


def test_a_description_by_hand_and_by_scipy():
    found = statistics.describe(VALUES)
    assert found.mean == pytest.approx(VALUES.mean())
    assert found.std == pytest.approx(stats.tstd(VALUES))
    distances = [abs(value - VALUES.mean()) for value in VALUES]
    assert found.mean_absolute_deviation == pytest.approx(sum(distances) / 6)
    low, high = stats.t.interval(0.95, 5, VALUES.mean(), stats.sem(VALUES))
    assert found.t_half_width == pytest.approx((high - low) / 2)
    low, high = stats.norm.interval(0.95, VALUES.mean(), stats.sem(VALUES))
    assert found.normal_half_width == pytest.approx((high - low) / 2)


def test_one_run_has_no_spread_and_none_is_an_error():
    found = statistics.describe([0.8])
    assert found.mean == 0.8
    assert np.isnan([found.std, found.t_half_width, found.normal_half_width]).all()
    assert np.isnan(statistics.difference_by_extremes([0.8]))
    with pytest.raises(ValueError, match="values over seeds are empty"):
        statistics.describe([])


def test_the_smallest_difference_by_both_rules():
    far = statistics.largest_deviations([0.5, 0.4972, 0.5026, 0.5002])
    assert [index for index, _ in far] == [1, 2]
    assert [round(distance, 4) for _, distance in far] == [-0.0028, 0.0026]
    by_sum = statistics.difference_by_extremes([0.5, 0.4972, 0.5026, 0.5002])
    assert by_sum == pytest.approx(sum(paper.LARGEST_DIFFERENCES))
    # Of many pairs of equal runs, 5 % lie farther apart than the bound.
    runs = np.random.default_rng(0).normal(0, 0.00136, (2, 200_000))
    bound = statistics.difference_by_bound(0.00136, 10_000)
    assert np.mean(np.abs(runs[0] - runs[1]) > bound) == pytest.approx(0.05, abs=0.002)


def test_the_interval_of_a_deviation_holds_it_95_times_of_100():
    rng = np.random.default_rng(1)
    runs = rng.normal(0, 2, (4000, 6)).std(axis=1, ddof=1)
    bounds = np.array([statistics.std_interval(std, 5) for std in runs])
    inside = (bounds[:, 0] < 2) & (bounds[:, 1] > 2)
    assert inside.mean() == pytest.approx(0.95, abs=0.01)


def test_the_ratio_of_two_deviations_is_covered_95_times_of_100():
    rng = np.random.default_rng(3)
    ours, other = (rng.normal(0, 2, (2000, n)).std(axis=1, ddof=1) for n in (5, 15))
    ends = [
        statistics.ratio_interval(*pair, (4, 14))
        for pair in zip(ours, other, strict=True)
    ]
    inside = [low < 1 < high for low, high in ends]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.015)
    assert np.isnan(statistics.ratio_interval(1.0, 1.0, (0, 14))).all()


def test_several_claims_at_once_need_wider_intervals():
    values = [1.0, 2.0, 4.0]
    low, high = statistics.mean_interval(values, claims=5)
    judge = stats.t.interval(0.99, 2, np.mean(values), stats.sem(values))
    assert (low, high) == pytest.approx(judge)
    assert np.isnan(statistics.mean_interval([1.0])).all()


def test_correlations_and_their_intervals():
    rng = np.random.default_rng(2)
    x = rng.normal(size=30)
    y = x + rng.normal(size=30)
    found, judge = statistics.pearson(x, y), stats.pearsonr(x, y)
    assert found.value == pytest.approx(judge.statistic)
    ends = judge.confidence_interval(0.95)
    assert found.interval() == pytest.approx((ends.low, ends.high))
    wide = judge.confidence_interval(0.99)
    assert found.interval(5) == pytest.approx((wide.low, wide.high))


def test_an_interval_holds_its_correlation():
    x = np.arange(7.0)
    found, judge = (of(x, x + x % 2 / 4) for of in (statistics.pearson, stats.pearsonr))
    assert 0.99 < found.value < 1
    ends = judge.confidence_interval(0.95)
    assert found.interval() == pytest.approx((ends.low, ends.high))
    low, high = statistics.pearson(x, x).interval()
    assert 0.8 < low < 0.9
    assert high == pytest.approx(1)


def test_correlations_that_say_little():
    correlate = statistics.pearson
    assert np.isnan(correlate([1, 1, 1, 1], [1, 2, 3, 4]).value)
    assert np.isnan(correlate([1], [2]).value)
    assert np.isnan(correlate([1, 2, np.nan, 4, 5], [1, 2, 3, 4, 5]).value)
    three = correlate([1, 2, 3], [1, 2, 3])
    assert three.value == pytest.approx(1)
    assert np.isnan(three.interval()).all()
    # Four agree by chance in one of 24 orders, and as many the other way round.
    for count, least in ((4, -0.45), (5, 0.42), (13, 0.99)):
        numbers = range(count)
        perfect, opposite = (correlate(numbers, numbers[::s]) for s in (1, -1))
        assert perfect.interval()[0] == pytest.approx(least, abs=0.01)
        assert opposite.interval()[1] == -perfect.interval()[0]


def test_the_line_and_its_error_are_those_of_least_squares():
    rng = np.random.default_rng(0)
    scores = 0.5 + 0.02 * np.log2(CLIPS) + 0.004 * rng.normal(size=7)
    found = statistics.fit_line(CLIPS, scores)
    (slope, intercept), covariance = np.polyfit(np.log2(CLIPS), scores, 1, cov=True)
    assert (found.slope, found.intercept) == pytest.approx((slope, intercept))
    assert found.slope_error == pytest.approx(np.sqrt(covariance[0, 0]))
    (curvature, *_), covariance = np.polyfit(np.log2(CLIPS), scores, 2, cov=True)
    assert found.curvature == pytest.approx(curvature)
    # 2.776 is Student's t of 4 degrees of freedom at 97.5 %.
    half_width = 2.7764 * np.sqrt(covariance[0, 0])
    assert found.curvature_half_width() == pytest.approx(half_width, rel=1e-4)
    low, high = found.slope_interval()
    assert low < 0.02 < high
    low, high = found.bend_interval()
    assert low < 0 < high
    assert found.at(600) == pytest.approx(intercept + slope * np.log2(600))


def test_the_bend_is_how_much_the_gain_changes_from_the_middle_to_an_end():
    doublings = np.arange(7.0)
    clips, scores = 100 * 2**doublings, 0.7 + 0.02 * doublings
    assert statistics.fit_line(clips, scores).bend_interval() == pytest.approx(
        (0, 0), abs=1e-6
    )
    # The gain falls from 0.03 at the first size over 0.02 to 0.01 at the last.
    bent = scores - 0.02 / 12 * (doublings - 3) ** 2
    found = statistics.fit_line(clips, bent).bend_interval()
    assert found == pytest.approx((-0.5, -0.5), abs=1e-6)
    saturating = 0.9 - 0.3 / CLIPS**0.5
    assert statistics.fit_line(CLIPS, saturating).bend_interval()[1] < 0


def test_two_sizes_have_a_slope_without_an_error_and_one_has_none():
    two = statistics.fit_line([100, 200], [0.7, 0.72])
    assert two.slope == pytest.approx(0.02)
    assert np.isnan([two.slope_error, two.curvature, two.r_squared]).all()
    assert statistics.fit_line([100, 100], [0.7, 0.72]) is None


SHARES = 2.0 ** np.arange(-4, 1)


@pytest.mark.parametrize(
    ("gap", "half", "share", "ends"),
    [
        # 0.02 a doubling: two doublings, and by half of one more and less.
        (0.04, 0.01, 1 / 4, (2**-2.5, 2**-1.5)),
        # At an end that was not compared nothing is known.
        (0.07, 0.02, 2**-3.5, (0, 2**-2.5)),
        (0.01, 0.02, 2**-0.5, (2**-1.5, np.inf)),
        (0.2, 0.02, 1 / 16, (0, 1 / 16)),
        (-0.1, 0.02, 1, (1, np.inf)),
        (0.04, np.inf, 1 / 4, (0, np.inf)),
    ],
)
def test_a_gap_of_two_doublings_is_that_of_a_quarter_of_the_clips(
    gap, half, share, ends
):
    gaps = -0.02 * np.log2(SHARES) - gap
    found = statistics.read_off(SHARES, gaps, np.full(5, half))
    assert found[0] == pytest.approx(share)
    assert found[1] == pytest.approx(ends)
