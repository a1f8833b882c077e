"""Starts a training from a bundle's weights, on other clips with other tags."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from msd_tagger.bundle.format import Bundle
from msd_tagger.frontend.recipe import Recipe
from msd_tagger.network.model import Weights
from msd_tagger.network.preprocessing import Preprocessing
from msd_tagger.training.steps import TrainState

# From a field of a recipe, a preprocessing or a network to the key that sets it.
RECIPE_KEYS = {
    "kind": "spectrogram.kind",
    "sample_rate_hz": "spectrogram.sample_rate_hz",
    "duration_s": "clip.duration_s",
    "offset": "clip.offset",
    "dft_size_samples": "spectrogram.dft_size_samples",
    "hop_samples": "spectrogram.hop_samples",
    "num_mel_bands": "spectrogram.num_mel_bands",
}
PREPROCESSING_KEYS = {
    name: f"preprocessing.{name}"
    for name in Preprocessing._fields
    if name != "reference"  # Training knows only the clip's own maximum.
}
NETWORK_KEYS = {
    "channels": "model.channels",
    "pools": "model.pools",
    "epsilon": "model.batch_norm_epsilon",
}


class Mismatch(NamedTuple):
    """A setting that a bundle and a configuration disagree on.

    Attributes:
        key: The configuration's name of it.
        of_bundle: Its value in the bundle.
        of_config: Its value in the configuration.
    """

    key: str
    of_bundle: Any
    of_config: Any


def check_recipe(bundle: Bundle, recipe: Recipe) -> None:
    """Checks that a configuration's recipe is that of a bundle.

    Raises:
        ValueError: Names the keys that differ, and how to set them.
    """
    _refuse(_recipe_mismatches(bundle, recipe))


def check_start(
    bundle: Bundle,
    recipe: Recipe,
    preprocessing: Preprocessing,
    network: Mapping[str, Any],
) -> None:
    """Checks that a network of a configuration can start from a bundle's weights.

    Args:
        bundle: What is started from.
        recipe: Of the configuration.
        preprocessing: Of the configuration.
        network: "channels", "pools" and "epsilon" of the configuration.

    Raises:
        ValueError: Names the keys that differ, and how to set them; or the bundle has
            no batch statistics of its own.
    """
    before, now = bundle.preprocessing._asdict(), preprocessing._asdict()
    _refuse(
        [
            *_recipe_mismatches(bundle, recipe),
            *_mismatches(before, now, PREPROCESSING_KEYS),
            *_mismatches(bundle.network, network, NETWORK_KEYS),
        ]
    )
    if bundle.batch_statistics:
        raise ValueError(
            "--config.train.init_bundle: the scores that the bundle's network gives a "
            "clip depend on its batch, so there are no features to start from; import "
            "it with --calibrate=CORPUS"
        )


def start(state: TrainState, bundle: Bundle, tags: Sequence[str]) -> TrainState:
    """Puts a bundle's weights into fresh states.

    Seed i starts from the bundle's seed i modulo their number. In the last layer, the
    columns of tags that the bundle has by the same name are taken over; the others
    keep each seed's own initialisation.

    Args:
        state: Fresh, host arrays `[S, …]`.
        bundle: What is started from.
        tags: Names of the K tags to learn.

    Raises:
        ValueError: Seeds would be copies of one another.
    """
    num_seeds = len(state.step)
    seeds = np.arange(num_seeds) % len(bundle.seeds)
    check_seeds_differ(num_seeds, bundle, tags)
    taken = jax.tree.map(lambda leaf: np.asarray(leaf)[seeds], bundle.weights)
    shared, own = columns_by_name(tags, bundle.tags)
    last_layer = {}
    for name, fresh in state.weights.params["tags"].items():
        last_layer[name] = np.array(fresh)
        last_layer[name][..., shared] = taken.params["tags"][name][..., own]
    weights = Weights(taken.params | {"tags": last_layer}, taken.batch_stats)
    return state.replace(weights=weights, best=weights)


def check_seeds_differ(num_seeds: int, bundle: Bundle, tags: Sequence[str]) -> None:
    """Checks that no two seeds start from the same weights.

    Raises:
        ValueError: They do: more seeds than the bundle's, and no new tag.
    """
    if num_seeds > len(bundle.seeds) and set(tags) <= set(bundle.tags):
        raise ValueError(
            f"--config.num_seeds={num_seeds}: the bundle knows every tag and has "
            f"{len(bundle.seeds)} seed(s), so more would be copies of them; set "
            f"--config.num_seeds={len(bundle.seeds)}"
        )


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


def _recipe_mismatches(bundle: Bundle, recipe: Recipe) -> list[Mismatch]:
    of_bundle = dataclasses.asdict(bundle.recipe)
    of_config = dataclasses.asdict(recipe)
    keys = dict(RECIPE_KEYS)
    if not of_bundle["num_mel_bands"] or not of_config["num_mel_bands"]:
        del keys["num_mel_bands"]  # An STFT has none; the kind says so.
    return _mismatches(of_bundle, of_config, keys)


def _mismatches(
    of_bundle: Mapping[str, Any], of_config: Mapping[str, Any], keys: Mapping[str, str]
) -> list[Mismatch]:
    return [
        Mismatch(key, of_bundle[name], of_config[name])
        for name, key in keys.items()
        if _plain(of_bundle[name]) != _plain(of_config[name])
    ]


def _refuse(mismatches: Sequence[Mismatch]) -> None:
    if not mismatches:
        return
    named = ", ".join(
        f"{key}: {of_bundle} in the bundle, {of_config} here"
        for key, of_bundle, of_config in mismatches
    )
    flags = " ".join(f"--config.{m.key}={_spelt(m.of_bundle)}" for m in mismatches)
    raise ValueError(
        f"the bundle does not fit this configuration ({named}); set {flags}"
    )


def _plain(value: Any) -> Any:
    """Turns lists into tuples, so that what JSON gives back compares as equal."""
    return tuple(map(_plain, value)) if isinstance(value, (list, tuple)) else value


def _spelt(value: Any) -> str:
    """Spells a value as the command line takes it."""
    plain = _plain(value)
    return f'"{plain}"' if isinstance(plain, tuple) else str(plain)
