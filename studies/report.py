"""Writes a run's report: one HTML file that opens without a network, and its figures.

Everything on the page comes from the run record (`records.py`), so a report can be
written again at any time, anywhere.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from msd_tagger.bundle import thresholds
from msd_tagger.common import files
from msd_tagger.common.files import flatten
from msd_tagger.common.text import text_path
from msd_tagger.pages import page
from msd_tagger.pages.page import Illustration
from msd_tagger.pages.tables import (
    Table,
    duration,
    number,
    over_seeds,
    percent,
    signed,
    with_spread,
)
from studies import clip_spread, figures, listening, statistics, tag_pairs, unfinished
from studies.comparison import LABEL_ARRAYS, auc, baseline_auc, seed_numbers
from studies.records import (
    BEGUN,
    RunRecord,
    labels_of,
    origin,
    per_seed,
    read_run_record,
)
from studies.texts import captioned, say, span
from studies.unfinished import best_so_far

NAN = float("nan")
NUM_PAIRS = 10
FEW_CLIPS = 5  # Scores over fewer test clips are marked.
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
    """Writes a run's `report.html`, whose path it returns, and `figures/`.

    Of a run that has not come to its end it shows what there is.

    Raises:
        RunRecordError: A required file is missing or unreadable; it names the file.
    """
    record = read_run_record(workdir, BEGUN)
    folder = record.workdir / "figures"
    folder.mkdir(exist_ok=True)
    drawn = {one.name: page.draw(one, folder) for one in illustrations(record)}
    loader = record.config.get("corpus", {}).get("name")
    of_corpus = record.summary.get("corpus") or {"name": loader or "unknown"}
    text = page.render(
        "report.html.j2",
        TEMPLATES,
        title=f"{record.config.get('name', 'A run')} on {of_corpus['name']}",
        origin=origin(record),
        corpus=page.corpus(of_corpus, loader),
        unfinished=unfinished.notice(record),
        **(_scored(record) if record.summary else {"facts": unfinished.facts(record)}),
        has_scores=bool(record.summary),
        label_stats=_label_stats(record),
        config_table=config_table(record.config, record.config_default),
        environment=flatten(record.environment),
        figures=drawn,
    )
    path = record.workdir / "report.html"
    files.write_text(path, text)
    return path


def _scored(record: RunRecord) -> dict[str, Any]:
    known = labels_of(record.summary["scores"]["test"])
    spreads = {labels: spreads_of(record, labels) for labels in known}
    return {
        "facts": _facts(record, spreads),
        "scores": _scores(record, spreads),
        "tag_table": tag_table(record),
        "thresholds": threshold_table(record),
        "listening": listening.clips_of_tags(record),
        "kinds_of_clips": list(listening.KINDS),
    }


def score_table(
    scores: Mapping[str, Any],
    baseline: Mapping[str, Any] | None,
    labels: str,
    numbers: Sequence[int] = (),
) -> Table:
    """Tabulates every seed's averages, their mean (bold) and deviation, the baseline's.

    Scores are what `metrics.score_all` gave on a split: the network's, and those of the
    linear baseline if there is one. The numbers are those of the seeds.
    """

    def row(name: str, values: Mapping[str, Any], std: Mapping[str, Any]) -> list[str]:
        return [name, *(with_spread(values[key], std.get(key)) for key in AVERAGES)]

    seeds, mean = scores[labels]["per_seed"], scores[labels]["mean"]
    names = [f"seed {seed}" for seed in numbers or range(len(seeds))]
    rows = [row(name, one, {}) for name, one in zip(names, seeds, strict=True)]
    if len(rows) > 1:
        rows.append(row("mean ± deviation", mean, scores[labels]["std"]))
    strong = [len(rows) - 1]
    if baseline and baseline.get(labels):
        rows.append(row("linear baseline", baseline[labels]["mean"], {}))
    tags = {"scored": seeds[0]["num_tags_scored"], "tags": len(seeds[0]["positives"])}
    caption = say("report.scores", labels=labels, **tags)
    return Table.of_rows(caption, ("network", *AVERAGES.values()), rows, strong)


def against_baseline(
    scores: Mapping[str, Any],
    baseline: Mapping[str, Any],
    labels: str,
    half_width: float = NAN,
) -> str:
    """Says which of network and baseline is better on the test split, and by how much.

    The first arguments are those of `score_table`, then half the 95 % interval of the
    difference, NaN where it is unknown.
    """
    both = scores[labels]["mean"], baseline[labels]["mean"]
    network, linear = (one["roc_auc_macro"] for one in both)
    start = f"Against the {labels} labels "
    if network is None or linear is None:
        return f"{start}no tag can be scored."
    seeds = scores["num_seeds"]
    who = f"the network ({'one seed' if seeds == 1 else f'mean of {seeds} seeds'})"
    chance = "test clips; unknown over seeds" if seeds == 1 else "seeds and test clips"
    gap = round(network, 4) - round(linear, 4)
    values = f"{number(network)} and {number(linear)} macro ROC-AUC"
    if np.isnan(half_width):
        spread = "its interval is not known"
    else:
        spread = f"± {half_width:.4f}, 95 % over {chance}"
    if not abs(gap) > half_width:
        apart = {"gap": signed(gap), "spread": spread}
        return start + say("report.no_gap", who=who, values=values, **apart)
    # With one seed, what is beyond chance is this network, not what others would be.
    verbs = ("is above", "is below") if seeds == 1 else ("beats", "stays below")
    verb = verbs[0] if gap > 0 else verbs[1]
    by = f"the linear baseline by {abs(gap):.4f} ({spread})"
    end = " Another seed may lie elsewhere." if seeds == 1 else ""
    return f"{start}{who} {verb} {by}: {values}.{end}"


class Spreads(NamedTuple):
    """Half of 95 % intervals: how far other test clips and seeds would move scores."""

    clips: float = NAN  # Of the macro ROC-AUC, over test clips.
    gap: float = NAN  # Of its difference to the baseline, over both.


def baseline_sentences(
    record: RunRecord, spreads: Mapping[str, Spreads] | None = None
) -> list[str]:
    """Sets a run against its baseline, if it has one: a sentence for each labels.

    `spreads` are those of `spreads_of`, which are worked out where they are not given.
    """
    scores, linear = record.summary["scores"]["test"], _linear(record).get("test", {})
    known = [labels for labels in labels_of(scores) if linear.get(labels)]
    spreads = spreads or {labels: spreads_of(record, labels) for labels in known}
    return [against_baseline(scores, linear, one, spreads[one].gap) for one in known]


def spreads_of(record: RunRecord, labels: str) -> Spreads:
    """Works out the spreads of scores against some labels, as far as they are known."""
    arrays = record.arrays.get("predictions_test", {})
    if LABEL_ARRAYS[labels] not in arrays:
        return Spreads()
    truth = arrays[LABEL_ARRAYS[labels]]
    placed = clip_spread.placements(truth, arrays["scores"])

    def half_width(of: np.ndarray) -> float:
        return statistics.normal_half_width(clip_spread.standard_error(truth, of), 1)

    gap = NAN
    if (linear := record.arrays.get("baseline_test")) is not None:
        apart = placed - clip_spread.placements(truth, linear["scores"][None])
        over_seeds = statistics.describe(auc(record, labels)).t_half_width
        gap = float(np.hypot(half_width(apart), np.nan_to_num(over_seeds)))
    return Spreads(half_width(placed), gap)


def tag_frame(record: RunRecord) -> pd.DataFrame:
    """Scores of every tag on the test split, best first, those without a score last.

    `95 % (weak)` is the interval of one network's ROC-AUC over test clips.

    The order is that of the ROC-AUC against the true labels where the corpus knows
    them, else against the weak ones. The columns are `tag`, then for each kind of
    labels `clips (weak)`, then `ROC-AUC (weak)` and `PR-AUC (weak)`, arrays of one
    value per seed.
    """
    scores = record.summary["scores"]["test"]
    columns: dict[str, Any] = {"tag": record.summary["tags"]}
    known = labels_of(scores)
    for labels in known:
        columns[f"clips ({labels})"] = scores[labels]["per_seed"][0]["positives"]
    for name, short in PER_TAG.items():
        for labels in known:
            seeds = [one[name] for one in scores[labels]["per_seed"]]
            columns[f"{short} ({labels})"] = list(np.array(seeds, np.float64).T)
    frame, means = pd.DataFrame(columns), {}
    for labels in known:
        clips, name = frame[f"clips ({labels})"], f"ROC-AUC ({labels})"
        means[labels] = frame[name].map(np.mean).to_numpy(float)
        num_without = scores["num_clips"] - clips
        ends = clip_spread.auc_intervals(means[labels], clips, num_without)
        place = int(frame.columns.get_loc(name)) + 1
        frame.insert(place, f"95 % ({labels})", ends.tolist())
    best = np.nan_to_num(means[known[-1]], nan=-1.0)
    return frame.iloc[np.argsort(-best, kind="stable")]


def tag_table(record: RunRecord) -> Table:
    """Tabulates per-tag scores on the test split, one row per tag, best first."""
    frame = tag_frame(record)
    of_seeds, ends = partial(over_seeds, digits=3), partial(span, digits=2)
    formats: dict[str, Callable[[Any], str] | str] = {
        name: of_seeds if "AUC" in name else ends if "%" in name else _few
        for name in frame.columns[1:]
    }
    return captioned("of_tags", frame, formats, few=FEW_CLIPS)


def _few(clips: int) -> str:
    return f"{clips} (few)" if clips < FEW_CLIPS else f"{clips}"


def threshold_table(record: RunRecord) -> tuple[Table, str] | None:
    """Tabulates each tag's threshold, precision and recall at it, and adds a sentence.

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
    frame = pd.DataFrame({"tag": record.summary["tags"]})
    frame["clips (valid)"] = chosen.positives
    frame["threshold"] = chosen.threshold
    for split, one in (("valid", chosen), ("test", on_test)):
        frame[f"precision ({split})"] = one.precision
        frame[f"recall ({split})"] = one.recall
    measured = {"best": chosen, "test": on_test, "half": at_half}
    f1 = {k: number(pd.Series(one.f1).mean(), 3) for k, one in measured.items()}
    sentence = say("report.thresholds", **f1)
    formats = dict.fromkeys(frame.columns[2:], ".3f")
    frame = frame.loc[tag_frame(record).index]
    return Table(frame, "Threshold of each tag, weak labels.", formats), sentence


