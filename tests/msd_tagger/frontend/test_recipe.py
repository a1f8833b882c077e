"""The recipe: shapes, identity, frequencies."""

import dataclasses

import numpy as np
import pytest

from msd_tagger.frontend.recipe import Recipe


def test_the_papers_recipe_has_96_bands_and_1360_frames():
    assert Recipe("mel").shape == (96, 1360)
    assert Recipe("stft").shape == (257, 1360)
    assert Recipe("mel").num_samples == 29 * 12_000


def test_every_field_changes_the_identifier():
    base = Recipe("mel")
    changes = {
        "kind": "stft",
        "sample_rate_hz": 16_000,
        "duration_s": 28.0,
        "offset": "centre",
        "dft_size_samples": 1024,
        "hop_samples": 512,
        "num_mel_bands": 128,
        "version": base.version + 1,
        "excerpts_per_track": 2,
        "own_shape": (96, 1360),
        "own_source": "0123456789abcdef",
    }
    assert set(changes) == {field.name for field in dataclasses.fields(Recipe)}
    others = [dataclasses.replace(base, **{k: v}) for k, v in changes.items()]
    assert len({recipe.identifier for recipe in [base, *others]}) == 1 + len(changes)
    assert base.identifier.startswith("mel-96x1360-")


def test_mel_bands_do_not_matter_to_an_stft():
    assert Recipe("stft", num_mel_bands=40) == Recipe("stft")


OWN = Recipe("fe:Own(bands=3)", own_shape=(3, 7), own_source="ab")


@pytest.mark.parametrize(
    "recipe",
    [
        *(Recipe("mel", offset="centre"), Recipe("stft"), OWN),
        Recipe("mel", excerpts_per_track=4),
    ],
)
def test_json_keeps_everything(recipe):
    assert Recipe.from_json(recipe.to_json()) == recipe


def test_what_came_later_leaves_folders_and_files_as_they_were():
    """Shards and bundles of the paper's recipes are found where they always were."""
    assert Recipe("mel").identifier == "mel-96x1360-37e78513"
    assert Recipe("stft").identifier == "stft-257x1360-82fb770e"
    assert "excerpts" not in Recipe("mel").to_json()


def test_a_front_end_of_ones_own_names_its_folder_and_has_no_dft():
    assert OWN.identifier.startswith("Own-3x7-") and OWN.shape == (3, 7)
    assert (OWN.dft_size_samples, OWN.hop_samples, OWN.num_mel_bands) == (0, 0, 0)
    assert OWN.frames_per_s == 7 / 29
    assert Recipe("mel", excerpts_per_track=4).stored_shape == (4, 96, 1360)


def test_json_of_another_kind_is_refused():
    with pytest.raises(ValueError, match=r"hop_length.*not a spectrogram recipe"):
        Recipe.from_json('{"hop_length": 256}')


def test_a_config_becomes_a_recipe():
    clip = {"duration_s": 10.0, "offset": "centre"}
    spectrogram = {
        "kind": "stft",
        "sample_rate_hz": 16_000,
        "dft_size_samples": 1024,
        "hop_samples": 512,
        "num_mel_bands": 64,
    }
    expected = Recipe("mel", 16_000, 10.0, "centre", 1024, 512, 64)
    assert Recipe.from_config(clip, spectrogram, "mel") == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "cqt"}, "kind is 'cqt'; choose from mel, stft"),
        ({"own_shape": (3,)}, r"own_shape is \(3,\); it must be two sizes"),
        (
            {"offset": "centre", "excerpts_per_track": 2},
            "clip.offset is 'centre', and several excerpts .* leave clip.offset out",
        ),
        (
            {"excerpts_per_track": 0},
            "excerpts_per_track is 0; .*whole number from 1 ",
        ),
        ({"offset": "end"}, "offset is 'end'; choose from start, centre"),
        ({"hop_samples": 0}, "hop_samples is 0; it must be at least 1"),
        ({"num_mel_bands": 0}, "num_mel_bands is 0; it must be at least 1"),
        ({"sample_rate_hz": -1}, "sample_rate_hz is -1"),
        ({"duration_s": float("nan")}, "duration_s is nan"),
        ({"duration_s": 0.01}, "120 samples, fewer than one window of 512"),
    ],
)
def test_impossible_values_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**{"kind": "mel", **change})


def test_bands_between_two_bins_are_named(caplog):
    filters = Recipe("mel", dft_size_samples=128).mel_filters()
    num_empty = np.count_nonzero(~filters.any(axis=1))
    assert num_empty > 0
    assert f"{num_empty} of 96 mel bands lie between" in caplog.text


def test_band_centres_are_where_the_filters_peak():
    recipe = Recipe("mel", dft_size_samples=8192)
    bins_hz = np.arange(4097) * 12_000 / 8192
    peaks_hz = bins_hz[recipe.mel_filters().argmax(axis=1)]
    np.testing.assert_allclose(recipe.band_centres_hz(), peaks_hz, atol=12_000 / 8192)
    np.testing.assert_allclose(
        Recipe("stft").band_centres_hz(), np.arange(257) * 12_000 / 512
    )
