"""Every command in the documentation does what it says.

Short ones run, at a smaller size; of installs and long runs the files, flags and keys
are checked.
"""

import ast
import importlib.util
import itertools
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from benchmarks import __main__ as benchmarks
from modes.command_line import MODES as MAIN_MODES
from msd_tagger.commands.command_line import MODES
from tests import warm
from tests.records import write_record

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
FENCE = re.compile(r"^```(?:bash|sh)\n(.*?)^```$", re.DOTALL | re.MULTILINE)

# Parses flags as main.py does, then checks the configuration as it does.
CHECK = """
import sys
import main
from configs import checks

def check(arguments):
    sys.argv[1:] = arguments  # A config's flag looks there, too.
    main.parse_flags(["main.py", *arguments])
    if main.CONFIG.value is not None:
        checks.check(main.CONFIG.value)
"""
# Parses flags as the program `msd-tagger` does.
CHECK_COMMAND = """
from msd_tagger.commands import command_line

def check(arguments):
    name, *words = arguments
    words = command_line.parse(["msd-tagger", *words])[1:]
    mode = command_line.MODES[name]
    command_line.check_flags(mode, name, words, command_line.MODES)
"""
# Tries each call in a process of its own, as flags keep what was parsed.
CHECK_EACH = """
import json
import os
import sys
status = 0
for arguments in json.load(sys.stdin):
    child = os.fork()
    if not child:
        check(arguments)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        status = 1
        print("the call:", *arguments, file=sys.stderr)
sys.exit(status)
"""


