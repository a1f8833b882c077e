"""Section III-B.2, Fig. 2: whether noisy labels rank trainings as true ones do.

Three scores of each training: on all tags by the ground truth (i), on the four
instrumentation tags by the ground truth (ii), and on these by a re-annotation (iii).
rho 1 is Pearson's correlation of (ii) and (iii), rho 2 that of (i) and (ii). So say the
definitions of the text and the caption; one sentence of the text swaps the colours of
(i) and (iii).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence

import numpy as np

from msd_tagger.common import paper
from msd_tagger.pages.page import Illustration
from msd_tagger.pages.tables import Table, number
from studies import comparison, run_sets, statistics
from studies.records import RunRecord, SweepRecord
from studies.sections import groundtruth, rho_spread, subset_size
from studies.sections import reliability_claims as claims
from studies.sections.annotated_clips import AnnotatedClips, annotated_clips
from studies.sections.rho_spread import RhoSpread
from studies.statistics import Correlation
from studies.study import Study
from studies.study_figures.reliability import CURVES, three_sets

NAME = "reliability"
TITLE = "Reliability of the evaluation (Fig. 2)"
SETS = {"mel": "mel, sizes", "stft": "STFT, sizes", "mixed": "mixed, narrow range"}


@dataclasses.dataclass(frozen=True)
class RunSet:
    """One panel of Fig. 2.

    Attributes:
        points: its trainings, by name.
        curves: `all`, `four` and `annotated` (where known), one array of scores per
            seed for each training.
        rho_1: of (ii) and (iii), None without answers.
        rho_1_same: the same, with (ii) on the annotated clips alone.
        rho_2: of (i) and (ii).
        rho_2_others: the same, with (i) on the other tags alone.
    """

    points: Mapping[str, RunRecord]
    curves: Mapping[str, list[np.ndarray]]
    rho_1: Correlation | None
    rho_1_same: Correlation | None
    rho_2: Correlation
    rho_2_others: Correlation


def study(record: SweepRecord) -> Study:
    """Redraws Fig. 2 from the points of the other studies.

    Args:
        record: a study with points `size-mel-…`, `size-stft-…` and `pre-…`.

    Returns:
        The section; a sentence where the tags or the points for it are missing.

    Raises:
        AnnotationError: the answers of listeners do not belong to this corpus.
    """
    points = _usable(record)
    options = groundtruth.OPTIONS | (record.config.get("analysis") or {})
    tags = _scorable(points, options["annotated_labels"])
    sets = run_sets.run_sets(points)
    if not sets or not tags:
        what = "two points of a set" if tags else "an instrumentation tag to score"
        return Study(NAME, TITLE, [f"Fig. 2 needs {what}; this study has none."])
    answers = _answers(record, points, tags)
    found = {name: _run_set(one, tags, answers) for name, one in sets.items()}
    subsets = subset_size.predictions_of_rho(
        {name: one.points for name, one in found.items()},
        tags,
        comparison.num_resamples(record),
    )
    spreads = _spreads(found, tags, answers, comparison.num_resamples(record))
    return Study(
        name=NAME,
        title=TITLE,
        paragraphs=[
            *_paragraphs(found, tags, answers),
            *subset_size.sentences(subsets, SETS),
        ],
        illustrations=[_illustration(found)],
        tables=[
            _table(found),
            rho_spread.table(spreads, SETS),
            _scores(found),
            *subset_size.tables(subsets, SETS),
        ],
        claims=[
            claims.of_rho_1(found, SETS),
            claims.of_narrow_range(found, spreads),
            claims.of_rho_2(found, SETS),
        ],
    )


def tag_columns(point: RunRecord, tags: Sequence[str]) -> list[int]:
    """Where some tags are in the arrays of a point."""
    return [list(point.summary["tags"]).index(tag) for tag in tags]


def mean_of_tags(point: RunRecord, tags: Sequence[str], kind: str) -> np.ndarray:
    """Mean ROC-AUC of some tags for every seed, [S]; tags without one are left out."""
    per_seed = point.summary["scores"]["test"][kind]["per_seed"]
    values = np.array([one["roc_auc_per_tag"] for one in per_seed], np.float64)
    chosen = np.ma.masked_invalid(values[:, tag_columns(point, tags)])
    return chosen.mean(axis=1).filled(np.nan)


def _usable(record: SweepRecord) -> dict[str, RunRecord]:
    """Scored points with predictions for the same clips as the first one's."""
    points, clips = {}, None
    for name, one in comparison.scored(record.points).items():
        arrays = one.arrays.get("predictions_test")
        if arrays is None or not name.startswith(run_sets.FAMILIES):
            continue
        clips = arrays["track_id"] if clips is None else clips
        if np.array_equal(arrays["track_id"], clips):
            points[name] = one
    return points


