"""Kills small runs at random moments, gives the same command again, and compares."""

import random
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from scripts.faults.runs import (
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
# Signals and their share. All but SIGKILL are to be answered with a checkpoint.
SIGNALS = {
    signal.SIGKILL: 0.7,
    signal.SIGTERM: 0.14,
    signal.SIGUSR1: 0.1,
    signal.SIGINT: 0.03,
    signal.SIGHUP: 0.03,
}
LAST = "36"  # Step of a training.
SAVING = ("step", "save", "evaluation")  # Phases in which a signal saves first.


class Kill(NamedTuple):
    """A process that was to be killed.

    Attributes:
        aimed: phase that the kill was aimed at.
        phase: the last that was announced before it.
        number: the signal.
        wrong: what was wrong with the answer to it, "" if nothing.
    """

    aimed: str
    phase: str
    number: int
    wrong: str


def plan(num_kills: int, rng: random.Random) -> list[str]:
    """Phases to aim at, in random order, each as often as its share."""
    shares = [share for share, _, _ in PHASES.values()]
    total, phases = sum(shares), []
    for (phase, _), upto in zip(PHASES.items(), _cumulative(shares), strict=True):
        phases += [phase] * (round(num_kills * upto / total) - len(phases))
    rng.shuffle(phases)
    return phases


def _cumulative(shares: list[int]) -> list[int]:
    return [sum(shares[: i + 1]) for i in range(len(shares))]


class Chain(NamedTuple):
    """One run, killed again and again until it is left alone.

    Attributes:
        kills: in order.
        lost: what differs from the undisturbed run at the end.
    """

    kills: list[Kill]
    lost: list[str]


def chain(scene: Scene, undisturbed: Scene, phases: list[str], seed: int) -> Chain:
    """Kills a run in each of some phases and lets it end.

    Args:
        scene: an empty folder, or one with shards.
        undisturbed: what it is compared with.
        phases: to aim at, one a kill.
        seed: of the moments and signals.
    """
    rng = random.Random(seed)
    kills = []
    for phase in sorted(phases, key=list(PHASES).index):
        found = _kill(scene, phase, rng)
        if found is not None:
            kills.append(found)
    ended = run(scene)
    lost = [kill.wrong for kill in kills if kill.wrong]
    if ended.status != 0:
        return Chain(
            kills, [*lost, f"it ended with {ended.status}: {ended.said[-3000:]}"]
        )
    lost += differences(scene.workdir, undisturbed.workdir)
    if digests(scene.data_dir) != digests(undisturbed.data_dir):
        lost.append("the shards differ")
    return Chain(kills, lost)


def _kill(scene: Scene, phase: str, rng: random.Random) -> Kill | None:
    """Starts the run and kills it; None where it ended before."""
    _, longest_s, times = PHASES[phase]
    number = rng.choices(list(SIGNALS), list(SIGNALS.values()))[0]
    process = Process(scene, fresh=phase == "start")
    # A run that goes on announces less often; then the moment is the last of them.
    if process.wait_for(phase, rng.randint(1, times)):
        time.sleep(rng.uniform(0, longest_s))
    process.send(number)
    ended = process.end()
    if ended.status == 0:
        if number != signal.SIGKILL and ended.phase in ("step", "evaluation"):
            name = signal.Signals(number).name
            return Kill(phase, ended.phase, number, f"{name} was not answered")
        return None
    return Kill(phase, ended.phase, number, _wrong(scene, number, ended))


def _wrong(scene: Scene, number: int, ended: Ended) -> str:
    """What is wrong with how a process answered a signal."""
    name = signal.Signals(number).name
    if ended.status == -number and (number == signal.SIGKILL or ended.phase == "start"):
        return ""
    answer = "the same command goes on from here"
    if ended.phase == "start" and number == signal.SIGINT:
        return ""  # Python's own answer, before main.py has begun.
    if ended.status != 128 + number or answer not in ended.said:
        said = ended.said[-3000:]
        return f"{name} during {ended.phase} ended with {ended.status}: {said}"
    if ended.phase in SAVING:
        step = ended.said.rpartition("step ")[2].split()[0]
        if f"{name}; step {step} is saved" not in ended.said:
            # It came after the training, whose last step is saved; or nothing was.
            is_over = [path.name for path in checkpoints(scene.workdir)][-1:] == [LAST]
            return "" if is_over else f"{name} during {ended.phase}: nothing was saved"
        if checkpoints(scene.workdir)[-1].name != step:
            return f"{name}: step {step} was not saved"
    return ""


def try_all(
    undisturbed: Scene, num_kills: int, seed: int, at_once: int
) -> tuple[list[tuple[Kill, bool]], list[str]]:
    """Kills runs until there were enough kills.

    Args:
        undisturbed: run that all are compared with.
        num_kills: how many.
        seed: of the moments and signals.
        at_once: runs.

    Returns:
        (kill, whether its run lost anything) of all; and what was lost.
    """
    rng, kills, lost, number = random.Random(seed), [], [], 0

    def one(phases: list[str], number: int) -> Chain:
        folder = undisturbed.folder.with_name(f"kill-{number}")
        scene = undisturbed._replace(folder=folder)
        folder.mkdir()
        if "preparation" not in phases:
            shutil.copytree(undisturbed.data_dir, scene.data_dir)
        found = chain(scene, undisturbed, phases, seed + 1000 * number)
        scene.remove()
        return found

    while len(kills) < num_kills:  # A run that ends before its kill has none.
        phases = plan(num_kills - len(kills), rng)
        num_runs = -(-len(phases) // KILLS_PER_RUN)
        groups = [phases[i::num_runs] for i in range(num_runs)]
        with ThreadPoolExecutor(at_once) as pool:
            numbers = range(number, number + len(groups))
            for found in pool.map(one, groups, numbers):
                kills += [(kill, bool(found.lost)) for kill in found.kills]
                lost += found.lost
                print(f"{len(kills)} kills, {len(lost)} lost", flush=True)
                for text in found.lost:
                    print(f"  {text}", flush=True)
        number += len(groups)
    return kills, lost
