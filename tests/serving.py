"""Serves a bundle of made-up tags with a stand-in for the network, for tests."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import tempfile
import threading
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import soundfile

from msd_tagger.bundle.thresholds import Thresholds
from msd_tagger.commands.serve import decoders, in_turn
from msd_tagger.frontend.recipe import Recipe
from msd_tagger.tagging.server import answers, run
from msd_tagger.tagging.server.app import create_app
from msd_tagger.tagging.server.limits import Limits

TAGS = ("rock", "<b>loud</b>", "jazz", *(f"tag {k}" for k in range(3, 20)))
RECIPE = Recipe("mel", duration_s=2.0)
PROXIES = frozenset({"music.example.org"})
LIMITS = Limits(
    duration_s=60.0, samples=20_000_000, decode_s=60.0, upload_bytes=3_000_000, songs=2
)


class LoudnessTagger:
    """Two seeds whose scores of the first tag rise from excerpt to excerpt."""

    def __init__(self, bundle):
        self.bundle = bundle
        self.decoded, self.heard, self.left = 0, 0, 0
        self.hold = threading.Event()
        self.hold.set()

    def scores(self, spectrograms):
        assert spectrograms.dtype == np.float16
        self.hold.wait(600)
        self.heard += 1
        scores = np.full((2, len(spectrograms), len(TAGS)), 0.05, np.float32)
        scores[:, :, 0] = np.linspace(0.2, 0.4, len(spectrograms))
        scores[1, :, 0] += 0.1
        scores[:, :, 2] = 0.5
        return scores


def make_bundle(with_thresholds: bool = True):
    threshold = np.full(len(TAGS), 0.3)
    threshold[2:5] = 0.6, np.nan, 0.01
    positives = np.full(len(TAGS), 9)
    positives[3:5] = 0, 1  # Of tag 3 no clip, of tag 4 a single one.
    known = Thresholds("valid", *[threshold] * 4, positives=positives)
    return SimpleNamespace(
        tags=TAGS,
        recipe=RECIPE,
        seeds=(0, 1),
        thresholds=known if with_thresholds else None,
        provenance={"corpus": {"name": "synthetic <1>"}},
    )


@contextlib.contextmanager
def serving(read=None, **changes):
    """Runs a server in a thread; `read` stands in for the decoders."""
    tagger, limits = LoudnessTagger(make_bundle()), LIMITS._replace(**changes)
    files = answers.page_files(tagger.bundle, limits)
    with contextlib.ExitStack() as stack:
        tag = stack.enter_context(in_turn(tagger))
        if read is None:
            read = stack.enter_context(decoders(RECIPE, limits)).read
        listener = stack.enter_context(run.take_port("127.0.0.1", 0))
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="msd-tagger-"))

        async def decode(path):
            decoded = await read(path)
            tagger.decoded += 1
            return decoded

        async def answer(decoded):
            try:
                return await tag(decoded)
            except asyncio.CancelledError:
                tagger.left += 1
                raise

        app = create_app(
            *(decode, answer, files, limits, Path(folder)), proxies=PROXIES
        )
        server = run.server_of(app)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        wait(lambda: server.started)
        port = listener.getsockname()[1]
        try:
            ends = partial(setattr, server, "should_exit", True)
            yield SimpleNamespace(port=port, tagger=tagger, ends=ends)
        finally:
            tagger.hold.set()
            server.should_exit = True
            thread.join(60)
            assert not thread.is_alive()


def wait(condition, limit_s=600):
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.01)


def ask(port, method="POST", path="/tag", body=b"", **headers):
    """Sends a request and returns status, headers and JSON or text."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = body.read_bytes() if isinstance(body, Path) else body
    with contextlib.closing(connection):
        connection.request(method, path, body, named)
        answer = connection.getresponse()
        text = answer.read().decode("utf-8")
        is_json = answer.headers.get_content_type() == "application/json"
        return answer.status, answer.headers, json.loads(text) if is_json else text


def sound(path, duration_s=5.0, rate_hz=8000, channels=1, **options):
    """Writes a tone."""
    time_s = np.arange(int(duration_s * rate_hz)) / rate_hz
    samples = np.repeat(0.3 * np.sin(2765 * time_s)[:, None], channels, axis=1)
    soundfile.write(path, samples, rate_hz, **options)
    return path
