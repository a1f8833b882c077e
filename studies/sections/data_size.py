"""Section IV-B, Fig. 5: mel against STFT by the number of training clips."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import numpy as np

from msd_tagger.pages.page import Illustration
from msd_tagger.pages.tables import Table, number, percent, with_spread
from studies import comparison, log_fit
from studies.comparison import Comparison
from studies.log_fit import LogFit
from studies.records import RunRecord, SweepRecord
from studies.run_sets import KINDS
from studies.sections import data_size_claims as claims
from studies.sections import input_cost
from studies.study import Study
from studies.study_figures.data_size import scores_by_size

NAME = "data_size"
PREFIX = "size-"
TITLE = "Mel against STFT, and the size of the training set (Fig. 5)"

# From "mel" or "stft" to its points by share of the training clips, smallest first.
Curves = dict[str, dict[float, RunRecord]]


def study(record: SweepRecord) -> Study:
    """Redraws Fig. 5 from the points of several training set sizes.

    Args:
        record: a study with points whose names start with `size-`.

    Returns:
        The section; without such points, a sentence that says so.
    """
    points = comparison.scored(record.select(PREFIX))
    if not points:
        text = "No point of this study varies the size of the training set."
        return Study(NAME, TITLE, [text])
    curves = curves_by_kind(points)
    labels = comparison.known_labels(points)
    resampled = {
        kind: comparison.resampled_auc(points, kind, comparison.num_resamples(record))
        for kind in labels
    }
    found = {kind: compare_kinds(points, resampled[kind], kind) for kind in labels}
    fits = {kind: fit_curves(curves, kind) for kind in labels}
    gains = _last_gains(points, curves, resampled["weak"])
    costs = input_cost.times_per_clip(curves)
    return Study(
        name=NAME,
        title=TITLE,
        paragraphs=_paragraphs(record, points, curves, fits["weak"])
        + input_cost.sentences(costs),
        illustrations=[
            _illustration(curves, kind, found[kind], fits[kind]) for kind in labels
        ],
        tables=[
            _table(curves, labels),
            *(_differences(found[kind], kind) for kind in labels),
            _fit_table(fits),
            *input_cost.tables(curves, costs),
        ],
        claims=[
            *claims.of_kinds(found["weak"]),
            claims.of_line(fits["weak"]),
            claims.of_saturation(curves, gains),
            claims.of_cost(costs),
        ],
    )


def curves_by_kind(points: Mapping[str, RunRecord]) -> Curves:
    """Points by the kind of their spectrogram and their share of training clips."""
    curves: Curves = {}
    for kind in KINDS:
        of_kind = [
            (float(one.config["train"]["fraction"]), one)
            for one in points.values()
            if one.config["spectrogram"]["kind"] == kind
        ]
        if of_kind:
            curves[kind] = dict(sorted(of_kind, key=lambda pair: pair[0]))
    return curves


def known(points: Mapping[float, RunRecord], labels: str) -> dict[float, RunRecord]:
    """Points of a curve that were scored against these labels."""
    return {
        share: one
        for share, one in points.items()
        if labels in comparison.known_labels({"": one})
    }


def train_clips(point: RunRecord) -> int:
    """How many clips a point learnt from."""
    corpus = point.summary["corpus"]
    share = float(point.config["train"]["fraction"])
    return int(
        corpus.get("train_clips_used") or round(share * corpus["counts"]["train"])
    )


def fit_curves(curves: Curves, labels: str) -> dict[str, LogFit]:
    """The line of each kind's mean score against log2 of the clips."""
    found = {}
    for kind, points in curves.items():
        clips = [train_clips(one) for one in points.values()]
        means = [comparison.auc(one, labels).mean() for one in points.values()]
        line = log_fit.fit(clips, means)
        if line is not None:
            found[kind] = line
    return found


def compare_kinds(
    points: Mapping[str, RunRecord], resampled: Mapping[str, np.ndarray], labels: str
) -> dict[float, Comparison]:
    """Mel minus STFT at every share of the training clips that both have."""
    names = {
        (
            one.config["spectrogram"]["kind"],
            float(one.config["train"]["fraction"]),
        ): name
        for name, one in points.items()
    }
    shares = sorted({share for _, share in names})
    pairs = {
        f"mel − STFT at {percent(share)}": (names["mel", share], names["stft", share])
        for share in shares
        if ("mel", share) in names and ("stft", share) in names
    }
    found = comparison.compare(points, pairs, resampled, labels)
    by_name = {f"mel − STFT at {percent(share)}": share for share in shares}
    return {by_name[one.name]: one for one in found}


def _last_gains(
    points: Mapping[str, RunRecord],
    curves: Curves,
    resampled: Mapping[str, np.ndarray],
) -> list[Comparison]:
    """The largest size minus the one before it, for each kind."""
    names = {id(one): name for name, one in points.items()}
    pairs = {}
    for kind, of_kind in curves.items():
        if len(of_kind) > 1:
            before, last = list(of_kind)[-2:]
            ends = names[id(of_kind[last])], names[id(of_kind[before])]
            pairs[f"{KINDS[kind]}, {percent(last)} − {percent(before)}"] = ends
    return comparison.compare(points, pairs, resampled)


