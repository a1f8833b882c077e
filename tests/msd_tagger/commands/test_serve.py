"""`--mode=serve`: from the command line to a song's tags, and mistakes."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from msd_tagger.bundle.format import write_bundle
from msd_tagger.commands import serve
from msd_tagger.commands.command_line import Options
from msd_tagger.tagging.server import run
from tests.bundles import make_bundle
from tests.serving import ask

ROOT = Path(__file__).resolve().parents[3]


def test_a_song_is_tagged_and_ctrl_c_ends(tmp_path):
    write_bundle(tmp_path / "bundle", make_bundle())
    temporary, song = tmp_path / "temporary", tmp_path / "song.wav"
    temporary.mkdir()
    soundfile.write(song, 0.5 * np.sin(np.arange(24_000)), 12_000)
    command = [sys.executable, "main.py", "--mode=serve", "--port=0", "--platform=cpu"]
    with subprocess.Popen(
        [*command, f"--bundle={tmp_path / 'bundle'}"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            line = server.stdout.readline()
            found = re.fullmatch(
                r"Open http://127.0.0.1:(\d+) in a browser; .*\n", line
            )
            assert found, line + server.stderr.read()
            status, _, answer = ask(int(found[1]), body=song)
            assert status == 200
            assert len(list(temporary.glob("msd-tagger-*"))) == 1
            assert {tag["tag"] for tag in answer["tags"]} == {"rock", "pop", "jazz"}
            assert all(0 < tag["score"] < 1 for tag in answer["tags"])
        finally:
            server.send_signal(signal.SIGINT)
            rest, errors = server.communicate(timeout=120)
    assert (server.returncode, rest, errors) == (0, "", "")
    assert not list(temporary.glob("msd-tagger-*"))


@pytest.mark.parametrize(
    ("host", "words"), [("127.0.0.1", ""), ("0.0.0.0", "no password")]
)
def test_only_an_open_door_is_warned_of(monkeypatch, caplog, capsys, host, words):
    monkeypatch.setattr(serve, "build_app", lambda *_: None)
    monkeypatch.setattr(run, "serve", lambda *_: None)
    serve.serve(Options(host=host, port=0))
    name = "localhost" if words else host
    assert re.match(rf"Open http://{name}:\d+ in a browser", capsys.readouterr().out)
    assert bool(caplog.text) == bool(words) and words in caplog.text


def test_ports_and_hosts_that_cannot_be_had():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ValueError, match=rf"--port={port} of .* another program"):
            run.take_port("127.0.0.1", port)
    with pytest.raises(ValueError, match=r"--host=192\.0\.2\.1: .* this m"):
        run.take_port("192.0.2.1", 0)
    for host in ("", "x" * 70):
        with pytest.raises(ValueError, match=f"--host={host}: "):
            run.take_port(host, 0)


def test_missing_packages_are_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(ValueError, match=r"needs uvicorn, .* -e \"\.\[serve\]\""):
        serve.serve(Options())


@pytest.mark.parametrize("limit_s", [0, -1, float("nan"), float("inf")])
def test_a_limit_is_a_positive_number(limit_s):
    with pytest.raises(ValueError, match=f"--max_duration_s={limit_s:g}: "):
        serve.serve(Options(max_duration_s=limit_s))
