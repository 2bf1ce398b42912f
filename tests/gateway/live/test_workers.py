"""The live page of a real gateway of two workers, in front of a real Triton."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

from tests.gateway.running import Gateway, running_gateway

if TYPE_CHECKING:
    from conftest import Triton

POLICY = """
server = "{server}"

[[layers]]
type = "cache"

[gateway]
faults = true
drain_delay = "0s"

[gateway.live]
history = "{history}"

[gateway.models.words]
model = "embedder"
"""


def ask(gateway: Gateway, method: str, path: str, document: Any = None) -> tuple[int, Any]:
    """Over a connection of its own, so that any worker may answer."""
    connection = HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    try:
        body = None if document is None else json.dumps(document)
        connection.request(method, path, body, {"content-type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def embed(gateway: Gateway, text: str) -> int:
    return ask(gateway, "POST", "/api/embed", {"model": "words", "texts": [text]})[0]


def until(gateway: Gateway, true: Callable[[dict[str, Any]], object], times: int = 1) -> Any:
    """The state, when something has been so for several looks: at whichever worker."""
    seen = 0
    state: Any = None
    for _ in range(400):
        _, state = ask(gateway, "GET", "/live/state")
        seen = seen + 1 if true(state) else 0
        if seen == times:
            return state
        time.sleep(0.05)
    raise AssertionError(f"it never came to be: {json.dumps(state)[:2000]}")


def layer_on(state: dict[str, Any]) -> bool:
    (layer,) = state["controls"]["layers"]
    return bool(layer["on"])


def test_two_workers_are_one_gateway(triton: Triton, tmp_path):
    """Whichever answers shows both, follows what the other was told, and outlives kill -9."""
    policy = POLICY.format(server=triton.http, history=tmp_path / "history.sqlite")
    with running_gateway(policy, "--workers", "2", folder=tmp_path) as gateway:
        state = until(gateway, lambda state: state["workers"] == 2, times=5)
        assert state["history"] == {"kept": True, "why": ""}
        for number in range(20):
            assert embed(gateway, f"text {number % 10}") == 200
        state = until(gateway, lambda state: state["requests"]["total"] == 20, times=5)
        assert sum(state["rows"]["by_origin"].values()) == 20
        assert {each["route"] for each in state["recent"]} == {"embed"}

        assert ask(gateway, "POST", "/live/switch", {"layer": "cache", "on": False})[0] == 200
        until(gateway, lambda state: not layer_on(state), times=10)
        assert (
            ask(gateway, "POST", "/live/fault", {"name": "fail", "on": True, "value": 1})[0] == 200
        )
        until(gateway, lambda state: any(f["on"] for f in state["controls"]["faults"]), times=10)
        assert [embed(gateway, "text 1") >= 500 for _ in range(5)] == [True] * 5
        until(gateway, lambda state: state["requests"]["errors"] == 5)

        pid = int(gateway.wait_for(r"worker 0 serves, process (\d+)")[1])
        os.kill(pid, signal.SIGKILL)
        gateway.wait_for(r"(?s)worker 0 serves.*worker 0 serves")
        # The one that is new follows, too.
        state = until(gateway, lambda state: state["workers"] == 2 and not layer_on(state), times=5)
        assert state["requests"]["total"] == 25
        assert ask(gateway, "POST", "/live/fault", {"name": "fail", "on": False})[0] == 200
        assert ask(gateway, "POST", "/live/switch", {"layer": "cache", "on": True})[0] == 200
        until(gateway, layer_on, times=10)
        status, found = ask(
            gateway, "POST", "/live/compare", {"model": "words", "a": "text 1", "b": "something"}
        )
        assert status == 200
        assert set(found) == {"similarity", "a", "b"}
        until(gateway, lambda state: state["requests"]["total"] == 27)
        status, history = ask(gateway, "GET", "/live/history?minutes=60&points=240")
        assert status == 200
        answered = sum(point["requests_per_second"] * 15 for point in history["points"])
        assert round(answered) == 27
        stream = HTTPConnection("127.0.0.1", gateway.port, timeout=20)
        stream.request("GET", "/live/events")
        events = stream.getresponse()
        assert re.match(rb"retry: \d+", events.readline())
        gateway.signal()
        # It ends with the gateway.
        assert events.read().count(b"event: state") >= 1
        stream.close()
        assert gateway.wait() == 0
