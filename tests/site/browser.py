"""Drive Chromium by its DevTools protocol over two pipes: no library and no port is needed."""

# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from collections import deque
from contextlib import suppress

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
OPTIONS = (
    "--headless=new", "--remote-debugging-pipe", "--no-first-run", "--disable-gpu",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-default-apps", "--hide-scrollbars", "--force-color-profile=srgb",
    "--disable-dev-shm-usage",
)  # fmt: skip
WATCHED = {"autoAttach": True, "waitForDebuggerOnStart": True, "flatten": True}


def find_chromium():
    """Return the path of a Chromium; None where there is none."""
    given = os.environ.get("CHROMIUM")
    return given or next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """A running Chromium with a profile of its own."""

    def __init__(self, executable, profile, *more):
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        options = [*OPTIONS, *more, f"--user-data-dir={profile}"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            options.append("--no-sandbox")  # which root cannot have
        ends = to_browser, from_browser
        # the browser reads file descriptor 3 and writes 4
        command = 'exec 3<&"$0" 4>&"$1"; shift; exec "$@"'
        self._process = subprocess.Popen(
            [shutil.which("bash"), "-c", command, *map(str, ends), executable, *options],
            pass_fds=ends,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._buffer = b""
        self._number = 0
        self.events = deque(maxlen=1000)
        self.requested = []

    def close(self):
        with suppress(OSError, EOFError):
            self.call("Browser.close")
        self._process.wait(timeout=20)
        os.close(self._write)
        os.close(self._read)

    def call(self, method, session=None, **parameters):
        """Call a method of the protocol and return its result."""
        number = self._send(method, session, **parameters)
        while True:
            found = self._next()
            if found.get("id") == number:
                if "error" in found:
                    raise RuntimeError(f"{method}: {found['error']['message']}")
                return found["result"]
            if "method" in found:
                self._take(found["method"], found["params"])

    def _send(self, method, session=None, **parameters):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        text = json.dumps(message).encode() + b"\0"
        while text:  # a pipe may take a part
            text = text[os.write(self._write, text) :]
        return self._number

    def _take(self, event, about):
        """Keep an event; watch each worker from its start, which waits for that."""
        self.events.append((event, about))
        if event == "Network.requestWillBeSent":
            self.requested.append(about["request"]["url"])
        if event == "Target.attachedToTarget":
            session = about["sessionId"]
            self._send("Network.enable", session)
            self._send("Target.setAutoAttach", session, **WATCHED)
            self._send("Runtime.runIfWaitingForDebugger", session)

    def _next(self):
        while b"\0" not in self._buffer:
            more = os.read(self._read, 1 << 20)
            if not more:
                raise EOFError("the browser has gone")
            self._buffer += more
        text, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(text)

    def page(self, **options):
        return Page(self, **options)


class Page:
    """A tab with its own storage."""

    def __init__(self, browser, width=1280, height=900):
        self._browser = browser
        self.context = browser.call("Target.createBrowserContext")["browserContextId"]
        self._target = browser.call(
            "Target.createTarget", url="about:blank", browserContextId=self.context
        )["targetId"]
        attached = browser.call("Target.attachToTarget", targetId=self._target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.call("Target.setAutoAttach", **WATCHED)
        self.size(width, height)

    def call(self, method, **parameters):
        return self._browser.call(method, self.session, **parameters)

    def close(self):
        self._browser.call("Target.disposeBrowserContext", browserContextId=self.context)

    def size(self, width, height=900):
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip

    def scheme(self, name):
        self.call(
            "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}]
        )

    def before(self, script):
        """Run a script in each page before the page's own."""
        self.call("Page.addScriptToEvaluateOnNewDocument", source=script)

    def go(self, address):
        self.call("Page.navigate", url=address)

    def run(self, script):
        """Evaluate an expression, which may be a promise, and return its value."""
        found = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True,
            userGesture=True,
        )  # fmt: skip
        if "exceptionDetails" in found:
            raise RuntimeError(json.dumps(found["exceptionDetails"])[:2000])
        return found["result"].get("value")

    def wait(self, condition, seconds=40):
        """Wait until an expression is true."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with suppress(RuntimeError):  # between two pages
                if self.run(f"(async () => Boolean(await ({condition})))()"):
                    return
            time.sleep(0.03)
        shown = self.run("document.querySelector('main').innerText")
        raise TimeoutError(f"{condition}\n{shown[-1500:]}")

    def picture(self, path, *, full=True):
        found = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=full)
        with open(path, "wb") as file:
            file.write(base64.b64decode(found["data"]))
