"""Section III-B1: ground truth under test (Table I, Eq. 2, tagability).

Starts from `labels.npz`, and from `annotations.csv` where somebody listened; else the
corpus is asked, where it knows its truth. Verdicts rest on what the counts of Subset100
and Subset400 leave open.
"""

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from msd_tagger.pages.page import Illustration
from msd_tagger.pages.style import BLUE, GREEN, ORANGE, PINK, label
from msd_tagger.pages.tables import ABSENT, Table, number
from msd_tagger.pages.tables import interval as shown
from studies import judges, statistics
from studies.annotation.answers import (
    ANSWERS,
    Answer,
    agreements,
    consensus,
    find_answers,
    verdicts_of,
)
from studies.annotation.subsets import OPTIONS, Subset, shortages, subsets_of
from studies.estimated_rates import against, rate_frame
from studies.figures import Look, name_rows
from studies.judges import Judged
from studies.label_errors import (
    Draws,
    Estimates,
    Findings,
    as_draws,
    count_errors,
    estimate,
    find_paper,
    homogeneity,
)
from studies.label_table import LABEL_FILE, LabelTable, find_label_table
from studies.records import SweepRecord
from studies.study import Claim, Study
from studies.texts import captioned, claim, figure, rows, say, span

NAME, TITLE = "groundtruth", "Ground truth under test (Table I, Eq. 2)"
PAPER, HERE = "paper", "here"
RATES = ("error_positive", "error_negative", "precision", "recall")
PECULIAR = ("female vocalists", "instrumental")
USUAL = ("male vocalists", "guitar")
SINGERS = ("male vocalists", "female vocalists")
# "Not correlated" is a correlation below what is called small (Cohen 1988).
SMALL = 0.1
NOT_JUDGED = "not enough clips were judged"

# Series of the figures by name: their panel, what they show, colour and marker.
SERIES = {
    "positive labels": ("Error rate", "error_positive", BLUE, "o"),
    "negative labels": ("Error rate", "error_negative", ORANGE, "s"),
    "precision": ("At 50/50 balance", "precision", BLUE, "o"),
    "recall": ("At 50/50 balance", "recall", ORANGE, "s"),
    "ground truth": ("Clips", "tagged", BLUE, "o"),
    "Eq. 2": ("Clips", "eq2", ORANGE, "s"),
    "Subset400": ("Clips", "subset400", GREEN, "^"),
    "all clips": ("Clips", "truth", PINK, "D"),
}


RATE_TITLES = {"missing": "true, but no label", "false": "label, but not true"}


class Truth(NamedTuple):
    """What a corpus that knows its truth says of all its clips."""

    estimates: Estimates  # Of the L labels; exact.
    shares: np.ndarray  # Share of all clips for which each label holds [L].
    # How many clips carry each tag, and for how many it holds [K].
    counts: tuple[np.ndarray, np.ndarray]


def study(record: SweepRecord) -> Study:
    """Writes the section on the reliability of the labels.

    Raises:
        AnnotationError: The answers do not belong to this corpus.
    """
    table = find_label_table(record.workdir)
    if table is None:
        return Study(
            NAME, TITLE, [f"This study has no {LABEL_FILE}: nothing to look at."]
        )
    options = OPTIONS | (record.config.get("analysis") or {})
    try:
        subsets = subsets_of(table, options)
    except ValueError as error:  # The corpus has none of the labels.
        return Study(NAME, TITLE, [f"Nothing is judged: {error}."])
    answers = find_answers(record.workdir, table.track_ids(), table.tag_names)
    here, printed = _find(table, subsets, answers, options), find_paper()
    truth = _truth(table, here)
    paragraphs = _paragraphs(table, subsets, answers, here, options)
    drawn = _illustrations(here, printed, truth)
    if here.checked.positives.any():
        # The numbers are a file of rates, for a loss.
        rates, known = rate_frame(here, table.tag_names), ", ".join(here.labels)
        names = np.array(here.labels)[against(here)]
        words = {"labels": known, "against": ""}
        if len(names):
            words["against"] = say("groundtruth.against", names=", ".join(names))
        drawn.append(figure("label_noise_rates", draw_rates, rates, **words))
    tables = _tables(here, printed, truth, answers)
    return Study(NAME, TITLE, paragraphs, drawn, tables, claims(here, printed, truth))


