"""Section III-B.2, Fig. 2: whether noisy labels rank runs as true ones do.

Three scores of each run: on all tags by the ground truth (i), on the four
instrumentation tags by the ground truth (ii), and on these by a re-annotation (iii).
rho 1 is Pearson's correlation of (ii) and (iii), rho 2 that of (i) and (ii), as the
caption says; the text defines rho 2 by all other tags in place of (i), and one of its
sentences swaps the colours of (i) and (iii).
"""

import dataclasses
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from msd_tagger.common import paper
from msd_tagger.pages.page import Illustration
from msd_tagger.pages.style import BLUE, ORANGE, YELLOW
from msd_tagger.pages.tables import ABSENT, Table, interval, number, percent
from studies import comparison, judges, resampling, statistics
from studies.annotation.answers import consensus, find_answers, verdicts_of
from studies.annotation.subsets import OPTIONS, random_subset
from studies.comparison import INPUTS, Ends, Points
from studies.figures import mean_and_std
from studies.judges import Judged
from studies.label_table import find_label_table
from studies.records import RunRecord, SweepRecord
from studies.sections.preprocessing import MAGNITUDES, settings
from studies.statistics import Correlation
from studies.study import Claim, Study
from studies.texts import captioned, claim, figure, rows, say, span

NAME = "reliability"
TITLE = "Reliability of the evaluation (Fig. 2)"
FAMILIES = ("size-mel-", "size-stft-", "pre-")
WIDTH = paper.THIRD_SET_RANGE[1] - paper.THIRD_SET_RANGE[0]
SETS = {"mel": "mel, sizes", "stft": "STFT, sizes", "mixed": "mixed, narrow range"}
# The paper's colours and dashes: its caption, not the sentence that swaps two of them.
CURVES = {
    "all": (YELLOW, "-", "o", "all tags, ground truth"),
    "four": (BLUE, "--", "s", "instrumentation tags, ground truth"),
    "annotated": (ORANGE, ":", "^", "instrumentation tags, re-annotation"),
}
# From a correlation to the curves that it is of: `others` is the score of the tags that
# are not among the four, `tagged` that of the four on the annotated clips alone.
RHOS = {
    "rho_1": ("four", "annotated"),
    "rho_1_same": ("tagged", "annotated"),
    "rho_2": ("four", "all"),
    "rho_2_others": ("four", "others"),
}
# From here on a correlation is called large (Cohen 1988); the paper's are 0.83 to 0.91.
LARGE = 0.5
FEWEST_RUNS = 3  # Two runs always correlate by 1 or -1.
NUM_RESAMPLES = 200  # Of the test clips.


@dataclasses.dataclass(frozen=True)
class AnnotatedClips:
    """Answers for n clips of the test split (the paper's Subset400) and T tags."""

    rows: np.ndarray  # Which clips, indices into the test split [n].
    verdicts: np.ndarray  # float64 [n, T]: 1 yes, 0 no, NaN unknown.
    source: str  # Who answered, as a phrase.

    def auc(
        self, labels: np.ndarray, scores: np.ndarray, weights: np.ndarray
    ) -> np.ndarray:
        """Averages ROC-AUC `[S, R]` over the tags, where there is an answer.

        Labels are 0/1 `[n, T]`, scores `[S, n, T]`, weights of the clips `[n, R]`. Tags
        that cannot be scored are left out; it is NaN without any.
        """
        known, per_tag = np.isfinite(self.verdicts), []
        for k in ([column] for column in range(known.shape[1])):
            of_tag = labels[:, k], scores[:, :, k], weights * known[:, k]
            per_tag.append(resampling.auc_per_seed(*of_tag))
        return np.ma.masked_invalid(per_tag).mean(axis=0).filled(np.nan)[:, :, 0]


@dataclasses.dataclass(frozen=True)
class RunSet:
    """One panel of Fig. 2: runs, their scores, and correlations of these."""

    title: str
    points: Points
    scores: pd.DataFrame  # By point and seed, one column a curve.
    # By those of `RHOS` that are known, of the runs above chance, as all below.
    rhos: Mapping[str, Correlation]
    by_seed: pd.DataFrame  # The same of single seeds, one column a correlation.
    by_clips: pd.DataFrame  # The same on resamples of the test clips.
    subsets: np.ndarray  # `rho_of_subsets`.
    left_out: tuple[str, ...] = ()  # Trainings that cannot be told from chance.

    @property
    def means(self) -> pd.DataFrame:
        """Means over seeds, by point."""
        return self.scores.groupby("point", sort=False).mean()


