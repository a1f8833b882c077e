"""Damages files of a run or of its corpus's shards, and makes disks full or read-only.

Each must end in one of two ways: the run recovers and ends as if nothing had been, or
a sentence says which file it is, and the exit status is 2.
"""

import random
import shutil
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from scripts.faults.runs import Ended, Process, Scene, checkpoints, differences, run

RECOVERED, SAID = "recovered", "a clear error"


class Fault(NamedTuple):
    """Something that goes wrong.

    Attributes:
        group: row of the table.
        name: what it is, for the log.
        start: "cut", "complete" or "empty": the run that it happens to.
        damage: does it to a scene; gives what the error may name.
        limits: of the process.
    """

    group: str
    name: str
    start: str
    damage: Callable[[Scene], list[Path]]
    limits: dict = {}  # noqa: RUF012 (never changed)


def truncate(path: Path, rng: random.Random) -> None:
    """Cuts a file short."""
    path.write_bytes(path.read_bytes()[: rng.randrange(max(1, path.stat().st_size))])


def flip(path: Path, rng: random.Random) -> None:
    """Flips one bit."""
    content = bytearray(path.read_bytes())
    if content:
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def delete(path: Path, _: random.Random) -> None:
    """Removes a file."""
    path.unlink()


WAYS = {"truncated": truncate, "with a flipped bit": flip, "missing": delete}
RECORD_OF_CUT = ("metrics.jsonl", "matter.json", "config.json", "environment.json")
RECORD_OF_COMPLETE = (
    "summary.json",
    "metrics.jsonl",
    "matter.json",
    "config.json",
    "environment.json",
    "predictions_test.npz",
    "label_stats.npz",
    "report.html",
)


def faults(cut: Scene, seed: int) -> Iterator[Fault]:
    """All of them; which bits and bytes, and which files of many, is random.

    Args:
        cut: a run that was killed, with two checkpoints.
        seed: of the choice.
    """
    rng = random.Random(seed)
    newest = checkpoints(cut.workdir)[-1]
    inside = [p.relative_to(newest) for p in sorted(newest.rglob("*")) if p.is_file()]
    for number, part in enumerate(inside):
        way = list(WAYS)[number % len(WAYS)]
        yield _of_checkpoint(part, way, rng.randrange(10**6))
    for way in WAYS:
        yield _of_checkpoints(way, rng.randrange(10**6))
        for name in RECORD_OF_CUT:
            yield _of_record(name, "cut", way, rng.randrange(10**6))
        for name in RECORD_OF_COMPLETE:
            yield _of_record(name, "complete", way, rng.randrange(10**6))
        for pattern in SHARDS:
            yield _of_shards(pattern, way, rng.randrange(10**6))
        yield _of_programs(way, rng.randrange(10**6))
    for start in ("empty", "cut"):
        for limit_bytes in (1, 300, 3_000, 6_000, 20_000, 40_000):
            yield _full_disk(start, limit_bytes)
    for name in ("run", "run/checkpoints", "data", "."):
        yield _read_only(name)


SHARDS = (
    "clips-train.tfrecord-*",
    "clips-valid.tfrecord-*",
    "clips-test.tfrecord-*",
    "index.npz",
    "corpus.json",
    "recipe.json",
    "tags.txt",
)


def _of_checkpoint(part: Path, way: str, seed: int) -> Fault:
    def damage(scene: Scene) -> list[Path]:
        WAYS[way](checkpoints(scene.workdir)[-1] / part, random.Random(seed))
        return [scene.workdir]

    return Fault(f"file of the newest checkpoint {way}", str(part), "cut", damage)


def _of_checkpoints(way: str, seed: int) -> Fault:
    def damage(scene: Scene) -> list[Path]:
        for folder in checkpoints(scene.workdir):
            for path in filter(Path.is_file, sorted(folder.rglob("*"))):
                WAYS[way](path, random.Random(seed))
        return [scene.workdir / "checkpoints"]

    return Fault(f"every file of every checkpoint {way}", "all", "cut", damage)


def _of_record(name: str, start: str, way: str, seed: int) -> Fault:
    def damage(scene: Scene) -> list[Path]:
        WAYS[way](scene.workdir / name, random.Random(seed))
        return [scene.workdir / name, scene.workdir]

    return Fault(f"file of a {start} run's record {way}", name, start, damage)


