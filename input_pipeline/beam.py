"""The shards as an Apache Beam pipeline, for clusters that Beam runs on.

The pipeline has one step: a worker writes a shard as any process here would, with
`shards.write_shard`, straight to where it belongs. So all workers must see the audio
and the target under the same paths, as on a shared file system, and have this package
installed. Beam distributes, repeats what failed, and may do things twice: the same
bytes are then written twice.
"""

import contextlib
import functools
import pickle
import shlex
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from input_pipeline import shards
from msd_tagger.common.files import temporary
from msd_tagger.common.messages import quiet_decoders


def run(work: Sequence[shards.Work], options: Sequence[str]) -> None:
    """Writes shards and waits until all are written.

    Raises:
        ValueError: The pipeline failed.
    """
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    num_clips = sum(len(task.clips) for task, _ in work)
    print(f"{num_clips:,} clips in {len(work):,} shards through Beam: {options}")
    with (
        work_file(work) as path,
        clear_failures(),
        beam.Pipeline(options=PipelineOptions(list(options))) as pipeline,
    ):
        # Only numbers travel in the graph, whose size runners limit: 240,000 clips
        # would be 60 MB.
        (
            pipeline
            | "numbers of shards" >> beam.Create(range(len(work)))
            | "spread over workers" >> beam.Reshuffle()
            | "write shards" >> beam.Map(_write, str(path))
        )


def parse_options(text: str) -> list[str]:
    """Splits the options of a pipeline as a shell would; an empty text has none.

    Raises:
        ValueError: Beam is not installed, no option names a runner, or a quote is open.
    """
    if not text.strip():
        return []
    if find_spec("apache_beam") is None:
        raise ValueError(
            f"--config.prepare.beam={text!r} needs Apache Beam, which is not "
            'installed. In the repository: pip install -e ".[train,beam]"'
        )
    try:
        options = shlex.split(text)
    except ValueError as error:
        raise ValueError(f"--config.prepare.beam={text!r}: {error}") from error
    if not any(option.split("=")[0] == "--runner" for option in options):
        raise ValueError(
            f"--config.prepare.beam={text!r} names no runner; begin with "
            "--runner=DirectRunner, FlinkRunner, SparkRunner, …"
        )
    return options


def _write(number: int, path: str) -> None:
    """Writes one shard: this is what a worker runs."""
    with quiet_decoders():
        shards.write_shard(*read_work(path)[number])


@contextlib.contextmanager
def work_file(work: Sequence[shards.Work]) -> Iterator[Path]:
    """Writes what is to be done where all workers can read it, until the block ends."""
    path = temporary(work[0][1][0].directory / shards.PARTS / "tasks")
    try:
        path.write_bytes(pickle.dumps(list(work)))  # A target that tasks share is once.
        yield path
    finally:
        path.unlink(missing_ok=True)


@functools.lru_cache(maxsize=1)
def read_work(path: str) -> list[shards.Work]:
    """Reads a `work_file`: once in a process, whatever the number of its shards."""
    return pickle.loads(Path(path).read_bytes())


@contextlib.contextmanager
def clear_failures() -> Iterator[None]:
    """Names a worker's error, which runners report as text, whatever it was."""
    try:
        yield
    except RuntimeError as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        raise ValueError(
            f"the Beam pipeline failed: {lines[-1] if lines else 'without a reason'}. "
            "Finished shards stay; run the same command again"
        ) from error