def _scorable(points: Mapping[str, RunRecord], labels: Sequence[str]) -> list[str]:
    """The labels to annotate that the corpus has and that have a score."""
    if not points:
        return []
    first = next(iter(points.values()))
    known = [label for label in labels if label in first.summary["tags"]]
    return [
        tag for tag in known if np.isfinite(mean_of_tags(first, [tag], "weak")).all()
    ]


def _answers(
    record: SweepRecord, points: Mapping[str, RunRecord], tags: Sequence[str]
) -> AnnotatedClips | None:
    first = next(iter(points.values()))
    return annotated_clips(record, first, tuple(tags))


def _run_set(
    points: Mapping[str, RunRecord], tags: Sequence[str], answers: AnnotatedClips | None
) -> RunSet:
    """Curves and correlations of one set."""
    some = next(iter(points.values()))
    others = [tag for tag in some.summary["tags"] if tag not in tags]
    curves = {
        "all": [comparison.auc(one) for one in points.values()],
        "four": [mean_of_tags(one, tags, "weak") for one in points.values()],
    }
    rest = [mean_of_tags(one, others, "weak") for one in points.values()]
    same = None
    if answers is not None:
        both = [_annotated(one, tags, answers) for one in points.values()]
        curves["annotated"] = [heard for heard, _ in both]
        same = [tagged for _, tagged in both]
    rho = functools.partial(_rho, curves["four"])
    return RunSet(
        points=points,
        curves=curves,
        rho_1=rho(curves["annotated"]) if same else None,
        rho_1_same=_rho(same, curves["annotated"]) if same else None,
        rho_2=rho(curves["all"]),
        rho_2_others=rho(rest),
    )


def _spreads(
    found: Mapping[str, RunSet],
    tags: Sequence[str],
    answers: AnnotatedClips | None,
    resamples: int,
) -> dict[str, RhoSpread]:
    """How far both correlations of each set move with seeds and test clips."""
    points = {
        name: one for of_set in found.values() for name, one in of_set.points.items()
    }
    columns = tag_columns(next(iter(points.values())), tags)
    resampled = rho_spread.resampled_curves(points, columns, answers, resamples)
    return {
        key: rho_spread.spread_of_rho(
            one.curves,
            [comparison.seed_numbers(point) for point in one.points.values()],
            [resampled[name] for name in one.points],
        )
        for key, one in found.items()
    }


def _annotated(
    point: RunRecord, tags: Sequence[str], answers: AnnotatedClips
) -> tuple[np.ndarray, np.ndarray]:
    """Macro ROC-AUC of every seed on the annotated clips: by answers, by the tags."""
    arrays, columns = point.arrays["predictions_test"], tag_columns(point, tags)
    scores = arrays["scores"][:, answers.rows][:, :, columns]
    tagged = arrays["tags"][answers.rows][:, columns]
    every = np.ones((len(answers.rows), 1))
    return (
        np.array([answers.auc(one, every)[0] for one in scores]),
        np.array([answers.tagged_auc(tagged, one) for one in scores]),
    )


