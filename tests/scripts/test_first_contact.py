"""The first minutes on a GPU: cases fit what they call, and one that fails is told."""

import ast
import inspect
import json

import pytest

from benchmarks import ours
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

    def perform(case, seconds, limit_s):
        assert 0 < limit_s <= 90
        return found.get(case.name, {"failed": "it spills"})

    monkeypatch.setattr(contact, "perform", perform)
    assert contact.main(["--platform=gpu", f"--out={tmp_path / 'new'}"]) == 1
    lines = (tmp_path / "new" / "results.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert rows[1] == {"case": "1 seed", **found["1 seed"]}
    said = " ".join(capsys.readouterr().out.split())
    assert "| 26,000 (25,000 to 27,000) | 9.0 s | 0.34 GB | losses 1.0700 |" in said
    assert "| backend gpu |" in said and "| it spills |" in said


def test_a_case_is_a_process_with_flags(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_mine")
    read = {"filename": "/proc/self/environ", "lineno": 1}
    case = Case("a case", 60, "linecache:getline", read, flags="--xla_gpu_x")
    said = contact.perform(case, 1.0, 60.0)
    assert "XLA_FLAGS=--xla_mine --xla_gpu_x\0" in said
    assert contact.perform(case, 1.0, 5.0) == {"failed": "no time was left"}


def test_a_case_that_fails_says_why():
    case = Case("a case", 60, "json:loads", {"s": "no JSON"})
    found = contact.perform(case, 1.0, 60.0)
    assert found["failed"].startswith("JSONDecodeError: Expecting value")
    assert "Traceback" in found["said"]
    gone = Case("a case", 60, "os:_exit", {"status": 3})
    assert "its process ended" in contact.perform(gone, 1.0, 60.0)["failed"]


def test_a_case_that_takes_too_long_is_ended():
    sleep = {"args": ["sh", "-c", "echo a bar …; exec sleep 600"]}
    case = Case("a case", 1, "subprocess:call", sleep)
    assert contact.perform(case, 1.0, 5.0) == {
        "failed": "it took more than 5 s",
        "said": "a bar …\n",
    }


def test_a_missing_platform_ends_it_all_at_once(monkeypatch, tmp_path):
    started = []

    def perform(case, seconds, limit_s):
        started.append(case.name)
        return contact.machine(**case.options)

    def none():
        raise NoDeviceError("there is no GPU")

    monkeypatch.setattr(contact, "perform", perform)
    monkeypatch.setattr(ours.platform_, "set_up", lambda platform: None)
    monkeypatch.setattr(ours.platform_, "devices", none)
    with pytest.raises(SystemExit, match="there is no GPU"):
        contact.main(["--platform=gpu", f"--out={tmp_path}"])
    assert started == ["machine"]
    assert not list(tmp_path.iterdir())  # It can be given again.


def test_work_is_measured_and_findings_are_passed_on(monkeypatch, tmp_path):
    (tmp_path / "peer.py").write_text(
        "from benchmarks.worker import Work\n"
        "def train(size):\n"
        "    return Work(lambda: iter([0.9, 0.8]), measure)\n"
        "def measure(s):\n"
        "    return {'units': 10 * s, 'seconds': s}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    found = contact.perform(Case("", 60, "peer:train", {"size": 2}), 0.5, 60.0)
    assert found["rates"] == [10.0] * 3 and found["losses"] == [0.9, 0.8]
    assert found["device_memory_bytes"] is None and found["first_step_s"] >= 0
    findings = Case("", 60, "builtins:dict", {"digest": "ab"})
    assert contact.perform(findings, 0.5, 60.0) == {"digest": "ab"}
    missing = Case("", 60, "no_such_package:train", {})
    assert contact.perform(missing, 0.5, 60.0) == {
        "left out": "no_such_package is not installed"
    }
