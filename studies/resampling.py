"""ROC-AUC on weighted test clips, for bootstraps and subsets of many sizes at once.

A resample of N clips is a column of weights: how often it holds each clip. The AUC of
a tag is the weighted share of (positive, negative) pairs in the right order, ties by
half, so a ranking is sorted once and every resample costs two weighted sums. R is the
number of resamples; labels are 0 or 1 `[N, K]`, weights `[N, R]`.
"""

import numpy as np
from scipy import sparse


def bootstrap_weights(num_clips: int, num_resamples: int, seed: int = 0) -> np.ndarray:
    """Draws how often each clip is in each resample, with replacement: `[N, R]`.

    Equal seeds give equal resamples, which pairs them.
    """
    rng = np.random.default_rng(seed)
    share = np.full(num_clips, 1 / num_clips)
    counts = rng.multinomial(num_clips, share, size=num_resamples)
    return np.ascontiguousarray(counts.T, np.float64)


def subset_weights(
    num_clips: int, size: int, num_subsets: int, seed: int = 0
) -> np.ndarray:
    """Draws which clips are in each subset, without replacement: 0 or 1 `[N, R]`."""
    rng = np.random.default_rng(seed)
    weights = np.zeros((num_clips, num_subsets))
    for column in weights.T:
        column[rng.choice(num_clips, size, replace=False)] = 1
    return weights


def auc_per_seed(
    labels: np.ndarray, scores: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Computes the ROC-AUC of every tag on every resample, float64 `[S, R, K]`.

    Scores are `[S, N, K]`. It is NaN where a resample holds no clip with the tag or
    none without.
    """
    columns = zip(np.asarray(labels).T.astype(bool), scores.T, strict=True)
    found = [_auc(label, score.T, weights) for label, score in columns]
    return np.stack(found, axis=2)


def macro_auc(
    labels: np.ndarray, scores: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Averages ROC-AUC over tags and seeds, on every resample.

    Scores are `[S, N, K]`. Tags that a resample cannot score are left out of its mean,
    float64 `[R]`, which is NaN where no tag can be scored.
    """
    per_seed = auc_per_seed(labels, np.asarray(scores), weights)
    values = np.ma.masked_invalid(per_seed.mean(axis=0))
    return values.mean(axis=1).filled(np.nan)


def interval(values: np.ndarray) -> tuple[float, float]:
    """Finds the middle 95 % of resampled values `[R]`; NaN where one is not known."""
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def _auc(positive: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Computes one tag's ROC-AUC of scores [S, N] on every resample, [S, R]."""
    of_positives, of_negatives = weights[positive], weights[~positive]
    pairs = of_positives.sum(0) * of_negatives.sum(0)
    right = np.zeros((len(scores), weights.shape[1]))
    for seed, of_one in enumerate(scores):
        order = np.argsort(of_one[positive], kind="stable")
        steps = _steps(of_one[positive][order], of_one[~positive])
        # Weight of the negatives below each positive, the lowest positive first.
        below = np.cumsum(steps @ of_negatives, axis=0)
        right[seed] = np.einsum("pr,pr->r", of_positives[order], below)
    with np.errstate(invalid="ignore"):
        return right / pairs


def _steps(positives: np.ndarray, negatives: np.ndarray) -> sparse.csr_matrix:
    """Finds where negatives fall among sorted positives, [P, number of negatives].

    A negative is 1 at the first positive above it. One that is equal to some positives
    is 1/2 at the first of them and 1/2 at the first one above them, so that after a
    cumulative sum it counts by half for those it is equal to.
    """
    first = np.searchsorted(positives, negatives, side="left")
    above = np.searchsorted(positives, negatives, side="right")
    place = np.concatenate([first, above])
    column = np.tile(np.arange(len(negatives)), 2)
    kept = place < len(positives)
    shape = (len(positives), len(negatives))
    entries = (np.full(kept.sum(), 0.5), (place[kept], column[kept]))
    return sparse.csr_matrix(entries, shape=shape)
