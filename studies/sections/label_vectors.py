"""Section V-A: which tags the network takes for similar (Fig. 9, Table III)."""

from __future__ import annotations

from functools import partial

import numpy as np

from msd_tagger.common import paper
from msd_tagger.pages.page import Illustration
from msd_tagger.pages.tables import ABSENT, Table, number
from studies import co_occurrence
from studies import label_vectors as vectors
from studies.co_occurrence import Pair
from studies.label_statistics import describe_selection
from studies.records import SweepRecord
from studies.sections import label_vector_claims
from studies.sections.label_vector_claims import known_pairs, over_seeds
from studies.study import Study
from studies.study_figures import label_vectors as drawn
from studies.study_figures import matrix
from studies.vector_comparison import Comparison, read_comparison

NAME = "label_vectors"
TITLE = "Label vectors (Fig. 9, Table III)"
TOP_PAIRS = 20
SURPRISING = 10


def study(record: SweepRecord) -> Study:
    """Compares the last layer's weights of every seed with co-occurrence.

    Args:
        record: a study with a complete point, preferably `variance`.

    Returns:
        The section; without weights or labels, a sentence that says so.
    """
    found = read_comparison(record)
    if isinstance(found, str):
        return Study(NAME, TITLE, [found])
    name, data = found
    return Study(
        name=NAME,
        title=TITLE,
        paragraphs=_paragraphs(name, data),
        illustrations=_illustrations(data),
        tables=_tables(data),
        claims=label_vector_claims.claims(data),
    )


def _paragraphs(name: str, data: Comparison) -> list[str]:
    seeds, K = len(data.S), len(data.tag_names)
    networks = "one network" if seeds == 1 else f"{seeds} networks"
    found = [
        f"The columns of the last layer's weights of {networks} (point {name}), "
        f"compared by their {data.kind}, beside C(i, j) of {data.source}. The paper's "
        "Eq. 3 is the dot product; the values it prints are cosines."
    ]
    each = [vectors.rank_correlation(S, data.C) for S in data.S]
    whole = vectors.rank_correlation(data.mean, data.C)
    if np.isnan(whole):
        return [*found, "A rank correlation cannot be given: too few tags meet."]
    sentence = (
        f"Over the {K * (K - 1) // 2:,} pairs, Spearman's correlation of S(i, j) with "
        f"max(C(i, j), C(j, i)) is {whole:.3f}"
    )
    if seeds > 1:
        sentence += (
            f" for the similarity averaged over seeds; single networks have "
            f"{over_seeds(np.array(each))}"
        )
    found.append(f"{sentence}.")
    if seeds > 1:
        found.append(_agreement(data))
    return found


def _agreement(data: Comparison) -> str:
    """How far the seeds agree on what is similar."""
    upper = data.S[:, vectors.pairs_of(len(data.tag_names))]
    spread = np.nanmedian(upper.std(axis=0, ddof=1))
    scatter = np.nanstd(np.nanmean(upper, axis=0))
    others = [
        vectors.rank_correlation(
            data.S[seed], np.delete(data.S, seed, axis=0).mean(axis=0)
        )
        for seed in range(len(data.S))
    ]
    return (
        f"The similarity of a pair has a standard deviation of {spread:.3f} over seeds "
        f"(median of all pairs); pairs scatter by {scatter:.3f}. One network's ranking "
        "of the pairs correlates with that of the others' mean by "
        f"{over_seeds(np.array(others))}."
    )


def _illustrations(data: Comparison) -> list[Illustration]:
    chosen = data.selected
    found = [_scatter(data)]
    if len(chosen) > 1:
        names = [data.tag_names[k] for k in chosen]
        S = data.mean[np.ix_(chosen, chosen)]
        seeds = len(data.S)
        average = f", averaged over {seeds} seeds" if seeds > 1 else ""
        matrix_of = Illustration(
            name="label_vector_similarity",
            plot=partial(matrix.similarity, names, S, data.kind),
            alt=f"A matrix of the similarity of {len(chosen)} label vectors.",
            caption=(
                f"Fig. 9. Similarity of label vectors{average}, times 100. "
                f"{describe_selection(data.tag_names)}"
            ),
            numbers=_pair_numbers(data, "S(i, j) of Fig. 9", chosen),
        )
        found.insert(0, matrix_of)
    return found


def _scatter(data: Comparison) -> Illustration:
    """S against C, over all pairs."""
    either, mean = co_occurrence.either_way(data.C), data.mean
    named = {
        f"{data.tag_names[i]}, {data.tag_names[j]}": (either[i, j], mean[i, j])
        for i, j in _to_name(data)
    }
    chosen = vectors.pairs_of(len(data.tag_names))
    points = either[chosen], mean[chosen]
    return Illustration(
        name="similarity_by_co_occurrence",
        plot=partial(drawn.similarity_by_co_occurrence, *points, named, data.kind),
        alt="Points: similarity against co-occurrence, one a pair of tags.",
        caption=(
            "Each pair of tags: how similar its label vectors are, and how often its "
            "tags meet. Named are the pairs that are similar and rarely meet."
        ),
        numbers=_pair_numbers(data, "S(i, j) and C", list(range(len(data.tag_names)))),
    )


def _to_name(data: Comparison) -> list[Pair]:
    """V-A's three pairs where they are there, else the most surprising ones."""
    found = known_pairs(data.tag_names, paper.UNEXPECTED_PAIRS)
    either = co_occurrence.either_way(data.C)
    return list(found.values()) or vectors.high_and_low(data.mean, either, 3)