def pair_table(tags: Sequence[str], together: np.ndarray, num_rows: int) -> Table:
    """Tabulates the pairs of tags that share most clips, relative to the first tag.

    `together` counts the clips with both tags, on its diagonal those with one `[K, K]`.
    """
    share = tag_pairs.normalise(together)
    rows = [
        [f"{tags[i]} → {tags[j]}", share[i, j], int(together[i, j])]
        for i, j in tag_pairs.top_tuples(together, num_rows)
    ]
    frame = pd.DataFrame(rows, columns=["tags i → j", "C(i, j)", "clips"])
    return Table(frame, "Highest co-occurrence", {"C(i, j)": ".2f"})


def config_table(config: Mapping[str, Any], default: Mapping[str, Any] | None) -> Table:
    """Tabulates every key; those that differ from their default are bold.

    Keys are nested; the defaults are None where they were not recorded.
    """
    config = flatten(config)
    rows = [(key, text_path(str(value))) for key, value in config.items()]
    frame = pd.DataFrame(rows, columns=["key", "value"], dtype=object)
    if default is None:
        return Table(frame, "All keys.")
    known = {key: text_path(str(value)) for key, value in flatten(default).items()}
    frame["default"] = [known.get(key) for key in config]
    strong = np.flatnonzero(frame["value"] != frame["default"]).tolist()
    caption = "All keys; bold where the value is not the default."
    return Table(frame, caption, strong=strong)


