"""What section V-A says of label vectors, against those that are here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from msd_tagger.common import paper
from msd_tagger.pages.tables import ABSENT, number, percent, with_spread
from studies import co_occurrence, statistics
from studies import label_vectors as vectors
from studies.co_occurrence import Pair
from studies.study import FAILS, HOLDS, UNDECIDED, Claim
from studies.vector_comparison import Comparison

# Thresholds of our own: the paper gives none.
SIGNIFICANT = 0.01
HARDLY_ANY = 0.05  # Of the selected pairs; V-A's four of 253 are 0.016.
FEW_PAIRS = 0.25  # Of the top pairs; chance alone must not make so many common.
TOP = len(paper.TOP_SIMILAR)


def claims(data: Comparison) -> list[Claim]:
    """What can be said of each statement."""
    return [
        _correlation(data),
        _overlap(data),
        _higher_on_average(data),
        _hardly_negative(data),
        _papers_negative_pairs(data),
        _unexpected_pairs(data),
    ]


def known_pairs(
    tag_names: Sequence[str], pairs: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], Pair]:
    """The places of pairs of tags, of those that are there.

    >>> known_pairs(["sad", "happy"], [("happy", "sad"), ("sad", "rnb")])
    {('happy', 'sad'): (1, 0)}
    """
    place = {tag: k for k, tag in enumerate(tag_names)}
    return {
        (first, second): (place[first], place[second])
        for first, second in pairs
        if first in place and second in place
    }


def over_seeds(values: np.ndarray, digits: int = 3) -> str:
    """Mean of one number per seed, with its deviation where there are seeds."""
    spread = float(values.std(ddof=1)) if len(values) > 1 else None
    return with_spread(float(values.mean()), spread, digits)


def mean_co_occurrence(C: np.ndarray) -> float:
    """Mean C(i, j) over all tuples of different tags that have clips."""
    return float(np.nanmean(C[~np.eye(len(C), dtype=bool)]))


def _correlation(data: Comparison) -> Claim:
    """V-A: 0.580."""
    whole = vectors.rank_correlation(data.mean, data.C)
    each = np.array([vectors.rank_correlation(S, data.C) for S in data.S])
    if np.isnan(whole):
        verdict, why = UNDECIDED, "too few tags meet."
    else:
        high = vectors.mantel_p_value(data.mean, data.C)
        low = vectors.mantel_p_value(-data.mean, data.C)
        verdict = HOLDS if high < SIGNIFICANT else UNDECIDED
        if low < SIGNIFICANT:
            verdict = FAILS
        why = (
            f"{percent(high)} of random relabellings of the tags correlate as high, "
            f"{percent(low)} as low (Mantel's test); below {percent(SIGNIFICANT)} "
            "counts as more than chance."
        )
    return Claim(
        "Tags that meet often have similar label vectors.",
        "V-A",
        f"rank correlation {paper.RANK_CORRELATION:.3f}",
        f"{over_seeds(each, 3)}; of the mean similarity {number(whole, 3)}",
        verdict,
        why,
    )


def _overlap(data: Comparison) -> Claim:
    """V-A: 11 of 20."""
    tuples = co_occurrence.top_tuples(data.together, TOP)
    pairs_of_C = len({frozenset(pair) for pair in tuples})
    common = [len(vectors.overlap(vectors.top_pairs(S, TOP), tuples)) for S in data.S]
    ours = vectors.top_pairs(data.mean, TOP)
    of_mean = len(vectors.overlap(ours, tuples))
    K = len(data.tag_names)
    total = K * (K - 1) // 2
    chance = vectors.chance_of_overlap(total, len(ours), pairs_of_C, of_mean)
    if pairs_of_C > FEW_PAIRS * total:
        verdict = UNDECIDED
        why = f"{total} pairs are too few: {TOP} of them are not the top."
    else:
        verdict = HOLDS if chance < SIGNIFICANT else UNDECIDED
        why = f"two random choices share as many with a chance of {chance:.1g}."
    return Claim(
        f"The {TOP} most similar pairs are often among the {TOP} highest tuples.",
        "V-A, Table III",
        f"{paper.OVERLAP_TOP_20} of {TOP}",
        f"{over_seeds(np.array(common, float), 1)}; of the mean similarity {of_mean}",
        verdict,
        why,
    )


def _higher_on_average(data: Comparison) -> Claim:
    """V-A: mean S against mean C."""
    upper = data.S[:, vectors.pairs_of(len(data.tag_names))]
    means, of_C = np.nanmean(upper, axis=1), mean_co_occurrence(data.C)
    verdict, why = _sign(means - of_C)
    if data.kind != "cosine":
        verdict, why = UNDECIDED, "a dot product has no scale to compare with a share."
    return Claim(
        "On average, similarities are higher than co-occurrences.",
        "V-A",
        "S above C",
        f"mean S {over_seeds(means, 3)}; mean C {of_C:.3f}",
        verdict,
        why,
    )


def _hardly_negative(data: Comparison) -> Claim:
    """V-A: four negative pairs among the 23 tags."""
    chosen = data.selected
    total = len(chosen) * (len(chosen) - 1) // 2
    of_seeds = data.S[:, chosen][:, :, chosen]
    counts = [len(vectors.negative_pairs(S)) for S in of_seeds]
    of_mean = len(vectors.negative_pairs(data.mean[np.ix_(chosen, chosen)]))
    verdict = HOLDS if of_mean <= HARDLY_ANY * total else FAILS
    if len(chosen) < len(paper.SELECTED_TAGS):
        verdict = UNDECIDED
    return Claim(
        "Hardly any pair of the 23 tags has a negative similarity.",
        "V-A, Fig. 9",
        f"{len(paper.NEGATIVE_PAIRS)} of 253 pairs",
        f"{over_seeds(np.array(counts, float), 1)} of {total}; of the mean similarity "
        f"{of_mean}",
        verdict,
        f"{of_mean} of the {total} pairs of {len(chosen)} tags; hardly any means at "
        f"most {percent(HARDLY_ANY)}, which is our threshold.",
    )


def _papers_negative_pairs(data: Comparison) -> Claim:
    """V-A's four pairs by name."""
    pairs = known_pairs(data.tag_names, paper.NEGATIVE_PAIRS)
    verdicts, texts = [], []
    for (first, second), (i, j) in pairs.items():
        # Negative similarity is the claim.
        verdicts.append(_sign(-data.S[:, i, j])[0])
        texts.append(f"{first}, {second} {over_seeds(data.S[:, i, j], 2)}")
    number_of = len(paper.NEGATIVE_PAIRS)
    verdict = UNDECIDED
    if len(pairs) == number_of and len(set(verdicts)) == 1:
        verdict = verdicts[0]
    elif FAILS in verdicts:
        verdict = FAILS
    return Claim(
        "The label vectors of classic rock and female vocalists, and of Mellow and "
        "heavy metal, hard rock, dance, point apart.",
        "V-A",
        "negative",
        "; ".join(texts) or ABSENT,
        verdict,
        f"{len(pairs)} of the {number_of} pairs are here; "
        f"{verdicts.count(HOLDS)} are negative"
        + (" beyond the spread over seeds." if len(data.S) > 1 else "; one seed only."),
    )


