"""Writes a run's report: one HTML file that opens without a network, and its figures.

Everything on the page comes from the run record (`records.py`), so a report can be
written again at any time, anywhere.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from msd_tagger.bundle import thresholds
from msd_tagger.common import files
from msd_tagger.common.files import flatten
from msd_tagger.pages import page
from msd_tagger.pages.page import Illustration
from msd_tagger.pages.tables import Table, duration, number, over_seeds, with_spread
from studies import co_occurrence, figures
from studies.records import RunRecord, labels_of, per_seed, read_run_record

NUM_PAIRS = 10
AVERAGES = {
    "roc_auc_macro": "ROC-AUC, macro",
    "roc_auc_micro": "ROC-AUC, micro",
    "pr_auc_macro": "PR-AUC, macro",
    "pr_auc_micro": "PR-AUC, micro",
}
CURVES = {"roc_auc_macro": "macro ROC-AUC", "pr_auc_macro": "macro PR-AUC"}
PER_TAG = {"roc_auc_per_tag": "ROC-AUC", "pr_auc_per_tag": "PR-AUC"}
TEMPLATES = Path(__file__).with_name("templates")


def write_report(workdir: Path | str) -> Path:
    """Writes `report.html` and `figures/*.png` and `*.svg` into a run's folder.

    Returns:
        The path of the HTML file.

    Raises:
        RunRecordError: A required file is missing or unreadable; it names the file.
    """
    record = read_run_record(workdir)
    folder = record.workdir / "figures"
    folder.mkdir(exist_ok=True)
    drawings = {one.name: page.draw(one, folder) for one in illustrations(record)}
    path = record.workdir / "report.html"
    files.write_text(path, render(record, drawings))
    return path


def render(record: RunRecord, drawings: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns the HTML of a report.

    Args:
        record: The run.
        drawings: From a figure's name to what `page.draw` returned.
    """
    of_corpus = record.summary["corpus"]
    loader = record.config.get("corpus", {}).get("name")
    return page.render(
        "report.html.j2",
        TEMPLATES,
        title=f"Music tagging: {of_corpus['name']}",
        corpus=page.corpus(of_corpus, loader),
        facts=_facts(record),
        scores=_scores(record),
        tag_table=tag_table(record),
        thresholds=threshold_table(record),
        label_stats=_label_stats(record),
        config_table=config_table(record.config, record.config_default),
        environment=flatten(record.environment),
        figures=drawings,
    )


def score_table(
    scores: Mapping[str, Any], baseline: Mapping[str, Any] | None, labels: str
) -> Table:
    """Every seed's averages, their mean (in bold) and deviation, and the baseline's.

    Args:
        scores: What `metrics.score_all` gave for the network on a split.
        baseline: The same for the linear baseline, or None.
        labels: `weak` or `true`.
    """
    seeds = scores[labels]["per_seed"]
    rows = [
        [f"run {seed}", *(number(one[name]) for name in AVERAGES)]
        for seed, one in enumerate(seeds, start=1)
    ]
    mean, std = scores[labels]["mean"], scores[labels]["std"]
    if len(rows) > 1:
        averages = (with_spread(mean[name], std[name]) for name in AVERAGES)
        rows.append(["mean ± deviation", *averages])
    strong = [len(rows) - 1]
    if baseline and baseline.get(labels):
        values = (number(baseline[labels]["mean"][name]) for name in AVERAGES)
        rows.append(["linear baseline", *values])
    caption = (
        f"Against the {labels} labels; {seeds[0]['num_tags_scored']} of "
        f"{len(seeds[0]['positives'])} tags can be scored."
    )
    return Table.of_rows(caption, ("", *AVERAGES.values()), rows, strong)


