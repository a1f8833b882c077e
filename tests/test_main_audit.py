"""--mode=audit from the command line: needs no JAX, ends well with findings too."""

import json
import subprocess
import sys
from pathlib import Path

from tests.small_corpus import write_folder
from tests.small_magnatagatune import rows, write_annotations, write_clip_info

ROOT = Path(__file__).resolve().parents[1]

# Runs main.py where nothing that trains or decodes can be imported.
WITHOUT_JAX = """
import runpy
import sys
sys.modules.update(dict.fromkeys(("jax", "jaxlib", "flax", "tensorflow", "librosa")))
runpy.run_path("main.py", run_name="__main__")
"""


def audit(*arguments):
    call = ("--mode=audit", "--config=configs/db_mel.py", *arguments)
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_JAX, *call],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def test_a_folder_of_ones_own(tmp_path):
    music = write_folder(tmp_path / "music", 10)
    (music / "audio" / "003.wav").unlink()
    workdir = tmp_path / "audit"
    call = (
        "--config.corpus.name=folder",
        f"--config.corpus.audio_dir={music}",
        f"--workdir={workdir}",
    )
    done = audit(*call)
    assert done.returncode == 0, done.stderr
    assert "1 of 10 files is missing: audio/003.wav." in done.stdout
    assert str(workdir) in done.stderr
    for name in ("positives.png", "positives.svg", "problems.csv", "tags.csv"):
        assert (workdir / name).stat().st_size
    assert json.loads((workdir / "audit.json").read_text())["files"]["missing"] == 1

    (music / "tags.csv").write_text("track_id,path\n")
    again = audit(*call)
    assert again.returncode == 2
    assert "missing columns ['tags']" in again.stderr
    assert "Traceback" not in again.stderr


def test_labels_alone_and_the_folder_of_something_else(tmp_path):
    labels = tmp_path / "labels"
    write_annotations(labels, rows())
    write_clip_info(labels, {"2": "Kay Kyser", "58": "Kay Kyser"})
    (tmp_path / "mp3").mkdir()
    call = (
        "--config.corpus.name=magnatagatune",
        f"--config.corpus.audio_dir={tmp_path / 'mp3'}",
        f"--config.corpus.label_dir={labels}",
        "--config.corpus.num_tags=3",
    )
    done = audit(*call, f"--workdir={tmp_path / 'audit'}")
    assert done.returncode == 0, done.stderr
    assert "All 20 files are missing below" in done.stdout
    assert "1 of 1 artists has clips in several splits: Kay Kyser." in done.stdout
    assert "Pons et al. 2018" in done.stdout

    refused = audit(*call, f"--workdir={labels}")
    assert refused.returncode == 2
    assert "holds files (annotations_final.csv, …) but no audit" in refused.stderr
    assert len(list(labels.iterdir())) == 2
