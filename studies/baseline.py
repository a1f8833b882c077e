"""A linear tagger to measure the network against.

One-versus-rest logistic regression on the mean and the deviation over time of every
frequency band. It hears which bands are loud and how much they move, nothing about
what follows what. A network that does not beat it has not learnt to listen yet.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from msd_tagger.common import metrics
from msd_tagger.common.excerpts import Batch, excerpts_of

NAME = "logistic regression on the mean and deviation of every band"

# Inverse strengths of the L2 penalty, strongest penalty first, up to scikit-learn's
# default. A hundred validation clips cannot tell neighbours apart: finer steps, or a
# weaker penalty that gains 0.003 there, would only add noise to the choice.
C_GRID = (1e-3, 1e-2, 1e-1, 1.0)

FLOOR_DB = -80.0


def band_features(
    spectrogram: np.ndarray, mask: np.ndarray | None = None
) -> np.ndarray:
    """Computes mean and deviation over time of every band, in dB below the maximum.

    As in the network's preprocessing, a clip's loudest point is its 0 dB and nothing
    lies below -80 dB. Clips where the mask `[B]` is False (padding) are dropped. It is
    float32 `[B', 2 * M]` for the B' clips kept: M means, then M deviations.

    Raises:
        ValueError: The spectrogram is not `[B, M, F]`, or the mask does not fit it.

    >>> band_features(np.array([[[-10.0, -30.0], [-200.0, -200.0]]])).tolist()
    [[-10.0, -80.0, 10.0, 0.0]]
    """
    if spectrogram.ndim != 3 or (mask is not None and len(mask) != len(spectrogram)):
        raise ValueError(
            f"spectrogram has shape {spectrogram.shape} and mask "
            f"{None if mask is None else np.shape(mask)}; they must be [B, M, F] "
            "(clips, bands, frames) and [B]."
        )
    kept = spectrogram if mask is None else spectrogram[np.asarray(mask, bool)]
    decibels = kept.astype(np.float32)
    decibels -= decibels.max(axis=(1, 2), keepdims=True, initial=-np.inf)
    np.maximum(decibels, FLOOR_DB, out=decibels)
    return np.hstack([decibels.mean(axis=2), decibels.std(axis=2)])


def split_features(batches: Iterable[Batch]) -> np.ndarray:
    """Computes `band_features` of all evaluation batches, without their padding.

    Of a clip with several excerpts, their mean.
    """
    found = []
    for batch in batches:
        parts = excerpts_of(batch)
        of_parts = [band_features(one["spectrogram"], one["mask"]) for one in parts]
        found.append(np.mean(of_parts, axis=0) if len(parts) > 1 else of_parts[0])
    return np.concatenate(found)


def evaluate_baseline(
    features: Mapping[str, np.ndarray],
    labels: Mapping[str, Mapping[str, Any]],
    c_grid: Sequence[float] = C_GRID,
) -> tuple[dict[str, Any], np.ndarray]:
    """Fits the baseline on the weak labels and scores it as the network is scored.

    C is the one of the best macro ROC-AUC on the validation split's weak labels; the
    test split and the true labels select nothing. From each of the three splits,
    features are float `[N, 2 * M]`, and labels have `tags` 0/1 `[N, K]`, and
    `true_tags` or None.

    Returns:
        What can be written as JSON: `name`, `C`, `valid_roc_auc_macro` (from each C, as
        text, to its value), `scores` (`valid` and `test`, each as `metrics.score_all`
        gives it for one seed) and `seconds`. And the scores of the test clips, float64
        `[N, K]`.

    Raises:
        ValueError: A split's features and labels differ in their number of clips.
    """
    for split in ("train", "valid", "test"):
        num_rows, num_clips = len(features[split]), len(labels[split]["tags"])
        if num_rows != num_clips:
            raise ValueError(
                f"the {split} split has {num_rows} rows of features but labels of "
                f"{num_clips} clips. Compute both from the same shards."
            )
    start_s = time.perf_counter()
    fits = {c: fit_and_score(features, labels["train"]["tags"], c) for c in c_grid}
    tags = labels["valid"]["tags"]
    valid = {
        c: metrics.score(tags, of["valid"])["roc_auc_macro"] for c, of in fits.items()
    }
    # Without one tag to score on validation, the strongest penalty is the choice.
    best = max(c_grid, key=lambda c: -1.0 if valid[c] is None else valid[c])
    scores = {
        split: metrics.score_all(
            labels[split]["tags"], scores[None], labels[split].get("true_tags")
        )
        for split, scores in fits[best].items()
    }
    seconds = round(time.perf_counter() - start_s, 3)
    by_c = {f"{c:g}": value for c, value in valid.items()}
    found = {"name": NAME, "C": best, "valid_roc_auc_macro": by_c}
    return found | {"scores": scores, "seconds": seconds}, fits[best]["test"]


def fit_and_score(
    features: Mapping[str, np.ndarray], train_labels: np.ndarray, c: float
) -> dict[str, np.ndarray]:
    """Fits a regression for each tag and scores `valid` and `test` with it `[N, K]`.

    A tag that no or every training clip carries cannot be fitted; each clip gets its
    training share, 0 or 1, which ranks nothing and costs nothing. Features are
    standardised by the training clips' mean and deviation; `c` is the inverse strength
    of the L2 penalty.
    """
    scaler = StandardScaler().fit(features["train"])
    inputs = {
        split: scaler.transform(features[split].astype(np.float64))
        for split in ("train", "valid", "test")
    }
    train = inputs.pop("train")
    scores = {
        split: np.zeros((len(x), train_labels.shape[1])) for split, x in inputs.items()
    }
    for k, tag in enumerate(np.asarray(train_labels).T):
        constant = tag.min() == tag.max()
        if not constant:
            # Neighbouring bands are nearly collinear, where lbfgs takes hundreds of
            # steps; Newton's method takes about six, each one [2M, 2M] system.
            model = LogisticRegression(C=c, solver="newton-cholesky", max_iter=100)
            model.fit(train, tag)
        for split, x in inputs.items():
            scores[split][:, k] = tag[0] if constant else model.predict_proba(x)[:, 1]
    return scores
