"""Section V-A: which tags the network takes for similar (Fig. 9, Table III)."""

import dataclasses
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from msd_tagger.common import paper
from msd_tagger.pages.page import Illustration
from msd_tagger.pages.style import BLUE, ORANGE, ink, label
from msd_tagger.pages.tables import ABSENT, Table, interval, number, over_seeds, percent
from studies import comparison, judges, matrices, statistics, tag_pairs
from studies.comparison import Ends
from studies.figures import Look
from studies.judges import Judged
from studies.label_table import find_label_table
from studies.records import SweepRecord
from studies.study import Claim, Study
from studies.tag_pairs import Pair
from studies.texts import captioned, claim, figure, say

NAME, TITLE = "label_vectors", "Label vectors (Fig. 9, Table III)"
POINT = "variance"
TOP = len(paper.TOP_SIMILAR)
SURPRISING = 10
MEAN, RHO, COMMON = "mean of S", "rank correlation", f"top {TOP} in both"
EITHER = "max(C(i, j), C(j, i))"

# Thresholds of our own: the paper gives none.
SIGNIFICANT = 0.01
HARDLY_ANY = 0.05  # Of the selected pairs; V-A's four of 253 are 0.016.
FEW_PAIRS = 0.25  # Of the top pairs; chance alone must not make so many common.


@dataclasses.dataclass(frozen=True)
class Vectors:
    """Similarity of the label vectors of K tags beside their co-occurrence."""

    tag_names: tuple[str, ...]
    measure: str  # Of the similarity, "cosine" or "dot".
    S: np.ndarray  # Similarity for each seed [S, K, K].
    mean: np.ndarray  # The same, averaged over seeds [K, K].
    together: np.ndarray  # Clips with both tags [K, K].
    C: np.ndarray  # Normalised co-occurrence [K, K].
    either: np.ndarray  # max(C(i, j), C(j, i)) [K, K].
    selected: list[int]  # The tags of Fig. 9.
    is_informed: bool  # Whether the networks' scores can be told from chance.
    seeds: Sequence[int] = ()  # Their numbers, if known.
    gaps: Sequence[str] = ()  # What the point lacks: seeds that failed.

    @property
    def counts(self) -> np.ndarray:
        """Clips with each tag `[K]`."""
        return np.diag(self.together)

    @property
    def pairs(self) -> np.ndarray:
        """Marks every pair (i, j) with i < j: bool `[K, K]`."""
        return tag_pairs.pairs_of(len(self.tag_names))

    def known(self, pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Pair]:
        """Finds where those pairs are whose tags are here."""
        return tag_pairs.find_pairs(self.tag_names, pairs)

    def ranks(self, pair: Pair) -> tuple[int, int]:
        """Ranks a pair by S and by C among all pairs."""
        at, mask = (min(pair), max(pair)), self.pairs
        by_S = tag_pairs.rank_of(self.mean, at, mask)
        return by_S, tag_pairs.rank_of(self.either, at, mask)


def study(record: SweepRecord) -> Study:
    """Compares the last layer's weights of every seed with co-occurrence.

    They are those of the point `variance` if there is one, else of the first.
    """
    found = _read(record)
    if isinstance(found, str):
        return Study(NAME, TITLE, [found])
    name, source, data = found
    networks = _networks(data)
    paragraphs = _paragraphs(name, source, data, networks)
    drawn, tables = _illustrations(data), _tables(data, networks)
    return Study(NAME, TITLE, paragraphs, drawn, tables, _claims(data, networks))