Sets = Mapping[str, RunSet]
# By the title of a set.
Rhos = Mapping[str, Correlation | None]


def study(record: SweepRecord) -> Study:
    """Redraws Fig. 2 from points `size-mel-…`, `size-stft-…` and `pre-…`.

    Raises:
        AnnotationError: The answers of listeners do not belong to this corpus.
    """
    points, wanted = _usable(record), _options(record)["annotated_labels"]
    tags = _scorable(points, wanted)
    sets = run_sets(points)
    if not sets or not tags:
        lacks_tags = points and not tags
        what = (
            "an instrumentation tag to score" if lacks_tags else "two points of a set"
        )
        return Study(NAME, TITLE, [f"Fig. 2 needs {what}; this study has none."])
    some = next(iter(points.values()))
    num_clips = len(some.arrays["predictions_test"]["track_id"])
    answers = annotated_clips(record, some, tags)
    resamples = int(_options(record).get("num_resamples", NUM_RESAMPLES))
    used = {name: point for of_set in sets.values() for name, point in of_set.items()}
    known = comparison.informed(used)
    scores = {k: scores_of(one, tags, answers, resamples) for k, one in used.items()}
    found = {
        key: _run_set(SETS[key], of_set, scores, tags, resamples, known)
        for key, of_set in sets.items()
    }
    tables = [_rho_table(found), _spread_table(found), _score_table(found)]
    of_subsets = {key: one for key, one in found.items() if len(one.subsets)}
    if of_subsets:
        tables.append(_subset_table(of_subsets, num_clips))
    paragraphs = _paragraphs(found, tags, answers)
    if absent := [one for one in wanted if one not in tags]:
        paragraphs.append(say("reliability.absent", names=", ".join(absent)))
    paragraphs.append(_of_subsets(of_subsets, num_clips))
    gaps = comparison.gaps(record, *FAMILIES)
    gaps += [
        f"{name} has no predictions for the same clips"
        for name in comparison.scored(record.select(*FAMILIES))
        if name not in points
    ]
    claims = _claims(found, gaps)
    return Study(NAME, TITLE, paragraphs, [_illustration(found)], tables, claims)


def run_sets(points: Points) -> dict[str, dict[str, RunRecord]]:
    """Finds mel sizes, STFT sizes and six mixed runs of a narrow range.

    They are chosen from points with scores and stand in the order of the curves. A set
    of fewer than two is left out.
    """
    by_size = sorted(points, key=lambda name: points[name].config["train"]["fraction"])
    sets = {
        kind: {k: points[k] for k in by_size if k.startswith(f"size-{kind}-")}
        for kind in INPUTS
    }
    sets["mixed"] = narrow_set(points)
    return {name: one for name, one in sets.items() if len(one) > 1}


def narrow_set(points: Points) -> dict[str, RunRecord]:
    """Finds up to six runs that differ little, lowest first; see the section."""
    score = {name: float(comparison.auc(one).mean()) for name, one in points.items()}
    # Of equal settings the first.
    distinct: dict[tuple, str] = {}
    for family in FAMILIES:
        for name, one in points.items():
            if name.startswith(family):
                share = float(one.config["train"]["fraction"])
                distinct.setdefault((*settings(one), share), name)
    ranked = sorted(distinct.values(), key=lambda name: (score[name], name))
    if not ranked:
        return {}
    near = [name for name in ranked if score[name] >= score[ranked[-1]] - WIDTH]
    chosen: list[str] = []
    for family in FAMILIES:
        members = [name for name in near if name.startswith(family)]
        chosen += [*members[:1], *members[1:][-1:]]
    chosen += [name for name in near if name not in chosen]
    chosen = chosen[: paper.THIRD_SET_RUNS]
    return {name: points[name] for name in near if name in chosen}


