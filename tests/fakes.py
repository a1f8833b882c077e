"""Small stand-ins for a prepared corpus, with the batch contract of the real one."""

import itertools
import math

import numpy as np

from configs import default
from msd_tagger.frontend.recipe import Recipe

BANDS, FRAMES = 24, 40
RECIPE = Recipe("mel", duration_s=0.832, num_mel_bands=BANDS)  # 40 frames.
POOLS = ((2, 4), (3, 5), (2, 2), (2, 1))


class FakeData:
    """Noise in decibels where each tag raises some bands, so that it can be learnt."""

    def __init__(self, counts=None, num_tags=5, seed=0):
        random = np.random.default_rng(seed)
        self.tags = tuple(f"tag {k}" for k in range(num_tags))
        self.recipe = RECIPE
        self.corpus = {"name": "fake", "version": "1"}
        self.splits = {}
        for split, n in (counts or {"train": 50, "valid": 30, "test": 31}).items():
            tags = (random.random((n, num_tags)) < 0.4).astype(np.uint8)
            x = random.normal(-60, 8, (n, BANDS, FRAMES))
            for k in range(num_tags):
                x[:, 4 * k : 4 * k + 3] += 6 * tags[:, k, None, None]
            ids = [f"{split}{i:04d}" for i in range(n)]
            self.splits[split] = (ids, x.astype(np.float16), tags)

    def num_clips(self, split, fraction=1.0):
        return math.ceil(round(fraction * len(self.splits[split][0]), 6))

    def labels(self, split, fraction=1.0):
        ids, _, tags = self.splits[split]
        n = self.num_clips(split, fraction)
        return {"track_id": np.array(ids)[:n], "tags": tags[:n], "true_tags": tags[:n]}

    def train_batches(
        self, batch_size, data_seed, first_step=0, fraction=1.0, rows=slice(None)
    ):
        for clips in self.train_rows(batch_size, data_seed, first_step, fraction):
            yield self._batch("train", clips, batch_size, rows)

    def train_rows(self, batch_size, data_seed, first_step=0, fraction=1.0):
        n = self.num_clips("train", fraction)
        for step in itertools.count(first_step):
            at = np.arange(step * batch_size, (step + 1) * batch_size)
            orders = {
                epoch: np.random.default_rng([data_seed, epoch]).permutation(n)
                for epoch in set(at // n)
            }
            yield np.array([orders[i // n][i % n] for i in at])

    def evaluation_batches(self, split, batch_size, fraction=1.0, rows=slice(None)):
        n = self.num_clips(split, fraction)
        for start in range(0, n, batch_size):
            clips = np.arange(start, min(start + batch_size, n))
            yield self._batch(split, clips, batch_size, rows)

    def _batch(self, split, clips, size, rows):
        _, x, tags = self.splits[split]
        missing = size - len(clips)
        batch = {
            "spectrogram": np.pad(x[clips], ((0, missing), (0, 0), (0, 0))),
            "tags": np.pad(tags[clips], ((0, missing), (0, 0))),
            "mask": np.arange(size) < len(clips),
            "row": np.pad(clips, (0, missing)),
        }
        return {name: array[rows] for name, array in batch.items()}


def small_config(**overrides):
    """A configuration that fits `FakeData`; keys as dotted names."""
    config = default.get_config()
    config.model.pools = POOLS
    config.model.channels = 6
    config.train.batch_size = 8
    config.train.max_epochs = 3.0
    config.train.statistics_clips = 16
    return override(config, overrides)


def override(config, changes):
    """Sets keys given as `train__batch_size`."""
    for key, value in changes.items():
        *path, last = key.split("__")
        node = config
        for part in path:
            node = node[part]
        node[last] = value
    return config
