"""Sections IV-C and IV-D, Fig. 7: which preprocessing of the input matters."""

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from msd_tagger.common import paper
from msd_tagger.pages.page import Illustration
from msd_tagger.pages.style import BLUE, GREEN, PINK, YELLOW
from msd_tagger.pages.tables import ABSENT, Table, number, over_seeds, percent, signed
from studies import comparison, judges, statistics
from studies.comparison import INPUTS, Comparison, Ends, Placed, Points
from studies.figures import mean_and_std
from studies.records import RunRecord, SweepRecord
from studies.sections import data_size
from studies.study import Claim, Study
from studies.texts import captioned, claim, figure, say

NAME = "preprocessing"
PREFIX, STFT, STFT_SIZES = "pre-", "pre-stft-", "size-stft-"
TITLE = "Decibels, frequency weighting and scaling of the input (Fig. 7)"
MAGNITUDES = {"db": "dB", "linear": "linear"}
WEIGHTINGS = {
    "per_frequency": (YELLOW, "per-frequency"),
    "a_weighting": (BLUE, "A-weighting"),
    "bypass": (GREEN, "bypass"),
}
# The paper's names of the groups of Fig. 7, by magnitude and whether it is scaled.
GROUPS = {
    ("db", False): "1",
    ("db", True): "1s",
    ("linear", False): "2",
    ("linear", True): "2s",
}
APART = 0.26  # Of points in a group.
# "Seemingly twice" is nearer to 2, as a factor, than to 1 and to 4.
ABOUT = 2**0.5
# Of the first layer.
PARAMETERS = {"bias": "convolution's bias", "beta": "batch normalisation's β"}

# What a point of the grid varies.
SETTINGS = ["kind", "magnitude", "weighting", "scale"]


def study(record: SweepRecord) -> Study:
    """Redraws Fig. 7 from the grid of preprocessings, points that start with `pre-`.

    Points `size-mel-…` stand at the right and say what dB is worth, if there are any.
    """
    points = comparison.scored(record.select(PREFIX))
    if not points:
        return Study(NAME, TITLE, [say("preprocessing.no_points")])
    known = comparison.known_labels(points)
    sizes = data_size.sizes_of(comparison.scored(record.select(data_size.PREFIX)))
    sizes = sizes[sizes["kind"] == "mel"]
    beside = dict(zip(sizes.name, sizes.point, strict=True))
    placed = {one: comparison.place({**points, **beside}, one) for one in known}
    found = {one: compare_all(points, placed[one], one) for one in known}
    # How far 95 % of two runs that differ in the seed alone lie apart.
    limit = statistics.difference_by_bound(*comparison.run_spread(points, "weak"))
    biases = bias_sizes(points)
    differences = [_differences(found[one], placed[one], one) for one in known]
    tables = [_table(points), *differences, *_bias_tables(biases)]
    rule = "limit" if np.isfinite(limit) else "no_limit"
    paragraphs = [
        say("preprocessing.trained", **comparison.scope(record, points, PREFIX)),
        say(f"preprocessing.{rule}", limit=limit),
        *([] if len(sizes) else [say("preprocessing.no_sizes")]),
    ]
    drawn = [_illustration(points, sizes, one) for one in known]
    # There is nothing to draw of STFT points alone.
    drawn = [one for one in drawn if one.frame is None or len(one.frame)]
    gaps = comparison.gaps(record, PREFIX), comparison.gaps(record, data_size.PREFIX)
    judged = claims(found["weak"], placed["weak"], biases, sizes, gaps)
    return Study(NAME, TITLE, paragraphs, drawn, tables, judged)


def settings(point: RunRecord) -> tuple[str, str, str, float]:
    """Gives what a point of the grid varies, in the order of `SETTINGS`."""
    chosen, kind = point.config["preprocessing"], point.config["spectrogram"]["kind"]
    weighting, scale = chosen["frequency_weighting"], float(chosen["scale"])
    return kind, chosen["magnitude"], weighting, scale


def compare_all(
    points: Points, placed: Placed, labels: str
) -> dict[str, list[Comparison]]:
    """Makes every comparison of Fig. 7, by what differs, as `pairs_of` names it."""
    return {
        name: comparison.compare(points, pairs, placed, labels)
        for name, pairs in pairs_of(points).items()
    }


