"""Prepares 240,000 tiny clips as an array of jobs, kills them all twice, and compares.

    python -m tests.scale

Everything takes the real way: `main.py --mode=prepare` with `prepare.worker` and
`prepare.num_workers`, real audio files, decoding, resampling, spectrograms, TFRecord
files, index, ledger, registration with TFDS. Twice, at random moments, every process
of every job is killed with SIGKILL; then the same commands are given again. At the end
every clip must be in the set once, or in the ledger once, and the set must be, byte for
byte, that of one job which nobody disturbed. Then the set is read as training reads it,
by a process that is killed in the middle of an epoch and by one that goes on.
"""

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

from msd_tagger.common.processes import (
    available_cores,
    peak_memory_bytes,
    progress_bar,
)
from tests.scale import clips, reader

ROOT = Path(__file__).resolve().parents[2]

# 400 samples at 4 kHz: 16 bands, 7 frames. The pools fit it, as main.py insists.
RECIPE = (
    f"--config.clip.duration_s={clips.CLIP_S}",
    "--config.spectrogram.sample_rate_hz=4000",
    "--config.spectrogram.dft_size_samples=128",
    "--config.spectrogram.hop_samples=64",
    "--config.spectrogram.num_mel_bands=16",
    "--config.model.pools=((2,2),(2,3),(2,1),(2,1),(1,1))",
)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--num_clips", type=int, default=240_000, help="100 or more (%(default)s)")
    add("--num_workers", type=int, default=4, help="jobs of the array (%(default)s)")
    add("--num_kills", type=int, default=2, help="how often all die (%(default)s)")
    add("--clips_per_shard", type=int, default=64, help="(%(default)s)")
    add("--seed", type=int, help="of the moments; random by default")
    add("--scratch", type=Path, help="a folder is made, and removed, here")
    options = parser.parse_args(arguments)
    if options.num_clips < 100 or options.num_workers < 1 or options.num_kills < 0:
        parser.error("at least 100 clips, 1 worker and 0 kills are needed")
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(10**6)
    return options


