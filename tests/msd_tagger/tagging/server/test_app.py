"""The server over HTTP: answers, refusals, and what stays on the disk."""

import asyncio
import contextlib
import http.client
import json
import select
import socket
import tempfile
import threading
import time

import numpy as np
import pytest
import soundfile

from msd_tagger.tagging.server import app, connections
from tests.serving import TAGS, ask, serving, sound, wait


@pytest.fixture(scope="module")
def server(uploads):
    with serving() as running:
        yield running
    assert list(uploads.iterdir()) == []


@pytest.fixture(autouse=True)
def nothing_is_left(request, uploads):
    yield
    if "server" in request.fixturenames:
        wait(lambda: not list(uploads.rglob("*/*")))
        assert len(list(uploads.iterdir())) == 1


def connected(port):
    return socket.create_connection(("127.0.0.1", port), timeout=600)


def head(num_bytes):
    start = "POST /tag HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
    return f"{start}{num_bytes}\r\n\r\n".encode()


def test_a_song_is_tagged(server, tmp_path):
    status, headers, found = ask(server.port, body=sound(tmp_path / "a.flac"))
    assert status == 200 and headers["Cache-Control"] == "no-store"
    assert found["duration_s"] == 5 and found["starts_s"][0] == 0
    first, second, *others = found["tags"]
    assert first["tag"] == "rock" and first["passes"] and not second["passes"]
    assert first["score"] == pytest.approx(0.35)
    assert first["deviation"] == pytest.approx(0.1 / np.sqrt(2))
    assert first["over_time"][0] == pytest.approx(0.25)
    assert len(first["over_time"]) == len(found["starts_s"]) > 1
    assert (second["tag"], second["threshold"]) == ("jazz", pytest.approx(0.6))
    assert [tag["tag"] for tag in others if tag["threshold"] is None] == ["tag 3"]
    loose = {tag["tag"]: tag["passes"] for tag in found["tags"] if not tag["is_firm"]}
    assert loose == {"tag 3": None, "tag 4": True}
    assert {tag["tag"] for tag in found["tags"]} == set(TAGS)
    assert found["spectrogram"].startswith("data:image/png;base64,iVBOR")
    assert found["facts"] == "0:05, 3 excerpts of 2 s"


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("low.wav", {"rate_hz": 8000}),
        ("seven.wav", {"rate_hz": 16000, "channels": 7}),
        ("short.ogg", {"rate_hz": 44100, "duration_s": 0.3}),
        ("song.mp3", {"rate_hz": 44100, "channels": 2}),
    ],
)
def test_unusual_audio_is_tagged(server, tmp_path, name, options):
    status, _, found = ask(server.port, body=sound(tmp_path / name, **options))
    assert status == 200 and len(found["tags"]) == len(TAGS)