def illustrations(record: RunRecord) -> list[Illustration]:
    """Returns the figures that this record has the numbers for."""
    found = []

    def add(name: str, alt: str, plot: Callable[..., Figure], *drawn: Any) -> None:
        found.append(Illustration(name, partial(plot, *drawn), alt))

    if record.summary:
        found.append(_scores_figure(record))
        tags = tag_frame(record)
        alt = f"Points: ROC-AUC of {len(tags)} tags, {tags['tag'].iloc[0]} first. "
        add("auc_per_tag", f"{alt}Numbers: table below.", figures.auc_per_tag, tags)
    seeds = _seeds(record)
    if record.train:
        loss = per_seed(record.train, "loss").set_axis(seeds, axis=1)
        valid = per_seed(record.evaluations, "loss")
        first, last = loss.iloc[[0, -1]].to_numpy().mean(axis=1)
        alt = f"Lines: training loss from {first:.3f} to {last:.3f}, and validation."
        add("training_loss", alt, figures.training_loss, loss, valid)
    if len(speed := _speed(record)):
        alt = f"Line: training speed, median {speed.median():.3g} clips per second."
        add("training_speed", alt, figures.training_speed, speed)
    for key, average in CURVES.items() if record.evaluations else ():
        values = per_seed(record.evaluations, key).set_axis(seeds, axis=1)
        kept = record.summary.get("best_step") or best_so_far(record.evaluations).step
        best = np.array(kept, np.float64)
        highest = number(np.fmax.reduce(values.to_numpy(), axis=None), 3)
        alt = f"Lines: validation {average} per seed, at most {highest}."
        plot = figures.validation_curve
        add(f"validation_{key}", alt, plot, values, best, average)
    counts = record.arrays.get("label_stats", {}).get("train_counts")
    if counts is not None and record.summary:
        alt = f"Bars: training clips per tag, from {counts.max()} to {counts.min()}."
        bars = pd.DataFrame({"tag": record.summary["tags"], "clips": counts})
        add("tag_counts", alt, figures.tag_counts, bars)
    return found


