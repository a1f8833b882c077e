"""Scores and features of spectrograms, from a bundle."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import jax
import numpy as np

from msd_tagger.bundle.format import Bundle, build_model, read_bundle
from msd_tagger.network.model import (
    Model,
    Weights,
    layer_features,
    predict,
    prepare_batch,
)

Array = jax.Array


class Tagger:
    """Networks that are ready to use; each program is compiled when it is first used.

    Seeds take turns on each batch, which is the fastest on a CPU. A batch that is not
    full is padded: one shape is compiled for any number of excerpts. With
    `bundle.batch_statistics` it is not, as a prediction then depends on its batch.

    B excerpts are computed at once. Small batches waste little on a single song, and on
    a CPU larger ones are hardly faster.
    """

    def __init__(self, bundle: Bundle, batch_size: int = 8) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size={batch_size}: it must be at least 1")
        self.bundle, self.batch_size = bundle, batch_size
        model = build_model(bundle)
        self._seeds = [
            jax.device_put(jax.tree.map(lambda leaf, s=s: leaf[s], bundle.weights))
            for s in range(len(bundle.seeds))
        ]
        self._prepare = jax.jit(partial(_prepare, model=model))
        self._score, self._describe = (
            jax.jit(
                partial(compute, model=model, batch_statistics=bundle.batch_statistics)
            )
            for compute in (_score, layer_features)
        )

    def scores(self, spectrograms: np.ndarray) -> np.ndarray:
        """Sigmoids `[S, N, K]` of stored spectrograms, float16 `[N, M, F]`.

        Raises:
            ValueError: The spectrograms are not those of the bundle's recipe.
        """
        return self._map(self._score, spectrograms)

    def features(self, spectrograms: np.ndarray) -> np.ndarray:
        """Averages each layer's output over bands and frames, `[S, N, L, C]`.

        Spectrograms are as for `scores`. L is the number of layers, 5 in the paper. All
        of them together are the features of https://arxiv.org/abs/1703.09179 (section
        3); the last, which has one band and one frame, is what the tags are computed
        from.

        Raises:
            ValueError: The spectrograms are not those of the bundle's recipe.
        """
        return self._map(self._describe, spectrograms)

    def _map(self, compute: Callable, spectrograms: np.ndarray) -> np.ndarray:
        expected = self.bundle.recipe.shape
        if spectrograms.shape[1:] != expected or not len(spectrograms):
            raise ValueError(
                f"spectrograms are {list(spectrograms.shape)}; this bundle takes "
                f"[N, {expected[0]}, {expected[1]}]"
            )
        starts = range(0, len(spectrograms), self.batch_size)
        parts = [
            self._compute(compute, spectrograms[start : start + self.batch_size])
            for start in starts
        ]
        return np.concatenate(parts, axis=1)

    def _compute(self, compute: Callable, batch: np.ndarray) -> np.ndarray:
        size = len(batch)
        if not self.bundle.batch_statistics:
            # Repeated rows: padding with zeros would standardise a constant.
            batch = np.resize(batch, (self.batch_size, *batch.shape[1:]))
        prepared = self._prepare(batch)
        found = [compute(weights, prepared) for weights in self._seeds]
        return np.stack([np.asarray(of_seed)[:size] for of_seed in found])


def load_bundle(folder: Path | str, batch_size: int = 8) -> Tagger:
    """Reads a model bundle, ready to use; see `Tagger` for the size of its batches.

    Raises:
        ValueError: The folder holds no bundle, or one that is damaged; or no batch is
            of that size.
    """
    return Tagger(read_bundle(Path(folder)), batch_size)


def _prepare(spectrograms: Array, model: Model) -> Array:
    return prepare_batch({"spectrogram": spectrograms}, model)["spectrogram"]


def _score(weights: Weights, x: Array, model: Model, batch_statistics: bool) -> Array:
    return jax.nn.sigmoid(predict(weights, x, model, batch_statistics))
