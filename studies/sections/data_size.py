"""Section IV-B, Fig. 5: mel against STFT by the number of training clips, and cost."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from msd_tagger.common import paper
from msd_tagger.frontend.recipe import Recipe
from msd_tagger.pages.page import Illustration
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
from studies.comparison import INPUTS, Comparison, train_clips
from studies.figures import Look
from studies.records import RunRecord, SweepRecord
from studies.statistics import LogFit
from studies.study import Claim, Study

NAME = "data_size"
PREFIX = "size-"
TITLE = "Mel against STFT, and the size of the training set (Fig. 5)"

LOOKS: dict[str, Look] = {
    "mel": {"color": "C0", "marker": "o", "label": "mel spectrogram"},
    "stft": {"color": "C1", "marker": "s", "label": "STFT"},
}
# Half the distance between the two marks of a size, as a factor.
NUDGE = 1.05
# A line is called one if it explains this share of the variance between sizes.
LINE_R_SQUARED = 0.9

# From a share of the training clips to milliseconds per clip and seed, mel and STFT.
Times = dict[float, tuple[float, float]]


def study(record: SweepRecord) -> Study:
    """Redraws Fig. 5 from the points of several sizes, whose names start with `size-`.

    Without such points a sentence says so.
    """
    points = comparison.scored(record.select(PREFIX))
    if not points:
        text = "No point of this study varies the size of the training set."
        return Study(NAME, TITLE, [text])
    sizes = sizes_of(points)
    known = comparison.known_labels(points)
    resamples = comparison.num_resamples(record)
    resampled = {one: comparison.resampled_auc(points, one, resamples) for one in known}
    found = {one: compare_kinds(points, resampled[one], one) for one in known}
    fits = {one: fit_sizes(sizes, one) for one in known}
    gains = _last_gains(points, resampled["weak"])
    times = times_per_clip(sizes)
    return Study(
        name=NAME,
        title=TITLE,
        paragraphs=_paragraphs(record, points, fits["weak"], times),
        illustrations=[
            _illustration(sizes, one, found[one], fits[one]) for one in known
        ],
        tables=[
            _table(sizes, known),
            *(_differences(found[one], one) for one in known),
            _fit_table(fits),
            *_time_tables(times),
            _width_table(next(iter(points.values())).config["spectrogram"]),
        ],
        claims=[
            *claims_of_kinds(list(found["weak"].values())),
            _claim_of_line(fits["weak"]),
            _claim_of_saturation(sizes, gains),
            _claim_of_cost(times),
        ],
    )


def sizes_of(points: Mapping[str, RunRecord]) -> pd.DataFrame:
    """Lists points by the kind of their spectrogram and their size, mel first.

    Returns:
        One row a point: `name`, `kind`, `share` of the clips, `clips`, `point`.
    """
    rows = [
        (
            name,
            one.config["spectrogram"]["kind"],
            float(one.config["train"]["fraction"]),
            train_clips(one),
            one,
        )
        for name, one in points.items()
    ]
    header = ["name", "kind", "share", "clips", "point"]
    return pd.DataFrame(rows, columns=header).sort_values(["kind", "share"])


def fit_sizes(sizes: pd.DataFrame, labels: str) -> dict[str, LogFit]:
    """The line of each kind's mean score against log2 of the clips."""
    lines = {
        kind: statistics.fit_line(list(of.clips), _means(of.point, labels))
        for kind, of in sizes.groupby("kind")
    }
    return {kind: line for kind, line in lines.items() if line is not None}


def compare_kinds(
    points: Mapping[str, RunRecord], resampled: Mapping[str, np.ndarray], labels: str
) -> dict[float, Comparison]:
    """Mel minus STFT at every share of the training clips that both have."""
    both = _of_both(sizes_of(points), "name")
    names = {f"mel − STFT at {percent(share)}": share for share in both}
    pairs = {name: both[share] for name, share in names.items()}
    found = comparison.compare(points, pairs, resampled, labels)
    return {names[one.name]: one for one in found}


