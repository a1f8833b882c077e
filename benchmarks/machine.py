"""What a result was measured on."""

import datetime
import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from msd_tagger.common.processes import available_cores

PACKAGES = (
    *("jax", "jaxlib", "flax", "optax", "numpy", "scipy", "tensorflow-cpu"),
    *("librosa", "soundfile", "soxr", "torch"),
)


def describe(device: dict[str, Any]) -> dict[str, Any]:
    """Describes machine, versions, date, and the devices that `ours.start` found."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "date": datetime.date.today().isoformat(),
        "processor": f"{_processor()}, {available_cores()} cores",
        "memory": f"{memory_gib:.0f} GiB",
        "device": f"{device['num_devices']} x {device['device']}",
        "accelerator": "none was available; nothing below is an estimate of one"
        if device["backend"] == "cpu"
        else device["device"],
        "system": f"{platform.system()} {platform.release()}, "
        f"{' '.join(platform.libc_ver())}",
        "huge pages": _read("/sys/kernel/mm/transparent_hugepage/enabled"),
        "python": sys.version.split()[0],
        "versions": {name: _version(name) for name in PACKAGES},
    }


def _processor() -> str:
    for line in _read("/proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor() or platform.machine()


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