def against_baseline(
    scores: Mapping[str, Any], baseline: Mapping[str, Any], labels: str
) -> str:
    """Says in one sentence which of network and baseline is better, and by how much.

    Args:
        scores: What `metrics.score_all` gave for the network on the test split.
        baseline: The same for the linear baseline.
        labels: `weak` or `true`.
    """
    network = scores[labels]["mean"]["roc_auc_macro"]
    linear = baseline[labels]["mean"]["roc_auc_macro"]
    start = f"Against the {labels} labels "
    if network is None or linear is None:
        return f"{start}no tag can be scored."
    seeds = scores["num_seeds"]
    who = "the network" if seeds == 1 else f"the network (mean of {seeds} seeds)"
    gap = round(network, 4) - round(linear, 4)
    both = f"{number(network)} and {number(linear)} macro ROC-AUC"
    if abs(gap) < 5e-5:
        return f"{start}{who} and the linear baseline are level: {both}."
    verb = "beats" if gap > 0 else "stays below"
    text = f"{start}{who} {verb} the linear baseline by {abs(gap):.4f}: {both}."
    std = scores[labels]["std"]["roc_auc_macro"]
    if not std:
        return text
    times = abs(gap) / std
    return f"{text} That is {times:.1f} times the standard deviation over seeds."


def tag_frame(record: RunRecord) -> pd.DataFrame:
    """Scores of every tag on the test split, best first, those without a score last.

    The order is that of the ROC-AUC against the true labels where the corpus knows
    them, else against the weak ones.

    Returns:
        One row a tag: `tag`, then for each kind of labels `clips (weak)`, then
        `ROC-AUC (weak)` and `PR-AUC (weak)`, one value per seed each, as arrays `[S]`.
    """
    scores = record.summary["scores"]["test"]
    columns: dict[str, Any] = {"tag": record.summary["tags"]}
    for labels in labels_of(scores):
        clips = scores[labels]["per_seed"][0]["positives"]
        columns[f"clips ({labels})"] = clips
    for name, short in PER_TAG.items():
        for labels in labels_of(scores):
            seeds = [one[name] for one in scores[labels]["per_seed"]]
            columns[f"{short} ({labels})"] = list(np.array(seeds, np.float64).T)
    best = columns[f"ROC-AUC ({labels_of(scores)[-1]})"]
    means = np.nan_to_num([one.mean() for one in best], nan=-1.0)
    return pd.DataFrame(columns).iloc[np.argsort(-means, kind="stable")]


def tag_table(record: RunRecord) -> Table:
    """Per-tag scores on the test split, one row per tag, best first."""
    frame = tag_frame(record)
    scored = [name for name in frame.columns if "AUC" in name]
    formats = dict.fromkeys(scored, functools.partial(over_seeds, digits=3))
    return Table(frame, "Test split, per tag.", formats)


def threshold_table(record: RunRecord) -> tuple[Table, str] | None:
    """Each tag's threshold, and precision and recall at it, with a sentence.

    They are chosen on the validation split by its weak labels, and shown on the test
    split as well. None where the record lacks the predictions for either.
    """
    valid = record.arrays.get("predictions_valid")
    test = record.arrays.get("predictions_test")
    if valid is None or test is None:
        return None
    chosen = thresholds.choose(valid["tags"], valid["scores"], "valid")
    on_test = thresholds.measure(chosen.threshold, test["tags"], test["scores"], "test")
    half = np.where(np.isnan(chosen.threshold), np.nan, 0.5)  # Of the same tags.
    at_half = thresholds.measure(half, test["tags"], test["scores"], "test")
    frame = pd.DataFrame(
        {
            "tag": record.summary["tags"],
            "clips (valid)": chosen.positives,
            "threshold": chosen.threshold,
            "precision (valid)": chosen.precision,
            "recall (valid)": chosen.recall,
            "precision (test)": on_test.precision,
            "recall (test)": on_test.recall,
        }
    )
    sentence = (
        f"Mean F1 over tags: {_mean_f1(chosen)} on the validation split, whose best it "
        f"is, and {_mean_f1(on_test)} on the test split, where 0.5 for every tag would "
        f"give {_mean_f1(at_half)}."
    )
    formats = dict.fromkeys(frame.columns[2:], ".3f")
    frame = frame.loc[tag_frame(record).index]
    return Table(frame, "Threshold of each tag, weak labels.", formats), sentence


