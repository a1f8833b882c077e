"""A training that is over in seconds, for `tests.faults.signals`."""

from pathlib import Path

from msd_tagger.training import loop, results
from tests import fakes


def train(folder: Path) -> None:
    """Trains for two steps, evaluates after each, and predicts."""
    config = fakes.small_config(num_seeds=2, train__max_steps=2)
    trained = loop.train(config, fakes.FakeData(), folder)
    results.predict(trained)