def test_what_is_no_song_is_refused(server, tmp_path):
    flac = sound(tmp_path / "a.flac", rate_hz=44100).read_bytes()
    # Three hours of silence and a click are a small FLAC.
    hours = np.zeros(3 * 3600 * 1000, np.int16)
    hours[0] = 20000
    soundfile.write(tmp_path / "hours.flac", hours, 1000)
    # Half a minute of eight channels at the highest rate: 46 million samples.
    wide = np.zeros((30 * 192_000, 8), np.int16)
    soundfile.write(tmp_path / "wide.flac", wide, 192_000)
    soundfile.write(tmp_path / "wider.wav", wide[:2000].reshape(-1, 1000), 8000)
    silence = tmp_path / "silence.wav"
    soundfile.write(silence, np.zeros(30000), 8000)
    for body, reason in (
        (b"", "empty"),
        (b"%PDF-1.7 and so on" * 100, "not audio"),
        (flac[: len(flac) // 4], "truncated"),
        (silence, "silent"),
        (tmp_path / "hours.flac", "3:00:00 long; at most 1:00 is allowed"),
        (tmp_path / "wide.flac", "46,080,000 samples in 8 channels; at most 20,000,0"),
        (tmp_path / "wider.wav", "1000 channels of 8000 Hz"),
    ):
        status, _, found = ask(server.port, body=body)
        assert status == 422, found
        assert reason in found["error"] and found["error"].endswith(".")
        assert tempfile.gettempdir() not in found["error"]
        assert found["error"].startswith("The file cannot be tagged: ")


def test_what_is_not_heard_of_a_song_is_said(server, tmp_path):
    path = sound(tmp_path / "a.wav", duration_s=40)
    samples, rate_hz = soundfile.read(path)
    samples[int(3.9 * rate_hz) : int(24.1 * rate_hz)] = 0
    soundfile.write(path, samples, rate_hz)
    _, _, found = ask(server.port, body=path)
    assert found["starts_s"] == [0, 2, *range(24, 40, 2)]
    assert found["facts"].endswith("; 0:20 is silent, or the file ends early")


def test_large_uploads_are_refused_by_their_header(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
    connection.putrequest("POST", "/tag")
    connection.putheader("Content-Length", str(10 * 2**30))
    connection.endheaders()  # And not a byte of it.
    answer = connection.getresponse()
    assert answer.status == 413
    assert (
        answer.read() == b'{"error":"The file is larger than 3 MB, the most allowed."}'
    )
    connection.close()


def test_large_uploads_are_refused_by_what_arrives(server):
    pieces = (b"x" * 100_000 for _ in range(60))
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
    connection.request("POST", "/tag", pieces, encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"Host": "evil.example"}, "name 'evil.example'"),
        ({"Host": "127.0.0.1.evil.example:80"}, "evil.example:80'"),
        ({"Host": "a@b:c"}, "a@b"),
        ({"Origin": "http://evil.example"}, "'http://evil.example'"),
        ({"Origin": "null"}, "'null'"),
        ({"Origin": "http://127.0.0.1:1"}, "127.0.0.1:1'"),
        ({"Origin": "https://music.example.org.evil.example"}, "--names"),
        ({"Origin": "https://[music.example.org"}, "--names"),
        ({"Host": "other.example.org"}, "--names and that name"),
        ({"Sec_Fetch_Site": "cross-site"}, "may not use"),
    ],
)
def test_other_sites_are_refused(server, tmp_path, headers, reason):
    heard = server.tagger.heard
    song = sound(tmp_path / "a.wav")
    status, _, found = ask(server.port, body=song, **headers)
    assert status == 403 and reason in found["error"]
    assert server.tagger.heard == heard


def test_the_page_itself_and_tunnels_are_not_refused(server, tmp_path):
    song = sound(tmp_path / "a.wav")
    for host in (f"localhost:{server.port}", "127.0.0.1:9", "[::1]:9"):
        own = {
            "Host": host,
            "Origin": f"http://{host}",
            "Sec_Fetch_Site": "same-origin",
        }
        assert ask(server.port, body=song, **own)[0] == 200
    assert ask(server.port, "GET", "/", Host="evil.example")[0] == 403


@pytest.mark.parametrize("host", ["music.example.org", "127.0.0.1:8000"])
def test_a_proxy_is_not_refused(server, tmp_path, host):
    """Some hand on the name that a visitor used, others give the server's address."""
    asked = {"Host": host, "Origin": "https://Music.example.org:8443"}
    song = sound(tmp_path / "a.wav")
    own, foreign = ("same-origin", 200), ("same-site", 403)
    for site, status in (own, foreign):
        found = ask(server.port, body=song, **asked, Sec_Fetch_Site=site)
        assert found[0] == status


