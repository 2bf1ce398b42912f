"""A server over gRPC, on connections of our own."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

from tritonkit.bench.http2.headers import HeaderBlocks
from tritonkit.bench.http2.link import Links
from tritonkit.bench.http2.stream import message
from tritonkit.bench.inputs.workload import Item
from tritonkit.bench.targets.grpc_seat import Call, GrpcSeat
from tritonkit.bench.targets.seat import Ended, Seat
from tritonkit.bench.targets.target import Channel, Target, request_of, tensor_forms
from tritonkit.client import Tensors
from tritonkit.client.wire.address import Address
from tritonkit.errors import ConfigError, DeadlineExceeded, InvalidInput, ProtocolError

__all__ = ["CALLERS_PER_CONNECTION", "GrpcTarget"]

CALLERS_PER_CONNECTION = 6
"""As many callers share a connection by default in Triton's C++ client."""

_PATH = b"/inference.GRPCInferenceService/ModelInfer"


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
        self._most = callers_per_connection
        blocks = HeaderBlocks(_fields(address, headers or {}))
        self._links = Links(address, blocks, tls if address.secure else None, self._most)
        self._forms: dict[str, str] = {}

    def prepare(self, item: Item) -> Any:
        """
        A serialised ModelInferRequest, as gRPC frames it.

        Raises:
            InvalidInput: If an array or a parameter cannot be sent.
        """
        # protobuf and grpc take 100 ms and 20 MB to import.
        from tritonkit.client.transports.messages import infer_request

        request = request_of(item, self._model, self._version)
        try:
            data: bytes = infer_request(request).SerializeToString()
        except InvalidInput as error:
            error.model = request.model
            raise
        self._forms.update(tensor_forms(item, "binary"))
        return Call(message(data), request.model)

    async def channel(self) -> Channel:
        """A caller, on a connection that it shares with few others; connects when it sends."""
        return _Caller(self._links)

    async def seats(self, ended: Ended, timeout: float) -> Callable[[], Seat]:
        """Likewise; the end of a call is told without a task of its own."""
        return lambda: GrpcSeat(self._links, ended, timeout)

    def connections(self, callers: int) -> int:
        """One for a few callers each."""
        return -(-callers // self._most)

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
        self._links.close()


class _Caller(Channel):
    def __init__(self, links: Links) -> None:
        self._links = links
        self._link = links.join()
        self._closed = False

    async def send(self, payload: Call, deadline: float) -> bytes:
        if deadline <= monotonic():
            raise DeadlineExceeded(
                "the deadline passed before the request was sent", model=payload.model
            )
        connection = self._link.connection or await self._link.open(deadline)
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
        if not self._closed:
            self._closed = True
            self._links.leave(self._link)


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