def _read(record: SweepRecord) -> tuple[str, str, Vectors] | str:
    """Returns the point that is read, where tags were counted, and both; or why not."""
    points = record.select(POINT) or record.points
    points = {k: v for k, v in points.items() if "label_vectors" in v.arrays}
    if not points:
        return "No point is complete: there are no label vectors to compare."
    name, point = next(iter(points.items()))
    arrays, stats = point.arrays["label_vectors"], point.arrays.get("label_stats", {})
    names = tuple(arrays["tag_names"].tolist())
    if len(names) < 3:
        return f"{len(names)} tags make too few pairs to compare."
    if clips := int(stats.get("train_num_clips", 0)):
        together = stats["train_co_occurrence"]
        source = f"the {clips:,} clips it was trained on"
    else:
        table = find_label_table(record.workdir)
        counted = table.counted() if table and table.tag_names == names else None
        if counted is None:
            return "There are no labels to compare label vectors with."
        together = tag_pairs.count_together(counted[1])
        source = f"{len(counted[1]):,} {counted[0]}"
    measure = record.config.get("analysis", {}).get("similarity", "cosine")
    S = tag_pairs.similarity(arrays["kernel"], measure)
    C = tag_pairs.normalise(together)
    either, selected = tag_pairs.either_way(C), tag_pairs.select_tags(names, together)
    informed = bool(comparison.informed({name: point}))
    seeds, gaps = point.summary.get("seeds", ()), comparison.gaps(record, name)
    shared = (S.mean(axis=0), together, C, either, selected, informed, seeds, gaps)
    return name, source, Vectors(names, measure, S, *shared)


def _networks(data: Vectors) -> pd.DataFrame:
    tuples = tag_pairs.top_tuples(data.together, TOP)
    chosen = np.ix_(data.selected, data.selected)
    rows = [
        (
            tag_pairs.rank_correlation(S, data.C),
            len(tag_pairs.overlap(tag_pairs.top_pairs(S, TOP), tuples)),
            float(np.nanmean(S[data.pairs])),
            # Over all tuples of different tags that have clips.
            float(np.nanmean(data.C[~np.eye(len(S), dtype=bool)])),
            len(tag_pairs.negative_pairs(S[chosen])),
        )
        for S in (*data.S, data.mean)
    ]
    names = [f"seed {seed}" for seed in data.seeds or range(len(data.S))]
    negative = f"negative pairs of {len(data.selected)} tags"
    columns = [RHO, COMMON, "mean S", "mean C", negative]
    return pd.DataFrame(rows, index=[*names, MEAN], columns=columns)


def _paragraphs(
    name: str, source: str, data: Vectors, networks: pd.DataFrame
) -> list[str]:
    seeds, total = len(data.S), int(data.pairs.sum())
    compared = say(
        "label_vectors.compared",
        networks="one network" if seeds == 1 else f"{seeds} networks",
        name=name,
        measure=data.measure,
        source=source,
    )
    *each, whole = networks[RHO]
    if np.isnan(whole):
        unknown = "A rank correlation cannot be given: too few tags meet."
        return [compared, unknown]
    sentence = say("label_vectors.correlation", pairs=total, whole=whole)
    if seeds == 1:
        return [compared, f"{sentence}."]
    of_pairs = data.S[:, data.pairs]
    others = [
        tag_pairs.rank_correlation(S, np.delete(data.S, seed, axis=0).mean(axis=0))
        for seed, S in enumerate(data.S)
    ]
    spread = say(
        "label_vectors.spread",
        seeds=np.nanmedian(of_pairs.std(axis=0, ddof=1)),
        pairs=np.nanstd(np.nanmean(of_pairs, axis=0)),
        others=over_seeds(np.array(others), 3),
    )
    single = say("label_vectors.single", each=over_seeds(np.array(each), 3))
    return [compared, sentence + single, spread]


def _illustrations(data: Vectors) -> list[Illustration]:
    found, seeds, chosen = [], len(data.S), data.selected
    if len(chosen) > 1:
        matrix = partial(matrices.similarity, measure=data.measure)
        values = {
            "tags": len(chosen),
            "average": f", averaged over {seeds} seeds" if seeds > 1 else "",
            "selection": tag_pairs.describe_selection(data.tag_names),
        }
        frame = _pair_frame(data, chosen)
        found = [figure("label_vector_similarity", matrix, frame, **values)]
    # V-A's three pairs where they are there, else the most surprising ones.
    named = list(data.known(paper.UNEXPECTED_PAIRS).values())
    named = named or tag_pairs.high_and_low(data.mean, data.either, 3)
    names = [(data.tag_names[i], data.tag_names[j]) for i, j in named]
    points = partial(draw_scatter, measure=data.measure, named=names)
    frame = _pair_frame(data, range(len(data.tag_names)))
    return [*found, figure("similarity_by_co_occurrence", points, frame)]


