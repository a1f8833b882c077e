"""`--mode=evaluate`: scores of a run again, or of a bundle on any corpus."""

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ml_collections import ConfigDict

from configs.identity import bundle_digest, digest
from input_pipeline import tag_names
from modes import MainOptions
from modes.corpus import load, open_data, prepare, recipe_of
from modes.run import start as start_run
from modes.training import print_numbers, print_scores, set_up_devices
from msd_tagger.bundle.format import Bundle, read_bundle
from msd_tagger.common import files
from msd_tagger.common.provenance import environment
from msd_tagger.training import parallel
from msd_tagger.training.bundle_scores import (
    Match,
    match_tags,
    score_splits,
    scored_splits,
)
from msd_tagger.training.data import Data
from msd_tagger.training.schedule import resolve_batch_size
from msd_tagger.training.warm_start import check_recipe

logger = logging.getLogger(__name__)


def start(config: ConfigDict, options: MainOptions) -> None:
    """Scores the bundle where there is one, else the run of the configuration."""
    if options.bundle and options.workdir:
        raise ValueError(
            f"--workdir={options.workdir} with --bundle: scores of a bundle go to --out"
        )
    if options.out and not options.bundle:
        raise ValueError(
            f"--out={options.out} goes with --bundle; a run is scored in its own "
            "folder, --workdir"
        )
    does = evaluate_bundle if options.bundle else start_run
    does(config, options)


def evaluate_bundle(config: ConfigDict, options: MainOptions) -> None:
    """Scores a bundle on a corpus, in a new folder.

    Of the configuration, the corpus counts, and clip and spectrogram, which have to be
    the bundle's; preprocessing, network and number of seeds are the bundle's.
    """
    devices = set_up_devices(config, options)
    if options.out:
        files.check_unused(Path(options.out))
    folder = Path(options.bundle)
    bundle = read(folder, config)
    corpus = load(config, options)
    note_spellings(bundle.tags, corpus.tags)
    print_match(match_tags(bundle.tags, corpus.tags))
    scored_splits(Counter(clip.split for clip in corpus.clips))  # Or says why not.
    data = open_data(config, prepare(config, options, corpus))
    digests = {"bundle": bundle_digest(folder), "shards": data.directory.parent.name}
    default = Path(f"runs/scores-{digest(digests)}")
    out = Path(options.out) if options.out else files.unused(default)
    summary = {
        "bundle": {"digest": digests["bundle"], "provenance": bundle.provenance},
        **score(bundle, data, config, out),
        "environment": environment(devices),
    }
    files.write_json(out / "scores.json", summary)
    print_test_scores(summary)
    print(f"scores: {out}")


def read(folder: Path, config: ConfigDict) -> Bundle:
    """Reads a bundle whose spectrograms the configuration makes.

    Raises:
        ValueError: They are others, or the bundle cannot score clips one by one.
    """
    bundle = read_bundle(folder)
    check_recipe(bundle, recipe_of(config))
    if bundle.batch_statistics:
        raise ValueError(
            f"--bundle={folder} normalises by each batch, so that a clip's scores "
            "depend on the others; import it with --calibrate=FOLDER"
        )
    return bundle


def score(bundle: Bundle, data: Data, config: ConfigDict, out: Path) -> dict:
    """Scores a bundle on this machine's devices, as the configuration shares them."""
    train, num_seeds = config.train, len(bundle.seeds)
    layout = parallel.choose_layout(
        train.parallel, num_seeds, train.seeds_per_chunk, train.num_devices
    )
    size = train.evaluation_batch_size or train.batch_size
    size = parallel.pad_batch_size(resolve_batch_size(size), layout)
    return score_splits(bundle, data, layout, size, out)


def note_spellings(of_bundle: Sequence[str], of_corpus: Sequence[str]) -> None:
    """Warns of tags that are one for people, and two for `match_tags`."""
    meant = tag_names.meant_as(of_bundle, of_corpus)
    shown = tag_names.shown
    unlike = [
        f"{shown(one)} of the bundle and {shown(other)} of the corpus"
        for one, other in meant.items()
        if one != other
    ]
    if unlike:
        logger.warning(
            "tags that differ only in how they are written are not taken for one, so "
            "write them in the corpus as the bundle does: %s",
            "; ".join(unlike),
        )


def print_match(match: Match) -> None:
    """Prints which tags are scored and which are not."""
    number = len(match.shared)
    print(f"{number} {'tag is' if number == 1 else 'tags are'} in both and scored")
    for where in ("bundle", "corpus"):
        tags = getattr(match, f"only_in_{where}")
        if tags:
            print(f"{len(tags)} only in the {where}: {', '.join(tags)}")


def print_test_scores(summary: dict) -> None:
    """Prints the test scores; those of validation clips where there are no others."""
    split = list(summary["scores"])[-1]
    print_scores(summary, split)
    for labels, measured in ((summary["at_thresholds"] or {}).get(split) or {}).items():
        if measured is not None:
            names = ("precision_macro", "recall_macro", "f1_macro")
            numbers = {name: measured[name] for name in names}
            title = f"{split}, {labels} labels, at the bundle's thresholds"
            print_numbers(title, numbers)
