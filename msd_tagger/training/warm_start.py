"""Starts a training from a bundle's weights, on other clips with other tags."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import jax
import numpy as np

from msd_tagger.bundle.format import Bundle
from msd_tagger.common.facts import CONVNET
from msd_tagger.frontend.recipe import Recipe
from msd_tagger.network.model import Weights
from msd_tagger.network.own import check_last_layer, has_last_layer
from msd_tagger.network.preprocessing import Preprocessing
from msd_tagger.training.steps import TrainState

logger = logging.getLogger(__name__)

# From a field of a recipe, a preprocessing or a network to the key that sets it.
KEYS = {
    "kind": "spectrogram.kind",
    "sample_rate_hz": "spectrogram.sample_rate_hz",
    "duration_s": "clip.duration_s",
    "offset": "clip.offset",
    "dft_size_samples": "spectrogram.dft_size_samples",
    "hop_samples": "spectrogram.hop_samples",
    "num_mel_bands": "spectrogram.num_mel_bands",
    # But "reference": training knows only the clip's own maximum.
    "magnitude": "preprocessing.magnitude",
    "frequency_weighting": "preprocessing.frequency_weighting",
    "standardise_clip": "preprocessing.standardise_clip",
    "scale": "preprocessing.scale",
    "name": "model.network",
    "channels": "model.channels",
    "pools": "model.pools",
    "epsilon": "model.batch_norm_epsilon",
}
# Fields that not every kind of spectrogram has; they are 0 without.
_OF_KINDS = ("dft_size_samples", "hop_samples", "num_mel_bands")


def check_recipe(bundle: Bundle, recipe: Recipe) -> None:
    """Checks that a configuration's recipe is that of a bundle.

    Raises:
        ValueError: Names the keys that differ, and how to set them.
    """
    _check_same(bundle, asdict(recipe))


def check_start(
    bundle: Bundle,
    recipe: Recipe,
    preprocessing: Preprocessing,
    network: Mapping[str, Any],
) -> None:
    """Checks that a configuration's network can start from a bundle's weights.

    Of the network "channels", "pools" and "epsilon" are given, or the "name" of one's
    own.

    Raises:
        ValueError: Names the keys that differ, and how to set them; or the bundle has
            no batch statistics of its own.
    """
    _check_same(bundle, asdict(recipe) | preprocessing._asdict() | dict(network))
    if bundle.batch_statistics:
        raise ValueError(
            "--config.train.init_bundle: the scores that the bundle's network gives a "
            "clip depend on its batch, so there are no features to start from; import "
            "it with --calibrate=FOLDER"
        )


def start(state: TrainState, bundle: Bundle, tags: Sequence[str]) -> TrainState:
    """Puts a bundle's weights into fresh states, host arrays `[S, …]`, for K tags.

    Seed i starts from the bundle's seed i modulo their number. In the last layer, the
    columns of tags that the bundle has by the same name are taken over; the others
    keep each seed's own initialisation.

    Raises:
        ValueError: There are more seeds than the bundle's, and no new tag, so that
            seeds would be copies of one another.
    """
    num_seeds, params = len(state.step), bundle.weights.params
    if tuple(tags) != bundle.tags:
        check_last_layer(params, "--config.train.init_bundle with other tags")
    if num_seeds > len(bundle.seeds) and set(tags) <= set(bundle.tags):
        raise ValueError(
            f"--config.num_seeds={num_seeds}: the bundle knows every tag and has "
            f"{len(bundle.seeds)} seed(s), so more would be copies of them; set "
            f"--config.num_seeds={len(bundle.seeds)}"
        )
    seeds = np.arange(num_seeds) % len(bundle.seeds)
    taken = jax.tree.map(lambda leaf: np.asarray(leaf)[seeds], bundle.weights)
    if not has_last_layer(params):
        return state.replace(weights=taken, best=taken)
    shared, own = columns_by_name(tags, bundle.tags)
    last_layer = {}
    for name, fresh in state.weights.params["tags"].items():
        last_layer[name] = np.array(fresh)
        last_layer[name][..., shared] = taken.params["tags"][name][..., own]
    weights = Weights(taken.params | {"tags": last_layer}, taken.batch_stats)
    return state.replace(weights=weights, best=weights)


def columns_by_name(
    tags: Sequence[str], of_bundle: Sequence[str]
) -> tuple[list[int], list[int]]:
    """Finds the columns of the tags that both have: in `tags`, and in `of_bundle`.

    >>> columns_by_name(("rock", "new", "jazz"), ("jazz", "pop", "rock"))
    ([0, 2], [2, 0])
    """
    column = {tag: number for number, tag in enumerate(of_bundle)}
    shared = [number for number, tag in enumerate(tags) if tag in column]
    return shared, [column[tags[number]] for number in shared]


def _check_same(bundle: Bundle, here: Mapping[str, Any]) -> None:
    """Compares a bundle's settings with those of a configuration, by name."""
    there = asdict(bundle.recipe) | bundle.preprocessing._asdict() | bundle.network
    if "channels" in here or "name" in here:
        there, here = ({"name": CONVNET, **one} for one in (there, here))
    differing = [
        (key, there[name], here[name])
        for name, key in KEYS.items()
        if name in here
        and name in there
        and _plain(there[name]) != _plain(here[name])
        # Then the kinds differ, which is said.
        and not (name in _OF_KINDS and 0 in (there[name], here[name]))
    ]
    if there["own_source"] != here["own_source"]:
        logger.warning(
            "the file of the front end %s was changed since the bundle learnt from it; "
            "if it computes other numbers now, scores mean nothing",
            here["kind"],
        )
    if differing:
        named = ", ".join(
            f"{key}: {value} in the bundle, {own} here" for key, value, own in differing
        )
        flags = " ".join(
            f"--config.{key}={_spelt(value)}" for key, value, _ in differing
        )
        raise ValueError(
            f"the bundle does not fit this configuration ({named}); set {flags}"
        )


def _plain(value: Any) -> Any:
    """Turns lists into tuples, so that what JSON gives back compares as equal."""
    return tuple(map(_plain, value)) if isinstance(value, (list, tuple)) else value


def _spelt(value: Any) -> str:
    """Spells a value as the command line takes it."""
    plain = _plain(value)
    needs_quotes = isinstance(plain, tuple) or "(" in str(plain)
    return f'"{plain}"' if needs_quotes else str(plain)
