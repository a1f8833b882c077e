"""What sections II-A and III say of tags in prose, against the labels that are here."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from scipy import stats as distributions

from msd_tagger.common import facts, paper
from msd_tagger.pages.page import Illustration
from msd_tagger.pages.tables import ABSENT, Table, percent
from studies import co_occurrence
from studies.co_occurrence import Pair
from studies.label_statistics import LabelStatistics
from studies.label_vectors import chance_of_overlap
from studies.study import FAILS, HOLDS, UNDECIDED, Claim
from studies.study_figures import tags as drawn

# Counts are compared with the paper's on its own corpus alone.
PAPERS_CORPUS = "msd"

# Thresholds of our own: the paper gives none.
FAR_IN_ERRORS = 4  # Standard errors; the splits are large, chance is not the question.
MIN_CLIPS = 10  # Fewer clips with a tag say nothing of its C(i, j).
NEAR_ONE = 0.9  # "not close to 100%"
SIGNIFICANT = 0.01


def places(tag_names: Sequence[str], pair: tuple[str, str]) -> Pair | None:
    """Where the tags of a pair are; None where one is not."""
    if not set(pair) <= set(tag_names):
        return None
    first, second = (list(tag_names).index(tag) for tag in pair)
    return first, second


def claims(stats: LabelStatistics) -> list[Claim]:
    """What can be said of each statement."""
    return [
        _same_tuples(stats),
        *(_not_near_one(stats, pair) for pair in paper.CO_OCCURRENCE_EXAMPLES),
        _long_tail(stats),
        *(_count(stats, tag) for tag in paper.TAG_COUNTS),
        _unique_vectors(stats),
    ]


def prose_table(stats: LabelStatistics) -> Table:
    """Sizes and counts, the paper's beside those found."""
    rows = [
        [f"clips, {split}", f"{printed:,}", _clips(stats, split)]
        for split, printed in paper.CLIPS.items()
    ]
    for tag, printed in paper.TAG_COUNTS.items():
        if tag in stats.tag_names:
            rows.append([f"clips with {tag}", f"{printed:,}", _found(stats, tag)])
    vectors = f"{len(stats.vectors):,} on {stats.num_clips:,} clips"
    rows.append(["different tag vectors", f"{paper.UNIQUE_VECTORS:,}", vectors])
    return Table.of_rows("Numbers of section III.", ("", "paper", "here"), rows)


def rank_curve(stats: LabelStatistics) -> Illustration:
    """The long tail of tags, with the counts that the paper prints."""
    shares = stats.counts / stats.num_clips
    order = np.argsort(-shares, kind="stable")
    ranks = paper.DATASET_RANKS
    printed = {
        "all tags, II-A": (
            [rank for rank, _ in ranks.values()],
            [clips / paper.DATASET_TRACKS for _, clips in ranks.values()],
            list(ranks),
        ),
        "the 50 tags, III": (
            [1, len(facts.TAGS)],
            [count / paper.CLIPS_TOTAL for count in paper.TAG_COUNTS.values()],
            list(paper.TAG_COUNTS),
        ),
    }
    rows = [
        [str(rank), stats.tag_names[k], str(stats.counts[k]), f"{shares[k]:.6f}"]
        for rank, k in enumerate(order, start=1)
    ]
    return Illustration(
        name="rank_curve",
        plot=partial(drawn.rank_curve, shares, printed),
        alt="A falling curve of the share of clips by the rank of the tag.",
        caption=(
            "Clips with the tag of each rank, and what the paper prints: of "
            f"{paper.DATASET_TRACKS:,} tracks with any tag (II-A) and of its "
            f"{paper.CLIPS_TOTAL:,} clips (III)."
        ),
        numbers=Table.of_rows("Tags by rank", ("rank", "tag", "clips", "share"), rows),
    )


def _clips(stats: LabelStatistics, split: str) -> str:
    number = stats.clips_by_split.get(split)
    return ABSENT if number is None else f"{number:,}"


def _found(stats: LabelStatistics, tag: str) -> str:
    """Count and share of a tag over all splits that are here."""
    clips, total = _all_clips(stats, tag)
    return f"{clips:,} of {total:,} ({percent(clips / total)})"


def _all_clips(stats: LabelStatistics, tag: str) -> tuple[int, int]:
    """Clips with a tag, and all clips, of every split that is here."""
    place = stats.tag_names.index(tag)
    clips = sum(int(counts[place]) for counts in stats.counts_by_split.values())
    return clips, sum(stats.clips_by_split.values())


def _same_tuples(stats: LabelStatistics) -> Claim:
    """Table III's first row."""
    number = len(paper.TOP_TUPLES)
    ours = co_occurrence.top_tuples(stats.together, number)
    printed = [places(stats.tag_names, pair) for pair in paper.TOP_TUPLES]
    known = [pair for pair in printed if pair and stats.counts[pair[0]] >= MIN_CLIPS]
    common = len(set(ours) & set(known))
    K = len(stats.tag_names)
    chance = chance_of_overlap(K * (K - 1), len(known), len(ours), common)
    if len(known) < number / 2:
        verdict = UNDECIDED
        why = f"only {len(known)} of its tuples have tags with clips here"
    else:
        verdict = HOLDS if chance < SIGNIFICANT else UNDECIDED
        why = f"two random choices share as many with a chance of {chance:.1g}"
    return Claim(
        "The tuples that co-occur most are a genre and its parent, synonyms, and "
        "musically similar tags: Table III's first row.",
        "III-A, Table III",
        f"{number} different tuples",
        f"{common} of them among the top {len(ours)}",
        verdict,
        f"{why}.",
    )


