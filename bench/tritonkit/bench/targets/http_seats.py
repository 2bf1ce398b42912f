"""
Many HTTP exchanges at once, on sockets without transports of the event loop.

A request costs one call that sends and one that receives; the event loop hears of
all answers that have come at once, by an epoll of the seats' own. For a small request
that is less of the processor than a transport and a task take.
"""

from __future__ import annotations

import asyncio
import select
from time import perf_counter_ns

from tritonkit.bench.targets.http_seat import UNKNOWN, HttpSeat
from tritonkit.bench.targets.place import Place
from tritonkit.bench.targets.seat import Ended
from tritonkit.client.wire.address import Address
from tritonkit.errors import DeadlineExceeded

__all__ = ["HttpSeats"]

_AT_ONCE = 64
"""Answers that are taken before the event loop gets its turn."""

_RECEIVED = 64 * 1024
"""Bytes that are received at once, unless they belong to a longer body."""


class HttpSeats:
    """
    Makes seats, and hears of what happens on their sockets.

    Args:
        address: The server, for errors.
        places: Where it may listen: tried in turn until one has accepted.
        model: Name of the model, for errors.
        ended: Told of each end.
        timeout: Seconds after which a request fails.
    """

    def __init__(
        self, address: Address, places: list[Place], model: str, ended: Ended, timeout: float
    ) -> None:
        self.address = address
        self.place = places[0]
        """Where the next connection is tried."""
        self._places = places
        self.model = model
        self.ended = ended
        self.loop = asyncio.get_running_loop()
        self._timeout_ns = round(timeout * 1e9)
        self.memory = memoryview(bytearray(_RECEIVED))
        """What small answers are received in, one at a time."""
        self.known = UNKNOWN
        self._epoll = select.epoll()
        self._connected: dict[int, HttpSeat] = {}
        self._seats: set[HttpSeat] = set()
        self._timer: asyncio.TimerHandle | None = None

    def __call__(self) -> HttpSeat:
        """A new seat."""
        if not self._seats:
            self.loop.add_reader(self._epoll.fileno(), self._happened)
            self._timer = self.loop.call_later(self._timeout_ns / 1e9, self._expire)
        seat = HttpSeat(self)
        self._seats.add(seat)
        return seat

    def watch(self, seat: HttpSeat, descriptor: int, events: int) -> None:
        """Hear of a socket, or of other events on it."""
        if descriptor in self._connected:
            self._epoll.modify(descriptor, events)
        else:
            self._connected[descriptor] = seat
            self._epoll.register(descriptor, events)

    def unwatch(self, descriptor: int) -> None:
        """Before a socket is closed."""
        del self._connected[descriptor]
        self._epoll.unregister(descriptor)

    def accepted(self, place: Place) -> None:
        """The server listens there."""
        self.place, self._places = place, [place]

    def refused(self, place: Place) -> None:
        """Nobody listens there; another place may be better."""
        if place is self.place:
            following = (self._places.index(place) + 1) % len(self._places)
            self.place = self._places[following]

    def leave(self, seat: HttpSeat) -> None:
        """A seat was closed; with the last one, all is."""
        self._seats.discard(seat)
        if not self._seats and not self._epoll.closed:
            if self._timer is not None:
                self._timer.cancel()
            self.loop.remove_reader(self._epoll.fileno())
            self._epoll.close()

    def _happened(self) -> None:
        connected = self._connected
        for descriptor, events in self._epoll.poll(0, _AT_ONCE):
            # One answer's seat may close others, whose events are void.
            seat = connected.get(descriptor)
            if seat is not None:
                seat.happened(events)

    def _expire(self) -> None:
        # A request that starts from now on fails after the next look, so that
        # looking once for each timeout is enough to be exact.
        now = perf_counter_ns()
        first = now
        for seat in tuple(self._seats):
            if seat.waits:
                if now - seat.sent_ns >= self._timeout_ns:
                    seat.fail(
                        DeadlineExceeded(f"{self.address} did not answer within the deadline")
                    )
                else:
                    first = min(first, seat.sent_ns)
        if self._seats:
            # An event loop's clock ticks in milliseconds.
            left = first + self._timeout_ns - now
            self._timer = self.loop.call_later(max(left / 1e9, 0.001), self._expire)
