"""Sections IV-C and IV-D, Fig. 7: which preprocessing of the input matters."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from msd_tagger.pages.page import Illustration
from msd_tagger.pages.tables import ABSENT, Table, percent
from studies import comparison
from studies.comparison import Comparison
from studies.log_fit import LogFit
from studies.records import RunRecord, SweepRecord
from studies.run_sets import KINDS
from studies.sections import data_size, first_layer
from studies.sections import preprocessing_claims as claims
from studies.study import Study
from studies.study_figures.preprocessing import WEIGHTINGS, scores_by_preprocessing

NAME = "preprocessing"
PREFIX = "pre-"
TITLE = "Decibels, frequency weighting and scaling of the input (Fig. 7)"
MAGNITUDES = {"db": "dB", "linear": "linear"}
# The paper's names of the groups of Fig. 7.
GROUPS = {
    ("db", False): "1",
    ("db", True): "1s",
    ("linear", False): "2",
    ("linear", True): "2s",
}

# A point by what it varies: kind, magnitude, weighting and scale.
Settings = tuple[str, str, str, float]


def study(record: SweepRecord) -> Study:
    """Redraws Fig. 7 from the grid of preprocessings.

    Args:
        record: a study with points whose names start with `pre-`; where it has points
            `size-mel-…` as well, they stand at the right and say what dB is worth.

    Returns:
        The section; without points of the grid, a sentence that says so.
    """
    points = comparison.scored(record.select(PREFIX))
    if not points:
        text = "No point of this study varies the preprocessing."
        return Study(NAME, TITLE, [text])
    labels = comparison.known_labels(points)
    resamples = comparison.num_resamples(record)
    resampled = {
        kind: comparison.resampled_auc(points, kind, resamples) for kind in labels
    }
    found = {kind: compare_all(points, resampled[kind], kind) for kind in labels}
    sizes = comparison.scored(record.select(data_size.PREFIX))
    curves = data_size.curves_by_kind(sizes)
    line = data_size.fit_curves(curves, "weak").get("mel")
    limit = comparison.smallest_difference(points)
    weak = found["weak"]
    biases = first_layer.ratios(_scale_pairs(points), points)
    return Study(
        name=NAME,
        title=TITLE,
        paragraphs=_paragraphs(record, points, limit, line),
        illustrations=[_illustration(points, curves, kind) for kind in labels],
        tables=[
            _table(points, labels),
            *(_differences(found[kind], kind) for kind in labels),
            *first_layer.tables(biases),
        ],
        claims=[
            claims.of_decibels(weak["magnitude"]),
            claims.of_nothing(
                "Frequency weighting makes no significant difference.",
                weak["weighting"],
                weak["magnitude"],
                limit,
            ),
            claims.of_nothing(
                "Multiplying the input by 10 makes no significant difference.",
                weak["scale"],
                weak["magnitude"],
                limit,
            ),
            claims.of_stft(weak["stft"]),
            first_layer.claim(biases),
            claims.of_data(weak["magnitude"], line),
        ],
    )


def settings(point: RunRecord) -> Settings:
    """What a point of the grid varies."""
    chosen = point.config["preprocessing"]
    return (
        point.config["spectrogram"]["kind"],
        chosen["magnitude"],
        chosen["frequency_weighting"],
        float(chosen["scale"]),
    )


def compare_all(
    points: Mapping[str, RunRecord], resampled: Mapping[str, np.ndarray], labels: str
) -> dict[str, list[Comparison]]:
    """Every comparison of Fig. 7, by what differs.

    Returns:
        `magnitude` (mel, dB minus linear), `weighting`, `scale` (scaled minus not) and
        `stft` (dB minus linear).
    """
    pairs = {
        "magnitude": _magnitude_pairs(points, "mel"),
        "weighting": _weighting_pairs(points),
        "scale": _scale_pairs(points),
        "stft": _magnitude_pairs(points, "stft"),
    }
    return {
        name: comparison.compare(points, of_one, resampled, labels)
        for name, of_one in pairs.items()
    }


def _by_settings(points: Mapping[str, RunRecord]) -> dict[Settings, str]:
    return {settings(point): name for name, point in points.items()}


def _magnitude_pairs(
    points: Mapping[str, RunRecord], kind: str
) -> dict[str, tuple[str, str]]:
    """Decibels minus power, all else equal."""
    names = _by_settings(points)
    return {
        f"dB − linear, {_weighting(weighting)}, ×{scale:g}": (
            name,
            names[kind, "linear", weighting, scale],
        )
        for (its_kind, magnitude, weighting, scale), name in names.items()
        if (its_kind, magnitude) == (kind, "db")
        and (kind, "linear", weighting, scale) in names
    }


def _weighting_pairs(points: Mapping[str, RunRecord]) -> dict[str, tuple[str, str]]:
    """Two weightings, within each group of Fig. 7."""
    names = _by_settings(points)
    groups = sorted({(key[1], key[3]) for key in names if key[0] == "mel"})
    return {
        f"{_weighting(first)} − {_weighting(second)}, {MAGNITUDES[group[0]]}, "
        f"×{group[1]:g}": (names[one], names[two])
        for group in groups
        for first, second in itertools.combinations(WEIGHTINGS, 2)
        if (one := ("mel", group[0], first, group[1])) in names
        and (two := ("mel", group[0], second, group[1])) in names
    }


def _scale_pairs(points: Mapping[str, RunRecord]) -> dict[str, tuple[str, str]]:
    """The scaled input minus that as it is, all else equal."""
    names = _by_settings(points)
    return {
        f"×{scale:g} − ×1, {MAGNITUDES[magnitude]}, {_weighting(weighting)}": (
            name,
            names["mel", magnitude, weighting, 1.0],
        )
        for (kind, magnitude, weighting, scale), name in names.items()
        if kind == "mel" and scale != 1 and ("mel", magnitude, weighting, 1.0) in names
    }


def _weighting(name: str) -> str:
    return WEIGHTINGS[name][1] if name in WEIGHTINGS else name


def _paragraphs(
    record: SweepRecord,
    points: Mapping[str, RunRecord],
    limit: float,
    line: LogFit | None,
) -> list[str]:
    """What was trained, and how differences are judged."""
    first = next(iter(points.values()))
    seeds = sorted({int(one.summary["num_seeds"]) for one in points.values()})
    test_clips = first.summary["scores"]["test"]["num_clips"]
    text = (
        f"{len(points)} points of the grid, {' or '.join(map(str, seeds))} seed(s) "
        f"each, scored on {test_clips} test clips. All learn from the same clips in "
        "the same order, and seeds of equal numbers start from the same weights, so "
        "differences are paired over seeds."
    )
    missing = [name for name in record.missing if name.startswith(PREFIX)]
    text += f" Not complete: {', '.join(missing)}." if missing else ""
    judged = (
        "Two runs that differ in the seed alone lie farther apart than "
        f"{limit:.4f} in 5 % of all cases (deviation pooled over these points); the "
        "paper's rule is 0.005."
        if np.isfinite(limit)
        else "With one seed the spread over seeds is unknown: nothing can be called "
        "significant."
    )
    alone = "What dB is worth in data needs points of several sizes; there are none."
    return [text, judged] + ([] if line else [alone])


def _illustration(
    points: Mapping[str, RunRecord], curves: data_size.Curves, labels: str
) -> Illustration:
    """Fig. 7 against one kind of labels."""
    groups = _groups(points, labels)
    mel = data_size.known(curves.get("mel", {}), labels)
    sizes = {share: comparison.auc(one, labels) for share, one in mel.items()}
    rows = [
        [group.replace("\n", " "), weighting, str(seed), f"{value:.6f}"]
        for group, by_weighting in groups.items()
        for weighting, values in by_weighting.items()
        for seed, value in enumerate(values)
    ]
    rows += [
        [f"dB, {percent(share)} of the clips", "", str(seed), f"{value:.6f}"]
        for share, values in sizes.items()
        for seed, value in enumerate(values)
    ]
    beside = " At the right the training set's size varies." if sizes else ""
    return Illustration(
        name="fig7_preprocessing" + ("" if labels == "weak" else f"_{labels}"),
        plot=functools.partial(scores_by_preprocessing, groups, sizes),
        alt=f"Macro ROC-AUC against the {labels} labels by magnitude, scale and "
        "frequency weighting.",
        caption=f"Fig. 7 against the {labels} labels: mel spectrograms, mean over "
        "seeds, bars are one standard deviation. Groups as in the paper: 1 is dB, 2 "
        f"linear, s stands for the scaled input.{beside} The vertical axis does not "
        "start at chance (0.5).",
        numbers=Table.of_rows(
            f"{labels} labels", ("group", "weighting", "seed", "roc_auc_macro"), rows
        ),
    )


def _groups(
    points: Mapping[str, RunRecord], labels: str
) -> dict[str, dict[str, np.ndarray]]:
    """Scores of the mel points by group and weighting, in the paper's order."""
    groups: dict[str, dict[str, np.ndarray]] = {}
    order = list(GROUPS)
    found = {settings(point): point for point in points.values()}
    mel = [key for key in found if key[0] == "mel"]
    for key in sorted(mel, key=lambda key: order.index((key[1], key[3] != 1))):
        _, magnitude, weighting, scale = key
        name = GROUPS[magnitude, scale != 1]
        title = f"{name}\n{MAGNITUDES[magnitude]} ×{scale:g}"
        values = comparison.auc(found[key], labels)
        groups.setdefault(title, {})[weighting] = values
    return groups


