"""The program `msd-tagger`: help, mistakes, and a song tagged anywhere."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from msd_tagger.bundle.format import write_bundle
from msd_tagger.commands.command_line import MODES, parse, with_home
from tests.bundles import make_bundle
from tests.small_corpus import write_sound

ROOT = Path(__file__).resolve().parents[3]
# What pip makes of the entry point, and then what it has imported.
PROGRAM = """
import sys
from msd_tagger.commands.command_line import main
sys.argv[0] = "msd-tagger"
try:
    sys.exit(main())
finally:
    print(*{name.split(".")[0] for name in sys.modules}, file=sys.stderr)
"""


def call(*words, cwd=ROOT):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, words)],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    *said, modules = done.stderr.splitlines()
    return done.returncode, done.stdout, said, set(modules.split())


@pytest.mark.parametrize("words", [(), ("--help",)])
def test_help_lists_the_commands(words):
    status, out, said, modules = call(*words)
    assert (status, said) == (0, []) and not {"jax", "numpy"} & modules
    assert all(f"msd-tagger {name}" in out for name in MODES)


@pytest.mark.parametrize(
    ("output", "status", "said"),
    [
        ("closed", 1, ""),
        (
            "/dev/full",
            2,
            "main.py: standard output: No space left on device; make room there\n",
        ),
    ],
)
def test_help_that_cannot_be_printed_leaves_no_traceback(output, status, said):
    """As of `| head`, and where a disk is full."""
    if output == "closed":
        reading, writing = os.pipe()
        os.close(reading)
    else:
        writing = os.open(output, os.O_WRONLY)
    done = subprocess.run(
        [sys.executable, "main.py", "--mode=serve", "--help"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": ""},
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (status, said)


def test_help_of_a_command_lists_its_flags():
    status, out, _, modules = call("tag", "--help")
    assert status == 0 and not {"jax", "numpy"} & modules
    assert out.startswith("msd-tagger tag --bundle=… FILE…\n")
    assert (
        "--top: How many tags to print and to draw for each song. (default: 5)" in out
    )
    assert "--max_duration_s: " in out and "--port" not in out and "--keras" not in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("tga",),
            "tga is not a command; choose from tag, embed, serve, export, import",
        ),
        (("tag", "a.mp3"), "--bundle is missing; msd-tagger tag: print the tags of"),
        (("tag", "--bundel=x"), "Unknown command line flag 'bundel'"),
        (("tag", "--top=many"), "many"),
        (("tag", "--top=3", "x", "--top", "5"), "--top is given twice; give it once"),
        (("tag", "--bundle=", "a.mp3"), "--bundle is missing"),
        (("tag", "--bundle=x", "--csv=", "a.mp3"), "--csv= is empty, as of a variable"),
        (
            ("embed", "--bundle=x", "--out=y", "--layers=some"),
            "should be one of <last|",
        ),
        (("serve", "--bundle=x", "a.mp3"), "arguments without a flag: a.mp3"),
        (
            ("tag", "--bundle=x", "--port=1", "a.mp3"),
            "--port has no meaning for msd-tagger tag; it goes with serve",
        ),
    ],
)
def test_a_mistake_gets_a_sentence_at_once(words, message):
    status, out, said, modules = call(*words)
    assert (status, out) == (2, "") and not {"jax", "numpy"} & modules
    assert said[0].startswith("msd-tagger: ") and message in said[0]
    assert len(said) == 1


def test_a_file_whose_name_looks_like_a_flag_is_no_flag(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-my song.mp3").touch()
    with pytest.raises(ValueError, match=r"give it as \./-my song\.mp3"):
        parse(["x", "a.mp3", "-my song.mp3"])
    words = ["x", "--", "-my song.mp3", "./-my song.mp3", "-"]
    assert parse(words) == [words[0], *words[2:]]


def test_a_tilde_behind_a_flag_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    status, _, said, _ = call("export", "--bundle=~/gone", "--out=~", cwd=tmp_path)
    assert status == 2 and f"{tmp_path}/gone" in said[0]
    words = ["x", "--config.corpus.audio_dir=~/m", "-data_dir=~/d", "~", "--out=a~/b"]
    assert with_home(words) == [
        *("x", f"--config.corpus.audio_dir={tmp_path}/m", f"-data_dir={tmp_path}/d"),
        *("~", "--out=a~/b"),
    ]


def test_a_song_is_tagged_anywhere(tmp_path):
    write_bundle(tmp_path / "bundle", make_bundle())
    write_sound(tmp_path / "song.flac")
    status, out, said, modules = call(
        *("tag", "song.flac", "gone.mp3", "--bundle", "bundle", "--json=-"),
        cwd=tmp_path,
    )
    assert status == 1
    song, failure = map(json.loads, out.splitlines())
    assert {one["tag"] for one in song["tags"]} == {"rock", "pop", "jazz"}
    assert failure["path"] == "gone.mp3" and "1 of 2 files could not be used" in said
    ours = {"main", "modes", "configs", "input_pipeline", "studies", "tensorflow"}
    assert "jax" in modules and not ours & modules