def _short_name(name: str, point: RunRecord) -> str:
    """Says in few letters what tells a training from the others of its study."""
    kind, magnitude, weighting, scale = settings(point)
    if name.startswith("size-"):
        return f"{INPUTS[kind]} {percent(point.config['train']['fraction'])}"
    weightings = {"per_frequency": "per-freq.", "a_weighting": "A-weight."}
    parts = [
        INPUTS[kind] if kind != "mel" else "",
        MAGNITUDES.get(magnitude, magnitude),
        weightings.get(weighting, ""),
        f"×{scale:g}" if scale != 1 else "",
    ]
    return " ".join(part for part in parts if part)


def _options(record: SweepRecord) -> dict:
    return OPTIONS | (record.config.get("analysis") or {})


def _usable(record: SweepRecord) -> dict[str, RunRecord]:
    """Returns scored points with predictions for the same clips as the first one's."""
    scored = comparison.scored(record.select(*FAMILIES))
    arrays = {k: one.arrays.get("predictions_test") for k, one in scored.items()}
    clips = {k: one["track_id"] for k, one in arrays.items() if one}
    first = [*clips.values()][:1]
    return {k: scored[k] for k in clips if np.array_equal([clips[k]], first)}


def _scorable(points: Points, labels: Sequence[str]) -> list[str]:
    """Returns the labels to annotate that the corpus has and that have a score."""
    if not points:
        return []
    some = next(iter(points.values()))
    is_scored = np.isfinite(comparison.auc(some, "weak", "roc_auc_per_tag")).all(axis=0)
    scored = np.array(some.summary["tags"])[is_scored]
    return [label for label in labels if label in scored]


def columns_of(point: RunRecord, tags: Sequence[str]) -> list[int]:
    """Finds where some tags are in the arrays of a point."""
    return [list(point.summary["tags"]).index(tag) for tag in tags]


def annotated_clips(
    record: SweepRecord, point: RunRecord, tags: Sequence[str]
) -> AnnotatedClips | None:
    """Finds the answers for some tags; None where nobody gave any.

    Listeners' answers come from the study's folder, as those of Table I do; without
    any, a corpus that knows the truth answers for the same clips. A point tells which
    clips and labels the test split has.

    Raises:
        AnnotationError: The answers do not belong to this corpus.
    """
    arrays, columns = point.arrays["predictions_test"], columns_of(point, tags)
    options, clips = _options(record), arrays["track_id"]
    draw = {"size": options["subset400_clips"], "seed": options["subset_seed"]}
    subset = random_subset(clips, arrays["tags"][:, columns], tags, **draw)
    # Listeners answered for training clips as well (Subset100).
    known = find_label_table(record.workdir)
    ids = {*clips.tolist(), *(known.track_ids() if known else ())}
    answers = find_answers(record.workdir, ids, point.summary["tags"])
    verdicts = verdicts_of(subset, consensus(answers))
    heard = np.isfinite(verdicts).any(axis=1)
    if heard.any():
        people = len({one.annotator for one in answers})
        source = f"{people} listener(s) on {heard.sum()} test clips"
        return AnnotatedClips(subset.rows[heard], verdicts[heard], source)
    if "true_tags" not in arrays:
        return None
    truth = arrays["true_tags"][subset.rows][:, columns].astype(np.float64)
    source = f"the corpus's own truth on {len(subset.rows)} test clips"
    return AnnotatedClips(subset.rows, truth, source)


