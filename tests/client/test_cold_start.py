"""A client that starts while its server is away, in front of a real Triton that is there."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tritonkit.client import (
    AsyncClient,
    ByCost,
    Cache,
    Client,
    Coalesce,
    Constant,
    Deadline,
    InferResponse,
    Layer,
    Route,
    Stale,
    Tiers,
)
from tritonkit.errors import (
    DeadlineExceeded,
    InvalidInput,
    ModelUnavailable,
    NotConnected,
    ServerUnavailable,
)

if TYPE_CHECKING:
    from conftest import FaultServer, Triton

    from tritonkit.server.testing import TritonServer

X = [[1.0, 2.0, 3.0, 4.0]]
"""A row of "doubles", as lists: nothing can be sent before it is known what they are."""
TWICE = [[2.0, 4.0, 6.0, 8.0]]


@pytest.fixture
def closed() -> Iterator[str]:
    """A port that refuses connections: it is held, and nobody listens."""
    with closing(socket.socket()) as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


@pytest.fixture
def black_hole() -> Iterator[str]:
    """A port that answers no SYN: its queue of connections is full."""
    with closing(socket.socket()) as listening, closing(socket.socket()) as filler:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        filler.connect(listening.getsockname())
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture
async def silent(fault_server: FaultServer) -> str:
    """A server that takes connections and says nothing, as one that is stopped does."""

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    return str(await fault_server(wait))


@pytest.fixture(params=["closed", "black_hole", "silent"])
def away(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(request.param)
    return url


Ask = Callable[..., Any]


@pytest.fixture(params=["async", "sync"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """One call of a client that was just made."""

    async def call(server: str, *layers: Layer, model: str = "doubles", x: Any = X) -> Any:
        async with AsyncClient(server, layers) as client:
            return await client.infer(model, x, timeout="1s")

    def call_now(server: str, *layers: Layer, model: str = "doubles", x: Any = X) -> Any:
        client = Client(server, layers)
        try:
            return client.infer(model, x, timeout="1s")
        finally:
            client.close()

    async def call_in_thread(*args: Any, **options: Any) -> Any:
        return await asyncio.to_thread(call_now, *args, **options)

    return call if request.param == "async" else call_in_thread


async def test_a_route_to_another_server(ask: Ask, away: str, mixers: Triton) -> None:
    answer = await ask(away, Tiers(Route("main"), Route("backup", server=mixers.http)))
    assert answer["y"].tolist() == TWICE
    assert answer.trace.tiers == ("backup",)
    assert answer.trace.degraded.startswith("fallback: main: ")


async def test_a_route_to_another_model(ask: Ask, mixers: Triton) -> None:
    """The name that callers use need not be a model's."""
    answer = await ask(mixers.http, Tiers(Route("a", model="doubles")), model="alias")
    assert (answer["y"].tolist(), answer.trace.degraded) == (TWICE, "")
    tiers = Tiers(Route("new", model="missing"), Route("old", model="doubles"))
    answer = await ask(mixers.http, tiers)
    assert answer["y"].tolist() == TWICE
    assert answer.trace.degraded == "fallback: new: ModelUnavailable"


async def test_a_constant_where_nobody_is_there(ask: Ask, away: str) -> None:
    """It answers each row, and tells that nobody knows whether they are right."""
    layers = [Deadline("1s"), Tiers(Route("main"), last=[Stale(), Constant({"y": [0, 0, 0, 0]})])]
    answer = await ask(away, *layers, x={"x": [*X, *X]})
    assert answer["y"].tolist() == [[0] * 4] * 2
    assert answer.trace.tiers == ("constant",)
    assert answer.trace.degraded.startswith("constant: NotKept; inputs unchecked: ")


@pytest.mark.parametrize(
    ("given", "rows"), [("hello", 1), (["a", "b", "c"], 3), (np.zeros((2, 1), "S1"), 2), (1.5, 1)]
)
async def test_any_inputs_will_do_for_a_constant(closed: str, given: Any, rows: int) -> None:
    tiers = Tiers(Route("main"), last=[Constant({"y": 0})])
    async with AsyncClient(closed, [Cache(), tiers, Coalesce()]) as client:
        answer = await client.infer("m", given)
    assert (answer["y"].tolist(), answer.trace.origins) == ([0] * rows, ())


async def test_what_no_model_takes_is_no_reason_to_answer(closed: str) -> None:
    async with AsyncClient(closed, [Tiers(Route("main"), last=[Constant({"y": 0})])]) as client:
        for ragged in ([[1], [1, 2]], [object()], np.zeros(1, "M8[s]")):
            with pytest.raises(NotConnected):
                await client.infer("m", ragged)


async def test_without_a_constant_the_reason_is_told(closed: str, silent: str) -> None:
    async with AsyncClient(closed, [Tiers(Route("main"), last=[Stale()])]) as client:
        with pytest.raises(NotConnected):
            await client.infer("doubles", X)
    # Before the caller's time is up, by as much as the route leaves.
    async with AsyncClient(silent, [Tiers(Route("main", timeout="50ms"))]) as client:
        with pytest.raises(DeadlineExceeded):
            await client.infer("doubles", X)