def test_the_page_needs_nothing_from_elsewhere(server):
    status, headers, page = ask(server.port, "GET", "/")
    assert status == 200 and "synthetic &lt;1&gt;" in page
    assert "2 networks for 20 tags" in page and "on the validation split" in page
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    for name in ("style.css", "serve.css", "serve.js"):
        assert f'"{name}"' in page
        status, _, text = ask(server.port, "GET", f"/{name}")
        assert status == 200
        assert "://" not in text and "url(" not in text and "@import" not in text


@pytest.mark.parametrize(
    "path", ["/../serve.js", "/etc/passwd", "/tag/../../x", "/%2e%2e/app.py", "/tag/"]
)
def test_other_paths_are_refused(server, path):
    status, _, found = ask(server.port, "GET", path)
    assert status == 404 and found == {"error": "Not Found"}


HOST = b"\r\nHost: localhost"
POST = b"POST /tag HTTP/1.1" + HOST
CLOSE = b"\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"GET /tag HTTP/1.1" + HOST + CLOSE, 405),
        (b"DELETE / HTTP/1.1" + HOST + CLOSE, 405),
        (b"BREW /x HTTP/1.1" + HOST + CLOSE, 404),
        (b"OPTIONS * HTTP/1.1" + HOST + CLOSE, 404),
        (b"CONNECT a.org:443 HTTP/1.1" + HOST + CLOSE, 404),
        (b"GET / HTTP/1.0\r\n\r\n", 403),
        (b"GET / HTTP/1.1\r\nHost: \xff" + CLOSE, 403),
        (b"GET / HTTP/1.1\r\n\r\n", 400),  # Without a host.
        (b"GET / HTTP/1.1" + HOST + HOST + CLOSE, 400),
        (b"GET / HTTP/3\r\n\r\n", 400),
        (b"GET \xc3\xa9 HTTP/1.1" + HOST + CLOSE, 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 403),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),  # TLS.
        (b"hello\r\n\r\n", 400),
        (b"GET / HTTP/1.1" + HOST + b"\r\nX: " + 200_000 * b"x" + CLOSE, 400),
        (POST + b"\r\nContent-Length: -1" + CLOSE, 400),
        (POST + b"\r\nContent-Length: 1e3" + CLOSE, 400),
        (POST + b"\r\nContent-Length: 1\r\nContent-Length: 2" + CLOSE, 400),
        (POST + b"\r\nTransfer-Encoding: gzip" + CLOSE, 400),
        (POST + b"\r\nTransfer-Encoding: chunked" + CLOSE + b"zz\r\n", 400),
        (POST + b"\r\nContent-Length: 99999999999999" + CLOSE, 413),
        (POST + b"\r\nContent-Type: multipart/form-data" + CLOSE, 415),
        (POST + b"\r\ncontent-type: Multipart/Form-Data; boundary=x" + CLOSE, 415),
        (POST + b"\r\nOrigin: http://evil.example" + CLOSE, 403),
        (POST + CLOSE, 422),
    ],
)
def test_every_refusal_is_json(server, said, status):
    with connected(server.port) as connection:
        connection.sendall(said)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert answer.headers["Content-Type"] == "application/json"
        found = json.loads(answer.read())
    assert answer.status == status
    assert list(found) == ["error"] and len(found["error"]) > 5


def test_names_of_files_are_no_paths(server, tmp_path, uploads):
    song = sound(tmp_path / "a.wav")
    naughty = 'attachment; filename="../../../evil.wav"'
    path = "/tag?name=../../evil.wav&path=/etc/passwd"
    assert ask(server.port, path=path, body=song, Content_Disposition=naughty)[0] == 200
    assert not list(uploads.parent.rglob("*evil*"))


