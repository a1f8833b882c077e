"""Measures this project beside what a user would pick instead.

    python -m benchmarks

prints one table and writes benchmarks/RESULTS.md, and the numbers of every round to
benchmarks/results.json, which is not under version control. PyTorch is a contestant
where it is installed (`pip install -e ".[train,bench]"`), and is left out where it is
not. Run it on a machine that does nothing else.
"""

import argparse
import contextlib
import importlib
import logging
import os
import shlex
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import results
from benchmarks.race import Entrant, Options, Worker, WorkerError

# Name of a part: what it measures. The module of that name does so, or `networks`.
PARTS = {
    "training": "clips/s of training steps, one seed and 15, against PyTorch and Flax",
    "inference": "clips/s of evaluation, against PyTorch and Flax",
    "input": "clips/s and MB/s from shards to batches, against a torch DataLoader",
    "preparation": "clips/s from MP3 to shards, against librosa and decoding alone",
    "tagging": "songs/s from MP3 to tags, against librosa with PyTorch",
}
NETWORKS = ("training", "inference")
HERE = Path(__file__).parent
TRAINED_STEPS = 20  # Before the weights that inference uses.

logger = logging.getLogger("benchmarks")


def main(argv: list[str]) -> int:
    """Runs the parts that were asked for."""
    arguments = parse(argv)
    level = logging.DEBUG if arguments.verbose else logging.INFO
    logging.basicConfig(level=level, format="%(message)s", stream=sys.stderr)
    command = shlex.join(["python", "-m", "benchmarks", *argv])
    # All contestants have the GPU at once: none may take most of it at its start.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as scratch:
        if arguments.quick:
            # Several workers compile the same; what that takes is not of interest.
            os.environ["JAX_COMPILATION_CACHE_DIR"] = f"{scratch}/jax"
            os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
        try:
            options, device = set_up(arguments, Path(scratch))
            parts = [measure(name, options) for name in arguments.parts]
        except WorkerError as error:
            print(f"benchmarks: {error}", file=sys.stderr)
            return 1
    for part in parts:
        print("\n".join(part.tables))
    if any(part.summary for part in parts):
        print(results.summary(parts))
    print(f"Load by other processes: {results.other_load(parts)}.")
    if arguments.out:
        results.write(arguments.out, parts, results.describe_machine(device), command)
        print(f"written: {arguments.out / 'RESULTS.md'}")
    return 0


def measure(name: str, options: Options) -> results.Part:
    """Runs one part, or says which package it lacks."""
    logger.info("%s: %s", name, PARTS[name])
    module, function = ("networks", name) if name in NETWORKS else (name, "run")
    try:
        run = getattr(importlib.import_module(f"benchmarks.{module}"), function)
        return run(options)
    except ModuleNotFoundError as error:
        reason = f"{error.name} is not installed"
        logger.info("  %s", reason)
        table = results.markdown("", ("part", "not measured"), [[name, reason]])
        return results.Part(name, [], [table], {})


def set_up(
    arguments: argparse.Namespace, scratch: Path
) -> tuple[Options, dict[str, Any]]:
    """Runs the canary, and writes the weights that all contestants start from.

    Raises:
        WorkerError: JAX computes wrongly here, or has no such platform.
    """
    files = {
        "weights": str(scratch / "weights.npz"),
        "trained_weights": str(scratch / "trained.npz"),
        "bundle": str(scratch / "bundle"),
    }
    steps = 2 if arguments.quick else TRAINED_STEPS
    choices = {"platform": arguments.platform, "steps": steps, **files}
    with contextlib.closing(
        Worker(Entrant("ours", "benchmarks.ours:start", choices, ()))
    ) as worker:
        device = worker.ask("prepare", {})
    options = Options(
        scratch=scratch,
        **files,
        platform=arguments.platform,
        batch_sizes=arguments.batch_sizes,
        rounds=arguments.rounds or (1 if arguments.quick else 5),
        seconds=0.05 if arguments.quick else 1.0,
        quick=arguments.quick,
        backend=device["backend"],
    )
    return options, device


def parse(argv: list[str]) -> argparse.Namespace:
    """Parses the command line; a mistake ends the process with a sentence."""
    described = "\n".join(f"  {name:12} {what}" for name, what in PARTS.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        epilog=f"parts:\n{described}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    said = "names separated by commas; all by default"
    add("--parts", type=_parts, default=tuple(PARTS), help=said)
    said = "a smoke run of about two minutes: fewer contestants, tiny sizes, and "
    said += "numbers that mean nothing"
    add("--quick", action="store_true", help=said)
    said = "folder for RESULTS.md and results.json. By default benchmarks/ for a "
    said += "whole run; a run of some parts, or a quick one, is only printed"
    add("--out", type=Path, help=said)
    said = "clips in a batch, separated by commas, instead of each part's own"
    add("--batch_sizes", type=_numbers, default=(), help=said)
    add("--rounds", type=int, default=0, help="visits to each contestant; 5 by default")
    devices = ("", "cpu", "gpu", "tpu")
    add("--platform", choices=devices, default="", help="insist on a kind of device")
    add("--verbose", action="store_true", help="print what failed contestants said")
    arguments = parser.parse_args(argv)
    if arguments.rounds < 0:
        parser.error(f"--rounds={arguments.rounds}: it must be at least 1")
    whole = set(arguments.parts) == set(PARTS) and not arguments.quick
    if arguments.out is None and whole:
        arguments.out = HERE
    return arguments


def _parts(text: str) -> tuple[str, ...]:
    names = tuple(filter(None, text.split(",")))
    unknown = [name for name in names if name not in PARTS]
    if unknown or not names:
        raise argparse.ArgumentTypeError(
            f"no part is called {', '.join(unknown) or repr(text)}; the parts are "
            f"{', '.join(PARTS)}"
        )
    return names


def _numbers(text: str) -> tuple[int, ...]:
    words = text.split(",")
    if not all(word.isdecimal() and int(word) for word in words):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a list of positive numbers such as 8,16"
        )
    return tuple(map(int, words))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
