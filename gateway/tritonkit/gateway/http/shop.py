"""What the connections of a worker have in common."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from tritonkit.gateway.http.message import Answer, Head, Request

if TYPE_CHECKING:
    from tritonkit.gateway.http.bounds import Bounds
    from tritonkit.gateway.http.connection import Connection

__all__ = ["App", "Outcome", "Shop"]

Outcome: TypeAlias = "Answer | Awaitable[Answer | None]"
"""An answer at once, or later; None later where the connection was told piece by piece."""


class App(Protocol):
    """Who answers requests."""

    def admit(self, head: Head) -> int | Answer:
        """The most bytes that its body may have, or why it is refused before any came."""

    def answer(self, request: Request, connection: Connection) -> Outcome:
        """The answer to a whole request."""


class Shop(Protocol):
    """What all connections of a worker have in common."""

    bounds: Bounds
    app: App
    parser: Callable[[Any], Any]
    parser_errors: tuple[type[Exception], type[Exception]]
    connections: set[Connection]
    tasks: set[asyncio.Task[None]]
    date: bytes
    draining: bool
    received: int
    sent: int
    refused: Callable[[str], None]

    def broke(self, error: BaseException, head: Head) -> None:
        """An answer failed as none should."""