def test_a_visitor_who_leaves_leaves_nothing(server, uploads):
    heard = server.tagger.heard
    with connected(server.port) as connection:
        head = (
            "POST /tag HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n"
        )
        connection.sendall(head.encode() + b"x" * 100_000)
        wait(lambda: list(uploads.rglob("*/*")))
    wait(lambda: not list(uploads.rglob("*/*")))
    assert server.tagger.heard == heard


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"upload_s": 0.3}, "more than 0.3 seconds"),
        ({"pause_s": 0.3}, "paused for 0.3,"),
        ({"pause_s": 0.3, "upload_bytes_per_s": 10**6}, "slower than 1000 kB/s"),
    ],
)
def test_a_visitor_who_dawdles_is_refused(uploads, limits, said):
    is_silent = list(limits) == ["pause_s"]
    with hanging(**limits) as (server, _), connected(server.port) as connection:
        connection.sendall(head(1_000_000))
        while not select.select([connection], [], [], 0.05)[0]:
            connection.sendall(b"" if is_silent else b"x")
        answer = connection.recv(10_000)
        assert answer.startswith(b"HTTP/1.1 408") and said.encode() in answer
        wait(lambda: not list(uploads.rglob("*/*")))


HEAD = b"GET / HTTP/1.1\r\n"  # Of which the rest does not come.


@pytest.mark.parametrize(
    "said",
    [
        [],
        [HEAD, *(40 * [b"X: y\r\n"])],
        [b"GET /no HTTP/1.1" + HOST + b"\r\n\r\n" + HEAD, *(40 * [b"X: y\r\n"])],
        [head(10**9), *(40 * [b"x"])],  # Of a body that was refused.
    ],
)
def test_a_connection_without_a_request_is_dropped(server, monkeypatch, said):
    monkeypatch.setattr(connections, "IDLE_S", 0.4)
    began_s = time.monotonic()
    with connected(server.port) as connection, contextlib.suppress(OSError):
        for line in said:
            connection.sendall(line)
            time.sleep(0.05)
        while connection.recv(10_000):
            pass
    assert 0.3 < time.monotonic() - began_s < 10


def test_the_oldest_idle_connections_make_room(server, monkeypatch):
    monkeypatch.setattr(connections, "MOST", 20)
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(connected(server.port)) for _ in range(60)]
        for connection in idle:
            with contextlib.suppress(OSError):
                connection.sendall(b"GET / HTTP/1.1\r\n")
        assert ask(server.port, "GET", "/")[0] == 200
        with contextlib.suppress(ConnectionResetError):
            assert idle[0].recv(1) == b""
        assert not select.select([idle[-1]], [], [], 0)[0]


def test_who_does_not_receive_answers_makes_room(server, monkeypatch):
    """Such a connection waits with an answer, and not for a request."""
    monkeypatch.setattr(connections, "MOST", 20)
    request = b"GET /sample.mp3 HTTP/1.1" + HOST + b"\r\n\r\n"
    with contextlib.ExitStack() as stack:
        for _ in range(25):
            unread = stack.enter_context(socket.socket())
            unread.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            unread.connect(("127.0.0.1", server.port))
            unread.sendall(20 * request)
        time.sleep(0.5)
        assert [ask(server.port, "GET", "/")[0] for _ in range(3)] == [200] * 3


def test_an_answer_that_nobody_receives_ends_its_connection(server, monkeypatch):
    monkeypatch.setattr(connections, "FLUSH_S", 0.3)
    request = b"GET /sample.mp3 HTTP/1.1" + HOST + b"\r\n\r\n"
    with socket.socket() as unread:
        unread.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        unread.connect(("127.0.0.1", server.port))
        unread.sendall(20 * request)
        time.sleep(2)
        received = 0
        with contextlib.suppress(ConnectionResetError):
            while some := unread.recv(100_000):
                received += len(some)
    with socket.create_connection(("127.0.0.1", server.port)) as reading:
        reading.sendall(request.replace(HOST, HOST + b"\r\nConnection: close"))
        whole = 0
        while some := reading.recv(100_000):
            whole += len(some)
    assert received < 20 * whole


