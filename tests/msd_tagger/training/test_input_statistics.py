"""What a run notes of its input, with and without frequencies of bands."""

import numpy as np

from msd_tagger.frontend.recipe import Recipe
from msd_tagger.training.input_statistics import write_input_statistics
from tests import fakes


def test_bands_without_frequencies_are_not_weighted_by_them(tmp_path, monkeypatch):
    data, config = fakes.FakeData(), fakes.small_config()
    write_input_statistics(config, data, tmp_path / "known.npz")
    nowhere = np.full(fakes.BANDS, np.nan)
    monkeypatch.setattr(Recipe, "band_centres_hz", lambda self: nowhere)
    write_input_statistics(config, data, tmp_path / "none.npz")
    known, none = np.load(tmp_path / "known.npz"), np.load(tmp_path / "none.npz")
    assert set(known) - set(none) == {"band_centres_hz", "band_mean_a_weighting"}
    for name, array in none.items():
        np.testing.assert_array_equal(array, known[name])


def test_every_clip_counts_once(tmp_path):
    data, config = fakes.FakeData(), fakes.small_config()
    for size in (50, 16):  # 16 does not divide the 50 clips.
        config.train.batch_size = size
        write_input_statistics(config, data, tmp_path / f"{size}.npz")
    whole, parts = np.load(tmp_path / "50.npz"), np.load(tmp_path / "16.npz")
    assert whole["num_clips"] == parts["num_clips"] == 50
    for name, array in whole.items():
        # Values at the edge of a bin fall to either side of it by their last bits.
        atol = 1e-4 if "histogram" in name else 1e-5
        np.testing.assert_allclose(parts[name], array, rtol=1e-4, atol=atol)
