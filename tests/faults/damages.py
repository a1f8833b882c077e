"""Damages files of a run or of its corpus's shards, and makes disks full or read-only.

Each must end in one of two ways: the run recovers and ends as if nothing had been, or
a sentence says which file it is, and the exit status is 2.
"""

import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from tests.faults.runs import (
    TIMEOUT_S,
    Process,
    Scene,
    checkpoints,
    differences,
    run,
)

RECOVERED, SAID = "recovered", "a clear error"
Find = Callable[[Scene, random.Random], list[Path]]


class Fault(NamedTuple):
    """Something that goes wrong.

    Attributes:
        group: Row of the table.
        name: What it is, for the log.
        start: "cut", "complete", "begun" or "empty": the run that it happens to.
        names: The folder that an error must name, or something in it.
        damage: Does it to a scene.
        limits: Of the process.
    """

    group: str
    name: str
    start: str
    names: Callable[[Scene], Path]
    damage: Callable[[Scene], None] = lambda scene: None
    limits: Mapping[str, Any] = {}


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
RECORD_OF_COMPLETE = (*RECORD_OF_CUT, "summary.json", "predictions_test.npz")
RECORD_OF_COMPLETE += ("label_stats.npz", "report.html")
SHARDS = tuple(f"clips-{split}.tfrecord-*" for split in ("train", "valid", "test"))
SHARDS += ("index.npz", "corpus.json", "recipe.json", "tags.txt", "originals.npz")
PARTS = ("parts/clips-*.json", "parts/plan.json", "clips-*.tfrecord-*")


def faults(cut: Scene, seed: int) -> Iterator[Fault]:
    """Lists all of them; which bits, and which files of many, is random.

    Args:
        cut: A run that was killed, with two checkpoints.
        seed: Of the choice.
    """
    rng = random.Random(seed)

    def of_files(
        group: str,
        name: str,
        way: str,
        find: Find,
        names: Callable[[Scene], Path] = lambda scene: scene.workdir,
        start: str = "cut",
    ) -> Fault:
        own = rng.randrange(10**6)

        def damage(scene: Scene) -> None:
            drawn = random.Random(own)
            for path in find(scene, drawn):
                WAYS[way](path, drawn)

        return Fault(f"{group} {way}", name, start, names, damage)

    def in_newest(part: Path) -> Find:
        return lambda scene, _: [checkpoints(scene.workdir)[-1] / part]

    def in_record(name: str) -> Find:
        return lambda scene, _: [scene.workdir / name]

    def one_of(pattern: str) -> Find:
        return lambda scene, drawn: [
            drawn.choice(sorted(scene.data_dir.glob(f"shards/*/*/{pattern}")))
        ]

    newest, ways = checkpoints(cut.workdir)[-1], list(WAYS)
    inside = [path.relative_to(newest) for path in _files(newest)]
    for number, part in enumerate(inside):
        way, group = ways[number % len(ways)], "file of the newest checkpoint"
        yield of_files(group, str(part), way, in_newest(part))
    for way in WAYS:
        yield of_files(
            "every file of every checkpoint",
            "all",
            way,
            lambda scene, _: [p for c in checkpoints(scene.workdir) for p in _files(c)],
            lambda scene: scene.workdir / "checkpoints",
        )
        for start, names in (("cut", RECORD_OF_CUT), ("complete", RECORD_OF_COMPLETE)):
            group = f"file of a {start} run's record"
            for name in names:
                yield of_files(group, name, way, in_record(name), start=start)
        for start, patterns in (("cut", SHARDS), ("begun", PARTS)):
            half = " half way" if start == "begun" else ""
            for pattern in patterns:
                yield of_files(
                    f"file of the shards{half}",
                    pattern,
                    way,
                    one_of(pattern),
                    lambda scene: next(scene.data_dir.glob("shards/*/*")),
                    start=start,
                )
        yield of_files(
            "every compiled program",
            "all",
            way,
            lambda scene, _: [p for p in _files(scene.programs) if "-cache" in p.name],
            lambda scene: scene.programs,
        )
    for start in ("empty", "cut"):
        for size in (1, 300, 3_000, 6_000, 20_000, 40_000):
            name, limits = (
                f"{start}, no file above {size:,} bytes",
                {"limit_bytes": size},
            )
            yield Fault("full disk", name, start, _folder, limits=limits)
    for name in ("run", "run/checkpoints", "data", "."):
        yield _read_only(name)


def _files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file()]