def _find(
    table: LabelTable,
    subsets: Sequence[Subset],
    answers: Sequence[Answer],
    options: dict[str, Any],
) -> Findings:
    decided = consensus(answers)
    of_100, of_400 = (
        verdicts_of(one, decided) if answers else _ask_corpus(table, one)
        for one in subsets
    )
    labels = subsets[0].labels
    columns, splits = table.columns(labels), table.splits.values()
    return Findings(
        labels=labels,
        checked=count_errors(subsets[0].tagged, of_100),
        occurrences=sum(one.tags[:, columns].sum(axis=0, dtype=int) for one in splits),
        total=sum(len(one.track_id) for one in splits),
        hits=(of_400 == 1).sum(axis=0),
        judged=np.isfinite(of_400).sum(axis=0),
        num_samples=options.get("bootstrap_samples", 2000),
        seed=options["subset_seed"],
    )


def _ask_corpus(table: LabelTable, subset: Subset) -> np.ndarray:
    """Returns what the corpus knows of a subset: `[N, L]`, NaN where it does not."""
    split = table.splits.get(subset.split)
    if split is None or split.true_tags is None:
        return np.full(subset.asked.shape, np.nan)
    truth = split.true_tags[subset.rows][:, table.columns(subset.labels)]
    return np.where(subset.asked, truth.astype(float), np.nan)


def _truth(table: LabelTable, here: Findings) -> Truth | None:
    """Asks the corpus about all clips; None where it does not know of all."""
    splits = table.splits.values()
    if any(split.true_tags is None for split in splits):
        return None
    tags = np.concatenate([split.tags for split in splits])
    true_tags = np.concatenate([split.true_tags for split in splits])
    columns = table.columns(here.labels)
    checked = count_errors(tags[:, columns], true_tags[:, columns])
    rates = (checked.error_positive, checked.error_negative)
    exact = estimate(*rates, here.occurrences, here.total)
    counts = tags.sum(axis=0, dtype=int), true_tags.sum(axis=0, dtype=int)
    return Truth(exact, exact.occurrences / here.total, counts)


def _paragraphs(
    table: LabelTable,
    subsets: Sequence[Subset],
    answers: Sequence[Answer],
    here: Findings,
    options: dict[str, Any],
) -> list[str]:
    """Says what was judged, by whom, what was missing, and what to know of Table I."""
    asked = options["annotated_labels"]
    missing = [label for label in asked if label not in table.tag_names]
    short = [sentence for subset in subsets for sentence in shortages(subset)]
    drawn = say(
        "groundtruth.drawn",
        total=here.total,
        sizes=[len(subset.rows) for subset in subsets],
        wanted=subsets[0].wanted,
        labels=", ".join(here.labels),
        who=_who(subsets, answers, here),
    )
    found = [drawn]
    if missing:
        found.append(f"The corpus has no label {', '.join(missing)}: left out.")
    if short:
        found.append(" ".join([*short, "What there is was taken."]))
    return [*found, say("groundtruth.slips"), say("groundtruth.balance")]


def _who(subsets: Sequence[Subset], answers: Sequence[Answer], here: Findings) -> str:
    if not answers:
        known = here.judged.any() or here.checked.negatives.any()
        return say(f"groundtruth.{'corpus' if known else 'nobody'}")
    given = Counter(one.answer for one in answers)
    people = len({one.annotator for one in answers})
    asked = {question for one in subsets for question, _, _ in one.questions()}
    outside = sum((one.track_id, one.label) not in asked for one in answers)
    heard = say(
        "groundtruth.listeners",
        people=f"{people} {'listener' if people == 1 else 'listeners'}",
        answers=len(answers),
        split=", ".join(f"{given[answer]:,} {answer}" for answer in ANSWERS),
        undecided=sum(verdict is None for verdict in consensus(answers).values()),
    )
    return heard + (say("groundtruth.outside", answers=outside) if outside else "")


def _clips(clips: np.ndarray, whole: np.ndarray | int) -> list[str]:
    return [
        f"{n:,.0f} ({100 * n / of:.1f} %)" if of and np.isfinite(n) else ABSENT
        for n, of in zip(clips, np.broadcast_to(whole, len(clips)), strict=True)
    ]


