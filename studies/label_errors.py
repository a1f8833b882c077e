"""How far the labels of a corpus can be trusted (section III-B): Table I and Eq. 2.

Somebody who knows (listeners, or a corpus that knows its truth) judged some clips that
carry a label and some that do not. Arrays hold one value for each of L labels.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
from scipy import stats

from msd_tagger.common import paper
from studies.statistics import tail

CONFIDENCE = 0.95
# Lowest and highest percentile of a bootstrap interval.


@dataclasses.dataclass(frozen=True)
class Checked:
    """Counts of judged clips, int `[L]` each."""

    positives: np.ndarray  # Judged clips that carry the label.
    wrong_positives: np.ndarray  # Of these, where it does not hold.
    negatives: np.ndarray  # Judged clips that do not carry the label.
    wrong_negatives: np.ndarray  # Of these, where it holds.

    @property
    def error_positive(self) -> np.ndarray:
        """Error rate p+ of positive labels `[L]`; NaN without any."""
        return _ratio(self.wrong_positives, self.positives)

    @property
    def error_negative(self) -> np.ndarray:
        """Error rate p- of negative labels `[L]`; NaN without any."""
        return _ratio(self.wrong_negatives, self.negatives)


@dataclasses.dataclass(frozen=True)
class Estimates:
    """What the error rates say, float64 `[..., L]` each."""

    error_positive: np.ndarray  # p+.
    error_negative: np.ndarray  # p-.
    # Share of the clips with a label for which it holds.
    precision: np.ndarray
    # Share of the clips for which a label holds that carry it, if half of all clips
    # carried it, as in Table I.
    recall: np.ndarray
    occurrences: np.ndarray  # Clips for which it holds, by Eq. 2.
    tagability: np.ndarray  # Share of these that carry it: recall at the real balance.


@dataclasses.dataclass(frozen=True)
class Findings:
    """Table I of L labels, from counts of judged clips, and how sure it is."""

    labels: Sequence[str]
    checked: Checked  # Counts of Subset100.
    occurrences: np.ndarray  # N+, clips that carry the label, int [L].
    total: int  # T, clips of the corpus.
    hits: np.ndarray  # Clips of Subset400 for which the label holds, int [L].
    judged: np.ndarray  # Clips of Subset400 that were judged on it, int [L].
    num_samples: int = 2000  # R, of the bootstrap.
    seed: int = 0  # Of the bootstrap, which is always the same for one seed.

    @functools.cached_property
    def estimates(self) -> Estimates:
        """What follows from `checked` `[L]`."""
        rates = (self.checked.error_positive, self.checked.error_negative)
        return estimate(*rates, self.occurrences, self.total)

    @property
    def share(self) -> np.ndarray:
        """Share of Subset400 for which the label holds `[L]`; NaN where not judged."""
        return _ratio(self.hits, self.judged)

    @functools.cached_property
    def resampled(self) -> tuple[Estimates, np.ndarray]:
        """Both of many bootstrap samples `[R, L]`; of `share` each label on its own."""
        rng = np.random.default_rng(self.seed)
        counts = (self.checked, self.occurrences, self.total)
        samples = bootstrap(*counts, self.num_samples, rng)
        return samples, _resample(rng, self.hits, self.judged, self.num_samples)

    @property
    def samples(self) -> Estimates:
        """The estimates of the bootstrap samples `[R, L]`."""
        return self.resampled[0]

    @functools.cached_property
    def intervals(self) -> dict[str, np.ndarray]:
        """From the name of a share to its 95 % intervals `[L, 2]`.

        Those of counted clips are Wilson's, those of what follows from them the
        bootstrap's.
        """
        checked, samples = self.checked, self.samples
        positive = wilson(checked.wrong_positives, checked.positives)
        return {
            "error_positive": positive,
            "error_negative": wilson(checked.wrong_negatives, checked.negatives),
            "precision": 1 - positive[:, ::-1],
            "recall": interval(samples.recall),
            "tagability": interval(samples.tagability),
            "eq2": interval(samples.occurrences) / self.total,
            "subset400": wilson(self.hits, self.judged),
        }


def find_paper() -> Findings:
    """Derives the paper's findings from Table I's columns a, b, e and g."""
    rows = list(paper.TABLE_1.values())
    side = paper.SUBSET_100 // 2
    positive, negative = (
        np.array([round(side * getattr(row, name)) for row in rows])
        for name in ("error_positive", "error_negative")
    )
    sides = np.full(len(rows), side)
    return Findings(
        tuple(paper.TABLE_1),
        Checked(sides, positive, sides, negative),
        np.array([row.occurrences for row in rows]),
        paper.CLIPS_TOTAL,
        np.array([row.subset400 for row in rows]),
        np.full(len(rows), paper.SUBSET_400),
    )


def count_errors(tagged: np.ndarray, truth: np.ndarray) -> Checked:
    """Counts the clips that carry a label and should not, and the other way round.

    `tagged` says whether the corpus gives the label `[N, L]`, `truth` is 1 where it
    holds, 0 where not, and NaN where nobody judged.
    """
    tagged, holds, not_so = np.asarray(tagged) > 0, truth == 1, truth == 0
    return Checked(
        positives=(tagged & (holds | not_so)).sum(axis=0),
        wrong_positives=(tagged & not_so).sum(axis=0),
        negatives=(~tagged & (holds | not_so)).sum(axis=0),
        wrong_negatives=(~tagged & holds).sum(axis=0),
    )


def estimate(
    error_positive: np.ndarray,
    error_negative: np.ndarray,
    occurrences: np.ndarray,
    total: int,
) -> Estimates:
    """Derives the columns of Table I from the error rates.

    With TP = 1 - p+ and FN = p- the precision is TP and the recall TP / (TP + FN), both
    for as many clips with the label as without. Eq. 2 estimates how many clips it
    holds for:

        N = N+ (1 - p+) + (T - N+) p-

    and by Bayes' rule N+ (1 - p+) / N of them carry it. `error_positive` is p+,
    `error_negative` p- `[..., L]`, `occurrences` N+ `[L]` and `total` T. An estimate is
    NaN where a rate is, or where there is nothing to divide by.
    """
    found = 1 - error_positive
    kept = occurrences * found
    estimated = kept + (total - occurrences) * error_negative
    return Estimates(
        error_positive=error_positive,
        error_negative=error_negative,
        precision=found,
        recall=_ratio(found, found + error_negative),
        occurrences=estimated,
        tagability=_ratio(kept, estimated),
    )


def bootstrap(
    checked: Checked,
    occurrences: np.ndarray,
    total: int,
    num_samples: int,
    rng: np.random.Generator,
) -> Estimates:
    """Repeats the estimate on clips drawn with replacement from the judged ones.

    Drawing n clips of which k are wrong gives a binomial number of wrong ones, so that
    number is drawn. Labels are drawn independently, as their samples are. The estimates
    are `[R, L]`, R being `num_samples`.
    """
    positive = _resample(rng, checked.wrong_positives, checked.positives, num_samples)
    negative = _resample(rng, checked.wrong_negatives, checked.negatives, num_samples)
    return estimate(positive, negative, occurrences, total)


def wilson(hits: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Computes Wilson's 95 % interval of shares `[L, 2]`; NaN without any clip.

    See doi:10.1080/01621459.1927.10502953.

    >>> wilson(np.array([12]), np.array([50])).round(4).tolist()
    [[0.143, 0.3741]]
    """
    intervals = [
        stats.binomtest(int(k), int(n)).proportion_ci(CONFIDENCE, method="wilson")
        if n
        else (np.nan, np.nan)
        for k, n in zip(hits, number, strict=True)
    ]
    return np.array([tuple(one) for one in intervals]).reshape(-1, 2)


def interval(samples: np.ndarray, claims: int = 1) -> np.ndarray:
    """Takes the bootstrap's 95 % interval of samples `[R, ...]`: float64 `[..., 2]`.

    It is corrected for so many claims.
    """
    ends = [100 - 100 * tail(claims), 100 * tail(claims)]
    return np.moveaxis(np.percentile(samples, ends, axis=0), 0, -1)


def _resample(
    rng: np.random.Generator, hits: np.ndarray, number: np.ndarray, num_samples: int
) -> np.ndarray:
    """Draws shares `[R, L]` of hits among as many clips; NaN without any."""
    share = np.nan_to_num(_ratio(hits, number))
    drawn = rng.binomial(number, share, (num_samples, len(number)))
    return _ratio(drawn, np.broadcast_to(number, drawn.shape))


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Divides; NaN where the whole is 0."""
    part, whole = np.asarray(part, float), np.asarray(whole, float)
    found = np.full(np.broadcast_shapes(part.shape, whole.shape), np.nan)
    return np.divide(part, whole, out=found, where=whole != 0)
