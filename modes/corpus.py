"""The corpus and its shards, as a configuration names them; `--mode=prepare`."""

from collections.abc import Sequence
from pathlib import Path

from ml_collections import ConfigDict

from configs import checks, sweeps
from configs.identity import WORDS, label_noise_of
from input_pipeline.batches import ShardedSplits, open_shards
from input_pipeline.beam import parse_options
from input_pipeline.corpora import Corpus, check_scorable, load_corpus
from input_pipeline.elsewhere import check as check_store
from input_pipeline.elsewhere import prepare_in, working_folder
from input_pipeline.plan import Slice
from input_pipeline.staging import stage
from input_pipeline.storage import Place, place
from modes import Options
from msd_tagger.common.label_noise import arrange, read_rates
from msd_tagger.frontend.recipe import Recipe
from msd_tagger.network.pools import Pools, check_pools, choose_pools
from msd_tagger.training import distributed


def check(config: ConfigDict, options: Options) -> None:
    """Checks the configuration, and that of every point, before anything takes long."""
    points = checks.check_for_mode(config, options.mode, options.bundle, options.point)
    parse_options(config.prepare.beam)
    for point in points:
        source, _ = label_noise_of(point.train.label_noise)
        if source not in ("", *WORDS):
            read_rates(Path(source))
        shape = recipe_of(point).shape
        if options.mode in ("run", "evaluate") and not options.bundle:
            check_pools(shape, pools_of(point))


def check_labels(config: ConfigDict, tags: Sequence[str], knows_truth: bool) -> None:
    """Checks that a corpus has what the keys of label noise ask of it.

    Raises:
        ValueError: It knows no truth, or a file of rates has other tags.
    """
    train = config.train
    source, _ = label_noise_of(train.label_noise)
    if source not in ("", *WORDS):
        arrange(read_rates(Path(source)), tags, Path(source))
    if knows_truth:
        return
    if train.labels == "true":
        raise ValueError(
            "--config.train.labels=true: this corpus does not know which tags are "
            "true; leave it out (configs/label_noise.py:own studies noise that is "
            "added to a corpus's own labels)"
        )
    if source in WORDS and not (train.drop_positives or train.flip_labels):
        raise ValueError(
            f"--config.train.label_noise={train.label_noise}: this corpus does not "
            "know which tags are true, and no noise was added; give a file of rates "
            "(docs/label_noise.md)"
        )


def pools_of(config: ConfigDict) -> Pools:
    """The poolings of a configuration's network."""
    return choose_pools(config.model.pools, config.spectrogram.kind)


def recipe_of(config: ConfigDict, kind: str = "") -> Recipe:
    """The recipe of a run's spectrograms, or of those of another kind."""
    return Recipe.from_config(
        config.clip, config.spectrogram, kind or config.spectrogram.kind
    )


def start(config: ConfigDict, options: Options) -> None:
    """`--mode=prepare`: writes the shards and does nothing else."""
    prepare(config, options, load(config, options), kinds(config, options))


def kinds(config: ConfigDict, options: Options) -> list[str]:
    """The kind of spectrogram of a run, or of each point that --point asks for."""
    return [point.spectrogram.kind for point in _chosen(config, options)]


def _chosen(config: ConfigDict, options: Options) -> list[ConfigDict]:
    """The points that --point asks for, or a run itself."""
    chosen = sweeps.choose(config.sweep, options.point)
    return [sweeps.at(config, point) for point in chosen] or [config]


def recipes(config: ConfigDict, kinds: Sequence[str]) -> list[Recipe]:
    """The recipes of some kinds, and of those that `prepare.kinds` adds."""
    every = dict.fromkeys((*kinds, *config.prepare.kinds))
    return [recipe_of(config, kind) for kind in every]


def load_once(config: ConfigDict, options: Options) -> Corpus | None:
    """As `load`, in the first of several processes; None in the others, which wait."""
    found = []
    distributed.shared(lambda: found.append(load(config, options)))
    return found[0] if found else None


def prepare_once(
    config: ConfigDict, options: Options, corpus: Corpus | None, kinds: Sequence[str]
) -> dict[str, Place]:
    """As `prepare`, by the first of several processes while the others wait."""

    def named() -> dict[str, str]:
        shards = prepare(config, options, corpus or load(config, options), kinds)
        return {kind: str(path) for kind, path in shards.items()}

    shards = distributed.shared(named)
    return {kind: place(path) for kind, path in shards.items()}


def load(config: ConfigDict, options: Options) -> Corpus:
    """Loads the corpus; the synthetic one is made first, where it is missing."""
    # Not sooner: it imports TensorFlow, and that JAX, which has to be set up before.
    check_store(options.data_dir)
    return load_corpus(
        config.corpus,
        working_folder(options.data_dir),
        config.prepare.num_processes,
        clip_duration_s=config.clip.duration_s,
    )


def prepare(
    config: ConfigDict, options: Options, corpus: Corpus, kinds: Sequence[str]
) -> dict[str, Place]:
    """Writes the shards that are missing; a folder per kind of spectrogram."""
    if options.mode == "run":
        check_scorable(corpus)
        for point in _chosen(config, options):
            check_labels(point, corpus.tags, corpus.has_true_tags)
    return prepare_in(
        options.data_dir,
        corpus,
        recipes(config, kinds),
        num_processes=config.prepare.num_processes,
        clips_per_shard=config.prepare.clips_per_shard,
        max_bad_share=config.prepare.max_bad_share,
        own=Slice(config.prepare.worker, config.prepare.num_workers),
        beam_options=parse_options(config.prepare.beam),
    )


def open_data(config: ConfigDict, shards: Place) -> ShardedSplits:
    """Opens prepared shards, to be read as a configuration says."""
    if config.input.local_dir:
        shards = stage(shards, Path(config.input.local_dir))
    threads, window = config.input.threads, config.input.window_shards
    return open_shards(shards, threads=threads, window_shards=window)
