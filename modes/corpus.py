"""The corpus and its shards, as a configuration names them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ml_collections import ConfigDict

from modes import Options
from msd_tagger.training import distributed

if TYPE_CHECKING:
    from input_pipeline.corpora import Corpus


def start(config: ConfigDict, options: Options) -> None:
    """`--mode=prepare`: writes the shards and does nothing else."""
    prepare(config, options, load(config, options), kinds(config))


def kinds(config: ConfigDict) -> list[str]:
    """The kind of spectrogram of a run, or of each point of a study."""
    from configs import sweeps

    points = [sweeps.at(config, point) for point in config.sweep] or [config]
    return [point.spectrogram.kind for point in points]


def load_once(config: ConfigDict, options: Options) -> Corpus | None:
    """As `load`, in the first of several processes; None in the others, which wait."""
    found = []
    distributed.shared(lambda: found.append(load(config, options)))
    return found[0] if found else None


def prepare_once(
    config: ConfigDict, options: Options, corpus: Corpus | None, kinds: Sequence[str]
) -> dict[str, Path]:
    """As `prepare`, by the first of several processes while the others wait."""

    def named() -> dict[str, str]:
        shards = prepare(config, options, corpus, kinds)
        return {kind: str(path) for kind, path in shards.items()}

    shards = distributed.shared(named)
    return {kind: Path(path) for kind, path in shards.items()}


def load(config: ConfigDict, options: Options) -> Corpus:
    """Loads the corpus; the synthetic one is made first, where it is missing."""
    from input_pipeline.corpora import load_corpus

    return load_corpus(
        config.corpus,
        options.data_dir,
        config.prepare.num_processes,
        clip_duration_s=config.clip.duration_s,
    )


def prepare(
    config: ConfigDict, options: Options, corpus: Corpus, kinds: Sequence[str]
) -> dict[str, Path]:
    """Writes the shards that are missing; a folder per kind of spectrogram."""
    from input_pipeline.beam import parse_options
    from input_pipeline.corpora import check_scorable
    from input_pipeline.plan import Slice
    from input_pipeline.prepare import prepare as write_shards
    from msd_tagger.frontend.recipe import Recipe

    beam_options = parse_options(config.prepare.beam)
    recipes = [
        Recipe.from_config(config.clip, config.spectrogram, kind)
        for kind in dict.fromkeys((*kinds, *config.prepare.kinds))
    ]
    if options.mode == "run":
        check_scorable(corpus)
    return write_shards(
        corpus,
        recipes,
        options.data_dir,
        num_processes=config.prepare.num_processes,
        clips_per_shard=config.prepare.clips_per_shard,
        max_bad_share=config.prepare.max_bad_share,
        own=Slice(config.prepare.worker, config.prepare.num_workers),
        beam_options=beam_options,
    )
