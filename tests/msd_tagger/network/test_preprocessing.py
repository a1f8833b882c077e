import numpy as np
import pytest

from msd_tagger.network import preprocessing as pre

BANDS, FRAMES = 6, 40
WEIGHT_DB = np.linspace(-30, 2, BANDS).astype(np.float32)
STATISTICS = pre.BandStatistics(
    WEIGHT_DB, np.linspace(-50, -30, BANDS), np.linspace(4, 9, BANDS)
)


@pytest.fixture
def stored():
    random = np.random.default_rng(0)
    level = np.linspace(-20, -70, BANDS)[:, None]
    return (level + random.normal(0, 9, (3, BANDS, FRAMES))).astype(np.float16)


def run(stored, **settings):
    return np.asarray(pre.apply(stored, pre.Preprocessing(**settings), STATISTICS))


def expected(stored, magnitude="db", frequency_weighting="bypass", clip=True, scale=1):
    x = stored.astype(np.float64)
    if magnitude == "db":
        x = np.maximum(x - x.max((1, 2), keepdims=True), -80)
    else:
        x = 10 ** (x / 10)
    if frequency_weighting == "a_weighting":
        db = WEIGHT_DB[:, None]
        x = x + db if magnitude == "db" else x * 10 ** (db / 10)
    elif frequency_weighting == "per_frequency":
        x = (x - x.mean(2, keepdims=True)) / x.std(2, keepdims=True)
    elif frequency_weighting == "per_frequency_dataset":
        x = (x - STATISTICS.mean[:, None]) / STATISTICS.deviation[:, None]
    if clip:
        x = (x - x.mean((1, 2), keepdims=True)) / x.std((1, 2), keepdims=True)
    return x * scale


@pytest.mark.parametrize("magnitude", pre.MAGNITUDES)
@pytest.mark.parametrize("weighting", pre.WEIGHTINGS)
@pytest.mark.parametrize("scale", [1.0, 10.0])
def test_every_configuration_equals_numpy(stored, magnitude, weighting, scale):
    found = run(stored, magnitude=magnitude, frequency_weighting=weighting, scale=scale)
    want = expected(stored, magnitude, weighting, True, scale)
    np.testing.assert_allclose(found, want, rtol=1e-3, atol=1e-3 * scale)


def test_without_standardisation_decibels_lie_between_the_floor_and_zero(stored):
    found = run(stored, standardise_clip=False)
    assert found.max() == 0
    assert found.min() == pre.FLOOR_DB or found.min() > pre.FLOOR_DB
    np.testing.assert_allclose(found, expected(stored, clip=False), atol=1e-4)


@pytest.mark.parametrize("magnitude", pre.MAGNITUDES)
def test_a_clip_does_not_depend_on_its_batch_mates(stored, magnitude):
    together = run(stored, magnitude=magnitude)
    np.testing.assert_array_equal(together[1:2], run(stored[1:2], magnitude=magnitude))


@pytest.mark.parametrize("magnitude", pre.MAGNITUDES)
@pytest.mark.parametrize("value_db", [-100.0, -80.0, -33.3])
def test_a_constant_band_becomes_zero(stored, magnitude, value_db):
    stored[:, -1] = value_db
    settings = pre.Preprocessing(magnitude, "per_frequency", False)
    found = np.asarray(pre.apply(stored, settings, STATISTICS))
    assert not np.any(found[:, -1])
    np.testing.assert_allclose(found[:, :-1].std(2), 1, rtol=1e-4)


@pytest.mark.parametrize("magnitude", pre.MAGNITUDES)
@pytest.mark.parametrize("weighting", pre.WEIGHTINGS)
def test_digital_silence_stays_finite(magnitude, weighting):
    silence = np.full((1, BANDS, FRAMES), -100, np.float16)
    found = run(silence, magnitude=magnitude, frequency_weighting=weighting)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("weighting", ["bypass", "per_frequency"])
def test_quiet_linear_clips_are_standardised_too(stored, weighting):
    quiet = (stored.astype(np.float32) - 40).astype(np.float16)
    found = run(quiet, magnitude="linear", frequency_weighting=weighting)
    np.testing.assert_allclose(found.std(), 1, rtol=1e-3)


def test_the_published_network_takes_the_maximum_of_the_batch(stored):
    found = run(stored, standardise_clip=False, reference="batch")
    x = stored.astype(np.float64)
    np.testing.assert_allclose(found, np.maximum(x - x.max(), -80), atol=1e-4)
    assert np.sum(found.max((1, 2)) == 0) == 1
