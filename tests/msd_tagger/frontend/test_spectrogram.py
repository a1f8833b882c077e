"""Clips to spectrograms, judged by librosa."""

import librosa
import numpy as np
import pytest

from msd_tagger.frontend.recipe import Recipe
from msd_tagger.frontend.spectrogram import (
    power_stft,
    spectrogram,
    to_bands,
    to_stored_db,
)

FULL = Recipe("mel")


def _signals():
    rng = np.random.default_rng(0)
    time_s = np.arange(FULL.num_samples) / 12_000
    tone = np.sin(2 * np.pi * 1003.7 * time_s)
    clicks = (np.arange(FULL.num_samples) % 1000 == 0).astype(float)
    drone = np.cumsum(rng.standard_normal(FULL.num_samples))
    half_silent = np.where(time_s < 15, rng.standard_normal(FULL.num_samples), 0)
    return {
        "tone": tone,
        "clicks": clicks,
        "drone": drone / np.abs(drone).max(),
        "half_silent": 0.1 * half_silent,
    }


# Of a single-precision transform of 512 samples, relative to its frame's largest
# amplitude.
ROUNDING = 3e-7


def _exact_amplitude(samples):
    """librosa's, in double precision."""
    return np.abs(librosa.stft(samples.astype(float), n_fft=512, hop_length=256))


@pytest.mark.parametrize("name", list(_signals()))
def test_power_equals_librosas(name):
    samples = _signals()[name].astype(np.float32)
    ours = power_stft(samples, Recipe("stft"))
    theirs = _exact_amplitude(samples)
    assert ours.shape == theirs.shape == (257, 1360)
    assert ours.dtype == np.float32
    allowed = ROUNDING * theirs.max(axis=0) + 1e-6 * theirs
    assert (np.abs(np.sqrt(ours) - theirs) <= allowed).all()


@pytest.mark.parametrize("name", list(_signals()))
def test_mel_bands_equal_librosas(name):
    samples = _signals()[name].astype(np.float32)
    power = power_stft(samples, FULL)
    ours = to_bands(power, FULL.mel_filters())
    theirs = librosa.feature.melspectrogram(
        y=samples, sr=12_000, n_fft=512, hop_length=256, n_mels=96, power=2.0
    )
    assert ours.shape == (96, 1360)
    loud = theirs > 1e-6 * theirs.max()
    np.testing.assert_allclose(ours[loud], theirs[loud], rtol=1e-4)


@pytest.mark.parametrize("recipe", [FULL, Recipe("stft")])
def test_stored_decibels_are_within_half_a_step(recipe):
    samples = _signals()["drone"].astype(np.float32)
    amplitude = _exact_amplitude(samples)
    power = np.stack([amplitude, amplitude + ROUNDING * amplitude.max(axis=0)]) ** 2
    if recipe.kind == "mel":
        power = recipe.mel_filters().astype(float) @ power
    exact, rounded = 10 * np.log10(np.maximum(power, 1e-10))
    stored = spectrogram(samples, recipe)
    assert stored.dtype == np.float16
    assert stored.shape == recipe.shape
    half_step = np.spacing(np.abs(stored)).astype(float) / 2
    error = np.abs(stored - exact)
    # Single precision adds up to 1e-6 of a power, 4e-6 dB, behind the transform.
    assert (error <= half_step + (rounded - exact) + 1e-5).all()
    assert half_step.max() <= 0.03125


def test_decibels_have_a_floor():
    assert to_stored_db(np.zeros((2, 3), np.float32)).tolist() == [[-100] * 3] * 2
