"""Cases and comparisons; compiling for a device needs its packages."""

import json
import sys
from importlib import metadata

import pytest

from benchmarks import results
from scripts import compile_for
from scripts.compile_for import Case, worse

ROW = {
    **Case(1, 32, "float32", 1)._asdict(),
    "kernels": 100,
    "GB a step": 2.0,
    "most spilled bytes a thread": 16,
    "convBackwardFilter": 4,
    "temporary GB": 0.3,
    "CPU s to compile": 20,
}


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["compile_for", "h100", *arguments])

    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    compile_for.main()


def test_missing_packages_are_named(monkeypatch):
    with pytest.raises(SystemExit, match=r"pip install -e .*cuda13"):
        run(monkeypatch, "1,32,float32,1")


@pytest.mark.parametrize(
    "wrong",
    [
        *("1,32", "0,32,float32,1", "1,32,int8,1", "1,32,float32,1,1", "a,b,c,d"),
        *("1,32,float32,1,cqt", "1,32,float32,1,evaluate,stft"),
    ],
)
def test_a_wrong_case_is_named(monkeypatch, capsys, wrong):
    with pytest.raises(SystemExit):
        run(monkeypatch, wrong)
    assert f"{wrong} must be seeds, clips, model.dtype and" in capsys.readouterr().err


def test_a_case_is_mel_and_training_unless_it_says_otherwise():
    found = [
        compile_for.case_of(f"15,32,bfloat16,3{end}")
        for end in ("", ",stft", ",evaluate", ",stft,evaluate")
    ]
    ends = [("mel", "train"), ("stft", "train"), ("mel", "evaluate")]
    ends += [("stft", "evaluate")]
    assert found == [Case(15, 32, "bfloat16", 3, *end) for end in ends]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, []),
        ({"kernels": 105, "GB a step": 2.05, "CPU s to compile": 99}, []),
        ({"kernels": 40, "GB a step": 1.0, "temporary GB": 0.1}, []),
        ({"kernels": 106}, ["kernels 106, expected 100"]),
        ({"temporary GB": 0.4}, ["temporary GB 0.4, expected 0.3"]),
        ({"most spilled bytes a thread": 256}, []),
        (
            {"most spilled bytes a thread": 49_000},
            ["most spilled bytes a thread 49000, expected 16"],
        ),
        (
            {"convBackwardFilter": 3, "convForward 48x340": 1},
            [
                "convBackwardFilter 3, expected 4",
                "convForward 48x340 1, expected 0",
            ],
        ),
    ],
)
def test_what_would_hurt_is_said(change, said):
    assert worse(ROW, ROW | change) == said


def test_a_worse_program_ends_the_command_and_other_versions_are_named(capsys):
    expected = {"versions": {"jaxlib": "1"}, "cases": [ROW]}
    unknown = ROW | {"clips": 64, "kernels": 999}
    found = {"versions": {"jaxlib": "2"}, "cases": [unknown]}
    compile_for.compare(expected, found)
    assert "numbers of {'jaxlib': '1'}, not {'jaxlib': '2'}" in capsys.readouterr().out
    found["cases"].append(ROW | {"kernels": 999})
    with pytest.raises(SystemExit, match=r"1,32,float32,1,mel,train: kernels 999, exp"):
        compile_for.compare(expected, found)


def test_a_program_of_which_nothing_is_expected_may_not_spill_either():
    spills = ROW | {"clips": 64, compile_for.SPILLED: 49_000}
    said = "64,float32,1,mel,train: most spilled .* 49000, expected at most 256"
    with pytest.raises(SystemExit, match=said):
        compile_for.compare(
            {"versions": {}, "cases": [ROW]}, {"versions": {}, "cases": [spills]}
        )
    assert worse(None, ROW | {"kernels": 999}) == []


def expected(device):
    """Rows of numbers by case."""
    path = compile_for.DESCRIPTIONS / f"{device}.json"
    rows = json.loads(path.read_text(encoding="utf-8"))["cases"]
    return {compile_for.case_in(row): row for row in rows}


def test_no_program_for_a_gpu_spills_or_has_a_window_of_a_whole_map():
    rows = expected("h100")
    assert {case.program for case in rows} == {"train", "evaluate"}
    for row in rows.values():
        assert row["most spilled bytes a thread"] <= compile_for.MOST_SPILLED_BYTES
        calls = {name for name in row if name.startswith("conv")}
        assert calls <= {"convForward", "convBackwardFilter", "convBackwardInput"}
        # Four layers; the first is no convolution there.
        gradients = 4 if row["program"] == "train" else 0
        assert row.get("convBackwardFilter", 0) == gradients


@pytest.mark.parametrize(
    ("device", "case", "most"),
    [
        ("h100", Case(1, 32, "float32", 1), {"GB a step": 2.0}),
        ("h100", Case(1, 32, "bfloat16", 1), {"GB a step": 1.2}),
        ("h100", Case(15, 32, "float32", 1), {"temporary GB": 0.4}),
        ("tpu-v5e", Case(1, 32, "float32", 1), {"ms of cycles": 14.1, "% copies": 20}),
        ("tpu-v5e", Case(1, 32, "bfloat16", 1), {"ms of cycles": 11.6, "% copies": 20}),
        ("tpu-v5e", Case(15, 64, "float32", 1), {"temporary GB": 16}),
        ("tpu-v5e", Case(15, 64, "bfloat16", 1), {"temporary GB": 16}),
    ],
)
def test_expected_numbers_are_as_small_as_they_have_been(device, case, most):
    row = expected(device)[case]
    for name, limit in most.items():
        assert row[name] <= limit, name


def test_the_page_of_results_has_what_is_expected():
    page = (results.COMPILED.parents[1] / "benchmarks/RESULTS.md").read_text("utf-8")
    assert results.compiled() in page


def test_no_file_is_overwritten(monkeypatch, capsys, tmp_path):
    (tmp_path / "mine.json").write_text("mine")
    for name in ("mine.json", "no/such.json"):
        with pytest.raises(SystemExit):
            run(monkeypatch, "1,32,float32,1", f"--out={tmp_path / name}")
        assert f"{name} must be a new file" in capsys.readouterr().err
    assert (tmp_path / "mine.json").read_text() == "mine"
