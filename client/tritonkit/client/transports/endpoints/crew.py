"""The endpoints at work: calls sent and learnt from, probes, names looked up again."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from time import monotonic
from typing import TypeVar

from tritonkit.client.placement import Placement
from tritonkit.client.stack import Transport
from tritonkit.client.transports import transport_for
from tritonkit.client.transports.endpoints.answers import answers
from tritonkit.client.transports.endpoints.fleet import Fleet
from tritonkit.client.transports.endpoints.member import Attempt, Member, ModelKey
from tritonkit.client.transports.endpoints.names import Names
from tritonkit.client.transports.endpoints.outcome import Outcome
from tritonkit.client.transports.endpoints.watch import Watch
from tritonkit.errors import ConfigError, NotConnected, RequestError, ServerUnavailable

__all__ = ["Crew"]

_log = logging.getLogger(__name__)
T = TypeVar("T")

_AGAIN = 1.0
"""Seconds between two looks at the names while no endpoint is there, and for one of them."""

_OTHERS = 0.5
"""Seconds that the others have for a question that one endpoint has answered."""


class Crew:
    """
    Drives a fleet in an event loop.

    It belongs to the loop that uses it first; when that is closed, or in the child
    of a fork, it starts anew in the loop of the moment.

    Args:
        fleet: The state, and the choice.
        transports: By the names of the fleet's members.
        names: What the members are looked up by.
        refresh: Seconds between two looks; None never looks.
        patience: Seconds that a deadline must leave before it says something.
        probe_timeout: Seconds that a probe may take.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        fleet: Fleet,
        transports: Mapping[str, Transport],
        names: Names,
        *,
        refresh: float | None,
        patience: float,
        probe_timeout: float,
        clock: Callable[[], float],
    ) -> None:
        self.fleet = fleet
        self._transports = dict(transports)
        self._around: Callable[[str, Transport], Transport] | None = None
        self._names, self._refresh = names, refresh
        self._patience, self._probe_timeout = patience, probe_timeout
        self._clock = clock
        self._period = max(0.01, min(patience, probe_timeout) / 4)
        self._retired: list[Member] = []
        self._lives: dict[Attempt, asyncio.Timeout] = {}
        self._looked_up = float("-inf")
        self._looking: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pid = os.getpid()
        self._watch: Watch | None = None
        self._forked_off: list[object] = []
        self._closed = False

    def around(self, wrap: Callable[[str, Transport], Transport]) -> None:
        """Put something around each transport, also of those that names lead to later."""
        self._around = wrap
        self._transports = {name: wrap(name, each) for name, each in self._transports.items()}

    def choose(
        self, key: ModelKey, tried: set[Member], wishes: Sequence[Placement] = ()
    ) -> Member | None:
        """The endpoint for the next call; None where all were tried that have the model."""
        self._be_here()
        return self.fleet.choose(key, self._clock(), tried, wishes)

    async def send(
        self,
        member: Member,
        key: ModelKey,
        call: Callable[[Transport], Awaitable[T]],
        *,
        question: bool = False,
    ) -> T:
        """
        Ask one endpoint, and learn from how that ends.

        Raises:
            ServerUnavailable: If the endpoint is found dead meanwhile.
            RequestError: What the endpoint's transport raises.
        """
        self._be_here()
        attempt = self.fleet.begin(member, key, self._clock(), question=question)
        outcome = Outcome.NEUTRAL
        try:
            async with asyncio.timeout(None) as life:
                self._lives[attempt] = life
                answer = await call(self._transports[member.name])
            outcome = Outcome.ANSWERED
            return answer
        except RequestError as error:
            outcome = Outcome.of(error, self._clock() - attempt.began, self._patience)
            raise
        except TimeoutError as error:
            outcome = Outcome.UNREACHABLE
            raise ServerUnavailable(
                f"{member.name} answers neither its calls nor a probe", model=key[0]
            ) from error
        finally:
            self._lives.pop(attempt, None)
            was_out = member.health.out
            member.end(attempt, outcome, self._clock())
            if member.health.out and not was_out:
                _log.warning("%s is left out: its calls fail", member.name)

    async def ask_all(
        self, key: ModelKey, ask: Callable[[Transport], Awaitable[T]]
    ) -> dict[str, T]:
        """The answers of those that are well, by name and in their order; at least one."""
        self._be_here()
        before = set(self.fleet.members)
        members = [m for m in self.fleet.members.values() if m.out_since(key) is None]
        questions = {
            member.name: self.send(member, key, ask, question=True)
            for member in members or self.fleet.usable(key)
        }
        try:
            return await answers(questions, grace=_OTHERS)
        except NotConnected:
            # The first look may have ended meanwhile.
            if before == set(self.fleet.members) and not await self.look_again():
                raise
        questions = {
            member.name: self.send(member, key, ask, question=True)
            for member in self.fleet.usable(key)
        }
        return await answers(questions, grace=_OTHERS)

    async def look_again(self, within: float | None = None) -> bool:
        """
        Look the names up before their time, since none of the endpoints is there.

        Args:
            within: Seconds to wait at most; it goes on in the background.

        Returns:
            Whether there are others now.
        """
        assert self._watch is not None
        if self._refresh is None:
            return False
        before = set(self.fleet.members)
        task = self._looking
        if task is None or task.done():
            if self._clock() - self._looked_up < _AGAIN:
                return False
            task = self._look_up(self._watch)
        await asyncio.wait({task}, timeout=_AGAIN if within is None else min(_AGAIN, within))
        return set(self.fleet.members) != before

    async def aclose(self) -> None:
        """End the probes, and close every endpoint's connections."""
        self._closed = True
        if self._watch is not None and self._loop is asyncio.get_running_loop():
            await self._watch.stop()
        async with AsyncExitStack() as closing:
            # One that fails to close keeps none of the others open.
            for transport in reversed(self._transports.values()):
                closing.push_async_callback(transport.aclose)

    def _be_here(self) -> None:
        """Be at home in the running event loop, and watch."""
        if self._closed:
            raise ConfigError("the client is closed")
        if self._loop is not asyncio.get_running_loop():
            self._move()
        assert self._watch is not None
        self._watch.start()
        if self._refresh is not None and self._looked_up == float("-inf"):
            self._look_up(self._watch)

    def _move(self) -> None:
        pid = os.getpid()
        if self._loop is not None and self._pid == pid and not self._loop.is_closed():
            raise ConfigError(
                "a client belongs to one event loop; make one AsyncClient per loop, "
                "or use Client, which works from every thread"
            )
        if self._pid != pid:
            # What is of the parent's loop must not even be freed here.
            self._forked_off += [self._loop, self._watch, self._lives, self._looking]
        self._loop, self._pid = asyncio.get_running_loop(), pid
        self._watch = Watch(self._look, self._period)
        self._lives, self._looking = {}, None
        for member in (*self.fleet.members.values(), *self._retired):
            member.forget_calls()

    def _look(self, watch: Watch) -> bool:
        """Begin what is due; whether there is something left to watch."""
        now = self._clock()
        for member, key in self.fleet.due(now):
            transport = self._transports[member.name]
            watch.spawn((member, key), partial(self._probe, member, key, transport))
        if self._refresh is not None and now - self._looked_up >= self._refresh:
            self._look_up(watch)
        for member in [member for member in self._retired if not member.outstanding]:
            self._retired.remove(member)
            watch.spawn(member, self._transports.pop(member.name).aclose)
        return self.fleet.watched(now) or bool(self._retired)

    async def _probe(self, member: Member, key: ModelKey | None, transport: Transport) -> None:
        """Ask an endpoint, or a model on it, whether it is ready, and draw the conclusion."""
        ready = await self._ready(key or ("", ""), transport, member.name)
        now = self._clock()
        if key is not None:
            member.probed(key, bool(ready), now)
        elif member.health.out:
            if member.health.probed(bool(ready), now):
                _log.info("%s is back", member.name)
        elif ready:
            member.vouched(now)
        elif ready is not None:
            # It stops, and may still answer what it has begun.
            member.health.eject(now)
        elif member.suspect(now):
            _log.warning("%s is left out: it answers neither calls nor a probe", member.name)
            for attempt in member.lost(now):
                self._lives[attempt].reschedule(asyncio.get_running_loop().time())

    async def _ready(self, key: ModelKey, transport: Transport, name: str) -> bool | None:
        """What a probe says; None where it is not answered."""
        try:
            async with asyncio.timeout(self._probe_timeout):
                return await transport.ready(*key, deadline=monotonic() + self._probe_timeout)
        except (RequestError, TimeoutError) as error:
            _log.debug("probe of %s: %s", name, error)
            return None

    def _look_up(self, watch: Watch) -> asyncio.Task[None]:
        self._looked_up = self._clock()
        self._looking = watch.spawn("names", self._rename)
        return self._looking

    async def _rename(self) -> None:
        """Be the endpoints that the names stand for now."""
        names = await self._names.look_up()
        for name in names:
            if name not in self._transports:
                new = transport_for(name)
                self._transports[name] = new if self._around is None else self._around(name, new)
        gone = self.fleet.replace(names)
        self._retired = [member for member in self._retired if member.name not in names] + gone