def scores_of(
    point: RunRecord,
    tags: Sequence[str],
    answers: AnnotatedClips | None,
    resamples: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores a training by every labelling; all that are compared have the same clips.

    Of two frames with a column for each curve, the first has a row for each seed, the
    second means over seeds and a row for each resample of the test clips, of which
    those with answers are a part.
    """
    arrays, columns = point.arrays["predictions_test"], columns_of(point, tags)
    tagged, scores = arrays["tags"], arrays["scores"]
    every = np.ones((len(tagged), 1))
    weights = np.hstack([every, resampling.bootstrap_weights(len(tagged), resamples)])
    per_tag = np.ma.masked_invalid(resampling.auc_per_seed(tagged, scores, weights))
    others = [k for k in range(tagged.shape[1]) if k not in columns]
    parts: dict[str, Any] = {"all": slice(None), "four": columns, "others": others}
    found = {k: per_tag[:, :, v].mean(axis=2).filled(np.nan) for k, v in parts.items()}
    if answers is not None:
        scores, weights = scores[:, answers.rows][:, :, columns], weights[answers.rows]
        by_tags = tagged[answers.rows][:, columns]
        found["annotated"] = answers.auc(answers.verdicts == 1, scores, weights)
        found["tagged"] = answers.auc(by_tags, scores, weights)
    seeds = pd.Index(comparison.seed_numbers(point), name="seed")
    return (
        pd.DataFrame({k: v[:, 0] for k, v in found.items()}, seeds),
        pd.DataFrame({k: v[:, 1:].mean(axis=0) for k, v in found.items()}),
    )


def _run_set(
    title: str,
    points: Points,
    scores: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]],
    tags: Sequence[str],
    num_subsets: int,
    known_points: Container[str],
) -> RunSet:
    """Correlates the curves of one set: means over seeds, seeds, and resamples.

    Scores at chance are alike by any labels, and would make a correlation of those that
    are not with those that are. They are drawn and left out.
    """
    curves = pd.concat({name: scores[name][0] for name in points}, names=["point"])
    told = {name: one for name, one in points.items() if name in known_points}
    left_out = tuple(name for name in points if name not in told)
    if len(told) < FEWEST_RUNS:
        nothing = pd.DataFrame(), pd.DataFrame(), np.array([])
        return RunSet(title, points, curves, {}, *nothing, left_out)
    by_seed, by_clips = (
        pd.concat({name: scores[name][which] for name in told}, names=["point"])
        for which in (0, 1)
    )
    means = by_seed.groupby("point", sort=False).mean()
    known = {name: pair for name, pair in RHOS.items() if {*pair} <= {*means}}
    rhos = {k: statistics.pearson(means[x], means[y]) for k, (x, y) in known.items()}
    each, moved = _correlate(by_seed), _correlate(by_clips)
    subsets = rho_of_subsets(told, means.four, tags, num_subsets)
    return RunSet(title, points, curves, rhos, each, moved, subsets, left_out)


def _correlate(curves: pd.DataFrame) -> pd.DataFrame:
    """Correlates curves over points, for each seed or resample that all points have."""
    wide = {name: curves[name].unstack().dropna(axis="columns") for name in curves}
    known = {name: pair for name, pair in RHOS.items() if {*pair} <= {*wide}}
    return pd.DataFrame({k: wide[x].corrwith(wide[y]) for k, (x, y) in known.items()})


def rho_of_subsets(
    points: Points, four: Sequence[float], tags: Sequence[str], num_subsets: int
) -> np.ndarray:
    """Computes rho 1 with the truth of all test clips and of random subsets `[1 + R]`.

    The paper could not know how well 400 annotated clips predict rho 1; a corpus that
    knows the truth can tell. `four` are the runs' scores on the instrumentation
    tags by the ground truth. NaN where nothing varies, empty where the truth is
    unknown.
    """
    arrays = [point.arrays["predictions_test"] for point in points.values()]
    if any("true_tags" not in of_point for of_point in arrays):
        return np.array([])
    num_clips = len(arrays[0]["track_id"])
    weights = resampling.subset_weights(num_clips, subset_size(num_clips), num_subsets)
    weights = np.hstack([np.ones((num_clips, 1)), weights])
    true = []
    for point, of_point in zip(points.values(), arrays, strict=True):
        columns = columns_of(point, tags)
        truth, scores = of_point["true_tags"][:, columns], of_point["scores"]
        true.append(resampling.macro_auc(truth, scores[:, :, columns], weights))
    return pd.DataFrame(true).corrwith(pd.Series(np.asarray(four))).to_numpy()


def subset_size(num_clips: int) -> int:
    """Takes 400 clips, or half of a test split that has fewer than twice as many.

    >>> subset_size(28_540), subset_size(900), subset_size(300)
    (400, 400, 150)
    """
    return min(paper.SUBSET_400, num_clips // 2)


def _paragraphs(
    found: Sets, tags: Sequence[str], answers: AnnotatedClips | None
) -> list[str]:
    absent = ", ".join(SETS[name] for name in SETS if name not in found)
    runs = sum(len(one.points) for one in found.values())
    counts = {"runs": runs, "sets": len(found), "width": WIDTH}
    text = say("reliability.compared", tags=", ".join(tags), **counts)
    text += f" Without points: {absent}." if absent else ""
    listened = "Nobody re-annotated these clips, so ρ₁ is unknown."
    if answers is not None:
        heard = int(np.isfinite(answers.verdicts).sum())
        listened = f"Re-annotation: {answers.source}, {heard} answers."
    return [text, say("reliability.read"), listened]


def _of_subsets(found: Sets, num_clips: int) -> str:
    if not found:
        return say("reliability.no_truth")
    some = next(iter(found.values())).subsets
    size = subset_size(num_clips)
    small = say("reliability.too_small", clips=num_clips)
    parts = [
        f"{number(np.nanmedian(np.abs(each - full)), 3)} off ({one.title})"
        for one in found.values()
        for full, each in [(one.subsets[0], one.subsets[1:])]
        if np.isfinite(each).any()
    ]
    return say(
        "reliability.subsets",
        clips=num_clips,
        subsets=len(some) - 1,
        size=f"{size}{small if size < paper.SUBSET_400 else ''}",
        distances=", ".join(parts) or "nothing varies",
    )


def _illustration(found: Sets) -> Illustration:
    labels = {curve: label for curve, (*_, label) in CURVES.items()}
    header = ["set", "point", "curve", "seed", "roc_auc_macro"]
    parts, ticks, rhos = [], {}, {}
    for key, one in found.items():
        # Seeds are numbered from 0 in every training.
        scores = one.scores.rename(columns=labels).reset_index("point")
        scores["seed"] = scores.groupby("point", sort=False).cumcount()
        drawn = [label for label in labels.values() if label in scores]
        melted = scores.melt(["point", "seed"], drawn, "curve", header[-1])
        parts.append(melted.assign(set=key))
        ticks[key] = [_short_name(*pair) for pair in one.points.items()]
        if start := INPUTS.get(key):
            # A size is enough where all are; in the mixed set all that a training is.
            sizes = (name.removeprefix(f"{start} ") for name in ticks[key])
            ticks[key] = [name.removesuffix(" %") for name in sizes]
        of_both = [one.rhos.get(rho) for rho in ("rho_1", "rho_2")]
        printed = (number(rho.value if rho else None, 3) for rho in of_both)
        rhos[key] = "ρ₁ = {}, ρ₂ = {}".format(*printed)
    titles = {key: f"{SETS[key]}\n{text}" for key, text in rhos.items()}
    plot = partial(draw_sets, ticks=ticks, titles=titles)
    frame = pd.concat(parts, ignore_index=True)[header]
    texts = "; ".join(f"{SETS[key]}: {text}" for key, text in rhos.items())
    return figure("fig2_reliability", plot, frame, rhos=texts)


def draw_sets(
    frame: pd.DataFrame, ticks: Mapping[str, Sequence[str]], titles: Mapping[str, str]
) -> Figure:
    """Draws three curves for each set of runs, side by side, two columns wide.

    `frame` has columns `set`, `point`, `curve` and `roc_auc_macro`, one row a seed;
    `ticks` are the short names of a set's runs, `titles` stand above it.
    """
    drawn = Figure(figsize=(7, 3.3))
    panels = drawn.subplots(1, len(ticks), sharey=True, squeeze=False)[0]
    for axes, key in zip(panels, ticks, strict=True):
        of_set = frame[frame["set"] == key]
        for colour, dashes, marker, label in CURVES.values():
            values = mean_and_std(of_set[of_set.curve == label], "point")
            if not len(values):
                continue
            look = {"color": colour, "ls": dashes, "marker": marker, "ms": 4}
            bars = {"yerr": values["std"], "capsize": 2, "elinewidth": 0.8}
            first = {"label": label} if axes is panels[0] else {}
            axes.errorbar(range(len(values)), values["mean"], **look, **bars, **first)
        axes.set_title(titles[key], fontsize=9)
        unit = "% of the training clips" if key in INPUTS else ""
        axes.set_xlabel(unit, fontsize=8)
        upright = max(map(len, ticks[key]), default=0) <= 5
        turned = {} if upright else {"rotation": 40, "ha": "right"}
        axes.set_xticks(range(len(ticks[key])), ticks[key], fontsize=7, **turned)
        axes.margins(x=0.08)
    panels[0].set_ylabel("macro ROC-AUC")
    drawn.legend(loc="outside lower center", ncols=3, fontsize=8)
    return drawn


def with_interval(rho: Correlation | None) -> str:
    """Prints a correlation with its interval.

    >>> with_interval(Correlation(0.905, 7)), with_interval(None)
    ('0.905 (0.477 to 0.986)', '–')
    """
    if rho is None or not np.isfinite(rho.value):
        return ABSENT
    ends, value = span(rho.interval()), f"{rho.value:.3f}".replace("-", "−")
    return value if ends == ABSENT else f"{value} ({ends})"


def _rho_table(found: Sets) -> Table:
    """Tabulates both correlations of each set beside the paper's."""
    printed = dict(zip(SETS, paper.RHO_1, strict=True))
    names = [
        f"{one.title} ({len(one.points) - len(one.left_out)} runs)"
        for one in found.values()
    ]
    of_paper = [*(printed[key] for key in found), float(np.mean(paper.RHO_1))]
    columns = {"": [*names, "mean of sets"]}
    columns["ρ₁, paper"] = [number(one, 3) for one in of_paper]
    means = {"rho_2": f"{_mean_rho_2(found)} (paper: {paper.RHO_2_MEAN})"}
    for rho, text in rows("reliability.rhos"):
        cells = [with_interval(one.rhos.get(rho)) for one in found.values()]
        columns[text] = [*cells, means.get(rho, "")]
    return captioned("rhos", columns)


def _mean_rho_2(found: Sets) -> str:
    values = [one.rhos["rho_2"].value for one in found.values() if one.rhos]
    return number(float(np.mean(values)) if values else None, 3)


def _spread_table(found: Sets) -> Table:
    """Tabulates how far rho 1 and rho 2 move with other seeds and other test clips."""
    sets = found.values()
    columns = {"": [one.title for one in sets]}
    for rho, text in (("rho_1", "ρ₁"), ("rho_2", "ρ₂")):
        seeds = [_ends(one.by_seed.get(rho), 0, 100) for one in sets]
        clips = [_ends(one.by_clips.get(rho), 2.5, 97.5) for one in sets]
        columns |= {f"{text}, seeds": seeds, f"{text}, test clips": clips}
    return captioned("rho_spreads", columns)


def _ends(values: pd.Series | None, *percentiles: float) -> str:
    known = [] if values is None else values.dropna()
    return span(np.percentile(known, percentiles)) if len(known) > 1 else ABSENT


def _score_table(found: Sets) -> Table:
    sets = found.values()
    frame = pd.concat(one.means for one in sets).reindex(columns=CURVES)
    frame.columns = [label for *_, label in CURVES.values()]
    formats = dict.fromkeys(frame, ".4f")
    frame.insert(0, "", [f"{one.title}: {name}" for one in sets for name in one.points])
    return captioned("means", frame, formats)


def _subset_table(found: Sets, num_clips: int) -> Table:
    """Tabulates rho 1 of all clips, and the middle 95 % of that of subsets."""
    cells = []
    for one in found.values():
        full, known = one.subsets[0], pd.Series(one.subsets[1:]).dropna()
        middle = span(resampling.interval(known)) if len(known) else None
        distance = (known - full).abs().median()
        cells.append([one.title, full, known.mean(), middle, distance])
    header = rows("reliability.subset_table", size=subset_size(num_clips))
    frame = pd.DataFrame(cells, columns=[text for (text,) in header])
    return captioned("subsets", frame, dict.fromkeys(frame.select_dtypes(float), ".3f"))


def _claims(found: Sets, gaps: Sequence[str]) -> list[Claim]:
    """Judges the claims, ρ₂ by the other tags, as the four are among all tags."""

    def rhos(name: str, sets: Iterable[str]) -> Rhos:
        there = {key: found[key].rhos for key in sets if key in found}
        return {SETS[key]: there.get(key, {}).get(name) for key in sets}

    sizes, others = rhos("rho_1", INPUTS), rhos("rho_2_others", SETS)
    on_average = f"{_mean_rho_2(found)} on average; without the four tags "
    on_average += _printed(others)
    of_sizes = [one for one in gaps if not one.startswith("pre-")]
    return [
        claim("ranks-sizes", _printed(sizes), *_large(sizes, found, of_sizes)),
        narrow_claim(found, gaps),
        claim("stands-for-all", on_average, *_large(others, found, gaps)),
    ]


def narrow_claim(found: Sets, gaps: Sequence[str] = ()) -> Claim:
    """Judges that small differences are evaluated less reliably.

    By rho 1 of the mixed set minus the mean of those over sizes: how far that moves
    with the test clips (on the same resamples) and with the seeds, together.
    """
    narrow = found.get("mixed")
    # Of fewer than four runs it is not known how far a correlation may be off.
    wide = [
        found[k]
        for k in INPUTS
        if k in found and (rho := found[k].rhos.get("rho_1")) and rho.count > 3
    ]
    mixed = narrow.rhos.get("rho_1") if narrow else None
    judged = judges.unknown("it needs ρ₁ of the narrow set and of a wide one.")
    if narrow and mixed is not None and wide:
        ends = _difference(narrow, wide)
        texts = [number(one.rhos["rho_1"].value, 3) for one in wide]
        why = say(
            "reliability.narrow",
            rho=number(mixed.value, 3),
            runs=mixed.count,
            sizes=" and ".join(texts),
            ends=interval(ends, 3),
        )
        judged = judges.below(ends, 0, why + _near_chance([narrow, *wide]))
        judged = judges.complete(judged, gaps)
    here = f"ρ₁ = {with_interval(mixed)}"
    if narrow:
        aucs = narrow.means["all"]
        here += f", AUC from {aucs.min():.3f} to {aucs.max():.3f}"
    return claim("narrow-range", here, *judged)


def _difference(narrow: RunSet, wide: Sequence[RunSet]) -> Ends:
    """Gives an interval of Fisher's z: of the narrow set's rho 1 minus the wide mean.

    It holds the spreads over seeds and test clips, and Fisher's own, for few runs.
    """

    def apart(values: Callable[[RunSet], Any]) -> Any:
        with np.errstate(divide="ignore"):
            z = [np.arctanh(values(one)) for one in (narrow, *wide)]
        return z[0] - sum(z[1:]) / len(wide)

    left = [max(one.rhos["rho_1"].count - 3, 0) for one in (narrow, *wide)]
    if not all(left):  # Two runs correlate by 1, or by rounding more.
        return float("nan"), float("nan")
    mean = float(apart(lambda one: one.rhos["rho_1"].value))
    of_seeds = apart(lambda one: one.by_seed.rho_1).dropna()
    of_clips = apart(lambda one: one.by_clips.rho_1).dropna()
    if not len(of_clips) or len(of_seeds) < 2:
        return float("nan"), float("nan")
    few = np.sqrt(1 / left[0] + sum(1 / n for n in left[1:]) / len(wide) ** 2)
    halves = [statistics.normal_half_width(few, 1)]
    halves.append(statistics.normal_half_width(float(of_clips.std()), 1))
    halves.append(np.diff(statistics.mean_interval(of_seeds))[0] / 2)
    half = float(np.hypot.reduce(halves))
    return mean - half, mean + half


def _large(rhos: Rhos, found: Sets, gaps: Sequence[str]) -> Judged:
    known = {k: one for k, one in rhos.items() if one and np.isfinite(one.value)}
    if not known:
        return judges.unknown("no correlation is known.")
    ends = [one.interval() for one in known.values()]
    wider = [one.interval(len(known)) for one in known.values()]
    counts = {"large": sum(low > LARGE for low, _ in ends), "all": len(known)}
    why = say("reliability.large", limit=LARGE, **counts)
    why += _near_chance([one for one in found.values() if one.title in rhos])
    absent = [f"{k} has no correlation" for k in rhos if k not in known]
    return judges.whole(judges.every(ends, wider, LARGE, 1, why), absent or gaps)


def _near_chance(sets: Sequence[RunSet]) -> str:
    """Says which runs the correlations leave out, if any."""
    names = dict.fromkeys(name for one in sets for name in one.left_out)
    return comparison.left_out(names)


def _printed(rhos: Rhos) -> str:
    texts = [f"{title}: {with_interval(one)}" for title, one in rhos.items()]
    return "; ".join(texts) or ABSENT
