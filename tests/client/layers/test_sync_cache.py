"""The cache under the sync client: threads, forks, event loops, and the end."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tritonkit.client import Cache, Client, InferRequest, background
from tritonkit.errors import ConfigError, RequestError

if TYPE_CHECKING:
    from conftest import Kit, Model

    from tritonkit.server.testing import TritonServer

PREAMBLE = """
import asyncio, os, sys, threading, time
import numpy as np
from tritonkit.client import AsyncClient, Cache, Client
from tritonkit.client.testing.transport import FakeTransport

pids = []

async def answer(request):
    pids.append(os.getpid())
    if request.inputs["x"].max() > 90:
        await asyncio.sleep(SLOW)
    return {"y": request.inputs["x"] * 2}

SLOW = 1.0
transport = FakeTransport(
    answer,
    inputs={"x": (1,)},
    outputs={"y": (1,)},
    config={"parameters": {"tritonkit.model_digest": {"string_value": "A"}}},
)
cache = Cache(rows=["m"], recheck=RECHECK)
client = Client(transport, [cache])

def infer(*values, client=client):
    x = np.array(values, dtype=np.float32).reshape(-1, 1)
    answer = client.infer("m", {"x": x})
    assert answer["y"].tolist() == (x * 2).tolist()
    return str(answer.trace)
"""


def python(code: str, recheck: str = "100s") -> str:
    done = subprocess.run(
        [sys.executable, "-c", PREAMBLE.replace("RECHECK", repr(recheck)) + code],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def rows(*values: float) -> dict[str, Any]:
    return {"x": np.array(values, dtype=np.float32).reshape(-1, 1)}


def test_what_is_in_memory_needs_no_event_loop(kit: type[Kit], model: Model) -> None:
    """It is answered while the loop stands still."""
    blocked, go_on = threading.Event(), threading.Event()

    def handler(request: InferRequest) -> dict[str, Any]:
        if request.inputs["x"][0, 0] == 99:
            blocked.set()
            assert go_on.wait(20)
        return {"y": request.inputs["x"] * 2}

    model.transport.handler = handler
    with Client(model.transport, [model.cache(recheck=1000)]) as client:
        client.infer("m", rows(1, 2, 3))
        thread = threading.Thread(target=client.infer, args=("m", rows(99)))
        thread.start()
        assert blocked.wait(20)
        with ThreadPoolExecutor(4) as threads:
            for answer in threads.map(lambda _: client.infer("m", rows(3, 1, 1)), range(20)):
                assert answer["y"].tolist() == [[6.0], [2.0], [2.0]]
                assert answer.trace.origins == ("memory",) * 3
        assert thread.is_alive()
        go_on.set()
        thread.join()


def test_what_is_not_in_memory_counts_once(kit: type[Kit], model: Model) -> None:
    """Though it is looked for twice: in the caller's thread, then in the loop."""
    cache = model.cache(recheck=1000)
    with Client(model.transport, [cache]) as client:
        client.infer("m", rows(1))
        client.infer("m", rows(1, 2))
        assert cache.counts == {"model": 2, "memory": 1}


def test_threads_compute_a_row_once(kit: type[Kit], model: Model) -> None:
    """Eight threads, overlapping batches in any order: each answer right, each row sent once."""
    model.transport.handler = lambda request: {"y": request.inputs["x"] * 2}
    random = np.random.default_rng(7)
    batches = [random.integers(0, 40, size=random.integers(1, 9)) for _ in range(400)]
    with (
        Client(model.transport, [model.cache(recheck=1000)]) as client,
        ThreadPoolExecutor(8) as threads,
    ):
        answers = list(threads.map(lambda batch: client.infer("m", rows(*batch)), batches))
        for batch, answer in zip(batches, answers, strict=True):
            assert answer["y"].ravel().tolist() == (batch * 2.0).tolist()
    sent = [row for rows in model.sent for row in rows]
    assert len(sent) == len(set(sent))


def test_a_reload_is_noticed_by_threads_as_well(kit: type[Kit], model: Model) -> None:
    model.transport.handler = lambda request: {"y": request.inputs["x"] * model.factor}
    with Client(model.transport, [model.cache(recheck=1)]) as client:
        assert client.infer("m", rows(1))["y"].tolist() == [[1.0]]
        model.reload(5.0, "B")
        model.clock.advance(1)
        assert client.infer("m", rows(1))["y"].tolist() == [[5.0]]
        model.reload(7.0, "C")
        client.invalidate("m")
        assert client.infer("m", rows(1))["y"].tolist() == [[7.0]]


async def test_inside_of_a_running_event_loop(kit: type[Kit], model: Model) -> None:
    """A notebook has one: it stands still meanwhile, and gets its answer."""
    model.transport.handler = lambda request: {"y": request.inputs["x"]}
    with Client(model.transport, [model.cache(recheck=1000)]) as client:
        assert client.infer("m", rows(1)).trace.origins == ("model",)
        assert client.infer("m", rows(1)).trace.origins == ("memory",)


def test_inside_of_the_loop_that_serves_it(kit: type[Kit], model: Model) -> None:
    """What is in memory is there; for the rest it would wait for itself."""
    client = Client(model.transport, [model.cache(recheck=1000)])
    client.infer("m", rows(1))

    async def nested() -> None:
        assert client.infer("m", rows(1)).trace.origins == ("memory",)
        client.infer("m", rows(2))

    with pytest.raises(ConfigError, match="use AsyncClient there"):
        background.run(nested())
    client.close()


def test_a_closed_client_has_nothing(kit: type[Kit], model: Model) -> None:
    client = Client(model.transport, [model.cache(recheck=1000)])
    client.infer("m", rows(1))
    client.close()
    client.close()
    with pytest.raises(ConfigError, match="closed"):
        client.infer("m", rows(1))


def test_after_a_fork() -> None:
    """The child has what was in memory, and computes by itself what was not."""
    python(
        """
print(infer(1, 2))
child = os.fork()
assert infer(1, 2) == "2 memory", "before anything else"
assert infer(3) == "1 model"
assert pids[-1] == os.getpid()
if child == 0:
    assert infer(3, 1) == "2 memory"
    client.close()
    os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert infer(3, 1) == "2 memory"
client.close()
"""
    )


@pytest.mark.parametrize("recheck", ["100s", "1ms"])
def test_a_fork_in_the_middle_of_a_call(recheck: str) -> None:
    """What the parent was computing, or asking, has no answer in the child."""
    python(
        """
infer(1)
thread = threading.Thread(target=infer, args=(99, 1))
thread.start()
time.sleep(0.2)
child = os.fork()
if child == 0:
    SLOW = 0.0
    assert infer(99, 1).startswith("1 model")
    assert pids[-1] == os.getpid()
    client.close()
    os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert infer(99) in ("1 coalesced", "1 memory")
thread.join()
client.close()
""",
        recheck,
    )


@pytest.mark.parametrize("recheck", ["100s", "1ms"])
def test_one_asyncio_run_after_the_other(recheck: str) -> None:
    """A client and its cache outlive an event loop, and what was under way in it."""
    output = python(
        """
transport = FakeTransport(answer, inputs={"x": (1,)}, outputs={"y": (1,)})
client = AsyncClient(transport, [Cache(rows=["m"], ttl=0.01, stale="1h", recheck=cache._recheck)])

async def one(number):
    for value in (number, 0):
        x = np.full((1, 1), value, dtype=np.float32)
        reply = await client.infer("m", {"x": x})
        assert reply["y"].tolist() == [[value * 2.0]]
        print(reply.trace)
    slow = np.full((1, 1), 99, dtype=np.float32)
    client.task = asyncio.ensure_future(client.infer("m", {"x": slow}))
    await asyncio.sleep(0.02)

asyncio.run(one(1))
asyncio.run(one(2))
asyncio.run(one(2))
""",
        recheck,
    )
    assert output.split("\n")[:4] == ["1 model", "1 model", "1 model", "1 stale"]


@pytest.mark.parametrize("end", ["", "client.close()", "sys.exit(0)"])
def test_the_interpreter_ends_in_the_middle(end: str) -> None:
    """It hangs nowhere, and complains of nothing."""
    python(
        f"""
infer(1)
threading.Thread(target=infer, args=(99,), daemon=True).start()
time.sleep(0.2)
{end}
"""
    )


SLEEPS = """
import time

import triton_python_backend_utils as pb


class TritonPythonModel:
    def execute(self, requests):
        answers = []
        for request in requests:
            x = pb.get_input_tensor_by_name(request, "x").as_numpy()
            time.sleep(float(x.max()))
            answers.append(pb.InferenceResponse([pb.Tensor("y", x)]))
        return answers
"""


def test_closing_while_calls_are_under_way(
    model_repository: Path, triton_server: TritonServer
) -> None:
    """Over a real connection: closing waits for no model, and each call ends."""
    folder = model_repository / "m" / "1"
    folder.mkdir(parents=True)
    (folder / "model.py").write_text(SLEEPS)
    (folder.parent / "config.pbtxt").write_text(
        """
        backend: "python"
        max_batch_size: 8
        input [ { name: "x", data_type: TYPE_FP32, dims: [ 1 ] } ]
        output [ { name: "y", data_type: TYPE_FP32, dims: [ 1 ] } ]
        """
    )
    server = triton_server(model_repository)
    client = Client(server.http_url, [Cache(rows=["m"])])
    client.infer("m", rows(0))
    ends: list[Any] = []

    def call() -> None:
        try:
            ends.append(client.infer("m", rows(2, 0))["y"].ravel().tolist())
        except (RequestError, ConfigError) as error:
            ends.append(error)

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    start = time.monotonic()
    client.close()
    assert time.monotonic() - start < 1.5
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert len(ends) == 4
