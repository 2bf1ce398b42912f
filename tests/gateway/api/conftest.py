"""A worker of the gateway in the test's own event loop, and a caller of its routes."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette

from tritonkit.client.async_client import AsyncClient
from tritonkit.client.layers.telemetry.telemetry import Telemetry
from tritonkit.client.stack import Layer
from tritonkit.gateway.api.api import Api
from tritonkit.gateway.api.metrics.exposition import Exposition
from tritonkit.gateway.api.metrics.traffic import Traffic
from tritonkit.gateway.api.settings import ApiSettings, TextModel
from tritonkit.gateway.http.asgi import AsgiApp, run_asgi
from tritonkit.gateway.http.bounds import Bounds
from tritonkit.gateway.http.connection import Connection
from tritonkit.gateway.http.message import Answer, Head, Request
from tritonkit.gateway.http.server import Server
from tritonkit.gateway.passed import Passed
from tritonkit.gateway.serving import Serving
from tritonkit.gateway.tenants.settings import Tenant
from tritonkit.gateway.tenants.tenants import Tenants

if TYPE_CHECKING:
    from conftest import Triton

SETTINGS = ApiSettings(
    models=[TextModel("words", model="embedder", max_texts=40, max_characters=200)]
)


class Routed:
    """These routes, and nothing of Triton's."""

    def __init__(self, routes: AsgiApp) -> None:
        self._routes = routes

    def admit(self, head: Head) -> int:
        return 2**20

    def answer(self, request: Request, connection: Connection) -> Awaitable[Answer | None]:
        return run_asgi(self._routes, request, connection)


@dataclass
class Said:
    """An answer: its status, its headers in lower case, its body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Caller:
    """
    Talks HTTP to a worker.

    Args:
        port: Of this machine.
        passed: What observers were told.
        client: Of the worker.
        server: Of the worker.
    """

    def __init__(
        self, port: int, passed: list[Passed], client: AsyncClient, server: Server
    ) -> None:
        self.port, self.passed, self.client, self.server = port, passed, client, server

    async def __call__(
        self, method: str, path: str, document: Any = None, *, body: bytes = b"", **headers: str
    ) -> Said:
        reader, writer = await self.send(method, path, document, body=body, **headers)
        data = await reader.read()
        writer.close()
        await writer.wait_closed()
        head, _, rest = data.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        pairs = (line.partition(":") for line in lines)
        named = {name.lower(): value.strip() for name, _, value in pairs}
        return Said(int(first.split()[1]), named, rest)

    async def send(
        self, method: str, path: str, document: Any = None, *, body: bytes = b"", **headers: str
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Only ask."""
        named = {"host": "here", "connection": "close", "content-type": "application/json"}
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        if document is not None:
            body = json.dumps(document).encode()
        if method == "POST":
            named["content-length"] = str(len(body))
        lines = "".join(f"{name}: {value}\r\n" for name, value in named.items() if value)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + body)
        return reader, writer


Start = Callable[..., Awaitable[Caller]]


@pytest.fixture
async def start(triton: Triton) -> AsyncIterator[Start]:
    """Starts workers, with layers, tenants and options of `AsyncClient`."""
    async with AsyncExitStack() as ending:

        async def begin(
            *layers: Layer,
            tenants: Sequence[Tenant] = (),
            settings: ApiSettings = SETTINGS,
            workers: int = 1,
            server: str = triton.http,
            **options: Any,
        ) -> Caller:
            telemetry = Telemetry("gateway")
            client = AsyncClient(server, [telemetry, *layers], **options)
            ending.push_async_callback(client.aclose)
            passed: list[Passed] = []
            serving = Serving(
                client=client, telemetry=telemetry, workers=workers, observers=[passed.append]
            )
            door = Tenants(tenants)
            traffic = Traffic(door)
            serving.observers.append(traffic.observe)
            api = Api(serving, door, settings, traffic, Exposition(serving, traffic))
            api.start()
            ending.push_async_callback(api.aclose)
            listener = socket.create_server(("127.0.0.1", 0))
            http = Server(listener, Routed(Starlette(routes=api.routes)), Bounds())
            traffic.server = http
            http.start()
            ending.push_async_callback(http.close)
            return Caller(listener.getsockname()[1], passed, client, http)

        yield begin
