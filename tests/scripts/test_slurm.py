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
TRAIN, ON_CPU = ("train.sh", "train_nodes.sh", "point.sh"), ("prepare.sh", "report.sh")
JOBS = TRAIN + ON_CPU

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
    """A folder of commands that note how they were called, and a clone, `repo`."""
    repo = tmp_path / "repo"
    repo.mkdir()
    for path in ROOT.iterdir():
        if path.name in {"main.py", "configs"}:
            (repo / path.name).symlink_to(path)
    shutil.copytree(FOLDER, repo / "scripts" / "slurm")
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
        "PYTHONPATH": str(ROOT),
        "SLURM_SUBMIT_DIR": str(cluster / "repo"),
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


def run(
    name: str, arguments: list[str], env: dict, site: str = ""
) -> subprocess.CompletedProcess:
    """Runs a script of the clone, where the cluster's own settings may be."""
    folder = Path(env["SLURM_SUBMIT_DIR"]) / "scripts" / "slurm"
    if site:
        (folder / "site.local.sh").write_text(site)
    command = ["bash", str(folder / name), *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=600)


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
def test_jobs_that_train_ask_for_a_gpu(name):
    lines = (FOLDER / name).read_text().splitlines()
    asked = [line for line in lines if line.startswith("#SBATCH --gpus-per-node=")]
    assert len(asked) == (name in TRAIN)


@pytest.mark.parametrize("name", JOBS)
def test_every_job_calls_main_with_known_flags(name, cluster):
    arguments = ["--workdir=runs/x"]
    if name != "report.sh":
        arguments += ["--config=configs/data_size.py", "--config.corpus.name=folder"]
        arguments += [f"--config.corpus.audio_dir={cluster}"]
    if name in ("train.sh", "train_nodes.sh"):
        arguments[1] = "--config=configs/db_mel.py"
    env = environment(cluster, LOCAL_DIR="/scratch/17", **array(3, 16))
    done = run(name, arguments, env)
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
    trains = name in TRAIN
    assert ("--platform=gpu" in words) == trains
    assert ("--config.input.local_dir=/scratch/17" in words) == trains
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
        ["bash", str(cluster / "repo" / "scripts" / "slurm" / "point.sh")],
        env=environment(cluster, TASK=task, **array(3, 16)),
    )
    while not (cluster / "started").exists():
        assert job.poll() is None
        time.sleep(0.02)
    job.send_signal(signal.SIGTERM)  # That is for the tasks, and not passed on.
    time.sleep(0.2)
    assert job.poll() is None
    job.send_signal(signal.SIGUSR1)
    assert job.wait(600) == 138
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


def test_a_warning_after_the_end_of_the_run_is_too_late_to_matter(cluster):
    """While Slurm is asked, say, which takes long where it is busy."""
    task = f"echo $PPID > {cluster}/script; exit 143"
    text = (cluster / "scontrol").read_text()
    warn = f'kill -USR1 "$(cat {cluster}/script)"\n'
    (cluster / "scontrol").write_text(text.replace('echo "Job', f'{warn}echo "Job'))
    env = environment(cluster, TASK=task, SHOWN="PreemptTime=2026-11-25T14:14:32")
    done = run("train.sh", ["--config=configs/db_mel.py"], env)
    assert done.returncode == 143
    assert calls(cluster)[-1] == ["scontrol", "requeue", "17"]


SITE = """
CPU_OPTIONS=(--partition=cpu --account="music lab")
TRAIN_OPTIONS=(--partition=gpu)
"""
BOTH = ["--parsable", "--kill-on-invalid-dep=yes"]


def submitted(
    folder: Path, script: str, own: list[str], given: list[str], words: list[str]
) -> list[str]:
    """How sbatch is called: the cluster's options, the log's place, the job's."""
    log = "%x-%A_%a" if script in ("prepare.sh", "point.sh") else "%x-%j"
    place = f"--output={folder}/logs/{log}.out"
    return ["sbatch", *own, place, *given, f"scripts/slurm/{script}", *words]


@pytest.fixture
def corpus(tmp_path):
    """The words that name a corpus of songs that are no sound, but there."""
    folder = tmp_path / "music"
    folder.mkdir()
    rows = [("a.wav", "train", "x"), ("b.wav", "valid", "x"), ("c.wav", "valid", "y")]
    lines = [f"{path},{path},{split},{tag}\n" for path, split, tag in rows]
    (folder / "tags.csv").write_text("track_id,path,split,tags\n" + "".join(lines))
    for path, *_ in rows:
        (folder / path).write_text("sound")
    return ["--config.corpus.name=folder", f"--config.corpus.audio_dir={folder}"]


