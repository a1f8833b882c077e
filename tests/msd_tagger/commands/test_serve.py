"""`--mode=serve`: from the command line to a song's tags, and mistakes."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from msd_tagger.bundle.format import write_bundle
from msd_tagger.commands import serve
from msd_tagger.commands.command_line import Options
from msd_tagger.common.processes import is_running
from msd_tagger.tagging.server import run
from tests.bundles import make_bundle
from tests.serving import ask, wait

ROOT = Path(__file__).resolve().parents[3]


@contextlib.contextmanager
def served(tmp_path):
    """Runs the command; gives its process and port."""
    write_bundle(tmp_path / "bundle", make_bundle())
    command = [sys.executable, "main.py", "--mode=serve", "--port=0", "--platform=cpu"]
    (tmp_path / "temporary").mkdir()
    with subprocess.Popen(
        [*command, f"--bundle={tmp_path / 'bundle'}"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path / "temporary")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            line = server.stdout.readline()
            pattern = r"Open http://127.0.0.1:(\d+) in a browser; .*\n"
            found = re.fullmatch(pattern, line)
            assert found, line + server.stderr.read()
            yield server, int(found[1])
        finally:
            server.kill()


def children(process):
    of_thread = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    for number in map(int, of_thread.read_text().split()):
        if "spawn_main" in Path(f"/proc/{number}/cmdline").read_text():
            yield number


@pytest.mark.parametrize(
    "numbers",
    [[signal.SIGINT, signal.SIGINT], [signal.SIGTERM], [signal.SIGHUP]],
    ids=lambda numbers: numbers[0].name,
)
def test_a_song_is_tagged_and_a_signal_ends(
    tmp_path, own_signals, warm_starts, numbers
):
    """Before the 30 s that a file may take, also while decoders are stopped."""
    temporary, song = tmp_path / "temporary", tmp_path / "song.wav"
    soundfile.write(song, 0.5 * np.sin(np.arange(24_000)), 12_000)
    with served(tmp_path) as (server, port):
        status, _, answer = ask(port, body=song)
        assert status == 200
        (folder,) = temporary.glob("msd-tagger-*")
        assert {tag["tag"] for tag in answer["tags"]} == {"rock", "pop", "jazz"}
        assert all(0 < tag["score"] < 1 for tag in answer["tags"])
        decoders = list(children(server))
        for number in decoders:
            os.kill(number, signal.SIGSTOP)
        visitor = threading.Thread(target=ask, args=(port,), kwargs={"body": song})
        visitor.start()
        wait(lambda: list(folder.iterdir()))
        began_s = time.monotonic()
        for number in numbers:
            server.send_signal(number)
            time.sleep(0.3)
        rest, errors = server.communicate(timeout=600)
        assert time.monotonic() - began_s < 25  # 2 s where nothing else runs.
        visitor.join()
    assert (server.returncode, rest) == (128 + numbers[0], "")
    assert errors == f"main.py: {numbers[0].name}; the server has ended\n"
    assert not list(temporary.glob("msd-tagger-*"))
    wait(lambda: not any(map(is_running, decoders)))


@pytest.mark.parametrize(
    ("host", "words"), [("127.0.0.1", ""), ("0.0.0.0", "no password")]
)
def test_only_an_open_door_is_warned_of(monkeypatch, caplog, capsys, host, words):
    monkeypatch.setattr(serve, "built_app", lambda *_: contextlib.nullcontext())
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


def test_names_of_a_proxy_are_names():
    names = serve.names_of(Options(names="Music.example.org, tagger,"))
    assert names == {"music.example.org", "tagger"} and not serve.names_of(Options())
    for wrong in ("https://a.org", "a.org:80", "*"):
        with pytest.raises(ValueError, match=f"--names=b.org,.* '{re.escape(wrong)}'"):
            serve.serve(Options(names=f"b.org,{wrong}"))


def test_missing_packages_are_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(ValueError, match=r"needs uvicorn, .* -e \"\.\[serve\]\""):
        serve.serve(Options())


@pytest.mark.parametrize("limit", [0, -1, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["max_duration_s", "max_samples", "max_decode_s"])
def test_a_limit_is_a_positive_number(name, limit):
    with pytest.raises(ValueError, match=f"--{name}={limit:g}: "):
        serve.serve(Options(**{name: limit}))