def _paragraphs(
    record: SweepRecord,
    points: Mapping[str, RunRecord],
    curves: Curves,
    fits: Mapping[str, LogFit],
) -> list[str]:
    """What was trained, and what a doubling of the clips gains."""
    first = next(iter(points.values()))
    seeds = sorted({int(one.summary["num_seeds"]) for one in points.values()})
    sizes = sorted({train_clips(one) for one in points.values()})
    test_clips = first.summary["scores"]["test"]["num_clips"]
    text = (
        f"{len(points)} points ({', '.join(KINDS[kind] for kind in curves)}), trained "
        f"on {sizes[0]} to {sizes[-1]} clips, the smaller sets inside of the larger "
        f"ones, with {' or '.join(map(str, seeds))} seed(s) each and scored on "
        f"{test_clips} test clips. Mel and STFT learn from the same clips in the same "
        "order, and are paired over seeds."
    )
    missing = [name for name in record.missing if name.startswith(PREFIX)]
    found = [text + (f" Not complete: {', '.join(missing)}." if missing else "")]
    for kind, line in fits.items():
        found.append(
            f"{KINDS[kind]}: twice the clips gain {line.slope:.4f} (95 % "
            f"{comparison.interval(line.slope_interval)}) by a straight line over "
            f"{line.count} sizes, which explains {number(line.r_squared, 3)} of the "
            "variance between them."
        )
    return found


def _illustration(
    curves: Curves,
    labels: str,
    differences: Mapping[float, Comparison],
    lines: Mapping[str, LogFit],
) -> Illustration:
    """Fig. 5 against one kind of labels."""
    clips = {
        kind: np.array([train_clips(one) for one in points.values()], np.float64)
        for kind, points in curves.items()
    }
    values = {
        kind: [comparison.auc(one, labels) for one in points.values()]
        for kind, points in curves.items()
    }
    at = {
        share: float(train_clips(one))
        for points in curves.values()
        for share, one in points.items()
    }
    printed = {at[share]: one.seeds.mean for share, one in differences.items()}
    ticks = {number: f"{percent(share)}\n{number:.0f}" for share, number in at.items()}
    rows = [
        [kind, f"{size:.0f}", str(seed), f"{value:.6f}"]
        for kind in curves
        for size, scores in zip(clips[kind], values[kind], strict=True)
        for seed, value in enumerate(scores)
    ]
    widest = max((abs(value) for value in printed.values()), default=float("nan"))
    return Illustration(
        name="fig5_data_size" + ("" if labels == "weak" else f"_{labels}"),
        plot=functools.partial(scores_by_size, clips, values, lines, printed, ticks),
        alt=f"Macro ROC-AUC against the {labels} labels for mel and STFT by the number "
        f"of training clips; they differ by at most {number(widest)}.",
        caption=f"Fig. 5 against the {labels} labels: mean over seeds, bars are one "
        "standard deviation, dashed lines the fit against log2 of the clips. Above: "
        "mel minus STFT. The vertical axis does not start at chance (0.5).",
        numbers=Table.of_rows(
            f"{labels} labels", ("input", "clips", "seed", "roc_auc_macro"), rows
        ),
    )


def _table(curves: Curves, labels: list[str]) -> Table:
    """Scores of every point, weak beside true."""
    header = ["training clips"]
    header += [f"{KINDS[kind]}, {one} labels" for one in labels for kind in curves]
    shares = sorted({share for points in curves.values() for share in points})
    rows = []
    for share in shares:
        points = [of_kind.get(share) for of_kind in curves.values()]
        size = next(train_clips(one) for one in points if one)
        cells = [score_cell(point, one) for one in labels for point in points]
        rows.append([f"{size} ({percent(share)})", *cells])
    caption = "Macro ROC-AUC on the test split, mean ± deviation over seeds."
    return Table.of_rows(caption, header, rows)


def score_cell(point: RunRecord | None, labels: str) -> str:
    """Mean and deviation over seeds as text, a dash without the point."""
    if point is None:
        return number(None)
    values = comparison.auc(point, labels)
    std = float(values.std(ddof=1)) if len(values) > 1 else None
    return with_spread(float(values.mean()), std)


def _differences(found: Mapping[float, Comparison], labels: str) -> Table:
    """Mel minus STFT against both spreads."""
    rows = list(found.values())
    mean = comparison.average("mel − STFT, mean of sizes", rows)
    caption = (
        f"Mel minus STFT, {labels} labels. Intervals over seeds use the scatter pooled "
        "over all sizes; bold: larger than both spreads."
    )
    return comparison.table(caption, rows + ([mean] if mean else []))


def _fit_table(fits: Mapping[str, Mapping[str, LogFit]]) -> Table:
    """Gain per doubling for each kind and kind of labels."""
    rows = [
        [
            f"{KINDS[kind]}, {labels} labels",
            f"{line.slope:.4f}",
            comparison.interval(line.slope_interval),
            number(line.r_squared, 3),
            f"{comparison.signed(line.curvature, 5)} ± "
            f"{number(line.curvature_half_width, 5)}",
        ]
        for labels, lines in fits.items()
        for kind, line in lines.items()
    ]
    header = ("", "gain per doubling", "95 % (t)", "R²", "curvature per doubling²")
    return Table.of_rows(
        "Straight line through macro ROC-AUC against log2 of the clips.", header, rows
    )