def _scores_figure(record: RunRecord) -> Illustration:
    network = {k: auc(record, k) for k in labels_of(record.summary["scores"]["test"])}
    linear = {k: baseline_auc(record, k) for k in network}
    baseline = {k: value for k, value in linear.items() if np.isfinite(value)}
    plot = partial(figures.scores_overview, network, baseline)
    alt = "Points: macro ROC-AUC on the test split, " + "; ".join(
        f"{k} labels: network {number(values.mean())}"
        + (f", baseline {number(baseline[k])}" if k in baseline else "")
        for k, values in network.items()
    )
    return Illustration("scores", plot, alt + ".")


def _linear(record: RunRecord) -> Mapping[str, Any]:
    """Returns the linear baseline's scores by split; empty without a baseline."""
    return (record.summary.get("baseline") or {}).get("scores") or {}


def _seeds(record: RunRecord) -> list[int]:
    """Returns the seeds of a run that need not have come to its end."""
    if record.summary:
        return seed_numbers(record)
    lines, start = [*record.train, *record.evaluations], record.config.get("seed", 0)
    return [start + number for line in lines[:1] for number in range(len(line["loss"]))]


def _speed(record: RunRecord) -> pd.Series:
    speed = per_seed(record.train, "clips_per_s").squeeze(axis=1)
    # An interval of one step that compiled has no time of its own.
    return speed[speed > 0]


def _facts(
    record: RunRecord, spreads: Mapping[str, Spreads]
) -> list[tuple[str, str, str]]:
    """Returns the headline: value, what it is, and a remark, for each tile."""
    summary, test = record.summary, record.summary["scores"]["test"]
    seeds = summary["num_seeds"]
    over = "one seed" if seeds == 1 else f"mean ± deviation of {seeds} seeds"
    facts = []
    for one in labels_of(test):
        mean, std = (test[one][key]["roc_auc_macro"] for key in ("mean", "std"))
        what = f"macro ROC-AUC, {one} labels"
        remark = f"test split, {over}"
        if np.isfinite(spreads[one].clips) and mean is not None:
            clips = number(spreads[one].clips, 3)
            remark += f"; ± {clips} (95 %) over {test['num_clips']:,} test clips"
        facts.append((with_spread(mean, std, 3), what, remark))
    if len(speed := _speed(record)):
        median = f"{speed.median():.3g}"
        facts.append((median, "clips per second", "training, median"))
    training = f"{summary['steps']:,} steps"
    facts.append((duration(summary["train_seconds"]), "training time", training))
    if summary.get("peak_memory_bytes"):
        memory = f"{summary['peak_memory_bytes'] / 2**30:.1f} GiB"
        facts.append((memory, "peak memory", f"{summary['parameters']:,} parameters"))
    return facts


