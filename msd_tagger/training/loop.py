"""Training: one stream of batches feeds all seeds."""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import jax
import numpy as np
from ml_collections import ConfigDict

from msd_tagger.common import interruption
from msd_tagger.common.errors import Interrupted
from msd_tagger.common.record import MetricsFile
from msd_tagger.training import canary, distributed, parallel, steps
from msd_tagger.training.checkpoints import Checkpoints, Saved
from msd_tagger.training.evaluation import evaluate, macro_scores
from msd_tagger.training.health import Health
from msd_tagger.training.profiler import Trace
from msd_tagger.training.progress import Progress, rate
from msd_tagger.training.setup import Data, Run, Schedule, build_programs, set_up
from msd_tagger.training.watchdog import Watchdog

STATISTICS_SEED = 1_000_003  # Order of the clips that batch statistics come from.


def train(config: ConfigDict, data: Data, workdir: Path) -> Run:
    """Trains all seeds of a configuration, from the last checkpoint on.

    Args:
        config: A checked configuration.
        data: Batches and labels.
        workdir: Where checkpoints and metrics go.

    Returns:
        The run, of the seeds that came to a finite score.

    Raises:
        MiscompilationError: The compiler miscomputes on this machine.
        ValueError: The data or the devices do not fit the configuration, no seed came
            to a finite score, or a checkpoint cannot be written.
        Interrupted: A signal came; a checkpoint was saved.
    """
    canary.check()
    run = set_up(config, data)
    with _checkpoints(workdir) as checkpoints:
        saved = _restore(checkpoints, run) if config.resume else None
        with interruption.deferred() as asked:
            training = Training(run, saved, checkpoints, workdir, asked)
            try:
                training.fit()
            finally:
                training.close()
    return training.result()


def restore(config: ConfigDict, data: Data, workdir: Path) -> Run:
    """The newest checkpoint of a run, without training.

    Args:
        config: A checked configuration.
        data: Batches and labels.
        workdir: The run's folder.

    Raises:
        ValueError: There is none, or none that was evaluated.
    """
    run = set_up(config, data)
    with _checkpoints(workdir) as checkpoints:
        saved = _restore(checkpoints, run)
    if saved is None:
        raise ValueError(f"{workdir} has no checkpoint; train first with --mode=run")
    steps_s = saved.log["progress"]["timed_steps"], saved.log["progress"]["seconds"]
    run = run._replace(
        state=saved.state,
        clips_per_s=rate(run.schedule, *steps_s),
        seconds=steps_s[1],
    )
    return finish(run, Health(config, saved.log["failures"]))


