"""The lock files and the container file fit the requirements, and name no host."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
DEVICES = ("cpu", "cuda12", "cuda13", "tpu")


def lines_of(name: str) -> list[str]:
    """The lines of a file without comments."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    found = (re.sub(r"(^|\s)#.*", "", line).strip() for line in lines)
    return [line for line in found if line]


def pins_of(device: str) -> dict[str, Version]:
    pairs = [line.split("==") for line in lines_of(f"requirements/{device}.lock")]
    return {name: Version(version) for name, version in pairs}


@pytest.mark.parametrize("device", DEVICES)
def test_a_lock_satisfies_the_requirements(device):
    pins = pins_of(device)
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    extras = project["optional-dependencies"]
    for line in project["dependencies"] + extras["train"]:
        wanted = Requirement(line)
        if wanted.marker and not wanted.marker.evaluate({"platform_machine": "x86_64"}):
            continue
        assert pins[wanted.name] in wanted.specifier, f"{line}: scripts/lock.sh"


@pytest.mark.parametrize("device", DEVICES)
def test_a_lock_has_one_jax_that_computes_rightly(device):
    pins = pins_of(device)
    of_jax = {k: v for k, v in pins.items() if re.match("jax(lib|-cuda.*)?$", k)}
    assert len(set(of_jax.values())) == 1
    assert not set(of_jax.values()) & {*map(Version, ("0.10.2", "0.11.0", "0.11.1"))}
    for cuda in ("cuda12", "cuda13"):
        assert (f"jax-{cuda}-plugin" in pins) == (device == cuda)
    assert ("libtpu" in pins) == (device == "tpu")


@pytest.mark.parametrize("device", DEVICES)
def test_a_lock_holds_versions_and_nothing_of_where_they_came_from(device):
    name = f"requirements/{device}.lock"
    assert all(re.fullmatch(r"[a-z0-9-]+==[\w.]+", line) for line in lines_of(name))
    assert "://" not in (ROOT / name).read_text(encoding="utf-8")


def test_all_locks_agree_on_what_they_share():
    cpu = pins_of("cpu")
    for device in DEVICES[1:]:
        pins = pins_of(device)
        assert {name: pins[name] for name in cpu} == cpu


def test_the_container_is_made_of_what_is_there():
    text = (ROOT / "containers" / "Dockerfile").read_text(encoding="utf-8")
    assert "FROM python:3.11-slim\n" in text
    assert set(re.findall(r"DEVICE=(\w+)", text)) == {"cpu", "cuda13"}
    copied = re.findall(r"^COPY (\S+) (\S+)$", text, re.MULTILINE)
    for device in DEVICES:
        for source, _ in copied:
            assert (ROOT / source.replace("${DEVICE}", device)).exists()
    # All that a run imports.
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    needed = folders - {"benchmarks", "scripts", "tests"}
    assert {f"./{name}" for name in needed} <= {target for _, target in copied}
    [installed] = re.findall(r"pip install .*--requirement (\S+)", text)
    assert installed == '"requirements/${DEVICE}.lock"'
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert {"/data/", "/runs/"} <= set(ignored)
