"""Tables and figures of the study of the ground truth."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence

import numpy as np

from msd_tagger.pages.page import Illustration
from msd_tagger.pages.tables import ABSENT, Table, number
from studies.annotation.agreement import agreements
from studies.annotation.answers import Answer
from studies.groundtruth import Estimates, Findings, interval, wilson
from studies.study_figures import groundtruth as figures

PAPER, HERE = "paper", "here"
THEIRS, OURS = "Clips, paper", "Clips, here"


def table_1(here: Findings, printed: Findings) -> Table:
    """Table I, the paper's rows beside ours, and the means."""
    header = (
        "label",
        "error rate, positive label [%]",
        "error rate, negative label [%]",
        "precision [%]",
        "recall [%]",
        "in ground truth",
        "estimate by Eq. 2",
        "by annotation of Subset400",
    )
    rows = []
    for who, one, row, label in _both(here, printed):
        rates = [
            percent(getattr(one.estimates, name)[row])
            for name in ("error_positive", "error_negative", "precision", "recall")
        ]
        counts = [
            _count(one.occurrences[row], one.total),
            _count(one.estimates.occurrences[row], one.total),
            _count(one.hits[row], one.judged[row]),
        ]
        rows.append([f"{label}, {who}", *rates, *counts])
    for who, one in ((PAPER, printed), (HERE, here)):
        means = [
            percent(np.mean(getattr(one.estimates, name)))
            for name in ("error_positive", "error_negative", "precision", "recall")
        ]
        rows.append([f"mean, {who}", *means, ABSENT, ABSENT, ABSENT])
    caption = (
        "Table I. Precision and recall at as many clips with the label as without; "
        f"the paper's of {printed.total:,} clips, ours of {here.total:,}."
    )
    return Table.of_rows(caption, header, rows, strong=(len(rows) - 2, len(rows) - 1))


def intervals(here: Findings, printed: Findings) -> Table:
    """How sure every number of Table I is."""
    header = (
        "label",
        "judged with / without",
        "error rate, positive (Wilson)",
        "error rate, negative (Wilson)",
        "recall (bootstrap)",
        "Eq. 2 (bootstrap)",
        "Subset400 (Wilson)",
    )
    columns = ("positive", "negative", "recall", "share", "subset400")
    ends = {who: _intervals(one) for who, one in ((PAPER, printed), (HERE, here))}
    rows = [
        [
            f"{label}, {who}",
            f"{one.checked.positives[row]} / {one.checked.negatives[row]}",
            *(_range(ends[who][name][row]) for name in columns),
        ]
        for who, one, row, label in _both(here, printed)
    ]
    caption = "95 % intervals, in per cent; the paper's from its own counts."
    return Table.of_rows(caption, header, rows)


def tagability(here: Findings, printed: Findings, exact: Estimates | None) -> Table:
    """How likely a clip carries a label that holds, by two ways of counting."""
    header = ["label", "recall at 50/50 [%]", "tagability [%]", "bootstrap [%]"]
    header += ["tagability, all clips known [%]"] if exact else []
    rows = []
    for who, one, row, label in _both(here, printed):
        cells = [
            percent(one.estimates.recall[row]),
            percent(one.estimates.tagability[row]),
            _range(interval(one.samples.tagability[:, row])),
        ]
        if exact:
            cells.append(percent(exact.tagability[row]) if who == HERE else ABSENT)
        rows.append([f"{label}, {who}", *cells])
    caption = (
        "Tagability: the share of the clips for which a label holds that carry it, as "
        "if half of all clips carried it (Table I's recall), and as they are."
    )
    return Table.of_rows(caption, header, rows)


def against_truth(here: Findings, exact: Estimates) -> Table:
    """What the samples said, beside what is true of all clips."""
    quantities = {
        "error rate, positive": ("error_positive", 1),
        "error rate, negative": ("error_negative", 1),
        "recall at 50/50": ("recall", 1),
        "true occurrences": ("occurrences", here.total),
    }
    header = ["label"]
    header += [f"{one}, {what} [%]" for one in quantities for what in ("sample", "all")]
    rows = []
    for row, label in enumerate(here.labels):
        cells = []
        for name, whole in quantities.values():
            both = (getattr(one, name)[row] / whole for one in (here.estimates, exact))
            cells += [percent(value) for value in both]
        rows.append([label, *cells])
    caption = "Estimates from the sample beside the truth of all clips."
    return Table.of_rows(caption, header, rows)


def agreement(answers: Iterable[Answer], labels: Sequence[str]) -> list[Table]:
    """How far every two listeners agree; no table with one listener."""
    rows = [
        [
            f"{one.label}: {one.first}, {one.second}",
            f"{one.num_clips:,}",
            percent(one.share),
            number(one.kappa, 2),
        ]
        for one in agreements(answers, labels)
    ]
    header = ("label: listeners", "clips", "agree [%]", "Cohen's κ")
    caption = "Agreement of listeners, where both said yes or no."
    return [Table.of_rows(caption, header, rows)] if rows else []