def pairs_of(points: Points) -> dict[str, dict[str, tuple[str, str]]]:
    """Finds the points that differ in one setting alone.

    `magnitude` (mel, dB minus linear), `weighting`, `scale` (scaled minus not) and
    `stft` (dB minus linear) go from a comparison's name to (minuend, subtrahend).
    """
    rows = [(name, *settings(point)) for name, point in points.items()]
    grid = pd.DataFrame(rows, columns=["name", *SETTINGS])
    grid = grid.drop_duplicates(SETTINGS, keep="last")
    found: dict[str, dict[str, tuple[str, str]]]
    found = {"magnitude": {}, "weighting": {}, "scale": {}, "stft": {}}
    for one in _beside(grid, "magnitude", "linear").itertuples():
        title = f"dB − linear, {_weighting(one.weighting)}, ×{one.scale:g}"
        key = "magnitude" if one.kind == "mel" else "stft"
        found[key][title] = one.name, one.name_other
    mel = grid[grid.kind == "mel"]
    for one in _beside(mel, "scale", 1.0).itertuples():
        what = f"{MAGNITUDES[one.magnitude]}, {_weighting(one.weighting)}"
        found["scale"][f"×{one.scale:g} − ×1, {what}"] = one.name, one.name_other
    for (magnitude, scale), of in mel.groupby(["magnitude", "scale"]):
        names = dict(zip(of.weighting, of.name, strict=True))
        there = [one for one in WEIGHTINGS if one in names]
        for pair in itertools.combinations(there, 2):
            title = f"{' − '.join(map(_weighting, pair))}, {MAGNITUDES[magnitude]}"
            first, second = (names[one] for one in pair)
            found["weighting"][f"{title}, ×{scale:g}"] = first, second
    return found


def _beside(grid: pd.DataFrame, setting: str, value: str | float) -> pd.DataFrame:
    """Puts what has this value beside those that differ in this setting alone."""
    alike = [one for one in SETTINGS if one != setting]
    has = grid[setting] == value
    return grid[~has].merge(grid[has], on=alike, suffixes=("", "_other"))


def bias_sizes(points: Points) -> pd.DataFrame:
    """Measures how large the first layer's additive parameters are (IV-D.2).

    One row for each pair of points (scaled input, plain) and each parameter that both
    recorded: `pair`, `parameter` (`bias` or `beta`), and the mean absolute values
    `plain` and `scaled`, over channels and seeds.
    """
    rows = []
    for name, pair in pairs_of(points)["scale"].items():
        scaled, plain = (points[one].arrays.get("first_layer", {}) for one in pair)
        rows += [
            (name, key, np.abs(plain[key]).mean(), np.abs(scaled[key]).mean())
            for key in PARAMETERS
            if key in plain and key in scaled
        ]
    return pd.DataFrame(rows, columns=["pair", "parameter", "plain", "scaled"])


def ratio(scaled: float, plain: float) -> str:
    """Prints a ratio, or how it cannot be formed.

    >>> ratio(0.68, 0.2), ratio(0.5, 0.0), ratio(0.0, 0.0)
    ('3.4', '0.5/0', '0/0')
    """
    if plain:
        return f"{scaled / plain:.3g}"
    return f"{scaled:.3g}/0" if scaled else "0/0"


def scores_by_preprocessing(frame: pd.DataFrame) -> Figure:
    """Draws four groups of three points, and smaller training sets at the right.

    Two columns wide. Points, as the vertical axis does not start at 0: bars that are
    cut would be read by their lengths. `frame` has `group`, `weighting` and
    `roc_auc_macro`, one row a seed; what has no weighting is a training set's size.
    """
    drawn = Figure(figsize=(7, 3.2))
    grid, sizes = (frame[(frame["weighting"] == "") == one] for one in (False, True))
    groups, shares = (list(one["group"].unique()) for one in (grid, sizes))
    if shares:
        widths = (max(len(groups), 1), 0.4 + 0.35 * len(shares))
        left, right = drawn.subplots(1, 2, sharey=True, width_ratios=widths)
        _draw_points(right, sizes, shares, color=PINK)
        names = [one.removeprefix("dB, ").split(" %")[0] for one in shares]
        right.set_xticks(range(len(shares)), names)
        right.set_xlabel("% of the training clips")
        right.tick_params(axis="y", length=0)
    else:
        left = drawn.subplots()
    for index, (weighting, (colour, label)) in enumerate(WEIGHTINGS.items()):
        of_one = grid[grid["weighting"] == weighting]
        at, look = (index - 1) * APART, {"color": colour, "label": label}
        _draw_points(left, of_one, groups, at, **look)
    left.set_xticks(range(len(groups)), [one.replace(" ", "\n", 1) for one in groups])
    left.margins(y=0.08)
    left.set_ylabel("macro ROC-AUC")
    drawn.legend(loc="outside upper center", ncols=3, fontsize=8)
    return drawn


