"""A headless Chromium that tests drive over its DevTools protocol, by pipes."""

from __future__ import annotations

import base64
import json
import os
import select
import subprocess
import time
from pathlib import Path
from typing import Any

__all__ = ["Browser", "Refused"]

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)

KEYS = {
    "Tab": (9, ""),
    "Enter": (13, "\r"),
    "Escape": (27, ""),
    "Space": (32, " "),
    "End": (35, ""),
    "Home": (36, ""),
    "ArrowLeft": (37, ""),
    "ArrowRight": (39, ""),
    "ArrowDown": (40, ""),
}
"""Code and text of the keys that tests press."""


class Refused(AssertionError):
    """What the browser would not do."""


class Browser:
    """One page of one browser, and what it told: `events`, since it was opened last."""

    def __init__(self, program: str, profile: Path) -> None:
        hears, self._write = os.pipe()
        self._read, says = os.pipe()

        def place() -> None:
            # It hears on 3 and says on 4; the numbers of the pipes may be the same.
            first, second = os.dup(hears), os.dup(says)
            os.dup2(first, 3)
            os.dup2(second, 4)

        self._process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={profile}"],
            preexec_fn=place,
            close_fds=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(hears)
        os.close(says)
        self._pending = b""
        self._number = 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Tell it something and wait for the answer; events on the way are kept."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise Refused(f"{method}: {answer['error']['message']}")
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def open(self, page: Path | str, *, width: int, height: int = 900, dark: bool = False) -> None:
        """Go to a file or a URL, and wait until it has loaded."""
        self.events.clear()
        self.look(width=width, height=height, dark=dark)
        url = page.as_uri() if isinstance(page, Path) else page
        loader = self.call("Page.navigate", url=url)["loaderId"]
        while not self._loaded(loader):
            self.events.append(self._next())

    def look(
        self, *, width: int, height: int = 900, dark: bool = False, still: bool = False
    ) -> None:
        """Be a window of this size, in this colour scheme, with less motion if `still`."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        motion = {"name": "prefers-reduced-motion", "value": "reduce" if still else ""}
        self.call("Emulation.setEmulatedMedia", features=[scheme, motion])

    def told(self, *methods: str) -> list[dict[str, Any]]:
        """The parameters of those events."""
        return [event["params"] for event in self.events if event.get("method") in methods]

    def complaints(self) -> list[dict[str, Any]]:
        """What is in the console: messages, exceptions, refused resources."""
        return self.told("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")

    def asked(self) -> list[str]:
        """The URLs of all requests."""
        return [each["request"]["url"] for each in self.told("Network.requestWillBeSent")]

    def value(self, expression: str) -> Any:
        """What an expression gives, as JSON; a promise is awaited."""
        found = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def until(self, expression: str, *, seconds: float = 20.0) -> None:
        """Wait until an expression is true; a wrong page fails by name, not by hanging."""
        end = time.monotonic() + seconds
        while True:
            try:
                # A node is true, and empty as JSON.
                if self.value(f"Promise.resolve({expression}).then(Boolean)"):
                    return
            except Refused:
                # The page went away under the question.
                pass
            assert time.monotonic() < end, f"never came true: {expression}"
            time.sleep(0.02)

    def press(self, key: str, *, shift: bool = False) -> None:
        """Press and release a key."""
        code, text = KEYS[key]
        name = " " if key == "Space" else key
        common = {"key": name, "code": key, "windowsVirtualKeyCode": code}
        common["modifiers"] = 8 if shift else 0
        down = {"type": "keyDown", "text": text} if text else {"type": "rawKeyDown"}
        self.call("Input.dispatchKeyEvent", **down, **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def point(self, x: float, y: float) -> None:
        """Move the mouse there."""
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def type(self, text: str) -> None:
        """Type into what has the focus."""
        self.call("Input.insertText", text=text)

    def picture(self, *, whole: bool = False) -> bytes:
        """A PNG of the window, or of the whole page."""
        asked: dict[str, Any] = {"captureBeyondViewport": whole}
        if whole:
            size = self.call("Page.getLayoutMetrics")["cssContentSize"]
            asked["clip"] = {**size, "scale": 1}
        return base64.b64decode(self.call("Page.captureScreenshot", **asked)["data"])

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        os.close(self._write)
        os.close(self._read)

    def _loaded(self, loader: str) -> bool:
        """Whether that page has loaded; the one before may have told of itself in between."""
        there = False
        for event in self.events:
            if event.get("method") == "Page.frameNavigated":
                there |= event["params"]["frame"]["loaderId"] == loader
            elif there and event.get("method") == "Page.loadEventFired":
                return True
        return False

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._pending:
            ready, _, _ = select.select([self._read], [], [], 60)
            assert ready, "the browser says nothing"
            came = os.read(self._read, 1 << 16)
            assert came, "the browser has gone"
            self._pending += came
        message, _, self._pending = self._pending.partition(b"\0")
        answer: dict[str, Any] = json.loads(message)
        return answer
