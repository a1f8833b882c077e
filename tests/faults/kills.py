"""Kills small runs at random moments, gives the same command again, and compares."""

import itertools
import random
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from tests.faults.runs import (
    Ended,
    Process,
    Scene,
    checkpoints,
    differences,
    digests,
    run,
)

KILLS_PER_RUN = 4
# How often, of 100; how long a phase takes at most, in seconds, from its announcement
# on; how often it is announced in a run of 36 steps.
PHASES = {
    "start": (6, 3.0, 1),
    "preparation": (12, 2.5, 1),
    "restore": (6, 0.4, 1),
    "step": (30, 0.1, 36),
    "save": (24, 0.3, 8),
    "evaluation": (12, 0.3, 3),
    "results": (5, 1.0, 1),
    "report": (5, 2.0, 1),
}
# Not aimed at by chance: until the report, most of it is tracing and compilation.
TRACING = {"tracing": (0, 30.0, 1)}
# Signals and their share. All but SIGKILL are to be answered with a checkpoint.
SIGNALS = {
    signal.SIGKILL: 0.7,
    signal.SIGTERM: 0.14,
    signal.SIGUSR1: 0.1,
    signal.SIGINT: 0.03,
    signal.SIGHUP: 0.03,
}
LAST = "36"  # Step of a training.
ANSWERED = {number: 0.25 for number in SIGNALS if number != signal.SIGKILL}
SAVING = ("step", "save", "evaluation")  # Phases in which a signal saves first.


class Kill(NamedTuple):
    """A process that was to be killed.

    Attributes:
        phase: The last that was announced before it.
        signal: Its name.
        wrong: What was wrong with the answer to it, "" if nothing.
    """

    phase: str
    signal: str
    wrong: str


def plan(num_kills: int, rng: random.Random) -> list[str]:
    """Lists phases to aim at, in random order, each as often as its share."""
    shares = [share for share, _, _ in PHASES.values()]
    phases: list[str] = []
    for phase, upto in zip(PHASES, itertools.accumulate(shares), strict=True):
        phases += [phase] * (round(num_kills * upto / sum(shares)) - len(phases))
    rng.shuffle(phases)
    return phases


def chain(
    scene: Scene, undisturbed: Scene, phases: list[str], seed: int
) -> tuple[list[Kill], list[str]]:
    """Kills a run in each of some phases, lets it end, and says what was lost."""
    rng = random.Random(seed)
    aimed = sorted(phases, key=list(PHASES | TRACING).index)
    kills = [kill for phase in aimed if (kill := _kill(scene, phase, rng))]
    lost = [kill.wrong for kill in kills if kill.wrong]
    ended = run(scene)
    if ended.status != 0:
        return kills, [*lost, f"it ended with {ended.status}: {ended.said[-3000:]}"]
    lost += differences(scene.workdir, undisturbed.workdir)
    if digests(scene.data_dir) != digests(undisturbed.data_dir):
        lost.append("the shards differ")
    return kills, lost


def _kill(scene: Scene, phase: str, rng: random.Random) -> Kill | None:
    """Starts the run and kills it; None where it ended before."""
    _, longest_s, times = (PHASES | TRACING)[phase]
    signals = ANSWERED if phase in TRACING else SIGNALS
    [number] = rng.choices(list(signals), list(signals.values()))
    process = Process(scene)
    # A run that goes on announces less often; then the moment is the last of them.
    if process.wait_for(phase, rng.randint(1, times)):
        time.sleep(rng.uniform(0, longest_s))
    last = process.send(number)
    ended = process.end()
    if ended.status != 0:
        return Kill(ended.phase, number.name, _wrong(scene, number, ended))
    if last != "report":  # During which it may have ended before.
        return Kill(last, number.name, f"{number.name} was not answered")
    return None


def _wrong(scene: Scene, number: signal.Signals, ended: Ended) -> str:
    """Says what is wrong with how a process answered a signal."""
    what = f"{number.name} during {ended.phase}"
    if ended.status == -number and (number == signal.SIGKILL or ended.phase == "start"):
        return ""
    if ended.phase == "start" and number == signal.SIGINT:
        return ""  # Python's own answer, before main.py has begun.
    answer = "the same command goes on from here"
    if ended.status != 128 + number or answer not in ended.said:
        return f"{what} ended with {ended.status}: {ended.said[-3000:]}"
    if ended.phase not in SAVING:
        return ""
    step = ended.said.rpartition("step ")[2].split()[0]
    newest = [path.name for path in checkpoints(scene.workdir)][-1:]
    if f"{number.name}; step {step} is saved" not in ended.said:
        # It came after the training, whose last step is saved; or nothing was.
        return "" if newest == [LAST] else f"{what}: nothing was saved"
    return "" if newest == [step] else f"{what}: step {step} was not saved"


def try_all(
    undisturbed: Scene, num_kills: int, seed: int, at_once: int, traces: bool = False
) -> tuple[list[tuple[Kill, bool]], list[str]]:
    """Kills runs until there were enough kills.

    Args:
        undisturbed: Run that all are compared with.
        num_kills: How many.
        seed: Of the moments and signals.
        at_once: Runs.
        traces: Whether all are signals that come while a process that has no programs
            yet traces and compiles them.

    Returns:
        (kill, whether its run lost anything) of all; and what was lost.
    """
    rng, number = random.Random(seed), 0
    kills: list[tuple[Kill, bool]] = []
    lost: list[str] = []

    def one(phases: list[str], number: int) -> tuple[list[Kill], list[str]]:
        scene = undisturbed.beside(f"kill-{number}")
        if traces:
            scene = scene._replace(programs=None)
        if "preparation" not in phases:
            shutil.copytree(undisturbed.data_dir, scene.data_dir)
        found = chain(scene, undisturbed, phases, seed + 1000 * number)
        scene.remove()
        return found

    while len(kills) < num_kills:  # A run that ends before its kill has none.
        missing = num_kills - len(kills)
        phases = list(TRACING) * missing if traces else plan(missing, rng)
        num_runs = -(-len(phases) // KILLS_PER_RUN)
        groups = [phases[i::num_runs] for i in range(num_runs)]
        with ThreadPoolExecutor(at_once) as pool:
            for of_run, texts in pool.map(
                one, groups, range(number, number + num_runs)
            ):
                kills += [(kill, bool(texts)) for kill in of_run]
                lost += texts
                print(f"{len(kills)} kills, {len(lost)} lost", *texts, sep="\n  ")
        number += num_runs
    return kills, lost
