"""The shards as an Apache Beam pipeline, for clusters that Beam runs on.

The pipeline has one step: a worker writes a shard as any process here would, with
`shards.write_shard`, straight to where it belongs. So all workers must see the audio
and the target under the same paths, as on a shared file system, and have this package
installed. Beam distributes, repeats what failed, and may do things twice: the same
bytes are then written twice.
"""

import contextlib
import pickle
import shlex
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from input_pipeline import shards
from msd_tagger.common.files import temporary
from msd_tagger.common.messages import quiet_decoders

Span = tuple[int, int]  # First byte and length.


def run(work: Sequence[shards.Work], options: Sequence[str]) -> None:
    """Writes shards and waits until all are written.

    Raises:
        ValueError: The pipeline failed.
    """
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    targets = list({id(t): t for _, needed in work for t in needed}.values())
    num_clips = sum(len(task.clips) for task, _ in work)
    print(f"{num_clips:,} clips in {len(work):,} shards through Beam: {options}")
    with (
        task_file(work, targets) as (path, spans),
        clear_failures(),
        beam.Pipeline(options=PipelineOptions(list(options))) as pipeline,
    ):
        # Only numbers travel in the graph, whose size runners limit: 240,000 clips
        # would be 60 MB.
        (
            pipeline
            | "spans of tasks" >> beam.Create(spans)
            | "spread over workers" >> beam.Reshuffle()
            | "write shards" >> beam.Map(_write, str(path), targets)
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


def _write(span: Span, path: str, targets: list[shards.Target]) -> None:
    """Writes one shard: this is what a worker runs."""
    task, numbers = read_task(Path(path), span)
    with quiet_decoders():
        shards.write_shard(task, [targets[number] for number in numbers])


@contextlib.contextmanager
def task_file(
    work: Sequence[shards.Work], targets: list[shards.Target]
) -> Iterator[tuple[Path, list[Span]]]:
    """Writes the tasks where all workers can read them, until the block ends."""
    path = temporary(targets[0].directory / shards.PARTS / "tasks")
    numbers = {id(target): number for number, target in enumerate(targets)}
    spans = []
    try:
        with path.open("wb") as file:
            for task, needed in work:
                content = pickle.dumps((task, [numbers[id(one)] for one in needed]))
                spans.append((file.tell(), len(content)))
                file.write(content)
        yield path, spans
    finally:
        path.unlink(missing_ok=True)


def read_task(path: Path, span: Span) -> tuple[shards.ShardTask, list[int]]:
    """Reads a task of `task_file`, and the numbers of the targets that lack it."""
    with path.open("rb") as file:
        file.seek(span[0])
        return pickle.loads(file.read(span[1]))


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