def pair_table(tags: Sequence[str], together: np.ndarray, num_rows: int) -> Table:
    """The pairs of tags that share most clips, relative to the first tag.

    Args:
        tags: K names.
        together: Clips with both tags, on the diagonal those with one `[K, K]`.
        num_rows: How many pairs to list at most.
    """
    share = co_occurrence.normalise(together)
    rows = [
        [f"{tags[i]} → {tags[j]}", share[i, j], int(together[i, j])]
        for i, j in co_occurrence.top_tuples(together, num_rows)
    ]
    frame = pd.DataFrame(rows, columns=["tags i → j", "C(i, j)", "clips"])
    return Table(frame, "Highest co-occurrence", {"C(i, j)": ".2f"})


def config_table(config: Mapping[str, Any], default: Mapping[str, Any] | None) -> Table:
    """Every configuration key; those that differ from their default are bold.

    Args:
        config: Every key, nested.
        default: The same keys with their defaults, or None if not recorded.
    """
    config = flatten(config)
    columns: dict[str, list[str | None]]
    columns = {"key": [*config], "value": [str(one) for one in config.values()]}
    if default is None:
        return Table(pd.DataFrame(columns, dtype=object), "All keys.")
    default = flatten(default)
    columns["default"] = [
        str(default[key]) if key in default else None for key in config
    ]
    frame = pd.DataFrame(columns, dtype=object)
    strong = np.flatnonzero(frame["value"] != frame["default"]).tolist()
    caption = "All keys; bold where the value is not the default."
    return Table(frame, caption, strong=strong)


def illustrations(record: RunRecord) -> list[Illustration]:
    """Returns the figures that this record has the numbers for."""
    found = [_scores_figure(record), _tags_figure(record)]
    steps, of_valid = _steps(record.train), _steps(record.evaluations)
    if record.train:
        loss, valid = (
            per_seed(lines, "loss") for lines in (record.train, record.evaluations)
        )
        plot = functools.partial(figures.training_loss, steps, loss, of_valid, valid)
        first, last = loss[0].mean(), loss[-1].mean()
        alt = f"Lines: training loss from {first:.3f} to {last:.3f}."
        found.append(Illustration("training_loss", plot, alt))
    timed, speed = _speed(record)
    if len(speed):
        plot = functools.partial(figures.training_speed, timed, speed)
        alt = f"Line: training speed, median {np.median(speed):.3g} clips per second."
        found.append(Illustration("training_speed", plot, alt))
    for key, average in CURVES.items() if record.evaluations else ():
        values = per_seed(record.evaluations, key)
        best = np.array(record.summary["best_step"], np.float64)
        curve = (of_valid, values, best, average)
        plot = functools.partial(figures.validation_curve, *curve)
        highest = number(np.fmax.reduce(values, axis=None), 3)
        alt = f"Lines: validation {average} per seed, at most {highest}."
        found.append(Illustration(f"validation_{key}", plot, alt))
    counts = record.arrays.get("label_stats", {}).get("train_counts")
    if counts is not None:
        plot = functools.partial(figures.tag_counts, record.summary["tags"], counts)
        alt = f"Bars: training clips per tag, from {counts.max()} to {counts.min()}."
        found.append(Illustration("tag_counts", plot, alt))
    return found


def _mean_f1(measured: thresholds.Thresholds) -> str:
    """Prints the mean over the tags that have an F1."""
    f1 = measured.f1[np.isfinite(measured.f1)]
    return number(f1.mean() if len(f1) else None, 3)


def _scores_figure(record: RunRecord) -> Illustration:
    """Each seed's macro ROC-AUC beside the baseline's."""
    test = record.summary["scores"]["test"]
    linear = _linear(record).get("test") or {}
    known = labels_of(test)
    network = {k: [_value(one) for one in test[k]["per_seed"]] for k in known}
    baseline = {k: _value(linear[k]["mean"]) for k in known if linear.get(k)}
    plot = functools.partial(figures.scores_overview, network, baseline)
    alt = "Points: macro ROC-AUC on the test split, " + "; ".join(
        f"{k} labels: network {number(_value(test[k]['mean']))}"
        + (f", baseline {number(baseline[k])}" if k in baseline else "")
        for k in known
    )
    return Illustration("scores", plot, alt + ".")