def _pair_frame(data: Vectors, tags: Sequence[int]) -> pd.DataFrame:
    """Returns S and C of all pairs of some tags, with the deviation over seeds."""
    names = np.array(data.tag_names)
    i, j = (np.asarray(tags)[k] for k in np.triu_indices(len(tags), k=1))
    of_pairs = data.S[:, i, j]
    several = len(of_pairs) > 1
    columns = {"i": names[i], "j": names[j], "S(i, j)": data.mean[i, j]}
    deviation = of_pairs.std(axis=0, ddof=1) if several else np.nan
    columns |= {"deviation over seeds": deviation, EITHER: data.either[i, j]}
    return pd.DataFrame(columns)


def draw_scatter(
    frame: pd.DataFrame, measure: str, named: Sequence[tuple[str, str]]
) -> Figure:
    """Draws one point a pair of tags, from `_pair_frame`, some of them named."""
    drawn = Figure(figsize=(3.5, 3.1))
    axes = drawn.subplots()
    x, y = 100 * frame[EITHER], frame["S(i, j)"]
    axes.plot(x, y, "o", ms=2.5, color=BLUE, alpha=0.35, mew=0)
    rows = {frozenset(tags): k for k, *tags in frame[["i", "j"]].itertuples()}
    at = [rows[frozenset(pair)] for pair in named]
    names = [", ".join(map(label, pair)) for pair in named]
    marked = zip(y[at], x[at], names, strict=True)
    look: Look = {"fontsize": 7, "color": ORANGE, "ha": "right", "va": "center"}
    look["bbox"] = {"fc": axes.get_facecolor(), "ec": "none", "alpha": 0.8, "pad": 0.6}
    look["arrowprops"] = {"arrowstyle": "-", "lw": 0.5, "color": ORANGE}
    look["textcoords"] = "axes fraction"
    # Their names stand below each other at the right, in the order of their heights.
    for line, (height, share, name) in enumerate(sorted(marked, reverse=True)):
        axes.plot(share, height, "D", ms=4, mfc="none", color=ORANGE)
        axes.annotate(name, (share, height), (0.98, 0.94 - 0.07 * line), **look)
    axes.axhline(0, lw=0.8, color=ink(axes))
    axes.set(xlabel=f"{EITHER}, %", ylabel=f"S(i, j), {measure}")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6))
    return drawn


def _tables(data: Vectors, networks: pd.DataFrame) -> list[Table]:
    lists = {
        "unexpected": list(data.known(paper.UNEXPECTED_PAIRS).values()),
        "high_S": tag_pairs.high_and_low(data.mean, data.either, SURPRISING),
        "high_C": tag_pairs.high_and_low(data.either, data.mean, SURPRISING),
    }
    tables = [
        _pairs(data, name, pairs)
        for name, pairs in lists.items()
        if pairs or name != "unexpected"
    ]
    several = len(data.S) > 1
    frame = (networks if several else networks[:1]).rename_axis("network").reset_index()
    formats = dict.fromkeys((RHO, "mean S", "mean C"), ".3f")
    strong = [len(networks) - 1] if several else []
    return [_top_pairs(data), *tables, captioned("networks", frame, formats, strong)]


def _top_pairs(data: Vectors) -> Table:
    """Tabulates Table III's second row: ours beside the paper's."""
    names = data.tag_names
    ours = tag_pairs.top_pairs(data.mean, TOP)
    printed = data.known(paper.TOP_SIMILAR)
    frequent = tag_pairs.overlap(ours, tag_pairs.top_tuples(data.together, TOP))
    common = tag_pairs.overlap(ours, printed.values())
    columns = {
        "rank": range(1, max(len(ours), TOP) + 1),
        "here": [f"{names[i]}, {names[j]}" for i, j in ours],
        "S": [over_seeds(data.S[:, i, j], 3) for i, j in ours],
        "also top of C": ["yes" if pair in frequent else "no" for pair in ours],
        "paper": [", ".join(pair) for pair in paper.TOP_SIMILAR],
        "its S here": [
            number(data.mean[printed[pair]], 3) if pair in printed else ABSENT
            for pair in paper.TOP_SIMILAR
        ],
    }
    strong = [rank for rank, pair in enumerate(ours) if pair in common]
    numbers: dict[str, Any] = {"common": len(common), "ours": len(ours), "top": TOP}
    return captioned("similar", columns, strong=strong, **numbers)


