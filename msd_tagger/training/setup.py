"""Sets a configuration up for training: model, devices, compiled steps."""

import logging
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
from ml_collections import ConfigDict

from msd_tagger.bundle.format import Bundle, read_bundle
from msd_tagger.common import calls, class_weights
from msd_tagger.common.class_weights import ClassWeights
from msd_tagger.common.error_rates import NOTHING_KNOWN, LabelNoise, Rates
from msd_tagger.common.excerpts import Batch
from msd_tagger.common.facts import CONVNET
from msd_tagger.frontend.recipe import Recipe
from msd_tagger.network import own
from msd_tagger.network import preprocessing as pre
from msd_tagger.network.convnet import ConvNet
from msd_tagger.network.describe import describe_network
from msd_tagger.network.model import (
    Model,
    Network,
    forget_statistics,
    prepare_batch,
    statistics_step,
)
from msd_tagger.network.pools import check_pools, choose_pools
from msd_tagger.training import augmentation, optimisers, parallel, steps, warm_start
from msd_tagger.training.band_statistics import band_statistics
from msd_tagger.training.data import Data, TrainBatches
from msd_tagger.training.schedule import (
    Schedule,
    build_schedule,
    learning_rates,
    resolve_batch_size,
)

FEW_TAGS = 3  # Of a network that is only looked at.

logger = logging.getLogger(__name__)


class Programs(NamedTuple):
    """The compiled steps of the functions named here, over seeds and devices."""

    update: Callable  # steps.train_step
    forget: Callable  # forget_statistics
    estimate: Callable  # statistics_step
    evaluate: Callable  # steps.evaluation_step
    keep: Callable  # steps.keep_best


class Setup(NamedTuple):
    """What a training is set up with, and what it does not change."""

    config: ConfigDict
    data: Data
    bundle: Bundle | None  # What `train.init_bundle` names, if it names one.
    model: Model
    layout: parallel.Layout
    schedule: Schedule
    programs: Programs
    train_batches: TrainBatches
    noise: LabelNoise  # Of the training labels.


def build_model(
    config: ConfigDict,
    num_tags: int,
    bands: pre.BandStatistics,
    axis_name: str | None,
    schedule: Schedule,
    label_noise: Rates | None = None,
    weights: ClassWeights | None = None,
) -> Model:
    """Builds the model that a configuration describes."""
    network = build_network(config, num_tags, axis_name)
    preprocessing = preprocessing_of(config)
    train = config.train
    optimiser = optimisers.build(
        train.optimiser, learning_rates(config, schedule), train.weight_decay
    )
    return Model(
        *(network, preprocessing, bands, optimiser),
        features_frozen=config.train.freeze == "features",
        label_noise=label_noise,
        class_weights=weights,
        augmentations=augmentation.build(train.augmentations),
    )


def build_network(config: ConfigDict, num_tags: int, axis_name: str | None) -> Network:
    """Builds the network that a configuration describes.

    Raises:
        ValueError: It is one's own, and cannot be built.
    """
    model = config.model
    settings = {"momentum": model.batch_norm_momentum, "precision": model.precision}
    if is_own(config):
        settings |= {"dtype": model.dtype, "axis_name": axis_name}
        return own.build(model.network, num_tags, **settings)
    return ConvNet(
        num_tags,
        **network_of(config),
        **settings,
        dtype=jnp.dtype(model.dtype),
        axis_name=axis_name,
    )


def is_own(config: ConfigDict) -> bool:
    """Tells whether a configuration's network is a module of the user's."""
    return config.model.network != CONVNET


def network_of(config: ConfigDict) -> dict[str, Any]:
    """Reads what a bundle and a network have to agree on from a configuration."""
    if is_own(config):
        return {"name": own.build(config.model.network, 1).call}
    return {
        "channels": config.model.channels,
        "pools": choose_pools(config.model.pools, config.spectrogram.kind),
        "epsilon": config.model.batch_norm_epsilon,
    }


def preprocessing_of(config: ConfigDict) -> pre.Preprocessing:
    """Reads the preprocessing from a configuration."""
    return pre.Preprocessing(**config.preprocessing.to_dict())


def build_programs(
    model: Model, layout: parallel.Layout, patience_steps: float
) -> Programs:
    """Maps the steps over seeds and devices; each is compiled at its first use."""
    prepare = partial(prepare_batch, model=model)
    update = partial(steps.train_step, model=model)
    estimate = partial(statistics_step, model=model)
    evaluate = partial(steps.evaluation_step, model=model)
    keep = partial(steps.keep_best, patience_steps=patience_steps)
    return Programs(
        parallel.map_update(update, layout, prepare, donate=True),
        parallel.map_seeds(forget_statistics, layout),
        parallel.map_update(estimate, layout, prepare, donate=False),
        parallel.map_evaluation(evaluate, layout, prepare),
        parallel.map_seeds(keep, layout),
    )


def choose_layout(config: ConfigDict) -> parallel.Layout:
    """Chooses how a configuration's seeds and batches lie on this machine's devices.

    By itself it splits seeds, if there are several, where a batch does not split.

    Raises:
        ValueError: It asks for more devices than there are, or a batch does not split.
    """
    train = config.train
    layout = parallel.choose_layout(
        train.parallel, config.num_seeds, train.seeds_per_chunk, train.num_devices
    )
    batch_size = resolve_batch_size(train.batch_size)
    if parallel.pad_batch_size(batch_size, layout) == batch_size:
        return layout
    if train.parallel == "auto" and config.num_seeds > 1:
        return layout._replace(mode="seeds")
    raise ValueError(
        f"train.batch_size={batch_size} cannot be split over {layout.num_devices} "
        "devices; choose a multiple, other train.num_devices, or train.parallel='seeds'"
    )


