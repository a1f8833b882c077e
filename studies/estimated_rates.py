"""Error rates of labels as a loss corrects for them, from those of Table I.

Table I has P(wrong | label), which is what a re-annotation counts. A loss needs
m = P(no label | true) and f = P(label | not true). Bayes' rule turns the ones into the
others, with N of Eq. 2 as the number of clips for which a label holds:

    m = 1 - N+ (1 - p+) / N        f = N+ p+ / (T - N)
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from msd_tagger.common.error_rates import Rates, usable
from studies.annotation.subsets import balanced_subset
from studies.label_errors import Draws, Estimates, Findings, count_errors, estimate


def invert(found: Estimates, tagged: np.ndarray, total: int) -> Rates:
    """Turns the estimates of L labels into rates `[..., L]`; NaN where nobody judged.

    `tagged` clips of all `total` carry each label, N+ and T.
    """
    others = total - found.occurrences
    with np.errstate(divide="ignore", invalid="ignore"):
        false = found.error_positive * tagged / np.where(others > 0, others, np.nan)
    return Rates(1 - found.tagability, np.minimum(false, 1))


def estimate_rates(
    track_id: np.ndarray,
    labels: np.ndarray,
    truth: np.ndarray,
    tags: Sequence[str],
    *,
    per_side: int,
    seed: int,
) -> Rates:
    """Estimates the rates of labels `[N, K]` as the study of the ground truth does.

    For every tag the truth is asked about up to `per_side` clips that carry it and as
    many that do not.
    """
    subset = balanced_subset(track_id, labels, tags, per_side=per_side, seed=seed)
    answers = np.where(subset.asked, np.asarray(truth)[subset.rows], np.nan)
    checked = count_errors(subset.tagged, answers)
    tagged, total = np.asarray(labels).sum(0, dtype=int), len(labels)
    # A label that no clip carries, or none lacks, was not judged on that side.
    positive = np.nan_to_num(checked.error_positive)
    negative = np.nan_to_num(checked.error_negative)
    return invert(estimate(positive, negative, tagged, total), tagged, total)


def against(found: Findings) -> np.ndarray:
    """Marks labels `[L]` that are no more frequent where their tag holds.

    They speak against it, so no rates can correct them.
    """
    missing, false = invert(found.estimates, found.occurrences, found.total)
    return missing + false >= 1


def rate_frame(found: Findings, tags: Sequence[str]) -> pd.DataFrame:
    """Lists the rates of all tags with their 95 % intervals, as a file of rates.

    Tags that nobody judged on both sides have 0, so that a loss takes their labels as
    they are. They have no intervals, nor have tags `against` which their labels speak.
    """
    counts = found.occurrences, found.total
    rates, contrary = usable(invert(found.estimates, *counts)), against(found)
    # Both rates rise with both error rates.
    errors = found.draws["error_positive"], found.draws["error_negative"]
    corners = ([getattr(one, end) for one in errors] for end in ("low", "high"))
    least, most = (invert(estimate(p, n, *counts), *counts) for p, n in corners)
    judged = found.checked.positives + found.checked.negatives
    frame = pd.DataFrame({"tag": found.labels, "judged": judged})
    for name in Rates._fields:
        ends = Draws(getattr(least, name), getattr(most, name)).interval()
        low, high = np.where(contrary[:, None], np.nan, ends).T
        frame[name] = getattr(rates, name)
        frame[f"{name}_low"], frame[f"{name}_high"] = low, high
    frame = frame.set_index("tag").reindex(list(tags))
    return frame.fillna({"judged": 0, "missing": 0, "false": 0}).reset_index()
