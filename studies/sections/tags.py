"""Sections II-A and III-A: how often tags occur and meet (Figs 1, 6, 8, Table III)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial

import numpy as np

from msd_tagger.common import paper
from msd_tagger.pages.page import Illustration
from msd_tagger.pages.tables import ABSENT, Table, percent
from studies import co_occurrence, figures
from studies.co_occurrence import Pair
from studies.label_statistics import (
    LabelStatistics,
    describe_selection,
    read_statistics,
    select_tags,
)
from studies.label_table import LABELS
from studies.records import SweepRecord
from studies.sections import input_magnitudes, tag_claims
from studies.study import Study
from studies.study_figures import matrix
from studies.study_figures import tags as drawn

NAME = "tags"
TITLE = "Tags, their co-occurrence, and the input (Figs 1, 6 and 8, Table III)"
TOP_TUPLES = 20
MAX_VECTORS = 10


def study(record: SweepRecord) -> Study:
    """Reads the labels of a corpus, and what its spectrograms look like.

    Args:
        record: a study with `labels.npz` and, for Figs 6 and 8, `input_stats.npz`.

    Returns:
        The section; what is missing is left out, and a sentence says so.
    """
    stats = read_statistics(record)
    paragraphs, illustrations, tables, claims = [], [], [], []
    if stats is None:
        paragraphs.append(f"There is no {LABELS}, or no clip in it: no tags to count.")
    else:
        paragraphs += _paragraphs(record, stats)
        illustrations += _illustrations(stats)
        tables += [_tuples(stats), tag_claims.prose_table(stats), _vectors(stats)]
        claims += tag_claims.claims(stats)
    magnitudes = input_magnitudes.magnitudes(record)
    return Study(
        name=NAME,
        title=TITLE,
        paragraphs=[*paragraphs, *magnitudes.paragraphs],
        illustrations=[*illustrations, *magnitudes.illustrations],
        tables=tables,
        claims=[*claims, *magnitudes.claims],
    )


def _paragraphs(record: SweepRecord, stats: LabelStatistics) -> list[str]:
    corpus = f"the {stats.corpus} corpus" if stats.corpus else "the corpus"
    analysis = record.config.get("analysis", {})
    drawn_only = stats.corpus == "synthetic" and analysis.get("label_only_clips")
    found = [
        f"Labels of the {stats.num_clips:,} {stats.kind} of {corpus}, with "
        f"{len(stats.tag_names)} tags."
        + (" These clips are drawn and not played." if drawn_only else "")
    ]
    if "train" not in stats.counts_by_split:
        found[0] += (
            " The labels of the training split, of which the paper computes C(i, j), "
            "are not here."
        )
    counts = stats.counts
    order = np.argsort(-counts, kind="stable")
    most, least = order[0], order[-1]
    fifth = max(1, len(counts) // 5)
    share = counts[order[:fifth]].sum() / max(counts.sum(), 1)
    found.append(
        f"Clips per tag range from {counts[most]:,} ({stats.tag_names[most]}) to "
        f"{counts[least]:,} ({stats.tag_names[least]}). The {fifth} most frequent of "
        f"{len(counts)} tags make {percent(share)} of all {counts.sum():,} "
        f"assignments; a clip has {counts.sum() / stats.num_clips:.2f} on average. "
        f"There are {len(stats.vectors):,} different tag vectors, of which "
        f"{(stats.vector_clips == 1).sum():,} occur once."
    )
    return found


def _illustrations(stats: LabelStatistics) -> list[Illustration]:
    names, counts = stats.tag_names, stats.counts
    C = co_occurrence.normalise(stats.together)
    order = co_occurrence.order_by_likeness(co_occurrence.either_way(C))
    # More rows than this make a picture that nobody can open.
    some = np.argsort(-counts, kind="stable")[: figures.MAX_DRAWN_TAGS]
    order = order[np.isin(order, some)]
    selected = select_tags(names, stats.together)
    per_clip = stats.clips_by_tags
    found = [
        _tag_counts([names[k] for k in some], counts[some], stats.kind),
        tag_claims.rank_curve(stats),
        Illustration(
            name="tags_per_clip",
            plot=partial(drawn.tags_per_clip, per_clip),
            alt="Bars: how many clips have how many tags.",
            caption="Tags of a clip.",
            numbers=Table.of_rows(
                "Tags of a clip", ("tags", "clips"), _rows(enumerate(per_clip))
            ),
        ),
    ]
    if len(selected) > 1:
        figure = _co_occurrence("selected", selected, stats, C)
        caption = f"Fig. 1. {figure.caption} {describe_selection(names)}"
        found.insert(0, dataclasses.replace(figure, caption=caption))
    if len(names) > len(selected):
        figure = _co_occurrence("all", order.tolist(), stats, C)
        caption = f"{figure.caption} All tags, like beside like."
        found.insert(1, dataclasses.replace(figure, caption=caption))
    return found


def _tag_counts(names: Sequence[str], counts: np.ndarray, kind: str) -> Illustration:
    return Illustration(
        name="tag_counts",
        plot=partial(figures.tag_counts, names, counts, kind),
        alt="Bars: clips with each tag, the most frequent first.",
        caption=f"Clips with each tag (II-A), of the {kind}.",
        numbers=Table.of_rows(
            "Clips with each tag",
            ("tag", "clips"),
            _rows(zip(names, counts, strict=True)),
        ),
    )


def _co_occurrence(
    which: str, chosen: list[int], stats: LabelStatistics, C: np.ndarray
) -> Illustration:
    names = [stats.tag_names[k] for k in chosen]
    together = stats.together
    rows = [
        (stats.tag_names[i], stats.tag_names[j], f"{C[i, j]:.6f}", together[i, j])
        for i in chosen
        for j in chosen
        if i != j
    ]
    return Illustration(
        name=f"co_occurrence_{which}",
        plot=partial(matrix.co_occurrence, names, C[np.ix_(chosen, chosen)]),
        alt=f"A matrix of C(i, j) of {len(chosen)} tags.",
        caption=(
            "C(i, j) of Eq. 1 in percent: of the clips with the tag below, the share "
            "that also has the tag on the left."
        ),
        numbers=Table.of_rows(
            "C(i, j)", ("i", "j", "C(i, j)", "clips with both"), _rows(rows)
        ),
    )


def _tuples(stats: LabelStatistics) -> Table:
    """Table III, first row: ours beside the paper's."""
    C, names = co_occurrence.normalise(stats.together), stats.tag_names
    ours = co_occurrence.top_tuples(stats.together, TOP_TUPLES)
    printed = {pair: tag_claims.places(names, pair) for pair in paper.TOP_TUPLES}
    rows = []
    for rank in range(max(len(ours), len(printed))):
        cells = [str(rank + 1), ABSENT, ABSENT, ABSENT]
        if rank < len(ours):
            i, j = ours[rank]
            share, clips = f"{C[i, j]:.3f}", f"{stats.together[i, j]:,}"
            cells[1:] = [f"{names[i]} → {names[j]}", share, clips]
        rows.append(cells + _printed_cells(rank, list(printed.items()), C))
    known = [rank for rank, pair in enumerate(ours) if pair in printed.values()]
    caption = (
        "Table III, first row: the tuples of highest C(i, j), and the paper's, which "
        f"prints one twice. {len(known)} of our {len(ours)} are among its "
        f"{len(printed)}; these are bold. Of equal C(i, j) the one with more clips "
        "comes first."
    )
    header = ("rank", "i → j here", "C(i, j)", "clips", "i → j, paper", "its C(i, j)")
    return Table.of_rows(caption, header, rows, known)


def _printed_cells(
    rank: int, printed: list[tuple[tuple[str, str], Pair | None]], C: np.ndarray
) -> list[str]:
    """A tuple of the paper's, and its C(i, j) here."""
    if rank >= len(printed):
        return [ABSENT, ABSENT]
    (first, second), place = printed[rank]
    share = ABSENT if place is None or np.isnan(C[place]) else f"{C[place]:.3f}"
    return [f"{first} → {second}", share]


def _vectors(stats: LabelStatistics) -> Table:
    """The tag vectors that most clips have."""
    rows = []
    for vector, clips in zip(stats.vectors, stats.vector_clips, strict=True):
        if len(rows) == MAX_VECTORS:
            break
        tags = [stats.tag_names[k] for k in np.flatnonzero(vector)]
        share = f"{percent(clips / stats.num_clips)}"
        rows.append([" + ".join(tags) or "no tag", f"{clips:,}", share])
    caption = f"The most frequent of {len(stats.vectors):,} different tag vectors."
    return Table.of_rows(caption, ("tags", "clips", "share"), rows)


def _rows(cells: object) -> list[list[str]]:
    return [[str(cell) for cell in row] for row in cells]