def set_up(config: ConfigDict, data: Data, noise: LabelNoise = NOTHING_KNOWN) -> Setup:
    """Sets up the training of a checked configuration.

    The loss corrects for the label noise, as far as it says so.

    Raises:
        ValueError: The data, the devices or the bundle do not fit the configuration.
    """
    layout = choose_layout(config)
    bundle = starting_bundle(config, data.recipe)
    # The bundle's features were learnt from inputs weighted with its own statistics.
    bands = bundle.bands if bundle else band_statistics(config, data)
    num_clips = data.num_clips("train", config.train.fraction)
    schedule = build_schedule(config, num_clips)
    axis_name, corrected = layout.axis_name, noise.corrected
    num_tags = len(data.tags)
    weights = class_weights_of(config, data)
    model = build_model(
        config, num_tags, bands, axis_name, schedule, corrected, weights
    )
    if isinstance(model.network, ConvNet):
        check_pools(data.recipe.shape, model.network.pools)
    else:
        described = describe_network(model.network, data.recipe.shape)
        logger.info("%s: %d parameters", config.model.network, described["parameters"])
    programs = build_programs(model, layout, schedule.patience_steps)
    size = schedule.batch_size
    rows = parallel.own_rows(size, layout)

    def train_batches(seed: int, first_step: int, fraction: float) -> Iterator[Batch]:
        return data.train_batches(size, seed, first_step, fraction, rows)

    return Setup(
        *(config, data, bundle, model, layout, schedule, programs),
        train_batches=train_batches,
        noise=noise,
    )


def check(config: ConfigDict, recipe: Recipe, looks_at_tags: str = "") -> None:
    """Checks what a configuration names by words, before any data are read.

    Network, optimiser and augmentations are tried on shapes alone. `looks_at_tags`
    names what needs the network's layer "tags", if anything does.

    Raises:
        ValueError: One of them does not exist, or does not work.
    """
    train = config.train
    if train.freeze == "features":
        looks_at_tags = "--config.train.freeze=features"
    network = build_network(config, num_tags=FEW_TAGS, axis_name=None)
    if isinstance(network, ConvNet):
        check_pools(recipe.shape, network.pools)
    else:
        params = own.check(network, recipe.shape)
        if looks_at_tags:
            own.check_last_layer(params, looks_at_tags)
    optimisers.build(train.optimiser, train.learning_rate, train.weight_decay)
    augmentation.check(
        *(train.augmentations, recipe.shape, config.model.dtype),
        config.preprocessing.magnitude,
    )


def loops_on_gpu(config: ConfigDict, recipe: Recipe) -> bool:
    """Tells whether a GPU would compute a part of the gradient in a loop.

    That is how XLA gives the same bits each time for `nn.max_pool`: one pooled value
    after another (compiled for an H100: 2,088,960 turns for 32 x 24 x 170 x 16).
    """
    if not config.train.deterministic or config.train.freeze == "features":
        return False
    network = build_network(config, num_tags=FEW_TAGS, axis_name=None)
    return not isinstance(network, ConvNet) and own.has_max_pool(network, recipe.shape)


def class_weights_of(config: ConfigDict, data: Data) -> ClassWeights | None:
    """Works out `train.class_weights`; None where all weigh the same.

    Raises:
        ValueError: The file does not fit the corpus.
    """
    chosen = config.train.class_weights
    if chosen == "none":
        return None
    if chosen == "inverse_frequency":
        labels = data.labels("train", config.train.fraction)
        return class_weights.balanced(labels["tags"])
    path = Path(chosen)
    return class_weights.arrange(class_weights.read(path), data.tags, path)


def own_code(config: ConfigDict) -> dict[str, str]:
    """Digests of the files of one's own code that a result depends on."""
    texts = [*config.train.augmentations]
    texts += [config.model.network] if is_own(config) else []
    names = [calls.parse(text, text).name for text in texts]
    return {f"code of {n}": calls.digest_of(n, n) for n in names if calls.is_own(n)}


def first_state(setup: Setup) -> steps.TrainState:
    """Initialises all seeds, `[S, …]`, by their numbers or from the bundle.

    Raises:
        ValueError: Seeds would be copies of one another.
    """
    config, data = setup.config, setup.data
    state = parallel.init_seeds(
        partial(steps.init_state, model=setup.model, input_shape=data.recipe.shape),
        config.seed,
        config.num_seeds,
    )
    if setup.bundle is None:
        return state
    return warm_start.start(state, setup.bundle, data.tags)


def starting_bundle(config: ConfigDict, recipe: Recipe) -> Bundle | None:
    """Reads the bundle that `train.init_bundle` names, if it names one.

    Raises:
        ValueError: It cannot be read, or does not fit the configuration.
    """
    if not config.train.init_bundle:
        return None
    bundle = read_bundle(Path(config.train.init_bundle))
    preprocessing, network = preprocessing_of(config), network_of(config)
    warm_start.check_start(bundle, recipe, preprocessing, network)
    return bundle