def _printed(one: Findings, known: np.ndarray | float = np.nan) -> pd.DataFrame:
    """Lists what tables print of each label; `known` is the tagability, where known."""
    rates = (*RATES, "tagability")
    judged = zip(one.checked.positives, one.checked.negatives, strict=True)
    columns = {"label": one.labels, "known": 100 * known}
    columns |= {name: 100 * getattr(one.estimates, name) for name in rates}
    columns |= {
        f"interval of {name}": [span(100 * ends, 1) for ends in of_labels]
        for name, of_labels in one.intervals.items()
    }
    return pd.DataFrame(columns).assign(
        judged=[f"{with_it} / {without}" for with_it, without in judged],
        tagged=_clips(one.occurrences, one.total),
        eq2=_clips(one.estimates.occurrences, one.total),
        subset400=_clips(one.hits, one.judged),
    )


def _tables(
    here: Findings, printed: Findings, truth: Truth | None, answers: Sequence[Answer]
) -> list[Table]:
    """Makes Table I, how sure it is, tagability, the truth, and how listeners agree."""
    known = truth.estimates.tagability if truth else np.nan
    both = pd.concat([_printed(printed), _printed(here, known)])
    order = list(dict.fromkeys(both.label))
    both["who"] = np.repeat([PAPER, HERE], [len(printed.labels), len(here.labels)])
    # Sorting is stable: of one label the paper's row stays first.
    both = both.sort_values("label", key=lambda it: it.map(order.index), kind="stable")
    both["label"] += ", " + both.who
    found = []
    for name in ("table_1", "intervals", "tagability"):
        # Without a truth its column is left out.
        columns = {
            v: k for k, v in rows(f"groundtruth.{name}") if truth or v != "known"
        }
        frame = both[["label", *columns]].reset_index(drop=True)
        frame = frame.rename(columns=columns)
        strong: Sequence[int] = ()
        if name == "table_1":
            for who, one in ((PAPER, printed), (HERE, here)):
                means = [np.mean(100 * getattr(one.estimates, rate)) for rate in RATES]
                frame.loc[len(frame)] = [f"mean, {who}", *means, None, None, None]
            strong = (len(frame) - 2, len(frame) - 1)
        totals: dict[str, Any] = {"paper": printed.total, "here": here.total}
        found.append(_table(name, frame, strong=strong, **totals))
    if truth is not None:
        against = {"label": here.labels}
        for text, name in rows("groundtruth.truth"):
            whole = here.total if name == "occurrences" else 1
            for what, of in (("sample", here.estimates), ("all", truth.estimates)):
                against[f"{text}, {what} [%]"] = 100 * getattr(of, name) / whole
        found.append(_table("truth", pd.DataFrame(against)))
    agreed = agreements(answers, here.labels)
    if len(agreed):
        pairs = agreed.label + ": " + agreed["first"] + ", " + agreed["second"]
        frame = pd.DataFrame({"label: listeners": pairs, "clips": agreed.clips})
        frame["agree [%]"], frame["Cohen's κ"] = 100 * agreed.share, agreed.kappa
        found.append(_table("agreement", frame, {"clips": ",", "Cohen's κ": ".2f"}))
    return found


def _table(
    key: str, frame: pd.DataFrame, formats: dict[str, str] | None = None, **more: Any
) -> Table:
    """Prints a frame, its numbers with one decimal unless `formats` says otherwise."""
    rates = dict.fromkeys(frame.select_dtypes(float), ".1f")
    return captioned(key, frame, rates | (formats or {}), **more)