def commands_of(page: Path) -> list[str]:
    """Returns the commands in a page's fenced blocks, one a line."""
    lines = "".join(FENCE.findall(page.read_text(encoding="utf-8"))).splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def commands_of_config(path: Path) -> list[str]:
    """Returns the commands in the docstring of a configuration."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line.startswith("python ")]


COMMANDS = [
    *((page.name, command) for page in PAGES for command in commands_of(page)),
    *(
        (path.name, command)
        for path in sorted((ROOT / "configs").glob("*.py"))
        for command in commands_of_config(path)
    ),
    *(
        ("--help", f"python main.py --mode={name} {example}")
        for name, mode in MAIN_MODES.items()
        for example in mode.examples
    ),
]
README_COMMANDS = commands_of(PAGES[0])


def words_of(command: str) -> list[list[str]]:
    """Splits a line at `&&` and each part into words."""
    return [shlex.split(part) for part in command.split("&&")]


def calls_of(*program: str) -> list[list[str]]:
    """Returns the arguments of every documented call of a program, each once."""
    calls = [
        tuple(words[len(program) :])
        for _, command in COMMANDS
        for words in words_of(command)
        if words[: len(program)] == [*program]
    ]
    return [list(call) for call in dict.fromkeys(calls)]


def python(
    *arguments: str, stdin: str = "", **environment: str
) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=600,
    )


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_every_part_of_a_command_is_known(page, command):
    for words in words_of(command):
        match words:
            case ["python" | "python3.12", "-m", "venv", ".venv"]:
                pass
            case [".", ".venv/bin/activate"]:
                pass
            case ["pip", "install", "-r", file]:
                assert (ROOT / file).is_file(), file
            case ["pip", "install", "-e", extras]:
                names = re.fullmatch(r"\.\[([a-z0-9,]+)\]", extras)[1].split(",")
                assert {*names} <= project()["optional-dependencies"].keys()
            # What shows runs is nobody's requirement, and not ours to try.
            case ["pip", "install", *packages] if packages[0][0] != "-":
                names = {re.match(r"[a-z]+", package)[0] for package in packages}
                assert names <= {"tensorboard", "wandb"}
            case ["tensorboard", "--logdir=runs"] | ["wandb", "sync", *_]:
                pass
            case ["ruff", "check", "."] | ["ruff", "format", "--check", "."]:
                pass
            case ["python", "-m", "pytest"] | ["python", "-m", "pytest", "-m", "slow"]:
                pass
            case ["mypy"]:
                pass
            case ["msd-tagger", name, *_]:
                assert name in MODES
            case ["python", "-m", "benchmarks", *arguments]:
                benchmarks.parse(arguments)
            case ["python", "-m", name, *_] if name.startswith(("scripts.", "tests.")):
                assert importlib.util.find_spec(name), name
            case ["python" | "bash", file, *_]:
                assert (ROOT / file).is_file(), file
            case _:
                pytest.fail(f"{page}: no test knows {words}")


def fill(arguments: list[str], folder: Path) -> list[str]:
    """Puts a folder that exists in the place of those that a reader has to name."""
    made = r"/path/to/[\w/.-]+|runs/published"  # The latter by another command.
    return [re.sub(made, str(folder), one) for one in arguments]


@pytest.mark.parametrize(
    ("program", "check"),
    [(("python", "main.py"), CHECK), (("msd-tagger",), CHECK_COMMAND)],
)
def test_flags_configs_and_keys_resolve(program, check, tmp_path, warm_starts):
    calls = [fill(arguments, tmp_path) for arguments in calls_of(*program)]
    assert calls
    done = python("-c", check + CHECK_EACH, stdin=json.dumps(calls))
    assert done.returncode == 0, done.stderr


def test_a_wrong_key_would_be_noticed(warm_starts):
    good = ["--config=configs/db_mel.py"]
    calls = [good, [*good, "--config.train.epoch=3"], good]
    done = python("-c", CHECK + CHECK_EACH, stdin=json.dumps(calls))
    assert done.returncode == 1
    assert done.stderr.count("the call:") == done.stderr.count("train.epoch=3") == 1


def test_the_first_command_and_the_tests_are_single_lines():
    first, tests = README_COMMANDS[0], README_COMMANDS[-1]
    environment = "python -m venv .venv && . .venv/bin/activate && pip install "
    assert first == (
        f"{environment}-r requirements.txt && "
        "python main.py --config=configs/db_mel.py --workdir=runs/first"
    )
    assert tests == (
        f'{environment}-e ".[dev]" && ruff check . && ruff format --check . && mypy && '
        "python -m pytest"
    )


def test_ci_finds_the_test_command():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    pattern = re.search(r"grep -m1 -E '([^']+)' README\.md", script).group(1)
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    found = [line for line in lines if re.search(pattern, line)]
    assert found == README_COMMANDS[-1:]


@pytest.mark.slow
def test_the_first_command_at_small_size(tmp_path):
    call = shlex.split(README_COMMANDS[0].split("&&")[-1])[1:]
    call.remove("--workdir=runs/first")
    small = [
        "--config.corpus.train_clips=12",
        "--config.corpus.valid_clips=2",
        "--config.corpus.test_clips=4",
        "--config.train.max_steps=2",
        "--config.train.batch_size=4",
        f"--data_dir={tmp_path / 'data'}",
        f"--workdir={tmp_path / 'run'}",
    ]
    done = python(*call, *small, XLA_FLAGS="")
    assert done.returncode == 0, done.stderr
    assert "test, true labels: roc_auc_macro" in done.stdout
    assert "\nAgainst the true labels the network (one seed) " in done.stdout
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["complete"] and summary["steps"] == 2
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "Synthetic corpus." in page and "linear baseline" in page
    assert summary["corpus"]["version"] in page

    with warm.starts():
        shown = python(*call, *small, XLA_FLAGS="")
    assert "is complete" in shown.stderr and shown.stdout.endswith(
        done.stdout.splitlines()[-1] + "\n"
    )
    assert_tagging_gives_the_predictions(tmp_path)


def assert_tagging_gives_the_predictions(tmp_path):
    """The bundle has the same scores for the test clips' files as the evaluation."""
    with np.load(tmp_path / "run" / "predictions_test.npz") as found:
        ids, names, scores = found["track_id"], found["tag_names"], found["scores"]
    (audio,) = tmp_path.glob("data/*/audio")
    files = [str(audio / f"{track_id}.flac") for track_id in ids]
    call = ["main.py", "--mode=tag", f"--bundle={tmp_path / 'run' / 'bundle'}"]
    with warm.starts():
        tagged = python(*call, "--json=-", *files)
    assert tagged.returncode == 0, tagged.stderr
    for row, line in enumerate(tagged.stdout.splitlines()):
        song = json.loads(line)
        assert song["path"] == files[row]
        by_tag = {one["tag"]: one["score"] for one in song["tags"]}
        expected = scores[:, row].mean(0)
        np.testing.assert_allclose([by_tag[n] for n in names], expected, atol=1e-4)
    assert row == len(ids) - 1


