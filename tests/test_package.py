"""The package alone, installed elsewhere, tags a song: what `pip install .` gives."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from msd_tagger.bundle.format import write_bundle
from tests.bundles import make_bundle

ROOT = Path(__file__).resolve().parents[1]
NOT_SOURCE = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist")

API = """
import sys
from msd_tagger import load_bundle, tag_files
[song] = tag_files(load_bundle(sys.argv[1]), [sys.argv[2]])
print(song.path)
print(*sorted({"tensorflow", "input_pipeline", "configs"} & sys.modules.keys()))
"""


def run(*command: object, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The package, built without a network from a copy: a build leaves files behind."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for path in ROOT.iterdir():
        if path.name in ("data", "runs") or path.name in NOT_SOURCE("", [path.name]):
            continue
        if path.is_dir():
            shutil.copytree(path, source / path.name, ignore=NOT_SOURCE)
        else:
            shutil.copy(path, source)
    pip = (sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-index")
    run(*pip, "--no-build-isolation", "--wheel-dir=.", "./source", cwd=folder)
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    """The `bin` folder of a new environment that has the wheel and our libraries."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", "new", cwd=folder)
    python = folder / "new" / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--no-deps")
    run(*pip, "--no-index", wheel, cwd=folder)
    [site] = (folder / "new" / "lib").glob("python*/site-packages")
    # Only the libraries: what installs this repository there is a .pth file itself, and
    # those are not followed.
    paths = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    (site / "libraries.pth").write_text("\n".join(paths) + "\n")
    return python.parent


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle") / "bundle"
    write_bundle(folder, make_bundle())
    return folder


@pytest.fixture(scope="module")
def song(tmp_path_factory):
    path = tmp_path_factory.mktemp("music") / "song.wav"
    noise = np.random.default_rng(0).normal(0, 0.1, 24_000)
    soundfile.write(path, noise.astype(np.float32), 12_000)
    return path


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    places = {name.split("/")[0] for name in names}
    assert {place for place in places if not place.endswith(".dist-info")} == {
        "msd_tagger"
    }
    built = {name for name in names if name.startswith("msd_tagger/")}
    assert built == {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "msd_tagger").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert any(name.endswith("LICENSE") for name in names)


def test_its_command_tags_a_song(environment, bundle, song, tmp_path):
    command = (environment / "msd-tagger", "tag", song, "--bundle", bundle, "--json=-")
    [line] = run(*command, cwd=tmp_path).splitlines()
    found = json.loads(line)
    assert found["path"] == str(song)
    assert {one["tag"] for one in found["tags"]} == {"rock", "pop", "jazz"}


@pytest.mark.slow
def test_its_command_tags_with_a_network_of_ones_own(
    environment, song, tmp_path, monkeypatch
):
    """Of this repository it has the module that the bundle names, and no more."""
    source = (ROOT / "examples" / "residual.py").read_text("utf-8")
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "net_of_mine.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path / "modules")
    network = {"name": "net_of_mine:ResNet(channels=2)", "code": "", "dtype": "float32"}
    write_bundle(tmp_path / "bundle", make_bundle(network=network))
    tag = (environment / "msd-tagger", "tag", song, "--bundle=bundle", "--json=-")
    [line] = run(*tag, cwd=tmp_path, PYTHONPATH="modules").splitlines()
    assert {one["tag"] for one in json.loads(line)["tags"]} == {"rock", "pop", "jazz"}
    embed = (environment / "msd-tagger", "embed", song, "--bundle=bundle")
    run(*embed, "--out=features.npz", cwd=tmp_path, PYTHONPATH="modules")
    with np.load(tmp_path / "features.npz") as found:
        assert found["features"].shape == (2 * 2, 16)


def test_its_functions_tag_a_song(environment, bundle, song, tmp_path):
    where = "import msd_tagger; print(msd_tagger.__file__)"
    path = Path(run(environment / "python", "-c", where, cwd=tmp_path).strip())
    assert path.is_relative_to(environment.parent)
    said = run(environment / "python", "-c", API, bundle, song, cwd=tmp_path)
    # Of the repository, and of TensorFlow, nothing was needed.
    assert said.splitlines() == [str(song), ""]
