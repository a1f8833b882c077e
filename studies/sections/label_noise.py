"""What noisy labels do to training and to evaluation, and what a corrected loss mends.

The paper asks how noisy labels are; here they are made noisier, with the truth in hand.
Scores are against the reference: the truth, or where no point learns from it, the
corpus's own labels, to which all errors were then added.
"""

import dataclasses
import functools
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from msd_tagger.common import paper
from msd_tagger.pages.page import Illustration
from msd_tagger.pages.style import BLUE, GREEN, ORANGE, PINK, ink, label
from msd_tagger.pages.tables import (
    ABSENT,
    Table,
    interval,
    number,
    over_seeds,
    percent,
    signed,
)
from studies import comparison, judges, resampling, statistics
from studies.comparison import LABEL_ARRAYS, Comparison, Ends, Placed, Points
from studies.figures import Look, mean_and_std, name_rows
from studies.records import RunRecord, SweepRecord
from studies.sections.reliability import LARGE
from studies.statistics import Correlation
from studies.study import Claim, Study
from studies.texts import captioned, claim, figure, say

NAME, TITLE = "label_noise", "Noisy labels in training and evaluation, and a remedy"
PREFIX = "noise-"
FEWEST_TAGS = 4  # Fisher's interval of a correlation needs them.
DROP, FLIP, WEAK = "positives missing", "labels flipped", "weak labels"
ANNOTATED = "annotated clips"
LOOKS = {
    DROP: (BLUE, "o"),
    FLIP: (ORANGE, "s"),
    WEAK: (GREEN, "D"),
    ANNOTATED: (PINK, "^"),
}
# How a corrected loss knows the rates.
RATES = {
    "true": "true rates",
    "annotated": "rates from annotated clips",
    "true*0.5": "half the true odds",
    "true*2": "twice the true odds",
}
# Rates of errors in evaluation labels, how often each is drawn, and annotated clips.
EVALUATION = {DROP: (0.25, 0.5, 0.75, 0.9), FLIP: (0.01, 0.02, 0.05, 0.1, 0.2)}
DRAWS = 20
ANNOTATED_SIZES = (50, 100, 200, 400, 800, 1600)
# Steps of a doubling at which the clean score is interpolated.
STEPS = 12


class Setting(NamedTuple):
    """What a point learns from, by the keys of `train`."""

    labels: str  # `weak` or `true`.
    drop: float
    flip: float
    share: float  # Of the training clips.
    rates: str  # That the loss corrects for, as `train.label_noise` says.

    @property
    def is_noisy(self) -> bool:
        """Whether this is a study's noise: all clips, and no correction."""
        return self.share == 1 and not self.rates

    def name(self, clean: str) -> str:
        """Says in few words what differs from the clean labels."""
        parts = [WEAK if self.labels != clean else ""]
        parts += [f"{percent(self.drop)} of {DROP}" if self.drop else ""]
        parts += [f"{percent(self.flip)} of {FLIP}" if self.flip else ""]
        kind = "clean" if clean == "true" else "own"
        parts = [one for one in parts if one] or [f"{kind} labels"]
        parts += [f"{percent(self.share)} of the clips" if self.share != 1 else ""]
        rates = RATES.get(self.rates, self.rates)
        parts += [f"corrected by {rates}" if rates else ""]
        return ", ".join(one for one in parts if one)


class Worth(NamedTuple):
    """How many clean clips a noisy one is worth."""

    share: float  # Where the clean score is the noisy one; an end of `range` beyond it.
    ends: Ends  # Of 95 %; 0 and inf where no smaller, or no larger set was compared.
    range: Ends  # Of the sizes that were compared.

    def __str__(self) -> str:
        """Prints it, as far as it is known.

        >>> str(Worth(0.5, (0, 0.7), (0.2, 1)))
        '0.50 (95 %: below 0.70)'
        >>> str(Worth(1, (0.6, math.inf), (0.2, 1)))
        'at least 1 (95 %: above 0.60)'
        """
        low, high = self.ends
        at = f"{self.share:.2f}"
        if self.share <= self.range[0]:
            at = f"at most {self.range[0]:.2g}"
        elif self.share >= self.range[1]:
            at = f"at least {self.range[1]:.2g}"
        known = f"{low:.2f} to {high:.2f}"
        if low == 0:
            known = f"below {high:.2f}" if math.isfinite(high) else "not known"
        elif math.isinf(high):
            known = f"above {low:.2f}"
        return f"{at} (95 %: {known})"