def test_the_report_command_writes_the_report_again(tmp_path, warm_starts):
    call = next(
        call for call in calls_of("python", "main.py") if "--mode=report" in call
    )
    workdir = write_record(tmp_path / "run", num_tags=4)
    kept = [argument for argument in call if not argument.startswith("--workdir")]
    done = python("main.py", *kept, f"--workdir={workdir}")
    assert done.returncode == 0, done.stderr
    assert (workdir / "report.html").exists()


def test_the_table_of_speeds_is_that_of_the_benchmark():
    page = (ROOT / "docs" / "speed.md").read_text(encoding="utf-8")
    results = (ROOT / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8")
    shown, measured = first_table(page), first_table(results)
    assert len(shown) > 5 and all(row in measured for row in shown)


def first_table(page: str) -> list[list[str]]:
    """The cells of the first table of a page, its header first."""
    lines = page[page.index("\n|") + 1 :].split("\n\n")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [rows[0], *rows[2:]]


def project() -> dict:
    """What pyproject.toml says of the package."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_every_requirement_is_a_range_with_a_reason():
    lines = (ROOT / "pyproject.toml").read_text("utf-8").splitlines()
    start, end = lines.index("[project]"), lines.index("[project.scripts]")
    found = set()
    for above, line in itertools.pairwise(map(str.strip, lines[start:end])):
        if match := re.fullmatch(
            r'"([a-z0-9-]+)(>=[\d.]+(,!=[\d.]+)*,<[\d.]+)?(; [^"]+)?",', line
        ):
            assert match[2] and above.startswith("# "), f"why {line}?"
            found.add(match[1])
    extras = project()["optional-dependencies"]
    expected = set().union(*(required_by(name) for name in ("", *extras)))
    assert found == expected - {"jax[cuda12]", "jax[cuda13]", "jax[tpu]"}


def test_what_the_extras_are_for():
    """The plain requirements are all but what few commands need."""
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert text.splitlines()[-1] == "-e .[train]"
    assert {"tensorflow-cpu", "tensorflow-datasets"} <= required_by("train")
    assert not required_by("") & required_by("train")


@pytest.mark.parametrize("folder", ["msd_tagger", "input_pipeline", "studies", "modes"])
def test_every_import_is_required(folder):
    """Whatever the code imports, pyproject.toml installs by name.

    The package alone needs no more than its own dependencies and what serves,
    imports, writes Parquet and decodes what libsndfile does not.
    """
    distributions = {
        "sklearn": "scikit-learn",
        "orbax": "orbax-checkpoint",
        "tensorflow": "tensorflow-cpu",
        "absl": "absl-py",
    }
    extras = ["", "serve", "import", "export", "parquet", "m4a"]
    if folder != "msd_tagger":
        extras += ["train", "beam"]
    required = set().union(*map(required_by, extras))
    own = {"msd_tagger", "input_pipeline", "studies", "modes", "configs", "main"}
    for path in (ROOT / folder).rglob("*.py"):
        for name in imported_packages(path) - own - sys.stdlib_module_names:
            distribution = distributions.get(name, name.replace("_", "-"))
            assert distribution in required, f"{path.name} imports {name}"


def required_by(extra: str) -> set[str]:
    """The distributions that an extra names, or those of the package itself."""
    found = project()
    names = found["optional-dependencies"][extra] if extra else found["dependencies"]
    words = {re.match(r"[a-z0-9-]+(\[[a-z0-9,]+\])?", line)[0] for line in names}
    return {word for word in words if not word.startswith("msd-tagger")}


def imported_packages(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module.split(".")[0])
    return found
