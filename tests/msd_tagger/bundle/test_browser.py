"""The page of docs/export.md, in a real browser with the runtime from npm."""

import functools
import http.server
import os
import re
import threading
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import soundfile

from msd_tagger.bundle import onnx_graph
from msd_tagger.common import files
from tests import browser, small_corpus
from tests.bundles import make_bundle

ROOT = Path(__file__).resolve().parents[3]
MODULES = os.environ.get("MSD_TAGGER_NODE_MODULES")


@pytest.fixture
def site(tmp_path):
    """The address of the page, the network beside it."""
    networks = tmp_path / "networks" / "onnx"
    networks.mkdir(parents=True)
    bundle = make_bundle()
    onnx_graph.write(networks, bundle)
    files.write_text(networks / "tags.json", '["rock", "pop", "jazz"]')
    (tmp_path / "node_modules").symlink_to(Path(MODULES).absolute())
    text = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
    (page,) = re.findall(r"^```html\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    files.write_text(tmp_path / "page.html", page)
    handler = functools.partial(
        http.server.SimpleHTTPRequestHandler, directory=str(tmp_path)
    )
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/page.html"
    server.shutdown()
    server.server_close()


@pytest.mark.skipif(
    not MODULES or browser.EXECUTABLE is None,
    reason="MSD_TAGGER_NODE_MODULES, a folder with onnxruntime-web, is not set, or "
    "there is no Chromium",
)
def test_a_song_is_tagged_in_a_browser(site, tmp_path):
    path = tmp_path / "networks" / "onnx" / "from_waveform.onnx"
    session = onnxruntime.InferenceSession(str(path))
    length = session.get_inputs()[0].shape[1]
    song = small_corpus.sound(0, 2.5 * length / 12_000, 12_000)
    soundfile.write(tmp_path / "song.wav", song, 12_000, subtype="FLOAT")
    clips = np.zeros((3, length), np.float32)
    clips.reshape(-1)[: len(song)] = song.mean(1)
    scores, _ = session.run(None, {"waveform": clips})
    with browser.Browser(tmp_path) as page:
        page.send("Page.navigate", url=site)
        page.wait("document.readyState === 'complete'")
        page.give_file("input", tmp_path / "song.wav")
        page.wait("document.querySelector('pre').textContent !== ''")
        lines = page.run("document.querySelector('pre').textContent").splitlines()
    found = {tag: float(score) for tag, score in map(str.split, lines)}
    expected = dict(zip(("rock", "pop", "jazz"), scores.mean((0, 1)), strict=True))
    assert found == pytest.approx(expected, abs=0.001)
    assert list(found) == sorted(expected, key=expected.get, reverse=True)
