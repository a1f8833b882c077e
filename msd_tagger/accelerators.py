"""Says why JAX uses no GPU or TPU, where one was asked for or is in sight."""

import logging
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from msd_tagger.common.provenance import version_of

# What shows a GPU of NVIDIA's; containers may have the second alone, WSL the third.
_GPU = ("dev/nvidia0", "dev/nvidiactl", "dev/dxg")
_DRIVER = "proc/driver/nvidia/version"
# The oldest driver for each version of CUDA that JAX is built for, the newest first.
# docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html
_OLDEST_DRIVER = {13: 580, 12: 525}
# What schedulers and users set CUDA_VISIBLE_DEVICES to for no GPU.
_NONE_VISIBLE = ("", "-1", "NoDevFiles")


@contextmanager
def listening() -> Iterator[list[str]]:
    """Collects in a list what JAX logs about devices, in place of printing it."""
    said: list[str] = []

    def collect(record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        said.append(str(error or record.getMessage()))
        return False

    source = logging.getLogger("jax._src.xla_bridge")
    source.addFilter(collect)
    try:
        yield said
    finally:
        source.removeFilter(collect)


def refusal(platform: str, said: Sequence[str]) -> str:
    """Says why there is no device of a platform of JAX, and what to do about it."""
    explain = {"cuda": why_no_gpu, "gpu": why_no_gpu, "tpu": why_no_tpu}.get(platform)
    if explain is None:
        why = f"{_joined(said)}; install the JAX build for it"
    else:
        why = explain(said)
    return f"no device for JAX_PLATFORMS={platform!r}: {why}. Or use another --platform"


def warning(said: Sequence[str], root: Path = Path("/")) -> str:
    """Says that a GPU or TPU in sight is not used, and why; "" if none is in sight."""
    if _shows_gpu(root) or driver_version(root):
        kind, name, why = "gpu", "an NVIDIA GPU", why_no_gpu(said, root)
    elif any("TPU" in one for one in said):  # JAX looks at the PCI bus.
        kind, name, why = "tpu", "a TPU", why_no_tpu(said, root)
    else:
        return ""
    return (
        f"this computes on the CPU, although the machine seems to have {name}: {why}. "
        f"--platform={kind} makes this an error, --platform=cpu stops this warning"
    )


def why_no_gpu(
    said: Sequence[str],
    root: Path = Path("/"),
    version_of: Callable[[str], str] = version_of,
) -> str:
    """Says what keeps JAX from a GPU of NVIDIA's; what JAX `said` if nothing does.

    `root` is that of the file system that shows devices and driver.
    """
    driver, jaxlib = driver_version(root), version_of("jaxlib")
    builds = {n: version_of(f"jax-cuda{n}-plugin") for n in _OLDEST_DRIVER}
    fits = [n for n, oldest in _OLDEST_DRIVER.items() if _number(driver) >= oldest]
    install = f'pip install "jax[cuda{fits[0] if fits else 13}]"'
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    reasons = []
    if not _shows_gpu(root) and driver:
        reasons.append(
            f"NVIDIA's driver {driver} is there but no GPU: ask the scheduler for one, "
            "such as with --gpus=1, or start the container with --gpus=all"
        )
    elif not _shows_gpu(root):
        reasons.append(f"there is no {root / _GPU[0]}, so no NVIDIA GPU and no driver")
    if hidden in _NONE_VISIBLE:
        reasons.append(f"CUDA_VISIBLE_DEVICES={hidden!r} hides all GPUs: unset it")
    if not any(builds.values()):
        reasons.append(f"JAX for CUDA is not installed: {install}")
    for n, version in builds.items():
        if version and version != jaxlib:
            reasons.append(
                f"jax-cuda{n}-plugin {version} does not go with jaxlib {jaxlib}: "
                f"{install}"
            )
        if version and driver and n not in fits:
            reasons.append(
                f"NVIDIA's driver {driver} is too old for CUDA {n}, which needs "
                f"{_OLDEST_DRIVER[n]}: update it{f', or {install}' if fits else ''}"
            )
    return _joined(reasons or said)


def why_no_tpu(
    said: Sequence[str],
    root: Path = Path("/"),
    version_of: Callable[[str], str] = version_of,
) -> str:
    """Says what keeps JAX from using a TPU; arguments as of `why_no_gpu`."""
    if not version_of("libtpu"):
        return 'JAX for TPUs is not installed: pip install "jax[tpu]"'
    return _joined(said)


def driver_version(root: Path = Path("/")) -> str:
    """Reads the version of NVIDIA's driver; "" if there is none."""
    try:
        found = re.search(r"\b\d{3,}\.[\d.]+", (root / _DRIVER).read_text())
    except OSError:
        return ""
    return found[0] if found else ""


def _joined(reasons: Sequence[str]) -> str:
    lines = (reason.partition("\n")[0] for reason in reasons)
    return "; ".join(lines) or "JAX knows no such device here"


def _number(driver: str) -> float:
    return float(driver.split(".")[0] or "inf")


def _shows_gpu(root: Path) -> bool:
    return any((root / name).exists() for name in _GPU)