def _not_near_one(stats: LabelStatistics, pair: tuple[str, str]) -> Claim:
    """III-A: synonyms replace each other, so that they meet less than one expects."""
    statement = (
        f"C({pair[0]}, {pair[1]}) is far from 100 %, although the tags are much alike."
    )
    printed = f"{percent(paper.CO_OCCURRENCE_EXAMPLES[pair])}"
    found = places(stats.tag_names, pair)
    clips = 0 if found is None else int(stats.counts[found[0]])
    if clips < MIN_CLIPS:
        why = f"{clips} clips with the tag {pair[0]}; {MIN_CLIPS} are needed."
        return Claim(statement, "III-A", printed, ABSENT, UNDECIDED, why)
    both = int(stats.together[found])
    interval = distributions.binomtest(both, clips).proportion_ci(method="wilson")
    verdict = UNDECIDED
    if interval.high < NEAR_ONE:
        verdict = HOLDS
    elif interval.low >= NEAR_ONE:
        verdict = FAILS
    here = f"{percent(both / clips)} ({both:,} of {clips:,} clips)"
    why = (
        f"the 95 % interval is {percent(interval.low)} to {percent(interval.high)}; "
        f"far means below {percent(NEAR_ONE)}, which is our threshold."
    )
    return Claim(statement, "III-A", printed, here, verdict, why)


def _long_tail(stats: LabelStatistics) -> Claim:
    counts = stats.counts
    most, least, median = counts.max(), counts.min(), np.median(counts)
    here = f"{most:,} to {least:,} clips"
    why = (
        f"mean {counts.mean():,.1f} and median {median:,.1f} clips a tag; a long tail "
        "needs the mean above the median and ten times as many clips with the most "
        "frequent tag as with the rarest, which are our thresholds."
    )
    verdict = HOLDS if co_occurrence.is_long_tailed(counts) else FAILS
    if len(counts) < MIN_CLIPS:
        verdict, why = UNDECIDED, f"{len(counts)} tags have no tail."
    rock, happy = paper.TAG_COUNTS.values()
    return Claim(
        "Tag counts are unbalanced, with a long tail of rarely used tags.",
        "II-A",
        f"{rock:,} to {happy:,} clips",
        here,
        verdict,
        why,
    )


def _count(stats: LabelStatistics, tag: str) -> Claim:
    """III: the counts of the most frequent and of the rarest tag."""
    printed = paper.TAG_COUNTS[tag]
    statement = f"{printed:,} clips have the tag {tag}."
    shares = {
        "training": printed / paper.CLIPS["train"],
        "all": printed / paper.CLIPS_TOTAL,
    }
    as_text = (
        f"{percent(shares['all'])} of all, "
        f"{percent(shares['training'])} of training clips"
    )
    if stats.corpus != PAPERS_CORPUS or tag not in stats.tag_names:
        why = "a count of another corpus."
        return Claim(statement, "III", as_text, ABSENT, UNDECIDED, why)
    clips, total = _all_clips(stats, tag)
    # Of the training clips where they are here, else of what is.
    in_training = int(stats.counts[stats.tag_names.index(tag)]), stats.num_clips
    far = {
        "training": _errors_apart(*in_training, shares["training"]),
        "all": _errors_apart(clips, total, shares["all"]),
    }
    agrees = [which for which, errors in far.items() if errors <= FAR_IN_ERRORS]
    distances = " and ".join(f"{v:.0f} from that of {k}" for k, v in far.items())
    why = f"the share here is {distances} clips, in standard errors."
    if not agrees:
        why += (
            f" The labels contradict the prose: {total:,} clips with that share of all "
            f"would hold {shares['all'] * total:,.0f}."
        )
    verdict = HOLDS if agrees else FAILS
    return Claim(statement, "III", as_text, _found(stats, tag), verdict, why)


def _errors_apart(clips: int, total: int, share: float) -> float:
    """How far a share lies from another one, in standard errors of the latter."""
    return abs(clips / total - share) / np.sqrt(share * (1 - share) / total)


def _unique_vectors(stats: LabelStatistics) -> Claim:
    printed, here = paper.UNIQUE_VECTORS, len(stats.vectors)
    if stats.corpus != PAPERS_CORPUS:
        verdict, why = UNDECIDED, "a count of another corpus."
    elif stats.split != "train":
        verdict = UNDECIDED
        why = (
            f"these are {stats.num_clips:,} {stats.kind}; the number grows with "
            f"the clips, and the paper has {paper.CLIPS['train']:,} for training."
        )
    else:
        verdict = HOLDS if abs(here / printed - 1) < 0.01 else FAILS
        why = f"of {stats.num_clips:,} training clips; within 1 % counts as the same."
    return Claim(
        "The 50 tags make 12,348 different vectors.",
        "III",
        f"{printed:,}",
        f"{here:,}",
        verdict,
        why,
    )
