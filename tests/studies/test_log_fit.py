"""Lines against log2, by numpy and by cases made to order."""

import numpy as np
import pytest

from studies import log_fit

CLIPS = np.array([12, 24, 48, 96, 192, 384, 600])


def test_the_line_and_its_error_are_those_of_least_squares():
    rng = np.random.default_rng(0)
    scores = 0.5 + 0.02 * np.log2(CLIPS) + 0.004 * rng.normal(size=7)
    found = log_fit.fit(CLIPS, scores)
    (slope, intercept), covariance = np.polyfit(np.log2(CLIPS), scores, 1, cov=True)
    assert (found.slope, found.intercept) == pytest.approx((slope, intercept))
    assert found.slope_error == pytest.approx(np.sqrt(covariance[0, 0]))
    (curvature, *_), covariance = np.polyfit(np.log2(CLIPS), scores, 2, cov=True)
    assert found.curvature == pytest.approx(curvature)
    # 2.776 is Student's t of 4 degrees of freedom at 97.5 %.
    half_width = 2.7764 * np.sqrt(covariance[0, 0])
    assert found.curvature_half_width == pytest.approx(half_width, rel=1e-4)
    low, high = found.slope_interval
    assert low < 0.02 < high
    assert not found.is_curved
    assert found.at(600) == pytest.approx(intercept + slope * np.log2(600))


def test_a_curve_that_saturates_is_curved():
    saturating = 0.9 - 0.3 / CLIPS**0.5
    assert log_fit.fit(CLIPS, saturating).is_curved


def test_two_sizes_have_a_slope_without_an_error_and_one_has_none():
    two = log_fit.fit([100, 200], [0.7, 0.72])
    assert two.slope == pytest.approx(0.02)
    assert np.isnan([two.slope_error, two.curvature, two.r_squared]).all()
    assert log_fit.fit([100, 100], [0.7, 0.72]) is None


def line(slope, slope_error=0.0, count=7):
    return log_fit.LogFit(slope, slope_error, 0.5, 1.0, 0.0, 0.0, count)


def test_a_gap_of_two_doublings_is_worth_four_times_the_data():
    factor, (low, high) = log_fit.data_factor(0.04, 0.005, line(0.02))
    assert factor == pytest.approx(4)
    # The gap's 95 % interval is 0.0302 to 0.0498, that is 1.51 to 2.49 doublings.
    assert (low, high) == pytest.approx((2**1.51, 2**2.49), rel=0.02)


def test_an_uncertain_slope_has_no_upper_end():
    factor, (low, high) = log_fit.data_factor(0.04, 0.005, line(0.02, 0.015))
    assert factor == pytest.approx(4)
    assert low < 4
    assert high == np.inf
    assert log_fit.data_factor(0.04, 0.0, line(-0.01))[0] == np.inf
