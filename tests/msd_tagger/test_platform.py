import logging

import jax
import pytest

from configs import default
from modes.training import identity_of
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


def test_what_makes_gpus_deterministic_is_our_own_flag(monkeypatch):
    given = platform.os.environ["XLA_FLAGS"]
    for name in ("JAX_PLATFORMS", "TF_CPP_MIN_LOG_LEVEL", "TF_ENABLE_ONEDNN_OPTS"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("XLA_FLAGS", given)
    before = platform.numerics(is_deterministic=True)
    platform.set_up(is_deterministic=True)
    flag = "--xla_gpu_exclude_nondeterministic_ops=true"
    assert platform.os.environ["XLA_FLAGS"] == f"{given} {flag}"
    assert platform.numerics(is_deterministic=True) == before
    # Who sets it without the key has another run.
    assert flag in platform.numerics()["XLA_FLAGS"]
    monkeypatch.setenv("XLA_FLAGS", flag.replace("true", "false"))
    platform.set_up(is_deterministic=True)
    assert "ops=true" not in platform.os.environ["XLA_FLAGS"]
    assert "ops=false" in platform.numerics(is_deterministic=True)["XLA_FLAGS"]


@pytest.mark.parametrize(
    ("features", "uses_ynnpack"),
    [("fma avx2", False), ("fma avx2 avx512f", True), ("asimd", True)],
)
def test_ynnpack_is_left_to_processors_that_it_suits(tmp_path, features, uses_ynnpack):
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nflags\t\t: {features}\n")
    flags = platform.xla_flags(tmp_path / "cpuinfo")
    assert flags["--xla_cpu_prefer_vector_width"] == "512"
    assert ("--xla_cpu_experimental_ynn_fusion_type" not in flags) == uses_ynnpack


@pytest.mark.parametrize(
    "name",
    [
        *("JAX_ENABLE_X64", "JAX_DEFAULT_PRNG_IMPL", "JAX_THREEFRY_PARTITIONABLE"),
        *("JAX_DEFAULT_MATMUL_PRECISION", "JAX_NUMPY_DTYPE_PROMOTION"),
        *("JAX_DEBUG_NANS", "JAX_DISABLE_JIT", "JAX_RANDOM_SEED_OFFSET"),
        *("JAX_DISABLE_MOST_OPTIMIZATIONS", "JAX_SOMETHING_OF_NEXT_YEAR"),
        *("FLAX_FIX_RNG_SEPARATOR", "FLAX_RETURN_FROZENDICT"),
    ],
)
def test_what_could_change_a_network_is_left_out_and_said(monkeypatch, caplog, name):
    monkeypatch.setenv(name, "1")
    with caplog.at_level(logging.WARNING):
        platform.settle()
    assert name not in platform.os.environ
    assert f"{name}=1 is ignored" in caplog.text


@pytest.mark.parametrize(
    "name",
    [
        *("JAX_PLATFORMS", "JAX_COMPILATION_CACHE_DIR", "JAX_COORDINATOR_ADDRESS"),
        "FLAX_PROFILE",
    ],
)
def test_where_jax_computes_and_what_it_keeps_is_left_to_the_user(monkeypatch, name):
    monkeypatch.setenv(name, "x")
    platform.settle()
    assert platform.os.environ[name] == "x"


def test_settings_that_were_made_in_python_are_taken_back():
    for name, value in (("jax_enable_x64", True), ("jax_default_prng_impl", "rbg")):
        jax.config.update(name, value)
    platform.devices()
    assert jax.config.jax_enable_x64 is False
    assert jax.config.jax_default_prng_impl == "threefry2x32"


def test_flags_that_change_numbers_are_part_of_what_a_run_is(monkeypatch, tmp_path):
    own = " ".join(f"{key}={value}" for key, value in platform.xla_flags().items())
    monkeypatch.setenv("XLA_FLAGS", f"--xla_dump_to={tmp_path} {own}")
    plain = identity_of(default.get_config())
    assert "XLA_FLAGS" not in plain
    monkeypatch.setenv("XLA_FLAGS", f"--xla_b=1 {own} --xla_a=2")
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")
    added = {"XLA_FLAGS": "--xla_a=2 --xla_b=1", "NVIDIA_TF32_OVERRIDE": "0"}
    assert identity_of(default.get_config()) == plain | added


def test_flags_may_be_in_a_file(monkeypatch, tmp_path):
    (tmp_path / "flags").write_text("--xla_a=1\n--xla_b=2\n")
    monkeypatch.setenv("XLA_FLAGS", str(tmp_path / "flags"))
    platform.set_up()
    assert platform.os.environ["XLA_FLAGS"].startswith("--xla_a=1 --xla_b=2 --xla_cpu")
    monkeypatch.setenv("XLA_FLAGS", str(tmp_path / "lost"))
    with pytest.raises(ValueError, match=r"lost is neither flags, .* nor a file"):
        platform.set_up()