@contextlib.contextmanager
def hanging(**changes):
    """A server whose decoders hang on what begins with `!`."""
    ended = []

    async def read(path):
        if not path.read_bytes().startswith(b"!"):
            raise ValueError(f"{path}: read")
        try:
            await asyncio.sleep(600)
        finally:
            ended.append(path)

    with serving(read, **changes) as server:
        yield server, ended


def test_while_some_hang_others_are_answered(uploads):
    with hanging(songs=4) as (server, ended), contextlib.ExitStack() as stack:
        for _ in range(3):
            connection = stack.enter_context(connected(server.port))
            connection.sendall(head(5) + b"!song")
        wait(lambda: len(list(uploads.rglob("*/*"))) == 3)
        status, _, found = ask(server.port, body=b"?song")
        assert status == 422 and found["error"] == "The file cannot be tagged: read."
        assert ask(server.port, "GET", "/")[0] == 200
        stack.close()  # All three leave.
        wait(lambda: len(ended) == 3 and not list(uploads.rglob("*/*")))


def test_visitors_are_told_that_the_server_ends(uploads):
    with hanging() as (server, ended), connected(server.port) as connection:
        connection.sendall(head(5) + b"!song")
        wait(lambda: list(uploads.rglob("*/*")))
        server.ends()
        answer = connection.recv(10_000)
    assert b" 503 " in answer and b'{"error":"The server is ending."}' in answer
    assert ended and not list(uploads.rglob("*/*"))


def test_too_many_songs_at_a_time(server, tmp_path):
    song = sound(tmp_path / "a.wav")
    server.tagger.hold.clear()
    heard, answers = server.tagger.heard, []
    threads = [
        threading.Thread(target=lambda: answers.append(ask(server.port, body=song)))
        for _ in range(4)
    ]
    try:
        for thread in threads:
            thread.start()
        wait(lambda: len(answers) == 2)
        time.sleep(0.1)
        assert [status for status, _, _ in answers] == [503, 503]
        _, headers, found = answers[0]
        assert found["error"].startswith("2 songs are being tagged already")
        assert headers["Retry-After"] == "10"
        assert server.tagger.heard == heard
    finally:
        server.tagger.hold.set()
    for thread in threads:
        thread.join(60)
    assert sorted(status for status, _, _ in answers) == [200, 200, 503, 503]
    assert ask(server.port, body=song)[0] == 200


def test_a_song_whose_visitor_has_left_is_not_tagged(server, tmp_path, uploads):
    song = sound(tmp_path / "a.wav").read_bytes()
    server.tagger.hold.clear()
    decoded, heard = server.tagger.decoded, server.tagger.heard
    left = server.tagger.left
    first = threading.Thread(target=ask, args=(server.port,), kwargs={"body": song})
    try:
        first.start()
        wait(lambda: server.tagger.decoded == decoded + 1)
        with connected(server.port) as connection:
            head = (
                f"POST /tag HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(song)}"
            )
            connection.sendall(head.encode() + b"\r\n\r\n" + song)
            wait(lambda: server.tagger.decoded == decoded + 2)
        wait(lambda: server.tagger.left == left + 1)
    finally:
        server.tagger.hold.set()
    first.join(60)
    wait(lambda: not list(uploads.rglob("*/*")))
    assert server.tagger.heard == heard + 1


def test_our_own_faults_are_said_and_logged(server, tmp_path, monkeypatch, caplog):
    def fail(spectrograms):
        raise ValueError("shapes of the network")

    monkeypatch.setattr(server.tagger, "scores", fail)
    status, headers, found = ask(server.port, body=sound(tmp_path / "a.wav"))
    assert status == 500 and "terminal" in found["error"]
    assert "shapes" not in found["error"] and "shapes of the network" in caplog.text
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_a_full_disk_is_said(server, monkeypatch, tmp_path):
    async def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(app, "write", fail)
    status, _, found = ask(server.port, body=sound(tmp_path / "a.wav"))
    assert status == 507 and "No space left" in found["error"]