def _illustrations(
    here: Findings, printed: Findings, truth: Truth | None
) -> list[Illustration]:
    """Draws error rates with what follows from them, and occurrences."""
    # The paper's numbers stand beside ours where it has all of our labels.
    known = set(here.labels) <= set(printed.labels)
    parts = [_shares(here, here.labels, truth).assign(of=HERE)]
    parts += [_shares(printed, here.labels).assign(of=PAPER)] if known else []
    both = pd.concat(parts, ignore_index=True)
    # A series that nobody judged has no axes.
    both = both[both.groupby(["series", "of"]).percent.transform("count") > 0]
    clips = both.panel == "Clips"
    series = both[~clips].series.map([*SERIES].index).sort_values(kind="stable")
    occurrences = both[clips].sort_values("of", ascending=False, kind="stable")
    occurrences["panel"] += ", " + occurrences.of
    columns = ["label", "panel", "series", "of", "percent", "low", "high"]
    frames = {"errors": both.loc[series.index], "occurrences": occurrences}
    hollow = " Hollow: the paper's." if known else ""
    drawn = {
        f"groundtruth_{name}": frame[columns].reset_index(drop=True)
        for name, frame in frames.items()
        if HERE in set(frame.of)
    }
    return [
        figure(key, draw_panels, frame, hollow=hollow) for key, frame in drawn.items()
    ]


def _shares(
    one: Findings, labels: Sequence[str], truth: Truth | None = None
) -> pd.DataFrame:
    """Lists all `SERIES` of some labels, in per cent."""
    values = {name: getattr(one.estimates, name) for name in RATES} | {
        "tagged": one.occurrences / one.total,
        "eq2": one.estimates.occurrences / one.total,
        "subset400": one.share,
        "truth": truth and truth.shares,
    }
    rows = [one.labels.index(label) for label in labels]
    nothing = np.full((len(one.labels), 2), np.nan)
    parts = []
    for series, (panel, name, *_) in SERIES.items():
        if values[name] is not None:
            low, high = 100 * one.intervals.get(name, nothing)[rows].T
            columns = {"percent": 100 * values[name][rows], "low": low, "high": high}
            columns |= {"label": labels, "panel": panel, "series": series}
            parts.append(pd.DataFrame(columns))
    return pd.concat(parts)


def draw_rates(frame: pd.DataFrame) -> Figure:
    """Draws the rates of judged tags with their intervals, two columns wide."""
    known = 100 * frame[frame.judged > 0].set_index("tag")
    rows = np.arange(len(known))
    drawn = Figure(figsize=(7, 1.1 + 0.3 * len(rows)))
    grid = drawn.subplots(1, 2, sharey=True)
    for axes, (name, title) in zip(grid, RATE_TITLES.items(), strict=True):
        value = known[name]
        ends = [value - known[f"{name}_low"], known[f"{name}_high"] - value]
        look: Look = {"fmt": "o", "color": BLUE, "capsize": 3}
        axes.errorbar(value, rows, xerr=np.clip(ends, 0, None), **look)
        axes.set_title(f"{title} [%]", fontsize=9)
        name_rows(axes, map(label, known.index))
    return drawn


def draw_panels(frame: pd.DataFrame) -> Figure:
    """Draws points with intervals, one panel beside the other, two columns wide.

    Columns are `label`, `panel`, `series`, `of`, `percent`, `low` and `high`. Where the
    paper and ours meet in a series, the paper's is hollow.
    """
    labels = frame.label.unique()
    rows = np.arange(len(labels))
    drawn = Figure(figsize=(7, 1.1 + 0.42 * len(labels)))
    panels = [*frame.groupby("panel", sort=False)]
    grid = drawn.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, (panel, of_panel) in zip(grid, panels, strict=True):
        series = [points for _, points in of_panel.groupby("series", sort=False)]
        nudges = np.linspace(-0.24, 0.24, len(series)) if len(series) > 1 else [0.0]
        for points, nudge in zip(series, nudges, strict=True):
            both = points.of.nunique() > 1
            for who, some in points.groupby("of", sort=False):
                hollow = both and who == PAPER
                apart = (0.06 if hollow else -0.06) * both
                _draw_series(axes, rows + nudge + apart, some, hollow)
        axes.set_title(f"{panel} [%]", fontsize=9)
        name_rows(axes, map(label, labels))
        right = axes.get_xlim()[1]
        axes.set_xlim(-0.03 * right, 1.03 * right)  # Markers at 0 and 100 stay whole.
        below: Look = {"loc": "upper center", "bbox_to_anchor": (0.5, 0)}
        axes.legend(**below, borderaxespad=3, ncols=2, fontsize=7.5)
    return drawn


