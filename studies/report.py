"""Writes a run's report: one HTML file that opens without a network, and its figures.

Everything on the page comes from the run record (`run_record.py`), so a report can be
written again at any time, anywhere.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np

from msd_tagger.common import files
from msd_tagger.pages import page
from msd_tagger.pages.page import Illustration
from msd_tagger.pages.tables import duration, number, with_spread
from studies import figures, tables
from studies.run_record import RunRecord, per_seed, read_run_record

NUM_PAIRS = 10

TEMPLATES = Path(__file__).with_name("templates")


def write_report(workdir: Path | str) -> Path:
    """Writes `report.html` and `figures/*.png` and `*.svg` into a run's directory.

    Args:
        workdir: a directory with a run record.

    Returns:
        The path of the HTML file.

    Raises:
        RunRecordError: if a required file is missing or unreadable; it names the file.
    """
    record = read_run_record(workdir)
    folder = record.workdir / "figures"
    folder.mkdir(exist_ok=True)
    drawings = {one.name: page.draw(one, folder) for one in _illustrations(record)}
    path = record.workdir / "report.html"
    files.write_text(path, render(record, drawings))
    return path


def render(record: RunRecord, drawings: dict[str, dict[str, Any]]) -> str:
    """Returns the HTML of a report.

    Args:
        record: the run.
        drawings: from a figure's name to what `page.draw` returned.

    Returns:
        The page.
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
        tag_table=tables.tag_table(record),
        thresholds=tables.threshold_table(record),
        label_stats=_label_stats(record),
        config_table=tables.config_table(record.config, record.config_default),
        environment=tables.flatten(record.environment),
        figures=drawings,
    )


def _illustrations(record: RunRecord) -> list[Illustration]:
    """Returns the figures that this record has the numbers for."""
    found = [_scores_figure(record), _tags_figure(record)]
    if record.train:
        found.append(_loss_figure(record))
        if len(_speed(record)[0]):
            found.append(_speed_figure(record))
    if record.evaluations:
        found += [
            _validation_figure(record, "roc_auc_macro", "macro ROC-AUC"),
            _validation_figure(record, "pr_auc_macro", "macro PR-AUC"),
        ]
    stats = record.arrays.get("label_stats", {})
    if "train_counts" in stats:
        counts = stats["train_counts"]
        draw = functools.partial(figures.tag_counts, record.summary["tags"], counts)
        alt = f"Bars: training clips per tag, from {counts.max()} to {counts.min()}."
        found.append(Illustration("tag_counts", draw, alt))
    return found


def _scores_figure(record: RunRecord) -> Illustration:
    """Each seed's macro ROC-AUC beside the baseline's."""
    test = record.summary["scores"]["test"]
    linear = ((record.summary.get("baseline") or {}).get("scores") or {}).get("test")
    kinds = tables.kinds_of_labels(test)
    network = {k: [_value(one) for one in test[k]["per_seed"]] for k in kinds}
    baseline = {k: _value(linear[k]["mean"]) for k in kinds if linear and linear.get(k)}
    draw = functools.partial(figures.scores_overview, network, baseline)
    alt = "Points: macro ROC-AUC on the test split, " + "; ".join(
        f"{k} labels: network {number(_value(test[k]['mean']))}"
        + (f", baseline {number(baseline[k])}" if k in baseline else "")
        for k in kinds
    )
    return Illustration("scores", draw, alt + ".")


def _value(scores: dict[str, Any]) -> float:
    """Returns the macro ROC-AUC, NaN where no tag could be scored."""
    value = scores["roc_auc_macro"]
    return np.nan if value is None else value


def _tags_figure(record: RunRecord) -> Illustration:
    """ROC-AUC per tag, best first."""
    order = tables.tag_order(record)
    tags = [record.summary["tags"][k] for k in order]
    values = tables.tag_values(record, "roc_auc_per_tag")
    auc = {kind: of_kind[order] for kind, of_kind in values.items()}
    positives = record.summary["scores"]["test"]["weak"]["per_seed"][0]["positives"]
    draw = functools.partial(
        figures.auc_per_tag, tags, auc, np.asarray(positives)[order]
    )
    alt = f"Points: ROC-AUC of {len(tags)} tags, {tags[0]} first. Numbers: table below."
    return Illustration("auc_per_tag", draw, alt)


