"""Points that somebody chose: their scores, and which of them differ beyond chance."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from msd_tagger.common.files import flatten
from msd_tagger.pages import style
from msd_tagger.pages.page import Illustration
from msd_tagger.pages.style import ink
from msd_tagger.pages.tables import Formats, Table, number, over_seeds, signed
from studies import comparison, figures, runs, statistics
from studies.comparison import Comparison, Placed, Points
from studies.figures import LABEL_COLOURS, MAX_NAMED_POINTS, Look
from studies.records import RunRecord, SweepRecord
from studies.report import spreads_of
from studies.study import Study
from studies.texts import captioned, figure, say, short, span

NAME, TITLE = "sweep", "Points of a sweep"
# An axis is logarithmic if its largest value is so many times its smallest.
LOG_FROM = 10
MAX_NAMED = 8  # Differences in a sentence; the table has all.


def study(record: SweepRecord) -> Study:
    """Compares every pair of points, and sets the linear baseline beside each.

    Points that differ in the seed alone are one, with the seeds of all.

    Raises:
        ValueError: Two points are the same run.
    """
    title = f"{record.config.get('name', 'Sweep')}: points compared"
    settings = settings_of(record)
    points, alike = join_seeds(comparison.scored(record.points), settings)
    if not points:
        return Study(NAME, title, [say("sweep.nothing")])
    shown = settings.loc[list(points)]
    shown = shown[[key for key in shown if shown[key].map(repr).nunique() > 1]]
    known = comparison.known_labels(points)
    placed = {one: comparison.place(points, one) for one in known}
    found = {one: compare_all(points, placed[one], one) for one in known}
    axis = axis_of(shown)
    scope = comparison.scope(record, points, "")
    trained = say("sweep.trained", keys=", ".join(shown) or "no key", **scope)
    paragraphs = [trained, *alike]
    paragraphs += [_verdict(of, labels) for labels, of in found.items() if of]
    if any(found.values()):
        paragraphs.append(say("sweep.judged"))
    drawn, tables = [], []
    for labels in known:
        scores = scores_of(points, placed[labels], labels)
        drawn.append(_illustration(scores, axis, labels))
        tables.append(_table(scores, shown, points, labels))
    curves = figures.curve_frame(record.points)
    if len(curves):
        numbers = {"points": curves["point"].nunique(), "limit": MAX_NAMED_POINTS}
        drawn.append(
            figure("sweep_curves", figures.curves_of_points, curves, **numbers)
        )
    tables += [
        comparison.table("sweep_differences", of, len(of), labels=k, pairs=len(of))
        for k, of in found.items()
        if of
    ]
    return Study(NAME, title, paragraphs, drawn, tables)


def settings_of(record: SweepRecord) -> pd.DataFrame:
    """Lists the keys that points change but seeds: a row a point, a column a key.

    A point that does not set a key may still have trained with another value than the
    study's: a share of the clips takes more epochs.
    """
    asked = {name: dict(changes) for name, changes in record.config["sweep"]}
    keys = dict.fromkeys(key for changes in asked.values() for key in changes)
    usual = flatten(record.config)
    trained = {name: flatten(one.config) for name, one in record.points.items()}

    def value(name: str, key: str) -> object:
        found = trained.get(name, {}).get(key, usual.get(key))
        # Equal numbers are printed alike. Of a file the comparison has the content.
        given = asked[name].get(key, found)
        return found if given == found else given

    columns = {
        key: [value(name, key) for name in asked]
        for key in keys
        if key not in runs.SEEDS
    }
    return pd.DataFrame(columns, list(asked), dtype=object)


def join_seeds(
    points: Points, settings: pd.DataFrame
) -> tuple[dict[str, RunRecord], list[str]]:
    """Joins points of equal settings; also returns sentences that say so."""
    groups: dict[str, list[str]] = {}
    for name in points:
        groups.setdefault(repr(settings.loc[name].tolist()), []).append(name)
    joined = {
        names[0]: runs.join({name: points[name] for name in names})
        for names in groups.values()
    }
    sentences = [
        say("sweep.alike", names=", ".join(names), first=names[0])
        for names in groups.values()
        if len(names) > 1
    ]
    return joined, sentences


def axis_of(settings: pd.DataFrame) -> pd.Series | None:
    """Returns the values of the only key that differs, if they are numbers."""
    if settings.shape[1] != 1:
        return None
    values = settings.iloc[:, 0]
    are_numbers = [
        isinstance(one, int | float) and not isinstance(one, bool) for one in values
    ]
    return values.astype(float) if all(are_numbers) else None


def compare_all(points: Points, placed: Placed, labels: str) -> list[Comparison]:
    """Compares every pair of points, the later minus the earlier."""
    pairs = {
        f"{later} − {earlier}": (later, earlier)
        for earlier, later in itertools.combinations(points, 2)
    }
    return comparison.compare(points, pairs, placed, labels)


def scores_of(points: Points, placed: Placed, labels: str) -> pd.DataFrame:
    """Lists the mean macro ROC-AUC of every point, its 95 % interval, the baseline's.

    The interval is over seeds, if there are several, and over test clips, if the record
    has the scores of each. One row a point: `mean`, `low`, `high` and `baseline`, NaN
    without.
    """
    rows = []
    for name, point in points.items():
        values = comparison.auc(point, labels)
        over_clips = statistics.normal_half_width(placed.error({name: 1.0}), 1)
        over = (statistics.describe(values).t_half_width, over_clips)
        half, mean = math.hypot(*np.nan_to_num(over)), float(values.mean())
        ends = np.clip((mean - half, mean + half), 0, 1)
        rows.append((mean, *ends, comparison.baseline_auc(point, labels)))
    columns = ["mean", "low", "high", "baseline"]
    return pd.DataFrame(rows, list(points), columns, dtype=float)


def points_and_intervals(
    frame: pd.DataFrame, labels: str, axis: pd.Series | None = None
) -> Figure:
    """Draws the frame of `scores_of` along a numeric axis, or a row a point."""
    height = 3.2 if axis is not None else 1.2 + 0.3 * len(frame)
    drawn = Figure(figsize=(5.6, height))
    axes = drawn.subplots()
    ends = [frame["mean"] - frame["low"], frame["high"] - frame["mean"]]
    look: Look = {"color": LABEL_COLOURS[labels], "ls": "", "marker": "o", "capsize": 3}
    look["label"] = "network, 95 % interval"
    diamond: Look = {"ls": "", "mfc": "none", "mec": ink(axes), "label": "baseline"}
    baseline = frame["baseline"]
    if axis is None:
        rows = np.arange(len(frame))
        axes.errorbar(frame["mean"], rows, xerr=ends, **look)
        if baseline.notna().any():
            axes.plot(baseline, rows, marker="D", **diamond)
        figures.name_rows(axes, map(style.label, frame.index), grid=True)
        axes.set_xlabel("macro ROC-AUC")
    else:
        axes.errorbar(axis, frame["mean"], yerr=ends, **look)
        if baseline.notna().any():
            axes.plot(axis, baseline, marker="D", **diamond)
        if axis.min() > 0 and axis.max() >= LOG_FROM * axis.min():
            axes.set_xscale("log")
            axes.minorticks_off()
            axes.set_xticks(axis, [short(one) for one in axis])
        axes.set(xlabel=str(axis.name), ylabel="macro ROC-AUC")
    drawn.legend(loc="outside lower center", ncols=2, fontsize=8)
    return drawn


def _verdict(found: Sequence[Comparison], labels: str) -> str:
    """Says which differences can be told from chance, and why others cannot."""
    count = len(found)
    answers = {one.name: one.answer(count) for one in found}
    told = [one for one in found if answers[one.name] == "yes"]
    named = [f"{one.name} ({signed(one.mean)})" for one in told[:MAX_NAMED]]
    if len(told) > MAX_NAMED:
        named.append(f"{len(told) - MAX_NAMED} more in the table")
    text = say(
        "sweep.verdict",
        labels=labels,
        pairs=count,
        told=len(told),
        named=f": {'; '.join(named)}" if named else "",
    )
    unknown = [len(one.values) for one in found if "seeds" in answers[one.name]]
    if any(count < 2 for count in unknown):
        text += say("sweep.one_seed")
    if any(count > 1 for count in unknown):
        text += say("sweep.equal")
    if any("chance" in one for one in answers.values()):
        text += say("sweep.near_chance")
    return text


def _illustration(
    scores: pd.DataFrame, axis: pd.Series | None, labels: str
) -> Illustration:
    if axis is not None:
        axis = axis.sort_values()
        scores = scores.loc[axis.index]

    def plot(frame: pd.DataFrame) -> Figure:
        return points_and_intervals(frame.set_index("point"), labels, axis)

    named = scores.rename_axis("point").reset_index()
    if axis is not None:
        named.insert(1, str(axis.name), axis.to_numpy())
    ends = {"low": number(scores["mean"].min()), "high": number(scores["mean"].max())}
    has_baseline = scores["baseline"].notna().any()
    baseline = " Diamonds: the linear baseline." if has_baseline else ""
    words = {"labels": labels, "baseline": baseline, **ends}
    return figure("sweep_points", plot, named, **words)


def _table(
    scores: pd.DataFrame, settings: pd.DataFrame, points: Points, labels: str
) -> Table:
    frame = pd.DataFrame({"point": list(points)})
    for key in settings:
        frame[key] = settings[key].map(short).to_numpy()
    frame["macro ROC-AUC"] = [comparison.auc(one, labels) for one in points.values()]
    frame["95 %"] = [span(ends, 4) for ends in scores[["low", "high"]].to_numpy()]
    if scores["baseline"].notna().any():
        frame["linear baseline"] = scores["baseline"].to_numpy()
        frame["network − baseline"] = [
            f"{signed(scores.loc[name, 'mean'] - scores.loc[name, 'baseline'])} "
            f"± {number(spreads_of(point, labels).gap)}"
            for name, point in points.items()
        ]
    formats: Formats = {"macro ROC-AUC": over_seeds, "linear baseline": ".4f"}
    return captioned("sweep", frame, formats, labels=labels)