def _rho(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> Correlation:
    """Pearson's correlation of two curves, each the mean over seeds."""
    return statistics.pearson(
        [one.mean() for one in first], [one.mean() for one in second]
    )


def _paragraphs(
    found: Mapping[str, RunSet], tags: Sequence[str], answers: AnnotatedClips | None
) -> list[str]:
    """What was compared, and how the paper was read."""
    absent = [SETS[name] for name in SETS if name not in found]
    text = (
        f"{sum(len(one.points) for one in found.values())} trainings in {len(found)} "
        f"sets; {run_sets.RULE}. The instrumentation tags are {', '.join(tags)}."
    )
    text += f" Without points: {', '.join(absent)}." if absent else ""
    read = (
        "ρ₁ is Pearson's correlation between the instrumentation tags' score by the "
        "ground truth and that by the re-annotation, ρ₂ that between the score of all "
        "tags and of the instrumentation tags, both by the ground truth. The paper's "
        "definitions and caption agree on this; one of its sentences swaps the colours "
        "of all tags and of the re-annotation. Scores by the ground truth use the "
        "whole test split. The instrumentation tags are among all tags, so ρ₂ is also "
        "given for the other tags alone."
    )
    if answers is None:
        return [text, read, "Nobody re-annotated these clips, so ρ₁ is unknown."]
    heard = int(np.isfinite(answers.verdicts).sum())
    return [text, read, f"Re-annotation: {answers.source}, {heard} answers."]


def _illustration(found: Mapping[str, RunSet]) -> Illustration:
    """Fig. 2."""
    names = {
        key: [_tick(key, *pair) for pair in one.points.items()]
        for key, one in found.items()
    }
    units = dict.fromkeys(run_sets.KINDS, "% of the training clips")
    titles = {key: f"{SETS[key]}\n{_rhos(one)}" for key, one in found.items()}
    curves = {key: one.curves for key, one in found.items()}
    rows = [
        [key, name, CURVES[curve][3], str(seed), f"{value:.6f}"]
        for key, one in found.items()
        for curve, values in one.curves.items()
        for name, scores in zip(one.points, values, strict=True)
        for seed, value in enumerate(scores)
    ]
    header = ("set", "point", "curve", "seed", "roc_auc_macro")
    return Illustration(
        name="fig2_reliability",
        plot=functools.partial(three_sets, names, curves, titles, units),
        alt="Three sets of trainings, macro ROC-AUC by three labellings; "
        + "; ".join(f"{SETS[key]}: {_rhos(one)}" for key, one in found.items())
        + ".",
        caption="Fig. 2: means over seeds, bars are one standard deviation.",
        numbers=Table.of_rows("Fig. 2", header, rows),
    )


def _tick(key: str, name: str, point: RunRecord) -> str:
    """What stands below a point: its size, or in the mixed set all that it is."""
    text = run_sets.short_name(name, point)
    if key not in run_sets.KINDS:
        return text
    return text.removeprefix(f"{run_sets.KINDS[key]} ").removesuffix(" %")


def _rhos(one: RunSet) -> str:
    first = "–" if one.rho_1 is None else number(one.rho_1.value, 3)
    return f"ρ₁ = {first}, ρ₂ = {number(one.rho_2.value, 3)}"


def _table(found: Mapping[str, RunSet]) -> Table:
    """Both correlations of each set beside the paper's."""
    printed = dict(zip(SETS, paper.RHO_1, strict=True))
    rows = [
        [
            f"{SETS[key]} ({len(one.points)} trainings)",
            number(printed[key], 3),
            *map(claims.with_interval, (one.rho_1, one.rho_1_same)),
            *map(claims.with_interval, (one.rho_2, one.rho_2_others)),
        ]
        for key, one in found.items()
    ]
    known = [one.rho_2.value for one in found.values()]
    mean = ["mean of sets", number(np.mean(paper.RHO_1), 3), "", ""]
    rows.append([*mean, f"{number(np.mean(known), 3)} (paper: {paper.RHO_2_MEAN})", ""])
    header = (
        "",
        "ρ₁, paper",
        "ρ₁ (95 %)",
        "ρ₁, both on the annotated clips",
        "ρ₂ (95 %)",
        "ρ₂, the other tags",
    )
    caption = "Correlations of Fig. 2, Pearson's with Fisher's intervals."
    return Table.of_rows(caption, header, rows)


def _scores(found: Mapping[str, RunSet]) -> Table:
    """What is drawn, as means over seeds."""
    rows = []
    for key, one in found.items():
        for index, name in enumerate(one.points):
            cells = [
                number(one.curves[curve][index].mean()) if curve in one.curves else "–"
                for curve in CURVES
            ]
            rows.append([f"{SETS[key]}: {name}", *cells])
    header = ("", *(label for *_, label in CURVES.values()))
    return Table.of_rows("Macro ROC-AUC, means over seeds.", header, rows)
