"""A configuration made ready: model, devices, schedule, compiled steps, state."""

import math
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from msd_tagger.bundle.format import Bundle, read_bundle
from msd_tagger.network import preprocessing as pre
from msd_tagger.network.convnet import ConvNet
from msd_tagger.network.model import (
    Model,
    forget_statistics,
    prepare_batch,
    statistics_step,
)
from msd_tagger.network.pools import check_pools, choose_pools
from msd_tagger.training import parallel, steps
from msd_tagger.training import warm_start as init_bundle
from msd_tagger.training.health import Failure

Batch = dict[str, np.ndarray]


class Recipe(Protocol):
    """How the spectrograms were made."""

    @property
    def shape(self) -> tuple[int, int]:
        """Bands and frames."""

    def a_weighting_db(self) -> np.ndarray:
        """A-weighting of each band `[M]`."""


class Data(Protocol):
    """What training needs of a prepared corpus; `input_pipeline.batches` has one."""

    tags: tuple[str, ...]
    recipe: Recipe

    def num_clips(self, split: str, fraction: float = 1.0) -> int:
        """N of "train", "valid" or "test", or of a share of it."""

    def labels(self, split: str, fraction: float = 1.0) -> dict[str, np.ndarray | None]:
        """Arrays "track_id" `[N]`, "tags" and "true_tags" `[N, K]` (or None)."""

    def train_batches(
        self,
        batch_size: int,
        data_seed: int,
        first_step: int = 0,
        fraction: float = 1.0,
        rows: slice = slice(None),
    ) -> Iterator[Batch]:
        """Endless batches, in an order that (data_seed, epoch) decides alone.

        `rows` are those of every batch that this process wants.
        """

    def evaluation_batches(
        self,
        split: str,
        batch_size: int,
        fraction: float = 1.0,
        rows: slice = slice(None),
    ) -> Iterator[Batch]:
        """Every clip once, in order; the last batch is padded and masked."""


