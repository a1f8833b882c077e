import os
import re
import subprocess
import sys

import pytest

from benchmarks import __main__ as command_line
from benchmarks.race import ROOT, Entrant, Worker, WorkerError, race


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def test_help_names_the_parts():
    done = command("--help")
    assert done.returncode == 0
    for name, what in command_line.PARTS.items():
        assert name in done.stdout and what in done.stdout


def test_a_part_that_is_none_is_named(capsys):
    with pytest.raises(SystemExit):
        command_line.parse(["--parts=training,trainings"])
    said = capsys.readouterr().err
    assert "no part is called trainings; the parts are training, inference" in said


def test_only_a_whole_run_writes_by_itself(tmp_path):
    assert command_line.parse([]).out == command_line.HERE
    assert command_line.parse(["--parts=input"]).out is None
    assert command_line.parse(["--quick"]).out is None
    assert command_line.parse(["--quick", f"--out={tmp_path}"]).out == tmp_path


def test_contestants_share_a_gpu(monkeypatch, capsys):
    """JAX would take three quarters of it for the first one."""
    kept = {k: v for k, v in os.environ.items() if "PREALLOCATE" not in k}
    monkeypatch.setattr(os, "environ", kept)

    def fail(*_):
        raise WorkerError("no device")

    monkeypatch.setattr(command_line, "set_up", fail)
    assert command_line.main(["--platform=gpu", "--parts=training"]) == 1
    assert "benchmarks: no device" in capsys.readouterr().err
    assert kept["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"


def test_a_package_that_is_missing_is_named(monkeypatch, tmp_path):
    # A torch that cannot be imported, wherever the tests run.
    (tmp_path / "torch.py").write_text(
        "raise ModuleNotFoundError('no torch', name='torch')"
    )
    monkeypatch.syspath_prepend(tmp_path)
    options = {"weights": "none"}
    entrant = Entrant("PyTorch", "benchmarks.pytorch:training", options, ({},))
    (lane,) = race([entrant], rounds=1, seconds=0.0)
    assert lane.failure == "torch is not installed"
    assert not lane.rates


def test_a_part_without_its_packages_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "soundfile", None)
    for name in [name for name in sys.modules if name.startswith("benchmarks.")]:
        if name != "benchmarks.results":
            monkeypatch.delitem(sys.modules, name)
    part = command_line.measure("input", options=None)
    assert "| input | soundfile is not installed |" in part.tables[0]


def test_a_worker_that_dies_is_an_error():
    worker = Worker(Entrant("gone", "os:_exit", {"status": 3}, ()))
    with pytest.raises(WorkerError, match="its process ended"):
        worker.ask("prepare", {})
    with pytest.raises(WorkerError, match="its process ended"):
        worker.ask("run", {})  # What is left in the pipe must not spoil its end.
    worker.close()


@pytest.mark.slow
def test_a_part_in_seconds(tmp_path):
    part = ("--parts=inference", "--batch_sizes=1", f"--out={tmp_path}")
    done = command("--quick", *part)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "RESULTS.md").read_text()
    for name in ("ours", "ours bf16", "plain Flax"):
        assert re.search(
            rf"^\| {name}, batch size 1 +\| [\d.,]+ \(", page, re.MULTILINE
        )
    assert "python -m benchmarks --quick --parts=inference" in page
    assert (tmp_path / "results.json").exists()
