"""Statistics of the network's input (the paper's Figs 6 and 8)."""

from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from msd_tagger.common.files import write_npz
from msd_tagger.common.paper import INPUT_EXCERPTS
from msd_tagger.network import preprocessing as pre
from msd_tagger.training.band_statistics import bands_without_statistics
from msd_tagger.training.data import Data, share_of
from msd_tagger.training.schedule import resolve_batch_size

INPUT_SEED = 2_000_003
HISTOGRAM_EDGES = np.linspace(-5, 15, 401)


def write_input_statistics(config: ConfigDict, data: Data, path: Path) -> None:
    """Writes histograms of standardised bins, and each band's mean per weighting.

    The bands' means are of the configuration's magnitude; docs/run_record.md lists all
    arrays of the .npz file.
    """
    size = resolve_batch_size(config.train.batch_size)
    share = share_of(data, INPUT_EXCERPTS, config.train.fraction)
    num_clips = data.num_clips("train", share)
    bands = bands_without_statistics(data)
    batches = data.train_batches(size, INPUT_SEED, 0, share)
    count = -(-num_clips // size)
    clips = [batch["spectrogram"] for batch in islice(batches, count)]
    clips[-1] = clips[-1][: num_clips - (count - 1) * size]  # The next epoch follows.
    arrays = {"histogram_edges": HISTOGRAM_EDGES, "num_clips": np.array(num_clips)}
    for magnitude in pre.MAGNITUDES:
        settings = pre.Preprocessing(magnitude, "bypass", True, 1.0)
        arrays[f"histogram_{magnitude}"] = _mean(clips, bands, settings, _histogram)
    magnitude = config.preprocessing.magnitude
    centres_hz = data.recipe.band_centres_hz()
    has_centres = bool(np.isfinite(centres_hz).all())
    a_weighting = ("a_weighting",) if has_centres else ()
    for weighting in ("bypass", *a_weighting, "per_frequency"):
        settings = pre.Preprocessing(magnitude, weighting, True, 1.0)
        arrays[f"band_mean_{weighting}"] = _mean(
            clips, bands, settings, lambda x: x.mean((0, 2))
        )
    if has_centres:
        arrays["band_centres_hz"] = centres_hz
    write_npz(path, **arrays)


def _mean(
    clips: list[np.ndarray],
    bands: pre.BandStatistics,
    settings: pre.Preprocessing,
    reduce: Callable[[jax.Array], jax.Array],
) -> np.ndarray:
    """Averages over clips what `reduce` makes of a preprocessed batch of them."""
    preprocess = partial(pre.apply, preprocessing=settings, bands=bands)
    step = jax.jit(lambda batch: reduce(preprocess(batch)))
    found = [np.asarray(step(batch)) for batch in clips]
    return np.average(found, axis=0, weights=[len(batch) for batch in clips])


def _histogram(x: jax.Array) -> jax.Array:
    """Counts the share of bins per interval; the outer ones take what lies beyond."""
    inner = jnp.asarray(HISTOGRAM_EDGES[1:-1])
    at = jnp.searchsorted(inner, x.ravel(), side="right")
    return jnp.bincount(at, length=len(HISTOGRAM_EDGES) - 1) / x.size
