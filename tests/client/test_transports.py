"""What transports take; their answers are in test_client.py."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import pytest

from tritonkit.client import AsyncClient, HttpTransport
from tritonkit.client.transports import transport_for
from tritonkit.client.transports.grpc import GrpcTransport
from tritonkit.errors import ConfigError, InvalidInput, RequestError

if TYPE_CHECKING:
    from conftest import FaultServer, Triton


def test_the_scheme_chooses() -> None:
    assert isinstance(transport_for("http://a"), HttpTransport)
    assert isinstance(transport_for("https://a"), HttpTransport)
    assert repr(transport_for("grpc://a")) == "GrpcTransport('grpc://a:8001')"
    with pytest.raises(ConfigError, match="must start with"):
        transport_for("a:8000")


def test_each_transport_takes_its_own_schemes() -> None:
    with pytest.raises(ConfigError, match="http:// or https://"):
        HttpTransport("grpc://a")
    with pytest.raises(ConfigError, match="grpc:// or grpcs://"):
        GrpcTransport("http://a")


@pytest.mark.parametrize(
    "headers", [{"a": "b\r\nc: d"}, {"a b": "c"}, {"": "a"}, {"a": "é"}, {"a:": "b"}]
)
def test_a_header_is_one_line(headers: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="one printable ASCII line"):
        HttpTransport("http://a", headers=headers)


@pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding"])
def test_headers_of_the_transports_own(name: str) -> None:
    with pytest.raises(ConfigError, match="set by the transport"):
        HttpTransport("http://a", headers={name: "1"})


async def test_headers_go_with_every_request(fault_server: FaultServer) -> None:
    seen: list[bytes] = []

    async def refusing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            seen.append(head)
            writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno")

    address = await fault_server(refusing)
    transport = HttpTransport(str(address), headers={"Authorization": "Bearer t"})
    async with AsyncClient(transport) as client:
        with pytest.raises(InvalidInput, match="refused the credentials: no"):
            await client.infer("m", {})
        assert not await client.ready()
    assert len(seen) == 2
    assert all(b"\r\nAuthorization: Bearer t\r\n" in head for head in seen)


async def test_channel_arguments_come_on_top_of_the_defaults(triton: Triton) -> None:
    """tritonclient drops its limits of message sizes when it is given one option."""
    large = np.zeros((1, 5_000_000), dtype=np.float32)
    transport = GrpcTransport(triton.grpc, channel_args=[("grpc.enable_http_proxy", 0)])
    async with AsyncClient(transport) as client:
        answer = await client.infer("echo", {"IN_FP32": large})
        assert answer["OUT_FP32"].nbytes == large.nbytes


async def test_a_message_above_the_limit_is_no_overload(triton: Triton) -> None:
    transport = GrpcTransport(triton.grpc, channel_args=[("grpc.max_receive_message_length", 1000)])
    async with AsyncClient(transport) as client:
        with pytest.raises(InvalidInput, match="larger than max"):
            await client.infer("echo", {"IN_FP32": np.zeros((1, 1000), dtype=np.float32)})


class Refusing(grpc.GenericRpcHandler):
    """Keeps the metadata of every call and knows no method."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> None:
        self.seen.append(dict(handler_call_details.invocation_metadata or ()))


async def test_metadata_goes_with_every_call() -> None:
    handler = Refusing()
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    transport = GrpcTransport(f"grpc://127.0.0.1:{port}", headers={"Authorization": "t"})
    async with AsyncClient(transport) as client:
        for call in (client.ready(), client.config("m"), client.statistics()):
            with pytest.raises(RequestError):
                await call
    await server.stop(None)
    assert [metadata["authorization"] for metadata in handler.seen] == ["t"] * 3
