"""A place for one gRPC call at a time, without a task."""

from __future__ import annotations

import asyncio
from time import monotonic, perf_counter_ns
from typing import Any, NamedTuple

from tritonkit.bench.http2.connection import Http2Connection
from tritonkit.bench.http2.link import Links
from tritonkit.bench.http2.stream import Stream
from tritonkit.bench.targets.seat import Ended, Seat
from tritonkit.errors import RequestError

__all__ = ["Call", "GrpcSeat"]


class Call(NamedTuple):
    """
    What is sent.

    Args:
        message: As gRPC frames it.
        model: The model that is asked, for errors.
    """

    message: bytes
    model: str


class GrpcSeat(Seat):
    """
    A seat on a connection that others share.

    Args:
        links: The connections.
        ended: Told of each end.
        timeout: Seconds after which a request fails.
    """

    def __init__(self, links: Links, ended: Ended, timeout: float) -> None:
        self._links = links
        self._link = links.join()
        self._ended = ended
        self._timeout = timeout
        self._flying: tuple[Http2Connection, Stream] | None = None
        self._opening: asyncio.Task[None] | None = None
        self._payload: Call | None = None
        self._again = False
        """Whether the server has refused it once."""

    def start(self, payload: Call) -> None:
        """Send; where the connection is to be opened, once it is."""
        self.sent_ns = perf_counter_ns()
        self._payload, self._again = payload, False
        deadline = monotonic() + self._timeout
        connection = self._link.connection
        if connection is None:
            self._open_first(payload, deadline)
        else:
            self._send(connection, payload, deadline)

    async def aclose(self) -> None:
        """Give up what is in flight; the last one on a connection closes it."""
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait((self._opening,))
        if self._flying is not None:
            connection, stream = self._flying
            self._flying = None
            connection.cancel(stream)
        self._links.leave(self._link)

    def _send(self, connection: Http2Connection, payload: Call, deadline: float) -> None:
        message, model = payload
        self._flying = connection, connection.call(message, model, deadline, self._done)

    def _done(self, outcome: bytes | RequestError) -> None:
        assert self._flying is not None
        _, stream = self._flying
        self._flying = None
        payload = self._payload
        if payload is not None and stream.refused and not (stream.began and self._again):
            # Every client of gRPC does so, and its callers see no failure: once where the
            # server has seen the call, and else until it does.
            self._again = self._again or stream.began
            self._open_first(payload, stream.deadline)
            return
        self._ended(self, outcome)

    def _open_first(self, payload: Call, deadline: float) -> None:
        opening = self._open(payload, deadline)
        self._opening = asyncio.get_running_loop().create_task(opening)

    async def _open(self, payload: Call, deadline: float) -> None:
        outcome: Any = None
        try:
            connection = await self._link.open(deadline)
            self._send(connection, payload, deadline)
        except Exception as error:
            # What is no RequestError is a fault of ours, and ends the load.
            outcome = error
        self._opening = None
        if outcome is not None:
            self._ended(self, outcome)
