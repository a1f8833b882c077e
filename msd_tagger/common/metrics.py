"""ROC-AUC and PR-AUC of multi-label scores, per tag and averaged.

Two averages of each are given by name, because published numbers differ in which one
they mean: `macro` is the plain mean over tags (the one the paper uses), `micro` pools
all (clip, tag) pairs into one ranking.

A tag that no clip or every clip carries has no ROC curve. Such tags are left out of
all four averages, their per-tag entries are None, and `num_tags_scored` counts the
others. No value returned here is ever NaN.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

AVERAGES = ("roc_auc_macro", "roc_auc_micro", "pr_auc_macro", "pr_auc_micro")
STATISTICS = ("mean", "std", "min", "max")


def score(labels: np.ndarray, scores: np.ndarray) -> dict[str, Any]:
    """Scores one ranking of clips per tag against binary labels.

    Labels are 0/1 or bool `[N, K]`. Scores are finite `[N, K]`; higher means that the
    tag is more likely.

    Returns:
        `roc_auc_macro`, `roc_auc_micro`, `pr_auc_macro` and `pr_auc_micro` (float, or
        None when no tag can be scored), `num_tags_scored` (int), `roc_auc_per_tag` and
        `pr_auc_per_tag` (lists `[K]`, None where undefined), `positives` (ints `[K]`),
        as JSON takes them.

    Raises:
        ValueError: Shapes differ, labels are not binary or a score is not finite.

    >>> labels = np.array([[0, 0], [1, 0], [0, 0], [1, 0]])
    >>> found = score(labels, np.array([[0.1, 0], [0.4, 0], [0.35, 0], [0.8, 0]]))
    >>> found["roc_auc_per_tag"], found["num_tags_scored"]
    ([1.0, None], 1)
    """
    labels, scores = _checked(labels, scores)
    positives = labels.sum(axis=0)
    kept = (positives > 0) & (positives < len(labels))
    roc, pr = _areas(labels[:, kept], scores[:, kept])
    averages = dict.fromkeys(AVERAGES)
    if kept.any():
        pooled = labels[:, kept].reshape(-1, 1), scores[:, kept].reshape(-1, 1)
        (micro_roc,), (micro_pr,) = _areas(*pooled)
        values = (roc.mean(), micro_roc, pr.mean(), micro_pr)
        averages = dict(zip(AVERAGES, map(float, values), strict=True))
    per_tag = np.full((2, len(kept)), np.nan)
    per_tag[:, kept] = roc, pr
    return {
        **averages,
        "num_tags_scored": int(kept.sum()),
        "roc_auc_per_tag": finite_or_none(per_tag[0]),
        "pr_auc_per_tag": finite_or_none(per_tag[1]),
        "positives": positives.tolist(),
    }


def score_all(
    labels: np.ndarray, scores: np.ndarray, true_labels: np.ndarray | None = None
) -> dict[str, Any]:
    """Scores several seeds against the weak labels and, where known, the true ones.

    Labels are 0/1 `[N, K]`, scores `[S, N, K]`.

    Returns:
        `num_seeds`, `num_clips`, `weak` and `true` (None without true labels). Each of
        the two holds `per_seed` (a list of what `score` returns) and `mean`, `std`,
        `min` and `max`, each with the `spread` of every average over the seeds.

    Raises:
        ValueError: Shapes do not fit, or `score` does not accept the values.
    """
    scores = np.asarray(scores)
    if scores.ndim != 3:
        raise ValueError(
            f"scores has shape {scores.shape}; it must be [S, N, K]: seeds, clips, "
            "tags. Add a leading axis for a single seed: scores[None]."
        )
    if not len(scores):
        raise ValueError("scores holds no seed: its first axis has length 0.")
    return {
        "num_seeds": scores.shape[0],
        "num_clips": scores.shape[1],
        "weak": over_seeds([score(labels, one) for one in scores]),
        "true": None
        if true_labels is None
        else over_seeds([score(true_labels, one) for one in scores]),
    }


def spread(values: Sequence[float | None]) -> dict[str, float | None]:
    """Describes one value per seed by its `mean`, `std`, `min` and `max`.

    `std` divides by S - 1 and is None for one value. Where a value is None (nothing to
    score), all four are.

    >>> spread([0.7, 0.8])["mean"], spread([0.7])["std"]
    (0.75, None)
    """
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return dict.fromkeys(STATISTICS)
    return {
        "mean": float(np.mean(known)),
        "std": float(np.std(known, ddof=1)) if len(known) > 1 else None,
        "min": float(min(known)),
        "max": float(max(known)),
    }


def finite_or_none(values: np.ndarray) -> list[float | None]:
    """Lists numbers as JSON takes them.

    >>> finite_or_none(np.array([0.5, np.nan]))
    [0.5, None]
    """
    return [float(value) if np.isfinite(value) else None for value in values]


def over_seeds(per_seed: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Describes over seeds what `score` returned for each, as `score_all` does."""
    spreads = {name: spread([one[name] for one in per_seed]) for name in AVERAGES}
    return {"per_seed": [*per_seed]} | {
        statistic: {name: spreads[name][statistic] for name in AVERAGES}
        for statistic in STATISTICS
    }


