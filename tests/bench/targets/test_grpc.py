"""gRPC to a real tritonserver."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent import futures
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import pytest

from tritonkit.bench.inputs.workload import Item, Workload
from tritonkit.bench.load.closed import ClosedLoop
from tritonkit.bench.load.requests import Requests
from tritonkit.bench.observe.served import ServedModel
from tritonkit.bench.targets.grpc import GrpcTarget
from tritonkit.bench.targets.seat import Seat
from tritonkit.bench.tls import Tls
from tritonkit.errors import (
    ConfigError,
    DeadlineExceeded,
    InferenceFailed,
    InvalidInput,
    ModelUnavailable,
    NotConnected,
)
from tritonkit.server import EmbeddedServer

if TYPE_CHECKING:
    from conftest import Tunnel

X = np.arange(8, dtype=np.float32).reshape(2, 4)


def soon() -> float:
    return monotonic() + 10


async def test_answers_are_those_of_their_requests(server: EmbeddedServer) -> None:
    """50 callers on few connections, each with values of its own, and text beside them."""
    target = GrpcTarget(f"grpc://{server.grpc_url}", "echo", callers_per_connection=16)
    rows = [np.full((2, 4), number, np.float32) for number in range(50)]
    text = np.array([["ä"], [""]], dtype=object)
    channels = [await target.channel() for _ in range(50)]
    payloads = [target.prepare(Item(inputs={"x": x}, rows=2)) for x in rows]

    async def caller(number: int) -> None:
        for _ in range(3):
            answer = await channels[number].send(payloads[number], soon())
            np.testing.assert_array_equal(target.outputs(answer)["y"], rows[number])

    await asyncio.gather(*map(caller, range(50)))
    answer = await channels[0].send(target.prepare(Item(inputs={"x": text}, model="text")), soon())
    assert target.outputs(answer)["y"].ravel().tolist() == ["ä".encode(), b""]
    assert target.describe() == {
        "protocol": "grpc",
        "tls": False,
        "inputs": {"x": "BYTES, binary"},
        "callers_per_connection": 16,
    }
    for channel in channels:
        channel.close()
    await target.aclose()


@pytest.mark.parametrize(
    ("item", "kind", "text"),
    [
        (Item(inputs={"x": X}, model="missing"), ModelUnavailable, "missing"),
        (Item(inputs={"x": X[:, :2]}), InvalidInput, "shape"),
        (Item(inputs={"x": X}, model="broken"), InferenceFailed, "on purpose"),
    ],
)
async def test_refusals(
    server: EmbeddedServer, item: Item, kind: type[Exception], text: str
) -> None:
    target = GrpcTarget(f"grpc://{server.grpc_url}", "echo")
    channel = await target.channel()
    with pytest.raises(kind, match=text):
        await channel.send(target.prepare(item), soon())
    answer = await channel.send(target.prepare(Item(inputs={"x": X})), soon())
    np.testing.assert_array_equal(target.outputs(answer)["y"], X)
    await target.aclose()


async def test_a_deadline(server: EmbeddedServer, gate: Callable[[], bool]) -> None:
    target = GrpcTarget(f"grpc://{server.grpc_url}", "held")
    channel = await target.channel()
    payload = target.prepare(Item(inputs={"x": X}))
    with pytest.raises(DeadlineExceeded):
        await channel.send(payload, monotonic() + 0.2)
    with pytest.raises(DeadlineExceeded, match="before the request was sent"):
        await channel.send(payload, monotonic() - 1)
    answer = await channel.send(target.prepare(Item(inputs={"x": X}, model="echo")), soon())
    np.testing.assert_array_equal(target.outputs(answer)["y"], X)
    await target.aclose()


async def test_tls(server: EmbeddedServer, tunnel: Tunnel, authority_file: Path) -> None:
    trusting = Tls(ca=authority_file)
    async with tunnel(server.grpc_url, "h2") as port:
        url = f"grpcs://localhost:{port}"
        target = GrpcTarget(url, "echo", tls=trusting.context())
        answer = await (await target.channel()).send(target.prepare(Item(inputs={"x": X})), soon())
        np.testing.assert_array_equal(target.outputs(answer)["y"], X)
        await target.aclose()
        target = GrpcTarget(url, "echo")
        with pytest.raises(NotConnected, match="CERTIFICATE_VERIFY_FAILED"):
            await (await target.channel()).send(target.prepare(Item(inputs={"x": X})), soon())
        await target.aclose()
        async with await ServedModel.connect(url, "echo", tls=trusting) as served:
            assert served.signature.inputs["x"].datatype == "FP32"


async def test_a_model_is_the_same_over_both_protocols(server: EmbeddedServer) -> None:
    grpc_url = f"grpc://{server.grpc_url}"
    async with (
        await ServedModel.connect(server.http_url, "pipeline") as http,
        await ServedModel.connect(grpc_url, "pipeline") as grpc,
    ):
        assert grpc.signature == http.signature
        assert grpc.server == http.server == "triton 2.51.0"
        assert list(grpc.configs) == list(http.configs) == ["pipeline", "echo", "copy"]
        # Not that of the ensemble: a newer client's message has fields that the server has not.
        assert grpc.configs["echo"] == http.configs["echo"]
        counters = await grpc.counters()
        assert counters is not None
        assert [each.model for each in counters] == ["pipeline", "echo", "copy"]


@pytest.mark.parametrize(
    ("url", "options", "text"),
    [
        ("http://localhost:8000", {}, "grpc://"),
        ("grpc://localhost", {"callers_per_connection": 0}, "at least 1"),
        ("grpc://localhost", {"headers": {"te": "x"}}, "set by gRPC"),
        ("grpc://localhost", {"headers": {"a b": "x"}}, "printable"),
    ],
)
def test_what_is_refused(url: str, options: dict[str, object], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        GrpcTarget(url, "echo", **options)  # type: ignore[arg-type]


async def test_seats_tell_the_end_of_each_call(server: EmbeddedServer) -> None:
    """12 seats, 10 calls each: every answer is that of the seat's own request."""
    target = GrpcTarget(f"grpc://{server.grpc_url}", "echo")
    rows = [np.full((1, 4), number, np.float32) for number in range(12)]
    payloads = [target.prepare(Item(inputs={"x": x})) for x in rows]
    told: list[tuple[int, Any]] = []
    over = asyncio.Event()

    def ended(seat: Seat, answer: Any) -> None:
        told.append((seat.index, answer))
        if sum(index == seat.index for index, _ in told) < 10:
            seat.start(payloads[seat.index])
        if len(told) == 120:
            over.set()

    make = await target.seats(ended, 10.0)
    seats = [make() for _ in rows]
    for index, seat in enumerate(seats):
        seat.index = index
        seat.start(payloads[index])
    await asyncio.wait_for(over.wait(), 10)
    for index, answer in told:
        np.testing.assert_array_equal(target.outputs(answer)["y"], rows[index])
    for seat in seats:
        await seat.aclose()
    await target.aclose()