def times_per_clip(sizes: pd.DataFrame) -> Times:
    """Time of a training clip and seed in ms, where both were timed alike.

    Points on different devices, or with other numbers of seeds or batch sizes, are no
    comparison and left out.
    """
    return {
        share: (_time_ms(mel), _time_ms(stft))
        for share, (mel, stft) in _of_both(sizes, "point").items()
        if _circumstances(mel) == _circumstances(stft)
        and mel.summary.get("clips_per_s")
        and stft.summary.get("clips_per_s")
    }


def stft_width_hz(sample_rate_hz: float, dft_size_samples: int) -> float:
    """Width of a bin as the paper counts it: half the rate over the number of bins.

    >>> round(stft_width_hz(12_000, 512), 1), round(stft_width_hz(12_000, 256), 1)
    (23.3, 46.5)
    """
    return sample_rate_hz / 2 / (dft_size_samples // 2 + 1)


def mel_width_hz(sample_rate_hz: int, num_mel_bands: int) -> float:
    """Distance of the lowest mel bands' centres: that of all below 1 kHz.

    >>> round(mel_width_hz(12_000, 96), 1)
    28.2
    """
    recipe = Recipe("mel", sample_rate_hz, num_mel_bands=num_mel_bands)
    return float(np.diff(recipe.band_centres_hz()[:2])[0])


def claims_of_kinds(found: Sequence[Comparison]) -> list[Claim]:
    """That mel and STFT differ little at any size, and that neither is better."""
    limit = paper.MAX_MEL_STFT_DIFFERENCE
    small = (
        "Mel and STFT differ by at most 0.007 at any size.",
        "IV-B, Fig. 5",
        f"at most {limit}",
    )
    no_winner = (
        "Neither mel nor STFT outperforms the other.",
        "IV-B, Fig. 5",
        "neither",
    )
    mean = comparison.average("mean of sizes", found)
    if mean is None:
        nothing = judges.no_data("no size has both.")
        return [Claim(*small, *nothing), Claim(*no_winner, *nothing)]
    far = max(found, key=lambda one: abs(one.seeds.mean))
    ahead = sum(one.seeds.mean > 0 for one in found)
    return [
        Claim(
            *small,
            f"at most {abs(far.seeds.mean):.4f} ({far.name})",
            *judges.all_within(
                found, limit, f"the largest: {comparison.sentence(far)}."
            ),
        ),
        Claim(
            *no_winner,
            f"mel is ahead at {ahead} of {len(found)} sizes",
            *judges.level(
                mean,
                limit,
                f"mel minus STFT, mean of sizes: {comparison.sentence(mean)}; it holds "
                f"where both intervals lie within ± {limit}.",
            ),
        ),
    ]


def scores_by_size(
    frame: pd.DataFrame,
    lines: Mapping[str, LogFit],
    differences: Mapping[float, float],
    ticks: Mapping[float, str],
) -> Figure:
    """Mean and deviation over seeds on a logarithmic axis, with fitted lines.

    Args:
        frame: `input` (`mel` or `stft`), `clips`, `seed` and `roc_auc_macro`, one row a
            seed.
        lines: From `mel` or `stft` to the fitted line.
        differences: From a number of clips to mel minus STFT, printed above.
        ticks: From a number of clips to its name.

    Returns:
        The figure, two columns wide.
    """
    figure = Figure(figsize=(7, 3.4))
    axes = figure.subplots()
    scores = frame.groupby(["input", "clips"], sort=False)["roc_auc_macro"]
    spread = scores.agg(["mean", "std"]).fillna(0)
    kinds = list(frame["input"].unique())
    for kind in kinds:
        of_kind = spread.loc[kind]
        sizes = of_kind.index.to_numpy()
        nudge = {"mel": 1 / NUDGE, "stft": NUDGE}[kind] if len(kinds) > 1 else 1
        look: Look = {"ms": 5, "capsize": 3, "ls": "", **LOOKS[kind]}
        axes.errorbar(sizes * nudge, of_kind["mean"], yerr=of_kind["std"], **look)
        if kind in lines:
            ends = np.array([sizes.min(), sizes.max()])
            style: Look = {"color": LOOKS[kind]["color"], "ls": "--", "lw": 1}
            axes.plot(ends, lines[kind].at(ends), alpha=0.8, **style)
    tops = spread.sum(axis=1).groupby("clips").max()
    for size, difference in differences.items():
        at: Look = {"xytext": (0, 6), "textcoords": "offset points"}
        at |= {"ha": "center", "va": "bottom", "fontsize": 8}
        axes.annotate(signed(difference), (size, tops[size]), **at)
    axes.set(xscale="log", xlabel="training clips", ylabel="macro ROC-AUC")
    axes.minorticks_off()
    axes.set_xticks(list(ticks), list(ticks.values()))
    axes.margins(x=0.06, y=0.15)
    axes.grid(visible=False, axis="x")
    axes.legend(loc="lower right", fontsize=8)
    return figure


def _of_both(sizes: pd.DataFrame, column: str) -> dict[float, tuple[Any, Any]]:
    """What stands in a column for mel and for STFT, at every share that both have."""
    mel, stft = (
        dict(zip(of.share, of[column], strict=True))
        for of in (sizes[sizes.kind == kind] for kind in ("mel", "stft"))
    )
    return {share: (mel[share], stft[share]) for share in mel if share in stft}


def _last_gains(
    points: Mapping[str, RunRecord], resampled: Mapping[str, np.ndarray]
) -> list[Comparison]:
    """The largest size minus the one before it, for each kind."""
    pairs = {}
    for kind, of in sizes_of(points).groupby("kind"):
        if len(of) > 1:
            before, last = of[-2:].itertuples()
            name = f"{INPUTS[kind]}, {percent(last.share)} − {percent(before.share)}"
            pairs[name] = last.name, before.name
    return comparison.compare(points, pairs, resampled)


def _means(points: Iterable[RunRecord], labels: str = "weak") -> list[float]:
    return [comparison.auc(one, labels).mean() for one in points]


def _time_ms(point: RunRecord) -> float:
    return 1000 / (point.summary["clips_per_s"] * int(point.summary["num_seeds"]))


def _circumstances(point: RunRecord) -> tuple:
    """What changes a time besides the input."""
    device = point.environment.get("device", point.environment.get("devices", ABSENT))
    size = point.summary.get("batch_size")
    return str(device), int(point.summary["num_seeds"]), size


def _claim_of_line(lines: Mapping[str, LogFit]) -> Claim:
    """That AUC rises with the logarithm of the data."""
    known = [one for one in lines.values() if np.isfinite(one.slope_error)]
    judged = judges.unknown("a line needs at least three sizes.")
    if known:
        judged = judges.rise_straight(known, LINE_R_SQUARED)
    here = "; ".join(
        f"{INPUTS[kind]}: {line.slope:.4f} per doubling (95 % "
        f"{interval(line.slope_interval)}), R² {number(line.r_squared, 3)}"
        for kind, line in lines.items()
    )
    return Claim(
        "Exponentially more data gain linearly more AUC.",
        "IV-B, Fig. 5",
        "as a sentence, no number",
        here or ABSENT,
        *judged,
    )


def _claim_of_saturation(sizes: pd.DataFrame, gains: Sequence[Comparison]) -> Claim:
    """That the last step gains less than the line through the smaller sizes says.

    The error is that of the gain (seeds and test clips) and of the line together.
    """
    gain, line = comparison.average("last step", gains), _expected_gain(sizes)
    judged = judges.unknown("four sizes are needed.")
    if gain and line:
        expected, of_line = line
        low, high = gain.clips
        shortfall = expected - gain.seeds.mean
        of_gain = np.hypot(gain.seeds.half_width, (high - low) / 2)
        error = float(np.hypot(of_gain, of_line))
        judged = judges.falls_short(
            shortfall,
            error,
            expected,
            f"the line through the smaller sizes predicts {expected:+.4f} for that "
            f"step; the measured gain is {comparison.sentence(gain)}; it falls short "
            f"by {signed(shortfall)} ± {number(error)}, spreads together.",
        )
    here = [f"{one.name}: {signed(one.seeds.mean)}" for one in gains]
    return Claim(
        "AUC starts to converge at 64 % and 100 % of the data.",
        "IV-B, Fig. 5",
        "64 % to 100 %, as a sentence",
        "; ".join(here) or ABSENT,
        *judged,
    )


def _claim_of_cost(times: Times) -> Claim:
    """That mel is cheaper."""
    claim = (
        "Mel leads to reduced computation in training.",
        "IV-B",
        "its smaller size, no number",
    )
    ratios = [stft / mel for mel, stft in times.values()]
    if not ratios:
        return Claim(*claim, *judges.no_data("no size has the times of both."))
    low, high = min(ratios), max(ratios)
    why = f"the ratio lies between {low:.2f} and {high:.2f} over {len(ratios)} sizes."
    return Claim(
        *claim,
        f"STFT takes {np.median(ratios):.2f} times as long per clip",
        *judges.above((low, high), 1, why),
    )


def _expected_gain(sizes: pd.DataFrame) -> tuple[float, float] | None:
    """The last step's gain by the lines through all sizes but the largest.

    Returns:
        The mean over mel and STFT, and half its 95 % interval by the lines' residuals.
    """
    found = []
    for _, of in sizes.groupby("kind"):
        shares = list(of.share)
        line = statistics.fit_line(shares[:-1], _means(of.point[:-1]))
        if line is not None and len(shares) > 3:
            half_width = line.slope_interval[1] - line.slope
            step = np.log2(shares[-1] / shares[-2])
            found.append((line.slope * step, half_width * step))
    if not found:
        return None
    expected, half_widths = np.array(found).T
    return float(expected.mean()), float(np.hypot.reduce(half_widths) / len(found))


def _paragraphs(
    record: SweepRecord,
    points: Mapping[str, RunRecord],
    fits: Mapping[str, LogFit],
    times: Times,
) -> list[str]:
    """What was trained, what a doubling of the clips gains, what a clip costs."""
    sizes = sizes_of(points)
    found = [
        f"{len(points)} points ({', '.join(INPUTS[k] for k in sizes.kind.unique())}), "
        f"trained on {sizes.clips.min()} to {sizes.clips.max()} clips, the smaller "
        f"sets inside the larger ones, {comparison.seeds_and_clips(points)}. Mel "
        "and STFT learn from the same clips in the same order, and are paired over "
        "seeds." + comparison.not_complete(record, PREFIX)
    ]
    found += [
        f"{INPUTS[kind]}: twice the clips gain {line.slope:.4f} (95 % "
        f"{interval(line.slope_interval)}) by a straight line over {line.count} sizes, "
        f"which explains {number(line.r_squared, 3)} of the variance between them."
        for kind, line in fits.items()
    ]
    if not times:
        return [*found, "Mel and STFT were not timed under the same circumstances."]
    mel, stft = np.median(list(times.values()), axis=0)
    ratio = np.median([stft / mel for mel, stft in times.values()])
    return [
        *found,
        f"Training takes {mel:.3g} ms per clip and seed with mel and {stft:.3g} ms "
        f"with STFT (medians of {len(times)} sizes; compilation and evaluation aside), "
        f"{ratio:.2f} times as long.",
    ]


def _illustration(
    sizes: pd.DataFrame,
    labels: str,
    differences: Mapping[float, Comparison],
    lines: Mapping[str, LogFit],
) -> Illustration:
    """Fig. 5 against one kind of labels."""
    rows = [
        (of.kind, of.clips, seed, value)
        for of in sizes.itertuples()
        for seed, value in enumerate(comparison.auc(of.point, labels))
    ]
    at = dict(zip(sizes.share, sizes.clips, strict=True))
    gaps = {at[share]: one.seeds.mean for share, one in differences.items()}
    ticks = {clips: f"{percent(share)}\n{clips}" for share, clips in at.items()}
    widest = max(map(abs, gaps.values()), default=float("nan"))
    look: Look = {"lines": lines, "differences": gaps, "ticks": ticks}
    return Illustration(
        name="fig5_data_size" + ("" if labels == "weak" else f"_{labels}"),
        plot=functools.partial(scores_by_size, **look),
        alt=f"Macro ROC-AUC against the {labels} labels for mel and STFT by the number "
        f"of training clips; they differ by at most {number(widest)}.",
        caption=f"Fig. 5 against the {labels} labels: mean over seeds, bars are one "
        "standard deviation, dashed lines the fit against log2 of the clips. Above: "
        "mel minus STFT. The vertical axis does not start at chance (0.5).",
        frame=pd.DataFrame(rows, columns=["input", "clips", "seed", "roc_auc_macro"]),
        formats={"roc_auc_macro": ".6f"},
    )


def _table(sizes: pd.DataFrame, known: Sequence[str]) -> Table:
    """Scores of every point, weak beside true."""
    clips = sizes.drop_duplicates("share").set_index("share").clips.sort_index()
    columns: dict[str, list[Any]]
    columns = {"training clips": [f"{n} ({percent(s)})" for s, n in clips.items()]}
    for labels in known:
        for kind, of in sizes.groupby("kind"):
            points = dict(zip(of.share, of.point, strict=True))
            columns[f"{INPUTS[kind]}, {labels} labels"] = [
                comparison.auc(points[share], labels) if share in points else None
                for share in clips.index
            ]
    caption = "Macro ROC-AUC on the test split, mean ± deviation over seeds."
    formats = dict.fromkeys(list(columns)[1:], over_seeds)
    return Table(pd.DataFrame(columns), caption, formats)


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
    """Gain per doubling for each kind of input and of labels."""
    rows = [
        [
            f"{INPUTS[kind]}, {labels} labels",
            f"{line.slope:.4f}",
            interval(line.slope_interval),
            number(line.r_squared, 3),
            f"{signed(line.curvature, 5)} ± {number(line.curvature_half_width, 5)}",
        ]
        for labels, lines in fits.items()
        for kind, line in lines.items()
    ]
    header = ("", "gain per doubling", "95 % (t)", "R²", "curvature per doubling²")
    caption = "Straight line through macro ROC-AUC against log2 of the clips."
    return Table.of_rows(caption, header, rows)


def _time_tables(times: Times) -> list[Table]:
    """Times by size, if any size was timed."""
    rows = [(share, mel, stft, stft / mel) for share, (mel, stft) in times.items()]
    header = ["training clips", "mel [ms]", "STFT [ms]", "STFT / mel"]
    forms = (percent, ".3g", ".3g", ".2f")
    formats: Formats = dict(zip(header, forms, strict=True))
    frame = pd.DataFrame(rows, columns=header)
    return [Table(frame, "Training time per clip and seed.", formats)] if rows else []


def _width_table(spectrogram: Mapping[str, Any]) -> Table:
    """IV-B's widths of bins beside those of the settings."""
    rate, size = spectrogram["sample_rate_hz"], spectrogram["dft_size_samples"]
    bands = spectrogram["num_mel_bands"]
    kilohertz = f"{rate / 1000:g} kHz"
    printed = [paper.BIN_WIDTH_HZ[key] for key in ("stft of 256", "stft", "mel")]
    found = [
        ("STFT of the paper's [1]: 256-point DFT, 12 kHz", stft_width_hz(12_000, 256)),
        (f"STFT: {size}-point DFT, {kilohertz}", stft_width_hz(rate, size)),
        (f"mel below 1 kHz: {bands} bands, {kilohertz}", mel_width_hz(rate, bands)),
    ]
    names, widths = zip(*found, strict=True)
    frame = pd.DataFrame({"": names, "paper [Hz]": printed, "here [Hz]": widths})
    caption = (
        "Widths of bins. The paper's 35.9 Hz is the distance of 96 mel frequencies "
        "spread up to 12 kHz; with bands up to half the sampling rate of 12 kHz the "
        f"distance of their centres is {mel_width_hz(12_000, 96):.1f} Hz, so mel is "
        "finer there than the paper says."
    )
    return Table(frame, caption, {"here [Hz]": ".1f"})
