"""How far a macro ROC-AUC is from what other test clips would give.

The AUC of a tag is a mean over its positives of the share of negatives that score
lower, and a mean over its negatives of the share of positives that score higher. These
shares are the clips' placements. Their variance says how far the AUC would move with
other clips (DeLong et al. 1988, https://doi.org/10.2307/2531595; ties count by half).
Placements are linear in the runs: the placements of a difference are the difference of
placements, so its error follows from the same formula, paired clip by clip.
"""

import numpy as np
import pandas as pd
from scipy import stats

# Where fewer clips have a tag, how far it moves has to be guessed from other tags.
FEWEST = 2


def placements(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Places every clip among those of the other label, averaged over seeds.

    Labels are 0 or 1 `[N, K]`, scores `[S, N, K]`. It is float64 `[N, K]`, NaN for a
    tag without a positive or without a negative.
    """
    positive = labels.astype(bool)
    counts = np.array([positive.sum(0), (~positive).sum(0)])
    above = np.zeros(labels.shape)  # How many of the other label: of all seeds.
    for one in scores:
        ranks = stats.rankdata(one, axis=0)
        # Positives above all negatives, in the same order among themselves.
        apart = stats.rankdata(ranks + len(labels) * positive, axis=0)
        above += ranks - apart + counts[1] * positive
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = above / len(scores) / np.where(positive, counts[1], counts[0])
    found = np.where(positive, shares, 1 - shares)
    return np.where(counts.all(0), found, np.nan)


def auc_intervals(
    auc: np.ndarray, positives: np.ndarray, negatives: np.ndarray
) -> np.ndarray:
    """Computes the 95 % intervals of single tags' AUCs over test clips `[K, 2]`.

    They hold the AUCs that are not too far from the one found, by the deviation that
    each of them would have (Newcombe 2006, https://doi.org/10.1002/sim.2324, method 5).
    So they are right with few positives and near 1 too, where the deviation that the
    placements show is far too small, or 0. NaN where there is no AUC.
    """
    auc, positives, negatives = (
        np.asarray(one, float)[:, None] for one in (auc, positives, negatives)
    )
    grid, extra = np.linspace(0, 1, 2001), (positives + negatives) / 2 - 1
    spread = 1 + extra * ((1 - grid) / (2 - grid) + grid / (1 + grid))
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = grid * (1 - grid) / (positives * negatives) * spread
    near = np.square(auc - grid) <= stats.norm.ppf(0.975) ** 2 * variance + 1e-12
    ends = [grid[near.argmax(axis=1)], grid[::-1][near[:, ::-1].argmax(axis=1)]]
    return np.where(np.isfinite(auc), np.transpose(ends), np.nan)


def standard_error(labels: np.ndarray, placed: np.ndarray) -> float:
    """Computes the standard error of a mean over tags, from placements.

    Labels are 0 or 1 `[N, K]`; placements, `[N, K]`, those of a run or of a difference.
    Clips are taken as drawn at random, with all their tags. Dividing by one clip less
    than there are corrects for few positives, where a bootstrap is too narrow. A tag
    of a single clip is taken to move as the others do. NaN where that is unknown.
    """
    known = np.isfinite(placed).all(0)
    if not known.any():
        return float("nan")
    positive, placed = labels[:, known].astype(bool), placed[:, known]
    moved = np.zeros(len(placed))
    variances = np.full((2, placed.shape[1]), np.nan)
    counts = np.array([positive.sum(0), (~positive).sum(0)])
    for side, chosen in enumerate((positive, ~positive)):
        count = counts[side]
        mean = np.where(chosen, placed, 0).sum(0) / count
        rest = np.where(chosen, placed - mean, 0)
        enough = count >= FEWEST
        variances[side, enough] = np.square(rest).sum(0)[enough] / (count - 1)[enough]
        scale = np.sqrt(count[enough] / (count[enough] - 1)) / count[enough]
        moved += (rest[:, enough] * scale).sum(1)
    of_others = pd.DataFrame(variances).mean(axis=1).to_numpy()  # Of known ones.
    guessed = np.where(counts < FEWEST, of_others[:, None], 0).sum()
    return float(np.sqrt(np.square(moved).sum() + guessed) / placed.shape[1])
