"""Section IV-B, Fig. 5: mel against STFT by the number of training clips, and cost."""

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from msd_tagger.common import paper
from msd_tagger.frontend.recipe import Recipe
from msd_tagger.pages.page import Illustration
from msd_tagger.pages.style import BLUE, ORANGE
from msd_tagger.pages.tables import (
    ABSENT,
    Formats,
    Table,
    interval,
    number,
    over_seeds,
    percent,
    signed,
)
from studies import comparison, judges, statistics
from studies.comparison import INPUTS, Comparison, Placed, Points, train_clips
from studies.figures import Look, mean_and_std
from studies.records import RunRecord, SweepRecord
from studies.statistics import LogFit
from studies.study import Claim, Study
from studies.texts import captioned, claim, figure, say, span

NAME = "data_size"
PREFIX = "size-"
TITLE = "Mel against STFT, and the size of the training set (Fig. 5)"

LOOKS: dict[str, Look] = {
    "mel": {"color": BLUE, "marker": "o", "label": "mel spectrogram"},
    "stft": {"color": ORANGE, "marker": "s", "label": "STFT"},
}
# Half the distance between the two marks of a size, as a factor.
NUDGE = 1.05
# A line is called one if it explains this share of the variance between sizes, and if
# its gain changes by less than this share of itself from the middle to an end.
LINE_R_SQUARED, BEND = 0.9, 0.5
LEAST_SIZES = 4  # From three a line tells what the fourth should gain.


def study(record: SweepRecord) -> Study:
    """Redraws Fig. 5 from the points of several sizes, named `size-…`."""
    points = comparison.scored(record.select(PREFIX))
    if not points:
        return Study(NAME, TITLE, [say("data_size.no_points")])
    sizes, known = sizes_of(points), comparison.known_labels(points)
    placed = {one: comparison.place(points, one) for one in known}
    found = {one: compare_kinds(points, placed[one], one) for one in known}
    above = {one: above_chance(sizes, placed[one], one) for one in known}
    fits = {one: fit_sizes(above[one], one) for one in known}
    gains = _last_gains(above["weak"], placed["weak"])
    times = times_per_clip(sizes)
    tables = [
        _table(sizes, known),
        *(_differences(found[one], placed[one], one) for one in known),
        _fit_table(fits),
        *([_time_table(times)] if len(times) else []),
        _width_table(next(iter(points.values())).config["spectrogram"]),
    ]
    gaps = comparison.gaps(record, PREFIX)
    left_out = sizes[~sizes.name.isin(above["weak"].name)]
    few = [*gaps, *_too_few(sizes, left_out)]
    claims = [
        *claims_of_kinds(list(found["weak"].values()), placed["weak"], gaps),
        claim_of_line(fits["weak"], few, left_out),
        claim_of_saturation(above["weak"], gains, placed["weak"], few, left_out),
        claim_of_cost(times, gaps),
    ]
    paragraphs = _paragraphs(record, points, fits["weak"], times)
    drawn = [_illustration(sizes, one, found[one], fits[one]) for one in known]
    return Study(NAME, TITLE, paragraphs, drawn, tables, claims)


def sizes_of(points: Points) -> pd.DataFrame:
    """Lists points by the kind of their spectrogram and their size, mel first.

    Columns are `name`, `kind`, `share` of the clips, `clips` and `point`.
    """
    found = list(points.values())
    columns = {"name": list(points), "point": found}
    columns["kind"] = [one.config["spectrogram"]["kind"] for one in found]
    columns["share"] = [float(one.config["train"]["fraction"]) for one in found]
    columns["clips"] = list(map(train_clips, found))
    return pd.DataFrame(columns).sort_values(["kind", "share"])


def above_chance(
    sizes: pd.DataFrame, placed: Placed, labels: str = "weak"
) -> pd.DataFrame:
    """Leaves out the sizes of each kind at which scores cannot be told from chance.

    With one that is left out go all smaller ones: of several at chance one is above it
    by luck. Below some size scores stay at chance, which bends every line.
    """
    points = dict(zip(sizes.name, sizes.point, strict=True))
    known = sizes.name.isin(comparison.informed(points, labels, placed))
    # From the largest size down, as long as all are known.
    kept = known[::-1].groupby(sizes.kind).cummin()
    return sizes[kept.reindex(sizes.index)]


