"""A server over gRPC, on connections of our own."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from time import monotonic
from typing import Any, NamedTuple

from tritonkit.bench.http2.connection import Http2Connection
from tritonkit.bench.http2.headers import HeaderBlocks
from tritonkit.bench.http2.stream import message
from tritonkit.bench.inputs.workload import Item
from tritonkit.bench.targets.target import Channel, Target, tensor_forms
from tritonkit.client import Tensors
from tritonkit.client.types import InferRequest
from tritonkit.client.wire.address import Address
from tritonkit.errors import ConfigError, DeadlineExceeded, InvalidInput, ProtocolError

__all__ = ["CALLERS_PER_CONNECTION", "GrpcTarget"]

CALLERS_PER_CONNECTION = 6
"""As many callers share a connection by default in Triton's C++ client."""

_PATH = b"/inference.GRPCInferenceService/ModelInfer"


class _Call(NamedTuple):
    message: bytes
    model: str


class GrpcTarget(Target):
    """
    ModelInfer with messages that were made before, and answers that nobody has read yet.

    Args:
        url: Starts with grpc or grpcs.
        model: Name of the model; an item may name another.
        version: Its version; empty for the server's choice.
        headers: Sent as metadata of every call, such as authorization.
        tls: How to check a grpcs server; None trusts the system's authorities.
        callers_per_connection: Calls that share an HTTP/2 connection; 1 for one each.

    Raises:
        ConfigError: If the URL or a header is wrong.
    """

    def __init__(
        self,
        url: str,
        model: str,
        version: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        callers_per_connection: int = CALLERS_PER_CONNECTION,
    ) -> None:
        self.address = address = Address.parse(url)
        if address.scheme not in ("grpc", "grpcs"):
            raise ConfigError(f"url must start with grpc:// or grpcs://, but got {url!r}.")
        if callers_per_connection < 1:
            raise ConfigError(
                f"callers_per_connection must be at least 1, but got {callers_per_connection}."
            )
        if address.secure:
            tls = tls or ssl.create_default_context()
            tls.set_alpn_protocols(["h2"])
        self._model = model
        self._version = version
        self._tls = tls if address.secure else None
        self._blocks = HeaderBlocks(_fields(address, headers or {}))
        self._most = callers_per_connection
        self._links: list[_Link] = []
        self._forms: dict[str, str] = {}

    def prepare(self, item: Item) -> Any:
        """
        A serialised ModelInferRequest, as gRPC frames it.

        Raises:
            InvalidInput: If an array or a parameter cannot be sent.
        """
        # protobuf and grpc take 100 ms and 20 MB to import.
        from tritonkit.client.transports.messages import infer_request

        model = item.model or self._model
        request = InferRequest(
            model=model,
            version=item.version if item.model else item.version or self._version,
            inputs=item.inputs,
            outputs=item.outputs or None,
            parameters=item.parameters,
        )
        try:
            data: bytes = infer_request(request).SerializeToString()
        except InvalidInput as error:
            error.model = model
            raise
        self._forms.update(tensor_forms(item, "binary"))
        return _Call(message(data), model)

    async def channel(self) -> Channel:
        """A caller, on a connection that it shares with few others; connects when it sends."""
        link = next((one for one in self._links if one.callers < self._most), None)
        if link is None:
            link = _Link(self.address, self._blocks, self._tls)
            self._links.append(link)
        link.callers += 1
        return _Caller(self, link)

    def outputs(self, answer: Any) -> Tensors:
        """
        Those of a serialised ModelInferResponse, which is read here.

        Raises:
            ProtocolError: If it is none, or not with raw tensors.
        """
        from google.protobuf.message import DecodeError
        from tritonclient.grpc import service_pb2

        from tritonkit.client.transports.messages import infer_response

        try:
            read = service_pb2.ModelInferResponse.FromString(answer)
        except DecodeError as error:
            raise ProtocolError(f"the answer is no ModelInferResponse: {error}") from error
        return infer_response(read).outputs

    def describe(self) -> Mapping[str, Any]:
        """The protocol, how tensors are sent, and how many callers share a connection."""
        return {
            "protocol": "grpc",
            "tls": self.address.secure,
            "inputs": dict(self._forms),
            "callers_per_connection": self._most,
        }

    async def aclose(self) -> None:
        """Close the connections."""
        for link in self._links:
            link.close()
        self._links.clear()

    def release(self, link: _Link) -> None:
        """A caller has left; the last one closes the connection."""
        link.callers -= 1
        if not link.callers:
            link.close()
            if link in self._links:
                self._links.remove(link)


class _Link:
    """A connection that is opened again when it broke, by the first who needs it."""

    def __init__(self, address: Address, blocks: HeaderBlocks, tls: ssl.SSLContext | None) -> None:
        self.callers = 0
        self._address = address
        self._blocks = blocks
        self._tls = tls
        self._opening = asyncio.Lock()
        self.connection: Http2Connection | None = None

    async def open(self, deadline: float) -> Http2Connection:
        async with self._opening:
            connection = self.connection
            if connection is None or not connection.reusable:
                connection = await Http2Connection.open(
                    self._address, self._blocks, deadline, self._tls
                )
                self.connection = connection
            return connection

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class _Caller(Channel):
    def __init__(self, target: GrpcTarget, link: _Link) -> None:
        self._target = target
        self._link: _Link | None = link

    async def send(self, payload: _Call, deadline: float) -> bytes:
        link = self._link
        if link is None:
            raise ConfigError("the channel is closed")
        if deadline <= monotonic():
            raise DeadlineExceeded(
                "the deadline passed before the request was sent", model=payload.model
            )
        connection = link.connection
        if connection is None or not connection.reusable:
            connection = await link.open(deadline)
        waiter: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        def done(outcome: Any) -> None:
            if waiter.done():
                return
            if isinstance(outcome, Exception):
                waiter.set_exception(outcome)
            else:
                waiter.set_result(outcome)

        stream = connection.call(payload.message, payload.model, deadline, done)
        try:
            return await waiter
        except asyncio.CancelledError:
            connection.cancel(stream)
            raise

    def close(self) -> None:
        if self._link is not None:
            self._target.release(self._link)
            self._link = None


def _fields(address: Address, headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    fields = [
        (":method", "POST"),
        (":scheme", "https" if address.secure else "http"),
        (":path", _PATH.decode()),
        (":authority", address.authority),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("user-agent", "tritonkit-bench"),
    ]
    for name, value in headers.items():
        token = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
        if not token or not value.isprintable() or not value.isascii():
            raise ConfigError(f"a header must be one printable ASCII line, but got {name!r}.")
        name = name.lower()
        if name.startswith("grpc-") or name in [known for known, _ in fields]:
            raise ConfigError(f"the header {name!r} is set by gRPC.")
        fields.append((name, value))
    return [(name.encode(), value.encode()) for name, value in fields]
