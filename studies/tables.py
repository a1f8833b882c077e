"""The tables and sentences of a run's report, computed from its record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from msd_tagger.bundle import thresholds
from msd_tagger.common import metrics
from msd_tagger.pages.tables import ABSENT, Table, number, with_spread
from studies import co_occurrence
from studies.run_record import RunRecord

AVERAGE_NAMES = {
    "roc_auc_macro": "ROC-AUC, macro",
    "roc_auc_micro": "ROC-AUC, micro",
    "pr_auc_macro": "PR-AUC, macro",
    "pr_auc_micro": "PR-AUC, micro",
}


def kinds_of_labels(scores: Mapping[str, Any]) -> list[str]:
    """Returns `weak` and, where the corpus knows the truth, `true`."""
    return [kind for kind in ("weak", "true") if scores.get(kind)]


def score_table(
    scores: Mapping[str, Any], baseline: Mapping[str, Any] | None, kind: str
) -> Table:
    """Every seed's averages, their mean and deviation, and the baseline's.

    Args:
        scores: what `metrics.score_all` gave for the network on a split.
        baseline: the same for the linear baseline, or None.
        kind: `weak` or `true`.

    Returns:
        The table, the mean in bold.
    """
    of_kind = scores[kind]
    rows = [
        [f"run {seed + 1}", *(number(one[name]) for name in AVERAGE_NAMES)]
        for seed, one in enumerate(of_kind["per_seed"])
    ]
    mean, std = of_kind["mean"], of_kind["std"]
    if len(rows) > 1:
        averages = (with_spread(mean[name], std[name]) for name in AVERAGE_NAMES)
        rows.append(["mean ± deviation", *averages])
    strong = [len(rows) - 1]
    if baseline and baseline.get(kind):
        values = (number(baseline[kind]["mean"][name]) for name in AVERAGE_NAMES)
        rows.append(["linear baseline", *values])
    scored = of_kind["per_seed"][0]["num_tags_scored"]
    num_tags = len(of_kind["per_seed"][0]["positives"])
    caption = f"Against the {kind} labels; {scored} of {num_tags} tags can be scored."
    return Table(caption, ("", *AVERAGE_NAMES.values()), rows, strong)


def comparison(
    scores: Mapping[str, Any], baseline: Mapping[str, Any], kind: str
) -> str:
    """Says in one sentence which of network and baseline is better, and by how much.

    Args:
        scores: what `metrics.score_all` gave for the network on the test split.
        baseline: the same for the linear baseline.
        kind: `weak` or `true`.

    Returns:
        The sentence.
    """
    network = scores[kind]["mean"]["roc_auc_macro"]
    linear = baseline[kind]["mean"]["roc_auc_macro"]
    start = f"Against the {kind} labels "
    if network is None or linear is None:
        return f"{start}no tag can be scored."
    seeds = scores["num_seeds"]
    who = "the network" if seeds == 1 else f"the network (mean of {seeds} seeds)"
    gap = round(network, 4) - round(linear, 4)
    both = f"{number(network)} and {number(linear)} macro ROC-AUC"
    if abs(gap) < 5e-5:
        return f"{start}{who} and the linear baseline are level: {both}."
    verb = "beats" if gap > 0 else "stays below"
    size = f"{verb} the linear baseline by {abs(gap):.4f}"
    return f"{start}{who} {size}: {both}.{_against_spread(scores[kind], abs(gap))}"


def _against_spread(of_kind: Mapping[str, Any], gap: float) -> str:
    """Sets a difference against the deviation over seeds, where there is one."""
    std = of_kind["std"]["roc_auc_macro"]
    if not std:
        return ""
    return f" That is {gap / std:.1f} times the standard deviation over seeds."


def tag_values(record: RunRecord, name: str) -> dict[str, np.ndarray]:
    """Per-tag scores on the test split, averaged over seeds.

    Args:
        record: the run.
        name: `roc_auc_per_tag` or `pr_auc_per_tag`.

    Returns:
        From `weak` and, where known, `true` to float64 [K]; NaN for unscored tags.
    """
    scores = record.summary["scores"]["test"]
    return {
        kind: np.array(
            [one[name] for one in scores[kind]["per_seed"]], dtype=np.float64
        ).mean(axis=0)
        for kind in kinds_of_labels(scores)
    }


def tag_order(record: RunRecord) -> np.ndarray:
    """Tags by ROC-AUC, best first, those without a score last.

    The order is the true labels' where the corpus knows them, else the weak ones'.

    Args:
        record: the run.

    Returns:
        Indices [K].
    """
    values = list(tag_values(record, "roc_auc_per_tag").values())[-1]
    return np.argsort(-np.nan_to_num(values, nan=-1.0), kind="stable")


def tag_table(record: RunRecord) -> Table:
    """Per-tag scores on the test split, one row per tag, best first."""
    scores = record.summary["scores"]["test"]
    kinds = kinds_of_labels(scores)
    columns: dict[str, Sequence[str]] = {}
    for kind in kinds:
        counts = scores[kind]["per_seed"][0]["positives"]
        columns[f"clips ({kind})"] = [str(count) for count in counts]
    for name, short in (("roc_auc_per_tag", "ROC-AUC"), ("pr_auc_per_tag", "PR-AUC")):
        for kind in kinds:
            columns[f"{short} ({kind})"] = _spreads(scores[kind], name)
    rows = [
        [record.summary["tags"][k], *(cells[k] for cells in columns.values())]
        for k in tag_order(record)
    ]
    return Table("Test split, per tag.", ("tag", *columns), rows)


def _spreads(of_kind: Mapping[str, Any], name: str) -> list[str]:
    """Prints mean and deviation over seeds of one per-tag score, for each tag."""
    per_tag = zip(*(one[name] for one in of_kind["per_seed"]), strict=True)
    found = [metrics.spread(values) for values in per_tag]
    return [with_spread(one["mean"], one["std"], digits=3) for one in found]


def threshold_table(record: RunRecord) -> tuple[Table, str] | None:
    """Each tag's threshold, and precision and recall at it, with a sentence.

    They are chosen on the validation split by its weak labels, and shown on the test
    split as well. None where the record lacks the predictions for either.
    """
    found = [record.arrays.get(f"predictions_{split}") for split in ("valid", "test")]
    if None in found:
        return None
    valid, test = found
    chosen = thresholds.choose(valid["tags"], valid["scores"], "valid")
    on_test = thresholds.measure(chosen.threshold, test["tags"], test["scores"], "test")
    half = np.where(np.isnan(chosen.threshold), np.nan, 0.5)  # Of the same tags.
    at_half = thresholds.measure(half, test["tags"], test["scores"], "test")
    columns = {
        "threshold": chosen.threshold,
        "precision (valid)": chosen.precision,
        "recall (valid)": chosen.recall,
        "precision (test)": on_test.precision,
        "recall (test)": on_test.recall,
    }
    rows = [
        [
            record.summary["tags"][k],
            str(chosen.positives[k]),
            *(number(column[k], 3) for column in columns.values()),
        ]
        for k in tag_order(record)
    ]
    header = ("tag", "clips (valid)", *columns)
    sentence = (
        f"Mean F1 over tags: {_mean_f1(chosen)} on the validation split, whose best it "
        f"is, and {_mean_f1(on_test)} on the test split, where 0.5 for every tag would "
        f"give {_mean_f1(at_half)}."
    )
    return Table("Threshold of each tag, weak labels.", header, rows), sentence


def _mean_f1(measured: thresholds.Thresholds) -> str:
    """Prints the mean over the tags that have an F1."""
    f1 = measured.f1[np.isfinite(measured.f1)]
    return number(f1.mean() if len(f1) else None, 3)


def pair_table(tags: Sequence[str], together: np.ndarray, num_rows: int) -> Table:
    """The pairs of tags that share most clips, relative to the first tag.

    Args:
        tags: K names.
        together: clips with both tags, on the diagonal those with one [K, K].
        num_rows: how many pairs to list at most.

    Returns:
        The table, highest C(i, j) first.
    """
    share = co_occurrence.normalise(together)
    rows = [
        [f"{tags[i]} → {tags[j]}", f"{share[i, j]:.2f}", f"{int(together[i, j])}"]
        for i, j in co_occurrence.top_tuples(together, num_rows)
    ]
    return Table("Highest co-occurrence", ("tags i → j", "C(i, j)", "clips"), rows)


def flatten(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Turns nested keys into dotted ones.

    >>> flatten({"train": {"steps": 5}, "num_seeds": 1})
    {'train.steps': 5, 'num_seeds': 1}
    """
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        inner = isinstance(value, Mapping) and value
        flat |= flatten(value, f"{prefix}{key}.") if inner else {prefix + key: value}
    return flat


def config_table(config: Mapping[str, Any], default: Mapping[str, Any] | None) -> Table:
    """Every configuration key; those that differ from their default are bold.

    Args:
        config: every key, nested.
        default: the same keys with their defaults, or None if not recorded.

    Returns:
        The table.
    """
    config = flatten(config)
    if default is None:
        rows = [[key, str(value)] for key, value in config.items()]
        return Table("All keys.", ("key", "value"), rows)
    default = flatten(default)
    rows = [
        [key, str(value), str(default.get(key, ABSENT))]
        for key, value in config.items()
    ]
    strong = [row for row, (_, value, usual) in enumerate(rows) if value != usual]
    caption = "All keys; bold where the value is not the default."
    return Table(caption, ("key", "value", "default"), rows, strong)
