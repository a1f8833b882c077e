"""Kills and damages small runs in every way we could think of, and counts what is lost.

    python -m tests.faults --out=docs/faults.md

A run of two small networks is killed at random moments, some kills in every phase, and
started again with the same command. At the end every bit of its record but times must
be that of a run that nobody disturbed: parameters, statistics, optimiser, best
so far, predictions, scores, and every line of metrics.jsonl. Then files of checkpoints,
shards and records are damaged, disks are full or read-only: each must end in a
recovery, to the bit again, or in a sentence that names the place.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from msd_tagger.common.processes import available_cores
from tests.faults import damages, kills, program
from tests.faults.pages import write_section
from tests.faults.runs import Scene, run
from tests.scale import clips

NUM_CLIPS = 180
VERSIONS = ("jax", "jaxlib", "orbax-checkpoint", "numpy")
PAGE = """# Faults tried

`python -m tests.faults --out=docs/faults.md` wrote this part; [resume.md](resume.md)
explains how it works.

Runs of two small networks, 36 steps with three evaluations, were killed {num_kills}
times at random moments ({signals}), up to four times each, and every time the same
command was given again. "Survived" means that the run ended with the bits of one that
nobody disturbed: parameters, batch statistics, optimiser, best weights and scores of
each seed, predictions, summary, and `metrics.jsonl` line by line, without times and
speeds; and that its shards were the same to the byte. SIGKILL ends all processes at
once; the others had to be answered with a saved checkpoint and status 128 + n. The
kills were aimed at every phase, in fixed shares.

Lost: **{lost_kills}**.

{kills}

{num_signals} signals ({signals_sent}) were aimed at tracing and compilation, in
processes without compiled programs that collect garbage ten times as often as usual:
a signal that arrives in a callback of the collector is the easiest to lose. Each had
to be answered as above, and the run to end with the same bits.

Lost: **{lost_signals}**.

{traced}

Then {num_damages} faults were tried. "Recovered" means that the same command still
ended with the same bits; "a clear error", that it ended with status 2 and a sentence
that names the place. A limit on the size of files simulates a full disk. For read-only
folders, the process gives up root's privilege to write anywhere.

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
    add("--signals", type=int, default=100, help="while compiling (%(default)s)")
    add("--damages", type=int, default=-1, help="of all; -1 for all (%(default)s)")
    add("--seed", type=int, default=0, help="of moments and choices (%(default)s)")
    add("--at_once", type=int, default=2, help="processes (%(default)s)")
    add("--out", type=Path, help="a page for the tables")
    add("--scratch", type=Path, help="a folder is made, and removed, here")
    return parser.parse_args(arguments)


def main() -> None:
    """Tries everything, prints the tables, and fails if anything was lost."""
    options = parse()
    # Shells let their background jobs ignore it, and so would all that is started here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Compiles in a fifth of the time; all runs are compared with one of their kind.
    flags = "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"
    os.environ["XLA_FLAGS"] = f"{flags} --xla_cpu_parallel_codegen_split_count=1"
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="faults-", dir=options.scratch) as scratch:
        folder = Path(scratch)
        list(clips.write(folder / "corpus", NUM_CLIPS, 1))
        scene = Scene(folder / "undisturbed", folder / "corpus", folder / "programs")
        scene.folder.mkdir()
        ended = run(scene)
        if ended.status != 0:
            raise SystemExit(f"the undisturbed run failed: {ended.said}")
        print(f"undisturbed: {time.monotonic() - started:.0f} s", flush=True)
        choices = (options.seed, options.at_once)
        killed, lost = kills.try_all(scene, options.kills, *choices)
        traced, lost_by_signal = kills.try_all(scene, options.signals, *choices, True)
        damaged, lost_by_damage = damages.try_all(scene, options.damages, *choices)
    page = write_page(options.seed, killed, traced, damaged, time.monotonic() - started)
    print(page)
    if options.out:
        write_section(options.out, "# Faults tried", page)
    if lost := lost + lost_by_signal + lost_by_damage:
        sys.exit("\n".join(["lost:", *lost]))


def write_page(
    seed: int,
    killed: list[tuple[kills.Kill, bool]],
    traced: list[tuple[kills.Kill, bool]],
    damaged: list[tuple[damages.Fault, str]],
    seconds: float,
) -> str:
    """Prints the tables as Markdown."""
    by_group: dict[str, Counter] = {}
    for fault, ended in damaged:
        by_group.setdefault(fault.group, Counter())[ended or "lost"] += 1
    ways = (damages.RECOVERED, damages.SAID)
    return PAGE.format(
        num_kills=len(killed),
        signals=_signals(killed),
        lost_kills=sum(is_lost for _, is_lost in killed),
        kills=_table(("killed during", "kills", "survived", "lost"), _by_phase(killed)),
        num_signals=len(traced),
        signals_sent=_signals(traced),
        lost_signals=sum(is_lost for _, is_lost in traced),
        traced=_table(
            ("signals during", "signals", "survived", "lost"), _by_phase(traced)
        ),
        num_damages=len(damaged),
        lost_damages=sum(not ended for _, ended in damaged),
        damages=_table(("damage", "tried", *ways, "lost"), by_group),
        minutes=round(seconds / 60),
        cores=available_cores(),
        seed=seed,
        versions=", ".join(f"{n} {metadata.version(n)}" for n in VERSIONS),
    )


def _signals(killed: list[tuple[kills.Kill, bool]]) -> str:
    counts = Counter(kill.signal for kill, _ in killed)
    return ", ".join(f"{count} {name}" for name, count in counts.most_common())


def _by_phase(killed: list[tuple[kills.Kill, bool]]) -> dict[str, Counter]:
    phases = ("start", *program.FUNCTIONS)
    found: dict[str, Counter] = {phase: Counter() for phase in phases}
    for kill, is_lost in killed:
        counts = found[kill.phase]
        counts["lost" if is_lost else "survived"] += 1
    return found


def _table(header: tuple[str, ...], rows: dict[str, Counter]) -> str:
    """Prints counts; their sum comes second."""
    lines = [header, ("---",) * len(header)]
    for name, counts in [*rows.items(), ("all", sum(rows.values(), Counter()))]:
        if counts.total():
            cells = (counts.total(), *(counts[column] for column in header[2:]))
            lines.append((name, *map(str, cells)))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    main()