def _table(points: Mapping[str, RunRecord], labels: Sequence[str]) -> Table:
    """Scores of every point, weak beside true."""
    rows = []
    for point in points.values():
        kind, magnitude, weighting, scale = settings(point)
        group = GROUPS[magnitude, scale != 1] if kind == "mel" else ABSENT
        cells = [data_size.score_cell(point, one) for one in labels]
        what = f"{KINDS[kind]}, {MAGNITUDES[magnitude]}, ×{scale:g}"
        rows.append([f"{what}, {_weighting(weighting)}", group, *cells])
    header = ("input", "group", *(f"{one} labels" for one in labels))
    caption = "Macro ROC-AUC on the test split, mean ± deviation over seeds."
    return Table.of_rows(caption, header, rows)


def _differences(found: Mapping[str, list[Comparison]], labels: str) -> Table:
    """All comparisons against both spreads, dB first."""
    mean = comparison.average("dB − linear, mean of the above", found["magnitude"])
    rows = [*found["magnitude"], *([mean] if mean else [])]
    rows += [_named(one, "STFT: ") for one in found["stft"]]
    rows += [*found["weighting"], *found["scale"]]
    caption = (
        f"Differences, {labels} labels. Intervals over seeds use the scatter pooled "
        "over comparisons of one sort; bold: larger than both spreads."
    )
    return comparison.table(caption, rows)


def _named(one: Comparison, start: str) -> Comparison:
    return Comparison(start + one.name, one.seeds, one.run_std, one.resampled)
