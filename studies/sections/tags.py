"""Sections II-A, III-A and IV: how often tags occur and meet, how magnitudes spread.

Figs 1, 6 and 8, and Table III's first row.
"""

import dataclasses
import itertools
from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator
from scipy import stats

from msd_tagger.common import paper
from msd_tagger.common.tags import TAGS
from msd_tagger.pages.page import Illustration
from msd_tagger.pages.style import BLUE, GREEN, ORANGE, ink
from msd_tagger.pages.tables import ABSENT, Formats, Table, percent
from studies import figures, judges, matrices, statistics, tag_pairs
from studies.figures import Look
from studies.label_table import LABEL_FILE, find_label_table
from studies.records import SweepRecord
from studies.study import Claim, Study
from studies.texts import captioned, claim, figure, say

NAME = "tags"
TITLE = "Tags, their co-occurrence, and the input (Figs 1, 6 and 8, Table III)"
TOP_TUPLES = 20
MAX_VECTORS = 10
# Counts are compared with the paper's on its own corpus alone.
PAPERS_CORPUS = "msd"

# Thresholds of our own: the paper gives none.
FAR_IN_ERRORS = 4  # Standard errors; the splits are large, chance is not the question.
MIN_CLIPS = 10  # Fewer clips with a tag say nothing of its C(i, j).
NEAR_ONE = 0.9  # "not close to 100%"
SIGNIFICANT = 0.01
LOW_HZ = 500  # "below a few hundred Hz"
FLAT_SHARE = 0.05  # Of the range of the unweighted curve.
NEAR_NORMAL = 0.1  # Largest distance of the distribution functions.
EXTREME = 10  # Deviations.

MAGNITUDES = {"db": "decibels", "linear": "power"}
COLOURS = {"decibels": BLUE, "power": ORANGE}
# From a weighting to its name, colour and line.
WEIGHTINGS = {
    "bypass": ("bypass", GREEN, "-"),
    "a_weighting": ("A-weighting", BLUE, "--"),
    "per_frequency": ("per-frequency", ORANGE, "-."),
}
# How far the linear panel of Fig. 6 reaches, in deviations; the rest is beside it.
LINEAR_RANGE = (-2, 5)
HIGHEST_DENSITY = 0.8  # Twice the peak of a normal distribution.
# What the paper prints of tags: name, rank and share of clips.
PRINTED = {
    "all tags, II-A": [
        (tag, rank, clips / paper.DATASET_TRACKS)
        for tag, (rank, clips) in paper.DATASET_RANKS.items()
    ],
    "the 50 tags, III": [
        (tag, rank, paper.TAG_COUNTS[tag] / paper.CLIPS_TOTAL)
        for tag, rank in (("rock", 1), ("happy", len(TAGS)))
    ],
}


@dataclasses.dataclass(frozen=True)
class Counts:
    """What the labels of N clips say."""

    corpus: str
    tag_names: tuple[str, ...]  # K of them.
    clips: str  # What they are, such as "training clips".
    tags: np.ndarray  # [N, K].
    together: np.ndarray  # Clips with both tags, on the diagonal with one [K, K].
    in_all: dict[str, int]  # From a tag to the clips with it in every split.
    by_split: dict[str, int]  # From every split that is here to its clips.

    @property
    def counts(self) -> np.ndarray:
        """Clips with each tag `[K]`."""
        return np.diag(self.together)

    def found(self, tag: str) -> str:
        """Prints count and share of a tag over all splits that are here."""
        clips, total = self.in_all[tag], sum(self.by_split.values())
        return f"{clips:,} of {total:,} ({percent(clips / total)})"