def test_a_study_is_prepared_then_trained_then_reported(cluster, corpus):
    given = ["--config=configs/data_size.py", *corpus]
    env = environment(cluster, PREPARE_JOBS="16", POINTS_AT_ONCE="4")
    workdir = cluster / "sizes"
    flags = ["--cpu=--qos=short", "--train=--time=12:00:00", "--train=--mem=64G"]
    done = run("study.sh", [*flags, str(workdir), *given], env, SITE)
    assert done.returncode == 0, done.stderr
    own = f"--workdir={workdir}"
    on_cpu = ["--partition=cpu", "--account=music lab"]
    every = ",".join(map(str, range(14)))
    training = [*BOTH, "--time=12:00:00", "--mem=64G", "--dependency=afterok:1"]
    training += [f"--array={every}%4"]
    reporting = [*BOTH, "--qos=short", "--dependency=afterany:2"]
    preparing = [*BOTH, "--qos=short", "--array=0-15"]
    assert calls(cluster) == [
        submitted(workdir, "prepare.sh", on_cpu, preparing, [own, *given]),
        submitted(workdir, "point.sh", ["--partition=gpu"], training, [own, *given]),
        submitted(workdir, "report.sh", on_cpu, reporting, [own]),
    ]
    assert f"points {every}: job 2" in done.stdout
    assert [path.name for path in workdir.iterdir()] == ["logs"]


def test_some_points_of_a_study_are_prepared_and_trained(cluster):
    given = ["--config=configs/data_size.py", "--config.num_seeds=3"]
    words = [str(cluster / "sizes"), given[0], "--point=size-stft-0*,0", given[1]]
    # What is tried before anything waits needs no GPU where jobs are submitted.
    done = run("study.sh", words, environment(cluster) | {"JAX_PLATFORMS": "cuda"})
    assert done.returncode == 0, done.stderr
    prepare, train, _ = calls(cluster)
    assert "--point=size-stft-0*,0" in prepare
    assert "--array=0,7,8,9,10,11,12%8" in train
    assert train[-2:] == given and not any("--point" in word for word in train)


def test_every_point_of_a_sweep_of_ones_own_is_a_job_of_its_own(cluster):
    words = [
        "--config=configs/db_mel.py",
        "--config.sweep=(('a',(('seed',1),)),('b',()))",
    ]
    done = run("study.sh", [str(cluster / "x"), *words], environment(cluster))
    assert done.returncode == 0, done.stderr
    _, train, _ = calls(cluster)
    assert "--array=0,1%8" in train and train[-2:] == words


@pytest.mark.parametrize("name", JOBS)
def test_a_job_is_submitted_with_what_the_cluster_needs(name, cluster):
    folder = cluster / "a run"
    words = [f"--workdir={folder}", "--config=configs/db_mel.py"]
    env = environment(cluster, CHECKED="" if name == "train.sh" else "1")
    done = run("submit.sh", ["--time=01:00:00", name, *words], env, SITE)
    assert done.returncode == 0, done.stderr
    on_cpu = ["--partition=cpu", "--account=music lab"]
    own = ["--partition=gpu"] if name in TRAIN else on_cpu
    assert calls(cluster) == [submitted(folder, name, own, ["--time=01:00:00"], words)]
    assert (folder / "logs").is_dir()


@pytest.mark.parametrize("name", ["train.sh", "report.sh"])
def test_a_cluster_without_gpus_says_so_once(name, cluster):
    site, env = "PLATFORM=cpu", environment(cluster, CHECKED="1")
    assert run("submit.sh", [name], env, site).returncode == 0
    own = ["--gpus-per-node=0"] if name in TRAIN else []
    assert calls(cluster) == [submitted(Path("runs"), name, own, [], [])]
    assert (cluster / "repo" / "runs" / "logs").is_dir()
    run(name, ["--workdir=x"], env)
    assert ("--platform=cpu" in calls(cluster)[1]) == (name in TRAIN)


def test_what_the_site_says_leaves_the_rest_as_it_is(cluster):
    site = 'DATA_DIR=/shared/data\nLOCAL_DIR="${SLURM_TMPDIR:-}"\nPYTHON=(env python)'
    env = environment(cluster, SLURM_TMPDIR="/disk")
    assert run("train.sh", ["--config=configs/db_mel.py"], env, site).returncode == 0
    [[_, _, *words]] = calls(cluster)
    assert words[:2] == ["env", "python"]
    assert {"--data_dir=/shared/data", "--config.input.local_dir=/disk"} < set(words)
    assert any("=/shared/data/programs/" in word for word in words)


