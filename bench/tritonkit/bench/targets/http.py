"""A server over HTTP, by the wire that the client has."""

from __future__ import annotations

import select
import ssl
from collections.abc import Callable, Mapping
from typing import Any

from tritonkit.bench.inputs.workload import Item
from tritonkit.bench.targets.http_seats import HttpSeats
from tritonkit.bench.targets.place import reachable
from tritonkit.bench.targets.seat import Ended, Seat
from tritonkit.bench.targets.target import Channel, Target, request_of, tensor_forms
from tritonkit.client import Tensors
from tritonkit.client.transports.http import render_headers
from tritonkit.client.wire.address import Address
from tritonkit.client.wire.codec import decode_infer, encode_infer
from tritonkit.client.wire.connection import Connection
from tritonkit.client.wire.http1 import Reply
from tritonkit.errors import ConfigError

__all__ = ["HttpChannel", "HttpTarget"]


class HttpChannel(Channel):
    """
    A connection of its own, opened with the first request and again when it broke.

    Args:
        address: The server.
        model: Name of the model, for errors.
        tls: How to check an https server.
    """

    def __init__(self, address: Address, model: str, tls: ssl.SSLContext | None) -> None:
        self._address = address
        self._model = model
        self._tls = tls
        self._connection: Connection | None = None

    async def send(self, payload: bytes, deadline: float) -> Reply:
        """
        Send a whole HTTP request.

        Raises:
            RequestError: If it fails, or the answer's status is not 200.
        """
        connection = self._connection
        if connection is None or not connection.reusable:
            connection = await Connection.open(self._address, deadline, self._tls)
            self._connection = connection
        reply = await connection.exchange(payload, deadline)
        if reply.status != 200:
            decode_infer(reply, self._model)
        return reply

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class HttpTarget(Target):
    """
    A model on a server over HTTP/1.1.

    Args:
        url: Starts with http or https.
        model: Name of the model; an item may name another.
        version: Its version; empty for the server's choice.
        headers: Sent with every request, such as Authorization.
        tls: How to check an https server; None trusts the system's authorities.
    """

    def __init__(
        self,
        url: str,
        model: str,
        version: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.address = Address.parse(url)
        if self.address.scheme not in ("http", "https"):
            raise ConfigError(f"url must start with http:// or https://, but got {url!r}.")
        self._model = model
        self._version = version
        self._headers = render_headers(headers or {})
        self._tls = tls
        self._forms: dict[str, str] = {}

    def prepare(self, item: Item) -> bytes:
        """A whole HTTP request."""
        request = request_of(item, self._model, self._version)
        payload = encode_infer(request, self.address, self._headers)
        self._forms.update(tensor_forms(item, "binary"))
        return payload

    async def channel(self) -> HttpChannel:
        """Connects with its first request."""
        return HttpChannel(self.address, self._model, self._tls)

    async def seats(self, ended: Ended, timeout: float) -> Callable[[], Seat]:
        """On plain sockets; over TLS, or where there is no epoll, on channels."""
        if self.address.secure or not hasattr(select, "epoll"):
            return await super().seats(ended, timeout)
        places = await reachable(self.address, timeout)
        return HttpSeats(self.address, places, self._model, ended, timeout)

    def outputs(self, answer: Reply) -> Tensors:
        """
        The tensors of an answer.

        Raises:
            ProtocolError: If they are not those that it announces.
        """
        return decode_infer(answer, self._model).outputs

    def describe(self) -> Mapping[str, Any]:
        """How requests are sent, in JSON's types."""
        return {"protocol": "http", "inputs": dict(self._forms)}