def _pair_numbers(data: Comparison, caption: str, tags: list[int]) -> Table:
    """S and C of all pairs of some tags, with the deviation over seeds."""
    either, mean = co_occurrence.either_way(data.C), data.mean
    deviation = np.full_like(mean, np.nan)
    if len(data.S) > 1:
        deviation = data.S.std(axis=0, ddof=1)
    rows = [
        [
            data.tag_names[i],
            data.tag_names[j],
            number(mean[i, j], 6),
            number(deviation[i, j], 6),
            number(either[i, j], 6),
        ]
        for place, i in enumerate(tags)
        for j in tags[place + 1 :]
    ]
    header = ("i", "j", "S(i, j)", "deviation over seeds", "max(C(i, j), C(j, i))")
    return Table.of_rows(caption, header, rows)


def _tables(data: Comparison) -> list[Table]:
    either = co_occurrence.either_way(data.C)
    by_S = vectors.high_and_low(data.mean, either, SURPRISING)
    by_C = vectors.high_and_low(either, data.mean, SURPRISING)
    tables = [
        _top_pairs(data),
        _pairs(data, by_S, "In the highest tenth by S, lowest by C."),
        _pairs(data, by_C, "In the highest tenth by C, lowest by S."),
        _per_seed(data),
    ]
    named = known_pairs(data.tag_names, paper.UNEXPECTED_PAIRS)
    if named:
        caption = "V-A's three pairs, high in S and low in C."
        tables.insert(1, _pairs(data, list(named.values()), caption))
    return tables


def _top_pairs(data: Comparison) -> Table:
    """Table III, second row: ours beside the paper's."""
    mean = data.mean
    ours = vectors.top_pairs(mean, TOP_PAIRS)
    printed = known_pairs(data.tag_names, paper.TOP_SIMILAR)
    tuples = co_occurrence.top_tuples(data.together, TOP_PAIRS)
    frequent = vectors.overlap(ours, tuples)
    rows = []
    for rank in range(max(len(ours), len(paper.TOP_SIMILAR))):
        cells = [str(rank + 1), ABSENT, ABSENT, ABSENT, ABSENT, ABSENT]
        if rank < len(ours):
            i, j = ours[rank]
            cells[1] = f"{data.tag_names[i]}, {data.tag_names[j]}"
            cells[2] = over_seeds(data.S[:, i, j])
            cells[3] = "yes" if (i, j) in frequent else "no"
        if rank < len(paper.TOP_SIMILAR):
            pair = paper.TOP_SIMILAR[rank]
            cells[4] = ", ".join(pair)
            cells[5] = number(mean[printed[pair]], 3) if pair in printed else ABSENT
        rows.append(cells)
    common = vectors.overlap(ours, printed.values())
    strong = [rank for rank, pair in enumerate(ours) if pair in common]
    caption = (
        "Table III, second row: the pairs of highest S(i, j), and the paper's. "
        f"{len(common)} of our {len(ours)} are among its {len(paper.TOP_SIMILAR)}; "
        "these are bold."
    )
    header = ("rank", "here", "S", "also top of C", "paper", "its S here")
    return Table.of_rows(caption, header, rows, strong)


def _pairs(data: Comparison, pairs: list[Pair], caption: str) -> Table:
    """Pairs with their similarity, their co-occurrence, and the rank by each."""
    mean, either = data.mean, co_occurrence.either_way(data.C)
    chosen = vectors.pairs_of(len(mean))
    rows = []
    for pair in pairs:
        i, j = sorted(pair)
        by_S, by_C = (co_occurrence.rank_of(m, (i, j), chosen) for m in (mean, either))
        names = f"{data.tag_names[pair[0]]}, {data.tag_names[pair[1]]}"
        shares = [number(either[i, j], 3), str(by_C)]
        rows.append([names, over_seeds(data.S[:, i, j]), str(by_S), *shares])
    total = f"of {int(chosen.sum()):,}"
    header = ("pair", "S", f"rank {total}", "max C", f"rank of it {total}")
    return Table.of_rows(caption, header, rows)


def _per_seed(data: Comparison) -> Table:
    """What each network gives by itself."""
    chosen, selected = vectors.pairs_of(len(data.tag_names)), data.selected
    tuples = co_occurrence.top_tuples(data.together, TOP_PAIRS)
    mean_C = number(label_vector_claims.mean_co_occurrence(data.C), 3)
    networks = {f"run {seed + 1}": S for seed, S in enumerate(data.S)}
    if len(data.S) > 1:
        networks["mean of S"] = data.mean
    rows = [
        [
            name,
            number(vectors.rank_correlation(S, data.C), 3),
            str(len(vectors.overlap(vectors.top_pairs(S, TOP_PAIRS), tuples))),
            number(float(np.nanmean(S[chosen])), 3),
            mean_C,
            str(len(vectors.negative_pairs(S[np.ix_(selected, selected)]))),
        ]
        for name, S in networks.items()
    ]
    header = (
        "network",
        "rank correlation",
        f"top {TOP_PAIRS} in both",
        "mean S",
        "mean C",
        f"negative pairs of {len(selected)} tags",
    )
    strong = [len(rows) - 1] if len(data.S) > 1 else []
    caption = "Each network by itself, and their mean similarity."
    return Table.of_rows(caption, header, rows, strong)
