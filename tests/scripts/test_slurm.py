"""The job scripts do what they should, with stand-ins for Slurm's commands."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "scripts" / "slurm"
SCRIPTS = sorted(FOLDER.glob("*.sh"))
JOBS = ("train.sh", "train_nodes.sh", "prepare.sh", "point.sh", "report.sh")

# Each notes how it was called. What `srun` then does, and `scontrol` prints, is the
# test's to say; `sbatch` numbers jobs as several clusters do.
FAKES = {
    "srun": 'exec bash -c "$TASK"',
    "scontrol": 'echo "JobState=RUNNING $SHOWN"',
    "sbatch": 'echo "$(grep -c ^sbatch "$CALLS");cluster"',
}

# As main.py answers a signal during training; `srun` forwards SIGUSR1 alone.
TRAINING = "trap 'exit 138' USR1; touch started; while :; do sleep 0.02; done"

CHECK = """
import sys
import main
main.parse_flags(["main.py", *sys.argv[1:]])
main.check(main.MODE.value, ())
"""


@pytest.fixture
def cluster(tmp_path):
    """A folder of commands, and a function that reads how they were called."""
    for name, body in FAKES.items():
        note = f'#!/bin/bash\n(echo {name}; printf "%s\\n" "$@"; echo) >> "$CALLS"\n'
        (tmp_path / name).write_text(note + body + "\n")
        (tmp_path / name).chmod(0o755)
    return tmp_path


def calls(cluster: Path) -> list[list[str]]:
    """The words of every call so far."""
    path = cluster / "calls"
    text = path.read_text() if path.exists() else ""
    return [part.split("\n") for part in text.removesuffix("\n\n").split("\n\n")]


def environment(cluster: Path, **more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("SLURM")}
    python = Path(sys.executable).parent
    return kept | {
        "PATH": f"{cluster}:{python}:{kept['PATH']}",
        "CALLS": str(cluster / "calls"),
        "TASK": "exit 0",
        "SHOWN": "PreemptTime=None",
        "SLURM_SUBMIT_DIR": str(ROOT),
        "SLURM_JOB_ID": "17",
        "SLURM_CPUS_PER_TASK": "8",
        **more,
    }


def array(number: int, count: int) -> dict[str, str]:
    return {
        "SLURM_ARRAY_JOB_ID": "12",
        "SLURM_ARRAY_TASK_ID": str(number),
        "SLURM_ARRAY_TASK_COUNT": str(count),
    }


def run(name: str, arguments: list[str], env: dict) -> subprocess.CompletedProcess:
    command = ["bash", str(FOLDER / name), *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_sound(path):
    subprocess.run(["bash", "-n", path], check=True)
    shellcheck = shutil.which("shellcheck") or shutil.which(
        "shellcheck", path=str(Path(sys.executable).parent)
    )
    if not shellcheck:
        pytest.skip('shellcheck is not installed: pip install -e ".[dev]"')
    done = subprocess.run(
        [shellcheck, "-x", str(path)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", JOBS)
def test_what_is_stopped_may_come_back(name):
    lines = (FOLDER / name).read_text().splitlines()
    options = " ".join(line for line in lines if line.startswith("#SBATCH"))
    # A second start must not empty the log of the first.
    assert "--requeue" in options and "--open-mode=append" in options
    assert name == "report.sh" or "--signal=B:USR1@" in options


@pytest.mark.parametrize("name", JOBS)
def test_every_job_calls_main_with_known_flags(name, cluster):
    arguments = ["--workdir=runs/x"]
    if name != "report.sh":
        arguments += ["--config=configs/data_size.py", "--config.corpus.name=folder"]
        arguments += [f"--config.corpus.audio_dir={cluster}"]
    if name in ("train.sh", "train_nodes.sh"):
        arguments[1] = "--config=configs/db_mel.py"
    done = run(name, arguments, environment(cluster, **array(3, 16)))
    assert done.returncode == 0, done.stderr
    [[command, *words]] = calls(cluster)
    start = words.index("main.py")
    assert command == "srun"
    assert words[:start] == ["--cpus-per-task=8", "python"]
    assert " ".join(arguments) in " ".join(words)
    if name == "prepare.sh":
        assert "--config.prepare.worker=3" in words
        assert "--config.prepare.num_workers=16" in words
    assert ("--point=3" in words) == (name == "point.sh")
    assert ("--config.distributed=auto" in words) == (name == "train_nodes.sh")
    done = subprocess.run(
        [sys.executable, "-c", CHECK, *words[start + 1 :]],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_a_warned_job_saves_and_goes_back_into_the_queue(cluster):
    task = f"cd {cluster}; {TRAINING}"
    job = subprocess.Popen(
        ["bash", str(FOLDER / "point.sh")],
        env=environment(cluster, TASK=task, **array(3, 16)),
    )
    while not (cluster / "started").exists():
        assert job.poll() is None
        time.sleep(0.02)
    job.send_signal(signal.SIGTERM)  # That is for the tasks, and not passed on.
    time.sleep(0.2)
    assert job.poll() is None
    job.send_signal(signal.SIGUSR1)
    assert job.wait(20) == 138
    assert calls(cluster)[1:] == [["scontrol", "requeue", "12_3"]]


@pytest.mark.parametrize(
    ("status", "shown", "again"),
    [
        (0, "PreemptTime=2026-11-25T14:14:32", False),
        (2, "PreemptTime=None", False),
        (143, "PreemptTime=None", False),  # Somebody's scancel.
        (143, "PreemptTime=2026-11-25T14:14:32", True),
        (138, "PreemptTime=None", True),
    ],
)
def test_only_interrupted_jobs_come_back(status, shown, again, cluster):
    env = environment(cluster, TASK=f"exit {status}", SHOWN=shown)
    done = run("train.sh", ["--config=configs/db_mel.py"], env)
    assert done.returncode == status
    assert (["scontrol", "requeue", "17"] in calls(cluster)) == again


def test_a_study_is_prepared_then_trained_then_reported(cluster):
    given = ["--config=configs/data_size.py", "--config.corpus.name=folder"]
    given += [f"--config.corpus.audio_dir={cluster}"]
    env = environment(cluster, PREPARE_JOBS="16", POINTS_AT_ONCE="4")
    done = run("study.sh", ["runs/sizes", *given], env)
    assert done.returncode == 0, done.stderr
    both = ["sbatch", "--parsable", "--kill-on-invalid-dep=yes"]
    workdir = "--workdir=runs/sizes"
    assert calls(cluster) == [
        [*both, "--array=0-15", "scripts/slurm/prepare.sh", *given],
        [
            *(*both, "--dependency=afterok:1", "--array=0-13%4"),
            *("scripts/slurm/point.sh", workdir, *given),
        ],
        [*both, "--dependency=afterany:2", "scripts/slurm/report.sh", workdir],
    ]
    assert "14 points: job 2" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["runs/x", "--config=configs/paper.py", "--config.seeds=3"], "config.seeds"),
        (["runs/x", "--config=configs/db_mel.py"], "db_mel is no study"),
        (["--config=configs/variance.py"], "usage: "),
        (["runs/x", "--config=configs/paper.py", "--point=3"], "--point has no"),
        (["runs/x", "--config=configs/paper.py", "num_seeds=3"], "num_seeds=3"),
    ],
)
def test_a_wrong_study_is_not_submitted(arguments, said, cluster):
    done = run("study.sh", arguments, environment(cluster))
    assert done.returncode != 0
    assert said in done.stderr
    assert calls(cluster) == [[""]]
