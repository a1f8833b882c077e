"""What a page says of a run or study before its end: how far, and how to go on."""

import math
from collections.abc import Sequence
from contextlib import suppress

import numpy as np
import pandas as pd

from msd_tagger.common import workspace
from msd_tagger.pages.tables import duration, number, over_seeds, percent
from studies.records import (
    BEGUN,
    POINTS,
    Line,
    RunRecord,
    RunRecordError,
    SweepRecord,
    per_seed,
    read_run_record,
)


def steps(record: RunRecord) -> tuple[int, int | None]:
    """Returns the last step that was logged, and how many at most, if known."""
    lines = [*record.train, *record.evaluations]
    train = record.config.get("train", {})
    at_most, size = [], max(0, train.get("batch_size", 0))
    if train.get("max_steps"):
        at_most.append(train["max_steps"])
    for line in lines[-1:]:
        if size and line.get("epoch") and "max_epochs" in train:
            clips = round(line["step"] * size / line["epoch"])
            at_most.append(math.ceil(round(train["max_epochs"] * (clips / size), 6)))
    return max([0, *(one["step"] for one in lines)]), min(at_most, default=None)


def best_so_far(evaluations: Sequence[Line]) -> pd.DataFrame:
    """Finds the `step` whose parameters each seed keeps so far, and its `score`.

    NaN for none, and for a seed that has failed. An evaluation that came too late for a
    seed is not its best, however high: the log says which is.
    """
    scores = per_seed(evaluations, "roc_auc_macro")
    counts = scores > scores.cummax().shift().fillna(-np.inf)
    if all("best" in line for line in evaluations):
        counts = per_seed(evaluations, "best") > 0
    kept = scores.where(counts).apply(pd.Series.last_valid_index)
    found = pd.DataFrame({"step": kept}, scores.columns, dtype=float)
    found["score"] = [
        scores.loc[step, seed] if np.isfinite(step) else np.nan
        for seed, step in found.step.items()
    ]
    return found.where(scores.iloc[-1].notna(), np.nan)


def how_far(record: RunRecord) -> str:
    """Prints how far a run has come, as `step 1,200 of at most 4,000`."""
    done, at_most = steps(record)
    return f"step {done:,}" + ("" if at_most is None else f" of at most {at_most:,}")


def notice(record: RunRecord) -> tuple[str, ...] | None:
    """Says that a run is not finished: bold words, others, a command; or None."""
    if record.summary.get("complete", bool(record.summary)):
        return None
    saved = [p.name for p in (record.workdir / "checkpoints").glob("[0-9]*")]
    saved = [name for name in saved if name.isdecimal()]
    is_empty = not (record.train or record.evaluations)
    words = [f"This page shows what was logged up to {how_far(record)}."]
    words = ["Nothing is logged yet."] if is_empty else words
    if record.summary:
        words.append(f"Its test scores are of step {record.summary['steps']:,}.")
    if workspace.is_busy(record.workdir):
        words.append("A process works on it now; write the page again to see more.")
        return "Not finished.", " ".join(words)
    start = f"step {max(map(int, saved)):,}, which is saved" if saved else "the start"
    words.append(f"Nothing works on it; its command, given again, goes on from {start}")
    return _with_command(" ".join(words), record)


def notice_of_study(record: SweepRecord) -> tuple[str, ...] | None:
    """Says that points of a study are missing; None if there are none."""
    if not record.missing:
        return None
    words = f"This page shows complete points alone, {len(record.points)} of "
    words += f"{record.num_points}. The study's command, given again, does the others"
    return _with_command(words, record)


def point_state(record: SweepRecord, name: str) -> str:
    """Says how far a point has come that is not complete."""
    folder = record.workdir / POINTS / name
    with suppress(RunRecordError):
        return how_far(read_run_record(folder, BEGUN))
    return "missing"


def _with_command(words: str, record: RunRecord | SweepRecord) -> tuple[str, ...]:
    command = record.environment.get("command")
    if not command:
        return "Not finished.", f"{words}."
    return "Not finished.", f"{words}:", f"python {command}"


def facts(record: RunRecord) -> list[tuple[str, str, str]]:
    """Returns the tiles of a run without test scores: how far, and the best so far."""
    done, at_most = steps(record)
    of = f"of at most {at_most:,}, {percent(done / at_most)}" if at_most else ""
    found = [(f"{done:,}", "steps", of)]
    if record.evaluations:
        best = best_so_far(record.evaluations).dropna()
        remark = "the best so far"
        if len(best) == 1:
            remark += f", at step {best.step.iloc[0]:,.0f}"
        elif len(best):
            remark += f" of each, mean ± deviation of {len(best)} seeds"
        shown = over_seeds(best.score.to_numpy(), 3) if len(best) else number(None)
        found.append((shown, "macro ROC-AUC, validation", remark))
    for line in record.train[-1:]:
        speed = line["clips_per_s"]
        if speed and at_most:
            clips = (at_most - done) * record.config["train"].get("batch_size", 0)
            left = duration(max(0, clips) / speed)
            remark = "at the last speed, evaluations apart"
            found.append((left, "left at most", remark))
    return found
