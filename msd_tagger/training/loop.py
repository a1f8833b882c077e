"""Training: one stream of batches feeds all seeds."""

import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict

from msd_tagger.common import interruption
from msd_tagger.common.error_rates import NOTHING_KNOWN, LabelNoise
from msd_tagger.common.errors import Interrupted, LostInputError
from msd_tagger.common.excerpts import Batch
from msd_tagger.training import canary, clip_cache, distributed, parallel, steps
from msd_tagger.training.checkpoints import Checkpoints, Saved
from msd_tagger.training.data import Data
from msd_tagger.training.evaluation import score_validation
from msd_tagger.training.health import FailedSeed, Health, Watchdog
from msd_tagger.training.progress import MetricsFile, Progress, Trace, Watch, rate
from msd_tagger.training.schedule import Schedule, learning_rate_at
from msd_tagger.training.setup import Setup, build_programs, first_state, set_up


class Trained(NamedTuple):
    """The seeds of a training that came to a finite score."""

    setup: Setup  # Layout and programs are for these seeds.
    state: steps.TrainState  # Host arrays `[S, …]`; `best` holds the weights to use.
    seeds: tuple[int, ...]  # Their initialisations.
    failures: tuple[FailedSeed, ...]  # Of the other seeds.
    # Without evaluation and compilation; None if no step was timed.
    clips_per_s: float | None
    seconds: float  # Spent in timed steps.
    is_finished: bool  # Whether nothing is left to train.


def train(
    config: ConfigDict,
    data: Data,
    workdir: Path,
    noise: LabelNoise = NOTHING_KNOWN,
    watch: Watch = lambda _: None,
) -> Trained:
    """Trains all seeds of a checked configuration, from the last checkpoint on.

    Checkpoints and metrics go into the folder `workdir`; `noise` is that of the
    training labels. `watch` is told of metrics in the process that writes them.

    Raises:
        MiscompilationError: The compiler produces wrong results on this machine.
        ValueError: The data or the devices do not fit the configuration, the memory
            is too small for `input.cache`, no seed came to a finite score, or a
            checkpoint cannot be written.
        Interrupted: A signal came; a checkpoint was saved.
    """
    canary.check()
    setup = clip_cache.keep(set_up(config, data, noise))
    fresh = first_state(setup)
    with _checkpoints(workdir) as checkpoints:
        saved = _restore(checkpoints, fresh) if config.resume else None
        saved = saved or Saved(fresh, {})
        with (
            interruption.deferred() as asked,
            closing(
                Training(setup, saved, checkpoints, workdir, asked, watch)
            ) as training,
        ):
            return training.fit()


def restore(
    config: ConfigDict, data: Data, workdir: Path, noise: LabelNoise = NOTHING_KNOWN
) -> Trained:
    """Reads the newest checkpoint of a run, without training.

    Raises:
        ValueError: There is none, or none that was evaluated.
    """
    setup = set_up(config, data, noise)
    with _checkpoints(workdir) as checkpoints:
        saved = _restore(checkpoints, first_state(setup))
    if saved is None:
        raise ValueError(f"{workdir} has no checkpoint; train first with --mode=run")
    return finish(setup, saved.state, Health(config, saved.log["failures"]), saved.log)


