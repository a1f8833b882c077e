"""Where a result comes from: versions, code, machine, command."""

import os
import platform
import re
import shlex
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

PACKAGES = (
    *("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "safetensors"),
    *("numpy", "scipy", "scikit-learn", "librosa", "soundfile", "soxr", "av"),
    *("tensorflow-cpu", "tensorflow-datasets"),
)

# Of the environment, what tells libraries how to compute.
VARIABLES = r"(JAX|FLAX|XLA|CUDA|CUBLAS|CUDNN|NVIDIA|LIBTPU|TPU|OMP|OPENBLAS|MKL)_"


def origin() -> dict:
    """Says when, by which code and with which packages something is made; no paths."""
    return {
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": _commit(),
        "python": platform.python_version(),
        "versions": {name: version_of(name) or None for name in PACKAGES},
    }


def environment(devices: list[str]) -> dict:
    """Describes versions, machine, code and command of this process."""
    made = origin()
    return {
        "started": made.pop("created"),
        "command": shlex.join(sys.argv),
        "system": platform.platform(),
        "cpu_count": os.cpu_count(),
        "devices": devices,
        "variables": {
            name: os.environ[name]
            for name in sorted(os.environ)
            if re.match(VARIABLES, name)
        },
        **made,
    }


def version_of(package: str) -> str:
    """Returns the version of an installed package; "" if it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _commit() -> str | None:
    """Finds the commit of this code, marked when files differ; None outside git.

    An environment of Python often lies in the repository of somebody's own project,
    whose commit says nothing of this code, and hooks of git name theirs in variables.
    """
    here = Path(__file__)
    git = ["git", "-C", str(here.parent)]
    others = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    found = ""
    for words in (
        ("ls-files", "--error-unmatch", here.name),
        ("describe", "--always", "--dirty", "--abbrev=12"),
    ):
        try:
            result = subprocess.run(
                [*git, *words], capture_output=True, text=True, timeout=10, env=others
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        if result.returncode:
            return None
        found = result.stdout.strip()
    return found or None
