"""The first ten minutes on a GPU: what is fast, what fits, and what is twice the same.

    python -m scripts.first_contact --platform=gpu --out=contact

Every case runs in a process of its own with a limit, the most valuable first. One that
fails or takes too long is a line of the table; the others go on. Only where there is
no such device does all end at once. Beside the table, OUT, a new or empty folder, gets
results.jsonl, with what failed cases said, and a trace of JAX's profiler.
`--platform=cpu --quick` rehearses it on any machine; its numbers mean nothing.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import ours, results
from benchmarks.race import Entrant, Worker, WorkerError
from benchmarks.worker import NOT_INSTALLED, Work
from msd_tagger.common import files
from msd_tagger.platform import NoDeviceError

SLOWER = 10  # So many times the time is given to a rehearsal.
DETERMINISTIC = "--xla_gpu_exclude_nondeterministic_ops=true"
NO_DEVICE = "no device"  # The finding that there is none of the platform.


class Case(NamedTuple):
    """What one process does."""

    name: str
    limit_s: float
    function: str  # "module:name" of what gives a `Work`, or findings by name.
    options: dict[str, Any]  # Its arguments.
    flags: str = ""  # For XLA.


def cases(out: Path, platform: str, quick: bool) -> list[Case]:
    """Lists all cases; a rehearsal has the same ones, of tiny sizes."""
    size, many, at_once, clips = (2, 2, 2, 32) if quick else (32, 15, 5, 8192)
    bf16 = {"dtype": "bfloat16"}

    def case(name: str, limit_s: float, function: str, **options: Any) -> Case:
        return Case(name, limit_s, function, {"platform": platform, **options})

    def training(name: str, **options: Any) -> Case:
        return case(
            name, 90, "benchmarks.ours:training", **{"batch_size": size, **options}
        )

    def pytorch(name: str, **options: Any) -> Case:
        options |= {"weights": str(out / "weights.npz"), "channels_last": True}
        return case(name, 90, "benchmarks.pytorch:training", batch_size=size, **options)

    def same(name: str, programs: str, flags: str = "") -> Case:
        steps, kept = (2 if quick else 30), str(out / programs)
        found = case(name, 60, "benchmarks.ours:digest", batch_size=size, steps=steps)
        return found._replace(flags=flags, options={**found.options, "programs": kept})

    names = {"weights": "weights.npz", "trained_weights": "t.npz", "bundle": "bundle"}
    written = {name: str(out / file) for name, file in names.items()}
    every = {"num_seeds": many}
    held = case("1 seed, clips held", 90, "benchmarks.ours:held", num_clips=clips)
    held.options["batch_size"] = size
    large = training(f"1 seed bf16, {8 * size} clips", batch_size=8 * size, **bf16)
    large.options["folder"] = str(out / "trace")
    return [
        case("machine", 90, "scripts.first_contact:machine", **written),
        training("1 seed"),
        training("1 seed bf16", **bf16),
        training(f"{many} seeds in turn", **every),
        training(f"{many} seeds at once", **every, seeds_per_chunk=many),
        pytorch("PyTorch compiled bf16", compiled=True, bfloat16=True),
        training(f"{many} seeds in turn bf16", **every, **bf16),
        training(f"{many} seeds at once bf16", **every, **bf16, seeds_per_chunk=many),
        training(f"{many} seeds, {at_once} at once", **every, seeds_per_chunk=at_once),
        held,
        same("same bits?", "programs-a"),
        same("same bits, compiled again?", "programs-b"),
        same("same bits, programs kept?", "programs-a"),
        same("same bits, no nondeterministic ones?", "programs-c", DETERMINISTIC),
        same("the same, compiled again?", "programs-d", DETERMINISTIC),
        pytorch("PyTorch compiled", compiled=True),
        pytorch("PyTorch bf16", bfloat16=True),
        large._replace(function="scripts.first_contact:traced"),
    ]


def main(argv: Sequence[str]) -> int:
    """Runs all cases, or the one that is named."""
    arguments = parse(argv)
    arguments.out.mkdir(parents=True, exist_ok=True)
    patience = SLOWER if arguments.quick else 1
    ends, rows = time.monotonic() + patience * arguments.minutes * 60, []
    for case in cases(arguments.out.absolute(), arguments.platform, arguments.quick):
        if arguments.case not in ("", case.name):
            continue
        limit_s = min(patience * case.limit_s, ends - time.monotonic())
        row = {"case": case.name, **perform(case, arguments.seconds, limit_s)}
        if NO_DEVICE in row:  # All cases would say so; the folder is still empty.
            sys.exit(row[NO_DEVICE])
        rows.append(row)
        with (arguments.out / "results.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        print(f"{case.name}: {' '.join(filter(None, cells(row)[1:]))}", flush=True)
    print(table(rows))
    return int(any("failed" in row for row in rows))


def perform(case: Case, seconds: float, limit_s: float) -> dict[str, Any]:
    """Does a case in a process of its own; "failed" says why there are no findings."""
    if limit_s < min(10, case.limit_s):
        return {"failed": "no time was left"}
    ends = time.monotonic() + limit_s
    flags = " ".join(filter(None, [os.environ.get("XLA_FLAGS", ""), case.flags]))
    added = {"XLA_FLAGS": flags}
    entrant = Entrant(case.name, case.function, case.options, (), environment=added)
    with contextlib.closing(Worker(entrant)) as worker:

        def ask(method: str) -> Any:
            return worker.ask(method, {}, seconds, max(0, ends - time.monotonic()))

        try:
            found = ask("prepare")
            if "first_step_s" not in found:
                return found
            measured = [ask("run") for _ in range(3)]
        except WorkerError as error:
            if str(error).endswith(NOT_INSTALLED):
                return {"left out": str(error)}
            is_late = time.monotonic() >= ends
            failed = f"it took more than {limit_s:.0f} s" if is_late else str(error)
            return {"failed": failed, "said": worker.last_words(3000)}
    rates = [one["units"] / one["seconds"] for one in measured]
    return {"rates": rates, "losses": found.pop("values"), **found}


def traced(folder: str, **options: Any) -> Work:
    """Trains as `ours.training` does, while JAX's profiler looks on."""
    work = ours.training(**options)

    def measure(seconds: float) -> dict[str, float]:
        import jax

        with jax.profiler.trace(folder):
            return work.measure(seconds)

    return work._replace(measure=measure)


