"""The Million Song Dataset from its files to a trained network, by the command."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests import msd_files

ROOT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.usefixtures("warm_starts", "without_figures")


def test_an_audit_of_the_labels_alone(tmp_path):
    msd_files.write_split_files(tmp_path / "labels")
    for path in (tmp_path / "labels").glob("train*"):
        path.unlink()
    done = call(tmp_path, "--mode=audit", audio_dir="")
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "run" / "audit.json").read_text())
    assert found["clips"] == {"train": 0, "valid": 3, "test": 3}
    assert found["published"]["the paper"]["train"]["clips"] == 201_672
    assert found["files"]["missing"] == 0  # Nobody looked for any.
    done = call(tmp_path, "--mode=prepare", audio_dir="")
    assert done.returncode == 2
    assert "name=msd needs --config.corpus.audio_dir=DIR" in done.stderr


def test_a_study_of_the_labels_alone(tmp_path):
    msd_files.write_split_files(tmp_path / "labels")
    done = call(tmp_path, config="tags", audio_dir="")
    assert done.returncode == 0, done.stderr
    assert "tags make" in (tmp_path / "run" / "claims.csv").read_text()
    assert "Figs 6 and 8 are left" in (tmp_path / "run" / "report.md").read_text()
    assert not (tmp_path / "data").exists()  # Nothing was prepared.


def call(tmp_path, *arguments, config="db_mel", audio_dir=None):
    audio_dir = tmp_path / "audio" if audio_dir is None else audio_dir
    command = [
        *(sys.executable, "main.py", f"--config=configs/{config}.py"),
        "--config.corpus.name=msd",
        f"--config.corpus.label_dir={tmp_path / 'labels'}",
        f"--config.corpus.audio_dir={audio_dir}",
        f"--data_dir={tmp_path / 'data'}",
        f"--workdir={tmp_path / 'run'}",
        *arguments,
    ]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False
    )


def test_from_files_to_a_trained_network(tmp_path):
    msd_files.write_split_files(tmp_path / "labels")
    (tmp_path / "audio").mkdir()
    done = call(tmp_path, "--mode=prepare")
    assert done.returncode == 2
    assert "has no audio of the tracks" in done.stderr
    assert "Traceback" not in done.stderr
    msd_files.write_audio(tmp_path / "audio", "7digital", ".clip.mp3", missing=[3])
    done = call(
        tmp_path,
        "--config.clip.duration_s=1.0",
        "--config.model.pools=((8,6),(12,7))",
        "--config.train.max_steps=1",
        "--config.train.batch_size=4",
        "--config.model.channels=4",
        "--config.analysis.linear_baseline=False",
    )
    assert done.returncode == 0, done.stderr
    assert "11 clips in 3 shards, 1 left out (1 missing)" in done.stdout
    assert "test, weak labels: roc_auc_macro" in done.stdout
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["complete"]
    assert summary["corpus"]["name"] == "msd"
    assert summary["corpus"]["version"].startswith("split files ")