class Job:
    """One call of main.py, in a process group of its own."""

    def __init__(self, corpus: Path, data_dir: Path, **keys: int) -> None:
        self.memory_mb = {"parent": 0.0, "worker": 0.0}
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed with the job)
        self._process = subprocess.Popen(
            [
                *(sys.executable, "main.py", "--mode=prepare"),
                "--config=configs/db_mel.py",
                "--config.corpus.name=folder",
                f"--config.corpus.audio_dir={corpus}",
                f"--data_dir={data_dir}",
                *RECIPE,
                *(f"--config.prepare.{key}={value}" for key, value in keys.items()),
            ],
            cwd=ROOT,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def is_running(self) -> bool:
        """Says whether it runs; notes the memory of its processes."""
        pid = str(self._process.pid)
        children = _read(f"/proc/{pid}/task/{pid}/children").split()
        # A child that has not become another program yet still shows its parent's.
        workers = [c for c in children if "spawn_main" in _read(f"/proc/{c}/cmdline")]
        for role, found in (("parent", [pid]), ("worker", workers)):
            peaks = [peak_memory_bytes(process) / 1e6 for process in found]
            self.memory_mb[role] = max(self.memory_mb[role], *peaks, 0.0)
        return self._process.poll() is None

    def kill(self) -> None:
        """Ends it and its workers as a power cut would."""
        with contextlib.suppress(ProcessLookupError):  # It has ended by itself.
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def last_line(self) -> str:
        """Returns what a finished job said last.

        Raises:
            SystemExit: It failed.
        """
        status = self._process.wait()
        self._log.seek(0)
        lines = [line for line in self._log.read().splitlines() if line.strip()]
        self._log.close()
        if status:
            raise SystemExit("\n".join([*lines[-20:], f"a job ended with {status}"]))
        return lines[-1]


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:  # It has ended, or this is not Linux.
        return ""


def run_array(
    options: argparse.Namespace, corpus: Path, data_dir: Path
) -> dict[str, str]:
    """Runs all jobs, kills them, runs them again; returns rows for the table."""
    random_moments = random.Random(options.seed)
    num_shards = -(-options.num_clips // options.clips_per_shard)
    rows: dict[str, str] = {}
    peaks = {"parent": 0.0, "worker": 0.0}
    started = time.perf_counter()
    keys = {key: vars(options)[key] for key in ("num_workers", "clips_per_shard")}
    for attempt in range(options.num_kills + 1):
        jobs = [
            Job(corpus, data_dir, worker=worker, num_processes=1, **keys)
            for worker in range(options.num_workers)
        ]
        share = (attempt + random_moments.uniform(0.1, 0.9)) / (options.num_kills + 1)
        limit = share * num_shards if attempt < options.num_kills else float("inf")
        for found in _wait(jobs, data_dir, limit, f"attempt {attempt + 1}", num_shards):
            if found >= limit:
                for job in jobs:
                    job.kill()
                rows[f"kill {attempt + 1}"] = f"after {found:,} shards"
                break
        for job in jobs:
            peaks = {role: max(peaks[role], job.memory_mb[role]) for role in peaks}
    for job in jobs:
        print(job.last_line())
    rows["array, kills and new starts included"] = _seconds(started, options.num_clips)
    rows["memory of a job's parent process, peak"] = f"{peaks['parent']:.0f} MB"
    rows["memory of a worker process, peak"] = f"{peaks['worker']:.0f} MB"
    return rows


def _wait(
    jobs: list[Job], data_dir: Path, limit: float, name: str, num_shards: int
) -> Iterator[int]:
    """Yields the number of finished shards, again and again while jobs run."""
    with progress_bar(num_shards, name, "shard") as bar:
        while sum(job.is_running() for job in jobs):  # Asks every one.
            found = sum(1 for _ in data_dir.glob("shards/*/*/parts/clips-*.json"))
            bar.update(max(0, found - bar.n))
            yield found
            time.sleep(0.2 if limit < float("inf") else 1)


def _seconds(started: float, num_clips: int) -> str:
    seconds = time.perf_counter() - started
    return f"{seconds:.0f} s, {num_clips / seconds:,.0f} clips/s"


def digests(data_dir: Path) -> dict[str, str]:
    """Returns SHA-256 of every file below a directory."""
    found = [path for path in data_dir.rglob("*") if path.is_file()]
    return {
        path.relative_to(data_dir).as_posix(): sha256(path.read_bytes()).hexdigest()
        for path in found
    }


def main() -> None:
    """Runs the simulation and prints its table."""
    options = parse()
    num_clips = options.num_clips
    print(f"{num_clips:,} clips, seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="scale-", dir=options.scratch) as scratch:
        corpus, first, second = (Path(scratch, n) for n in ("corpus", "array", "alone"))
        started = time.perf_counter()
        with progress_bar(num_clips, "writing clips") as bar:
            for done in clips.write(corpus, num_clips, available_cores()):
                bar.update(done - bar.n)
        rows = {"writing the audio files": _seconds(started, num_clips)}
        rows |= run_array(options, corpus, first)
        started = time.perf_counter()
        print(Job(corpus, second, clips_per_shard=options.clips_per_shard).last_line())
        rows["one undisturbed job"] = _seconds(started, num_clips)
        started = time.perf_counter()
        rows |= clips.verify(first, corpus, num_clips)
        ours, theirs = digests(first), digests(second)
        if ours != theirs:
            different = {n for n in ours | theirs if ours.get(n) != theirs.get(n)}
            raise SystemExit(f"not equal: {sorted(different)[:10]}")
        rows["files equal to those of the undisturbed job"] = f"all {len(ours):,}"
        rows["verification"] = _seconds(started, num_clips)
        _print(rows)
        (directory,) = first.glob("shards/*/*")
        _print(reader.verify(directory))


def _print(rows: dict[str, str]) -> None:
    width = max(map(len, rows))
    print("\n".join(f"{name:{width}}  {value}" for name, value in rows.items()))


if __name__ == "__main__":
    main()
