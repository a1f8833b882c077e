import pytest

from msd_tagger import platform

WIDE = "--xla_cpu_prefer_vector_width=512"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", WIDE),
        ("--xla_a=1", f"--xla_a=1 {WIDE}"),
        ("--xla_cpu_prefer_vector_width=128", "--xla_cpu_prefer_vector_width=128"),
    ],
)
def test_set_up_adds_to_the_flags_of_the_user(monkeypatch, given, expected):
    monkeypatch.setenv("XLA_FLAGS", given)
    monkeypatch.setattr(platform.Path, "exists", lambda path: False)
    for name in ("JAX_PLATFORMS", "TF_CPP_MIN_LOG_LEVEL", "TF_ENABLE_ONEDNN_OPTS"):
        monkeypatch.setenv(name, "")
    platform.set_up("gpu")
    assert platform.os.environ["XLA_FLAGS"] == expected
    assert platform.os.environ["JAX_PLATFORMS"] == "cuda"


@pytest.mark.parametrize(
    ("features", "uses_ynnpack"),
    [("fma avx2", False), ("fma avx2 avx512f", True), ("asimd", True)],
)
def test_ynnpack_is_left_to_processors_that_it_suits(tmp_path, features, uses_ynnpack):
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nflags\t\t: {features}\n")
    flags = platform.xla_flags(tmp_path / "cpuinfo")
    assert flags["--xla_cpu_prefer_vector_width"] == "512"
    assert ("--xla_cpu_experimental_ynn_fusion_type" not in flags) == uses_ynnpack
