"""What section III-B says of its ground truth, and whether it holds here.

Verdicts rest on the bootstrap of Subset100 and Subset400: a statement holds if its 95 %
interval says so, and does not if the interval says the opposite.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from msd_tagger.pages.tables import number
from studies.groundtruth import Findings, interval
from studies.study import FAILS, HOLDS, UNDECIDED, Claim

PECULIAR = ("female vocalists", "instrumental")
USUAL = ("male vocalists", "guitar")
SINGERS = ("male vocalists", "female vocalists")
# With 20 tags a rank correlation above 0.44 would show.
MIN_TAGS_TO_CORRELATE = 20
NOT_JUDGED = "not enough clips were judged"


def claims(
    here: Findings,
    printed: Findings,
    true_share: np.ndarray | None = None,
    counts: tuple[np.ndarray, np.ndarray] | None = None,
) -> list[Claim]:
    """Judges every statement that the labels allow to.

    Args:
        here: our findings.
        printed: the paper's.
        true_share: share of all clips for which each label holds [L], where known.
        counts: how many clips carry each tag, and for how many it holds [K], where
            known.

    Returns:
        The claims.
    """
    found = [
        _errors(here, printed),
        _precision(here, printed),
        _underrepresented(here, printed),
        _nearer(here, printed, true_share),
        _tagability_differs(here, printed),
    ]
    if {*PECULIAR, *USUAL} <= {*here.labels}:
        found.append(_peculiar(here, printed))
    if {*SINGERS} <= {*here.labels}:
        found.append(_singers(here, printed))
    return [*found, _uncorrelated(here, printed, counts)]


def decide(samples: np.ndarray) -> str:
    """Whether a quantity is positive, by its bootstrap samples [R].

    >>> decide(np.linspace(1, 2)), decide(np.linspace(-2, -1))
    ('holds', 'does not hold')
    >>> decide(np.linspace(-1, 1)), decide(np.array([1, np.nan]))
    ('cannot be said with this data', 'cannot be said with this data')
    """
    low, high = interval(samples)
    return HOLDS if low > 0 else FAILS if high < 0 else UNDECIDED


def _errors(here: Findings, printed: Findings) -> Claim:
    """Negative labels err more often than positive ones."""
    differences = here.samples.error_negative - here.samples.error_positive
    return Claim(
        "Negative labels are wrong far more often than positive ones (mean error "
        "rates, positive and negative)",
        "III-B1",
        *_means(printed, here, "error_positive", "error_negative"),
        *_by_interval(differences.mean(axis=1), "negative minus positive"),
    )


def _precision(here: Findings, printed: Findings) -> Claim:
    """Precision is high, recall much lower."""
    differences = here.samples.precision - here.samples.recall
    return Claim(
        "The ground truth's precision is high and its recall much lower (means at "
        "50/50 balance)",
        "III-B1, Table I (c), (d)",
        *_means(printed, here, "precision", "recall"),
        *_by_interval(differences.mean(axis=1), "precision minus recall"),
    )


def _underrepresented(here: Findings, printed: Findings) -> Claim:
    """The corpus's counts are too low."""

    def factors(one: Findings) -> str:
        with np.errstate(divide="ignore", invalid="ignore"):
            values = one.estimates.occurrences / one.occurrences
        return _listed(one.labels, [f"× {number(value, 1)}" for value in values])

    return Claim(
        "Labels hold for more clips than carry them (Eq. 2 over the count)",
        "III-B1, Table I (e), (f)",
        factors(printed),
        factors(here),
        *_for_every_label(here, here.samples.occurrences - here.occurrences),
    )


def _nearer(here: Findings, printed: Findings, true_share: np.ndarray | None) -> Claim:
    """Eq. 2 is nearer to the truth than the corpus's counts."""

    def distances(one: Findings, target: np.ndarray) -> str:
        pair = (one.estimates.occurrences, one.occurrences)
        means = [np.mean(np.abs(counts / one.total - target)) for counts in pair]
        return " and ".join(f"{number(100 * mean, 1)} points" for mean in means)

    known = true_share is not None
    target = true_share if known else here.share_samples
    raw = np.abs(here.occurrences / here.total - target)
    estimated = np.abs(here.samples.occurrences / here.total - target)
    against = "the truth of all clips" if known else "Subset400"
    verdict, why = _by_interval((raw - estimated).mean(axis=1), "counts minus Eq. 2")
    each = _for_every_label(here, raw - estimated)[1]
    return Claim(
        "Eq. 2 comes nearer to the truth than the ground truth's counts (mean "
        "distances)",
        "III-B1, Table I (e) to (g)",
        f"{distances(printed, printed.share)} from Subset400",
        f"{distances(here, true_share if known else here.share)} from {against}",
        verdict,
        why if why == each else f"{why}; {each}",
    )