class Schedule(NamedTuple):
    """When things happen, in steps.

    Attributes:
        batch_size: B.
        num_clips: Training clips, N.
        last_step: Training ends here.
        evaluate_every: Steps between evaluations, as a real number: an evaluation
            takes place at the first step that reaches each multiple.
        patience_steps: A score counts if it comes no later than this after the best
            before it; inf if it always does.
    """

    batch_size: int
    num_clips: int
    last_step: int
    evaluate_every: float
    patience_steps: float

    def epoch(self, step: int) -> float:
        """Passes over the training clips after `step` steps."""
        return step * self.batch_size / self.num_clips

    def next_evaluation(self, step: int) -> int:
        """The first step after `step` that an evaluation follows."""
        due = math.ceil((step // self.evaluate_every + 1) * self.evaluate_every)
        return max(step + 1, min(due, self.last_step))

    def evaluates_at(self, step: int) -> bool:
        """Whether an evaluation follows step number `step` (counted from 1)."""
        return step == self.next_evaluation(step - 1)


class Programs(NamedTuple):
    """The compiled steps, mapped over seeds and devices.

    Attributes:
        update: One training step of all chunks on a batch.
        forget: Weights of all chunks without their batch statistics.
        estimate: Takes a batch into the batch statistics of all chunks.
        evaluate: Scores of a batch, `[S, B, K]`.
        keep: Keeps the better weights of each seed.
    """

    update: Callable
    forget: Callable
    estimate: Callable
    evaluate: Callable
    keep: Callable


class Run(NamedTuple):
    """A configuration made ready.

    Attributes:
        config: As checked at the border.
        data: Batches and labels.
        model: What is trained.
        layout: How seeds and batches lie on devices.
        schedule: What happens when.
        programs: The compiled steps.
        state: Host arrays `[S, …]`; `best` holds the weights to use after training.
        clips_per_s: Training speed, without evaluation and compilation; None if no
            step was timed.
        seconds: Spent in timed steps.
        seeds: Their initialisations `[S]`; after training of those that did not fail.
        failures: Of the others.
    """

    config: ConfigDict
    data: Data
    model: Model
    layout: parallel.Layout
    schedule: Schedule
    programs: Programs
    state: steps.TrainState
    clips_per_s: float | None = None
    seconds: float = 0.0
    seeds: tuple[int, ...] = ()
    failures: tuple[Failure, ...] = ()


# Fewer steps between two evaluations than this would be mostly evaluation: a small
# subset repeats several times in between.
MIN_STEPS_BETWEEN_EVALUATIONS = 10


def resolve_batch_size(batch_size: int) -> int:
    """The batch size that 0 stands for: 8 on CPU, 32 elsewhere."""
    return batch_size or (8 if jax.default_backend() == "cpu" else 32)


def build_model(
    config: ConfigDict, num_tags: int, bands: pre.BandStatistics, axis_name: str | None
) -> Model:
    """The model that a configuration describes."""
    network = ConvNet(
        num_tags=num_tags,
        pools=choose_pools(config.model.pools, config.spectrogram.kind),
        channels=config.model.channels,
        momentum=config.model.batch_norm_momentum,
        epsilon=config.model.batch_norm_epsilon,
        dtype=jnp.dtype(config.model.dtype),
        axis_name=axis_name,
    )
    preprocessing = pre.Preprocessing(**config.preprocessing.to_dict())
    optimiser = steps.OPTIMISERS[config.train.optimiser](config.train.learning_rate)
    is_frozen = config.train.freeze == "features"
    return Model(network, preprocessing, bands, optimiser, is_frozen)


def build_schedule(config: ConfigDict, num_clips: int) -> Schedule:
    """The schedule that a configuration means for N training clips."""
    train = config.train
    batch_size = resolve_batch_size(train.batch_size)
    steps_per_epoch = num_clips / batch_size
    last_step = math.ceil(train.max_epochs * steps_per_epoch)
    if train.max_steps:
        last_step = min(last_step, train.max_steps)
    every = max(
        train.evaluate_every_epochs * steps_per_epoch, MIN_STEPS_BETWEEN_EVALUATIONS
    )
    # One step more: evaluations fall on whole steps. And no less than one interval.
    patience = max(train.patience_epochs * steps_per_epoch, every) + 1
    if not train.patience_epochs:
        patience = math.inf
    return Schedule(batch_size, num_clips, last_step, every, patience)


def build_programs(
    model: Model, layout: parallel.Layout, patience_steps: float
) -> Programs:
    """Maps the steps; each is compiled when it is first used."""
    prepare = partial(prepare_batch, model=model)
    update, estimate, evaluate = (
        partial(step, model=model)
        for step in (steps.train_step, statistics_step, steps.evaluation_step)
    )
    keep = partial(steps.keep_best, patience_steps=patience_steps)
    return Programs(
        update=parallel.map_update(update, layout, prepare, donate=True),
        forget=parallel.map_seeds(forget_statistics, layout),
        estimate=parallel.map_update(estimate, layout, prepare, donate=False),
        evaluate=parallel.map_evaluation(evaluate, layout, prepare),
        keep=parallel.map_seeds(keep, layout),
    )


def choose_layout(config: ConfigDict) -> parallel.Layout:
    """How a configuration's seeds and batches lie on this machine's devices.

    Raises:
        ValueError: It asks for more devices than there are, or a batch does not split.
    """
    layout = parallel.choose_layout(
        config.train.parallel,
        config.num_seeds,
        config.train.seeds_per_chunk,
        config.train.num_devices,
    )
    batch_size = resolve_batch_size(config.train.batch_size)
    if parallel.pad_batch_size(batch_size, layout) != batch_size:
        raise ValueError(
            f"train.batch_size={batch_size} does not split over {layout.num_devices} "
            "devices; choose a multiple, or train.parallel='seeds'"
        )
    return layout


def set_up(config: ConfigDict, data: Data) -> Run:
    """Makes a configuration ready, with fresh seeds or those of `train.init_bundle`.

    Args:
        config: A checked configuration.
        data: Batches and labels.

    Raises:
        ValueError: The data, the devices or the bundle do not fit the configuration.
    """
    layout = choose_layout(config)
    bundle = starting_bundle(config, data.recipe)
    # Its features were learnt from inputs weighted with its own statistics.
    bands = bundle.bands if bundle else band_statistics(config, data)
    model = build_model(config, len(data.tags), bands, layout.axis_name)
    check_pools(data.recipe.shape, model.network.pools)
    num_clips = data.num_clips("train", config.train.fraction)
    schedule = build_schedule(config, num_clips)
    state = parallel.init_seeds(
        partial(steps.init_state, model=model, input_shape=data.recipe.shape),
        config.seed,
        config.num_seeds,
    )
    if bundle:
        state = init_bundle.start(state, bundle, data.tags)
    programs = build_programs(model, layout, schedule.patience_steps)
    seeds = tuple(range(config.seed, config.seed + config.num_seeds))
    return Run(config, data, model, layout, schedule, programs, state, seeds=seeds)


def starting_bundle(config: ConfigDict, recipe: Recipe) -> Bundle | None:
    """The bundle that `train.init_bundle` names, None where there is none.

    Args:
        config: A checked configuration.
        recipe: How the spectrograms are made.

    Raises:
        ValueError: It cannot be read, or does not fit the configuration.
    """
    if not config.train.init_bundle:
        return None
    bundle = read_bundle(Path(config.train.init_bundle))
    init_bundle.check_start(
        bundle,
        recipe,
        pre.Preprocessing(**config.preprocessing.to_dict()),
        {
            "channels": config.model.channels,
            "pools": choose_pools(config.model.pools, config.spectrogram.kind),
            "epsilon": config.model.batch_norm_epsilon,
        },
    )
    return bundle


def band_statistics(config: ConfigDict, data: Data) -> pre.BandStatistics:
    """A-weighting and, where the configuration asks, the training clips' statistics.

    Mean and deviation of each band over all frames of all training clips, before any
    weighting; 0 and 1 where they are not used. The deviation of a constant band is 1.
    """
    if config.preprocessing.frequency_weighting != "per_frequency_dataset":
        return bands_without_statistics(data)
    magnitude = jax.jit(partial(pre.magnitude, kind=config.preprocessing.magnitude))
    num_clips, totals = 0, np.zeros((3, data.recipe.shape[0]))
    for batch in data.evaluation_batches("train", 16, config.train.fraction):
        x = magnitude(batch["spectrogram"])[batch["mask"]]
        means = np.asarray(x.mean(2), np.float64)
        num_clips += len(means)
        variances = np.asarray(x.var(2), np.float64)
        totals += [means.sum(0), np.square(means).sum(0), variances.sum(0)]
    mean, square, variance = totals / num_clips
    deviation = np.sqrt(variance + np.maximum(square - np.square(mean), 0))
    # The mean of a constant band is off by some 1e-7 of it in float32.
    deviation[deviation <= 1e-6 * np.abs(mean)] = 1
    return bands_without_statistics(data)._replace(
        mean=jnp.asarray(mean, jnp.float32),
        deviation=jnp.asarray(deviation, jnp.float32),
    )


def bands_without_statistics(data: Data) -> pre.BandStatistics:
    """For weightings that use no statistics of the training clips: 0 and 1."""
    a_weighting_db = jnp.asarray(data.recipe.a_weighting_db(), jnp.float32)
    zeros, ones = jnp.zeros_like(a_weighting_db), jnp.ones_like(a_weighting_db)
    return pre.BandStatistics(a_weighting_db, zeros, ones)