def machine(platform: str, **written: str) -> dict[str, Any]:
    """Checks that JAX computes rightly here, and says what there is.

    It writes the weights that PyTorch starts from, into `written`.
    """
    try:
        found = ours.start(platform, steps=1, **written)
    except NoDeviceError as error:
        return {NO_DEVICE: str(error)}
    versions = results.describe_machine(found)["versions"]
    found |= {name: versions[name] for name in ("jax", "jaxlib", "torch")}
    asked = "name,driver_version,memory.total,clocks.max.sm,pcie.link.gen.max"
    with contextlib.suppress(OSError):  # There is no such program.
        command = ["nvidia-smi", f"--query-gpu={asked}", "--format=csv,noheader"]
        done = subprocess.run(command, capture_output=True, text=True)
        found["nvidia-smi"] = done.stdout.strip()
    return found


def cells(row: Mapping[str, Any]) -> list[str]:
    """Makes a row of the table: rate, first step, memory, and the rest."""
    if "failed" in row:
        return [row["case"], "", "", "", row["failed"]]
    if "rates" not in row:
        known = {k: v for k, v in row.items() if k != "case"}
        return [row["case"], "", "", "", ", ".join(f"{k} {known[k]}" for k in known)]
    memory = row["device_memory_bytes"]
    return [
        row["case"],
        results.spread(row["rates"]),
        results.seconds(row["first_step_s"]),
        "" if memory is None else f"{memory / 1e9:.2f} GB",
        f"losses {', '.join(f'{loss:.4f}' for loss in row['losses'])}",
    ]


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Makes the table of all cases, in Markdown."""
    names = ("case", "clip-seeds/s", "first step", "device memory", "found")
    return results.markdown("", names, [cells(row) for row in rows])


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Parses the command line; a mistake ends the process with a sentence."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.first_contact",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    kinds = ("gpu", "tpu", "cpu")
    add("--platform", choices=kinds, required=True, help="what to compute on")
    add(
        "--out",
        type=Path,
        required=True,
        help="a new or empty folder for what is found",
    )
    add(
        "--minutes", type=float, default=10.0, help="limit for all cases; 10 by default"
    )
    add("--seconds", type=float, default=1.0, help="of each of three timings")
    add("--quick", action="store_true", help="a rehearsal, of tiny sizes")
    add("--case", default="", help="do only this case; --out may be in use")
    arguments = parser.parse_args(argv)
    if arguments.minutes <= 0 or arguments.seconds <= 0:
        parser.error("--minutes and --seconds must be more than 0")
    known = [case.name for case in cases(arguments.out, "", arguments.quick)]
    if arguments.case and arguments.case not in known:
        parser.error(f"--case={arguments.case}: choose from {', '.join(known)}")
    if not arguments.case:  # It may need what others wrote, such as weights.
        try:
            files.check_unused(arguments.out)
        except ValueError as error:
            parser.error(f"--out={error}")
    return arguments


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
