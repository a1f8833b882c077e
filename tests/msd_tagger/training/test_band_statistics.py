"""Statistics of the bands that weigh frequencies."""

import numpy as np
import pytest

from msd_tagger.network import preprocessing as pre
from msd_tagger.training.band_statistics import band_statistics
from tests import fakes


@pytest.mark.parametrize("magnitude", pre.MAGNITUDES)
def test_dataset_statistics_are_those_of_the_training_clips(magnitude):
    data = fakes.FakeData()
    config = fakes.small_config(
        preprocessing__frequency_weighting="per_frequency_dataset",
        preprocessing__magnitude=magnitude,
    )
    batches = list(data.evaluation_batches("train", 10))
    for batch in batches:
        batch["spectrogram"][:, 2] = -1000.0  # -80 dB, and no power.
    data.evaluation_batches = lambda *_: iter(batches)
    found = band_statistics(config, data)
    assert found.deviation[2] == 1  # Of a constant band, whose mean is rounded.
    x = np.concatenate([b["spectrogram"] for b in data.evaluation_batches("train", 10)])
    x = np.asarray(pre.to_magnitude(x, magnitude), np.float64)
    np.testing.assert_allclose(found.mean, x.mean((0, 2)), rtol=1e-4)
    deviation = x.std((0, 2))
    deviation[2] = 1
    np.testing.assert_allclose(found.deviation, deviation, rtol=1e-3)