def _unexpected_pairs(data: Comparison) -> Claim:
    """V-A: three pairs that are similar although they rarely meet."""
    pairs = known_pairs(data.tag_names, paper.UNEXPECTED_PAIRS)
    mean, either = data.mean, co_occurrence.either_way(data.C)
    chosen = vectors.pairs_of(len(mean))
    texts, fits = [], []
    for names, pair in pairs.items():
        place = (min(pair), max(pair))
        by_S, by_C = (co_occurrence.rank_of(m, place, chosen) for m in (mean, either))
        texts.append(f"{', '.join(names)} {by_S} and {by_C}")
        known = np.isfinite(mean[place]) and np.isfinite(either[place])
        fits.append(known and by_S <= TOP < by_C)
    printed = [
        f"{', '.join(names)} {paper.TOP_SIMILAR.index(names) + 1} and {value.rank}"
        for names, value in paper.UNEXPECTED_PAIRS.items()
    ]
    verdict = UNDECIDED
    if len(fits) == len(printed):
        verdict = HOLDS if all(fits) else FAILS if not any(fits) else UNDECIDED
    return Claim(
        "Three pairs are similar although they rarely meet.",
        "V-A",
        f"ranks by S and by C: {'; '.join(printed)}",
        "; ".join(texts) or ABSENT,
        verdict,
        f"{sum(fits)} of the {len(printed)} are among the {TOP} highest by S and not "
        "by C.",
    )


def _sign(values: np.ndarray) -> tuple[str, str]:
    """Whether values over seeds are positive, by the 95 % t interval of their mean."""
    values = values[np.isfinite(values)]
    if not len(values):
        return UNDECIDED, "no label vector to compare."
    mean = float(values.mean())
    if len(values) == 1:
        return UNDECIDED, f"one seed: no spread to set the {mean:.3f} against."
    half = statistics.t_half_width(values.std(ddof=1), len(values), len(values) - 1)
    why = f"the difference is {mean:.3f} ± {half:.3f} (95 % over seeds)."
    if abs(mean) <= half:
        return UNDECIDED, why
    return (HOLDS if mean > 0 else FAILS), why
