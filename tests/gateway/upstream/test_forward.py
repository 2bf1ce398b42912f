"""What goes on to a Triton as it came, and what comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tritonkit.client.transports import transport_for
from tritonkit.client.transports.endpoints.endpoints import Endpoints
from tritonkit.client.wire.passage import Passage
from tritonkit.errors import ConfigError, NotConnected
from tritonkit.gateway.upstream.forward import Forward, passed_headers

if TYPE_CHECKING:
    from conftest import Triton

NOWHERE = "http://127.0.0.1:1"


async def test_asks_another_server_where_one_is_away(triton: Triton) -> None:
    """Each time; and says what the servers say, whether they have the model or not."""
    transport = Endpoints(NOWHERE, triton.http)
    assert transport.forwards
    try:
        for _ in range(20):
            known = await transport.forward(Passage("GET", "/v2/models/keeps", model="keeps"))
            assert (known.status, bytes(known.body[:15])) == (200, b'{"name":"keeps"')
        unknown = await transport.forward(Passage("GET", "/v2/models/nope", model="nope"))
        alone = transport_for(triton.http)
        same = await alone.forward(Passage("GET", "/v2/models/nope", model="nope"))
        await alone.aclose()
        assert unknown.status == same.status >= 400
        assert bytes(unknown.body) == bytes(same.body)
        assert transport.states[0].out
    finally:
        await transport.aclose()


async def test_says_that_no_server_is_there() -> None:
    for transport in (Endpoints(NOWHERE, "http://127.0.0.1:2"), transport_for(NOWHERE)):
        with pytest.raises(NotConnected):
            await transport.forward(Passage("GET", "/v2"))
        await transport.aclose()


def test_passes_on_what_is_meant_for_the_server() -> None:
    rendered = passed_headers(
        {
            b"host": b"gateway",
            b"authorization": b"Bearer mine",
            b"content-length": b"5",
            b"content-encoding": b"gzip",
            b"transfer-encoding": b"chunked",
            b"connection": b"keep-alive, X-Between, Inference-Header-Content-Length",
            b"x-between": b"1",
            b"cookie": b"a=b",
            b"x-request-id": b"r-17",
            b"inference-header-content-length": b"80",
            b"x-split": b"a\r\nX-Other: b",
        }
    )
    assert rendered == b"x-request-id: r-17\r\ninference-header-content-length: 80\r\n"


def test_needs_a_server_that_speaks_http() -> None:
    with pytest.raises(ConfigError, match="server must be reached over http:// or https://"):
        Forward(transport_for("grpc://localhost:8001"))
    with pytest.raises(ConfigError, match="server must be reached"):
        Forward(Endpoints("http://localhost:8000", "grpc://localhost:8001"))
