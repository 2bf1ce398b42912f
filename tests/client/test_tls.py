"""https and grpcs: a TLS-terminating proxy in front of a real tritonserver."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import grpc
import numpy as np
import pytest
import trustme

from tritonkit.client import AsyncClient, HttpTransport
from tritonkit.client.transports.grpc import GrpcTransport
from tritonkit.errors import ServerUnavailable

if TYPE_CHECKING:
    from conftest import Triton

X = np.arange(16, dtype=np.float32).reshape(1, 16)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except (ConnectionError, ssl.SSLError):
        pass
    finally:
        writer.close()


@asynccontextmanager
async def proxy(authority: trustme.CA, target: str, alpn: str) -> AsyncIterator[int]:
    """Its port; when it ends no connection is left, for the event loop ends next."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    context.set_alpn_protocols([alpn])
    host, _, port = target.partition(":")
    relays: set[asyncio.Task[None]] = set()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        relays.add(task)
        back = None
        try:
            there, back = await asyncio.open_connection(host, int(port))
            await asyncio.gather(pump(reader, back), pump(there, writer))
        finally:
            for end in (writer, back):
                if end is not None:
                    end.transport.abort()

    async with await asyncio.start_server(relay, "127.0.0.1", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]
        server.close()
        for task in relays:
            task.cancel()
        await asyncio.gather(*relays, return_exceptions=True)
        # What was cut off tells its transports in the loop's next turns.
        for _ in range(3):
            await asyncio.sleep(0)


@pytest.fixture
async def https(triton: Triton, authority: trustme.CA) -> AsyncIterator[str]:
    async with proxy(authority, triton.http_target, "http/1.1") as port:
        yield f"https://localhost:{port}"


@pytest.fixture
async def grpcs(triton: Triton, authority: trustme.CA) -> AsyncIterator[str]:
    async with proxy(authority, triton.grpc_target, "h2") as port:
        yield f"grpcs://localhost:{port}"


async def test_https_with_an_authority_of_ones_own(https: str, authority: trustme.CA) -> None:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    large = np.arange(500_000, dtype=np.float32).reshape(1, -1)
    async with AsyncClient(HttpTransport(https, tls=context)) as client:
        answers = await asyncio.gather(*(client.infer("same", {"x": X}) for _ in range(10)))
        for answer in answers:
            np.testing.assert_array_equal(answer["y"], X)
        answer = await client.infer("echo", {"IN_FP32": large}, timeout="20s")
        np.testing.assert_array_equal(answer["OUT_FP32"], large)


async def test_a_certificate_that_nobody_trusts(https: str) -> None:
    async with AsyncClient(https) as client:
        with pytest.raises(ServerUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
            await client.ready()


async def test_a_certificate_of_another_name(https: str, authority: trustme.CA) -> None:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    url = https.replace("localhost", "127.0.0.1")
    async with AsyncClient(HttpTransport(url, tls=context)) as client:
        with pytest.raises(ServerUnavailable, match="127\\.0\\.0\\.1"):
            await client.ready()


async def test_https_to_a_server_without_tls(triton: Triton) -> None:
    async with AsyncClient(triton.http.replace("http:", "https:")) as client:
        with pytest.raises(ServerUnavailable, match=r"cannot connect to .*: ."):
            await client.ready(timeout="10s")


async def test_grpcs_with_an_authority_of_ones_own(grpcs: str, authority: trustme.CA) -> None:
    credentials = grpc.ssl_channel_credentials(authority.cert_pem.bytes())
    async with AsyncClient(GrpcTransport(grpcs, credentials=credentials)) as client:
        np.testing.assert_array_equal((await client.infer("same", {"x": X}))["y"], X)


async def test_grpcs_with_a_certificate_that_nobody_trusts(grpcs: str) -> None:
    async with AsyncClient(grpcs) as client:
        with pytest.raises(ServerUnavailable):
            await client.ready(timeout="10s")
