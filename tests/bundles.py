"""Small model bundles with made-up weights, for tests that need one and no training."""

import numpy as np
from flax.traverse_util import unflatten_dict

from msd_tagger.bundle import format as bundles
from msd_tagger.bundle.thresholds import Thresholds
from msd_tagger.network import preprocessing as pre
from msd_tagger.network.model import Weights
from tests import fakes


def make_bundle(
    num_seeds=2, tags=("rock", "pop", "jazz"), recipe=fakes.RECIPE, network=None
):
    """A bundle of untrained networks that give scores all over [0, 1]."""
    rng = np.random.default_rng(0)
    network = network or {
        "channels": 6,
        "pools": fakes.POOLS,
        "epsilon": 1e-3,
        "dtype": "float32",
    }
    shapes = bundles.shapes(network, recipe, len(tags), num_seeds)
    arrays = {path: _values(rng, path, shape) for path, shape in shapes.items()}
    tree = unflatten_dict(arrays, sep="/")
    return bundles.Bundle(
        tags=tuple(tags),
        recipe=recipe,
        preprocessing=pre.Preprocessing(),
        network=network,
        bands=pre.BandStatistics(**tree.pop("bands")),
        weights=Weights(**tree),
        seeds=tuple(range(num_seeds)),
        batch_statistics=False,
        thresholds=make_thresholds(len(tags)),
        scores={"test": {"weak": {"mean": {"roc_auc_macro": 0.75}}}},
        provenance={"source": "made up"},
    )


def make_thresholds(num_tags):
    """Thresholds of which the last is of a tag without positives."""
    last = np.arange(num_tags) == num_tags - 1
    values = [np.where(last, np.nan, value) for value in (0.4, 0.5, 0.8, 8 / 13)]
    return Thresholds("valid", *values, positives=np.where(last, 0, 7))


def _values(rng, path, shape):
    if path.endswith(("scale", "var", "deviation")):
        return rng.uniform(0.5, 2, shape).astype(np.float32)
    if path.endswith("count"):
        return np.full(shape, 9, np.float32)
    return rng.normal(0, 0.5, shape).astype(np.float32)
