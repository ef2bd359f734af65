"""A headless browser told what to do by its DevTools protocol, through a pipe: loads, clicks, files, and all it asked.

https://chromedevtools.github.io/devtools-protocol says what each method takes and gives.
"""

from __future__ import annotations

import base64
import json
import os
import select
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from shared.browser import CHROMIUM

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-pipe")
READ, WRITE = 3, 4
"""Descriptors on which the browser hears and answers."""
PATIENCE = 120.0
"""Seconds until an answer is overdue."""


class Browser:
    """One page of a running browser."""

    def __init__(self, hear: int, tell: int) -> None:
        self._hear, self._tell, self._buffer, self._number = hear, tell, b"", 0
        self._answers: dict[int, dict[str, Any]] = {}
        self.requests: list[str] = []
        """Addresses that the page and its workers asked for."""
        self.complaints: list[str] = []
        """Errors and warnings of the console, and exceptions."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.page("Page.enable")
        self._watch(self._session)

    def open(self, address: str, width: int = 1280, height: int = 900, scheme: str = "light") -> None:
        """Load a page in a window of this size, for a reader who prefers this colour scheme."""
        sizes = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.page("Emulation.setDeviceMetricsOverride", **sizes)
        self.page("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.page("Page.navigate", url=address)

    def run(self, script: str) -> Any:
        """The value of a script, awaited."""
        given = {"expression": script, "awaitPromise": True, "returnByValue": True}
        answer = self.page("Runtime.evaluate", **given)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def call_function(self, script: str, **given: Any) -> Any:
        """What the body of an asynchronous function returns; in it ``modules`` loads one of the page by its name."""
        names, values = ", ".join(given), ", ".join(map(json.dumps, given.values()))
        load = "const modules = name => import(`/${name}.js`);"
        return self.run(f"(async ({names}) => {{ {load} {script} }})({values})")

    def wait(self, condition: str, seconds: float = PATIENCE) -> Any:
        """Ask again and again until a script gives something true, and return that."""
        end = time.monotonic() + seconds
        while not (value := self.run(condition)):
            assert time.monotonic() < end, (
                f"still not: {condition}; the page says {self.run('document.body.innerText')}"
            )
            time.sleep(0.05)
        return value

    def choose(self, selector: str, *files: Path) -> None:
        """Choose files in an input."""
        root = self.page("DOM.getDocument")["root"]["nodeId"]
        node = self.page("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.page("DOM.setFileInputFiles", files=[str(file) for file in files], nodeId=node)

    def save_downloads(self, folder: Path) -> None:
        """Save whatever the page hands out in a folder."""
        self.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))

    def wait_for_file(self, path: Path, seconds: float = PATIENCE) -> None:
        """Wait until a download has come to its end."""
        end = time.monotonic() + seconds
        while not path.exists() or any(path.parent.glob("*.crdownload")):
            assert time.monotonic() < end, f"no {path.name} came"
            time.sleep(0.05)

    def picture(self, path: Path) -> None:
        """Save what the whole page looks like."""
        size = self.page("Page.getLayoutMetrics")["cssContentSize"]
        given = {"captureBeyondViewport": True, "clip": {**size, "scale": 1}}
        path.write_bytes(base64.b64decode(self.page("Page.captureScreenshot", **given)["data"]))

    def page(self, method: str, **given: Any) -> dict[str, Any]:
        """Call a method of the page."""
        return self.call(method, self._session, **given)

    def call(self, method: str, session: str | None = None, **given: Any) -> dict[str, Any]:
        """Call a method and return its answer."""
        number = self._send(method, session, **given)
        end = time.monotonic() + PATIENCE
        while number not in self._answers:
            assert time.monotonic() < end, f"{method}: no answer"
            self._listen(end)
        answer = self._answers.pop(number)
        assert "error" not in answer, f"{method}: {answer.get('error')}"
        return answer["result"]

    def _send(self, method: str, session: str | None, **given: Any) -> int:
        self._number += 1
        message = {"id": self._number, "method": method, "params": given, **({"sessionId": session} if session else {})}
        os.write(self._tell, json.dumps(message).encode() + b"\0")
        return self._number

    def _watch(self, session: str) -> None:
        """Hear what a page or worker asks for and complains of, and of its workers; nothing waits for an answer."""
        for method in ("Network.enable", "Runtime.enable", "Log.enable"):
            self._send(method, session)
        workers = {"autoAttach": True, "waitForDebuggerOnStart": True, "flatten": True}
        self._send("Target.setAutoAttach", session, **workers)
        self._send("Runtime.runIfWaitingForDebugger", session)

    def _listen(self, end: float) -> None:
        ready, _, _ = select.select([self._hear], [], [], max(0.0, end - time.monotonic()))
        assert ready, "the browser is silent"
        *messages, self._buffer = (self._buffer + os.read(self._hear, 2**20)).split(b"\0")
        for message in map(json.loads, messages):
            if "id" in message:
                self._answers[message["id"]] = message
            else:
                self._note(message["method"], message["params"])

    def _note(self, event: str, given: dict[str, Any]) -> None:
        if event == "Target.attachedToTarget":
            self._watch(given["sessionId"])
        elif event == "Network.requestWillBeSent":
            self.requests.append(given["request"]["url"])
        elif event == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(given["exceptionDetails"]))
        elif event == "Runtime.consoleAPICalled" and given["type"] in ("error", "warning", "assert"):
            self.complaints.append(json.dumps(given["args"]))
        elif event == "Log.entryAdded" and given["entry"]["level"] in ("error", "warning"):
            self.complaints.append(f"{given['entry']['text']} {given['entry'].get('url', '')}")


class _Quiet(SimpleHTTPRequestHandler):
    """Serves files and prints nothing."""

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    """Does not mind a browser that hangs up."""

    def handle_error(self, *_: Any) -> None:
        """Say nothing: who asked has gone to another page."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on this machine alone, as ``python -m http.server`` does; yields its address, with a slash."""
    server = _Server(("127.0.0.1", 0), partial(_Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """Start a browser with a new profile, and end it."""
    assert CHROMIUM is not None
    hear, answered = os.pipe()
    asked, tell = os.pipe()
    silent = os.open(os.devnull, os.O_WRONLY)
    actions = [(os.POSIX_SPAWN_DUP2, silent, 1), (os.POSIX_SPAWN_DUP2, silent, 2)]
    high = [os.dup(end) for end in (asked, answered)]  # so that neither is 3 or 4 itself, which would be closed
    actions += [(os.POSIX_SPAWN_DUP2, end, at) for end, at in zip(high, (READ, WRITE), strict=True)]
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={profile}"]
    process = os.posix_spawn(CHROMIUM, command, os.environ, file_actions=actions, setpgroup=0)
    for end in (asked, answered, silent, *high):
        os.close(end)
    try:
        yield Browser(hear, tell)
    finally:
        os.killpg(process, signal.SIGKILL)
        os.waitpid(process, 0)
        os.close(hear)
        os.close(tell)