@pytest.mark.parametrize("separator", ["=", " "])
def test_what_a_job_is_given_wins_over_the_site(separator, cluster):
    words = ["--config=configs/db_mel.py"]
    for key in ("compilation_cache_dir", "input.local_dir"):
        words += f"--config.{key}{separator}mine".split()
    env = environment(cluster, LOCAL_DIR="/disk")
    assert run("train.sh", words, env).returncode == 0
    [call] = calls(cluster)
    assert call[-len(words) :] == words
    assert not any("programs/" in word or "/disk" in word for word in call)


@pytest.mark.parametrize("words", ["=False", " false", "=0", "=True", "", "no"])
def test_a_job_that_may_come_back_has_to_resume(words, cluster):
    dashes = "-" if words == "=0" else "--"  # Either is a flag.
    given = f"--config=configs/db_mel.py {dashes}config.resume{words}" if words else ""
    given = "--config=configs/db_mel.py --noconfig.resume" if words == "no" else given
    done = run("train.sh", given.split(), environment(cluster))
    refused = words not in ("=True", "")
    assert done.returncode == (2 if refused else 0)
    assert ("leave it out, and name a new --workdir" in done.stderr) == refused
    assert (calls(cluster) == [[""]]) == refused


def shell(cluster: Path, line: str, **variables: str) -> str:
    """What a line says that uses what the scripts share."""
    return subprocess.run(
        ["bash", "-c", f"set -euo pipefail; . scripts/slurm/jobs.sh; {line}"],
        cwd=cluster / "repo",
        env=environment(cluster, **variables),
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def test_each_kind_of_processor_has_a_folder_of_programs(cluster):
    arm = "processor\t: {}\nFeatures\t: fp asimd\nCPU part\t: {}\n"
    described = {
        "x86": "processor\t: 0\nflags\t\t: avx2\n",
        "a76": arm.format(0, "0xd0b"),
        "a78": arm.format(0, "0xd41"),
        "other": "processor\t: 0\n",
    }
    for name, text in described.items():
        (cluster / name).write_text(text)
    every = [*described, "missing"]
    line = "; ".join(f"programs_dir {cluster / name}" for name in every)
    found = dict(zip(every, shell(cluster, line).split("\n"), strict=True))
    assert found.pop("missing") == found["other"]
    assert len(set(found.values())) == len(found)
    # Of the same kind, on another core.
    (cluster / "a76").write_text(arm.format(0, "0xd0b") + arm.format(1, "0xd0b"))
    assert shell(cluster, f"programs_dir {cluster / 'a76'}") == found["a76"]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"DATA_DIR": "/shared"}, "/shared/programs"),
        ({"DATA_DIR": "gs://bucket/msd"}, "data/programs"),
        ({"DATA_DIR": "gs://bucket/msd", "PROGRAMS": "/mine"}, "/mine"),
    ],
)
def test_programs_are_kept_in_a_folder_and_not_at_an_address(
    variables, expected, cluster
):
    assert shell(cluster, 'echo "$PROGRAMS"', **variables) == expected


def test_a_folder_in_a_word_of_its_own_is_refused(cluster):
    words = ["train.sh", "--config=configs/db_mel.py", "--workdir", "runs/x"]
    done = run("submit.sh", words, environment(cluster))
    assert done.returncode == 2
    assert "submit.sh: write --workdir=… in one word" in done.stderr
    assert calls(cluster) == [[""]]


def test_the_sites_own_settings_are_left_alone_by_git():
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert "/scripts/slurm/site.local.sh" in ignored


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("study.sh", ["runs/x", "--config=configs/paper.py"]),
        ("train.sh", ["--config=configs/db_mel.py"]),
    ],
)
def test_a_missing_environment_is_named(name, words, cluster):
    (cluster / "python").write_text("#!/bin/sh\necho no module named absl >&2; exit 1")
    (cluster / "python").chmod(0o755)
    done = run(name, words, environment(cluster))
    assert done.returncode == 2
    assert f"{name}: 'python' on " in done.stderr
    assert "not a Python with JAX" in done.stderr and "site.local.sh" in done.stderr
    assert "absl" not in done.stderr
    assert calls(cluster) == [[""]]


@pytest.mark.parametrize("name", ["study.sh", "submit.sh"])
def test_missing_slurm_is_named(name, cluster):
    tools = cluster / "tools"  # The machine may have a Slurm of its own.
    tools.mkdir()
    for tool in ("bash", "dirname", "basename", "hostname"):
        (tools / tool).symlink_to(shutil.which(tool))
    words = ["train.sh"] if name == "submit.sh" else ["x", "--config=configs/paper.py"]
    done = run(name, words, environment(cluster) | {"PATH": str(tools)})
    assert done.returncode == 2
    assert "there is no sbatch on " in done.stderr
    assert {path.name for path in (cluster / "repo").iterdir()} == {
        *("main.py", "configs", "scripts"),
    }