def illustrations(
    here: Findings, printed: Findings, true_share: np.ndarray | None
) -> list[Illustration]:
    """Draws error rates with what follows from them, and occurrences."""
    order = [_row(printed, label) for label in here.labels]
    known = printed if all(row is not None for row in order) else None
    errors = _error_panels(here, known, order)
    shares = _share_panels(here, known, order, true_share)
    hollow = " Hollow: the paper's." if known else ""
    return [
        Illustration(
            "groundtruth_errors",
            functools.partial(figures.panels, here.labels, errors),
            "Points: error rates of positive and negative labels, and precision and "
            "recall, of each label, with intervals.",
            "Error rates on Subset100, and precision and recall at 50/50, with 95 % "
            f"intervals: the bootstrap's for recall, else Wilson's.{hollow}",
            _numbers(here.labels, errors),
        ),
        Illustration(
            "groundtruth_occurrences",
            functools.partial(figures.panels, here.labels, shares),
            "Points: share of clips with each label, by the ground truth, by Eq. 2 and "
            "by Subset400.",
            "Share of clips for which a label holds: as the ground truth counts, by "
            "Eq. 2 (bootstrap) and on Subset400 (Wilson), with 95 % intervals.",
            _numbers(here.labels, shares),
        ),
    ]


def percent(share: float) -> str:
    """Prints a share in per cent, without the sign.

    >>> percent(0.4251), percent(float("nan"))
    ('42.5', '–')
    """
    return number(100 * share, 1)


def _error_panels(
    here: Findings, known: Findings | None, order: list[int | None]
) -> figures.Panels:
    """Returns what the figure of errors shows."""
    names = {
        "Error rate": {
            "positive labels": ("error_positive", "positive"),
            "negative labels": ("error_negative", "negative"),
        },
        "At 50/50 balance": {
            "precision": ("precision", "precision"),
            "recall": ("recall", "recall"),
        },
    }
    ours, theirs = _intervals(here), _intervals(known) if known else {}
    return {
        title: {
            name: (
                (getattr(here.estimates, value), ours[ends]),
                known and (getattr(known.estimates, value)[order], theirs[ends][order]),
            )
            for name, (value, ends) in series.items()
        }
        for title, series in names.items()
    }


def _share_panels(
    here: Findings,
    known: Findings | None,
    order: list[int | None],
    true_share: np.ndarray | None,
) -> figures.Panels:
    """Returns what the figure of occurrences shows: the paper's on the left."""
    sources = {THEIRS: known, OURS: here} if known else {OURS: here}
    found = {}
    for title, one in sources.items():
        rows = order if one is known else list(range(len(here.labels)))
        ends = _intervals(one)
        found[title] = {
            "ground truth": ((one.occurrences[rows] / one.total, None), None),
            "Eq. 2": (
                (one.estimates.occurrences[rows] / one.total, ends["share"][rows]),
                None,
            ),
            "Subset400": ((one.share[rows], ends["subset400"][rows]), None),
        }
    if true_share is not None:
        found[OURS]["all clips"] = ((true_share, None), None)
    return found


def _numbers(labels: Sequence[str], content: figures.Panels) -> Table:
    """Returns what a figure shows, one row a point."""
    rows = []
    for title, series in content.items():
        for name, pair in series.items():
            for who, one in zip((HERE, PAPER), pair, strict=True):
                source = PAPER if title == THEIRS else who
                for row, label in enumerate(labels if one else ()):
                    ends = one[1][row] if one[1] is not None else (np.nan, np.nan)
                    values = (one[0][row], *ends)
                    cells = [number(100 * value, 3) for value in values]
                    rows.append([label, title, name, source, *cells])
    header = ("label", "panel", "series", "of", "percent", "low", "high")
    return Table.of_rows("Values and 95 % intervals, in per cent.", header, rows)


def _intervals(one: Findings) -> dict[str, np.ndarray]:
    """Intervals [L, 2] of every share that is printed or drawn."""
    checked = one.checked
    positive = wilson(checked.wrong_positives, checked.positives)
    return {
        "positive": positive,
        "precision": 1 - positive[:, ::-1],
        "negative": wilson(checked.wrong_negatives, checked.negatives),
        "recall": interval(one.samples.recall),
        "share": interval(one.samples.occurrences) / one.total,
        "subset400": wilson(one.hits, one.judged),
    }


def _both(here: Findings, printed: Findings) -> list[tuple[str, Findings, int, str]]:
    """Rows of a table: every label, the paper's before ours."""
    labels = dict.fromkeys([*printed.labels, *here.labels])
    found = []
    for label in labels:
        for who, one in ((PAPER, printed), (HERE, here)):
            row = _row(one, label)
            if row is not None:
                found.append((who, one, row, label))
    return found


def _row(one: Findings, label: str) -> int | None:
    """Returns where a label is, or None."""
    return one.labels.index(label) if label in one.labels else None


def _count(clips: float, total: int) -> str:
    """Prints a number of clips and its share of all."""
    if not np.isfinite(clips) or not total:
        return ABSENT
    return f"{clips:,.0f} ({percent(clips / total)} %)"


def _range(ends: np.ndarray) -> str:
    """Prints an interval in per cent."""
    low, high = (percent(end) for end in ends)
    return ABSENT if ABSENT in (low, high) else f"{low} to {high}"
