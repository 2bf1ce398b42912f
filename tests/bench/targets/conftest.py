"""TLS in front of the server, for https and grpcs."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
import trustme

__all__ = ["Tunnel"]

Tunnel = Callable[[str, str], AbstractAsyncContextManager[int]]


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def authority_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


@pytest.fixture
def tunnel(authority: trustme.CA) -> Tunnel:
    """Ends TLS for a server without it: from "host:port" and a protocol of ALPN to a port."""

    @asynccontextmanager
    async def open_tunnel(target: str, alpn: str) -> AsyncIterator[int]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        context.set_alpn_protocols([alpn])
        host, _, port = target.partition(":")

        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there, back = await asyncio.open_connection(host, int(port))
            await asyncio.gather(_pump(reader, back), _pump(there, writer))

        async with await asyncio.start_server(relay, "127.0.0.1", 0, ssl=context) as server:
            yield server.sockets[0].getsockname()[1]

    return open_tunnel


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except (ConnectionError, ssl.SSLError):
        pass
    finally:
        writer.close()