def study(record: SweepRecord) -> Study:
    """Reads the labels of a corpus, and what its spectrograms look like."""
    data, arrays = _count(record), record.arrays("input_stats")
    paragraphs, illustrations, tables, claims = [], [], [], []
    if data is None:
        paragraphs.append(
            f"There is no {LABEL_FILE}, or no clip in it: no tags to count."
        )
    else:
        vectors, clips = tag_pairs.unique_vectors(data.tags)
        paragraphs += _paragraphs(record, data, clips)
        illustrations += _illustrations(data)
        tables += [_tuples(data), _prose(data, len(clips))]
        tables += [_vectors(data, vectors, clips)]
        claims += [
            _same_tuples(data),
            *(_not_near_one(data, pair) for pair in paper.CO_OCCURRENCE_EXAMPLES),
            _long_tail(data.counts),
            *(_count_of(data, tag) for tag in paper.TAG_COUNTS),
            _unique_vectors(data, len(clips)),
        ]
    if "histogram_db" not in arrays:
        paragraphs.append(say("tags.without_input"))
    else:
        edges = arrays["histogram_edges"]
        shares = {name: arrays[f"histogram_{k}"] for k, name in MAGNITUDES.items()}
        histogram = pd.DataFrame({"from": edges[:-1], "to": edges[1:]} | shares)
        curves = {"Hz": "band_centres_hz"} | {k: f"band_mean_{k}" for k in WEIGHTINGS}
        there = {k: arrays[name] for k, name in curves.items() if name in arrays}
        means = pd.DataFrame(there)
        kind = record.config.get("spectrogram", {}).get("kind", "mel")
        of_input = {"clips": int(arrays["num_clips"]), "bands": len(means)}
        paragraphs.append(say("tags.input", kind=kind, **of_input))
        drawn = figure("magnitude_histograms", draw_histograms, histogram)
        illustrations.append(drawn)
        claims += histogram_claims(histogram)
        if "Hz" in means:
            illustrations.append(figure("band_means", draw_band_means, means))
            claims += band_claims(means)
        else:
            paragraphs.append("Bands without frequencies: Fig. 8 is left out.")
    return Study(NAME, TITLE, paragraphs, illustrations, tables, claims)


def _count(record: SweepRecord) -> Counts | None:
    table = find_label_table(record.workdir)
    if table is None or (counted := table.counted()) is None:
        return None
    clips, tags = counted
    splits = {k: v.tags for k, v in table.splits.items() if len(v.tags)}
    in_all = sum(of_split.sum(axis=0, dtype=np.int64) for of_split in splits.values())
    return Counts(
        corpus=record.config.get("corpus", {}).get("name", ""),
        tag_names=table.tag_names,
        clips=clips,
        tags=tags,
        together=tag_pairs.count_together(tags),
        in_all=dict(zip(table.tag_names, in_all.tolist(), strict=True)),
        by_split={split: len(of_split) for split, of_split in splits.items()},
    )