def _areas(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Computes ROC-AUC and average precision of every column, both float64 `[K]`.

    Every column must hold a positive and a negative. Clips of equal score form one
    group that no threshold can split:

    * ROC-AUC is the Mann-Whitney statistic U / (P * (N - P)), from the sum of the
      positives' ranks, each group at its average rank (Hanley and McNeil 1982,
      doi:10.1148/radiology.143.1.7063747).
    * Average precision is the mean over positives of the precision at the threshold
      that lets their whole group in: sum_n (R_n - R_{n-1}) P_n, not interpolated.
    """
    order = np.argsort(-scores, axis=0, kind="stable")
    hits = np.take_along_axis(labels, order, axis=0)
    first, last = _tie_groups(np.take_along_axis(scores, order, axis=0))
    num_positives = hits.sum(axis=0)
    num_negatives = len(hits) - num_positives

    # Ranks from the top are half-integers and their sum stays far below 2^53, so it
    # is exact in float64 even for a micro average over a million clips.
    rank_sum = ((first + last) / 2 + 1).sum(axis=0, where=hits)
    misplaced = rank_sum - num_positives * (num_positives + 1) / 2
    roc = 1 - misplaced / (num_positives * num_negatives)

    hits_so_far = np.take_along_axis(np.cumsum(hits, axis=0), last, axis=0)
    precision = hits_so_far / (last + 1)
    return roc, precision.sum(axis=0, where=hits) / num_positives


def _tie_groups(ordered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Finds the first and last row of each entry's group of equals, int64 `[N, K]`.

    >>> first, last = _tie_groups(np.array([[9], [5], [5], [1]]))
    >>> first[:, 0].tolist(), last[:, 0].tolist()
    ([0, 1, 1, 3], [0, 2, 2, 3])
    """
    rows = np.arange(len(ordered))[:, None]
    edge = np.ones((1, ordered.shape[1]), bool)
    changes = ordered[1:] != ordered[:-1]
    starts, ends = np.vstack([edge, changes]), np.vstack([changes, edge])
    first = np.maximum.accumulate(np.where(starts, rows, 0), axis=0)
    backwards = np.where(ends, rows, len(ordered))[::-1]
    return first, np.minimum.accumulate(backwards, axis=0)[::-1]


def _checked(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns labels as bool and scores as floats, or raises what is wrong."""
    labels, scores = np.asarray(labels), np.asarray(scores)
    if labels.ndim != 2 or labels.shape != scores.shape:
        raise ValueError(
            f"labels has shape {labels.shape} and scores {scores.shape}; both must be "
            "[N, K]: the same clips and the same tags."
        )
    if not labels.size:
        raise ValueError(f"there is nothing to score: labels has shape {labels.shape}.")
    if not np.isin(labels, (0, 1)).all():
        odd = np.unique(labels[~np.isin(labels, (0, 1))])[:3].tolist()
        raise ValueError(f"labels must be 0 or 1, but hold {odd}.")
    if not np.isfinite(scores).all():
        num_bad = int((~np.isfinite(scores)).sum())
        raise ValueError(
            f"{num_bad} of {scores.size} scores are NaN or infinite. Scores must be "
            "finite: look for a network that diverged (lower the learning rate)."
        )
    # Unsigned scores would wrap around when the ranking negates them.
    floating = np.issubdtype(scores.dtype, np.floating)
    return labels.astype(bool), scores if floating else scores.astype(np.float64)