def _pairs(data: Vectors, key: str, pairs: Sequence[Pair]) -> Table:
    """Pairs with their similarity, their co-occurrence, and the rank by each."""
    total, names = f"of {int(data.pairs.sum()):,}", data.tag_names
    ranks = [data.ranks(pair) for pair in pairs]
    columns = {
        "pair": [f"{names[i]}, {names[j]}" for i, j in pairs],
        "S": [over_seeds(data.S[:, i, j], 3) for i, j in pairs],
        f"rank by S {total}": [by_S for by_S, _ in ranks],
        "max C": [data.either[pair] for pair in pairs],
        f"rank by C {total}": [by_C for _, by_C in ranks],
    }
    return captioned(key, columns, {"max C": ".3f"})


def _claims(data: Vectors, networks: pd.DataFrame) -> list[Claim]:
    each, of_mean = networks.iloc[:-1], networks.loc[MEAN]
    means, of_C = each["mean S"].to_numpy(), of_mean["mean C"]
    ends = statistics.mean_interval(means - of_C)
    why = f"the difference is {interval(ends, 3)} (95 % over networks)."
    higher = judges.above(ends, 0, why)
    if data.measure != "cosine":
        higher = judges.unknown("a dot product has no scale to compare with a share.")
    of_whole = "; of the mean similarity "
    rho = f"{over_seeds(each[RHO], 3)}{of_whole}{number(of_mean[RHO], 3)}"
    top = f"{over_seeds(each[COMMON], 1)}{of_whole}{of_mean[COMMON]:.0f}"
    averages = f"mean S {over_seeds(means, 3)}; mean C {of_C:.3f}"
    found = [
        claim("similar-meet", rho, *_correlation(data)),
        claim("top-in-both", top, *_overlap(data), top=TOP),
        claim("similarity-higher", averages, *higher),
        _hardly_negative(data, each.iloc[:, -1], int(of_mean.iloc[-1])),
        _papers_negative_pairs(data),
        _unexpected_pairs(data),
    ]
    dull = "the networks' scores cannot be told from chance."
    judged = [
        judges.whole((one.verdict, one.why), data.gaps)
        if data.is_informed
        else judges.unknown(dull)
        for one in found
    ]
    return [
        dataclasses.replace(one, verdict=verdict, why=why)
        for one, (verdict, why) in zip(found, judged, strict=True)
    ]


def _correlation(data: Vectors) -> Judged:
    """Judges V-A's 0.580 by Mantel's test."""
    high = tag_pairs.mantel_p_value(data.S, data.C, data.counts)
    if np.isnan(high):
        return judges.unknown("too few tags meet.")
    low = tag_pairs.mantel_p_value(-data.S, data.C, data.counts)
    shares = {"low": percent(low), "level": percent(SIGNIFICANT)}
    why = say("label_vectors.mantel", high=percent(high), **shares)
    return judges.beyond_chance(high, SIGNIFICANT, why, opposite=low)


def _overlap(data: Vectors) -> Judged:
    """Judges V-A's 11 of 20."""
    tuples = tag_pairs.top_tuples(data.together, TOP)
    pairs_of_C, total = len(set(map(frozenset, tuples))), int(data.pairs.sum())
    if pairs_of_C > FEW_PAIRS * total:
        return judges.unknown(
            f"{total} pairs are too few: {TOP} of them are not the top."
        )
    most = [tag_pairs.top_pairs(S, TOP) for S in data.S]
    either = {*tuples, *(pair[::-1] for pair in tuples)}
    chance = tag_pairs.overlap_p_value(most, either, data.counts)
    why = say("tags.relabelled", share=percent(chance))
    return judges.beyond_chance(chance, SIGNIFICANT, why)