def _of_shards(pattern: str, way: str, seed: int) -> Fault:
    def damage(scene: Scene) -> list[Path]:
        rng = random.Random(seed)
        (folder,) = scene.data_dir.glob("shards/*/*")
        WAYS[way](rng.choice(sorted(folder.glob(pattern))), rng)
        return [folder]

    return Fault(f"file of the shards {way}", pattern, "cut", damage)


def _of_programs(way: str, seed: int) -> Fault:
    def damage(scene: Scene) -> list[Path]:
        for path in filter(Path.is_file, sorted(scene.programs.rglob("*-cache"))):
            WAYS[way](path, random.Random(seed))
        return [scene.programs]

    return Fault(f"every compiled program {way}", "all", "cut", damage)


def _full_disk(start: str, limit_bytes: int) -> Fault:
    name = f"{start}, no file can grow beyond {limit_bytes:,} bytes"
    return Fault(
        "full disk", name, start, lambda s: [s.folder], {"limit_bytes": limit_bytes}
    )


def _read_only(name: str) -> Fault:
    def damage(scene: Scene) -> list[Path]:
        place = scene.folder / name
        start = "the run's folder" if name.startswith("run") else "elsewhere"
        for path in [place, *place.rglob("*")] if start != "elsewhere" else [place]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        return [scene.folder]

    start = "cut" if name.startswith("run") else "empty"
    return Fault("read-only folder", name, start, damage, {"obeys": True})


def try_fault(fault: Fault, scene: Scene, undisturbed: Scene) -> tuple[str, str]:
    """Lets it happen and gives the command.

    Args:
        fault: to happen.
        scene: a copy of the run that it happens to.
        undisturbed: what a recovered run is compared with.

    Returns:
        `RECOVERED`, `SAID` or "" for lost; and what was said or what differs.
    """
    may_name = fault.damage(scene)
    ended = run(scene, **fault.limits)
    if ended.status == 0:
        lost = differences(scene.workdir, undisturbed.workdir)
        lost = [one for one in lost if "damaged-" not in one]
        return ("" if lost else RECOVERED), "; ".join(lost)
    said = ended.said.strip().splitlines()
    if _is_clear(ended, may_name):
        return SAID, said[-1]
    return "", "\n".join([f"status {ended.status}", *said[-15:]])


def _is_clear(ended: Ended, may_name: list[Path]) -> bool:
    last = (ended.said.strip().splitlines() or [""])[-1]
    names = any(str(path) in last for path in may_name)
    return ended.status == 2 and names and "Traceback" not in ended.said


def try_all(
    undisturbed: Scene, num_faults: int, seed: int, at_once: int
) -> tuple[list[tuple[Fault, str]], list[str]]:
    """Lets every fault happen once.

    Args:
        undisturbed: run that all are compared with.
        num_faults: how many of all, drawn by chance; -1 for all.
        seed: of the choice and of what is damaged.
        at_once: runs.

    Returns:
        (fault, how it ended) of all; and what was lost.
    """
    if num_faults == 0:
        return [], []
    cut = undisturbed._replace(folder=undisturbed.folder.with_name("cut"))
    cut.folder.mkdir()
    shutil.copytree(undisturbed.data_dir, cut.data_dir)
    process = Process(cut)
    process.wait_for("evaluation", 1)
    process.wait_for("save", 2)
    process.send(signal.SIGTERM)
    ended = process.end()
    if ended.status != 143 or len(checkpoints(cut.workdir)) < 2:
        raise SystemExit(f"the run could not be cut for damages: {ended}")
    starts = {"cut": cut, "complete": undisturbed}

    def one(fault: Fault, number: int) -> tuple[str, str]:
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
        ended = try_fault(fault, scene, undisturbed)
        scene.remove()
        return ended

    chosen = list(faults(cut, seed))
    if num_faults > 0:
        chosen = random.Random(seed).sample(chosen, num_faults)
    found, lost = [], []
    with ThreadPoolExecutor(at_once) as pool:
        for fault, (ended, text) in zip(
            chosen, pool.map(one, chosen, range(len(chosen))), strict=True
        ):
            found.append((fault, ended))
            print(f"{fault.group}, {fault.name}: {ended or 'LOST'}: {text}", flush=True)
            if not ended:
                lost.append(f"{fault.group}, {fault.name}: {text}")
    return found, lost
