"""A user's mistakes end with a sentence and status 2, before any work is done.

And what main.py sets up works: a run without TensorFlow, a cache of compiled programs.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import main
from modes.command_line import help_for
from msd_tagger.commands import command_line

ROOT = Path(__file__).resolve().parents[1]
CONFIG = "--config=configs/db_mel.py"


def call(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "main.py", *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=600,  # A guard: a loaded machine takes a minute to import.
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--config is missing"),
        (("--config=configs/db_ml.py",), "configs/db_ml.py"),
        (("--config=tests/configs/undefined.py",), "undefined.py, line 7: name 'epo"),
        (("--config=~/no/such.py",), f"--config={Path.home()}/no/such.py: there is no"),
        (
            ("--mode=report", "--workdir=~/no/such/run"),
            f"{Path.home()}/no/such/run holds neither a run nor",
        ),
        ((CONFIG, "--confg=1"), "Unknown command line flag 'confg'"),
        ((CONFIG, "--mode=tarin"), "value should be one of <run|prepare|"),
        ((CONFIG, "--config.num_sed=1"), "did you mean num_seeds"),
        ((CONFIG, "--config.batch_size=1"), "did you mean train.batch_size"),
        (
            (CONFIG, "--config.train.batch_size=many"),
            "batch_size=many: must be a whole number, at least 0 and at most 65536",
        ),
        ((CONFIG, "--config.resume", "--config.train.max_epochs=x"), "a number, more"),
        ((CONFIG, "--config.resume=maybe"), "resume=maybe: must be True or False"),
        (
            (CONFIG, "--config.model.pools=((2,4)"),
            "pools=((2,4): must be written as Python's ((bands, frames), …)",
        ),
        ((CONFIG, "--config.spectrogram.kind=mfcc"), "must be one of 'mel', 'stft'"),
        ((CONFIG, "--config.train.fraction=0"), "fraction=0.0: must be more than 0"),
        ((CONFIG, "--config.corpus.name=folder"), "--config.corpus.audio_dir=DIR"),
        (
            (CONFIG, "--config.clip.duration_s=10"),
            "frames layer 5 pools 1 of them by 4",
        ),
        ((CONFIG, "--config.spectrogram.num_mel_bands=40"), "do not fit 40 bands"),
        ((CONFIG, "--config.train.num_devices=4096"), "num_devices=4096: 1 available"),
        (
            (CONFIG, "--config.compilation_cache_dir=main.py"),
            "'main.py' cannot be created",
        ),
        ((CONFIG, "-config.train.bach=3"), "there is no such key"),
        (
            (
                CONFIG,
                "--config.corpus.name=folder",
                "--config.corpus.audio_dir=tests",
                "--config.prepare.num_workers=3",
            ),
            "--mode=run with --config.prepare.num_workers=3: jobs of an array",
        ),
        (
            (CONFIG, "--mode=prepare", "--config.prepare.beam=--flink_master=x"),
            "--config.prepare.beam='--flink_master=x' ",
        ),
        ((CONFIG, "--mode=evaluate", "--bundle=tests"), "tests holds no bundle"),
        ((CONFIG, "song.mp3"), "arguments without a flag: song.mp3"),
        (
            ("--mode=report", "--workdir=no/such/run"),
            "no/such/run holds neither a run nor",
        ),
        (
            ("--config=configs/network.py", "--config.num_seeds=3"),
            "num_seeds=3: --mode=run of network does not read this key; it is for a t",
        ),
        (("--mode=report",), "--workdir is missing"),
        (
            ("--mode=compare", "x", "y"),
            "--out is missing; --mode=compare: compare runs",
        ),
        (
            ("--mode=export", "--out=new"),
            "--workdir names a run whose bundle to export",
        ),
        (("--mode=export",), "--out is missing; --mode=export: copy a run's model"),
        (
            ("--mode=export", "--workdir=no/such/run", "--out=new"),
            "--workdir=no/such/run holds no run",
        ),
        ((CONFIG, "--out=new"), "--out has no meaning for --mode=run; it goes with ev"),
        (
            (CONFIG, "--mode=audit", "--point=0"),
            "--point has no meaning for --mode=audit; it goes with run, prepare",
        ),
        (
            (CONFIG, "--mode=report", "--workdir=no/such/run"),
            "--config has no meaning for --mode=report",
        ),
        (
            ("--mode=report", "--workdir=no/such/run", "--platform=tpu"),
            "--platform has no meaning for --mode=report",
        ),
        (
            ("--mode=report", "--workdir=no/such/run", "--data_dir=x"),
            "--data_dir has no meaning for --mode=report",
        ),
        (
            (CONFIG, "--workdir=gs://bucket/run"),
            "--workdir=gs://bucket/run: must be a place on this machine",
        ),
        (("--config=configs/paper.py:quik",), "configs/paper.py:quik: choose configs"),
        ((CONFIG, "--workdir=tests"), "--workdir=tests holds files"),
        ((CONFIG, "--point=0"), "--point=0: db_mel is not a study of several runs"),
        ((CONFIG, "--point="), "--point= is empty"),
        ((CONFIG, "--workdir="), "--workdir= is empty"),
        (
            (CONFIG, "--workdir=main.py/run"),
            "--workdir=main.py/run: main.py is a file; give an empty or new folder",
        ),
        ((CONFIG, "--workdir=main.py"), "--workdir=main.py is a file; give an empty"),
        (
            ("--config=configs/groundtruth.py", "--workdir=main.py"),
            "--workdir=main.py is a file; give an empty or new folder",
        ),
        ((CONFIG, "--workdir=/proc/run"), "/proc/matter.json cannot be written"),
        (("--mode=tag", "--bundle=x", "--data_dir=", "a.mp3"), "--data_dir= is empty"),
        (
            (CONFIG, "--config.num_seeds=3", "--config.num_seeds=5"),
            "--config.num_seeds is given twice",
        ),
        ((CONFIG, "--point=0", "--point=1"), "with commas between points"),
    ],
)
def test_a_mistake_gets_a_sentence(arguments, message, tmp_path, warm_starts):
    refuses(arguments, message, tmp_path)


def test_a_platform_that_is_not_there_gets_a_sentence(tmp_path):
    arguments = (CONFIG, "--platform=tpu")
    refuses(arguments, "no device for JAX_PLATFORMS='tpu'", tmp_path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("get_config(train__learning_rate='0.1')", "line 4: Could not override field"),
        ("get_config(train__epochs=3)", "line 4: train.epochs: there is no such key"),
        ("get_config(seed=open('/no/rates').read())", "line 4: /no/rates: No such fil"),
        ("get_config(seed=[1][3])", "line 4: IndexError: list index out of range"),
        (
            "get_config().train.__setitem__('lerning_rate', 1)",
            'line 4: Key "lerning_rate" does not exist and cannot be added since the '
            'config is locked. Did you mean "learning_rate" instead of "lerning_rate"?',
        ),
        ("get_config(sweep=None)", "sweep is None"),
        ("__doc__ and None", "the configuration is a NoneType; get_config() of its f"),
    ],
)
def test_a_mistake_in_a_file_of_ones_own_is_placed(line, message, tmp_path):
    own = tmp_path / "own.py"
    body = (
        f"from configs import default\n\ndef get_config():\n    return default.{line}\n"
    )
    own.write_text(body)
    refuses((f"--config={own}",), message, tmp_path)


def refuses(arguments, message, tmp_path):
    reads_data = any(one.startswith("--config") for one in arguments)
    data = [f"--data_dir={tmp_path / 'data'}"] if reads_data else []
    result = call(*arguments, *data)
    assert result.returncode == 2, result.stderr
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("environment", "shown"),
    [
        ({}, "日本"),
        ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, "日本"),
        ({"PYTHONIOENCODING": "latin-1"}, r"\u65e5\u672c"),
    ],
)
def test_names_are_told_in_every_locale(environment, shown):
    result = call("--config=configs/日本.py", **environment)
    assert (result.returncode, result.stdout) == (2, "")
    assert f"configs/{shown}.py" in result.stderr


@pytest.mark.parametrize("closed", ["2>&-", ">&-", "<&- >&- 2>&-"])
def test_closed_streams_change_no_status(closed):
    command = f"{sys.executable} main.py --mode=report {closed}"
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True)
    assert (done.returncode, done.stdout) == (2, b"")


# Runs main.py where some packages cannot be imported.
BLOCKED = """
import runpy
import sys
sys.modules.update(dict.fromkeys(sys.argv.pop(1).split(",")))
runpy.run_path("main.py", run_name="__main__")
"""


@pytest.mark.slow
def test_preparation_needs_no_tensorflow_and_training_says_what_it_needs(tmp_path):
    done = subprocess.run(
        [
            *(sys.executable, "-c", BLOCKED, "tensorflow,tensorflow_datasets"),
            CONFIG,
            "--config.corpus.train_clips=12",
            "--config.corpus.valid_clips=2",
            "--config.corpus.test_clips=4",
            "--config.train.max_steps=1",
            "--config.train.batch_size=4",
            "--config.clip.duration_s=2",
            "--config.spectrogram.num_mel_bands=24",
            "--config.model.channels=4",
            "--config.model.pools=((2,3),(3,5),(3,5))",
            f"--data_dir={tmp_path / 'data'}",
            f"--workdir={tmp_path / 'run'}",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "shards are read with TensorFlow, which is not installed" in done.stderr
    (shards,) = (tmp_path / "data" / "shards").glob("*/*")
    assert (shards / "corpus.json").exists()
    assert not (shards / "dataset_info.json").exists()


CACHED = """
import sys
from msd_tagger import platform
platform.load_programs_quietly()
import jax, numpy
jax.numpy.ones(3)  # JAX has compiled something, and kept nothing.
platform.keep_programs(sys.argv[1])
found = []
jax.monitoring.register_event_listener(lambda name, **_: found.append(name))
def slow(x):
    for i in range(150):
        x = jax.numpy.sin(x @ x.T + i)
    return x
