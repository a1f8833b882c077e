"""Kills and damages small runs in every way we could think of, and counts what is lost.

    python scripts/faults.py --out=docs/faults.md

A run of two small networks is killed at random moments, some kills in every phase, and
started again with the same command. At the end every bit of its record but times must
be that of a run that nobody disturbed: parameters, statistics, optimiser, best
so far, predictions, scores, and every line of metrics.jsonl. Then files of checkpoints,
shards and records are damaged, disks are full or read-only: each must end in a
recovery, to the bit again, or in a sentence that names the place.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "scripts"))

import fault_damages  # noqa: E402
import fault_kills  # noqa: E402
import tiny_clips  # noqa: E402
from fault_runs import Process, Scene, checkpoints, run  # noqa: E402

KILLS_PER_RUN = 4
NUM_CLIPS = 180
VERSIONS = ("jax", "jaxlib", "orbax-checkpoint", "numpy")
PAGE = """# Faults tried

`python scripts/faults.py --out=docs/faults.md` wrote this page; [resume.md](resume.md)
says what is behind it.

A run of two small networks, 36 steps with three evaluations, was killed {num_kills}
times at random moments ({signals}), up to four times each, and every time given the
same command again. "Survived" means that the run ended with the bits of one that nobody
disturbed: parameters, batch statistics, optimiser, best weights and scores of each
seed, predictions, summary, and `metrics.jsonl` line by line, times and speeds apart;
and that its shards were the same to the byte. SIGKILL ends all processes at once; the
others had to be answered with a saved checkpoint and status 128 + n. The kills were
aimed at every phase, in fixed shares; most processes were forked from one that had
imported the libraries, those killed at their start were fresh interpreters.

Lost: **{lost_kills}**.

{kills}

Then {num_damages} things went wrong. "Recovered" means that the same command ended with
the same bits all the same; "a clear error", that it ended with status 2 and a sentence
that names the place. A limit on the size of files stands for a full disk; where folders
are read-only, the process lacks root's privilege to write all the same.

Lost: **{lost_damages}**.

{damages}

