"""The first minutes on a GPU: cases fit what they call, and one that fails is told."""

import ast
import inspect
import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from benchmarks import ours
from benchmarks.worker import Work
from msd_tagger.platform import NoDeviceError
from scripts import first_contact as contact
from scripts.first_contact import Case

OUT = "--out=contact"


@pytest.mark.parametrize("quick", [True, False])
def test_every_case_calls_what_there_is(quick, tmp_path):
    cases = contact.cases(tmp_path, "gpu", quick)
    names = [case.name for case in cases]
    assert len(set(names)) == len(names)
    torch = ast.parse((contact.Path(ours.__file__).parent / "pytorch.py").read_text())
    [training] = [x for x in torch.body if getattr(x, "name", "") == "training"]
    for case in cases:
        module, name = case.function.split(":")
        if module == "benchmarks.pytorch":  # It needs PyTorch.
            assert case.options.keys() <= {arg.arg for arg in training.args.args}
        else:
            found = contact if module == "scripts.first_contact" else ours
            inspect.signature(getattr(found, name)).bind(**case.options)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--platform=gpu"], "required: --out"),
        ([OUT], "required: --platform"),
        (["--platform=cuda", OUT], "invalid choice: 'cuda'"),
        (["--platform=gpu", OUT, "--minutes=0"], "must be more than 0"),
        (["--platform=gpu", OUT, "--case=2 seeds"], "--case=2 seeds: choose from mach"),
    ],
)
def test_a_mistake_gets_a_sentence(words, said, capsys):
    with pytest.raises(SystemExit):
        contact.parse(words)
    assert said in capsys.readouterr().err


def test_what_a_folder_holds_is_kept(tmp_path, capsys):
    (tmp_path / "programs-a").mkdir()
    words = ["--platform=cpu", f"--out={tmp_path}"]
    with pytest.raises(SystemExit):
        contact.parse(words)
    said = f"--out={tmp_path} holds files (programs-a, …); give a new or empty folder"
    assert said in capsys.readouterr().err
    assert contact.parse([*words, "--case=1 seed"]).out == tmp_path


def test_what_cases_find_is_written_and_shown(tmp_path, monkeypatch, capsys):
    found = {
        "machine": {"backend": "gpu"},
        "1 seed": {
            "rates": [26e3, 25e3, 27e3],
            "first_step_s": 9.0,
            "losses": [1.07],
            "device_memory_bytes": 340_000_000,
        },
    }

    def start(case, argv, limit_s):
        assert 0 < limit_s <= 90
        return found.get(case.name, {"failed": "it spills"})

    monkeypatch.setattr(contact, "start", start)
    assert contact.main(["--platform=gpu", f"--out={tmp_path / 'new'}"]) == 1
    lines = (tmp_path / "new" / "results.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert rows[1] == {"case": "1 seed", **found["1 seed"]}
    said = " ".join(capsys.readouterr().out.split())
    assert "| 26,000 (25,000 to 27,000) | 9.0 s | 0.34 GB | losses 1.0700 |" in said
    assert "| backend gpu |" in said and "| it spills |" in said


def test_a_case_is_a_process_with_a_limit_and_flags(monkeypatch):
    case = Case("a case", 60, "m:f", {}, flags="--xla_gpu_x")
    calls = []

    def run(command, **options):
        calls.append((command, options))
        return subprocess.CompletedProcess(command, 0, 'noise\n{"digest": "ab"}\n', "")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setenv("XLA_FLAGS", "--xla_mine")
    assert contact.start(case, ["--quick"], 20.0) == {"digest": "ab"}
    [(command, options)] = calls
    assert command[-2:] == ["--quick", "--case=a case"]
    assert options["timeout"] == 20.0
    assert options["env"]["XLA_FLAGS"] == "--xla_mine --xla_gpu_x"
    assert options["env"]["JAX_TRACEBACK_FILTERING"] == "off"
    assert contact.start(case, [], 5.0) == {"failed": "no time was left"}


def test_a_case_that_fails_says_why(monkeypatch):
    case = Case("a case", 60, "m:f", {})

    def fail(command, **options):
        said = "Traceback\nXlaRuntimeError: no tile sizes\n"
        return subprocess.CompletedProcess(command, 1, "", said)

    monkeypatch.setattr(subprocess, "run", fail)
    found = contact.start(case, [], 60.0)
    assert found["failed"] == "XlaRuntimeError: no tile sizes"
    assert "Traceback" in found["said"]

    def hang(command, timeout, **options):
        raise subprocess.TimeoutExpired(command, timeout, stderr=b"a bar \xe2\x80\xa6")

    monkeypatch.setattr(subprocess, "run", hang)
    assert contact.start(case, [], 60.0) == {
        "failed": "it took more than 60 s",
        "said": "a bar …",
    }


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            "Traceback (most recent call last):\n  step()\n"
            "jax.errors.JaxRuntimeError: RESOURCE_EXHAUSTED: out of memory\n"
            "Peak buffers:\n\tBuffer 1:\n",
            "jax.errors.JaxRuntimeError: RESOURCE_EXHAUSTED: out of memory",
        ),
        (
            "RuntimeError: no cuDNN\n\nDuring handling of the above exception, another "
            "exception occurred:\n\nTraceback (most recent call last):\n    assert x\n"
            "AssertionError\n",
            "RuntimeError: no cuDNN",
        ),
        (
            "F0000 Check failed: a stream\n*** Check failure stack trace: ***\n"
            "    @ 0x7f\n",
            "F0000 Check failed: a stream",
        ),
        ("", "status 1"),
    ],
)
def test_the_line_that_says_why_is_shown(monkeypatch, said, expected):
    def fail(command, **options):
        return subprocess.CompletedProcess(command, 1, "", said)

    monkeypatch.setattr(subprocess, "run", fail)
    assert contact.start(Case("a case", 60, "m:f", {}), [], 60.0)["failed"] == expected


def test_a_missing_platform_ends_it_all_at_once(monkeypatch, tmp_path):
    started = []

    def start(case, argv, limit_s):
        started.append(case.name)
        return contact.perform(case, tmp_path, 1.0)

    def none():
        raise NoDeviceError("there is no GPU")

    monkeypatch.setattr(contact, "start", start)
    monkeypatch.setattr(ours.platform_, "set_up", lambda platform: None)
    monkeypatch.setattr(ours.platform_, "devices", none)
    with pytest.raises(SystemExit, match="there is no GPU"):
        contact.main(["--platform=gpu", f"--out={tmp_path}"])
    assert started == ["machine"]
    assert not list(tmp_path.iterdir())  # It can be given again.


def test_work_is_measured_and_findings_are_passed_on(monkeypatch, tmp_path):
    work = Work(lambda: iter([0.9, 0.8]), lambda s: {"units": 10 * s, "seconds": s})
    monkeypatch.setitem(sys.modules, "peer", SimpleNamespace(train=lambda size: work))
    found = contact.perform(Case("", 1, "peer:train", {"size": 2}), tmp_path, 0.5)
    assert found["rates"] == [10.0] * 3 and found["losses"] == [0.9, 0.8]
    assert found["device_memory_bytes"] is None
    findings = Case("", 1, "builtins:dict", {"digest": "ab"})
    assert contact.perform(findings, tmp_path, 0.5) == {"digest": "ab"}
    missing = Case("", 1, "no_such_package:train", {})
    assert contact.perform(missing, tmp_path, 0.5) == {
        "left out": "no_such_package is not installed"
    }
