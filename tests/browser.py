"""Drives a Chromium that is installed, by its debugging protocol over pipes.

No package is needed: messages are JSON that ends with a zero byte, which the browser
reads from file descriptor 3 and writes to 4
(https://chromedevtools.github.io/devtools-protocol).
"""

from __future__ import annotations

import itertools
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
EXECUTABLE = next((path for name in NAMES if (path := shutil.which(name))), None)
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--mute-audio",
    "--no-first-run",
    "--remote-debugging-pipe",
)
TIMEOUT_S = 600
AXE = """
axe.run().then(({ violations }) => violations
  .filter(({ impact }) => impact === "serious" || impact === "critical")
  .flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 200)}`)))
"""


class Browser:
    """One page of a browser of its own; use it in a `with` statement."""

    def __init__(self, folder: Path):
        self.folder, self.number, self.buffer = folder, 0, b""

    def __enter__(self):
        child_reads, self.to_browser = os.pipe()
        self.from_browser, child_writes = os.pipe()
        high = [os.dup2(fd, 100 + fd) for fd in (child_reads, child_writes)]

        def redirect():
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        options = [*OPTIONS, f"--user-data-dir={self.folder / 'profile'}"]
        self.process = subprocess.Popen(
            [EXECUTABLE, *options],
            preexec_fn=redirect,
            pass_fds=(3, 4),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for fd in (child_reads, child_writes, *high):
            os.close(fd)
        self.session = None
        page = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=page, flatten=True)
        self.session = attached["sessionId"]
        self.send("Page.enable")
        downloads = {"behavior": "allow", "downloadPath": str(self.folder)}
        self.send("Browser.setDownloadBehavior", **downloads)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(TIMEOUT_S)
        os.close(self.to_browser)
        os.close(self.from_browser)

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Calls a method of the protocol and returns its result."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to_browser, json.dumps(message).encode() + b"\0")
        while (answer := self._read()).get("id") != self.number:
            if answer.get("method") == "Page.javascriptDialogOpening":
                self._accept()
        assert "error" not in answer, answer
        return answer["result"]

    def run(self, script: str) -> Any:
        """Evaluates a script; waits where it gives a promise."""
        options = {"awaitPromise": True, "returnByValue": True, "userGesture": True}
        found = self.send("Runtime.evaluate", expression=script, **options)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def open(self, path: Path) -> None:
        """Opens a file, as from the disk, and waits until it is loaded."""
        self.send("Page.navigate", url=path.as_uri())
        self.wait("document.readyState === 'complete'")

    def press(self, *keys: str) -> None:
        """Types keys: letters, or names such as `ArrowDown`."""
        for key in keys:
            text = {"text": key} if len(key) == 1 else {}
            self.send("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
            self.send("Input.dispatchKeyEvent", type="keyUp", key=key)

    def wait(self, condition: str) -> None:
        """Waits until a script is true."""
        end = time.monotonic() + TIMEOUT_S
        while not self.run(condition):
            assert time.monotonic() < end, f"never true: {condition}"
            time.sleep(0.05)

    def give_file(self, selector: str, *paths: Path) -> None:
        """Chooses files in a file input."""
        root = self.send("DOM.getDocument")["root"]["nodeId"]
        node = self.send("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.send("DOM.setFileInputFiles", nodeId=node, files=[*map(str, paths)])

    def show_as(self, width_px: int, scheme: str) -> None:
        """Makes the window narrow or wide, and asks for light or dark colours."""
        size = {"width": width_px, "height": 900, "deviceScaleFactor": 1}
        self.send("Emulation.setDeviceMetricsOverride", mobile=width_px < 600, **size)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.send("Emulation.setEmulatedMedia", features=[feature])

    def complaints(self) -> list[str]:
        """What axe finds that is serious, narrow and wide, light and dark.

        Skips the test where MSD_TAGGER_NODE_MODULES has no axe-core.
        """
        modules = Path(os.environ.get("MSD_TAGGER_NODE_MODULES", "nowhere"))
        script = modules / "axe-core" / "axe.min.js"
        if not script.is_file():
            pytest.skip("MSD_TAGGER_NODE_MODULES names no node_modules with axe-core")
        self.run(f"{script.read_text(encoding='utf-8')}; 0")
        found = []
        for width_px, scheme in itertools.product((390, 1280), ("light", "dark")):
            self.show_as(width_px, scheme)
            found += [f"{width_px} {scheme}: {one}" for one in self.run(AXE)]
        return found

    def _accept(self) -> None:
        """Says yes to a dialogue, whose question holds the page up."""
        message = {"id": -1, "method": "Page.handleJavaScriptDialog"}
        message |= {"params": {"accept": True}, "sessionId": self.session}
        os.write(self.to_browser, json.dumps(message).encode() + b"\0")

    def _read(self) -> dict[str, Any]:
        """Reads the next message."""
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.from_browser], [], [], TIMEOUT_S)
            chunk = os.read(self.from_browser, 2**20) if ready else b""
            assert chunk, "the browser says nothing more"
            self.buffer += chunk
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)