def _draw_points(
    axes: Axes,
    frame: pd.DataFrame,
    groups: Sequence[str],
    shift: float = 0,
    **look: Any,
) -> None:
    """Means with the deviation over seeds, one for each group that is there."""
    found = mean_and_std(frame, "group")
    if found.empty:
        return
    at = [groups.index(group) + shift for group in found.index]
    axes.errorbar(at, found["mean"], found["std"], fmt="o", capsize=3, **look)
    axes.margins(x=0.12)
    axes.grid(visible=False, axis="x")
    axes.tick_params(axis="x", length=0)


def _weighting(name: str) -> str:
    return WEIGHTINGS[name][1] if name in WEIGHTINGS else name


def claims(
    found: Mapping[str, list[Comparison]],
    placed: Placed,
    biases: pd.DataFrame,
    sizes: pd.DataFrame,
    gaps: tuple[list[str], list[str]] = ([], []),
) -> list[Claim]:
    """Judges what IV-C and IV-D say; gaps are those of the grid and of the sizes."""
    of_mel = [one for one in gaps[0] if not one.startswith(STFT)]
    of_mel_sizes = [one for one in gaps[1] if not one.startswith(STFT_SIZES)]
    mean = comparison.average("mean of pairs", found["magnitude"], placed)
    stft = comparison.average("STFT", found["stft"], placed)
    of_stft = judges.no_data("dB and linear STFT are not both complete.")
    if stft:
        why = f"dB minus linear: {comparison.sentence(stft)}."
        judged = judges.differences([stft], 0, math.inf, why)
        lacks = [one for one in gaps[0] if one.startswith(STFT)]
        of_stft = _size(stft), *judges.whole(judged, lacks)
    return [
        _claim_of_decibels(found["magnitude"], mean, of_mel),
        _claim_of_average(mean, of_mel),
        _claim_of_nothing("weighting", found["weighting"], of_mel),
        _claim_of_weightings(found["weighting"], placed, of_mel),
        _claim_of_nothing("scaling", found["scale"], of_mel),
        claim("decibels-stft", *of_stft),
        _claim_of_biases(biases),
        _claim_of_data(mean, sizes, placed, [*of_mel, *of_mel_sizes]),
    ]


def _claim_of_decibels(
    found: Sequence[Comparison], mean: Comparison | None, gaps: Sequence[str]
) -> Claim:
    if mean is None:
        nothing = judges.no_data("no pair of dB and linear is complete.")
        return claim("decibels", *nothing)
    above = sum(one.mean > 0 for one in found)
    why = f"mean of pairs: {comparison.sentence(mean)}."
    here = f"above in {above} of {len(found)} pairs, by {_size(mean)} on average"
    judged = judges.differences(found, 0, math.inf, why)
    return claim("decibels", here, *judges.whole(judged, gaps))


def _claim_of_average(mean: Comparison | None, gaps: Sequence[str]) -> Claim:
    if mean is None:
        nothing = judges.no_data("no pair of dB and linear is complete.")
        return claim("decibels-average", *nothing)
    judged = judges.differences([mean], 0, math.inf, f"{comparison.sentence(mean)}.")
    return claim("decibels-average", _size(mean), *judges.complete(judged, gaps))