It took {minutes} minutes on {cores} cores, with {versions}; `--seed={seed}` draws the
moments and the damaged bits.
"""


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--kills", type=int, default=100, help="(%(default)s)")
    add("--damages", type=int, default=-1, help="of all; -1 for all (%(default)s)")
    add("--seed", type=int, default=0, help="of moments and choices (%(default)s)")
    add("--at_once", type=int, default=2, help="processes (%(default)s)")
    add("--out", type=Path, default=None, help="a page for the tables")
    add(
        "--scratch", type=Path, default=None, help="a folder is made, and removed, here"
    )
    return parser.parse_args(arguments)


def main() -> None:
    """Tries everything, prints the tables, and fails if anything was lost."""
    options = parse()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="faults-", dir=options.scratch) as scratch:
        place = Path(scratch)
        list(tiny_clips.write(place / "corpus", NUM_CLIPS, 1))
        scene = Scene(place / "undisturbed", place / "corpus", place / "programs")
        scene.folder.mkdir()
        ended = run(scene)
        if ended.status != 0:
            raise SystemExit(f"the undisturbed run failed: {ended.said}")
        print(f"undisturbed: {time.monotonic() - started:.0f} s", flush=True)
        kills, lost = try_kills(options, scene)
        damages, lost_by_damage = try_damages(options, scene)
    minutes = (time.monotonic() - started) / 60
    page = write_page(options, kills, damages, minutes)
    print(page)
    if options.out:
        options.out.write_text(page, encoding="utf-8")
    lost += lost_by_damage
    if lost:
        raise SystemExit("lost:\n" + "\n".join(lost))


def try_kills(options: argparse.Namespace, undisturbed: Scene) -> tuple[list, list]:
    """Kills runs until there were enough kills.

    Returns:
        (kill, whether its run lost anything) of all; and what was lost.
    """
    rng, kills, lost, number = random.Random(options.seed), [], [], 0

    def one(phases: list[str], number: int) -> fault_kills.Chain:
        folder = undisturbed.folder.with_name(f"kill-{number}")
        scene = undisturbed._replace(folder=folder)
        fault_kills.prepare_scene(scene, undisturbed, phases)
        seed = options.seed + 1000 * number
        found = fault_kills.chain(scene, undisturbed, phases, seed)
        fault_kills.remove(folder)
        return found

    while len(kills) < options.kills:  # A run that ends before its kill has none.
        phases = fault_kills.plan(options.kills - len(kills), rng)
        num_runs = -(-len(phases) // KILLS_PER_RUN)
        groups = [phases[i::num_runs] for i in range(num_runs)]
        with ThreadPoolExecutor(options.at_once) as pool:
            numbers = range(number, number + len(groups))
            for chain in pool.map(one, groups, numbers):
                kills += [(kill, bool(chain.lost)) for kill in chain.kills]
                lost += chain.lost
                print(f"{len(kills)} kills, {len(lost)} lost", flush=True)
                for text in chain.lost:
                    print(f"  {text}", flush=True)
        number += len(groups)
    return kills, lost


def try_damages(options: argparse.Namespace, undisturbed: Scene) -> tuple[list, list]:
    """Lets every fault happen once.

    Returns:
        (fault, how it ended) of all; and what was lost.
    """
    if options.damages == 0:
        return [], []
    cut = undisturbed._replace(folder=undisturbed.folder.with_name("cut"))
    fault_kills.prepare_scene(cut, undisturbed, [])
    process = Process(cut)
    process.wait_for("evaluation", 1)
    process.wait_for("save", 2)
    process.send(signal.SIGTERM)
    ended = process.end()
    if ended.status != 143 or len(checkpoints(cut.workdir)) < 2:
        raise SystemExit(f"the run could not be cut for damages: {ended}")
    starts = {"cut": cut, "complete": undisturbed}

    def one(fault: fault_damages.Fault, number: int) -> tuple[str, str]:
        folder = undisturbed.folder.with_name(f"damage-{number}")
        if fault.start == "empty":
            scene = undisturbed._replace(folder=folder)
            scene.folder.mkdir()
            (scene.folder / "data").mkdir()
        else:
            scene = starts[fault.start].copy(folder.name)
        if "program" in fault.group:
            programs = folder / "programs"
            shutil.copytree(scene.programs, programs)
            scene = scene._replace(programs=programs)
        ended = fault_damages.try_fault(fault, scene, undisturbed)
        fault_damages.remove(folder)
        return ended

    faults = list(fault_damages.faults(cut, options.seed))
    if options.damages > 0:
        faults = random.Random(options.seed).sample(faults, options.damages)
    found, lost = [], []
    with ThreadPoolExecutor(options.at_once) as pool:
        for fault, (ended, text) in zip(
            faults, pool.map(one, faults, range(len(faults))), strict=True
        ):
            found.append((fault, ended))
            print(f"{fault.group}, {fault.name}: {ended or 'LOST'}: {text}", flush=True)
            if not ended:
                lost.append(f"{fault.group}, {fault.name}: {text}")
    return found, lost


def write_page(
    options: argparse.Namespace, kills: list, damages: list, minutes: float
) -> str:
    """The tables as Markdown."""
    by_phase: dict[str, Counter] = {phase: Counter() for phase in fault_kills.PHASES}
    for kill, is_lost in kills:
        by_phase[kill.phase]["lost" if is_lost else "survived"] += 1
    by_group: dict[str, Counter] = {}
    for fault, ended in damages:
        by_group.setdefault(fault.group, Counter())[ended or "lost"] += 1
    signals = Counter(signal.Signals(kill.number).name for kill, _ in kills)
    lost = sum(is_lost for _, is_lost in kills), sum(not end for _, end in damages)
    ways = (fault_damages.RECOVERED, fault_damages.SAID)
    return PAGE.format(
        num_kills=len(kills),
        signals=", ".join(f"{count} {name}" for name, count in signals.most_common()),
        lost_kills=lost[0],
        kills=_table(("killed during", "kills", "survived", "lost"), by_phase),
        num_damages=len(damages),
        lost_damages=lost[1],
        damages=_table(("damage", "tried", *ways, "lost"), by_group),
        minutes=round(minutes),
        cores=len(os.sched_getaffinity(0)),
        seed=options.seed,
        versions=", ".join(f"{n} {metadata.version(n)}" for n in VERSIONS),
    )


def _table(header: tuple[str, ...], rows: dict[str, Counter]) -> str:
    """A table of counts: their sum comes second."""
    kinds = header[2:]
    lines = [header, ("---",) * len(header)]
    total = sum(rows.values(), Counter())
    for name, counts in [*rows.items(), ("all", total)]:
        if sum(counts.values()):
            cells = (sum(counts.values()), *(counts[kind] for kind in kinds))
            lines.append((name, *map(str, cells)))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    main()