def _draw_series(
    axes: Axes, rows: np.ndarray, points: pd.DataFrame, hollow: bool
) -> None:
    name = points.series.iloc[0]
    _, value, colour, marker = SERIES[name]
    called = f"{name}, paper" if hollow else name
    look: Look = {"fmt": marker, "color": colour, "ms": 5, "label": called}
    if hollow:
        look |= {"mfc": "none", "elinewidth": 0.8, "alpha": 0.75}
    else:
        look |= {"mfc": colour, "elinewidth": 1.4}
    ends = [points.percent - points.low, points.high - points.percent]
    # An interval of draws may miss its own point by a rounding error.
    error = None if value in ("tagged", "truth") else np.maximum(ends, 0)
    axes.errorbar(points.percent, rows, xerr=error, **look)


def claims(
    here: Findings, printed: Findings, truth: Truth | None = None
) -> list[Claim]:
    """Judges every statement that the labels allow to; `truth` is of all clips."""
    found = [
        claim(key, show(here), *judge(here), found=show(printed))
        for key, (show, judge, *needed) in JUDGED.items()
        if {*needed} <= {*here.labels}
    ]
    found.insert(3, _nearer(here, printed, truth))
    found.append(_uncorrelated(here, printed, truth))
    if here.judged.any() or here.checked.negatives.any() or truth:
        return found
    return [dataclasses.replace(one, here=ABSENT) for one in found]


def _percents(shares: Iterable[float | np.ndarray]) -> list[str]:
    known = (100 * float(share) for share in shares)
    return [f"{one:.1f} %" if np.isfinite(one) else ABSENT for one in known]


def _listed(one: Findings, values: Sequence[str]) -> str:
    pairs = zip(one.labels, values, strict=True)
    return ", ".join(f"{label} {value}" for label, value in pairs)


def _means(*names: str) -> Callable[[Findings], str]:
    return lambda one: " and ".join(
        _percents([np.mean(getattr(one.estimates, name)) for name in names])
    )


def _factors(one: Findings) -> str:
    with np.errstate(divide="ignore", invalid="ignore"):
        values = one.estimates.occurrences / one.occurrences
    return _listed(one, [f"× {number(value, 1)}" for value in values])


def _ends(one: Findings) -> str:
    """Prints the lower recall of the peculiar labels, the higher of the usual ones."""
    peculiar, usual = (
        one.estimates.recall[_columns(one, them)] for them in (PECULIAR, USUAL)
    )
    return " and ".join(_percents((peculiar.min(), usual.max())))


def _columns(one: Findings, labels: Sequence[str]) -> list[int]:
    return [one.labels.index(label) for label in labels]


def _singers(one: Findings) -> str:
    columns = _columns(one, SINGERS)
    shares = _percents(one.estimates.occurrences[columns] / one.total)
    tags = [f"{count:,}" for count in one.occurrences[columns]]
    return f"{' and '.join(shares)} by Eq. 2, {' and '.join(tags)} tags"


def _by_interval(draws: Draws, what: str) -> Judged:
    """Judges a share that is to be positive, by its draws `[R]`."""
    low, high = draws.interval()
    if not np.isfinite(low + high):
        return judges.unknown(NOT_JUDGED)
    why = f"{what}: {100 * low:.1f} to {100 * high:.1f} points (95 %)"
    return judges.above((low, high), 0, why)


def _for_every(draws: Draws, what: str = "labels") -> Judged:
    """Judges what is to be positive for each label or pair, by draws `[R, L]`."""
    ends = draws.interval()
    if not np.isfinite(ends).all():
        return judges.unknown(NOT_JUDGED)
    corrected = draws.interval(len(ends))
    held = f"{np.count_nonzero(ends[:, 0] > 0)} of {len(ends)}"
    why = f"beyond chance for {held} {what}"
    return judges.every(ends.tolist(), corrected.tolist(), 0, np.inf, why)


def _higher(name: str, other: str, what: str) -> Callable[[Findings], Judged]:
    """Judges that one estimate is higher than another, on average over labels."""
    return lambda here: _by_interval(
        here.draws[name].minus(here.draws[other]).mean(), what
    )


