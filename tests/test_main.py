"""A user's mistakes end with a sentence and status 2, before any work is done."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CONFIG = "--config=configs/db_mel.py"


def call(*arguments):
    return subprocess.run(
        [sys.executable, "main.py", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--config is missing"),
        (("--config=configs/db_ml.py",), "configs/db_ml.py"),
        ((CONFIG, "--confg=1"), "Unknown command line flag 'confg'"),
        ((CONFIG, "--mode=tarin"), "value should be one of <run|prepare|"),
        ((CONFIG, "--config.num_sed=1"), "did you mean num_seeds"),
        ((CONFIG, "--config.batch_size=1"), "did you mean train.batch_size"),
        ((CONFIG, "--config.train.batch_size=many"), "batch_size=many"),
        ((CONFIG, "--config.spectrogram.kind=mfcc"), "must be one of 'mel', 'stft'"),
        ((CONFIG, "--config.train.fraction=0"), "fraction=0.0: must be more than 0"),
        ((CONFIG, "--config.corpus.name=folder"), "--config.corpus.audio_dir=DIR"),
        ((CONFIG, "--config.clip.duration_s=10"), "must end at 1 x 1"),
        ((CONFIG, "--config.spectrogram.num_mel_bands=40"), "turn 40 bands"),
        ((CONFIG, "--config.train.num_devices=4096"), "4096 devices asked for"),
        ((CONFIG, "--platform=tpu"), "no device for JAX_PLATFORMS='tpu'"),
        ((CONFIG, "-config.train.bach=3"), "there is no such key"),
        ((CONFIG, "song.mp3"), "arguments without a flag: song.mp3"),
        (("--mode=report", "--workdir=no/such/run"), "no/such/run: no summary.json"),
        (("--mode=report",), "--workdir is missing"),
    ],
)
def test_a_mistake_gets_a_sentence(arguments, message, tmp_path):
    data = f"--data_dir={tmp_path / 'data'}"
    result = call(*arguments, data)
    assert result.returncode == 2, result.stderr
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "data").exists()


def test_help_says_what_the_modes_do():
    result = call("--help")
    for mode in ("run", "prepare", "evaluate", "report"):
        assert f"{mode}: " in result.stdout
    for flag in ("--config", "--mode", "--workdir", "--data_dir", "--platform"):
        assert flag in result.stdout
