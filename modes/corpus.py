"""The corpus and its shards, as a configuration names them; `--mode=prepare`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from ml_collections import ConfigDict

from configs import checks, sweeps, wishes
from configs.keys import (
    CONVNET,
    KEYS,
    KNOWN_RATES,
    file_of_rates,
    file_of_weights,
    label_noise_of,
)
from configs.tasks import TASKS, TRAIN
from input_pipeline import catalogue, corpora
from input_pipeline.batches import ShardedSplits, open_shards
from input_pipeline.beam import parse_options
from input_pipeline.corpora import Corpus, check_scorable, load_corpus
from input_pipeline.elsewhere import check as check_store
from input_pipeline.elsewhere import prepare_in, working_folder
from input_pipeline.plan import Slice
from input_pipeline.staging import stage
from input_pipeline.storage import Place, place
from modes import MainOptions
from msd_tagger.common import class_weights
from msd_tagger.common.error_rates import arrange, read_rates
from msd_tagger.common.facts import SPLITS
from msd_tagger.frontend.recipe import Recipe
from msd_tagger.network.pools import Pools, check_pools, choose_pools
from msd_tagger.training import distributed


def check(config: ConfigDict, options: MainOptions) -> None:
    """Checks the configuration, and that of every point, before anything takes long."""
    points = checks.check_for_mode(config, options.mode, options.bundle, options.point)
    task = TASKS[config.task]
    of_labels = options.mode == "run" and task.reads_labels and not task.trains
    needs_audio = not (of_labels or options.mode == "audit")
    corpora.check(config.corpus, needs_audio=needs_audio)
    parse_options(config.prepare.beam)
    for kind in config.prepare.kinds:
        try:
            recipe_of(config, kind)
        except ValueError as error:
            given = config.prepare.kinds
            raise ValueError(f"--config.prepare.kinds={given}: {error}") from error
    has_network = bool(config.sweep) or config.task in (TRAIN, "network")
    for point in points:
        if rates := file_of_rates(point.train.label_noise):
            read_rates(rates)
        if weights := file_of_weights(point.train.class_weights):
            class_weights.read(weights)
        _check_front_end(point)
        shape = recipe_of(point).shape
        is_built = options.mode in ("run", "evaluate") and not options.bundle
        if is_built and has_network and point.model.network == CONVNET:
            check_pools(shape, pools_of(point))


def check_wishes(config: ConfigDict, mode: str, bundle: str, given: list[str]) -> None:
    """Checks that all that somebody wishes is read, see `configs.wishes`."""
    name = config.corpus.name
    keys = {name: corpora.keys_of(name, KEYS)}
    try:
        wishes.check(config, mode, bundle, given, keys)
    except ValueError:  # Names the other readers too, which take time to import.
        keys |= {other: corpora.keys_of(other, KEYS) for other in corpora.READERS}
        wishes.check(config, mode, bundle, given, keys)


def _check_front_end(config: ConfigDict) -> None:
    """Checks that a front end of one's own has what a configuration asks of it."""
    recipe, weighting = recipe_of(config), config.preprocessing.frequency_weighting
    if not recipe.own_shape:
        return
    where = f"--config.spectrogram.kind={config.spectrogram.kind}"
    if TASKS[config.task].compares_inputs:
        others = [name for name, one in TASKS.items() if not one.compares_inputs]
        raise ValueError(
            f"{where} with --config.task={config.task}: that study compares the "
            "paper's inputs, mel and STFT; tasks that take others are "
            f"{', '.join(others)}"
        )
    if weighting == "a_weighting" and np.isnan(recipe.band_centres_hz()).any():
        raise ValueError(
            f"{where} with --config.preprocessing.frequency_weighting=a_weighting: its "
            "bands have no frequencies; define band_centres_hz() in it"
        )


def check_learnable(config: ConfigDict, options: MainOptions, corpus: Corpus) -> None:
    """Checks that networks can learn from a corpus what the configuration asks.

    Raises:
        ValueError: Validation says nothing, or `check_labels` finds something; or the
            study of Fig. 2 would have no label to look at.
    """
    check_scorable(corpus)
    labels = config.analysis.annotated_labels
    if config.task == "reliability" and not {*labels} & {*corpus.tags}:
        raise ValueError(
            f"--config.analysis.annotated_labels={labels}: the corpus has none of "
            "these tags, on which Fig. 2 compares labels; give some that it has, such "
            f'as "{tuple(corpus.tags[:4])}"'
        )
    for point in sweeps.runs(config, options.point):
        check_labels(point, corpus.tags, corpus.has_true_tags)