@dataclasses.dataclass(frozen=True)
class Runs:
    """The points of a study, and what they are compared by."""

    points: Points
    reference: str  # The labels that scores are against, `weak` or `true`.
    placed: Placed  # By the reference.

    @functools.cached_property
    def settings(self) -> dict[str, Setting]:
        """What each point learns from."""
        return {name: setting(point) for name, point in self.points.items()}

    def find(self, **changes: Any) -> str | None:
        """Names the point that learns from clean labels but for some changes."""
        clean = Setting(self.reference, 0.0, 0.0, 1.0, "")
        wanted = clean._replace(**changes)
        return next((k for k, one in self.settings.items() if one == wanted), None)

    @property
    def base(self) -> str | None:
        """Names the point that corrections are compared with: that of weak labels."""
        fixed = [one for one in self.settings.values() if one.rates]
        if fixed:
            return self.find(**fixed[0]._replace(rates="")._asdict())
        return self.find(labels="weak") if self.reference == "true" else None

    @functools.cached_property
    def above_chance(self) -> "Runs":
        """The points whose scores can be told from chance, as others have no rank."""
        known = comparison.informed(self.points, self.reference, self.placed)
        points = {name: one for name, one in self.points.items() if name in known}
        return dataclasses.replace(self, points=points)

    @property
    def against(self) -> str:
        """Says what the reference is."""
        known = self.reference == "true"
        return "the truth" if known else "the corpus's own labels"

    def title(self, name: str) -> str:
        """Says what a point learns from."""
        return self.settings[name].name(self.reference)

    def compare(
        self, pairs: Sequence[tuple[str | None, str | None]]
    ) -> list[Comparison]:
        """Compares points; pairs that lack one are left out."""
        known = [(a, b) for a, b in pairs if a and b and a != b]
        named = {f"{self.title(a)} − {self.title(b)}": (a, b) for a, b in known}
        return comparison.compare(self.points, named, self.placed, self.reference)


def study(record: SweepRecord) -> Study:
    """Compares training on noisy labels, evaluation on them, and a corrected loss.

    Without points that start with `noise-` a sentence says so.
    """
    points = comparison.scored(record.select(PREFIX))
    if not points:
        return Study(NAME, TITLE, [say("label_noise.no_points")])
    # Also where the points that learn from the truth are not complete yet.
    asked = (dict(changes) for _, changes in record.config["sweep"])
    learnt = {one.get("train.labels") for one in asked}
    learnt |= {setting(point).labels for point in points.values()}
    reference = "true" if "true" in learnt else "weak"
    runs = Runs(points, reference, comparison.place(points, reference))
    noisy = [k for k, one in runs.settings.items() if one.is_noisy and k != runs.find()]
    costs = runs.compare([(runs.find(), one) for one in noisy])
    worths = {one: worth_of(runs, one) for one in noisy}
    fixed = [k for k, one in runs.settings.items() if one.rates]
    gains = runs.compare([(one, runs.base) for one in fixed])
    losses = tag_losses(runs)
    told = runs.above_chance
    ranked = pd.concat([rank_by_noise(told), rank_by_annotated(told)])
    ranked["clips"] = ranked.clips.astype("Int64")  # Whole, though not of every row.
    drawn = [
        _training(runs),
        _worth(runs, worths),
        figure("noise_tags", draw_losses, losses),
        figure("noise_evaluation", draw_ranks, ranked, draws=DRAWS),
        _remedy(runs, fixed),
    ]
    tables = [
        _table(runs, worths),
        comparison.table("noise_costs", costs),
        comparison.table("noise_gains", gains),
        _rank_table(ranked),
    ]
    gaps = comparison.gaps(record, PREFIX)
    claims = _claims(runs, costs, gains, losses, ranked, gaps)
    paragraphs = _paragraphs(record, runs, worths, ranked)
    # What has no points has nothing to show.
    shown = [one for one in drawn if one.frame is not None and len(one.frame)]
    tables = [one for one in tables if len(one.frame)]
    return Study(NAME, TITLE, paragraphs, shown, tables, claims)


def setting(point: RunRecord) -> Setting:
    """Returns what a point learns from."""
    train = point.config["train"]
    return Setting(
        train.get("labels", "weak"),
        float(train.get("drop_positives", 0)),
        float(train.get("flip_labels", 0)),
        float(train["fraction"]),
        train.get("label_noise", ""),
    )


