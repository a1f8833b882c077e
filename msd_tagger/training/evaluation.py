"""Scores of a split: every clip exactly once, whatever the batch size."""

from collections.abc import Callable, Iterable

import numpy as np

from msd_tagger.common import metrics

Evaluate = Callable[[list, dict[str, np.ndarray]], dict[str, np.ndarray]]


def evaluate(
    step: Evaluate,
    chunks: list,
    batches: Iterable[dict[str, np.ndarray]],
    num_clips: int,
) -> dict[str, np.ndarray]:
    """Runs an evaluation over masked batches.

    Args:
        step: A mapped `steps.evaluation_step`.
        chunks: States as the mapped step takes them.
        batches: Host batches; the last one padded at its end, and masked.
        num_clips: N, padding aside.

    Returns:
        "scores" `[S, N, K]` float32 and "loss" `[S]`, the mean over clips and tags.
    """
    scores, loss_sum = [], 0.0
    for batch in batches:
        output = step(chunks, batch)
        scores.append(output["scores"])
        loss_sum = loss_sum + output["loss"].astype(np.float64).sum(1)
    scores = np.concatenate(scores, axis=1)[:, :num_clips]
    return {"scores": scores, "loss": loss_sum / (scores.shape[1] * scores.shape[2])}


def macro_scores(
    tags: np.ndarray, scores: np.ndarray, failed: np.ndarray | bool = False
) -> dict[str, list]:
    """Macro ROC-AUC and PR-AUC of each seed, None where it cannot be told.

    Args:
        tags: Labels `[N, K]`.
        scores: `[S, N, K]`.
        failed: Seeds `[S]` that do not count any more.
    """
    counts = np.isfinite(scores).all((1, 2)) & ~np.asarray(failed)
    names = ("roc_auc_macro", "pr_auc_macro")
    per_seed = [
        metrics.score(tags, of_seed) if has else {}
        for of_seed, has in zip(scores, counts, strict=True)
    ]
    return {name: [result.get(name) for result in per_seed] for name in names}