def check_labels(config: ConfigDict, tags: Sequence[str], knows_truth: bool) -> None:
    """Checks that a corpus has what the keys of labels ask of it.

    Raises:
        ValueError: It knows no truth, or a file of rates or weights has other tags.
    """
    train = config.train
    if weights := file_of_weights(train.class_weights):
        class_weights.arrange(class_weights.read(weights), tags, weights)
    if rates := file_of_rates(train.label_noise):
        arrange(read_rates(rates), tags, rates)
    if knows_truth:
        return
    if train.labels == "true":
        raise ValueError(
            "--config.train.labels=true: this corpus does not know which tags are "
            "true; leave it out (configs/label_noise.py:own studies noise that is "
            "added to a corpus's own labels)"
        )
    source, _ = label_noise_of(train.label_noise)
    if source in KNOWN_RATES and not (train.drop_positives or train.flip_labels):
        raise ValueError(
            f"--config.train.label_noise={train.label_noise}: this corpus does not "
            "know which tags are true, and no noise was added; give a file of rates "
            "(docs/label_noise.md)"
        )


def pools_of(config: ConfigDict) -> Pools:
    """Returns the poolings of a configuration's network."""
    return choose_pools(config.model.pools, config.spectrogram.kind)


def recipe_of(config: ConfigDict, kind: str = "") -> Recipe:
    """Makes the recipe of a run's spectrograms, or of those of another kind."""
    kind, number = kind or config.spectrogram.kind, config.corpus.excerpts_per_track
    return Recipe.from_config(config.clip, config.spectrogram, kind, number)


def start(config: ConfigDict, options: MainOptions) -> None:
    """Writes the shards, and sees that all of a set are there, for `--mode=prepare`."""
    for shards in prepare(config, options, load(config, options)).values():
        if catalogue.is_written(shards):  # Else other jobs have still to write some.
            open_shards(shards)


def recipes(config: ConfigDict, options: MainOptions) -> list[list[Recipe]]:
    """Lists the recipes of a run, of the points that --point asks for, or of a bundle.

    Those of a list are made in one pass, with what `prepare.kinds` adds to the first:
    they are of the same clip, and of different kinds.
    """
    runs = [config] if options.bundle else sweeps.runs(config, options.point)
    used = [recipe_of(run) for run in runs]
    used += [recipe_of(config, kind) for kind in config.prepare.kinds]
    passes: list[list[Recipe]] = []
    for recipe in dict.fromkeys(used):
        fitting = [one for one in passes if _is_one_pass([*one, recipe])]
        if fitting:
            fitting[0].append(recipe)
        else:
            passes.append([recipe])
    return passes


def _is_one_pass(recipes: Sequence[Recipe]) -> bool:
    clips = {(one.sample_rate_hz, one.duration_s, one.offset) for one in recipes}
    return len(clips) == 1 and len({one.kind for one in recipes}) == len(recipes)


def load_once(config: ConfigDict, options: MainOptions) -> Corpus | None:
    """Loads in the first of several processes; the others wait, and get None."""
    found = []
    distributed.shared(lambda: found.append(load(config, options)))
    return found[0] if found else None


def prepare_once(
    config: ConfigDict, options: MainOptions, corpus: Corpus | None
) -> dict[str, Place]:
    """Prepares in the first of several processes, while the others wait."""

    def named() -> dict[str, str]:
        shards = prepare(config, options, corpus or load(config, options))
        return {recipe: str(path) for recipe, path in shards.items()}

    shards = distributed.shared(named)
    return {recipe: place(path) for recipe, path in shards.items()}


def load(config: ConfigDict, options: MainOptions) -> Corpus:
    """Loads the corpus; the synthetic one is made first, where it is missing."""
    # Not sooner: it imports TensorFlow, and that JAX, which has to be set up before.
    check_store(options.data_dir)
    return read(config, working_folder(options.data_dir))


def read(config: ConfigDict, data_dir: Path | str) -> Corpus:
    """Reads the corpus, for the longest clips that any point has."""
    return load_corpus(
        config.corpus,
        data_dir,
        config.prepare.num_processes,
        clip_duration_s=max(one.clip.duration_s for one in sweeps.runs(config)),
    )


def prepare(
    config: ConfigDict, options: MainOptions, corpus: Corpus
) -> dict[str, Place]:
    """Writes the shards that are missing; a folder for each recipe's identifier.

    Only a bundle's corpus may have splits without clips.
    """
    if options.mode == "run":
        check_learnable(config, options, corpus)
    found: dict[str, Place] = {}
    for together in recipes(config, options):
        made = prepare_in(
            options.data_dir,
            corpus,
            together,
            num_processes=config.prepare.num_processes,
            clips_per_shard=config.prepare.clips_per_shard,
            max_bad_share=config.prepare.max_bad_share,
            own=Slice(config.prepare.worker, config.prepare.num_workers),
            beam_options=parse_options(config.prepare.beam),
            needed=() if options.bundle else SPLITS,
        )
        found |= {one.identifier: made[one.kind] for one in together}
    return found


def open_data(config: ConfigDict, prepared: Mapping[str, Place]) -> ShardedSplits:
    """Opens the shards of a run among prepared ones, to be read as it says."""
    shards = prepared[recipe_of(config).identifier]
    if config.input.local_dir:
        shards = stage(shards, Path(config.input.local_dir))
    threads, window = config.input.threads, config.input.window_shards
    return open_shards(shards, threads=threads, window_shards=window)