def fit_sizes(sizes: pd.DataFrame, labels: str) -> dict[str, LogFit]:
    """Fits a line to each kind's mean score against log2 of the clips."""
    lines = {
        kind: statistics.fit_line(list(of.clips), mean_auc(of, labels))
        for kind, of in sizes.groupby("kind")
    }
    return {kind: line for kind, line in lines.items() if line}


def compare_kinds(
    points: Points, placed: Placed, labels: str
) -> dict[float, Comparison]:
    """Compares mel to STFT at every share of the training clips that both have."""
    both = _of_both(sizes_of(points))
    names = {f"mel − STFT at {percent(share)}": share for share in both.share}
    pairs = dict(zip(names, zip(both.name, both.name_stft, strict=True), strict=True))
    found = comparison.compare(points, pairs, placed, labels)
    return {names[one.name]: one for one in found}


def times_per_clip(sizes: pd.DataFrame) -> pd.DataFrame:
    """Gives times of a training clip and seed, where mel and STFT were timed alike.

    Points on different devices, or with other numbers of seeds or batch sizes, are no
    comparison and left out. One row a share of the clips: `mel` and `stft` in ms,
    `ratio`.
    """
    rows = {}
    for one in _of_both(sizes).itertuples():
        pair = (one.point, one.point_stft)
        speeds = [point.summary.get("clips_per_s") for point in pair]
        if all(speeds) and len(set(map(_circumstances, pair))) == 1:
            seeds = int(one.point.summary["num_seeds"])
            rows[one.share] = [1000 / (speed * seeds) for speed in speeds]
    times = pd.DataFrame(rows.values(), rows, ["mel", "stft"], float)
    return times.assign(ratio=times.stft / times.mel)


