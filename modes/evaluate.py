"""`--mode=evaluate --bundle=DIR`: a bundle's scores on the configuration's corpus."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ml_collections import ConfigDict

from modes import Options
from modes.corpus import load, prepare
from modes.run import find_devices, tell
from modes.run import start as start_run

if TYPE_CHECKING:
    from msd_tagger.bundle.format import Bundle
    from msd_tagger.training.bundle_scores import Match


def start(config: ConfigDict, options: Options) -> None:
    """Scores the bundle where there is one, else the run of the configuration."""
    if not options.bundle:
        if options.out:
            raise ValueError(
                f"--out={options.out} goes with --bundle; a run is scored in its own "
                "folder, --workdir"
            )
        return start_run(config, options)
    if options.workdir:
        raise ValueError(
            f"--workdir={options.workdir} with --bundle: scores of a bundle go to --out"
        )
    return evaluate_bundle(config, options)


def evaluate_bundle(config: ConfigDict, options: Options) -> None:
    """Scores a bundle on a corpus, in a new folder.

    Of the configuration, the corpus counts, and clip and spectrogram, which have to be
    the bundle's; preprocessing, network and number of seeds are the bundle's.
    """
    from configs import checks
    from input_pipeline.batches import open_shards

    devices = find_devices(config, options)
    from msd_tagger.common import files, record
    from msd_tagger.training import bundle_scores as evaluate_bundle

    if options.out:
        files.check_unused(Path(options.out))
    place = Path(options.bundle)
    bundle = read(place, config)
    corpus = load(config, options)
    tell_tags(evaluate_bundle.match_tags(bundle.tags, corpus.tags))
    kind = config.spectrogram.kind
    shards = prepare(config, options, corpus, [kind])[kind]
    digests = {"bundle": checks.bundle_digest(place), "shards": shards.parent.name}
    default = Path(f"runs/scores-{checks.digest(digests)}")
    out = Path(options.out) if options.out else files.unused(default)
    data = open_shards(shards, reader=config.input.reader)
    summary = {
        "bundle": {"digest": digests["bundle"], "provenance": bundle.provenance},
        **score(bundle, data, config, out),
        "environment": record.environment(devices, sys.argv),
    }
    files.write_json(out / "scores.json", summary)
    tell_scores(summary)
    print(f"scores: {out}")


def read(place: Path, config: ConfigDict) -> Bundle:
    """Reads a bundle whose spectrograms the configuration makes.

    Raises:
        ValueError: They are others, or the bundle cannot score clips one by one.
    """
    from msd_tagger.bundle.format import read_bundle
    from msd_tagger.frontend.recipe import Recipe
    from msd_tagger.training.warm_start import check_recipe

    bundle = read_bundle(place)
    kind = config.spectrogram.kind
    check_recipe(bundle, Recipe.from_config(config.clip, config.spectrogram, kind))
    if bundle.batch_statistics:
        raise ValueError(
            f"--bundle={place} normalises by each batch, so that a clip's scores "
            "depend on the others; import it with --calibrate=CORPUS"
        )
    return bundle


def score(bundle: Bundle, data: object, config: ConfigDict, out: Path) -> dict:
    """Scores a bundle on this machine's devices, as the configuration shares them."""
    from msd_tagger.training import bundle_scores as evaluate_bundle
    from msd_tagger.training import parallel
    from msd_tagger.training import setup as build

    config.num_seeds = len(bundle.seeds)
    layout = build.choose_layout(config)
    size = config.train.evaluation_batch_size or config.train.batch_size
    size = parallel.pad_batch_size(build.resolve_batch_size(size), layout)
    return evaluate_bundle.score_splits(bundle, data, layout, size, out)


def tell_tags(match: Match) -> None:
    """Prints which tags are scored and which are not."""
    print(f"{len(match.shared)} tags are in both and are scored")
    for where in ("bundle", "corpus"):
        tags = getattr(match, f"only_in_{where}")
        if tags:
            print(f"{len(tags)} only in the {where}: {', '.join(tags)}")


def tell_scores(summary: dict) -> None:
    """Prints the test scores; those of validation clips where there are no others."""
    split = list(summary["scores"])[-1]
    tell(summary, split)
    for kind, measured in ((summary["at_thresholds"] or {}).get(split) or {}).items():
        if measured is None:
            continue
        line = ", ".join(
            f"{name} {measured[name]:.4f}"
            for name in ("precision_macro", "recall_macro", "f1_macro")
            if measured[name] is not None
        )
        print(f"{split}, {kind} labels, at the bundle's thresholds: {line}")