@pytest.mark.parametrize("words", [[], ["--time", "1:00", "train.sh"], ["slurm/x.sh"]])
def test_no_job_is_named(words, cluster):
    done = run("submit.sh", words, environment(cluster))
    assert done.returncode == 2 and "is none of train.sh, " in done.stderr


def test_a_job_that_was_not_submitted_says_so(cluster):
    env = environment(cluster)
    copy = {key: value for key, value in env.items() if key != "SLURM_SUBMIT_DIR"}
    done = subprocess.run(
        ["bash", FOLDER / "train.sh"], env=copy, capture_output=True, text=True
    )
    assert done.returncode != 0 and "start this with submit.sh" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["runs/x", "--config=configs/paper.py", "--config.seeds=3"], "config.seeds"),
        (["runs/x", "--config=configs/db_mel.py"], "db_mel is not a study"),
        (
            ["runs/x", "--config=configs/variance.py", "--config.train.optimiser=adm"],
            "optimiser=adm: choose one of",
        ),
        (
            ["runs/x", "--config=configs/variance.py", "--config.resume=False"],
            "would begin a folder of its own",
        ),
        (["--config=configs/variance.py"], "usage: "),
        (["runs/x", "--config=configs/paper.py", "--point=pre-bd-*"], "17 pre-db-"),
        (["runs/x", "--config=configs/paper.py", "--point", "3"], "in one word"),
        (["runs/x", "--config=configs/paper.py", "num_seeds=3"], "num_seeds=3"),
    ],
)
def test_a_wrong_study_is_not_submitted(arguments, said, cluster):
    done = run("study.sh", arguments, environment(cluster))
    assert done.returncode != 0
    assert said in done.stderr
    assert calls(cluster) == [[""]]


def test_preparation_needs_no_network_that_fits(cluster):
    words = ["prepare.sh", "--config=configs/db_mel.py", "--config.clip.duration_s=3"]
    done = run("submit.sh", words, environment(cluster))
    assert done.returncode == 0, done.stderr
    assert calls(cluster)[0][-2:] == words[1:]


@pytest.mark.parametrize(
    ("name", "wish", "said"),
    [
        ("train.sh", "--config.seeds=3", "there is no such key"),
        ("train_nodes.sh", "--config.resume=False", "would begin a folder of its own"),
        (
            "point.sh",
            "--config=configs/data_size.py --point=0",
            "has a point of its own",
        ),
    ],
)
def test_a_wrong_job_is_not_submitted(name, wish, said, cluster):
    config = [] if "--config=" in wish else ["--config=configs/db_mel.py"]
    words = [name, *config, *wish.split()]
    done = run("submit.sh", words, environment(cluster))
    assert done.returncode != 0
    assert said in done.stderr and "Traceback" not in done.stderr
    assert calls(cluster) == [[""]]


def test_a_job_that_asks_too_much_of_its_corpus_is_not_submitted(cluster, corpus):
    words = ["train.sh", "--config=configs/db_mel.py", "--config.train.labels=true"]
    done = run("submit.sh", [*words, *corpus], environment(cluster))
    assert done.returncode != 0
    assert "does not know which tags are true" in done.stderr
    assert calls(cluster) == [[""]]


def test_a_corpus_is_read_for_the_longest_clips_of_all_points(cluster):
    reader = "def read(clip_duration_s): raise ValueError(f'for {clip_duration_s} s')"
    (cluster / "my_corpora.py").write_text(reader)
    env = environment(cluster)
    env["PYTHONPATH"] += f":{cluster}"
    points = "(('short',()),('long',(('clip.duration_s',40.0),)))"
    words = ["--config=configs/db_mel.py", f"--config.sweep={points}"]
    words += ["--config.corpus.name=my_corpora:read"]
    done = run("study.sh", [str(cluster / "x"), *words], env)
    assert done.returncode != 0
    assert "for 40.0 s" in done.stderr


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        (["tags.csv"], "tags.csv"),
        (["a.wav", "c.wav"], "of 3 audio files that were looked for, 2 are missing"),
    ],
)
def test_a_study_without_its_corpus_is_not_submitted(lost, said, cluster, corpus):
    for name in lost:
        (cluster / "music" / name).unlink()
    words = [str(cluster / "x"), "--config=configs/data_size.py", *corpus]
    done = run("study.sh", words, environment(cluster))
    assert done.returncode != 0
    assert said in done.stderr and "Traceback" not in done.stderr
    assert calls(cluster) == [[""]]
    assert not (cluster / "x").exists()