def _scores(record: RunRecord, spreads: Mapping[str, Spreads]) -> dict[str, Any]:
    """Returns score tables and the sentences that set them against the baseline."""
    scores, linear = record.summary["scores"], _linear(record)
    known = labels_of(scores["test"])
    splits = [split for split in ("test", "valid") if scores.get(split)]
    seeds = seed_numbers(record)
    return {
        "tables": {
            split: [
                score_table(scores[split], linear.get(split), k, seeds) for k in known
            ]
            for split in splits
        },
        "baseline": record.summary.get("baseline"),
        "sentences": baseline_sentences(record, spreads)
        + _of_labels(record)
        + _cautions(record),
        "has_truth": "true" in known,
        "failures": [
            say("report.failure", **one)
            for one in record.summary.get("failed_seeds", ())
        ],
    }


def _of_labels(record: RunRecord) -> list[str]:
    """Says what the networks learnt from, where it is not what the corpus gives."""
    train, rates = record.config.get("train", {}), record.summary.get("label_noise", {})
    labels, source = train.get("labels", "weak"), train.get("label_noise")
    drop, flip = train.get("drop_positives", 0), train.get("flip_labels", 0)
    found = []
    done = [f"{percent(drop)} of the positives were dropped"] if drop else []
    done += [f"{percent(flip)} of all labels were flipped"] if flip else []
    if labels != "weak" or done:
        found.append(
            f"Learnt from the {labels} labels"
            + (f", of which on purpose {' and then '.join(done)}." if done else ".")
            + _mean_rates("As far as the truth is known", rates.get("found"))
        )
    if source:
        found.append(
            f"The loss corrects for error rates of each tag (train.label_noise="
            f"{source})." + _mean_rates("By these", rates.get("corrected"))
        )
    return found


def _mean_rates(start: str, rates: Mapping[str, Any] | None) -> str:
    """Prints means over tags of error rates, if there are any."""
    if not rates:
        return ""
    means = {
        name: percent(pd.Series(rates[name], dtype=float).mean())
        for name in ("missing", "false")
    }
    return say("report.rates", start=start, **means)


def _cautions(record: RunRecord) -> list[str]:
    """Says where a split is too small for its scores to mean much."""
    per_seed = record.summary["scores"]["test"]["weak"]["per_seed"][0]
    positives = np.array(per_seed["positives"])
    few = int(np.count_nonzero((positives > 0) & (positives < FEW_CLIPS)))
    if 2 * few <= np.count_nonzero(positives):
        return []
    return [say("report.caution", few=few, tags=len(positives), limit=FEW_CLIPS)]


def _label_stats(record: RunRecord) -> dict[str, Any] | None:
    """Returns what the page says about the training labels, if they were counted."""
    stats = record.arrays.get("label_stats", {})
    needed = {"train_counts", "train_co_occurrence", "train_num_clips"}
    if not record.summary or not needed <= stats.keys():
        return None
    tags, num_clips = record.summary["tags"], int(stats["train_num_clips"])
    counts = pd.Series(stats["train_counts"], tags)
    return {
        "num_clips": num_clips,
        "per_clip": f"{counts.sum() / max(num_clips, 1):.2f}",
        "most": (counts.idxmax(), counts.max()),
        "least": (counts.idxmin(), counts.min()),
        "pairs": pair_table(tags, stats["train_co_occurrence"], NUM_PAIRS),
    }
