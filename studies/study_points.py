"""The points of a study, for its report: sizes, times, scores, and what is missing."""

from __future__ import annotations

from typing import Any

from msd_tagger.pages.tables import ABSENT, Table, duration, with_spread
from studies.run_record import RunRecord
from studies.sweep_record import SweepRecord
from studies.tables import flatten, kinds_of_labels


def num_points(record: SweepRecord) -> int:
    """How many points were asked for."""
    return len(record.points) + len(record.missing)


def total_seconds(record: SweepRecord) -> float:
    """Training time of all complete points together."""
    return sum(one.summary.get("train_seconds") or 0 for one in record.points.values())


def points_table(record: SweepRecord) -> Table:
    """One row a point, in the sweep's order; a missing one has dashes.

    Args:
        record: the study's folder.

    Returns:
        The table.
    """
    kinds = dict.fromkeys(
        kind
        for one in record.points.values()
        for kind in kinds_of_labels(one.summary["scores"]["test"])
    )
    rows = [
        [
            name if name in record.points else f"{name} (missing)",
            *_cells(record.points.get(name), list(kinds)),
        ]
        for name in _asked(record) or (*record.points, *record.missing)
    ]
    caption = (
        "Time is of training alone. AUC is the macro ROC-AUC on the test split against "
        "weak or true labels, mean ± deviation over seeds."
    )
    header = ("point", "seeds", "training clips", "steps", "time")
    return Table(caption, (*header, *(f"AUC, {kind}" for kind in kinds)), rows)


def point_keys(record: SweepRecord) -> Table | None:
    """The keys that differ from point to point, as on the command line."""
    rows = [[name, _settings(keys)] for name, keys in _asked(record).items()]
    return Table("Keys of each point.", ("point", "keys"), rows) if rows else None


def _asked(record: SweepRecord) -> dict[str, dict[str, Any]]:
    """Returns the keys of each point of the sweep."""
    return {name: dict(keys) for name, keys in record.config.get("sweep", ())}


def _cells(point: RunRecord | None, kinds: list[str]) -> list[str]:
    """Returns what a point's row says between its name and its settings."""
    if point is None:
        return [ABSENT] * (4 + len(kinds))
    summary = point.summary
    corpus = summary["corpus"]
    clips = (corpus.get("counts") or {}).get("train")
    return [
        str(summary["num_seeds"]),
        str(corpus.get("train_clips_used", clips) or ABSENT),
        str(summary.get("steps", ABSENT)),
        duration(summary.get("train_seconds")),
        *(_score(summary["scores"]["test"], kind) for kind in kinds),
    ]


def _score(scores: dict[str, Any], kind: str) -> str:
    """Returns mean and deviation over seeds, or a dash."""
    if not scores.get(kind):
        return ABSENT
    mean, std = (scores[kind][key]["roc_auc_macro"] for key in ("mean", "std"))
    return with_spread(mean, std)


def _settings(keys: dict[str, Any]) -> str:
    """Returns keys and values as one line."""
    return ", ".join(
        f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}"
        for key, value in flatten(keys).items()
    )
