import itertools

import numpy as np
import pytest

from msd_tagger.training import parallel, setup
from tests import fakes

NUM_STEPS = 60


def losses(dtype):
    """Of every step and seed, `[60, S]`."""
    config = fakes.small_config(num_seeds=3, model__dtype=dtype)
    data = fakes.FakeData({"train": 200, "valid": 2, "test": 2})
    ready = setup.set_up(config, data)
    chunks, found = parallel.to_devices(setup.first_state(ready), ready.layout), []
    for batch in itertools.islice(data.train_batches(8, 0), NUM_STEPS):
        chunks, outputs = ready.programs.update(chunks, batch)
        found.append(np.concatenate([one.loss for one in outputs]))
    return np.array(found)


@pytest.mark.slow
def test_bfloat16_trains_as_float32_does():
    """It moves every ten losses of sixty by less than another seed does."""
    exact, rounded = losses("float32"), losses("bfloat16")
    assert exact.shape == rounded.shape == (NUM_STEPS, 3)
    assert exact[-20:].mean() < 0.8 * exact[:5].mean()  # There is something to learn.
    tens = (10, NUM_STEPS // 10, 3)
    difference = np.abs((rounded - exact).reshape(tens).mean(axis=(1, 2)))
    spread = exact.std(axis=1, ddof=1).reshape(tens[:2]).mean(axis=1)
    assert np.all(difference < spread)
    assert np.any(rounded != exact)
