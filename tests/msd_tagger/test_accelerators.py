"""Machines with and without GPUs, drivers and packages, made of a few files."""

import logging
import re

import jax
import pytest

from msd_tagger import accelerators, platform

JAXLIB = {"jaxlib": "0.10.1"}
CUDA13 = JAXLIB | {"jax-cuda13-plugin": "0.10.1"}
CUDA12 = JAXLIB | {"jax-cuda12-plugin": "0.10.1"}
ABSENT = r"there is no \S*/dev/nvidia0, so no NVIDIA GPU and no driver"
UNSEEN = (
    r"NVIDIA's driver 570.86.15 is there but no GPU: ask .* --gpus=1, .* --gpus=all"
)
MISSING = r'JAX for CUDA is not installed: pip install "jax\[cuda{}\]"'
OLD = "NVIDIA's driver {} is too old for CUDA {}, which needs {}: update it"
SAID = ["CUDA backend failed to initialize: out of memory\nsee there"]


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Makes the files of a machine with a driver and maybe a GPU."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def make(driver="", has_gpu=True):
        if driver:
            file = tmp_path / "proc/driver/nvidia/version"
            file.parent.mkdir(parents=True)
            file.write_text(
                "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  "
                f"{driver}  Release Build\nGCC version: gcc version 12.2.0\n"
            )
        if has_gpu:
            (tmp_path / "dev").mkdir()
            (tmp_path / "dev/nvidiactl").touch()
        return tmp_path

    return make


@pytest.mark.parametrize(
    ("driver", "has_gpu", "packages", "expected"),
    [
        ("", False, CUDA13, ABSENT),
        ("", False, JAXLIB, f"{ABSENT}; {MISSING.format(13)}"),
        ("570.86.15", False, CUDA12, UNSEEN),
        ("580.65.06", True, JAXLIB, MISSING.format(13)),
        ("535.129.03", True, JAXLIB, MISSING.format(12)),
        (
            *("535.129.03", True, CUDA13),
            rf'{OLD.format("535.129.03", 13, 580)}, or pip install "jax\[cuda12\]"',
        ),
        ("470.1", True, CUDA12, OLD.format("470.1", 12, 525)),
        (
            *("580.65.06", True, CUDA13 | {"jaxlib": "0.11.2"}),
            r"jax-cuda13-plugin 0.10.1 does not go with jaxlib 0.11.2: pip install .*",
        ),
        ("580.65.06", True, CUDA13, "CUDA backend failed to initialize: out of memory"),
    ],
)
def test_why_no_gpu(machine, driver, has_gpu, packages, expected):
    root = machine(driver, has_gpu)
    why = accelerators.why_no_gpu(SAID, root, lambda name: packages.get(name, ""))
    assert re.fullmatch(expected, why), why


def test_gpus_that_a_variable_hides(machine, monkeypatch):
    root = machine("580.65.06")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert "hides" not in accelerators.why_no_gpu(SAID, root)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    why = accelerators.why_no_gpu(SAID, root)
    assert why.startswith("CUDA_VISIBLE_DEVICES='' hides all GPUs: unset it")


def test_why_no_tpu():
    why = accelerators.why_no_tpu(SAID, version_of=lambda _: "")
    assert why == 'JAX for TPUs is not installed: pip install "jax[tpu]"'
    why = accelerators.why_no_tpu(["it is in use"], version_of=lambda _: "1")
    assert why == "it is in use"


def test_a_warning_needs_something_in_sight(machine):
    assert (
        accelerators.warning(["Platform 'cpu' is here"], machine(has_gpu=False)) == ""
    )


@pytest.mark.parametrize(
    ("driver", "has_gpu", "said", "expected"),
    [
        ("580.65.06", True, [], "an NVIDIA GPU: "),
        ("580.65.06", False, [], "an NVIDIA GPU: NVIDIA's driver 580.65.06 is there"),
        ("", True, [], "an NVIDIA GPU: "),
        ("", False, ["A Google TPU may be present, but"], "a TPU: JAX for TPUs"),
    ],
)
def test_a_warning_where_a_gpu_or_tpu_is_in_sight(
    machine, driver, has_gpu, said, expected
):
    warning = accelerators.warning(said, machine(driver, has_gpu))
    assert expected in warning
    assert warning.endswith("--platform=cpu stops this warning")


def test_what_jax_logs_becomes_a_reason(caplog):
    jax_logger = logging.getLogger("jax._src.xla_bridge")
    with accelerators.listening() as said:
        jax_logger.warning("Falling back to %s", "cpu")
        try:
            raise RuntimeError("no cuPTI")
        except RuntimeError:
            jax_logger.exception("plugin")
    assert said == ["Falling back to cpu", "no cuPTI"]
    assert not caplog.records
    jax_logger.warning("later")
    assert caplog.messages == ["later"]


@pytest.mark.parametrize("name", ["cuda", "tpu", "mars"])
def test_no_device_of_the_platform_that_was_asked_for(monkeypatch, name):
    def none():
        raise AssertionError

    monkeypatch.setattr(jax, "devices", none)
    monkeypatch.setenv("JAX_PLATFORMS", name)
    with pytest.raises(ValueError, match=f"no device for JAX_PLATFORMS='{name}': "):
        platform.devices()


def test_a_reason_is_never_empty():
    nothing = "JAX knows no such device here"
    assert accelerators.why_no_tpu([], version_of=lambda _: "1") == nothing
    said = f"JAX_PLATFORMS='rocm': {nothing}; install the JAX build for it. Or"
    assert said in accelerators.refusal("rocm", [])


def test_a_gpu_that_is_not_used_is_said(monkeypatch, caplog):
    monkeypatch.setattr(accelerators, "warning", lambda said: "a GPU lies idle")
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    platform.devices()
    assert not caplog.messages
    monkeypatch.setenv("JAX_PLATFORMS", "")
    platform.devices()
    assert caplog.messages == ["a GPU lies idle"]