jax.jit(slow)(numpy.ones((3, 3), numpy.float32))
print(found.count("/jax/compilation_cache/cache_hits"))
"""


@pytest.mark.parametrize("name", ["deep", "\udce9"])  # The latter is not UTF-8.
def test_the_second_start_takes_compiled_programs_from_the_folder(tmp_path, name):
    folder = tmp_path / name / "programs"
    for hits in ("0\n", "1\n"):
        done = subprocess.run(
            [sys.executable, "-c", CACHED, folder],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout == hits, done.stderr
        assert done.stderr == ""
        assert any(folder.iterdir())


def test_every_mode_of_the_table_can_be_called():
    for name, mode in main.MODES.items():
        assert callable(command_line.load(mode.function)), name
        assert all(flag in main.flags.FLAGS for flag in (*mode.needs, *mode.takes))


def test_help_says_what_the_modes_do():
    shown = help_for([])
    for name, mode in main.MODES.items():
        assert f"\n{name}: {mode.help[:40]}" in shown and mode.examples[0] in shown
    result = call("--help")
    assert (result.returncode, result.stdout) == (0, f"{shown}\n")


NO_DEVICE = ("report", "compare")  # Nor a command line of a run.


@pytest.mark.parametrize("name", list(main.MODES))
def test_help_of_a_mode_shows_what_it_reads(name):
    shown = help_for([f"--mode={name}", "--help"])
    mode = main.MODES[name]
    assert all(one in shown for one in mode.examples)
    assert mode.help in " ".join(shown.split())
    needed = ("config", *mode.needs) if mode.needs_config else mode.needs
    assert all(f" --{flag}=…" in shown.splitlines()[0] for flag in needed)
    known = {flag for one in main.MODES.values() for flag in one.needs + one.takes}
    told = set(re.findall(r"^  --(\w+): ", shown, re.MULTILINE))
    assert told & known == {*mode.needs, *mode.takes}
    assert ("platform" in told) == mode.takes_platform == (name not in NO_DEVICE)
    assert ("config" in told) == mode.needs_config


def test_help_of_a_mode_lists_its_keys():
    shown = " ".join(help_for(["-h", "--mode", "audit"]).split())
    assert "--config.prepare: kinds" in shown
    assert "max_epochs" not in shown and "label_studio" not in shown
    with pytest.raises(ValueError, match=r"--mode=x is unknown; choose from run, "):
        help_for(["--help", "--mode=x"])


@pytest.mark.parametrize(
    ("raised", "parts"),
    [
        (
            "RuntimeError('RESOURCE_EXHAUSTED: Out of memory: 9 GiB\\nat op')",
            ["RESOURCE_EXHAUSTED: Out of memory: 9 GiB)", "train.seeds_per_chunk"],
        ),
        ("MemoryError('Unable to allocate 9 GiB')", ["allocate 9 GiB", "`ulimit -v`"]),
        (
            "ImportError('x.so: failed to map segment from shared object')",
            ["x.so: failed to map segment", "`ulimit -v`"],
        ),
        (
            "OSError(36, 'File name too long', 'runs/xx')",
            ["-c: runs/xx: File name too long; give a shorter name"],
        ),
    ],
)
def test_what_the_machine_lacks_gets_a_sentence(raised, parts):
    code = (
        "from msd_tagger.commands import command_line\n"
        "def fails():\n"
        f"    raise {raised}\n"
        "command_line.run(fails)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    (said,) = done.stderr.splitlines()
    assert all(part in said for part in parts)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            ("--config=configs/variance.py", "--config.num_seeds=3"),
            "variance (('variance', ()),)",
        ),
        ((CONFIG, "--config.sweep=(('a',(('seed',1),)),)"), "sweep (('a', (('seed', 1"),
    ],
)
def test_points_are_those_of_a_study_and_obey(words, expected):
    assert parsed("config.task, config.sweep", words).startswith(expected)


def test_a_tilde_in_a_config_is_the_home_folder(tmp_path):
    own = tmp_path / "own.py"
    own.write_text(
        "from configs import default\n\ndef get_config():\n"
        "    return default.get_config(corpus__audio_dir='~/music')\n"
    )
    words = (f"--config={own}", "--config.analysis.annotations=('~/a.csv','b.csv')")
    found = parsed("config.corpus.audio_dir, config.analysis.annotations", words)
    assert found == "/homes/ann/music ('/homes/ann/a.csv', 'b.csv')\n"


def parsed(what, words):
    code = "import main, sys; main.parse_flags(sys.argv); config = main.CONFIG.value; "
    done = subprocess.run(
        [sys.executable, "-c", f"{code}print({what})", *words],
        env=os.environ | {"HOME": "/homes/ann"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout
