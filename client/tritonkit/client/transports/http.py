"""Triton over HTTP/1.1, by `tritonkit.client.wire`."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

from tritonkit.client.spans import trace_headers
from tritonkit.client.stack import Transport, refuse_kept
from tritonkit.client.types import InferRequest, InferResponse
from tritonkit.client.wire.address import Address
from tritonkit.client.wire.codec import (
    decode_infer,
    decode_json,
    encode_get,
    encode_infer,
    model_path,
)
from tritonkit.client.wire.http1 import Reply
from tritonkit.client.wire.passage import Passage
from tritonkit.client.wire.pool import MAX_CONNECTIONS, Pool
from tritonkit.errors import ConfigError, ProtocolError, RequestError

__all__ = ["HttpTransport", "render_headers"]

_RESERVED = {"content-length", "host", "inference-header-content-length", "transfer-encoding"}

_PROBES = 4
"""Connections for questions after readiness."""


class HttpTransport(Transport):
    """
    The fast path: binary tensors over a pool of keep-alive connections.

    Args:
        url: "http://host:port" or "https://host:port", with a path where a proxy
            has Triton below one.
        max_connections: Requests in flight; more wait for their turn.
        tls: How to check an https server; None trusts the system's authorities.
        headers: Sent with every request, such as Authorization.

    Raises:
        ConfigError: If the URL or a header is wrong.
    """

    forwards = True

    def __init__(
        self,
        url: str,
        *,
        max_connections: int = MAX_CONNECTIONS,
        tls: ssl.SSLContext | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.address = Address.parse(url)
        if self.address.scheme not in ("http", "https"):
            raise ConfigError(f"url must start with http:// or https://, but got {url!r}.")
        self._headers = render_headers(headers or {})
        self._pool = Pool(self.address, tls=tls, max_connections=max_connections)
        # Whether a server is well is asked most when all connections wait for it.
        self._probes = Pool(self.address, tls=tls, max_connections=_PROBES)

    def __repr__(self) -> str:
        return f"HttpTransport({str(self.address)!r})"

    async def __call__(self, request: InferRequest, /) -> InferResponse:
        """Send *request* and wait for its answer."""
        refuse_kept(request)
        headers = self._headers
        if traced := trace_headers():
            headers += b"".join([f"{name}: {value}\r\n".encode() for name, value in traced])
        try:
            reply = await self._pool.exchange(
                encode_infer(request, self.address, headers),
                request.deadline,
                # A step of a sequence that arrives twice is two steps.
                replay=not request.in_sequence,
            )
            return decode_infer(reply, request.model)
        except RequestError as error:
            error.model = request.model
            raise

    async def metadata(
        self, model: str, version: str = "", *, deadline: float | None = None
    ) -> dict[str, Any]:
        """The model's metadata: name, versions, platform, inputs, outputs."""
        return await self._get(model_path(model, version), model, deadline)

    async def config(
        self, model: str, version: str = "", *, deadline: float | None = None
    ) -> dict[str, Any]:
        """The model's configuration as Triton completed it."""
        return await self._get(f"{model_path(model, version)}/config", model, deadline)

    async def ready(
        self, model: str = "", version: str = "", *, deadline: float | None = None
    ) -> bool:
        """Whether the server, or the named model, says that it takes requests."""
        path = f"{model_path(model, version)}/ready" if model else "/v2/health/ready"
        request = encode_get(path, self.address, self._headers)
        reply = await self._probes.exchange(request, deadline)
        return reply.status == 200

    async def about(self, *, deadline: float | None = None) -> dict[str, Any]:
        """The server's metadata: name, version, extensions."""
        return await self._get("/v2", "", deadline)

    async def statistics(
        self, model: str = "", version: str = "", *, deadline: float | None = None
    ) -> list[dict[str, Any]]:
        """Triton's counters, one entry for each model and version."""
        path = f"{model_path(model, version)}/stats" if model else "/v2/models/stats"
        answer = await self._get(path, model, deadline)
        try:
            statistics: list[dict[str, Any]] = answer["model_stats"]
        except KeyError as error:
            raise ProtocolError(
                f"the answer has no 'model_stats': {answer}", model=model
            ) from error
        return statistics

    async def forward(self, passage: Passage, *, deadline: float | None = None) -> Reply:
        """Send a request on as it came, beside the transport's own headers."""
        try:
            request = passage.rendered(self.address, self._headers)
            return await self._pool.exchange(request, deadline, replay=passage.replay)
        except RequestError as error:
            error.model = passage.model
            raise

    async def aclose(self) -> None:
        """Close the connections."""
        await self._pool.aclose()
        await self._probes.aclose()

    async def _get(self, path: str, model: str, deadline: float | None) -> dict[str, Any]:
        try:
            request = encode_get(path, self.address, self._headers)
            return decode_json(await self._pool.exchange(request, deadline), model)
        except RequestError as error:
            error.model = model
            raise


def render_headers(headers: Mapping[str, str]) -> bytes:
    """
    Header lines, each with its CR LF, as the codec takes them.

    Raises:
        ConfigError: If one cannot be sent, or is not the caller's to set.
    """
    for name, value in headers.items():
        token = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
        if not token or not value.isprintable() or not value.isascii():
            raise ConfigError(f"a header must be one printable ASCII line, but got {name!r}.")
        if name.lower() in _RESERVED:
            raise ConfigError(f"the header {name!r} is set by the transport.")
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