def _claim_of_weightings(
    found: Sequence[Comparison], placed: Placed, gaps: Sequence[str]
) -> Claim:
    """Judges that none is ahead over all magnitudes and scales; it may be in one."""
    pairs: dict[str, list[Comparison]] = {}
    for one in found:
        pairs.setdefault(one.name.split(",")[0], []).append(one)
    averages = (comparison.average(name, of, placed) for name, of in pairs.items())
    means = [one for one in averages if one]
    if not means:
        nothing = judges.no_data("no pair is complete.")
        return claim("no-weighting-wins", *nothing)
    limit = paper.NON_SIGNIFICANT_BELOW
    far = max(means, key=lambda one: abs(one.mean))
    why = f"the largest mean of {len(means)}, {far.name}: {comparison.sentence(far)}."
    judged = judges.differences(means, -limit, limit, why)
    here = "; ".join(f"{one.name}: {_size(one)}" for one in means)
    return claim("no-weighting-wins", here, *judges.complete(judged, gaps))


def _claim_of_nothing(
    key: str, found: Sequence[Comparison], gaps: Sequence[str]
) -> Claim:
    if not found:
        return claim(key, *judges.no_data("no pair is complete."))
    limit = paper.NON_SIGNIFICANT_BELOW
    far = max(found, key=lambda one: abs(one.mean))
    here = f"at most {number(abs(far.mean))} ({far.name})"
    why = f"the largest of {len(found)}: {comparison.sentence(far)}."
    judged = judges.differences(found, -limit, limit, why)
    return claim(key, here, *judges.whole(judged, gaps))


def _claim_of_data(
    mean: Comparison | None,
    sizes: pd.DataFrame,
    placed: Placed,
    gaps: Sequence[str],
) -> Claim:
    key = "worth-of-decibels"
    sizes = data_size.above_chance(sizes, placed)
    if mean is None or len(sizes) < 2 or sizes.share.iloc[-1] != 1:
        nothing = judges.no_data("several sizes above chance, also all, are needed.")
        return claim(key, *nothing)
    share, (low, high) = worth_of_linear(mean, sizes, placed)
    ends = 1 / high, 1 / low if low else math.inf
    most = 1 / sizes.share.iloc[0]
    here = f"{_times(1 / share, most)} the data"
    here += " (95 %: {} to {})".format(*(_times(one, most) for one in ends))
    step = data_size.mean_auc(sizes)[-1] - data_size.mean_auc(sizes)[-2]
    words = {"mean": mean.mean, "step": step, "from": percent(sizes.share.iloc[-2])}
    why = say("preprocessing.worth", **words)
    around = (paper.DATA_WORTH_OF_DB / ABOUT, paper.DATA_WORTH_OF_DB * ABOUT)
    judged = judges.between(ends, *around, why)
    if not mean.is_informed:
        judged = judges.unknown(f"{why} Scores cannot be told from chance.")
    return claim(key, here, *judges.complete(judged, gaps))


def worth_of_linear(
    gap: Comparison, sizes: pd.DataFrame, placed: Placed
) -> tuple[float, Ends]:
    """Finds the share of clips at which decibels score as linear ones do on all.

    It is read off the scores of the sizes, the largest of which has all clips, as Fig.
    7 does: where fewer clips lose as much as the gap is. A straight line through all
    sizes would be too steep at the largest ones where scores level off. The spread over
    seeds is that of the gap and, pooled, that of the sizes.
    """
    scores = data_size.mean_auc(sizes)
    seeds = [len(comparison.auc(one)) for one in sizes.point]
    std, freedom = statistics.pooled_std([comparison.auc(one) for one in sizes.point])
    halves = []
    for name, count in zip(sizes.name, seeds, strict=True):
        weights = dict(gap.weights)
        for point, weight in ((name, 1.0), (sizes.name.iloc[-1], -1.0)):
            weights[point] = weights.get(point, 0.0) + weight
        over_seeds = 0.0
        if name != sizes.name.iloc[-1]:
            error = std * math.hypot(count**-0.5, seeds[-1] ** -0.5)
            over_seeds = statistics.t_half_width(error, 1, freedom)
        over_clips = statistics.normal_half_width(placed.error(weights), 1)
        halves.append(math.hypot(gap.half_widths()[0], over_seeds, over_clips))
    known = np.nan_to_num(halves, nan=math.inf)
    return statistics.read_off(sizes.share, scores[-1] - scores - gap.mean, known)