def stft_width_hz(sample_rate_hz: float, dft_size_samples: int) -> float:
    """Computes a bin's width as the paper does: half the rate over the number of bins.

    >>> round(stft_width_hz(12_000, 512), 1), round(stft_width_hz(12_000, 256), 1)
    (23.3, 46.5)
    """
    return sample_rate_hz / 2 / (dft_size_samples // 2 + 1)


def mel_width_hz(sample_rate_hz: int, num_mel_bands: int) -> float:
    """Computes the distance of the lowest mel bands' centres: that of all below 1 kHz.

    >>> round(mel_width_hz(12_000, 96), 1)
    28.2
    """
    recipe = Recipe("mel", sample_rate_hz, num_mel_bands=num_mel_bands)
    return float(np.diff(recipe.band_centres_hz()[:2])[0])


def claims_of_kinds(
    found: Sequence[Comparison], placed: Placed, gaps: Sequence[str] = ()
) -> list[Claim]:
    """Judges that mel and STFT differ little at any size, and that neither is better.

    Neither is better on average over sizes nor over the larger half of them: the paper
    says "especially when enough data is provided". The gaps are what the points lack.
    """
    limit = paper.MAX_MEL_STFT_DIFFERENCE
    # Two scores near chance are alike whatever the inputs are worth.
    informed = [one for one in found if one.is_informed] or found
    mean = comparison.average("mean of sizes", informed, placed)
    upper = informed[len(informed) // 2 :]
    larger = comparison.average("mean of their larger half", upper, placed)
    if not mean or not larger:
        nothing = judges.no_data("no size has both.")
        return [claim(key, *nothing) for key in ("small-difference", "no-winner")]
    far = max(found, key=lambda one: abs(one.mean))
    small = f"at most {number(abs(far.mean))} ({far.name})"
    largest = f"the largest: {comparison.sentence(far)}."
    ahead = sum(one.mean > 0 for one in found)
    no_winner = f"mel is ahead at {ahead} of {len(found)} sizes"
    left_out = f", {len(found) - len(informed)} near chance left out"
    which = left_out if len(informed) < len(found) else ""
    texts = {"mean": comparison.sentence(mean), "larger": comparison.sentence(larger)}
    why = say("data_size.no_winner", which=which, **texts)
    within = judges.differences(found, -limit, limit, largest)
    small_enough = paper.NON_SIGNIFICANT_BELOW
    level = judges.differences([mean, larger], -small_enough, small_enough, why)
    return [
        claim("small-difference", small, *judges.whole(within, gaps)),
        claim("no-winner", no_winner, *judges.complete(level, gaps)),
    ]


def scores_by_size(
    frame: pd.DataFrame,
    lines: Mapping[str, LogFit],
    differences: Mapping[float, float],
    ticks: Mapping[float, str],
) -> Figure:
    """Draws mean and deviation over seeds on a logarithmic axis, two columns wide.

    `frame` has `input` (`mel` or `stft`), `clips` and `roc_auc_macro`, one row a seed;
    lines go from an input to its fit, differences, printed above, and ticks from a
    number of clips.
    """
    drawn = Figure(figsize=(7, 3.4))
    axes = drawn.subplots()
    spread = mean_and_std(frame, ["input", "clips"])
    kinds = list(frame["input"].unique())
    for kind in kinds:
        of_kind = spread.loc[kind]
        sizes = of_kind.index.to_numpy()
        nudge = {"mel": 1 / NUDGE, "stft": NUDGE}[kind] if len(kinds) > 1 else 1
        look: Look = {"ms": 5, "capsize": 3, "ls": "", **LOOKS[kind]}
        axes.errorbar(sizes * nudge, of_kind["mean"], yerr=of_kind["std"], **look)
        if kind in lines:
            ends = sizes.max() * np.array([2 ** -lines[kind].span, 1])
            style: Look = {"color": LOOKS[kind]["color"], "ls": "--", "lw": 1}
            axes.plot(ends, lines[kind].at(ends), alpha=0.8, **style)
    tops = spread.sum(axis=1).groupby("clips").max()
    at: Look = {"xytext": (0, 6), "textcoords": "offset points", "ha": "center"}
    for size, difference in differences.items():
        name, place = signed(difference), (size, tops[size])
        axes.annotate(name, place, va="bottom", fontsize=8, **at)
    axes.set(xscale="log", xlabel="training clips", ylabel="macro ROC-AUC")
    axes.minorticks_off()
    axes.set_xticks(list(ticks), list(ticks.values()))
    axes.margins(x=0.06, y=0.15)
    axes.grid(visible=False, axis="x")
    axes.legend(loc="lower right", fontsize=8)
    return drawn


def _of_both(sizes: pd.DataFrame) -> pd.DataFrame:
    """Puts STFT (`…_stft`) beside mel, at every share that both have."""
    mel, stft = (sizes[sizes.kind == kind] for kind in ("mel", "stft"))
    return mel.merge(stft, on="share", suffixes=("", "_stft"))


def _last_gains(sizes: pd.DataFrame, placed: Placed) -> list[Comparison]:
    """Compares the two largest sizes of each kind that `_expected_gain` knows."""
    pairs, points = {}, dict(zip(sizes.name, sizes.point, strict=True))
    for kind, of in sizes.groupby("kind"):
        if len(of) >= LEAST_SIZES:
            before, last = of[-2:].itertuples()
            name = f"{INPUTS[kind]}, {percent(last.share)} − {percent(before.share)}"
            pairs[name] = last.name, before.name
    return comparison.compare(points, pairs, placed)


def mean_auc(sizes: pd.DataFrame, labels: str = "weak") -> np.ndarray:
    """Averages each size's macro ROC-AUC over seeds."""
    return np.array([comparison.auc(one, labels).mean() for one in sizes.point])


def _circumstances(point: RunRecord) -> tuple:
    """Gives what changes a time besides the input."""
    device = point.environment.get("device", point.environment.get("devices", ABSENT))
    size = point.summary.get("batch_size")
    return str(device), int(point.summary["num_seeds"]), size


def _too_few(sizes: pd.DataFrame, left_out: pd.DataFrame) -> list[str]:
    """Lists kinds of which chance has left fewer sizes than a line needs."""
    counts = sizes.kind.value_counts(), left_out.kind.value_counts()
    return [
        f"{INPUTS[kind]} is above chance at {counts[0][kind] - out} sizes only"
        for kind, out in counts[1].items()
        if counts[0][kind] - out < LEAST_SIZES
    ]


def _near_chance(left_out: pd.DataFrame | None) -> str:
    """Says which sizes a line leaves out, if any."""
    if left_out is None:
        return ""
    names = [f"{INPUTS[of.kind]} {percent(of.share)}" for of in left_out.itertuples()]
    return comparison.left_out(names)


def claim_of_line(
    lines: Mapping[str, LogFit],
    gaps: Sequence[str],
    left_out: pd.DataFrame | None = None,
) -> Claim:
    """Judges that AUC rises with the logarithm of the data, at sizes above chance."""
    known = [one for one in lines.values() if np.isfinite(one.slope_error)]
    verdict, why = judges.unknown("a line needs at least three sizes.")
    if known:
        verdict, why = judges.rise_straight(known, LINE_R_SQUARED, BEND)
    judged = verdict, why + _near_chance(left_out)
    here = "; ".join(_say_lines("slope", lines)) or ABSENT
    return claim("line", here, *judges.complete(judged, gaps))


def _say_lines(key: str, lines: Mapping[str, LogFit]) -> list[str]:
    return [
        say(
            f"data_size.{key}",
            kind=INPUTS[kind],
            line=line,
            ends=interval(line.slope_interval()),
            explained=number(line.r_squared, 3),
        )
        for kind, line in lines.items()
    ]


def claim_of_saturation(
    sizes: pd.DataFrame,
    gains: Sequence[Comparison],
    placed: Placed,
    gaps: Sequence[str],
    left_out: pd.DataFrame | None = None,
) -> Claim:
    """Judges that the last step gains less than the line through the others says.

    Sizes are those above chance. The error is that of the gain (seeds and test clips)
    and of the line together. A line through sizes whose gain grows expects too little
    of the last step: then the claim may hold, and cannot fail.
    """
    gain = comparison.average("last step", gains, placed)
    line, judged = _expected_gain(sizes), judges.unknown("four sizes are needed.")
    if gain and line:
        expected, of_line, grows = line
        shortfall = expected - gain.mean
        error = math.hypot(*gain.half_widths(), of_line)
        why = say(
            "data_size.saturation",
            expected=expected,
            gain=comparison.sentence(gain),
            shortfall=signed(shortfall),
            error=number(error),
        )
        why += f" {say('data_size.grows')}" if grows else ""
        judged = judges.falls_short(shortfall, error, expected, why, can_fail=not grows)
    here = [f"{one.name}: {signed(one.mean)}" for one in gains]
    judged = judged[0], judged[1] + _near_chance(left_out)
    judged = judges.complete(judged, gaps)
    return claim("saturation", "; ".join(here) or ABSENT, *judged)


def claim_of_cost(times: pd.DataFrame, gaps: Sequence[str] = ()) -> Claim:
    """Judges that mel is cheaper, on the average of sizes."""
    if times.empty:
        return claim("mel-cheaper", *judges.no_data("no size has the times of both."))
    logs = np.log(times.ratio)
    here = f"STFT takes {np.exp(logs.mean()):.2f} times as long per clip"
    if len(times) < 2:
        return claim("mel-cheaper", here, *judges.unknown("it needs two sizes."))
    ends = statistics.mean_interval(logs)
    why = f"the ratio is {span(np.exp(ends), 2)} (95 % of {len(times)} sizes)."
    judged = judges.above(ends, 0, why)
    return claim("mel-cheaper", here, *judges.complete(judged, gaps))


def _expected_gain(sizes: pd.DataFrame) -> tuple[float, float, bool] | None:
    """Computes the last step's gain by the lines through all sizes but the largest.

    It is the mean over mel and STFT, before half its 95 % interval by the lines'
    residuals, and whether a line bends upwards beyond its interval.
    """
    found = []
    for _, of in sizes.groupby("kind"):
        shares = list(of.share)
        line = statistics.fit_line(shares[:-1], mean_auc(of[:-1]))
        if line is not None and len(shares) >= LEAST_SIZES:
            half_width = line.slope_interval()[1] - line.slope
            step = np.log2(shares[-1] / shares[-2])
            grows = line.slope > 0 and line.bend_interval()[0] > 0
            found.append((line.slope * step, half_width * step, grows))
    if not found:
        return None
    expected, half_widths, grow = np.array(found).T
    half_width = float(np.hypot.reduce(half_widths) / len(found))
    return float(expected.mean()), half_width, bool(grow.any())


def _paragraphs(
    record: SweepRecord, points: Points, fits: Mapping[str, LogFit], times: pd.DataFrame
) -> list[str]:
    sizes = sizes_of(points)
    trained = say(
        "data_size.trained",
        inputs=", ".join(INPUTS[kind] for kind in sizes.kind.unique()),
        least=sizes.clips.min(),
        most=sizes.clips.max(),
        **comparison.scope(record, points, PREFIX),
    )
    cost = "Mel and STFT were not timed under the same circumstances."
    if len(times):
        cost = say("data_size.times", sizes=len(times), **times.median())
    return [trained, *_say_lines("gain", fits), cost]


def _illustration(
    sizes: pd.DataFrame,
    labels: str,
    differences: Mapping[float, Comparison],
    lines: Mapping[str, LogFit],
) -> Illustration:
    points = [((of.kind, of.clips), of.point) for of in sizes.itertuples()]
    at = dict(zip(sizes.share, sizes.clips, strict=True))
    gaps = {at[share]: one.mean for share, one in differences.items()}
    ticks = {clips: f"{percent(share)}\n{clips}" for share, clips in at.items()}
    frame = comparison.score_frame(points, ["input", "clips"], labels)
    look: Look = {"lines": lines, "differences": gaps, "ticks": ticks}
    plot = functools.partial(scores_by_size, **look)
    widest = number(max(map(abs, gaps.values()), default=float("nan")))
    return figure("fig5_data_size", plot, frame, labels=labels, widest=widest)


def _table(sizes: pd.DataFrame, known: Sequence[str]) -> Table:
    clips = sizes.drop_duplicates("share").set_index("share").clips.sort_index()
    columns: dict[str, list[Any]]
    columns = {"training clips": [f"{n} ({percent(s)})" for s, n in clips.items()]}
    for labels in known:
        for kind, of in sizes.groupby("kind"):
            points = of.set_index("share").point.reindex(clips.index)
            columns[f"{INPUTS[kind]}, {labels} labels"] = [
                None if pd.isna(one) else comparison.auc(one, labels) for one in points
            ]
    return captioned("scores", columns, dict.fromkeys([*columns][1:], over_seeds))


def _differences(
    found: Mapping[float, Comparison], placed: Placed, labels: str
) -> Table:
    rows = list(found.values())
    mean = comparison.average("mel − STFT, mean of sizes", rows, placed)
    return comparison.table("kinds", rows + ([mean] if mean else []), labels=labels)


def _fit_table(fits: Mapping[str, Mapping[str, LogFit]]) -> Table:
    """Tabulates the gain per doubling for each kind of input and of labels."""
    named = {(x, k): line for x, lines in fits.items() for k, line in lines.items()}
    lines, half = named.values(), LogFit.curvature_half_width
    columns = {
        "": [f"{INPUTS[kind]}, {labels} labels" for labels, kind in named],
        "gain per doubling": [f"{one.slope:.4f}" for one in lines],
        "95 % (t)": [interval(one.slope_interval()) for one in lines],
        "R²": [number(one.r_squared, 3) for one in lines],
        "curvature per doubling²": [
            f"{signed(one.curvature, 5)} ± {number(half(one), 5)}" for one in lines
        ],
    }
    return captioned("lines", columns)


def _time_table(times: pd.DataFrame) -> Table:
    header = ["training clips", "mel [ms]", "STFT [ms]", "STFT / mel"]
    formats: Formats = dict(zip(header, (percent, ".3g", ".3g", ".2f"), strict=True))
    frame = times.reset_index().set_axis(header, axis="columns")
    return captioned("times", frame, formats)


def _width_table(spectrogram: Mapping[str, Any]) -> Table:
    """Tabulates IV-B's widths of bins beside those of the settings."""
    rate, size = spectrogram["sample_rate_hz"], spectrogram["dft_size_samples"]
    bands, kilohertz = spectrogram["num_mel_bands"], f"{rate / 1000:g} kHz"
    widths = {
        "STFT of the paper's [1]: 256-point DFT, 12 kHz": stft_width_hz(12_000, 256),
        f"STFT: {size}-point DFT, {kilohertz}": stft_width_hz(rate, size),
        f"mel below 1 kHz: {bands} bands, {kilohertz}": mel_width_hz(rate, bands),
    }
    printed = [paper.BIN_WIDTH_HZ[key] for key in ("stft of 256", "stft", "mel")]
    columns = {"": list(widths), "paper [Hz]": printed, "here [Hz]": widths.values()}
    of_paper = mel_width_hz(12_000, 96)
    return captioned("widths", columns, {"here [Hz]": ".1f"}, width=of_paper)