async def test_no_deadline_is_needed(silent: str, mixers: Triton) -> None:
    """The head start ends of itself; the routes' timeouts end the rest."""
    routes = Route("main", timeout="50ms"), Route("backup", server=mixers.http)
    async with AsyncClient(silent, [Tiers(*routes)]) as client:
        assert (await client.infer("doubles", X))["y"].tolist() == TWICE
    tiers = Tiers(Route("main", timeout="50ms"), last=[Constant({"y": 0})])
    async with AsyncClient(silent, [tiers]) as client:
        assert (await client.infer("doubles", X)).trace.tiers == ("constant",)


async def test_a_rule_by_cost_waits_for_nobody(silent: str, mixers: Triton) -> None:
    """Whether rows can be split is asked of the route that is there."""
    tiers = Tiers(
        Route("main"),
        Route("backup", server=mixers.http),
        strategy=ByCost(lambda request: [row[0] > 1 for row in request.inputs["x"]]),
    )
    async with AsyncClient(silent, [tiers]) as client:
        answer = await client.infer("doubles", [*X, *TWICE], timeout="1s")
    assert answer["y"].tolist() == [*TWICE, [4.0, 8.0, 12.0, 16.0]]


async def test_wrong_inputs_are_wrong_all_the_same(closed: str, mixers: Triton) -> None:
    tiers = Tiers(Route("main"), Route("backup", server=mixers.http), last=[Constant({"y": 0})])
    async with AsyncClient(closed, [tiers]) as client:
        for _ in range(2):
            with pytest.raises(InvalidInput, match="must have shape"):
                await client.infer("doubles", [[1.0, 2.0]])


async def test_a_job_of_a_server_that_is_away(away: str, mixers: Triton) -> None:
    tiers = Tiers(Route("main"), Route("backup", server=mixers.http))
    async with AsyncClient(away, [tiers]) as client:
        job = await client.submit("doubles", X, timeout="1s")
        assert (await job.result("5s"))["y"].tolist() == TWICE
    x = np.zeros((2, 4))
    async with AsyncClient(away, [Tiers(Route("main"), last=[Constant({"y": 0})])]) as client:
        job = await client.submit("doubles", {"x": x}, timeout="1s")
        answer: InferResponse = await job.result("5s")
        assert answer["y"].tolist() == [0, 0]
    async with AsyncClient(away, [Tiers(Route("main"))]) as client:
        with pytest.raises((ServerUnavailable, DeadlineExceeded)):
            await client.submit("doubles", X, timeout="100ms")


async def test_a_server_that_comes_back(
    mixers: Triton, triton_server: TritonServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is stopped at first; soon after it goes on, its own model's word counts again."""
    monkeypatch.setattr("tritonkit.client.inquiry.RENEW", 0.1)
    (tmp_path / "doubles" / "1").mkdir(parents=True)
    (tmp_path / "doubles" / "config.pbtxt").write_text(CONFIG)
    (tmp_path / "doubles" / "1" / "model.py").write_text(CODE)
    server: Any = triton_server(tmp_path, stop_timeout=0)
    keeper = server._process._keeper.pid
    children = Path(f"/proc/{keeper}/task/{keeper}/children")
    (pid,) = (await asyncio.to_thread(children.read_text)).split()
    os.kill(int(pid), signal.SIGSTOP)
    tiers = Tiers(Route("main", timeout="1s"), Route("backup", server=mixers.http))
    async with AsyncClient(server.http_url, [tiers]) as client:
        try:
            began = monotonic()
            answer = await client.infer("doubles", X, timeout="1s")
            assert answer.trace.tiers == ("backup",)
            assert monotonic() - began < 2
        finally:
            os.kill(int(pid), signal.SIGCONT)
        # 40 rows are more than the backup's model takes, and few for the main one's.
        async with asyncio.timeout(30):
            while True:
                known = client._signatures.known("doubles", "")
                if known is not None and known.max_batch_size == 64:
                    break
                await client.infer("doubles", X)
                await asyncio.sleep(0.02)
        answer = await client.infer("doubles", X * 40)
        assert (len(answer["y"]), answer.trace.tiers) == (40, ("main",))
        assert answer.trace.degraded == ""


async def test_a_model_that_nobody_has(mixers: Triton) -> None:
    tiers = Tiers(Route("a"), Route("b", server=mixers.grpc))
    async with AsyncClient(mixers.http, [tiers]) as client:
        with pytest.raises(ModelUnavailable, match="missing"):
            await client.infer("missing", X)


CONFIG = """
backend: "python"
max_batch_size: 64
input [ { name: "x", data_type: TYPE_FP32, dims: [ 4 ] } ]
output [ { name: "y", data_type: TYPE_FP32, dims: [ 4 ] } ]
"""
CODE = """
import triton_python_backend_utils as pb


class TritonPythonModel:
    def execute(self, requests):
        x = [pb.get_input_tensor_by_name(request, "x").as_numpy() for request in requests]
        return [pb.InferenceResponse([pb.Tensor("y", 2 * each)]) for each in x]
"""
