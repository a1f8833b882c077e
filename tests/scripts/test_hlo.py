"""What is read from XLA's text."""

import pytest

from scripts import hlo

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
    kernels = list(hlo.executed(hlo.parse(PROGRAM)))
    found = [(kernel.kind, kernel.times, kernel.num_bytes) for kernel in kernels]
    expected = [("fusion", 1, 64 + 128), ("custom-call", 15, 3 * 128)]
    assert found == [*expected, ("custom-call", 1, 128 + 64)]


def test_a_convolution_with_the_window_of_a_map_is_seen():
    kernels = hlo.executed(hlo.parse(PROGRAM))
    calls = ["", "convBackwardFilter", "convForward 48x340"]
    assert [kernel.call for kernel in kernels] == calls


def test_an_array_has_the_bytes_of_its_type():
    assert hlo.size_of("(f32[2,3]{1,0}, pred[], bf16[4])") == 24 + 1 + 8


def test_cycles_are_those_that_the_compiler_expects():
    line = '%f = f32[4]{0:T(128)} fusion(%a), backend_config={"estimated_cycles":"720"}'
    assert hlo.Kernel("fusion", 32, line).cycles == 720
    assert hlo.Kernel("fusion", 32, PROGRAM).cycles == 0


def test_a_loop_runs_as_often_as_its_condition_says():
    """As for a TPU, where loops do not say how often they run."""
    known = ', backend_config={"known_trip_count":{"n":"15"}}'
    condition = """
%c (state: (s32[], f32[4,8])) -> pred[] {
  %bound = s32[]{:T(128)} constant(7)
  ROOT %less = pred[] compare(%i, %bound), direction=LT
}
"""
    text = (
        PROGRAM.replace("\\\n", "")
        .replace(known, "")
        .replace("\nENTRY", condition + "\nENTRY")
    )
    assert known not in text
    kernels = hlo.executed(hlo.parse(text))
    assert [kernel.times for kernel in kernels] == [1, 7, 1]


def test_a_loop_of_unknown_length_is_named():
    text = PROGRAM.replace('"n":"15"', '"n":"unknown"')
    with pytest.raises(ValueError, match="how often this loop runs: %loop = "):
        hlo.parse(text)