def rates_of(point: RunRecord) -> pd.DataFrame:
    """Returns the error rates of the labels that a point learnt from, a row a tag.

    They are counted against the truth; NaN where no clip can tell.
    """
    found = (point.summary.get("label_noise") or {}).get("found") or {}
    count = len(point.summary["tags"])
    nothing = [None] * count
    columns = {name: found.get(name, nothing) for name in ("missing", "false")}
    return pd.DataFrame(columns, point.summary["tags"], dtype=float)


def worth_of(runs: Runs, noisy: str) -> Worth | None:
    """Finds the share of clean clips that gives the score of all clips, noisy.

    Clean scores are interpolated between the sizes that were trained, over the
    logarithm of the clips. In the interval are all shares whose score cannot be told
    from the noisy one. None without a smaller clean set.
    """
    sizes = {
        one.share: name
        for name, one in runs.settings.items()
        if one == Setting(runs.reference, 0.0, 0.0, one.share, "")
    }
    shares = sorted(sizes)
    found = {}
    for low, high in itertools.pairwise(shares):
        pair = runs.compare([(noisy, sizes[one]) for one in (low, high)])
        if len(pair) < 2:
            return None
        for part in np.linspace(0, 1, STEPS + 1):
            at = low ** (1 - part) * high**part
            found[at] = mix(pair[0], pair[1], part, runs.placed)
    if not found or not all(one.is_informed for one in found.values()):
        return None
    grid = np.array(sorted(found))
    means, lows, highs = np.array(
        [(found[one].mean, *found[one].interval()) for one in grid]
    ).T
    # Where nothing is known of seeds or clips, any share may be the one.
    halves = np.nan_to_num((highs - lows) / 2, nan=math.inf)
    least, most = grid[[0, -1]].tolist()
    return Worth(*statistics.read_off(grid, means, halves), (least, most))


def mix(
    first: Comparison, second: Comparison, part: float, placed: Placed
) -> Comparison:
    """Interpolates two comparisons of the same point, seed by seed."""
    weights = {name: (1 - part) * one for name, one in first.weights.items()}
    for name, one in second.weights.items():
        weights[name] = weights.get(name, 0) + part * one
    values = ((1 - part) * first.values + part * second.values).dropna()
    error = placed.error(weights)
    mixed = {"weights": weights, "values": values, "clips_error": error}
    return dataclasses.replace(first, **mixed, unpaired=None)


def tag_losses(runs: Runs) -> pd.DataFrame:
    """Sets what each tag loses by weak labels against how often it is tagged.

    One row a tag: `tag`, `tagability` (the share of the training clips for which it
    holds that carry it) and `loss` of ROC-AUC, mean over seeds. Empty where errors were
    added, as these are the same for all tags.
    """
    weak, clean = runs.find(labels="weak"), runs.find()
    if runs.reference != "true" or not weak or not clean:
        return pd.DataFrame({"tag": [], "tagability": [], "loss": []})
    tagability = 1 - rates_of(runs.points[weak]).missing
    of_clean, of_weak = (
        comparison.auc(runs.points[one], "true", "roc_auc_per_tag").mean(axis=0)
        for one in (clean, weak)
    )
    frame = pd.DataFrame({"tagability": tagability, "loss": of_clean - of_weak})
    return frame.dropna().rename_axis("tag").reset_index()


def rank_by_noise(runs: Runs) -> pd.DataFrame:
    """Ranks the points by noisy evaluation labels: Spearman's rho with the reference.

    One row a kind and rate of errors: `noise`, `rate`, the mean `rho` of many draws,
    and `low` and `high`, the lowest and highest. The corpus's own weak labels are one
    row, of the rate that they miss, where the truth is the reference.
    """
    labels, ranks = _ranks(runs)
    columns = ["noise", "rate", "rho", "low", "high"]
    if len(ranks) < 3:
        return pd.DataFrame(columns=columns)
    rng, rows = np.random.default_rng(0), []
    truth = _mean_auc(ranks, labels)
    for noise, rates in EVALUATION.items():
        for rate in rates:
            hits = (rng.random(labels.shape) < rate for _ in range(DRAWS))
            drawn = (labels & ~x if noise == DROP else labels ^ x for x in hits)
            rhos = _rhos(truth, (_mean_auc(ranks, one) for one in drawn))
            rows.append((noise, rate, *rhos))
    if runs.reference == "true":
        some = next(iter(runs.points.values())).arrays["predictions_test"]
        weak = some["tags"] > 0
        missing = float((labels & ~weak).sum() / max(labels.sum(), 1))
        rows.append((WEAK, missing, *_rhos(truth, [_mean_auc(ranks, weak)])))
    return pd.DataFrame(rows, columns=columns)


