"""Asks a Triton directly, and through what stands in front of it."""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tritonkit.client.transports.http import HttpTransport
from tritonkit.errors import RequestError
from tritonkit.gateway.protocol.asked import Opaque
from tritonkit.gateway.protocol.decode import decode
from tritonkit.gateway.protocol.encode import encode
from tritonkit.gateway.protocol.errors import encode_error

if TYPE_CHECKING:
    from conftest import Triton

LENGTH = "Inference-Header-Content-Length"


class Reply(NamedTuple):
    status: int
    length: str | None
    content_type: str
    body: bytes


class Ask(NamedTuple):
    """Asks Triton, and what is in front of it, the same."""

    direct: Callable[..., Reply]
    through: Callable[..., Reply | Opaque]


@pytest.fixture(scope="module")
def ask(triton: Triton) -> Iterator[Ask]:
    connection = http.client.HTTPConnection(triton.http_target)

    def direct(body: bytes, length: int | None = None, *, model: str = "echo") -> Reply:
        headers = {} if length is None else {LENGTH: str(length)}
        connection.request("POST", f"/v2/models/{model}/infer", body, headers)
        reply = connection.getresponse()
        head = reply.headers
        return Reply(reply.status, head[LENGTH], head["Content-Type"], reply.read())

    async def _through(body: bytes, length: int | None, model: str) -> Reply | Opaque:
        headers = [] if length is None else [(LENGTH.lower().encode(), b"%d" % length)]
        asked = decode(headers, f"/v2/models/{model}/infer".encode(), body)
        if isinstance(asked, Opaque):
            return asked
        try:
            answer = await transport(asked.request)
            text, size = encode(answer, asked, {"OUT_BF16"})
        except RequestError as error:
            status, text, ((_, kind), *_) = encode_error(error)
            return Reply(status, None, kind.decode(), text)
        kind = "application/octet-stream" if size else "application/json"
        return Reply(200, str(size) if size else None, kind, text)

    with asyncio.Runner() as runner:
        transport = HttpTransport(triton.http)

        def through(
            body: bytes, length: int | None = None, *, model: str = "echo"
        ) -> Reply | Opaque:
            return runner.run(_through(body, length, model))

        yield Ask(direct, through)
        runner.run(transport.aclose())
    connection.close()
