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
    for name in ("JAX_PLATFORMS", "TF_CPP_MIN_LOG_LEVEL", "TF_ENABLE_ONEDNN_OPTS"):
        monkeypatch.setenv(name, "")
    platform.set_up("gpu")
    assert platform.os.environ["XLA_FLAGS"] == expected
    assert platform.os.environ["JAX_PLATFORMS"] == "cuda"