def _differs(here: Findings) -> Judged:
    """Judges by Cochran's test of homogeneity that labels differ in recall."""
    statistic, p_value = homogeneity(here.checked, here.seed)
    if np.isnan(p_value):
        return judges.unknown(NOT_JUDGED)
    why = f"homogeneity: Q = {statistic:.1f}, p = {p_value:.2g}"
    return judges.beyond_chance(p_value, 0.05, why)


def _peculiar_higher(here: Findings) -> Judged:
    """Judges each peculiar label against each usual one."""
    recall, usual = here.draws["recall"], _columns(here, USUAL)
    peculiar = np.repeat(_columns(here, PECULIAR), len(usual)).tolist()
    higher = recall.of(peculiar).minus(recall.of(usual * len(PECULIAR)))
    return _for_every(higher, "pairs of labels")


def _male_more_often(here: Findings) -> Judged:
    male, female = _columns(here, SINGERS)
    if here.occurrences[male] >= here.occurrences[female]:
        return judges.fact(False, "male vocalists is not the rarer tag")
    share = here.draws["occurrences"].over(here.total)
    more = share.of([male]).minus(share.of([female])).mean()
    return _by_interval(more, "male minus female")


# By the key of a claim: what is printed of the paper's findings and of ours, how ours
# are judged, and the labels that it needs.
JUDGED: dict[str, tuple] = {
    "negative-wrong": (
        _means("error_positive", "error_negative"),
        _higher("error_negative", "error_positive", "negative minus positive"),
    ),
    "precision-high": (
        _means("precision", "recall"),
        _higher("precision", "recall", "precision minus recall"),
    ),
    "holds-for-more": (
        _factors,
        lambda here: _for_every(here.draws["occurrences"].minus(here.occurrences)),
    ),
    "tagability-differs": (
        lambda one: _listed(one, _percents(one.estimates.recall)),
        _differs,
    ),
    "peculiar-taggable": (_ends, _peculiar_higher, *PECULIAR, *USUAL),
    "male-more-often": (_singers, _male_more_often, *SINGERS),
}


def _nearer(here: Findings, printed: Findings, truth: Truth | None) -> Claim:
    """Judges that Eq. 2 is nearer to the truth than the corpus's counts."""

    def distances(one: Findings, target: np.ndarray) -> str:
        pair = (one.estimates.occurrences, one.occurrences)
        means = [np.mean(np.abs(counts / one.total - target)) for counts in pair]
        return " and ".join(f"{number(100 * mean, 1)} points" for mean in means)

    target, shown, against = here.draws["share"], here.share, "Subset400"
    if truth is not None:
        shown, against = truth.shares, "the truth of all clips"
        target = as_draws(shown)
    estimated = here.draws["occurrences"].over(here.total)
    raw = as_draws(here.occurrences / here.total).apart(target)
    gained = raw.minus(estimated.apart(target))
    verdict, why = _by_interval(gained.mean(), "counts minus Eq. 2")
    each = _for_every(gained)[1]
    why = why if why == each else f"{why}; {each}"
    ours = f"{distances(here, shown)} from {against}"
    return claim(
        "eq2-nearer", ours, verdict, why, found=distances(printed, printed.share)
    )


def _uncorrelated(here: Findings, printed: Findings, truth: Truth | None) -> Claim:
    """Judges that true counts have nothing to do with tag counts."""
    pair = truth.counts if truth else (here.occurrences, here.estimates.occurrences)
    num_tags = len(pair[0])
    varies = num_tags > 2 and all(np.ptp(one) > 0 for one in pair)
    found = statistics.spearman(*pair)
    rho, ends = found.value, found.interval()
    few = f"{num_tags} tags are too few to tell"
    judged = judges.unknown(few if np.isfinite(pair).all() else NOT_JUDGED)
    if varies:
        why = say("groundtruth.uncorrelated", ends=shown(ends, 2), small=SMALL)
        judged = judges.between(ends, -SMALL, SMALL, why)
    of_paper = statistics.spearman(printed.occurrences, printed.estimates.occurrences)
    source = "the truth of all clips" if truth else "Eq. 2"
    ours = f"{number(rho, 2)}: {num_tags} tags, by {source}"
    its: dict[str, Any] = {"rho": of_paper.value, "labels": len(printed.labels)}
    return claim("counts-uncorrelated", ours, *judged, **its)
