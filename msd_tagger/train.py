"""Training: one stream of batches feeds all seeds."""

import math
import time
from itertools import islice
from pathlib import Path

import numpy as np
from ml_collections import ConfigDict

from msd_tagger import canary, parallel, steps
from msd_tagger.build import Data, Run, Schedule, set_up
from msd_tagger.checkpoints import Checkpoints
from msd_tagger.evaluate import evaluate, macro_scores
from msd_tagger.progress import Progress
from msd_tagger.record import MetricsFile

STATISTICS_SEED = 1_000_003  # Order of the clips that batch statistics come from.


def train(config: ConfigDict, data: Data, workdir: Path) -> Run:
    """Trains all seeds of a configuration, from the last checkpoint on.

    Args:
        config: A checked configuration.
        data: Batches and labels.
        workdir: Where checkpoints and metrics go.

    Raises:
        MiscompilationError: The compiler miscomputes on this machine.
        ValueError: The data or the devices do not fit the configuration, or no seed
            came to a finite score.
    """
    canary.check()
    run = set_up(config, data)
    checkpoints = Checkpoints(workdir / "checkpoints")
    try:
        if config.resume:
            run = run._replace(state=checkpoints.restore(run.state) or run.state)
        run = _fit(run, checkpoints, workdir / "metrics.jsonl")
    finally:
        checkpoints.close()
    _check_finite(run.state)
    return run


def restore(config: ConfigDict, data: Data, workdir: Path, summary: dict | None) -> Run:
    """The newest checkpoint of a run, without training.

    Args:
        config: A checked configuration.
        data: Batches and labels.
        workdir: The run's folder.
        summary: Of the run when it was trained, if it came to its end: its times stay.

    Raises:
        ValueError: There is none.
    """
    run = set_up(config, data)
    checkpoints = Checkpoints(workdir / "checkpoints")
    try:
        state = checkpoints.restore(run.state)
    finally:
        checkpoints.close()
    if state is None:
        raise ValueError(f"{workdir} has no checkpoint; train first with --mode=run")
    summary = summary or {}
    return run._replace(
        state=state,
        clips_per_s=summary.get("clips_per_s"),
        seconds=summary.get("train_seconds", 0.0),
    )


def _fit(run: Run, checkpoints: Checkpoints, metrics_path: Path) -> Run:
    """Step, log, evaluate, save; until the last step or out of patience."""
    schedule, config, state = run.schedule, run.config, run.state
    first = int(state.step[0])
    metrics = MetricsFile(metrics_path, first)
    batches = run.data.train_batches(
        schedule.batch_size, config.data_seed, first, config.train.fraction
    )
    chunks = parallel.place(state, run.layout)
    progress = Progress(first, schedule, run.layout.num_seeds, metrics.seconds)
    for step in range(first + 1, schedule.last_step + 1):
        if out_of_patience(state, schedule):
            break
        chunks, losses = run.programs.update(chunks, next(batches))
        progress.add(losses)
        evaluates = schedule.evaluates_at(step)
        if evaluates or step % config.train.log_every_steps == 0:
            line = {"step": step, "epoch": schedule.epoch(step)}
            metrics.append(kind="train", **line, **progress.read())
        if evaluates:
            chunks, scores = _evaluate(run, chunks)
            state = parallel.gather(chunks, run.layout)
            better = state.best_step == step
            metrics.append(kind="evaluation", **line, **scores, best=better)
            checkpoints.save(state, step)
            progress.note_validation(scores["roc_auc_macro"])
    progress.close()
    return run._replace(
        state=state, clips_per_s=progress.clips_per_s, seconds=progress.seconds
    )


def _evaluate(run: Run, chunks: list) -> tuple[list, dict]:
    """Scores the validation split and keeps the better weights."""
    started = time.monotonic()
    weights = _with_statistics(run, [chunk.weights for chunk in chunks])
    found = evaluate_split(run, weights, "valid")
    scores = macro_scores(run.data.labels("valid")["tags"], found["scores"])
    ranked = [-np.inf if s is None else s for s in scores["roc_auc_macro"]]
    placed = parallel.place(np.array(ranked, np.float32), run.layout)
    chunks = run.programs.keep(chunks, weights, placed)
    seconds = time.monotonic() - started
    return chunks, {
        "split": "valid",
        "loss": found["loss"],
        "seconds": seconds,
        **scores,
    }


def _with_statistics(run: Run, weights: list) -> list:
    """Weights with batch statistics of now, if so configured."""
    config, schedule = run.config.train, run.schedule
    if run.model.features_frozen or not config.statistics_clips:
        return weights
    batches = run.data.train_batches(
        schedule.batch_size, STATISTICS_SEED, 0, config.fraction
    )
    clips = min(config.statistics_clips, schedule.num_clips)
    weights = run.programs.forget(weights)
    for batch in islice(batches, math.ceil(clips / schedule.batch_size)):
        weights, _ = run.programs.estimate(weights, batch)
    return weights


def evaluate_split(run: Run, weights: list, split: str) -> dict[str, np.ndarray]:
    """Scores `[S, N, K]` and loss `[S]` of placed weights on a split."""
    size = run.config.train.evaluation_batch_size or run.schedule.batch_size
    size = parallel.pad_batch_size(size, run.layout)
    batches = run.data.evaluation_batches(split, size)
    return evaluate(run.programs.evaluate, weights, batches)


def out_of_patience(state: steps.TrainState, schedule: Schedule) -> bool:
    """Whether the next evaluation comes too late for every seed."""
    upcoming = schedule.next_evaluation(int(state.step[0]))
    late = upcoming - np.asarray(state.best_step) > schedule.patience_steps
    return bool((late & np.isfinite(state.best_score)).all())


def is_finished(run: Run) -> bool:
    """Whether there is nothing left to train."""
    done = int(run.state.step[0]) >= run.schedule.last_step
    return done or out_of_patience(run.state, run.schedule)


def _check_finite(state: steps.TrainState) -> None:
    if not np.isfinite(state.best_score).all():
        seeds = np.flatnonzero(~np.isfinite(state.best_score)).tolist()
        raise ValueError(
            f"no evaluation gave seeds number {seeds} a score: either their loss is "
            "not finite (lower train.learning_rate) or no tag of the validation split "
            "has both clips with it and clips without it"
        )