def _paragraphs(
    record: SweepRecord, data: Counts, vector_clips: np.ndarray
) -> list[str]:
    analysis = record.config.get("analysis", {})
    drawn = data.corpus == "synthetic" and analysis.get("label_only_clips")
    corpus = f"the {data.corpus} corpus" if data.corpus else "the corpus"
    size = {"number": len(data.tags), "tags": len(data.tag_names)}
    labels = say("tags.labels", clips=data.clips, corpus=corpus, **size)
    labels += say("tags.sampled") if drawn else ""
    labels += "" if "train" in data.by_split else say("tags.without_training")
    order = np.argsort(-data.counts, kind="stable")
    counts, names = data.counts[order], np.array(data.tag_names)[order]
    fifth, assignments = max(1, len(counts) // 5), counts.sum()
    spread = say(
        "tags.spread",
        most=counts[0],
        first=names[0],
        least=counts[-1],
        last=names[-1],
        fifth=fifth,
        tags=len(counts),
        share=percent(counts[:fifth].sum() / max(assignments, 1)),
        assignments=assignments,
        per_clip=assignments / len(data.tags),
        vectors=len(vector_clips),
        once=(vector_clips == 1).sum(),
    )
    return [labels, spread]


def _illustrations(data: Counts) -> list[Illustration]:
    names, counts = np.array(data.tag_names), data.counts
    order = np.argsort(-counts, kind="stable")
    # More rows than this make a picture that nobody can open.
    most = order[: figures.MAX_DRAWN_TAGS]
    selected = tag_pairs.select_tags(data.tag_names, data.together)
    found = []
    if len(selected) > 1:
        which = tag_pairs.describe_selection(data.tag_names)
        found.append(_co_occurrence("selected", selected, data, which))
    if len(names) > max(len(selected), 1):
        C = tag_pairs.normalise(data.together)
        alike = tag_pairs.order_by_likeness(tag_pairs.either_way(C))
        found.append(_co_occurrence("all", alike[np.isin(alike, most)], data))
    ranked = pd.DataFrame({"rank": np.arange(len(order)) + 1, "tag": names[order]})
    ranked["clips"] = counts[order]
    ranked["share"] = ranked.clips / len(data.tags)
    per_clip = np.bincount((data.tags > 0).sum(axis=1))
    tags_of_clips = pd.DataFrame({"tags": range(len(per_clip)), "clips": per_clip})
    bars, frame = (
        partial(figures.tag_counts, label=data.clips),
        ranked[["tag", "clips"]],
    )
    return [
        *found,
        figure("tag_counts", bars, frame, clips=data.clips),
        figure("rank_curve", draw_rank_curve, ranked),
        figure("tags_per_clip", draw_tags_per_clip, tags_of_clips),
    ]


def _co_occurrence(
    which: str, chosen: Sequence[int] | np.ndarray, data: Counts, why: str = ""
) -> Illustration:
    C, names = tag_pairs.normalise(data.together), np.array(data.tag_names)
    i, j = np.array(list(itertools.permutations(chosen, 2))).T
    columns = {"i": names[i], "j": names[j], "C(i, j)": C[i, j]}
    frame = pd.DataFrame(columns | {"clips with both": data.together[i, j]})
    key, plot = f"co_occurrence_{which}", matrices.co_occurrence
    values = {"tags": len(chosen), "meaning": say("tags.eq_1"), "why": why}
    return figure(key, plot, frame, **values)


def draw_rank_curve(frame: pd.DataFrame) -> Figure:
    """Draws the share of clips with the tag of each rank, both axes logarithmic."""
    drawn = Figure(figsize=(3.5, 2.9))
    axes = drawn.subplots()
    known = frame[frame.share > 0]
    axes.plot(known["rank"], 100 * known.share, "o-", ms=2.5, lw=1, label="here")
    named = set()
    look: Look = {"xytext": (5, 3), "textcoords": "offset points", "fontsize": 7}
    looks = ((ORANGE, "D"), (GREEN, "s"))
    for (name, points), (colour, mark) in zip(PRINTED.items(), looks, strict=True):
        tags, ranks, shares = zip(*points, strict=True)
        y = 100 * np.array(shares)
        for tag, rank, share in zip(tags, ranks, y, strict=True):
            if tag not in named:
                axes.annotate(tag, (rank, share), color=colour, **look)
        axes.plot(ranks, y, mark, ms=5, mfc="none", color=colour, label=name)
        named |= set(tags)
    axes.set(xscale="log", yscale="log", xlabel="rank of the tag")
    axes.set_ylabel("clips with the tag, %")
    for axis in (axes.xaxis, axes.yaxis):
        _mark_1_2_5(axis)
    axes.margins(x=0.15, y=0.12)
    axes.legend(fontsize=7, loc="lower left")
    return drawn


def draw_tags_per_clip(frame: pd.DataFrame) -> Figure:
    """Draws the share of clips with 0, 1, 2, … tags, one column wide."""
    drawn = Figure(figsize=(3.5, 2.4))
    axes = drawn.subplots()
    known = frame[frame.clips > 0]
    axes.bar(known.tags, 100 * known.clips / known.clips.sum(), color=BLUE)
    axes.set(yscale="log", xlabel="tags of a clip", ylabel="clips, %")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(NullLocator())
    steps = [1, 2, 2.5, 5, 10]
    axes.xaxis.set_major_locator(MaxNLocator("auto", steps=steps, integer=True))
    axes.grid(visible=False, axis="x")
    return drawn


def draw_histograms(frame: pd.DataFrame) -> Figure:
    """Draws how standardised bins spread: decibels, power, and the tails of both."""
    drawn = Figure(figsize=(7.5, 2.6))
    left, right, tails = drawn.subplots(1, 3)
    edges = np.append(frame["from"], frame["to"].iloc[-1])
    density = frame[list(MAGNITUDES.values())].div(frame["to"] - frame["from"], axis=0)
    for axes, (name, colour) in zip((left, right), COLOURS.items(), strict=True):
        axes.stairs(density[name], edges, fill=True, color=colour, alpha=0.7)
        axes.set_title(name)
        axes.set_ylim(bottom=0)
    centres = (frame["from"] + frame["to"]) / 2
    normal = stats.norm.pdf(centres)
    left.plot(centres, normal, "--", lw=1.2, color=ink(left), label="normal")
    left.set(xlim=(-4.5, 4.5), ylabel="density")
    left.legend(fontsize=8, loc="upper right")
    right.set(xlim=LINEAR_RANGE)
    if density.decibels.max() > HIGHEST_DENSITY:
        # A peak that would flatten the rest: the floor, where silence ends.
        peak = frame.loc[density.decibels.idxmax()]
        left.set_ylim(top=HIGHEST_DENSITY)
        cut: Look = {"xy": (peak["to"], 0.93 * HIGHEST_DENSITY), "xytext": (5, 0)}
        cut["textcoords"] = "offset points"
        left.annotate(
            f"cut: {percent(peak.decibels)} of the bins", **cut, va="center", fontsize=7
        )
    _draw_tails(tails, density, edges)
    drawn.supxlabel("magnitude, standard deviations from the mean", fontsize=9)
    return drawn


def _draw_tails(axes: Axes, density: pd.DataFrame, edges: np.ndarray) -> None:
    """Draws both densities on a logarithmic axis: what is rare and extreme."""
    for name, colour in COLOURS.items():
        # The outermost intervals hold everything beyond them, which is no density.
        known = density[name].where(density[name] > 0)[1:-1]
        look: Look = {"color": colour, "lw": 1, "label": name}
        axes.stairs(known, edges[1:-1], baseline=None, **look)
    axes.set(yscale="log", xlim=(edges[0], edges[-1]))
    axes.yaxis.set_major_locator(LogLocator(numticks=5))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_title("both, logarithmic")
    axes.legend(fontsize=8, loc="upper right")
    for power in axes.get_yticklabels():  # 10⁻³ is a formula of Matplotlib's own.
        power.set_parse_math(True)


def draw_band_means(frame: pd.DataFrame) -> Figure:
    """Draws the mean magnitude of each band by weighting, but for one at 0 Hz."""
    drawn = Figure(figsize=(3.5, 2.7))
    axes = drawn.subplots()
    known = frame[frame.Hz > 0]
    for key in known.columns[1:]:
        name, colour, line = WEIGHTINGS[key]
        axes.plot(known.Hz / 1000, known[key], ls=line, color=colour, label=name)
    axes.set(xscale="log", xlabel="frequency, kHz")
    axes.set_ylabel("mean magnitude,\nstandard deviations")
    _mark_1_2_5(axes.xaxis)
    drawn.legend(fontsize=8, loc="outside upper center", ncols=3)
    return drawn


def _mark_1_2_5(axis: Axis) -> None:
    """Marks 1, 2 and 5 of every decade of a logarithmic axis."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_locator(NullLocator())


def _tuples(data: Counts) -> Table:
    """Tabulates Table III's first row: ours beside the paper's."""
    C, names = tag_pairs.normalise(data.together), data.tag_names
    ours = tag_pairs.top_tuples(data.together, TOP_TUPLES)
    printed, its = paper.TOP_TUPLES, tag_pairs.find_pairs(names, paper.TOP_TUPLES)
    of_ours, of_theirs = "C(i, j) here", "C(i, j) of that here"
    columns = {
        "rank": range(1, max(len(ours), len(printed)) + 1),
        "i → j here": [f"{names[i]} → {names[j]}" for i, j in ours],
        of_ours: [C[pair] for pair in ours],
        "clips here": [f"{data.together[pair]:,}" for pair in ours],
        "i → j in the paper": [f"{first} → {second}" for first, second in printed],
        of_theirs: [C[its[pair]] if pair in its else None for pair in printed],
    }
    known = [rank for rank, pair in enumerate(ours) if pair in its.values()]
    numbers = {"known": len(known), "ours": len(ours), "printed": len(printed)}
    formats = {of_ours: ".3f", of_theirs: ".3f"}
    return captioned("tuples", columns, formats, known, **numbers)


def _prose(data: Counts, num_vectors: int) -> Table:
    sizes = {k: f"{size:,}" for k, size in data.by_split.items()}
    vectors = f"{num_vectors:,} on {len(data.tags):,} clips"
    rows = [
        *((f"clips, {k}", n, sizes.get(k, ABSENT)) for k, n in paper.CLIPS.items()),
        *(
            (f"clips with {tag}", n, data.found(tag))
            for tag, n in paper.TAG_COUNTS.items()
            if tag in data.tag_names
        ),
        ("different tag vectors", paper.UNIQUE_VECTORS, vectors),
    ]
    frame = pd.DataFrame(rows, columns=["", "paper", "here"])
    return captioned("prose", frame, {"paper": ","})


def _vectors(data: Counts, vectors: np.ndarray, clips: np.ndarray) -> Table:
    names = np.array(data.tag_names)
    tags = [" + ".join(names[one > 0]) or "no tag" for one in vectors[:MAX_VECTORS]]
    frame = pd.DataFrame({"tags": tags, "clips": clips[:MAX_VECTORS]})
    frame["share"] = frame.clips / len(data.tags)
    formats: Formats = {"clips": ",", "share": percent}
    return captioned("vectors", frame, formats, vectors=len(vectors))


def _same_tuples(data: Counts) -> Claim:
    number = len(paper.TOP_TUPLES)
    ours = tag_pairs.top_tuples(data.together, number)
    printed = tag_pairs.find_pairs(data.tag_names, paper.TOP_TUPLES).values()
    known = [pair for pair in printed if data.counts[pair[0]] >= MIN_CLIPS]
    judged = judges.unknown(
        f"only {len(known)} of its tuples have tags with clips here."
    )
    if len(known) >= number / 2:
        chance = tag_pairs.overlap_p_value([ours], known, data.counts)
        why = say("tags.relabelled", share=percent(chance))
        judged = judges.beyond_chance(chance, SIGNIFICANT, why)
    here = f"{len({*ours} & {*known})} of them among the top {len(ours)}"
    return claim("tuples", here, *judged, number=number)


def _not_near_one(data: Counts, pair: tuple[str, str]) -> Claim:
    """Judges III-A: synonyms replace each other, so they meet less than one expects."""
    first, second = pair
    found = tag_pairs.find_pairs(data.tag_names, [pair]).get(pair)
    clips = int(data.counts[found[0]]) if found else 0
    why = f"{clips} clips with the tag {first}; {MIN_CLIPS} are needed."
    judged = judges.no_data(why)
    if found and clips >= MIN_CLIPS:
        both = int(data.together[found])
        ends = statistics.share_interval(both, clips)
        low, high, near = map(percent, (*ends, NEAR_ONE))
        why = say("tags.not_near_one", low=low, high=high, near=near)
        here = f"{percent(both / clips)} ({both:,} of {clips:,} clips)"
        judged = here, *judges.below(ends, NEAR_ONE, why)
    printed = percent(paper.CO_OCCURRENCE_EXAMPLES[pair])
    return claim("not-near-one", *judged, first=first, second=second, share=printed)


def _long_tail(counts: np.ndarray) -> Claim:
    why = say("tags.long_tail", mean=counts.mean(), median=np.median(counts))
    judged = judges.fact(tag_pairs.is_long_tailed(counts), why)
    if len(counts) < MIN_CLIPS:
        judged = judges.unknown(f"{len(counts)} tags have no tail.")
    return claim("long-tail", f"{counts.max():,} to {counts.min():,} clips", *judged)


def _count_of(data: Counts, tag: str) -> Claim:
    printed = paper.TAG_COUNTS[tag]
    in_training, in_all = printed / paper.CLIPS["train"], printed / paper.CLIPS_TOTAL
    judged = judges.no_data("a count of another corpus.")
    if data.corpus == PAPERS_CORPUS and tag in data.tag_names:
        total = sum(data.by_split.values())
        # Of the training clips where they are here, else of what is.
        counted = int(data.counts[data.tag_names.index(tag)])
        far = {
            "training": _errors_apart(counted, len(data.tags), in_training),
            "all": _errors_apart(data.in_all[tag], total, in_all),
        }
        distances = " and ".join(f"{v:.0f} from that of {k}" for k, v in far.items())
        why = f"the share here is {distances} clips, in standard errors."
        agrees = min(far.values()) <= FAR_IN_ERRORS
        if not agrees:
            why += say("tags.contradicts", clips=total, expected=in_all * total)
        found = judges.fact(agrees, why)
        # The splits differ by more than sampling explains: rock is 19.6 % of the
        # published validation clips, and 14.9 % of the test clips.
        if not agrees and "train" not in data.by_split:
            found = judges.unknown(f"{why} {say('tags.without_most', clips=total)}")
        judged = data.found(tag), *found
    shares = {"of_all": percent(in_all), "of_training": percent(in_training)}
    return claim("count", *judged, printed=printed, tag=tag, **shares)


def _errors_apart(clips: int, total: int, share: float) -> float:
    return abs(clips / total - share) / np.sqrt(share * (1 - share) / total)


def _unique_vectors(data: Counts, num_vectors: int) -> Claim:
    clips = {"number": len(data.tags), "clips": data.clips}
    is_near = abs(num_vectors / paper.UNIQUE_VECTORS - 1) < 0.01
    judged = judges.fact(is_near, say("tags.unique", **clips))
    if data.corpus != PAPERS_CORPUS:
        judged = judges.unknown("a count of another corpus.")
    elif "train" not in data.by_split:
        judged = judges.unknown(say("tags.unique_elsewhere", **clips))
    return claim("unique-vectors", f"{num_vectors:,}", *judged)


def histogram_claims(frame: pd.DataFrame) -> list[Claim]:
    """Judges Fig. 6: decibels are nearly normal, power is a spike with a long tail."""
    far = {name: distance_from_normal(frame, name) for name in COLOURS}
    beyond = {name: share_beyond(frame, name, EXTREME) for name in COLOURS}
    middle = (frame["to"] <= 0.5) & (frame["from"] >= -0.5)
    inside, normal = frame.power[middle].sum(), 2 * stats.norm.cdf(0.5) - 1
    nearer = far["decibels"] < far["power"]
    extreme = beyond["power"] > beyond["decibels"] == 0
    shares = {name: percent(share) for name, share in beyond.items()}
    of_power = say("tags.power", inside=percent(inside), limit=EXTREME, **shares)
    of_normal = say("tags.of_normal", share=percent(normal), limit=EXTREME)
    is_near = nearer and far["decibels"] < NEAR_NORMAL
    near = judges.decide(is_near, not nearer, say("tags.near", limit=NEAR_NORMAL))
    spike = judges.fact(extreme and inside > normal, of_normal)
    return [
        claim("decibels-normal", say("tags.distance", **far), *near),
        claim("power-extreme", of_power, *spike),
    ]


def distance_from_normal(frame: pd.DataFrame, name: str) -> float:
    """Finds Kolmogorov's distance of a histogram from the standard normal distribution.

    That is the largest difference of the distribution functions, at the inner edges.
    The outermost intervals take what is beyond.
    """
    found = frame[name].cumsum()[:-1]
    return float(np.abs(found - stats.norm.cdf(frame["to"][:-1])).max())


def share_beyond(frame: pd.DataFrame, name: str, limit: float) -> float:
    """Finds the share of values that are more than `limit` above the mean."""
    return float(frame[name][frame["from"] >= limit - 1e-9].sum())


def band_claims(means: pd.DataFrame) -> list[Claim]:
    """Judges Fig. 8: where the unweighted curve peaks, and which curve is flat."""
    if not {"bypass", "per_frequency"} <= set(means):
        return []
    peak_hz = means.Hz[means.bypass.idxmax()]
    plain, flat = np.ptp(means.bypass), np.ptp(means.per_frequency)
    peak = f"the peak is at {peak_hz:,.0f} Hz"
    low = f"low means below {LOW_HZ} Hz, which is our threshold."
    ranges = f"it ranges over {flat:.2g} deviations, without weighting over {plain:.2g}"
    why = say("tags.flat", share=percent(FLAT_SHARE))
    is_flat = judges.fact(flat / plain < FLAT_SHARE, why)
    return [
        claim("peak-low", peak, *judges.fact(peak_hz < LOW_HZ, low)),
        claim("response-flat", ranges, *is_flat),
    ]
