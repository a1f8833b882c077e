"""What is read from XLA's text; compiling for a GPU needs its packages."""

import sys

import pytest

from scripts import compile_for

PROGRAM = """
HloModule jit_update

%body (state: (s32[], f32[4,8])) -> (s32[], f32[4,8]) {
  %state = (s32[], f32[4,8]{1,0}) parameter(0)
  %x = f32[4,8]{1,0} get-tuple-element(%state), index=1
  %conv = (f32[4,8]{1,0}, u8[1000]{0}) custom-call(%x, %x), window={size=3x3 \
pad=1_1x1_1}, custom_call_target="__cudnn$convBackwardFilter"
  %y = f32[4,8]{1,0} get-tuple-element(%conv), index=0
  ROOT %next = (s32[], f32[4,8]{1,0}) tuple(%i, %y)
}

ENTRY %main (a: f32[4,8]) -> f32[4,8] {
  %a = bf16[4,8]{1,0} parameter(0)
  %fused = f32[4,8]{1,0} fusion(%a), kind=kLoop, calls=%f
  %loop = (s32[], f32[4,8]{1,0}) while(%t), condition=%c, body=%body, \
backend_config={"known_trip_count":{"n":"15"}}
  %wide = (bf16[4,8]{1,0}, s8[1000]{0}) custom-call(%fused), \
window={size=48x340}, custom_call_target="__cudnn$convForward"
  ROOT %end = bf16[4,8]{1,0} get-tuple-element(%wide), index=0
}
"""


def test_kernels_are_counted_as_often_as_they_run():
    kernels = list(compile_for.executed(compile_for.parse(PROGRAM)))
    found = [(kernel.kind, kernel.times, kernel.num_bytes) for kernel in kernels]
    expected = [("fusion", 1, 64 + 128), ("custom-call", 15, 3 * 128)]
    assert found == [*expected, ("custom-call", 1, 128 + 64)]


def test_a_convolution_with_the_window_of_a_map_is_seen():
    kernels = compile_for.executed(compile_for.parse(PROGRAM))
    calls = ["", "convBackwardFilter", "convForward 48x340"]
    assert [kernel.call for kernel in kernels] == calls


def test_an_array_has_the_bytes_of_its_type():
    assert compile_for.size_of("(f32[2,3]{1,0}, pred[], bf16[4])") == 24 + 1 + 8


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["compile_for", "h100", *arguments])
    monkeypatch.setattr(compile_for, "find_spec", lambda name: None)
    compile_for.main()


def test_missing_packages_are_named(monkeypatch):
    with pytest.raises(SystemExit, match=r"pip install -e .*cuda13"):
        run(monkeypatch, "1,32,float32,1")


@pytest.mark.parametrize(
    "wrong", ["1,32", "0,32,float32,1", "1,32,int8,1", "1,32,float32,1,1", "a,b,c,d"]
)
def test_a_wrong_case_is_named(monkeypatch, capsys, wrong):
    with pytest.raises(SystemExit):
        run(monkeypatch, wrong)
    assert f"{wrong} must be seeds, clips, model.dtype and" in capsys.readouterr().err


def test_no_file_is_overwritten(monkeypatch, capsys, tmp_path):
    (tmp_path / "mine.json").write_text("mine")
    for name in ("mine.json", "no/such.json"):
        with pytest.raises(SystemExit):
            run(monkeypatch, "1,32,float32,1", f"--out={tmp_path / name}")
        assert f"{name} must be a new file" in capsys.readouterr().err
    assert (tmp_path / "mine.json").read_text() == "mine"
