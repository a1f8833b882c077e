"""Preparation as tests call it, in this process or in one of its own."""

import os
import subprocess
import sys
from pathlib import Path

from input_pipeline import prepare, shards
from input_pipeline.corpora import folder
from tests.small_corpus import RECIPE

ROOT = Path(__file__).parents[1]


def prepare_folder(directory, data_dir, **options):
    options = {"num_processes": 1, "clips_per_shard": 4} | options
    corpus = folder.load(directory)
    return prepare.prepare(corpus, [RECIPE], data_dir, **options)["mel"]


def in_this_process(monkeypatch):
    """Lets shards be written without worker processes; returns those that are."""
    written = []

    def run_workers(work, num_processes):
        for task, targets in work:
            shards.write_shard(task, targets)
            written.append(task.file_name)

    monkeypatch.setattr(prepare, "run_workers", run_workers)
    return written


def files(directory):
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def start(directory, data_dir, before="", options="num_processes=2, clips_per_shard=4"):
    code = (
        f"{before}\n"
        "if __name__ == '__main__':\n"
        "    from input_pipeline.corpora import folder\n"
        "    from input_pipeline.plan import Slice\n"
        "    from input_pipeline.prepare import prepare\n"
        "    from tests.small_corpus import RECIPE\n"
        f"    corpus = folder.load({str(directory)!r})\n"
        f"    prepare(corpus, [RECIPE], {str(data_dir)!r}, {options})\n"
    )
    Path(data_dir).mkdir(parents=True, exist_ok=True)
    script = Path(data_dir) / f"script-{abs(hash(code))}.py"
    script.write_text(code)
    return subprocess.Popen(
        [sys.executable, str(script)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