def _folder(scene: Scene) -> Path:
    return scene.folder


def _read_only(name: str) -> Fault:
    of_run = name.startswith("run")

    def damage(scene: Scene) -> None:
        folder = scene.folder / name
        for path in [folder, *(folder.rglob("*") if of_run else ())]:
            path.chmod(0o555 if path.is_dir() else 0o444)

    start, limits = "cut" if of_run else "empty", {"obeys": True}
    return Fault("read-only folder", name, start, _folder, damage, limits)


def try_fault(fault: Fault, scene: Scene, undisturbed: Scene) -> tuple[str, str]:
    """Lets it happen and gives the command.

    Args:
        fault: To happen.
        scene: A copy of the run that it happens to.
        undisturbed: What a recovered run is compared with.

    Returns:
        `RECOVERED`, `SAID` or "" for lost; and what was said or what differs.
    """
    must_name = str(fault.names(scene))
    fault.damage(scene)
    ended = run(scene, **fault.limits)
    if ended.status == 0:
        lost = differences(scene.workdir, undisturbed.workdir)
        lost = [one for one in lost if "damaged-" not in one]
        return ("" if lost else RECOVERED), "; ".join(lost)
    said = ended.said.strip().splitlines() or [""]
    is_clear = must_name in said[-1] and "Traceback" not in ended.said
    if ended.status == 2 and is_clear:
        return SAID, said[-1]
    return "", "\n".join([f"status {ended.status}", *said[-15:]])


def cut_run(undisturbed: Scene) -> Scene:
    """Stops a run after two checkpoints.

    Raises:
        SystemExit: It would not stop.
    """
    cut = undisturbed.beside("cut")
    shutil.copytree(undisturbed.data_dir, cut.data_dir)
    process = Process(cut)
    process.wait_for("evaluation", 1)
    process.wait_for("save", 2)
    process.send(signal.SIGTERM)
    ended = process.end()
    if ended.status != 143 or len(checkpoints(cut.workdir)) < 2:
        raise SystemExit(f"the run could not be cut for damages: {ended}")
    return cut


def begun_run(undisturbed: Scene) -> Scene:
    """Kills a run when some of its shards are finished."""
    begun = undisturbed.beside("begun")
    process = Process(begun)
    process.wait_for("preparation", 1)
    deadline = time.monotonic() + TIMEOUT_S
    while len(list(begun.data_dir.glob("shards/*/*/parts/clips-*"))) < 3:
        if time.monotonic() > deadline:
            raise SystemExit(f"no shard was finished: {process.end()}")
        time.sleep(0.01)
    process.send(signal.SIGKILL)
    process.end()
    return begun


def try_all(
    undisturbed: Scene, num_faults: int, seed: int, at_once: int
) -> tuple[list[tuple[Fault, str]], list[str]]:
    """Lets every fault happen once.

    Args:
        undisturbed: Run that all are compared with.
        num_faults: How many of all, drawn by chance; -1 for all.
        seed: Of the choice and of what is damaged.
        at_once: Runs.

    Returns:
        (fault, how it ended) of all; and what was lost.
    """
    if num_faults == 0:
        return [], []
    cut = cut_run(undisturbed)
    chosen = list(faults(cut, seed))
    if num_faults > 0:
        chosen = random.Random(seed).sample(chosen, num_faults)
    starts = {"cut": cut, "complete": undisturbed}
    if any(fault.start == "begun" for fault in chosen):
        starts["begun"] = begun_run(undisturbed)

    def one(fault: Fault, number: int) -> tuple[str, str]:
        if fault.start == "empty":
            scene = undisturbed.beside(f"damage-{number}")
            scene.data_dir.mkdir()
        else:
            scene = starts[fault.start].copy(f"damage-{number}")
        if "program" in fault.group:
            programs = scene.folder / "programs"
            shutil.copytree(scene.programs, programs)
            scene = scene._replace(programs=programs)
        ended = try_fault(fault, scene, undisturbed)
        scene.remove()
        return ended

    found, lost = [], []
    with ThreadPoolExecutor(at_once) as pool:
        endings = pool.map(one, chosen, range(len(chosen)))
        for fault, (ended, text) in zip(chosen, endings, strict=True):
            found.append((fault, ended))
            print(f"{fault.group}, {fault.name}: {ended or 'LOST'}: {text}", flush=True)
            if not ended:
                lost.append(f"{fault.group}, {fault.name}: {text}")
    return found, lost