async def test_seats_tell_failures_and_give_up(
    server: EmbeddedServer, gate: Callable[[], bool]
) -> None:
    target = GrpcTarget(f"grpc://{server.grpc_url}", "held")
    told: list[Any] = []
    make = await target.seats(lambda _, answer: told.append(answer), 0.3)
    late, left = make(), make()
    late.start(target.prepare(Item(inputs={"x": X})))
    await asyncio.sleep(0.2)
    left.start(target.prepare(Item(inputs={"x": X})))
    await left.aclose()
    await asyncio.sleep(0.3)
    assert [type(one) for one in told] == [DeadlineExceeded]
    await late.aclose()
    await target.aclose()


async def test_nobody_there() -> None:
    target = GrpcTarget("grpc://127.0.0.1:1", "echo")
    payload = target.prepare(Item(inputs={"x": X}))
    told: asyncio.Queue[Any] = asyncio.Queue()
    make = await target.seats(lambda _, answer: told.put_nowait(answer), 5.0)
    seat = make()
    for _ in range(2):
        seat.start(payload)
        assert type(await told.get()) is NotConnected
    await seat.aclose()
    with pytest.raises(NotConnected):
        await (await target.channel()).send(payload, soon())
    await target.aclose()


class Leaving(grpc.GenericRpcHandler):
    """Answers after a moment, so that calls are in flight when connections end."""

    def service(self, details: object) -> grpc.RpcMethodHandler:
        def answer(message: bytes, context: grpc.ServicerContext) -> bytes:
            time.sleep(0.002)
            return b""

        return grpc.unary_unary_rpc_method_handler(answer)


async def test_calls_that_a_leaving_server_has_not_looked_at_are_sent_again() -> None:
    """As every client of gRPC does: connections that a server ends in good order lose no call."""
    options = [
        ("grpc.max_connection_age_ms", 50),
        ("grpc.max_connection_age_grace_ms", 20_000),
    ]
    leaving = grpc.server(futures.ThreadPoolExecutor(4), handlers=[Leaving()], options=options)
    target = GrpcTarget(f"grpc://127.0.0.1:{leaving.add_insecure_port('127.0.0.1:0')}", "m")
    leaving.start()
    requests = Requests.prepare(target, Workload(items=[Item(inputs={"x": np.ones(4, "<f4")})]))
    async with ClosedLoop(requests, concurrency=12, timeout=20.0) as load:
        await load.until(0.6)
    failures = [record.failures for _, record in load.recorder.slices()]
    assert load.ended > 0
    assert not any(failures)
    leaving.stop(None).wait()