def _hardly_negative(data: Vectors, counts: pd.Series, of_mean: int) -> Claim:
    tags = len(data.selected)
    total = tags * (tags - 1) // 2
    ends = statistics.count_interval(counts)
    values = {"ends": interval(ends, 1), "total": total, "tags": tags}
    why = say("label_vectors.negative", limit=percent(HARDLY_ANY), **values)
    judged = judges.unknown(why)
    if tags >= len(paper.SELECTED_TAGS):
        judged = judges.below(ends, HARDLY_ANY * total, why)
    here = f"{over_seeds(counts, 1)} of {total}; of the mean similarity {of_mean}"
    return claim("hardly-negative", here, *judged, number=len(paper.NEGATIVE_PAIRS))


def _papers_negative_pairs(data: Vectors) -> Claim:
    known = data.known(paper.NEGATIVE_PAIRS)
    values = {names: data.S[:, i, j] for names, (i, j) in known.items()}
    total = len(paper.NEGATIVE_PAIRS)
    ends = [statistics.mean_interval(of_pair) for of_pair in values.values()]
    negative = sum(high < 0 for _, high in ends)
    spread = "beyond the spread over seeds"
    if len(data.S) == 1:  # It has no interval.
        negative = sum(int(of_pair[0] < 0) for of_pair in values.values())
        spread = "in the only seed"
    texts = [f"{', '.join(names)} {over_seeds(v, 2)}" for names, v in values.items()]
    why = f"negative {spread}: {negative} of {len(values)} pairs, of {total} in all."
    wider = [statistics.mean_interval(of_pair, total) for of_pair in values.values()]
    judged = judges.every(ends, wider, -np.inf, 0, why)
    absent = [] if len(values) == total else ["not all of the pairs are here"]
    judged = judges.whole(judged, absent)
    return claim("negative-pairs", "; ".join(texts) or ABSENT, *judged)


def _unexpected_pairs(data: Vectors) -> Claim:
    """Holds where most networks say so of each pair, and labels by intervals of C."""
    known = data.known(paper.UNEXPECTED_PAIRS)
    total, texts, fits = len(paper.UNEXPECTED_PAIRS), [], []
    highest = tag_pairs.top_pairs(data.either, TOP)
    last, unsure = data.either[highest[-1]] if highest else np.nan, []
    for names, pair in known.items():
        by_S, by_C = data.ranks(pair)
        texts.append(f"{', '.join(names)} {by_S} and {by_C}")
        at = (min(pair), max(pair))
        ranks = [tag_pairs.rank_of(S, at, data.pairs) for S in data.S]
        least, most = _share_together(data, pair)
        fits.append(sum(rank <= TOP for rank in ranks) if not least > last else 0)
        if not (least > last or most < last):
            unsure.append(", ".join(names))
    printed = [
        f"{', '.join(names)} {paper.TOP_SIMILAR.index(names) + 1} and {value.rank}"
        for names, value in paper.UNEXPECTED_PAIRS.items()
    ]
    networks = len(data.S)
    shares = "; ".join(
        f"{', '.join(k)} in {n}" for k, n in zip(known, fits, strict=True)
    )
    why = say("label_vectors.unexpected", shares=shares, networks=networks, top=TOP)
    ends, wider = (
        [statistics.share_interval(one, networks, claims) for one in fits]
        for claims in (1, total)
    )
    judged = judges.every(ends, wider, 0.5, np.inf, why)
    if unsure:
        text = "; ".join(unsure)
        judged = judges.unknown(f"too few clips say how rarely these meet: {text}.")
    if len(fits) < total:
        judged = judges.unknown(f"{len(fits)} of the {total} pairs are here.")
    here = "; ".join(texts) or ABSENT
    return claim("unexpected-pairs", here, *judged, printed="; ".join(printed))


def _share_together(data: Vectors, pair: Pair) -> Ends:
    """Gives the interval of max(C(i, j), C(j, i)); NaN where both have no clip."""
    clips = [int(one) for one in data.counts[[*pair]] if one]
    if not clips:
        return np.nan, np.nan
    return statistics.share_interval(int(data.together[pair]), min(clips))