def rank_by_annotated(runs: Runs) -> pd.DataFrame:
    """Ranks the points by the reference on few `clips`, as `rank_by_noise`."""
    labels, ranks = _ranks(runs)
    columns = ["noise", "clips", "rho", "low", "high"]
    if len(ranks) < 3:
        return pd.DataFrame(columns=columns)
    truth, rows = _mean_auc(ranks, labels), []
    scores = [one.arrays["predictions_test"]["scores"] for one in runs.points.values()]
    for size in (one for one in ANNOTATED_SIZES if one < len(labels)):
        aucs = []
        for some in resampling.subset_weights(len(labels), size, DRAWS).T > 0:
            of_some = np.stack([_mean_ranks(one[:, some]) for one in scores])
            aucs.append(_mean_auc(of_some, labels[some]))
        rows.append((ANNOTATED, size, *_rhos(truth, aucs)))
    return pd.DataFrame(rows, columns=columns)


def _ranks(runs: Runs) -> tuple[np.ndarray, np.ndarray]:
    """Returns reference labels of the test clips, bool `[N, K]`, and points' ranks."""
    arrays = [one.arrays.get("predictions_test", {}) for one in runs.points.values()]
    key = LABEL_ARRAYS[runs.reference]
    if not arrays or not all(key in one for one in arrays):
        return np.empty((0, 0), bool), np.empty((0, 0, 0))
    ranks = np.stack([_mean_ranks(one["scores"]) for one in arrays])
    return arrays[0][key] > 0, ranks


def _mean_ranks(scores: np.ndarray) -> np.ndarray:
    """Ranks clips by each tag's scores `[S, N, K]`, averaged over seeds: `[N, K]`.

    An AUC is linear in the ranks, so these give its mean over seeds.
    """
    return stats.rankdata(scores, axis=1).mean(0)