def _loss_figure(record: RunRecord) -> Illustration:
    """Training loss by step."""
    loss = per_seed(record.train, "loss")
    draw = functools.partial(
        figures.training_loss,
        _steps(record.train),
        loss,
        _steps(record.evaluations),
        per_seed(record.evaluations, "loss"),
    )
    first, last = loss[0].mean(), loss[-1].mean()
    return Illustration(
        "training_loss", draw, f"Lines: training loss from {first:.3f} to {last:.3f}."
    )


def _speed_figure(record: RunRecord) -> Illustration:
    """Clips per second by step."""
    steps, speed = _speed(record)
    draw = functools.partial(figures.training_speed, steps, speed)
    alt = f"Line: training speed, median {np.median(speed):.3g} clips per second."
    return Illustration("training_speed", draw, alt)


def _speed(record: RunRecord) -> tuple[np.ndarray, np.ndarray]:
    """Returns steps and clips per second of the intervals that were timed."""
    speed = np.array([line["clips_per_s"] for line in record.train], np.float64)
    # An interval of one step that compiled has no time of its own.
    timed = speed > 0
    return _steps(record.train)[timed], speed[timed]


def _validation_figure(record: RunRecord, key: str, average: str) -> Illustration:
    """A validation score by step, the best marked."""
    values = per_seed(record.evaluations, key)
    best = np.array(record.summary["best_step"], np.float64)
    draw = functools.partial(
        figures.validation_curve, _steps(record.evaluations), values, best, average
    )
    highest = number(np.fmax.reduce(values, axis=None), 3)
    alt = f"Lines: validation {average} per seed, at most {highest}."
    return Illustration(f"validation_{key}", draw, alt)


def _steps(lines: list[dict[str, Any]]) -> np.ndarray:
    """Returns the steps of logged lines [L]."""
    return np.array([line["step"] for line in lines])


def _facts(record: RunRecord) -> list[tuple[str, str, str]]:
    """Returns the headline: value, what it is, and a remark, for each tile."""
    summary, test = record.summary, record.summary["scores"]["test"]
    seeds = summary["num_seeds"]
    over = "one seed" if seeds == 1 else f"mean ± deviation of {seeds} seeds"
    facts = [
        (
            with_spread(
                test[k]["mean"]["roc_auc_macro"], test[k]["std"]["roc_auc_macro"], 3
            ),
            f"macro ROC-AUC, {k} labels",
            f"test split, {over}",
        )
        for k in tables.kinds_of_labels(test)
    ]
    if record.train and len(_speed(record)[0]):
        speed = np.median(_speed(record)[1])
        facts.append((f"{speed:.3g}", "clips per second", "training, median"))
    training = f"{summary['steps']:,} steps"
    facts.append((duration(summary["train_seconds"]), "training time", training))
    if summary.get("peak_memory_bytes"):
        memory = f"{summary['peak_memory_bytes'] / 2**30:.1f} GiB"
        facts.append((memory, "peak memory", f"{summary['parameters']:,} parameters"))
    return facts


def _scores(record: RunRecord) -> dict[str, Any]:
    """Returns score tables and the sentences that set them against the baseline."""
    scores, baseline = record.summary["scores"], record.summary.get("baseline")
    linear = (baseline or {}).get("scores", {})
    kinds = tables.kinds_of_labels(scores["test"])
    return {
        "tables": {
            split: [
                tables.score_table(scores[split], linear.get(split), kind)
                for kind in kinds
            ]
            for split in ("test", "valid")
            if scores.get(split)
        },
        "baseline": baseline,
        "sentences": [
            tables.comparison(scores["test"], linear["test"], kind)
            for kind in kinds
            if linear.get("test", {}).get(kind)
        ],
        "has_truth": "true" in kinds,
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
        "pairs": tables.pair_table(tags, stats["train_co_occurrence"], NUM_PAIRS),
    }
