"""Sends signals to processes that trace and compile, and counts those not answered.

    python -m tests.faults.signals --signals=100

Each process trains a small network for two steps, evaluates it and predicts, without
programs that were compiled before, and collects garbage ten times as often as usual:
a signal that arrives in a callback of the collector is the easiest to lose. The signal
comes at a random moment. The process has to end with its status, 128 + n, and a
sentence. `python -m tests.faults` does the same to whole runs, and lets them go on; this
takes minutes, because the processes are copies of one that has imported everything.
"""

import argparse
import gc
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from msd_tagger import platform

SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT, signal.SIGHUP)
LIMIT_S = 300.0


def main() -> None:
    """Sends the signals, prints how they were answered, and fails if one was not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--signals", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    os.environ["XLA_FLAGS"] = "--xla_backend_optimization_level=0"
    platform.set_up("cpu")
    from tests.faults import training  # noqa: F401 (every process has it)

    rng, counts = random.Random(options.seed), Counter[str]()
    longest_s = 0.0
    for number in range(options.signals + 1):
        # The first is let alone: it says how long all of it takes.
        moment_s = rng.uniform(0, longest_s) if number else None
        sent = rng.choice(SIGNALS)
        seconds, status, said = one(moment_s, sent)
        longest_s = longest_s or seconds
        wanted = 128 + sent if number else 0
        counts[judge(status, wanted, sent, said)] += number > 0
        print(f"{number} {sent.name} after {moment_s}: {status} {said}", flush=True)
    print(dict(counts))
    sys.exit(sum(counts.values()) != counts["answered"])


def judge(status: int, wanted: int, sent: signal.Signals, said: str) -> str:
    """Says how a signal was answered."""
    if status == wanted and (not said or f"{sent.name}; " in said):
        return "answered"
    return "ended before" if status == 0 else f"status {status}: {said}"


def one(moment_s: float | None, number: int) -> tuple[float, int, str]:
    """Trains in a copy of this process; returns seconds, exit status and last line."""
    with tempfile.TemporaryDirectory(prefix="signals-") as folder:
        said = Path(folder) / "said"
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            try:
                _train(Path(folder), said, writing)
            finally:
                os._exit(1)
        os.close(writing)
        os.read(reading, 1)  # From here on it answers.
        began_s = time.monotonic()
        if moment_s is not None:
            time.sleep(moment_s)
            os.kill(child, number)
        _, status = os.waitpid(child, 0)
        os.close(reading)
        lines = said.read_text().splitlines() or [""]
        seconds = time.monotonic() - began_s
        return seconds, os.waitstatus_to_exitcode(status), lines[-1]


def _train(folder: Path, said: Path, ready: int) -> None:
    from msd_tagger.commands import command_line
    from tests.faults import training

    for number in SIGNALS:  # Shells let background jobs ignore Ctrl-C.
        signal.signal(number, signal.SIG_DFL)
    signal.alarm(int(LIMIT_S))
    gc.set_threshold(70)
    os.dup2(os.open(said, os.O_CREAT | os.O_WRONLY | os.O_APPEND), 2)

    def work() -> None:
        os.write(ready, b"!")
        training.train(folder)

    command_line.run(work)
    os._exit(0)


if __name__ == "__main__":
    main()