def _linear(record: RunRecord) -> Mapping[str, Any]:
    """Returns the linear baseline's scores by split; empty without a baseline."""
    return (record.summary.get("baseline") or {}).get("scores") or {}


def _value(scores: Mapping[str, Any]) -> float:
    """Returns the macro ROC-AUC, NaN where no tag could be scored."""
    value = scores["roc_auc_macro"]
    return np.nan if value is None else value


def _tags_figure(record: RunRecord) -> Illustration:
    """ROC-AUC per tag, best first."""
    frame = tag_frame(record)
    first = frame["tag"].iloc[0]
    alt = f"Points: ROC-AUC of {len(frame)} tags, {first} first. Numbers: table below."
    return Illustration("auc_per_tag", figures.auc_per_tag, alt, frame=frame)


def _speed(record: RunRecord) -> tuple[np.ndarray, np.ndarray]:
    """Returns steps and clips per second of the intervals that were timed."""
    speed = np.array([line["clips_per_s"] for line in record.train], np.float64)
    # An interval of one step that compiled has no time of its own.
    timed = speed > 0
    return _steps(record.train)[timed], speed[timed]


def _steps(lines: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Returns the steps of logged lines [L]."""
    return np.array([line["step"] for line in lines])


def _facts(record: RunRecord) -> list[tuple[str, str, str]]:
    """Returns the headline: value, what it is, and a remark, for each tile."""
    summary, test = record.summary, record.summary["scores"]["test"]
    seeds = summary["num_seeds"]
    over = "one seed" if seeds == 1 else f"mean ± deviation of {seeds} seeds"
    facts = []
    for one in labels_of(test):
        mean, std = (test[one][key]["roc_auc_macro"] for key in ("mean", "std"))
        what = f"macro ROC-AUC, {one} labels"
        facts.append((with_spread(mean, std, 3), what, f"test split, {over}"))
    _, speed = _speed(record)
    if len(speed):
        median = f"{np.median(speed):.3g}"
        facts.append((median, "clips per second", "training, median"))
    training = f"{summary['steps']:,} steps"
    facts.append((duration(summary["train_seconds"]), "training time", training))
    if summary.get("peak_memory_bytes"):
        memory = f"{summary['peak_memory_bytes'] / 2**30:.1f} GiB"
        facts.append((memory, "peak memory", f"{summary['parameters']:,} parameters"))
    return facts


def _scores(record: RunRecord) -> dict[str, Any]:
    """Returns score tables and the sentences that set them against the baseline."""
    scores, linear = record.summary["scores"], _linear(record)
    known = labels_of(scores["test"])
    return {
        "tables": {
            split: [
                score_table(scores[split], linear.get(split), labels)
                for labels in known
            ]
            for split in ("test", "valid")
            if scores.get(split)
        },
        "baseline": record.summary.get("baseline"),
        "sentences": [
            against_baseline(scores["test"], linear["test"], labels)
            for labels in known
            if linear.get("test", {}).get(labels)
        ],
        "has_truth": "true" in known,
        "failures": [
            f"Seed {one['seed']} stopped at step {one['step']:,} and counts nowhere: "
            f"{one['reason']}."
            for one in record.summary.get("failed_seeds", ())
        ],
    }


def _label_stats(record: RunRecord) -> dict[str, Any] | None:
    """Returns what the page says about the training labels, if they were counted."""
    stats = record.arrays.get("label_stats", {})
    if not {"train_counts", "train_co_occurrence"} <= stats.keys():
        return None
    counts, tags = stats["train_counts"], record.summary["tags"]
    num_clips = int(stats["train_num_clips"])
    most, least = int(counts.argmax()), int(counts.argmin())
    return {
        "num_clips": num_clips,
        "per_clip": f"{counts.sum() / max(num_clips, 1):.2f}",
        "most": (tags[most], int(counts[most])),
        "least": (tags[least], int(counts[least])),
        "pairs": pair_table(tags, stats["train_co_occurrence"], NUM_PAIRS),
    }
