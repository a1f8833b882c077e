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