class Training:
    """A training under way, from what is saved; at the beginning its log is empty.

    A process that does not write has no checkpoints.
    """

    def __init__(
        self,
        setup: Setup,
        saved: Saved,
        checkpoints: Checkpoints | None,
        workdir: Path,
        asked: interruption.Interruption,
        watch: Watch = lambda _: None,
    ) -> None:
        self._setup, self._checkpoints, self._asked = setup, checkpoints, asked
        self._state, log = saved
        self._step = int(self._state.step[0])
        # Whether an evaluation that is due after this step has been made.
        self._evaluated = log.get("evaluated", False)
        self._saved_at, self._saved = time.monotonic(), bool(log)
        config, schedule, layout = setup.config, setup.schedule, setup.layout
        first, lines = distributed.is_first(), log.get("metrics", ())
        path = workdir / "metrics.jsonl"
        self._metrics = MetricsFile(path, lines, writes=first, watch=watch)
        self._rate_at = learning_rate_at(config, schedule)
        self._health = Health(config, log.get("failures", ()))
        self._health.is_late = partial(is_late, self._state, schedule)
        earlier = log.get("progress", {})
        self._progress = Progress(
            schedule, layout.num_seeds, self._health.check, self._step, earlier
        )
        self._watchdog = Watchdog(config.stall_warning_s)
        profile_steps = config.profile_steps if first else ()
        self._trace = Trace(profile_steps, workdir / "profile")
        self._chunks = parallel.to_devices(self._state, layout)
        self._batches = setup.train_batches(
            config.data_seed, self._step, config.train.fraction
        )

    def fit(self) -> Trained:
        """Trains, logs, evaluates and saves, until the last step or out of patience.

        Raises:
            LostInputError: Clips cannot be read; what was learnt so far is saved.
            Interrupted: A signal came; likewise.
        """
        try:
            self._go_on()
        except LostInputError:
            # Several processes would have to do it together: there it is the last save.
            if distributed.rank().count == 1:
                if not self._saved and self._step:
                    self._store()
                if self._asked.number:
                    self._save()
            interruption.check()  # A signal is why nobody waited any longer.
            raise
        self._finish_saving()
        self._save()  # Ends here if a signal came during the last one.
        return finish(self._setup, self._state, self._health, self._log_so_far())

    def _go_on(self) -> None:
        self._evaluate()  # What a signal cut short.
        self._save()
        while not self._is_over():
            self._update()
            self._log()
            self._evaluate()
            self._save()

    def close(self) -> None:
        """Ends trace, watchdog and progress bar."""
        self._trace.close()
        self._watchdog.close()
        self._progress.close()

    def _is_over(self) -> bool:
        failed, evaluated = self._health.failed, self._evaluated
        return is_over(self._state, self._setup.schedule, failed, evaluated)

    def _update(self) -> None:
        step = self._step + 1
        self._trace.before(step)
        self._watchdog.enter("input", step)
        batch = next(self._batches)
        self._watchdog.enter("device", step)
        self._chunks, outputs = self._setup.programs.update(self._chunks, batch)
        self._step, self._evaluated, self._saved = step, False, False
        self._progress.add(outputs)
        self._trace.after(step, outputs)

    def _log(self) -> None:
        every = self._setup.config.train.log_every_steps
        if self._is_evaluation_due() or self._step % every == 0:
            rate = self._rate_at(self._step)
            line = {"kind": "train", **self._line(), "learning_rate": rate}
            self._progress.tell(lambda found: self._metrics.append(**line, **found))

    def _evaluate(self) -> None:
        if not self._is_evaluation_due():
            return
        self._progress.pause()
        try:
            self._chunks, scores = score_validation(
                self._setup, self._chunks, self._health.failed, self._pass_on
            )
        except _CutShortError:
            return
        self._evaluated, self._saved = True, False
        self._state = parallel.from_devices(self._chunks, self._setup.layout)
        self._health.is_late = partial(is_late, self._state, self._setup.schedule)
        best = self._state.best_step == self._step
        self._metrics.append(kind="evaluation", **self._line(), **scores, best=best)
        highest = np.asarray(self._state.best_score)
        self._progress.note_validation(scores["roc_auc_macro"], best, highest)

    def _save(self) -> None:
        """Saves after an evaluation, once in a while, and when asked to end."""
        asked, due = self._reasons_to_save()
        if not self._saved and (self._evaluated or due or asked):
            self._store()
        if asked:
            self._finish_saving()
            raise Interrupted(asked, f"step {self._step} is saved")

    def _store(self) -> None:
        """Begins to write a checkpoint of this step."""
        log = self._log_so_far()
        if not self._evaluated:
            self._state = parallel.from_devices(self._chunks, self._setup.layout)
        self._watchdog.enter("checkpoint", self._step)
        if self._checkpoints is not None:
            self._checkpoints.save(self._state, self._step, log)
        self._watchdog.enter("", self._step)
        self._saved_at, self._saved = time.monotonic(), True

    def _finish_saving(self) -> None:
        """Waits in all processes until the one that writes has written everything."""

        def wait() -> None:
            if self._checkpoints is not None:
                self._checkpoints.wait()

        distributed.shared(wait)

    def _log_so_far(self) -> dict[str, Any]:
        """Collects what a checkpoint holds beside the state; waits for the device."""
        progress = self._progress.state()  # First, as it may add lines and failures.
        return {
            "evaluated": self._evaluated,
            "failures": [list(one) for one in self._health.failures],
            "progress": progress,
            "metrics": list(self._metrics.lines),
        }

    def _reasons_to_save(self) -> tuple[int, bool]:
        """Returns the signal that asks to end, 0 for none, and whether a save is due.

        Several processes have to do either at the same step. They compare at logged
        steps: doing so at every step would delay the devices.
        """
        config = self._setup.config.train
        due = time.monotonic() - self._saved_at >= 60 * config.checkpoint_every_minutes
        reasons = [self._asked.number or 0, int(due)]
        if distributed.rank().count > 1:
            at_log = self._evaluated or self._step % config.log_every_steps == 0
            reasons = distributed.agree(reasons) if at_log else [0, 0]
        return reasons[0], bool(reasons[1])

    def _line(self) -> dict[str, float]:
        return {"step": self._step, "epoch": self._setup.schedule.epoch(self._step)}

    def _is_evaluation_due(self) -> bool:
        is_time = self._step and self._setup.schedule.evaluates_at(self._step)
        return bool(is_time) and not self._evaluated

    def _pass_on(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Gives batches on until a signal comes; several processes finish together."""
        is_alone = distributed.rank().count == 1
        for batch in self._watchdog.batches(batches, self._step):
            if self._asked.number and is_alone:
                raise _CutShortError
            yield batch


class _CutShortError(Exception):
    """A signal came, so an evaluation is not worth finishing."""


def finish(
    setup: Setup, state: steps.TrainState, health: Health, log: dict[str, Any]
) -> Trained:
    """Keeps the seeds that came to a finite score; `log` is that of a checkpoint.

    Raises:
        ValueError: None did.
    """
    is_finished = is_over(state, setup.schedule, health.failed, log["evaluated"])
    for number in np.flatnonzero(~np.isfinite(state.best_score)).tolist():
        if not health.failed[number]:
            health.fail(
                number,
                int(state.step[number]),
                "no evaluation so far gave it a score: either its outputs are not "
                "finite (lower train.learning_rate) or no tag of the validation split "
                "has both clips with it and clips without it",
            )
    kept, progress = np.flatnonzero(~health.failed), log["progress"]
    if len(kept) < setup.layout.num_seeds:
        layout = setup.layout._replace(num_seeds=len(kept))
        patience_steps = setup.schedule.patience_steps
        programs = build_programs(setup.model, layout, patience_steps)
        setup = setup._replace(layout=layout, programs=programs)
    return Trained(
        setup=setup,
        state=jax.tree.map(lambda leaf: np.asarray(leaf)[kept], state),
        seeds=tuple(setup.config.seed + number for number in kept.tolist()),
        failures=tuple(health.failures),
        clips_per_s=rate(setup.schedule, progress["timed_steps"], progress["seconds"]),
        seconds=progress["seconds"],
        is_finished=is_finished,
    )


def _checkpoints(workdir: Path) -> AbstractContextManager[Checkpoints | None]:
    """Opens a run's checkpoints in the process that writes; gives None in others."""
    if not distributed.is_first():
        return nullcontext()
    return closing(Checkpoints(workdir / "checkpoints"))


def _restore(
    checkpoints: Checkpoints | None, template: steps.TrainState
) -> Saved | None:
    """Reads the newest checkpoint, in one process for all."""
    state = template

    def read() -> dict | None:
        nonlocal state
        saved = checkpoints.restore(template) if checkpoints else None
        state = saved.state if saved else template
        return saved.log if saved else None

    log = distributed.shared(read)
    if log is None:
        return None
    return Saved(jax.tree.map(lambda leaf: leaf[0], distributed.all_gather(state)), log)


def is_over(
    state: steps.TrainState, schedule: Schedule, failed: np.ndarray, evaluated: bool
) -> bool:
    """Tells whether nothing is left to train: at the last step, or out of patience.

    Only an evaluation decides, the last one too, which a signal may have cut short. So
    going on from a checkpoint between two evaluations, where a seed that failed is
    known earlier, ends at the same step. `failed` marks seeds, bool `[S]`.
    """
    at_end = int(state.step[0]) >= schedule.last_step
    return evaluated and (at_end or out_of_patience(state, schedule, failed))


def out_of_patience(
    state: steps.TrainState, schedule: Schedule, failed: np.ndarray | bool = False
) -> bool:
    """Tells whether the next evaluation is too late for all seeds that did not fail.

    States are `[S, …]`; `failed` marks seeds, bool `[S]`.
    """
    late = is_late(state, schedule, int(state.step[0]))
    return bool((late | failed).all())


def is_late(state: steps.TrainState, schedule: Schedule, step: int) -> np.ndarray:
    """Marks seeds `[S]` for which the next evaluation after a step is too late."""
    waits = schedule.next_evaluation(step) - np.asarray(state.best_step)
    return (waits > schedule.patience_steps) & np.isfinite(state.best_score)
