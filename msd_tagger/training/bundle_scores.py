"""Scores of a bundle on any prepared corpus that shares tags with it."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from msd_tagger.bundle.format import Bundle, build_model
from msd_tagger.bundle.thresholds import Thresholds, measure
from msd_tagger.common.csv_files import write_csv
from msd_tagger.common.facts import LABELS
from msd_tagger.common.metrics import finite_or_none
from msd_tagger.network.model import prepare_batch
from msd_tagger.network.own import check_last_layer
from msd_tagger.training import parallel, steps
from msd_tagger.training.data import Data
from msd_tagger.training.evaluation import evaluate, write_predictions
from msd_tagger.training.warm_start import columns_by_name

SCORED = ("valid", "test")  # Splits.
AT_THRESHOLDS = ("precision", "recall", "f1")


class Match(NamedTuple):
    """The tags of a bundle and of a corpus, matched by name."""

    shared: tuple[str, ...]  # In the bundle's order.
    only_in_bundle: tuple[str, ...]
    only_in_corpus: tuple[str, ...]


def match_tags(of_bundle: Sequence[str], of_corpus: Sequence[str]) -> Match:
    """Matches tags by name, letter for letter.

    >>> match_tags(("rock", "jazz"), ("Jazz", "rock", "pop"))[1:]
    (('jazz',), ('Jazz', 'pop'))

    Raises:
        ValueError: None is shared.
    """
    shared = tuple(tag for tag in of_bundle if tag in of_corpus)
    if not shared:
        raise ValueError(
            "bundle and corpus share no tag; names are compared letter for letter. "
            f"The bundle has {listed(of_bundle)}; the corpus has {listed(of_corpus)}"
        )
    return Match(
        shared,
        only_in_bundle=tuple(tag for tag in of_bundle if tag not in shared),
        only_in_corpus=tuple(tag for tag in of_corpus if tag not in shared),
    )


def scored_splits(counts: Mapping[str, int]) -> list[str]:
    """Lists the splits to score, of those that have clips.

    >>> scored_splits({"train": 80, "test": 20})
    ['test']

    Raises:
        ValueError: There is none.
    """
    splits = [split for split in SCORED if counts.get(split)]
    if not splits:
        raise ValueError("the corpus has neither validation nor test clips to score")
    return splits


def listed(tags: Sequence[str], at_most: int = 10) -> str:
    """Lists names for a message, of many only the first.

    >>> listed(("rock", "jazz", "pop"), at_most=2)
    'rock, jazz and 1 more'
    """
    rest = len(tags) - at_most
    return ", ".join(tags[:at_most]) + (f" and {rest} more" if rest > 0 else "")


def restrict(bundle: Bundle, tags: Sequence[str]) -> Bundle:
    """Restricts a bundle to some of its tags, in the order given.

    Raises:
        ValueError: Its network has no layer with a column for each tag.
    """
    if tuple(tags) == bundle.tags:
        return bundle
    check_last_layer(bundle.weights.params, "a corpus that lacks tags of the bundle")
    _, columns = columns_by_name(tags, bundle.tags)
    params, thresholds = bundle.weights.params, bundle.thresholds
    last_layer = {name: leaf[..., columns] for name, leaf in params["tags"].items()}
    if thresholds is not None:
        values = (value[columns] for value in thresholds[1:])
        thresholds = Thresholds(thresholds.split, *values)
    return bundle._replace(
        tags=tuple(tags),
        weights=bundle.weights.replace(params=params | {"tags": last_layer}),
        thresholds=thresholds,
    )


def score_splits(
    bundle: Bundle, data: Data, layout: parallel.Layout, batch_size: int, out: Path
) -> dict[str, Any]:
    """Scores a bundle; returns what `scores.json` takes, and writes all else to `out`.

    The corpus is one of the bundle's recipe; the tags that both have are scored. The
    batch size changes no score.

    Raises:
        ValueError: No tag is shared, or there is no clip to score.
    """
    match = match_tags(bundle.tags, data.tags)
    counts = {split: data.num_clips(split) for split in SCORED}
    splits = scored_splits(counts)
    shared = restrict(bundle, match.shared)
    _, columns = columns_by_name(shared.tags, data.tags)
    # All of it before the first file: a damaged shard leaves the folder as it was.
    predictions = _predict(shared, data, splits, columns, layout, batch_size)
    scores, at_thresholds = {}, {}
    for split, found in predictions.items():
        labels = dict(data.labels(split))
        for name in ("tags", "true_tags"):
            if labels[name] is not None:
                labels[name] = labels[name][:, columns]
        scores[split] = write_predictions(out, split, labels, found, shared.tags)
        if shared.thresholds is not None:
            at_thresholds[split] = {
                "weak": _measure(shared.thresholds, labels["tags"], found, split),
                "true": _measure(shared.thresholds, labels["true_tags"], found, split),
            }
    summary = {
        "tags": match._asdict(),
        "corpus": {
            **data.corpus,
            "counts": {split: counts[split] for split in splits},
        },
        "seeds": bundle.seeds,
        "scores": scores,
        "at_thresholds": at_thresholds or None,
    }
    per_tag = _per_tag(summary, shared)
    rows = zip(*per_tag.values(), strict=True)
    write_csv(out / "per_tag.csv", [list(per_tag), *rows])
    return summary


def _predict(
    bundle: Bundle,
    data: Data,
    splits: Sequence[str],
    columns: Sequence[int],
    layout: parallel.Layout,
    batch_size: int,
) -> dict[str, np.ndarray]:
    """Computes scores `[S, N, K]` of splits whose labels have the tags in `columns`."""
    model = build_model(bundle)
    prepare = partial(prepare_batch, model=model)
    of_one = partial(steps.evaluation_step, model=model)
    step = parallel.map_evaluation(of_one, layout, prepare)
    weights, predictions = parallel.to_devices(bundle.weights, layout), {}
    for split in splits:
        batches = (
            batch | {"tags": batch["tags"][:, columns]}
            for batch in data.evaluation_batches(split, batch_size)
        )
        found = evaluate(step, weights, batches, data.num_clips(split))
        predictions[split] = found["scores"]
    return predictions


def _measure(
    thresholds: Thresholds, tags: np.ndarray | None, scores: np.ndarray, split: str
) -> dict[str, Any] | None:
    """Measures the seeds' mean score at a bundle's thresholds; None without labels.

    Returns:
        "precision_macro", "recall_macro" and "f1_macro", means over "num_tags" tags,
        and "precision_per_tag", … `[K]`. The means leave out a tag without a threshold
        or without a clip that has it; where no clip is given a tag, its precision
        counts as 0 in the mean and is None among the tags.
    """
    if tags is None:
        return None
    measured = measure(thresholds.threshold, tags, scores, split)
    columns = {name: getattr(measured, name) for name in AT_THRESHOLDS}
    kept = np.isfinite(measured.f1)
    macro = {
        f"{name}_macro": np.nan_to_num(column[kept]).mean().item()
        if any(kept)
        else None
        for name, column in columns.items()
    }
    per_tag = {f"{name}_per_tag": finite_or_none(columns[name]) for name in columns}
    return {**macro, "num_tags": int(kept.sum()), **per_tag}


def _per_tag(summary: dict[str, Any], bundle: Bundle) -> dict[str, list]:
    """Tabulates the scores of each shared tag; areas are means over seeds."""
    columns: dict[str, list] = {"tag": list(bundle.tags)}
    if bundle.thresholds is not None:
        columns["threshold"] = finite_or_none(bundle.thresholds.threshold)
    for split, scores in summary["scores"].items():
        for labels in LABELS:
            if scores[labels] is None:
                continue
            seeds, ending = scores[labels]["per_seed"], f"{split}_{labels}"
            columns[f"positives_{ending}"] = seeds[0]["positives"]
            for name in ("roc_auc", "pr_auc"):
                values = [one[f"{name}_per_tag"] for one in seeds]
                columns[f"{name}_{ending}"] = [
                    None if None in of_tag else float(np.mean(of_tag))
                    for of_tag in zip(*values, strict=True)
                ]
            if bundle.thresholds is not None:
                measured = summary["at_thresholds"][split][labels]
                for name in AT_THRESHOLDS:
                    columns[f"{name}_{ending}"] = measured[f"{name}_per_tag"]
    return columns