def _claim_of_biases(biases: pd.DataFrame) -> Claim:
    """Judges the paper's ratio of 3.4, which is no target."""
    here = "; ".join(
        f"{name}: {_range(biases[biases['parameter'] == key])}"
        for key, name in PARAMETERS.items()
    )
    judged = judges.unknown(say("preprocessing.biases"))
    return claim("biases", here if len(biases) else ABSENT, *judged)


def _range(biases: pd.DataFrame) -> str:
    """Gives median and range of the ratios that can be formed."""
    known = biases[biases["plain"] > 0]
    if known.empty:
        return ratio(*biases.iloc[0][["scaled", "plain"]]) if len(biases) else ABSENT
    values = known["scaled"] / known["plain"]
    ends = f"{values.min():.3g} to {values.max():.3g}"
    return f"{values.median():.3g} ({ends} over {len(values)} pairs)"


def _size(one: Comparison) -> str:
    half = math.hypot(*one.half_widths())
    spread = f" ± {number(half)}" if np.isfinite(half) else ""
    return signed(one.mean) + spread


def _times(factor: float, most: float) -> str:
    """Prints a factor; an open end is beyond the sizes that were compared.

    >>> [_times(factor, 50) for factor in (2.04, float("inf"), 50, 0)]
    ['2.04 times', 'over 50 times', 'over 50 times', 'at most 1 times']
    """
    if factor >= most:
        return f"over {most:.3g} times"
    return f"{factor:.3g} times" if factor > 1 else "at most 1 times"


def _illustration(points: Points, sizes: pd.DataFrame, labels: str) -> Illustration:
    """Draws Fig. 7 against one kind of labels: the mel points in the paper's order."""
    drawn = []
    for key, point in {settings(point): point for point in points.values()}.items():
        kind, magnitude, weighting, scale = key
        if kind == "mel":
            name = GROUPS[magnitude, scale != 1]
            title = f"{name} {MAGNITUDES[magnitude]} ×{scale:g}"
            drawn.append(((title, weighting), point))
    # Their order is that of their names in the paper.
    drawn.sort(key=lambda one: one[0][0].split()[0])
    beside = [
        ((f"dB, {percent(one.share)} of the clips", ""), one.point)
        for one in sizes.itertuples()
        if labels in comparison.known_labels({"": one.point})
    ]
    frame = comparison.score_frame([*drawn, *beside], ["group", "weighting"], labels)
    more = " At the right the training set's size varies." if beside else ""
    plot, names = scores_by_preprocessing, {"labels": labels, "beside": more}
    return figure("fig7_preprocessing", plot, frame, **names)


def _table(points: Points) -> Table:
    columns: dict[str, list[Any]] = {"input": [], "group": []}
    for point in points.values():
        kind, magnitude, weighting, scale = settings(point)
        what = f"{INPUTS[kind]}, {MAGNITUDES[magnitude]}, ×{scale:g}"
        columns["input"].append(f"{what}, {_weighting(weighting)}")
        columns["group"].append(
            GROUPS[magnitude, scale != 1] if kind == "mel" else None
        )
    scores = comparison.score_columns(points)
    return captioned("scores", columns | scores, dict.fromkeys(scores, over_seeds))


def _differences(
    found: Mapping[str, list[Comparison]], placed: Placed, labels: str
) -> Table:
    title = "dB − linear, mean of the above"
    mean = comparison.average(title, found["magnitude"], placed)
    stft = [dataclasses.replace(one, name=f"STFT: {one.name}") for one in found["stft"]]
    rows = [*found["magnitude"], *([mean] if mean else []), *stft]
    rows += [*found["weighting"], *found["scale"]]
    return comparison.table("preprocessings", rows, labels=labels)


def _bias_tables(biases: pd.DataFrame) -> list[Table]:
    plain = "mean |value|, ×1"
    columns = {
        "": biases["pair"] + ": " + biases["parameter"].map(PARAMETERS),
        plain: biases["plain"],
        "scaled": biases["scaled"],
        "ratio": map(ratio, biases["scaled"], biases["plain"]),
    }
    table = captioned("biases", columns, {plain: ".4g", "scaled": ".4g"})
    return [table] if len(biases) else []
