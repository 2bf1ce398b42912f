"""Serves the page and plays the gateway's documents to it: a fake of a protocol of ours."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import tritonkit.gateway.live as live

PAGE = Path(live.__path__[0]) / "page"
HERE = Path(__file__).parent
TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}


def example() -> dict[str, Any]:
    state: dict[str, Any] = json.loads((HERE / "example.json").read_text())
    return state


class PageServer:
    """
    Plays `state` each `tick` seconds, as whoever changes it in between made it.

    Attributes:
        state: What is told next.
        token: That is wanted; empty where none is.
        posted: Paths and bodies that came, in order.
        away: Refuse streams, and end those that are open.
        refusal: What whoever compares or changes something is told; empty where all is well.
        unread: What whoever asks for the history is told; likewise.
    """

    def __init__(self, *, tick: float = 0.05) -> None:
        self.state = example()
        self.state["at"] = time.time_ns() / 1e9
        self.tick = tick
        self.token = ""
        self.away = False
        self.posted: list[tuple[str, Any]] = []
        self.similarity = 0.8712
        self.refusal = ""
        self.unread = ""
        self.points: Callable[[float, int], dict[str, Any]] = past
        self.streams = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/"

    def close(self) -> None:
        self.away = True
        self._server.shutdown()
        self._server.server_close()

    def compare(self, asked: dict[str, Any]) -> dict[str, Any]:
        seen = any(path == "compare" for path, _ in self.posted[:-1]) and not asked["bypass"]
        side = {
            "tier": "" if seen else "accurate",
            "cache": "memory" if seen else "model",
            "seconds": 0.00021 if seen else 0.0341,
            "cost": 0 if seen else 12,
            "degraded": "",
            "attempts": 0 if seen else 1,
        }
        return {"similarity": self.similarity, "a": side, "b": side}

    def change(self, path: str, asked: dict[str, Any]) -> dict[str, Any]:
        controls: dict[str, Any] = self.state["controls"]
        if path == "switch":
            for layer in controls["layers"]:
                if layer["name"] == asked["layer"]:
                    layer["on"] = asked["on"]
        for fault in controls["faults"] if path == "fault" else []:
            if fault["name"] == asked["name"]:
                fault["on"] = asked["on"]
                fault["value"] = asked.get("value", fault["value"])
                fault["until"] = self.state["at"] + 300 if asked["on"] else None
        return controls

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        played = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                pass

            def answer(self, body: bytes, kind: str, status: int = 200) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Content-Security-Policy", "default-src 'self'")
                self.end_headers()
                self.wfile.write(body)

            def json(self, document: Any, status: int = 200) -> None:
                self.answer(json.dumps(document).encode(), "application/json", status)

            def admitted(self) -> bool:
                wanted = f"Bearer {played.token}"
                if played.token and self.headers.get("Authorization") != wanted:
                    self.json({"error": "who asks is not known"}, 401)
                    return False
                return True

            def do_GET(self) -> None:
                split = urlsplit(self.path)
                if split.path in ("/", "/live/"):
                    self.answer((PAGE / "index.html").read_bytes(), "text/html; charset=utf-8")
                elif split.path.startswith("/live/static/"):
                    found = PAGE / split.path.rpartition("/")[2]
                    self.answer(found.read_bytes(), TYPES[found.suffix])
                elif not self.admitted():
                    pass
                elif split.path == "/live/history" and played.unread:
                    self.json({"error": played.unread}, 503)
                elif split.path == "/live/history":
                    query = parse_qs(split.query)
                    minutes, points = float(query["minutes"][0]), int(query["points"][0])
                    self.json(played.points(60 * minutes, points))
                elif split.path == "/live/models":
                    layers = played.state["controls"]["layers"]
                    self.json({"models": ["minilm", "big"], "layers": layers})
                elif split.path == "/live/events":
                    self.stream()
                else:
                    self.json({"error": "nothing is here"}, 404)

            def stream(self) -> None:
                if played.away:
                    self.json({"error": "the gateway is ending"}, 503)
                    return
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.end_headers()
                played.streams += 1
                self.wfile.write(b"retry: 200\n\n")
                try:
                    while not played.away:
                        played.state["at"] = time.time_ns() / 1e9
                        text = json.dumps(played.state)
                        self.wfile.write(f"event: state\ndata: {text}\n\n".encode())
                        time.sleep(played.tick)
                except ConnectionError:
                    pass

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if not self.admitted():
                    return
                path, asked = self.path.removeprefix("/live/"), json.loads(body)
                played.posted.append((path, asked))
                if played.refusal:
                    self.json({"error": played.refusal}, 503)
                elif path == "compare":
                    self.json(played.compare(asked))
                else:
                    self.json(played.change(path, asked))

        return Handler


def past(seconds: float, points: int) -> dict[str, Any]:
    """A history with a hole in it, in which a fault slowed one tier."""
    step = max(1.0, seconds / points)
    now = time.time_ns() // 10**9
    found = []
    for number in range(points):
        if 0.3 * points < number < 0.34 * points:
            continue
        wave = 0.5 + 0.5 * abs(((number * 7) % 29) / 14.5 - 1)
        fault = 0.6 * points < number < 0.75 * points
        rate = 90 + 60 * wave + 40 * number / points
        shares = {"memory": 0.45 + 0.1 * wave, "redis": 0.14, "coalesced": 0.04, "stale": 0.01}
        rows = {name: round(step * 1.3 * rate * share) for name, share in shares.items()}
        rows["model"] = round(step * 1.3 * rate) - sum(rows.values())
        tiers = {
            "memory": 0.0003 + 0.0001 * wave,
            "redis": 0.002 + 0.001 * wave,
            "fast": 0.012 + 0.006 * wave,
            "accurate": (0.35 if fault else 0.06) + 0.02 * wave,
        }
        found.append(
            {
                "at": now - (points - 1 - number) * step,
                "requests_per_second": rate,
                "errors_per_second": 9 * wave if fault else 0.3 * wave,
                "hit_share": sum(shares.values()),
                "by_origin": rows,
                "cost_per_second": 500 + 400 * wave,
                "cost_per_success": 5 + 2 * wave,
                "in_flight": 7,
                "tiers": {
                    name: {"p50": 0.6 * value, "p95": value, "p99": 2 * value, "requests": 10}
                    for name, value in tiers.items()
                    if number % 11 or name != "redis"
                },
            }
        )
    return {"step": step, "points": found}
