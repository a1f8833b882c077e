"""The three sets of trainings that Fig. 2 compares."""

from __future__ import annotations

from collections.abc import Mapping

from msd_tagger.common import paper
from msd_tagger.pages.tables import percent
from studies import comparison
from studies.comparison import INPUTS
from studies.records import RunRecord

FAMILIES = ("size-mel-", "size-stft-", "pre-")
WIDTH = paper.THIRD_SET_RANGE[1] - paper.THIRD_SET_RANGE[0]
RULE = (
    f"the third set takes, of the points within {WIDTH:.3f} (the width of the paper's "
    "range) of the best one, the best and the lowest of each family (mel sizes, STFT "
    "sizes, preprocessing), and fills up to six with the lowest of the others; equal "
    "settings count once"
)


def run_sets(points: Mapping[str, RunRecord]) -> dict[str, dict[str, RunRecord]]:
    """Mel sizes, STFT sizes and six mixed trainings of a narrow range.

    Args:
        points: Of a study, by name; every one with a score.

    Returns:
        From `mel`, `stft` and `mixed` to points in the order of the curves. A set of
        fewer than two points is left out.
    """
    sets = {kind: _sizes(points, kind) for kind in INPUTS}
    sets["mixed"] = narrow_set(points)
    return {name: one for name, one in sets.items() if len(one) > 1}


def narrow_set(points: Mapping[str, RunRecord]) -> dict[str, RunRecord]:
    """Up to six trainings that differ little, by `RULE`, the lowest score first."""
    score = {name: float(comparison.auc(one).mean()) for name, one in points.items()}
    ranked = sorted(_distinct(points), key=lambda name: (score[name], name))
    if not ranked:
        return {}
    near = [name for name in ranked if score[name] >= score[ranked[-1]] - WIDTH]
    chosen: list[str] = []
    for family in FAMILIES:
        members = [name for name in near if name.startswith(family)]
        chosen += [*members[:1], *members[1:][-1:]]
    chosen += [name for name in near if name not in chosen]
    chosen = chosen[: paper.THIRD_SET_RUNS]
    return {name: points[name] for name in near if name in chosen}


def short_name(name: str, point: RunRecord) -> str:
    """What tells a training from the others of its study, in few letters."""
    chosen = point.config["preprocessing"]
    kind = point.config["spectrogram"]["kind"]
    if name.startswith("size-"):
        return f"{INPUTS[kind]} {percent(point.config['train']['fraction'])}"
    weighting = {"per_frequency": "per-freq.", "a_weighting": "A-weight."}
    parts = [
        INPUTS[kind] if kind != "mel" else "",
        {"db": "dB"}.get(chosen["magnitude"], chosen["magnitude"]),
        weighting.get(chosen["frequency_weighting"], ""),
        f"×{chosen['scale']:g}" if chosen["scale"] != 1 else "",
    ]
    return " ".join(part for part in parts if part)


def _sizes(points: Mapping[str, RunRecord], kind: str) -> dict[str, RunRecord]:
    found = {
        name: one for name, one in points.items() if name.startswith(f"size-{kind}-")
    }
    order = sorted(found, key=lambda name: found[name].config["train"]["fraction"])
    return {name: found[name] for name in order}


def _distinct(points: Mapping[str, RunRecord]) -> list[str]:
    """Names of the families' points, of equal settings the first."""
    found: dict[tuple, str] = {}
    for family in FAMILIES:
        for name, one in points.items():
            if name.startswith(family):
                found.setdefault(_settings(one), name)
    return list(found.values())


def _settings(point: RunRecord) -> tuple:
    chosen = point.config["preprocessing"]
    return (
        point.config["spectrogram"]["kind"],
        float(point.config["train"]["fraction"]),
        chosen["magnitude"],
        chosen["frequency_weighting"],
        float(chosen["scale"]),
    )