def _tagability_differs(here: Findings, printed: Findings) -> Claim:
    """Some labels are more taggable than others: Cochran's test of homogeneity."""
    recall, deviation = here.estimates.recall, here.samples.recall.std(axis=0)
    usable = deviation > 0  # Not where nobody judged: NaN.
    verdict, why = UNDECIDED, NOT_JUDGED
    if np.isfinite(recall).sum() > 1:
        why = "a recall without any error found has no spread to set others against"
    if np.count_nonzero(usable) > 1:
        weights = deviation[usable] ** -2
        mean = np.average(recall[usable], weights=weights)
        statistic = float(weights @ (recall[usable] - mean) ** 2)
        p_value = stats.chi2.sf(statistic, len(weights) - 1)
        verdict = HOLDS if p_value < 0.05 else UNDECIDED
        why = f"homogeneity: Q = {statistic:.1f}, p = {p_value:.2g}"
    return Claim(
        "Tagability, measured by that recall, differs between labels",
        "III-B1, Table I (d)",
        *(
            _listed(one.labels, _percents(one.estimates.recall))
            for one in (printed, here)
        ),
        verdict,
        why,
    )


def _peculiar(here: Findings, printed: Findings) -> Claim:
    """Female vocalists and instrumental are the more taggable ones."""

    def ends(one: Findings, recall: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        peculiar, usual = (
            recall[..., [one.labels.index(label) for label in labels]]
            for labels in (PECULIAR, USUAL)
        )
        return peculiar.min(axis=-1), usual.max(axis=-1)

    return Claim(
        "Female vocalists and instrumental are more taggable than male vocalists and "
        "guitar (lower recall of the former, higher of the latter)",
        "III-B1",
        *(
            " and ".join(_percents(ends(one, one.estimates.recall)))
            for one in (printed, here)
        ),
        *_by_interval(np.subtract(*ends(here, here.samples.recall)), "difference"),
    )


def _singers(here: Findings, printed: Findings) -> Claim:
    """Male vocalists are more frequent in music and less frequent as a tag."""

    def numbers(one: Findings) -> str:
        columns = [one.labels.index(label) for label in SINGERS]
        shares = _percents(one.estimates.occurrences[columns] / one.total)
        tags = [f"{count:,}" for count in one.occurrences[columns]]
        return f"{' and '.join(shares)} by Eq. 2, {' and '.join(tags)} tags"

    male, female = (here.labels.index(label) for label in SINGERS)
    estimated = here.samples.occurrences / here.total
    difference = estimated[:, male] - estimated[:, female]
    verdict, why = _by_interval(difference, "male minus female")
    if here.occurrences[male] >= here.occurrences[female]:
        verdict, why = FAILS, "male vocalists is not the rarer tag"
    return Claim(
        "Male vocalists occur more often than female ones, and are tagged less often",
        "III-B1",
        numbers(printed),
        numbers(here),
        verdict,
        why,
    )


def _uncorrelated(
    here: Findings,
    printed: Findings,
    counts: tuple[np.ndarray, np.ndarray] | None,
) -> Claim:
    """True counts have nothing to do with tag counts."""
    pair = counts or (here.occurrences, here.estimates.occurrences)
    num_tags = len(pair[0])
    varies = num_tags > 2 and all(np.ptp(one) > 0 for one in pair)
    rho, p_value = stats.spearmanr(*pair) if varies else (np.nan, np.nan)
    verdict, why = UNDECIDED, f"{num_tags} tags are too few to tell"
    if p_value < 0.05 and num_tags >= MIN_TAGS_TO_CORRELATE:
        verdict, why = FAILS, f"p = {p_value:.2g}"
    elif varies and num_tags >= MIN_TAGS_TO_CORRELATE:
        verdict, why = HOLDS, f"no correlation shows: p = {p_value:.2g}"
    of_paper = stats.spearmanr(printed.occurrences, printed.estimates.occurrences)
    source = "the truth of all clips" if counts else "Eq. 2"
    return Claim(
        "The correct count of a label is not correlated with its count in the ground "
        "truth (rank correlation)",
        "III-B1",
        f"{of_paper.statistic:.2f}: {len(printed.labels)} labels, by Eq. 2",
        f"{number(rho, 2)}: {num_tags} tags, by {source}",
        verdict,
        why,
    )


def _by_interval(samples: np.ndarray, what: str) -> tuple[str, str]:
    """Verdict and reason on a share that is to be positive: samples [R]."""
    low, high = 100 * interval(samples)
    if not np.isfinite(low + high):
        return UNDECIDED, NOT_JUDGED
    return decide(samples), f"{what}: {low:.1f} to {high:.1f} points (95 %)"


def _for_every_label(here: Findings, samples: np.ndarray) -> tuple[str, str]:
    """Verdict and reason on what is to be positive for each label: samples [R, L]."""
    if not np.isfinite(samples).all():
        return UNDECIDED, NOT_JUDGED
    verdicts = [decide(column) for column in samples.T]
    verdict = next(one for one in (FAILS, UNDECIDED, HOLDS) if one in verdicts)
    return (
        verdict,
        f"beyond chance for {verdicts.count(HOLDS)} of {len(verdicts)} labels",
    )


def _means(printed: Findings, here: Findings, *names: str) -> tuple[str, str]:
    """Means over labels of some estimates: the paper's and ours."""
    return tuple(
        " and ".join(
            _percents([np.mean(getattr(one.estimates, name)) for name in names])
        )
        for one in (printed, here)
    )


def _listed(labels: Sequence[str], values: Sequence[str]) -> str:
    """Prints a value after each label."""
    pairs = zip(labels, values, strict=True)
    return ", ".join(f"{label} {value}" for label, value in pairs)


def _percents(shares: Sequence[float]) -> list[str]:
    """Prints shares in per cent."""
    return [f"{number(100 * share, 1)} %" for share in shares]
