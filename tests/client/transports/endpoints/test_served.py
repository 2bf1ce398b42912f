"""Two real servers: one is killed and started again, stands still, unloads a model."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tritonkit.client import AsyncClient
from tritonkit.client.transports.endpoints.endpoints import Endpoints
from tritonkit.errors import ServerUnavailable
from tritonkit.server import EmbeddedServer
from tritonkit.server.ports import choose_ports

MODEL = """
import os
import numpy as np
import triton_python_backend_utils as pb


class TritonPythonModel:
    def execute(self, requests):
        who = np.array([[int(os.environ["TRITONKIT_TEST_SERVER"])]], dtype=np.int32)
        return [pb.InferenceResponse([pb.Tensor("who", who)]) for _ in requests]
"""
CONFIG = """
backend: "python"
max_batch_size: 1
input [ { name: "x", data_type: TYPE_FP32, dims: [ 1 ] } ]
output [ { name: "who", data_type: TYPE_INT32, dims: [ 1 ] } ]
instance_group [ { count: 1, kind: KIND_CPU } ]
"""


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@dataclass
class Replica:
    """A server that can be killed, and started again where it was."""

    number: int
    repository: Path
    port: int
    server: EmbeddedServer = field(init=False)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        self.server = EmbeddedServer(
            self.repository,
            http_port=self.port,
            model_control_mode="explicit",
            load_models=("who", "other"),
            stop_timeout=0,
        )
        # The only thing in which two servers of one repository differ.
        os.environ["TRITONKIT_TEST_SERVER"] = str(self.number)
        try:
            self.server.start()
        finally:
            del os.environ["TRITONKIT_TEST_SERVER"]

    def signal(self, number: signal.Signals) -> None:
        assert self.server._process is not None
        for pid in children(self.server._process._keeper.pid):
            os.kill(pid, number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.server.wait(30)
        self.server.stop()

    def post(self, path: str) -> None:
        url = f"{self.server.http_url}/v2/repository/models/{path}"
        with urllib.request.urlopen(urllib.request.Request(url, data=b"{}")):
            pass


@pytest.fixture(scope="module")
def replicas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Replica]]:
    repository = tmp_path_factory.mktemp("replicas")
    for name in ("who", "other"):
        (repository / name / "1").mkdir(parents=True)
        (repository / name / "config.pbtxt").write_text(CONFIG)
        (repository / name / "1" / "model.py").write_text(MODEL)
    started = [Replica(n, repository, choose_ports("127.0.0.1", (0,))[0]) for n in range(2)]
    yield started
    for one in started:
        one.server.stop()


@pytest.fixture
async def client(replicas: list[Replica]) -> AsyncIterator[AsyncClient]:
    endpoints = Endpoints(
        *(one.server.http_url for one in replicas),
        patience="200ms",
        probe_timeout="200ms",
        probe_interval="50ms",
        ejection="50ms",
    )
    async with AsyncClient(endpoints) as one:
        yield one


async def who(client: AsyncClient, times: int = 40, model: str = "who") -> Counter[int]:
    """Which servers answer."""
    answers = [await client.infer(model, {"x": [[0.0]]}, timeout="20s") for _ in range(times)]
    return Counter(int(answer["who"][0, 0]) for answer in answers)


async def both(client: AsyncClient, model: str = "who") -> None:
    """Either answers some time; one that was slow a moment ago is asked less."""
    seen = set[int]()
    async with asyncio.timeout(20):
        while seen != {0, 1}:
            seen |= set(await who(client, 4, model))


async def becomes(client: AsyncClient, wanted: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not wanted():
            await who(client, 1)
            await asyncio.sleep(0.02)


def endpoints_of(client: AsyncClient) -> Endpoints:
    assert isinstance(client.transport, Endpoints)
    return client.transport


async def test_an_unloaded_model(client: AsyncClient, replicas: list[Replica]) -> None:
    """No call fails: not when it goes, nor when it comes back."""
    await both(client)
    await asyncio.to_thread(replicas[0].post, "who/unload")
    await becomes(client, lambda: endpoints_of(client).states[0].without == ("who",))
    assert {1} == set(await who(client))
    await both(client, "other")
    await asyncio.to_thread(replicas[0].post, "who/load")
    await becomes(client, lambda: not endpoints_of(client).states[0].without)
    await both(client)


async def test_one_that_is_killed(client: AsyncClient, replicas: list[Replica]) -> None:
    """Between calls nobody notices; when it is there again, it is asked again."""
    await both(client)
    await asyncio.to_thread(replicas[0].kill)
    await asyncio.sleep(0.05)
    assert {1} == set(await who(client))
    states = endpoints_of(client).states
    assert [state.outstanding for state in states] == [0, 0]
    assert await client.ready("who")
    assert len(await client.statistics("who")) == 1
    await asyncio.to_thread(replicas[0].start)
    await becomes(client, lambda: not endpoints_of(client).states[0].out)
    await both(client)


async def test_one_that_stands_still(client: AsyncClient, replicas: list[Replica]) -> None:
    """Its calls end within a second, and those after them are answered."""
    await both(client)
    replicas[0].signal(signal.SIGSTOP)
    try:
        lost = 0
        async with asyncio.timeout(20):
            while not lost:
                calls = [asyncio.ensure_future(who(client, 1)) for _ in range(6)]
                results = await asyncio.gather(*calls, return_exceptions=True)
                assert all(isinstance(one, (Counter, ServerUnavailable)) for one in results)
                lost = sum(isinstance(one, ServerUnavailable) for one in results)
        assert {1} == set(await who(client))
    finally:
        replicas[0].signal(signal.SIGCONT)
    await becomes(client, lambda: not endpoints_of(client).states[0].out)
    await both(client)


FORK = """
import os, sys, threading, time, warnings
from tritonkit.client import Client
warnings.simplefilter("ignore", DeprecationWarning)
client = Client(sys.argv[1:])
def ask():
    return int(client.infer("who", {"x": [[0.0]]}, timeout="20s")["who"][0, 0])
def both():
    end, seen = time.monotonic() + 20, set()
    while seen != {0, 1} and time.monotonic() < end:
        seen.add(ask())
    return seen == {0, 1}
assert both()
threads = [threading.Thread(target=ask) for _ in range(8)]
for thread in threads:
    thread.start()
child = os.fork()
if not child:
    assert both()
    client.close()
    os._exit(0)
for thread in threads:
    thread.join()
_, status = os.waitpid(child, 0)
assert status == 0, status
assert both()
assert [state.outstanding for state in client._client.transport.states] == [0, 0]
client.close()
"""


def test_the_sync_client_through_a_fork(replicas: list[Replica]) -> None:
    """Calls in flight stay the parent's; the child asks both servers anew."""
    urls = [one.server.http_url for one in replicas]
    done = subprocess.run(
        [sys.executable, "-c", FORK, *urls], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