class Training:
    """A training under way.

    Args:
        run: As set up.
        saved: What it goes on from, None to begin.
        checkpoints: Where it is saved; None in a process that does not write.
        workdir: Where metrics and traces go.
        asked: Whether a signal asks it to end.
    """

    def __init__(
        self,
        run: Run,
        saved: Saved | None,
        checkpoints: Checkpoints | None,
        workdir: Path,
        asked: interruption.Interruption,
    ) -> None:
        log = saved.log if saved else {}
        self._run, self._checkpoints, self._asked = run, checkpoints, asked
        self._state = saved.state if saved else run.state
        self._step = int(self._state.step[0])
        # Whether an evaluation that is due after this step has been made.
        self._evaluated = log.get("evaluated", False)
        self._saved_at, self._saved = time.monotonic(), saved is not None
        first = distributed.is_first()
        self._metrics = MetricsFile(
            workdir / "metrics.jsonl", log.get("metrics", ()), writes=first
        )
        self._health = Health(run.config, log.get("failures", ()))
        self._progress = Progress(
            self._step,
            run.schedule,
            run.layout.num_seeds,
            self._health.check,
            log.get("progress"),
        )
        self._watchdog = Watchdog(run.config.stall_warning_s)
        profile_steps = run.config.profile_steps if first else ()
        self._trace = Trace(profile_steps, workdir / "profile")
        self._chunks = parallel.place(self._state, run.layout)
        self._batches = run.data.train_batches(
            run.schedule.batch_size,
            run.config.data_seed,
            self._step,
            run.config.train.fraction,
            parallel.own_rows(run.schedule.batch_size, run.layout),
        )

    def fit(self) -> None:
        """Step, log, evaluate, save; until the last step or out of patience."""
        self._evaluate()  # What a signal cut short.
        self._save()
        while not self._is_over():
            self._update()
            self._log()
            self._evaluate()
            self._save()
        if self._checkpoints is not None:
            self._checkpoints.wait()
        self._save()  # Ends here if a signal came during the last one.

    def close(self) -> None:
        """Ends what watches."""
        self._trace.close()
        self._watchdog.close()
        self._progress.close()

    def result(self) -> Run:
        """The run, of the seeds that came to a finite score.

        Raises:
            ValueError: None did.
        """
        run = self._run._replace(
            state=self._state,
            clips_per_s=self._progress.clips_per_s,
            seconds=self._progress.seconds,
        )
        return finish(run, self._health)

    def _is_over(self) -> bool:
        # Only an evaluation decides, so that going on from a checkpoint between two
        # of them, where a seed that failed is known earlier, ends at the same step.
        schedule, failed = self._run.schedule, self._health.failed
        late = self._evaluated and out_of_patience(self._state, schedule, failed)
        return late or self._step >= schedule.last_step

    def _update(self) -> None:
        step = self._step + 1
        self._trace.before(step)
        self._watchdog.enter("input", step)
        batch = next(self._batches)
        self._watchdog.enter("device", step)
        self._chunks, losses = self._run.programs.update(self._chunks, batch)
        self._step, self._evaluated, self._saved = step, False, False
        self._progress.add(losses)
        self._trace.after(step, losses)

    def _log(self) -> None:
        every = self._run.config.train.log_every_steps
        if self._is_evaluation_due() or self._step % every == 0:
            found = self._progress.read()
            self._metrics.append(kind="train", **self._line(), **found)

    def _evaluate(self) -> None:
        if not self._is_evaluation_due():
            return
        self._progress.pause()
        try:
            self._chunks, scores = _evaluate(
                self._run, self._chunks, self._health.failed, self._watch
            )
        except _CutShortError:
            return
        self._evaluated, self._saved = True, False
        self._state = parallel.gather(self._chunks, self._run.layout)
        best = self._state.best_step == self._step
        self._metrics.append(kind="evaluation", **self._line(), **scores, best=best)
        self._progress.note_validation(scores["roc_auc_macro"])

    def _save(self) -> None:
        """Saves after an evaluation, once in a while, and when asked to end."""
        asked, due = self._wishes()
        if not self._saved and (self._evaluated or due or asked):
            progress = self._progress.state()
            if not self._evaluated:
                self._state = parallel.gather(self._chunks, self._run.layout)
            self._watchdog.enter("checkpoint", self._step)
            log = {
                "evaluated": self._evaluated,
                "failures": [list(one) for one in self._health.failures],
                "progress": progress,
                "metrics": list(self._metrics.lines),
            }
            if self._checkpoints is not None:
                self._checkpoints.save(self._state, self._step, log)
            self._watchdog.enter("", self._step)
            self._saved_at, self._saved = time.monotonic(), True
        if asked:
            if self._checkpoints is not None:
                self._checkpoints.wait()
            raise Interrupted(asked, f"step {self._step} is saved")

    def _wishes(self) -> tuple[int, bool]:
        """The signal that asks to end, 0 for none, and whether it is time to save.

        Several processes have to do either at the same step. They compare at logged
        steps: doing so at every step would hold the devices up.
        """
        config = self._run.config.train
        due = time.monotonic() - self._saved_at >= 60 * config.checkpoint_every_minutes
        wishes = [self._asked.number or 0, int(due)]
        if distributed.place().count > 1:
            at_log = self._evaluated or self._step % config.log_every_steps == 0
            wishes = distributed.agree(wishes) if at_log else [0, 0]
        return wishes[0], bool(wishes[1])

    def _line(self) -> dict:
        return {"step": self._step, "epoch": self._run.schedule.epoch(self._step)}

    def _is_evaluation_due(self) -> bool:
        is_time = self._step and self._run.schedule.evaluates_at(self._step)
        return bool(is_time) and not self._evaluated

    def _watch(self, batches: Iterable) -> Iterator:
        """The same batches, until a signal comes; several processes finish together."""
        is_alone = distributed.place().count == 1
        for batch in self._watchdog.batches(batches, self._step):
            if self._asked.number and is_alone:
                raise _CutShortError
            yield batch


class _CutShortError(Exception):
    """An evaluation is not worth finishing: a signal came."""


