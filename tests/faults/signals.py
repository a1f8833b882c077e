"""Sends signals to processes that trace and compile, and counts those not answered.

    python -m tests.faults.signals --signals=100

Each process trains a small network for two steps, evaluates it and predicts, and
collects garbage ten times as often as usual: a signal that arrives in a callback of the
collector is the easiest to lose. The signal comes at a random moment. Most of the time
is tracing; every fifth process compiles, too, what the others find compiled. A process
has to end with the signal's status, 128 + n, and a sentence. `python -m tests.faults`
does the same to whole runs and lets them go on, which takes longer: here, processes are
copies of one that has imported everything.
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
COMPILES_EVERY = 5


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
    with tempfile.TemporaryDirectory(prefix="signals-") as programs:
        # Left alone, they say how long all of it takes, compiled already and not.
        one(Path(programs), None, 0)
        usual_s, _, _ = one(Path(programs), None, 0)
        compiling_s, _, _ = one(None, None, 0)
        for number in range(options.signals):
            compiles = number % COMPILES_EVERY == 0
            moment_s = rng.uniform(0, 0.9 * (compiling_s if compiles else usual_s))
            sent = rng.choice(SIGNALS)
            where = None if compiles else Path(programs)
            _, status, said = one(where, moment_s, sent)
            answered = status == 128 + sent and f"{sent.name}; " in said
            counts["answered" if answered else "not"] += 1
            print(f"{number} {sent.name} {moment_s:.2f} s: {status} {said}", flush=True)
    print(dict(counts))
    sys.exit(counts["not"] > 0)


def one(
    programs: Path | None, moment_s: float | None, number: int
) -> tuple[float, int, str]:
    """Trains in a copy of this process; returns seconds, exit status and last line.

    Args:
        programs: A folder of compiled ones; None compiles them.
        moment_s: When the signal is sent, if it is.
        number: Of the signal.
    """
    with tempfile.TemporaryDirectory(prefix="signals-") as folder:
        said = Path(folder) / "said"
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            try:
                _train(Path(folder), said, writing, programs)
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


def _train(folder: Path, said: Path, ready: int, programs: Path | None) -> None:
    from msd_tagger.commands import command_line
    from tests.faults import training

    for number in SIGNALS:  # Shells let background jobs ignore Ctrl-C.
        signal.signal(number, signal.SIG_DFL)
    signal.alarm(int(LIMIT_S))
    gc.set_threshold(70)
    os.dup2(os.open(said, os.O_CREAT | os.O_WRONLY | os.O_APPEND), 2)

    platform.keep_programs(str(programs or ""))

    def work() -> None:
        os.write(ready, b"!")
        training.train(folder)

    command_line.run(work)
    os._exit(0)


if __name__ == "__main__":
    main()
