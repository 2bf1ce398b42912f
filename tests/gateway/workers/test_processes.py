"""`tritonkit gateway` as an operator sees it: it starts, drains, ends, and outlives its workers."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.gateway.running import Gateway, running_gateway

from tritonkit.gateway.workers.supervisor import backoff

if TYPE_CHECKING:
    from conftest import Triton

NOWHERE = "http://127.0.0.1:1"


@contextmanager
def asked(
    gateway: Gateway, method: str, path: str, body: bytes | None = None, **headers: str
) -> Iterator[HTTPResponse]:
    connection = HTTPConnection("127.0.0.1", gateway.port, timeout=30)
    try:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, names)
        yield connection.getresponse()
    finally:
        connection.close()


def ask(
    gateway: Gateway, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, bytes]:
    with asked(gateway, method, path, body, **headers) as response:
        return response.status, response.read()


def sleep(seconds: float) -> bytes:
    tensor = {"name": "seconds", "datatype": "FP32", "shape": [1, 1], "data": [seconds]}
    return json.dumps({"inputs": [tensor]}).encode()


def double(x: float) -> bytes:
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [x] * 4}
    return json.dumps({"inputs": [tensor]}).encode()


@contextmanager
def sleeping(gateway: Gateway, seconds: float) -> Iterator[HTTPConnection]:
    """A request that waits in Triton."""
    connection = HTTPConnection("127.0.0.1", gateway.port, timeout=30)
    try:
        before = in_flight(gateway)
        connection.request("POST", "/v2/models/moody/infer", sleep(seconds))
        until(lambda: in_flight(gateway) > before)
        yield connection
    finally:
        connection.close()


def in_flight(gateway: Gateway) -> float:
    """Requests that wait for their answers, this one included."""
    _, metrics = ask(gateway, "GET", "/metrics")
    match = re.search(rb"(?m)^tritonkit_gateway_in_flight\S* (\S+)$", metrics)
    assert match
    return float(match[1])


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_starts_without_a_server_and_says_so() -> None:
    with running_gateway("", "--upstream", "http://[::1]:2", upstream=NOWHERE) as gateway:
        assert gateway.log.endswith(", in front of http://[::1]:2, http://127.0.0.1:1\n")
        assert ask(gateway, "GET", "/v2/health/live") == (200, b"")
        status, body = ask(gateway, "GET", "/v2/health/ready")
        assert status == 503
        assert b"no server is ready: cannot connect to http://[::1]:2" in body
        status, body = ask(gateway, "POST", "/v2/models/doubles/infer", double(1.0))
        assert status == 503
        assert b"cannot connect" in body
        gateway.signal(signal.SIGINT)
        assert gateway.wait() == 0
        assert "Traceback" not in gateway.log


def test_drains(triton: Triton, tmp_path: Path) -> None:
    """Readiness says no first, streams end, what is in flight is answered, and it exits with 0."""
    policy = '[gateway]\ndrain_delay = "500ms"'
    with (
        running_gateway(policy, upstream=triton.http, folder=tmp_path) as gateway,
        asked(gateway, "GET", "/live/events") as events,
        sleeping(gateway, 1.5) as waiting,
    ):
        assert events.readline() == b"retry: 2000\n"
        gateway.signal()
        until(lambda: ask(gateway, "GET", "/v2/health/ready")[0] == 503)
        assert ask(gateway, "POST", "/v2/models/doubles/infer", double(1.0))[0] == 200
        response = waiting.getresponse()
        assert response.status == 200
        assert b"slept" in response.read()
        # To its end, which comes as a whole chunk.
        assert b"event: state" in events.read()
        assert gateway.wait() == 0
        assert "Traceback" not in gateway.log


def test_a_second_signal_ends_it_at_once(triton: Triton) -> None:
    with running_gateway(upstream=triton.http) as gateway, sleeping(gateway, 3) as waiting:
        gateway.signal()
        gateway.wait_for("draining")
        gateway.signal()
        with pytest.raises((HTTPException, ConnectionError)):
            waiting.getresponse()
        assert gateway.wait() == 1
        assert "Traceback" not in gateway.log


def test_a_second_signal_ends_a_worker_that_hears_none() -> None:
    with running_gateway("", "--workers", "2", upstream=NOWHERE) as gateway:
        deaf, _ = (
            int(gateway.wait_for(rf"worker {number} serves, process (\d+)")[1]) for number in (0, 1)
        )
        os.kill(deaf, signal.SIGSTOP)
        gateway.signal()
        gateway.wait_for(r"\[1\] draining")
        gateway.signal()
        assert gateway.wait() == 1
        assert not Path(f"/proc/{deaf}").exists()


def test_workers_share_a_port_and_one_that_dies_is_replaced(triton: Triton) -> None:
    with running_gateway("", "--workers", "2", upstream=triton.http) as gateway:
        first = [
            int(gateway.wait_for(rf"worker {number} serves, process (\d+)")[1]) for number in (0, 1)
        ]
        connections = [HTTPConnection("127.0.0.1", gateway.port, timeout=30) for _ in range(40)]
        for connection in connections:
            connection.request("POST", "/v2/models/doubles/infer", double(1.0))
            assert connection.getresponse().read().endswith(b'"data":[2.0,2.0,2.0,2.0]}]}')
        # One connection at a time is taken, so that neither has them all.
        held = [len(sockets(process, gateway.port)) for process in first]
        assert sum(held) == 40
        assert min(held) >= 1
        for connection in connections:
            connection.close()

        os.kill(first[0], signal.SIGKILL)
        gateway.wait_for("worker 0 ended with -9; another one in 0.1 s")
        for _ in range(10):
            assert ask(gateway, "POST", "/v2/models/doubles/infer", double(2.0))[0] == 200
        gateway.wait_for(rf"worker 0 serves, process (?!{first[0]}\b)\d+")
        assert gateway.stop() == 0
        assert "Traceback" not in gateway.log


def test_workers_that_drain_are_not_connected_to() -> None:
    """Nobody would accept, and a client would wait for all that is in flight."""
    with running_gateway("", "--workers", "2", upstream=NOWHERE) as gateway:
        for number in (0, 1):
            gateway.wait_for(rf"worker {number} serves")
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=30) as client:
            head = b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
            client.sendall(head + b"Expect: 100-continue\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 100 ")
            gateway.signal(signal.SIGHUP)
            until(lambda: not connects(gateway))
            client.sendall(b"x")
            assert client.recv(1000).startswith(b"HTTP/1.1 200 ")
        assert gateway.wait() == 0
        assert "Traceback" not in gateway.log


def connects(gateway: Gateway) -> bool:
    try:
        socket.create_connection(("127.0.0.1", gateway.port), timeout=30).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_amid_its_start_leaves_nothing_behind(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with running_gateway(upstream=NOWHERE) as gateway:
        gateway.signal(number)
        # It may have served already.
        assert gateway.wait() in (0, 1)
        assert "Traceback" not in gateway.log
    # Python tries whether it can write there by a file that it removes; a signal may be quicker.
    assert [each for each in tmp_path.iterdir() if each.is_dir()] == []


@pytest.mark.parametrize("hard", [4096, 200])
def test_has_files_for_its_connections(hard: int) -> None:
    """Where the system lets it; it is told otherwise, and goes on."""
    with running_gateway(
        upstream=NOWHERE, prefix=["sh", "-c", f'ulimit -Sn 128; ulimit -Hn {hard}; exec "$@"', ""]
    ) as gateway:
        assert ask(gateway, "GET", "/v2/health/live") == (200, b"")
        limits = Path(f"/proc/{gateway.process.pid}/limits").read_text()
        assert re.search(rf"Max open files +{min(hard, 1512)} +{hard} ", limits)
        assert ("needs 1512 open files, but the system allows 200" in gateway.log) == (hard == 200)
        connections = [HTTPConnection("127.0.0.1", gateway.port, timeout=30) for _ in range(250)]
        for connection in connections:
            connection.connect()
        if hard == 200:
            gateway.wait_for("no connection is taken for 0.2 s")
        for connection in connections:
            connection.close()
        assert ask(gateway, "GET", "/v2/health/live") == (200, b"")
        assert gateway.stop() == 0


def test_a_worker_that_never_served_cut_nothing_off() -> None:
    with running_gateway("", "--workers", "2", upstream=NOWHERE) as gateway:
        for number in (0, 1):
            gateway.wait_for(rf"worker {number} serves")
        first = set(children(gateway.process.pid))
        os.kill(min(first), signal.SIGKILL)
        until(lambda: bool(set(children(gateway.process.pid)) - first))
        gateway.signal()
        assert gateway.wait() == 0


def children(process: int) -> list[int]:
    tasks = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(child) for child in tasks.split()]


def test_nohup_is_for_it_too() -> None:
    ignored = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with running_gateway(upstream=NOWHERE) as gateway:
            assert ask(gateway, "GET", "/v2/health/live") == (200, b"")
            gateway.signal(signal.SIGHUP)
            assert ask(gateway, "GET", "/v2/health/live") == (200, b"")
            assert gateway.stop() == 0
    finally:
        signal.signal(signal.SIGHUP, ignored)


def test_workers_end_with_who_started_them(triton: Triton) -> None:
    with running_gateway("", "--workers", "2", upstream=triton.http) as gateway:
        workers = [
            int(gateway.wait_for(rf"worker {number} serves, process (\d+)")[1]) for number in (0, 1)
        ]
        gateway.process.kill()
        gateway.process.wait()
        until(lambda: not any(Path(f"/proc/{process}").exists() for process in workers))


def sockets(process: int, port: int) -> set[str]:
    """Established connections of clients that a process has."""
    held = set()
    for descriptor in Path(f"/proc/{process}/fd").iterdir():
        try:
            held.add(str(descriptor.readlink()))
        except FileNotFoundError:
            continue
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    mine = {
        f"socket:[{fields[9]}]"
        for fields in lines
        if int(fields[1].rpartition(":")[2], 16) == port and fields[3] == "01"
    }
    return held & mine


def test_waits_longer_for_a_worker_that_dies_again() -> None:
    assert [backoff(deaths) for deaths in (1, 2, 3, 4)] == [0.1, 0.2, 0.4, 0.8]
    assert backoff(8) == backoff(1000) == 10.0


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with pytest.raises(TimeoutError, match=f"cannot listen on 127.0.0.1:{port}: something"):
            Gateway("--upstream", NOWHERE, "--port", port)