def finish(run: Run, health: Health) -> Run:
    """The run, of the seeds that came to a finite score.

    Raises:
        ValueError: None did.
    """
    for number in np.flatnonzero(~np.isfinite(run.state.best_score)).tolist():
        if not health.failed[number]:
            health.fail(
                number,
                int(run.state.step[number]),
                "no evaluation so far gave it a score: either its outputs are not "
                "finite (lower train.learning_rate) or no tag of the validation split "
                "has both clips with it and clips without it",
            )
    kept = np.flatnonzero(~health.failed)
    layout = run.layout._replace(num_seeds=len(kept))
    programs = run.programs
    if len(kept) < run.layout.num_seeds:
        programs = build_programs(run.model, layout, run.schedule.patience_steps)
    return run._replace(
        layout=layout,
        programs=programs,
        state=jax.tree.map(lambda leaf: np.asarray(leaf)[kept], run.state),
        seeds=tuple(run.config.seed + number for number in kept.tolist()),
        failures=tuple(health.failures),
    )


@contextmanager
def _checkpoints(workdir: Path) -> Iterator[Checkpoints | None]:
    """Those of a run, for the process that writes them, and None for the others."""
    if not distributed.is_first():
        yield None
        return
    checkpoints = Checkpoints(workdir / "checkpoints")
    try:
        yield checkpoints
    finally:
        checkpoints.close()


def _restore(checkpoints: Checkpoints | None, run: Run) -> Saved | None:
    """The newest checkpoint, which one process reads for all."""
    found: list[Saved | None] = []

    def read() -> dict | None:
        found.append(checkpoints.restore(run.state))
        return found[0] and found[0].log

    log = distributed.shared(read)
    if log is None:
        return None
    state = distributed.shared_state(lambda: found[0].state, like=run.state)
    return Saved(state, log)


def _evaluate(
    run: Run, chunks: list, failed: np.ndarray, watch: Callable
) -> tuple[list, dict]:
    """Scores the validation split and keeps the better weights."""
    started = time.monotonic()
    weights = _with_statistics(run, [chunk.weights for chunk in chunks], watch)
    found = evaluate_split(run, weights, "valid", watch)
    scores = macro_scores(run.data.labels("valid")["tags"], found["scores"], failed)
    ranked = [-np.inf if s is None else s for s in scores["roc_auc_macro"]]
    placed = parallel.place(np.array(ranked, np.float32), run.layout)
    chunks = run.programs.keep(chunks, weights, placed)
    seconds = time.monotonic() - started
    finite = np.isfinite(found["loss"]) & ~failed
    return chunks, {
        "split": "valid",
        "loss": [
            float(one) if has else None
            for one, has in zip(found["loss"], finite, strict=True)
        ],
        "seconds": seconds,
        **scores,
    }


def _with_statistics(run: Run, weights: list, watch: Callable) -> list:
    """Weights with batch statistics of now, if so configured."""
    config, schedule = run.config.train, run.schedule
    if run.model.features_frozen or not config.statistics_clips:
        return weights
    batches = run.data.train_batches(
        schedule.batch_size,
        STATISTICS_SEED,
        0,
        config.fraction,
        parallel.own_rows(schedule.batch_size, run.layout),
    )
    clips = min(config.statistics_clips, schedule.num_clips)
    weights = run.programs.forget(weights)
    for batch in watch(islice(batches, math.ceil(clips / schedule.batch_size))):
        weights, _ = run.programs.estimate(weights, batch)
    return weights


def evaluate_split(
    run: Run, weights: list, split: str, watch: Callable = iter
) -> dict[str, np.ndarray]:
    """Scores `[S, N, K]` and loss `[S]` of placed weights on a split.

    Args:
        run: Knows the data and the programs.
        weights: As placed.
        split: "train", "valid" or "test".
        watch: Gives the batches on, one after another.
    """
    size = run.config.train.evaluation_batch_size or run.schedule.batch_size
    size = parallel.pad_batch_size(size, run.layout)
    rows = parallel.own_rows(size, run.layout)
    batches = watch(run.data.evaluation_batches(split, size, rows=rows))
    return evaluate(run.programs.evaluate, weights, batches, run.data.num_clips(split))


def out_of_patience(
    state: steps.TrainState, schedule: Schedule, failed: np.ndarray | bool = False
) -> bool:
    """Whether the next evaluation comes too late for every seed that did not fail."""
    upcoming = schedule.next_evaluation(int(state.step[0]))
    late = upcoming - np.asarray(state.best_step) > schedule.patience_steps
    return bool((late & np.isfinite(state.best_score) | failed).all())


def is_finished(run: Run) -> bool:
    """Whether there is nothing left to train."""
    done = int(run.state.step[0]) >= run.schedule.last_step
    return done or out_of_patience(run.state, run.schedule)
