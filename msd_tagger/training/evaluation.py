"""Scores of a split: every clip exactly once, whatever the batch size."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from msd_tagger.common import metrics
from msd_tagger.common.excerpts import Batch, excerpts_of
from msd_tagger.common.files import write_npz
from msd_tagger.training import parallel
from msd_tagger.training.data import share_of
from msd_tagger.training.setup import Setup

Evaluate = Callable[[list, Batch], dict[str, np.ndarray]]
# Gives batches on, one after another; it may do something in between, or raise.
PassOn = Callable[[Iterable[Batch]], Iterator[Batch]]

STATISTICS_SEED = 1_000_003  # Order of the clips that batch statistics come from.


def evaluate(
    step: Evaluate, chunks: list, batches: Iterable[Batch], num_clips: int
) -> dict[str, np.ndarray]:
    """Runs an evaluation over masked batches, the last one padded at its end.

    `step` is a mapped `steps.evaluation_step`; without the padding there are N clips.
    A clip with several excerpts gets the mean over them, as published taggers of short
    excerpts are scored (Lee et al., SMC 2017; Won et al., SMC 2020).

    Returns:
        "scores" `[S, N, K]` float32 and "loss" `[S]`, the mean over clips and tags.
    """
    parts, loss_sum = [], np.float64(0)
    for batch in batches:
        outputs = [step(chunks, one) for one in excerpts_of(batch)]
        each = [output["scores"] for output in outputs]
        parts.append(each[0] if len(each) == 1 else np.mean(each, axis=0))
        losses = [output["loss"].astype(np.float64).sum(1) for output in outputs]
        loss_sum = loss_sum + sum(losses) / len(losses)
    scores = np.concatenate(parts, axis=1)[:, :num_clips]
    return {"scores": scores, "loss": loss_sum / (scores.shape[1] * scores.shape[2])}


def evaluate_split(
    setup: Setup, weights: list, split: str, pass_on: PassOn = iter
) -> dict[str, np.ndarray]:
    """Does what `evaluate` does, for weights on the devices and a split by its name.

    The batches are taken from what `pass_on` makes of them.
    """
    size = setup.config.train.evaluation_batch_size or setup.schedule.batch_size
    size = parallel.pad_batch_size(size, setup.layout)
    rows = parallel.own_rows(size, setup.layout)
    batches = pass_on(setup.data.evaluation_batches(split, size, rows=rows))
    num_clips = setup.data.num_clips(split)
    return evaluate(setup.programs.evaluate, weights, batches, num_clips)


def score_validation(
    setup: Setup, chunks: list, failed: np.ndarray, pass_on: PassOn
) -> tuple[list, dict[str, Any]]:
    """Scores the validation split and keeps the better weights of each seed.

    The chunks are states on the devices; `failed` marks seeds, bool `[S]`.

    Returns:
        The new states on the devices, and the scores for a line of `metrics.jsonl`.
    """
    started = time.monotonic()
    weights = _with_statistics(setup, [chunk.weights for chunk in chunks], pass_on)
    found = evaluate_split(setup, weights, "valid", pass_on)
    scores = macro_scores(setup.data.labels("valid")["tags"], found["scores"], failed)
    ranked = [-np.inf if s is None else s for s in scores["roc_auc_macro"]]
    ranked = parallel.to_devices(np.array(ranked, np.float32), setup.layout)
    chunks = setup.programs.keep(chunks, weights, ranked)
    seconds = time.monotonic() - started
    loss = metrics.finite_or_none(np.where(failed, np.nan, found["loss"]))
    return chunks, {"split": "valid", "loss": loss, "seconds": seconds, **scores}


def macro_scores(
    tags: np.ndarray, scores: np.ndarray, failed: np.ndarray | bool = False
) -> dict[str, list[float | None]]:
    """Computes macro ROC-AUC and PR-AUC of each seed, None where they are undefined.

    Labels are `[N, K]`, scores `[S, N, K]`; `failed` seeds `[S]` no longer count.
    """
    counts = np.isfinite(scores).all((1, 2)) & ~np.asarray(failed)
    per_seed = [
        metrics.score(tags, of_seed) if has else {}
        for of_seed, has in zip(scores, counts, strict=True)
    ]
    names = ("roc_auc_macro", "pr_auc_macro")
    return {name: [result.get(name) for result in per_seed] for name in names}


def write_predictions(
    workdir: Path,
    split: str,
    labels: dict[str, Any],
    scores: np.ndarray,
    tags: Sequence[str],
) -> dict[str, Any]:
    """Writes a split's scores `[S, N, K]` beside its labels, and scores them.

    Labels are as `Data.labels` gives them. Returns what `metrics.score_all` does.
    """
    weak, truth = labels["tags"], labels["true_tags"]
    write_npz(
        workdir / f"predictions_{split}.npz",
        track_id=np.asarray(labels["track_id"]),
        tags=weak,
        scores=scores,
        tag_names=np.array(tags),
        **({} if truth is None else {"true_tags": truth}),
    )
    return metrics.score_all(weak, scores, truth)


def _with_statistics(setup: Setup, weights: list, pass_on: PassOn) -> list:
    """Estimates the batch statistics of the current weights, if so configured."""
    config, schedule = setup.config.train, setup.schedule
    if setup.model.features_frozen or not config.statistics_clips:
        return weights
    clips = min(config.statistics_clips, schedule.num_clips)
    share = share_of(setup.data, clips, config.fraction)
    batches = setup.train_batches(STATISTICS_SEED, 0, share)
    weights = setup.programs.forget(weights)
    for batch in pass_on(islice(batches, math.ceil(clips / schedule.batch_size))):
        weights, _ = setup.programs.estimate(weights, batch)
    return weights
