"""Frequencies of bins and bands, judged by librosa."""

import librosa
import numpy as np
import pytest

from msd_tagger.frontend import bands
from msd_tagger.frontend.recipe import Recipe

# The paper's bands, those of the tests and benchmarks, and others of other rates.
SIZES = [
    (96, 512, 12_000),
    (8, 64, 12_000),
    (16, 128, 4000),
    (24, 512, 12_000),
    (48, 512, 12_000),
    (96, 512, 16_000),
    (128, 512, 12_000),
    (128, 2048, 22_050),
]


@pytest.mark.parametrize(
    ("num_bands", "dft_size", "rate_hz"),
    [(96, 512, 12_000), (128, 2048, 22_050), (40, 512, 8000), (256, 4096, 96_000)],
)
def test_mel_filters_are_librosas(num_bands, dft_size, rate_hz):
    recipe = Recipe(
        "mel",
        sample_rate_hz=rate_hz,
        dft_size_samples=dft_size,
        num_mel_bands=num_bands,
    )
    expected = librosa.filters.mel(sr=rate_hz, n_fft=dft_size, n_mels=num_bands)
    found = recipe.mel_filters()
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("num_bands", "dft_size", "rate_hz"), SIZES)
def test_the_scale_is_librosas_to_the_bit(num_bands, dft_size, rate_hz):
    edges_hz = librosa.mel_frequencies(num_bands + 2, fmin=0, fmax=rate_hz / 2)
    recipe = Recipe("mel", rate_hz, 29.0, "start", dft_size, 256, num_bands)
    np.testing.assert_array_equal(recipe.band_centres_hz(), edges_hz[1:-1])
    bins_hz = librosa.fft_frequencies(sr=rate_hz, n_fft=dft_size)
    np.testing.assert_array_equal(bands.bins_hz(dft_size, rate_hz), bins_hz)


def _standards_curve_db(frequency_hz):
    """IEC 61672-1:2003, annex E; 2.00 dB bring 1 kHz to 0 dB."""
    poles_hz = np.array([20.598997, 107.65265, 737.86223, 12194.217])
    squared = np.square(frequency_hz)[..., None]
    outer = squared + np.square(poles_hz[[0, 3]])
    inner = np.sqrt(squared + np.square(poles_hz[[1, 2]]))
    gain = poles_hz[3] ** 2 * squared[..., 0] ** 2
    gain = gain / (outer.prod(axis=-1) * inner.prod(axis=-1))
    with np.errstate(divide="ignore"):
        return np.maximum(20 * np.log10(gain) + 2.0, -80.0)


@pytest.mark.parametrize("kind", ["mel", "stft"])
@pytest.mark.parametrize(("num_bands", "dft_size", "rate_hz"), SIZES)
def test_a_weighting_is_the_standards_to_the_bit(kind, num_bands, dft_size, rate_hz):
    recipe = Recipe(kind, rate_hz, 29.0, "start", dft_size, 256, num_bands)
    expected = _standards_curve_db(recipe.band_centres_hz())
    found = recipe.a_weighting_db()
    np.testing.assert_array_equal(found, expected.astype(np.float32))
    assert found.shape == (recipe.shape[0],)


@pytest.mark.parametrize("kind", ["mel", "stft"])
def test_a_weighting_is_0_db_at_1_khz(kind):
    nearest = np.abs(Recipe(kind).band_centres_hz() - 1000).argmin()
    assert abs(Recipe(kind).a_weighting_db()[nearest]) < 0.2
