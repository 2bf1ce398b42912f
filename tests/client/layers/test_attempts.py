"""What Triton gets to see of deadlines and attempts, over either protocol."""

from __future__ import annotations

import asyncio
import json
from random import Random
from time import monotonic
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2
from tritonclient.grpc.service_pb2_grpc import (
    GRPCInferenceServiceServicer,
    add_GRPCInferenceServiceServicer_to_server,
)

from tritonkit.client import HttpTransport, InferRequest, Stack, Transport
from tritonkit.client.layers.retry.retry import Retry
from tritonkit.client.transports.grpc import GrpcTransport
from tritonkit.errors import InferenceFailed, ServerUnavailable

if TYPE_CHECKING:
    from tests.client.conftest import FaultServer


class Failing(GRPCInferenceServiceServicer):  # type: ignore[misc]
    """Notes each request with the time of its arrival, and fails it."""

    def __init__(self, code: grpc.StatusCode = grpc.StatusCode.INTERNAL) -> None:
        self.code = code
        self.seen: list[tuple[float, int, float]] = []

    async def ModelInfer(self, request: Any, context: Any) -> Any:
        now = monotonic()
        timeout = request.parameters["timeout"].int64_param
        self.seen.append((now, timeout, context.time_remaining()))
        await context.abort(self.code, "boom")
        return service_pb2.ModelInferResponse()


async def serve(servicer: Failing) -> tuple[grpc.aio.Server, str]:
    server = grpc.aio.server()
    add_GRPCInferenceServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    return server, f"grpc://127.0.0.1:{port}"


async def attempts(transport: Transport, timeout: float, count: int) -> tuple[float, float]:
    """When a request that always fails was made, and its deadline."""
    stack = Stack(
        transport,
        [Retry(count, base="5ms", random=Random(3), budget=1, min_per_second=10)],
    )
    began = monotonic()
    request = InferRequest(
        model="m", inputs={"x": np.zeros((1, 1), np.float32)}, deadline=began + timeout
    )
    with pytest.raises(InferenceFailed):
        await stack(request)
    await stack.aclose()
    return began, began + timeout


def check(seen: list[tuple[float, int]], began: float, deadline: float) -> None:
    """Each timeout is what remained at a time between the attempt before and its arrival."""
    before = began
    for arrived, timeout in seen:
        assert int((deadline - arrived) * 1e6) <= timeout <= int((deadline - before) * 1e6)
        before = arrived
    timeouts = [timeout for _, timeout in seen]
    assert timeouts == sorted(set(timeouts), reverse=True)


async def test_what_remains_is_tritons_timeout_over_http(fault_server: FaultServer) -> None:
    seen: list[tuple[float, int]] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = {
                name: int(head.split(f"\r\n{name}: ")[1].split("\r\n")[0])
                for name in ("content-length", "inference-header-content-length")
            }
            body = await reader.readexactly(length["content-length"])
            header = json.loads(body[: length["inference-header-content-length"]])
            seen.append((monotonic(), header["parameters"]["timeout"]))
            error = b'{"error":"boom"}'
            writer.write(b"HTTP/1.1 500 Oops\r\nContent-Length: %d\r\n\r\n" % len(error) + error)

    address = await fault_server(handler)
    began, deadline = await attempts(HttpTransport(str(address)), 30, 5)
    assert len(seen) == 5
    check(seen, began, deadline)


async def test_what_remains_is_tritons_timeout_over_grpc() -> None:
    servicer = Failing()
    server, url = await serve(servicer)
    began, deadline = await attempts(GrpcTransport(url), 30, 5)
    await server.stop(None)
    assert len(servicer.seen) == 5
    check([(arrived, timeout) for arrived, timeout, _ in servicer.seen], began, deadline)
    # gRPC's own deadline is the same one.
    for arrived, _, remaining in servicer.seen:
        assert remaining == pytest.approx(deadline - arrived, abs=0.5)


NATIVE = {
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 5,
                "initialBackoff": "0.02s",
                "maxBackoff": "0.02s",
                "backoffMultiplier": 1,
                "retryableStatusCodes": ["INTERNAL"],
            },
        }
    ]
}


@pytest.mark.parametrize("native", [False, True])
async def test_grpcs_own_retries_do_not_multiply(native: bool) -> None:
    """A retry policy of the channel is off, unless retries are switched on again."""
    servicer = Failing()
    server, url = await serve(servicer)
    options = [("grpc.service_config", json.dumps(NATIVE)), ("grpc.enable_retries", 1)]
    transport = GrpcTransport(url, channel_args=options[: 1 + native])
    await attempts(transport, 30, 3)
    await server.stop(None)
    assert len(servicer.seen) == (15 if native else 3)


async def storm(transport: Transport, requests: int) -> None:
    """So many requests through two Retry layers, and every one fails."""
    retries = [Retry(5, base=0, budget="10%", min_per_second=0) for _ in range(2)]
    stack = Stack(transport, retries)
    for _ in range(requests):
        with pytest.raises(ServerUnavailable):
            await stack(InferRequest(model="m", inputs={"x": np.zeros((1, 1), np.float32)}))
    await stack.aclose()


async def test_amplification_over_http(fault_server: FaultServer) -> None:
    """A server that takes requests and dies of them; the pool's own replay is counted too."""
    seen = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        await reader.readuntil(b"\r\n\r\n")
        seen += 1

    address = await fault_server(handler)
    await storm(HttpTransport(str(address)), 40)
    assert seen == 44


async def test_amplification_over_grpc() -> None:
    servicer = Failing(grpc.StatusCode.UNAVAILABLE)
    server, url = await serve(servicer)
    await storm(GrpcTransport(url), 40)
    await server.stop(None)
    assert len(servicer.seen) == 44
