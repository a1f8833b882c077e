"""The shards as an Apache Beam pipeline, for clusters that Beam runs on.

The pipeline has one step: a worker writes a shard as any process here would, with
`shards.write_shard`, straight to where it belongs. So all workers must see the audio
and the target under the same paths, as on a shared file system, and have this package
installed. Beam distributes, repeats what failed, and may do things twice: the same
bytes are then written twice.
"""

import contextlib
import dataclasses
import json
import shlex
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from input_pipeline import shards

Span = tuple[int, int]  # First byte and length.


def run(
    work: Sequence[tuple[shards.ShardTask, list[shards.Target]]], options: Sequence[str]
) -> None:
    """Writes shards and waits until all are written.

    Args:
        options: of the pipeline, see `parse_options`.

    Raises:
        ValueError: the pipeline failed.
    """
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    targets = list({id(t): t for _, needed in work for t in needed}.values())
    num_clips = sum(len(task.clips) for task, _ in work)
    print(f"{num_clips:,} clips in {len(work):,} shards through Beam: {options}")
    with (
        _task_file(work, targets) as (path, spans),
        _clear_failures(),
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
            "installed: pip install -r requirements-beam.txt"
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
    """What a worker does."""
    with Path(path).open("rb") as file:
        file.seek(span[0])
        task, numbers = _decode(file.read(span[1]))
    shards.write_shard(task, [targets[number] for number in numbers])


@contextlib.contextmanager
def _task_file(
    work: Sequence[tuple[shards.ShardTask, list[shards.Target]]],
    targets: list[shards.Target],
) -> Iterator[tuple[Path, list[Span]]]:
    """Writes the tasks, one a line, where all workers can read them."""
    path = shards.temporary(targets[0].directory / shards.PARTS / "tasks")
    numbers = {id(target): number for number, target in enumerate(targets)}
    spans = []
    try:
        with path.open("wb") as file:
            for task, needed in work:
                line = _encode(task, [numbers[id(target)] for target in needed])
                spans.append((file.tell(), len(line)))
                file.write(line)
        yield path, spans
    finally:
        path.unlink(missing_ok=True)


def _encode(task: shards.ShardTask, numbers: list[int]) -> bytes:
    clips = [
        clip._asdict() | {"labels": {k: v.hex() for k, v in clip.labels.items()}}
        for clip in task.clips
    ]
    fields = {f.name: getattr(task, f.name) for f in dataclasses.fields(task)}
    return json.dumps([fields | {"clips": clips}, numbers]).encode() + b"\n"


def _decode(line: bytes) -> tuple[shards.ShardTask, list[int]]:
    fields, numbers = json.loads(line)
    clips = tuple(shards.ClipRow(**_with_bytes(clip)) for clip in fields["clips"])
    return shards.ShardTask(**fields | {"clips": clips}), numbers


def _with_bytes(clip: dict[str, Any]) -> dict[str, Any]:
    labels = {name: bytes.fromhex(text) for name, text in clip["labels"].items()}
    return clip | {"labels": labels}


@contextlib.contextmanager
def _clear_failures() -> Iterator[None]:
    """Runners report a worker's error, whatever it was, as text."""
    try:
        yield
    except RuntimeError as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        raise ValueError(
            f"the Beam pipeline failed: {lines[-1] if lines else 'without a reason'}. "
            "Finished shards stay; run the same command again"
        ) from error