def _mean_auc(ranks: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Averages ROC-AUC over tags: of ranks `[P, N, K]` and labels `[N, K]`, `[P]`."""
    positive = labels.sum(0)
    known = (positive > 0) & (positive < len(labels))
    sums = np.einsum("pnk,nk->pk", ranks, labels)[:, known]
    positive = positive[known]
    pairs = positive * (len(labels) - positive)
    return ((sums - positive * (positive + 1) / 2) / pairs).mean(1)


def _rhos(truth: np.ndarray, aucs: Iterable[np.ndarray]) -> tuple[float, float, float]:
    """Correlates rankings with the true one: mean, lowest and highest of the draws."""
    rhos = [statistics.spearman(truth, one).value for one in aucs]
    ends = (min(rhos), max(rhos)) if len(rhos) > 1 else (math.nan, math.nan)
    return float(np.mean(rhos)), *ends


def scores_by_noise(frame: pd.DataFrame) -> Figure:
    """Draws scores by the rate of errors, one panel a kind, two columns wide.

    `frame` has `noise`, `rate`, `seed` and `roc_auc_macro`, one row a seed; clean
    labels are in both panels, weak ones in that of missing positives. Rows of another
    noise, smaller clean sets, are dashed lines.
    """
    floors = frame[~frame.noise.isin([*LOOKS])].groupby("noise").roc_auc_macro.mean()
    drawn = Figure(figsize=(7, 3.2))
    panels = drawn.subplots(1, 2, sharey=True)
    for axes, kinds in zip(panels, ((DROP, WEAK), (FLIP,)), strict=True):
        for kind in kinds:
            found = mean_and_std(frame[frame.noise == kind], "rate").sort_index()
            if len(found):
                _draw_line(axes, 100 * found.index, found["mean"], found["std"], kind)
        for name, value in floors.items():
            axes.axhline(value, ls="--", lw=1, color=ink(axes), alpha=0.6)
            at: Look = {"xytext": (-2, 2), "textcoords": "offset points", "ha": "right"}
            at |= {"xycoords": axes.get_yaxis_transform(), "fontsize": 7}
            axes.annotate(name, (1, value), **at)
        axes.set_xlabel(f"% of the {kinds[0]}")
        axes.legend(loc="upper right", fontsize=8)
    panels[0].set_ylabel("macro ROC-AUC")
    return drawn


def _draw_line(axes: Axes, x: Any, y: pd.Series, error: Any, kind: str) -> None:
    colour, marker = LOOKS[kind]
    look: Look = {"color": colour, "marker": marker, "ms": 5, "lw": 1, "capsize": 3}
    axes.errorbar(x, y, yerr=error, label=kind, **look)


def draw_worth(frame: pd.DataFrame, least: float) -> Figure:
    """Draws how many clean clips a noisy one is worth, one row a noise.

    `frame` has `labels`, `worth`, `low` and `high`; open ends go to the edge, beyond
    the least share that was compared.
    """
    drawn = Figure(figsize=(7, 1.1 + 0.32 * len(frame)))
    axes, rows, edge = drawn.subplots(), np.arange(len(frame)), least / 1.2
    low, high = frame.low.clip(lower=edge), frame.high.clip(upper=1.2)
    axes.hlines(rows, low, high, color=BLUE, lw=2, alpha=0.6)
    axes.plot(frame.worth, rows, "o", color=BLUE)
    axes.set(xscale="log", xlim=(edge, 1.2), xlabel="clean clips for one")
    ticks = [one for one in (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1) if one >= edge]
    axes.minorticks_off()
    axes.set_xticks(ticks, [f"{one:g}" for one in ticks])
    name_rows(axes, frame["labels"], fontsize=8)
    return drawn


def draw_losses(frame: pd.DataFrame) -> Figure:
    """Draws each tag's loss against its tagability; the farthest tags are named."""
    drawn = Figure(figsize=(4.8, 3.4))
    axes = drawn.subplots()
    axes.plot(100 * frame.tagability, frame.loss, "o", ms=4, color=BLUE)
    axes.axhline(0, ls="--", lw=1, color=ink(axes))
    ordered = frame.sort_values("loss")
    far = {*ordered.index[:2], *ordered.index[-5:]}
    for one in ordered.loc[sorted(far)].itertuples():
        look: Look = {"xytext": (4, 2), "textcoords": "offset points", "fontsize": 7}
        axes.annotate(label(one.tag), (100 * one.tagability, one.loss), **look)
    axes.set(xlabel="tagability: % of true clips tagged", ylabel="loss of ROC-AUC")
    return drawn


def draw_ranks(frame: pd.DataFrame) -> Figure:
    """Draws rho by the rate of errors, and by annotated clips, two columns wide."""
    drawn = Figure(figsize=(7, 3.2))
    left, right = drawn.subplots(1, 2, sharey=True)
    for noise, of in frame.groupby("noise", sort=False):
        few = noise == ANNOTATED
        axes, x = (right, of.clips.astype(float)) if few else (left, 100 * of.rate)
        # A mean of equal numbers may be above them by rounding.
        bars = [np.maximum(one, 0) for one in (of.rho - of.low, of.high - of.rho)]
        _draw_line(axes, x, of.rho, bars, noise)
    left.set(
        xlabel="% (missing of positives, flipped of all)", ylabel="rank correlation"
    )
    left.legend(loc="lower right", fontsize=8)
    right.set(xscale="log", xlabel="annotated test clips")
    right.minorticks_off()
    clips = frame.clips.dropna()
    right.set_xticks(list(clips), [f"{one:g}" for one in clips])
    weak = frame[frame.noise == WEAK]
    if len(weak):
        right.axhline(float(weak.rho.iloc[0]), ls="--", lw=1, color=GREEN)
    return drawn


def draw_remedy(frame: pd.DataFrame, base: str | None) -> Figure:
    """Draws scores with and without a corrected loss, one row a point (`labels`).

    A dashed line is at that of `base`, if there is one.
    """
    names = list(frame["labels"].unique())
    drawn = Figure(figsize=(7, 1.1 + 0.32 * len(names)))
    axes = drawn.subplots()
    found = mean_and_std(frame, "labels")
    look: Look = {"fmt": "o", "color": BLUE, "capsize": 3}
    axes.errorbar(found["mean"], range(len(names)), xerr=found["std"], **look)
    axes.plot(
        frame.roc_auc_macro, frame["labels"].map(names.index), "|", color=ink(axes)
    )
    if base:
        axes.axvline(found["mean"][base], ls="--", lw=1, color=ink(axes))
    axes.set(xlabel="macro ROC-AUC")
    name_rows(axes, names, fontsize=8)
    return drawn


def _training(runs: Runs) -> Illustration:
    rows: list[tuple[tuple, RunRecord]] = []
    for name, one in runs.settings.items():
        point = runs.points[name]
        if one.share != 1 and not one.rates:
            rows.append(((runs.title(name), math.nan), point))
        if not one.is_noisy:
            continue
        if one.labels != runs.reference:
            mean = float(np.nanmean(rates_of(point).missing))
            rows.append(((WEAK, mean), point))
        elif not one.flip:
            rows.append(((DROP, one.drop), point))
        if one.labels == runs.reference and not one.drop:
            rows.append(((FLIP, one.flip), point))
    frame = comparison.score_frame(rows, ["noise", "rate"], runs.reference)
    return figure("noise_training", scores_by_noise, frame, against=runs.against)


def _worth(runs: Runs, worths: Mapping[str, Worth | None]) -> Illustration:
    rows = [
        (runs.title(name), one.share, *one.ends)
        for name, one in worths.items()
        if one is not None
    ]
    frame = pd.DataFrame(rows, columns=["labels", "worth", "low", "high"])
    # All are of the same sizes.
    least = next((one.range[0] for one in worths.values() if one), 0.1)
    return figure("noise_worth", partial(draw_worth, least=least), frame)


def _remedy(runs: Runs, fixed: Sequence[str]) -> Illustration:
    names = [one for one in (runs.base, *fixed, runs.find()) if one and fixed]
    rows = [((runs.title(name),), runs.points[name]) for name in names]
    frame = comparison.score_frame(rows, ["labels"], runs.reference)
    base = runs.title(runs.base) if runs.base else None
    plot = partial(draw_remedy, base=base)
    words = {
        "against": runs.against,
        "dashed": " Dashed: not corrected." if base else "",
    }
    return figure("noise_remedy", plot, frame, **words)


def _table(runs: Runs, worths: Mapping[str, Worth | None]) -> Table:
    """Tabulates errors, scores, and what a clip is worth, one row a point."""
    points = runs.points.values()
    columns: dict[str, list[Any]] = {"labels": [*map(runs.title, runs.points)]}
    for name in ("missing", "false"):
        columns[name] = [rates_of(point)[name].mean() for point in points]
    scores = comparison.score_columns(runs.points, "AUC, ")
    worth = [str(worths.get(name) or ABSENT) for name in runs.points]
    columns |= scores | {"a clip is worth": worth}
    formats: dict[str, Any] = dict.fromkeys(scores, over_seeds)
    formats |= {"missing": percent, "false": percent}
    return captioned("noise_points", columns, formats)


def _rank_table(ranked: pd.DataFrame) -> Table:
    names = [
        f"truth of {one.clips:.0f} clips" if one.noise == ANNOTATED else one.noise
        for one in ranked.itertuples()
    ]
    rows = ranked.assign(noise=names)[["noise", "rate", "rho", "low", "high"]]
    rows.columns = ["evaluation labels", "rate", "ρ", "lowest", "highest"]
    formats: dict[str, Any] = dict.fromkeys(rows.columns[2:], ".3f")
    formats |= {"rate": percent}
    return captioned("noise_ranks", rows, formats, draws=DRAWS)


def _claims(
    runs: Runs,
    costs: Sequence[Comparison],
    gains: Sequence[Comparison],
    losses: pd.DataFrame,
    ranked: pd.DataFrame,
    gaps: Sequence[str],
) -> list[Claim]:
    equal = runs.compare([(runs.find(drop=0.5), runs.find(flip=0.05))])
    by_rates = {one.rates: name for name, one in runs.settings.items()}
    apart = runs.compare([(by_rates.get("annotated"), by_rates.get("true"))])
    exact = [one for one in gains if _corrected_by(runs, one) == "true"]
    wrong = [one for one in gains if "*" in _corrected_by(runs, one)]
    limit = paper.NON_SIGNIFICANT_BELOW
    return [
        claim("noise-costs", *_judge(costs, 0, math.inf, gaps)),
        claim("noise-flips", *_judge(equal, 0, math.inf, gaps)),
        _claim_of_tags(runs, losses, gaps),
        _claim_of_ranks(runs, ranked, gaps),
        claim("remedy-helps", *_judge(exact, 0, math.inf, gaps)),
        claim("remedy-annotated", *_judge(apart, -limit, limit, gaps)),
        claim("remedy-wrong", *_judge(wrong, 0, math.inf, gaps)),
    ]


def _corrected_by(runs: Runs, gain: Comparison) -> str:
    """Returns the rates of a comparison's first point, as its key says them."""
    return next(runs.settings[k].rates for k, sign in gain.weights.items() if sign > 0)


def _judge(
    found: Sequence[Comparison], low: float, high: float, gaps: Sequence[str]
) -> tuple[str, str, str]:
    """Says what was found of some differences, and judges them."""
    if not found:
        return judges.no_data("the points for it are not complete.")
    here = "; ".join(f"{one.name}: {signed(one.mean)}" for one in found)
    least = min(found, key=lambda one: one.mean)
    why = f"the smallest: {comparison.sentence(least)}."
    judged = judges.differences(found, low, high, why)
    return here, *judges.whole(judged, gaps)


def _claim_of_tags(runs: Runs, losses: pd.DataFrame, gaps: Sequence[str]) -> Claim:
    if len(losses) < FEWEST_TAGS:
        nothing = say("label_noise.alike")
        if runs.reference == "true":
            nothing = "the points for it are not complete."
        if len(losses):
            nothing = f"{len(losses)} tags are too few; it needs {FEWEST_TAGS}."
        return claim("noise-tags", *judges.no_data(nothing))
    found = statistics.spearman(losses.tagability, losses.loss)
    ends = found.interval()
    why = say("label_noise.tags", tags=len(losses), ends=interval(ends, 2))
    here = f"rank correlation {number(found.value, 2)}"
    judged = judges.below(ends, 0, why)
    if runs.find() not in comparison.informed(runs.points, "true", runs.placed):
        judged = judges.unknown(f"{why} Scores cannot be told from chance.")
    used = tuple(f"{one} " for one in (runs.find(), runs.find(labels="weak")))
    own = [one for one in gaps if one.startswith(used)]
    return claim("noise-tags", here, *judges.complete(judged, own))


def _claim_of_ranks(runs: Runs, ranked: pd.DataFrame, gaps: Sequence[str]) -> Claim:
    of = ranked[ranked.noise == WEAK]
    if of.empty:
        of = ranked[(ranked.noise == DROP) & (ranked.rate == 0.5)]
    if of.empty:
        nothing = judges.no_data("it needs three runs above chance.")
        return claim("noise-ranks", *nothing)
    one = of.iloc[0]
    points = len(runs.above_chance.points)
    ends = Correlation(float(one.rho), points).interval()
    words = {"points": points, "ends": interval(ends, 2), "large": LARGE}
    judged = judges.above(ends, LARGE, say("label_noise.ranks", **words))
    here = f"ρ = {number(one.rho, 2)} by {one.noise}, {percent(one.rate)} missing"
    return claim("noise-ranks", here, *judges.complete(judged, gaps))


def _paragraphs(
    record: SweepRecord,
    runs: Runs,
    worths: Mapping[str, Worth | None],
    ranked: pd.DataFrame,
) -> list[str]:
    scope = comparison.scope(record, runs.points, PREFIX)
    trained = say(f"label_noise.trained_{runs.reference}", **scope)
    found = [trained, say("label_noise.one_draw")]
    listed = [f"{runs.title(k)}: {one}" for k, one in worths.items() if one]
    if listed:
        found.append(say("label_noise.worth", listed="; ".join(listed)))
    return found + of_annotated(ranked)


def of_annotated(ranked: pd.DataFrame) -> list[str]:
    """Says how few clean labels rank as all weak ones, or how those of most clips do.

    Nothing is said of more clips than `ranked` has; an empty list without both kinds.
    """
    weak, annotated = (ranked[ranked.noise == one] for one in (WEAK, ANNOTATED))
    if weak.empty or annotated.empty:
        return []
    rho = float(weak.rho.iloc[0])
    enough = annotated[annotated.rho >= rho]
    which = "most that were tried" if enough.empty else "fewest that do as well"
    one = annotated.iloc[-1] if enough.empty else enough.iloc[0]
    words = {"rho": number(rho, 3), "reached": number(one.rho, 3), "which": which}
    return [say("label_noise.annotated", clips=one.clips, **words)]
