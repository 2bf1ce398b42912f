"""Several Triton servers that serve the same models, as one transport."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from time import monotonic
from typing import Any

from tritonkit.client.placement import Placement, placements
from tritonkit.client.readings import Reading
from tritonkit.client.stack import Transport, refuse_kept
from tritonkit.client.transports.endpoints.combined import combined_config, combined_statistics
from tritonkit.client.transports.endpoints.crew import Crew
from tritonkit.client.transports.endpoints.fleet import Fleet
from tritonkit.client.transports.endpoints.health import HealthPolicy
from tritonkit.client.transports.endpoints.member import Member, ModelKey
from tritonkit.client.transports.endpoints.names import Names, Resolver, named, resolve
from tritonkit.client.transports.endpoints.state import EndpointState
from tritonkit.client.types import InferRequest, InferResponse
from tritonkit.client.wire.codec import refused
from tritonkit.client.wire.http1 import Reply
from tritonkit.client.wire.passage import Passage
from tritonkit.errors import (
    ConfigError,
    DeadlineExceeded,
    InferenceFailed,
    ModelUnavailable,
    NotConnected,
    RequestError,
    ServerUnavailable,
)
from tritonkit.units import parse_duration, parse_share

__all__ = ["Endpoints"]

_LEARNED = (ModelUnavailable, ServerUnavailable, InferenceFailed, DeadlineExceeded)
"""Refusals that say something of the endpoint they came from."""

_REMEMBERED = 256
"""Models whose counters are remembered."""


class Endpoints(Transport):
    """
    Asks the endpoint that will be free first, and leaves out those that are ill.

    Of two endpoints at random the one with fewer calls in flight is asked, weighed
    by how long its answers take where one is twice as slow as the other. Endpoints
    must serve the same models under the same names, though not all of them each.

    An endpoint is left out after failures in a row or by their rate, at once where
    it answers neither its calls nor a probe, and for one model alone where only that
    fails or is not there. It stays out for a time, which doubles as it happens again,
    and then until a probe (`v2/health/ready`, or the model's own) succeeds. Only
    what is out or suspect is probed. Where all are ill, ill ones are asked.

    A call that fails is not tried elsewhere, which is for Retry to decide, but for
    two cases in which nothing was done: there was no connection (NotConnected), or
    the endpoint does not have the model and another does. A call to an endpoint
    that is found dead ends at once with ServerUnavailable, without waiting for its
    deadline. The steps of a sequence all go to one endpoint, ill or well.

    The statistics are those of every endpoint. Where not all serve the same model,
    as in a rollout, its configuration says so, and caches do not keep its answers.

    Args:
        servers: URLs, such as "http://a:8000" or "grpc://b:8001", or transports.
        dns: How often host names are looked up, such as "30s": each of their
            addresses becomes an endpoint. They are looked up before their time, once a
            second at most, where no endpoint can be connected to. None leaves names to
            each connect, as is right behind a load balancer. Not for TLS, whose
            certificates are for names.
        max_ejected: The most that may be out at a time, as a share of those that
            have the model; of two one may be, of four three. The last one never is.
            When more are ill, the trouble is hardly theirs alone.
        failures: Failures in a row after which an endpoint is out; Envoy's number.
        failure_rate: Share of failures among the calls of *window* after which it is out.
        min_calls: Fewer calls in a window say nothing by their rate.
        window: The time that the rate is taken over.
        ejection: How long the first ejection lasts. Short, since a probe must
            succeed as well.
        max_ejection: How long the longest one lasts.
        patience: How long an endpoint that was asked may answer nothing at all until
            it is probed; four times its latency where that is longer.
        probe_timeout: How long a probe may take. With *patience* this is how long a
            call waits on a dead endpoint, so both are well below usual deadlines.
        probe_interval: How often what is out is probed, once its time is over.
        resolver: Looks up a host and port; the system's by default.
        clock: Seconds that only grow.
        rng: Breaks ties.

    Raises:
        ConfigError: If there is no server, one is named twice, or a value is wrong.
    """

    several = True

    def __init__(
        self,
        *servers: str | Transport,
        dns: str | float | timedelta | None = None,
        max_ejected: str | float = 0.75,
        failures: int = 5,
        failure_rate: str | float = 0.5,
        min_calls: int = 20,
        window: str | float | timedelta = "10s",
        ejection: str | float | timedelta = "1s",
        max_ejection: str | float | timedelta = "1m",
        patience: str | float | timedelta = "500ms",
        probe_timeout: str | float | timedelta = "500ms",
        probe_interval: str | float | timedelta = "1s",
        resolver: Resolver = resolve,
        clock: Callable[[], float] = monotonic,
        rng: random.Random | None = None,
    ) -> None:
        if not servers:
            raise ConfigError("Endpoints needs at least one server, but got none.")
        for name, count in (("failures", failures), ("min_calls", min_calls)):
            if count < 0:
                raise ConfigError(f"{name} must not be negative, but got {count!r}.")
        policy = HealthPolicy(
            failures=failures,
            failure_rate=parse_share(failure_rate, name="failure_rate"),
            min_calls=min_calls,
            window=parse_duration(window, name="window"),
            ejection=parse_duration(ejection, name="ejection"),
            max_ejection=parse_duration(max_ejection, name="max_ejection"),
            probe_interval=parse_duration(probe_interval, name="probe_interval"),
        )
        if policy.max_ejection < policy.ejection:
            raise ConfigError(
                f"max_ejection must not be less than ejection, "
                f"but got {max_ejection!r} and {ejection!r}."
            )
        waits = parse_duration(patience, name="patience")
        transports = named(servers)
        self._servers = tuple(transports)
        # A lost call is dropped only where each of them drops it.
        self.cancels = all(transport.cancels for transport in transports.values())
        self.forwards = all(transport.forwards for transport in transports.values())
        self._fleet = Fleet(
            transports,
            policy,
            patience=waits,
            max_ejected=parse_share(max_ejected, name="max_ejected"),
            rng=rng or random.Random(),
        )
        urls = [
            name
            for name, server in zip(transports, servers, strict=True)
            if dns is not None and isinstance(server, str)
        ]
        self._crew = Crew(
            self._fleet,
            transports,
            Names(transports, urls, resolver),
            refresh=None if dns is None else parse_duration(dns, name="dns"),
            patience=waits,
            probe_timeout=parse_duration(probe_timeout, name="probe_timeout"),
            clock=clock,
        )
        self._counters: dict[ModelKey, dict[str, list[dict[str, Any]]]] = {}

    def __repr__(self) -> str:
        return f"Endpoints({', '.join(map(repr, self._servers))})"

    @property
    def states(self) -> tuple[EndpointState, ...]:
        """What can be seen of each endpoint, in their order."""
        return tuple(
            EndpointState(
                name=member.name,
                out=member.health.out,
                without=member.absent(),
                outstanding=member.outstanding,
                calls=member.calls,
                failures=member.failures,
            )
            for member in self._fleet.members.values()
        )

    def servers(self, model: str, version: str = "") -> Sequence[str]:
        """Those that a request to a model may go to now, in their order."""
        return [member.name for member in self._fleet.usable((model, version))]

    def observe(self) -> Iterator[Reading]:
        """Of each endpoint what is in flight, what was sent and what failed by its fault."""
        for member in list(self._fleet.members.values()):
            labels = {"endpoint": member.name}
            yield Reading("endpoint_up", not member.health.out, labels, "gauge")
            yield Reading("endpoint_in_flight", member.outstanding, labels, "gauge")
            yield Reading("endpoint_requests", member.calls, labels)
            yield Reading("endpoint_failures", member.failures, labels)

    def around(self, wrap: Callable[[str, Transport], Transport]) -> None:
        """
        Put something around the transport of each endpoint, before the first call.

        Args:
            wrap: Of an endpoint's name and its transport; what it returns is asked instead.
                Called again for each endpoint that a host name leads to later.
        """
        self._crew.around(wrap)

    async def __call__(self, request: InferRequest, /) -> InferResponse:
        """Send *request* to one of them and wait for its answer."""
        refuse_kept(request)
        key = (request.model, request.version)
        wishes = placements.get()
        sequence = request.parameters.get("sequence_id")
        if sequence:
            return await self._send(self._fleet.pinned(key, str(sequence)), request, wishes)
        tried: set[Member] = set()
        refusals = 0
        away: NotConnected | None = None
        member = self._crew.choose(key, tried, wishes)
        assert member is not None
        while True:
            try:
                response = await self._send(member, request, wishes)
            except (NotConnected, ModelUnavailable) as error:
                tried.add(member)
                if isinstance(error, NotConnected):
                    away = error
                else:
                    refusals += 1
                other = self._crew.choose(key, tried, wishes)
                if other is None and away and await self._crew.look_again(request.remaining()):
                    other = self._crew.choose(key, tried, wishes)
                if other is None or _late(request):
                    # One that is away may have the model that others lack.
                    raise away or error  # noqa: B904
                member = other
                continue
            if not refusals:
                return response
            attempts = max(1, response.trace.attempts) + refusals
            return response.traced(attempts=attempts)

    async def _send(
        self, member: Member, request: InferRequest, wishes: Sequence[Placement]
    ) -> InferResponse:
        for wish in wishes:
            wish.begin(member.name)
        try:
            key = (request.model, request.version)
            return await self._crew.send(member, key, lambda one: one(request))
        finally:
            for wish in wishes:
                wish.end(member.name)

    async def forward(self, passage: Passage, *, deadline: float | None = None) -> Reply:
        """
        Send a request on to one of them as it came.

        As with an inference, another one is asked where there was no connection, or
        the model is not there.
        """
        key = (passage.model, passage.version)
        said: tuple[RequestError, Reply] | None = None

        async def send(one: Transport) -> Reply:
            nonlocal said
            reply = await one.forward(passage, deadline=deadline)
            if reply.status >= 400:
                error = refused(reply, passage.model)
                if isinstance(error, _LEARNED):
                    said = error, reply
                    raise error
            return reply

        tried: set[Member] = set()
        member: Member | None
        if passage.sequence:
            member = self._fleet.pinned(key, passage.sequence)
            return await self._crew.send(
                member, key, lambda one: one.forward(passage, deadline=deadline)
            )
        member = self._crew.choose(key, tried)
        assert member is not None
        while True:
            try:
                return await self._crew.send(member, key, send, question=passage.method == "GET")
            except (NotConnected, ModelUnavailable):
                tried.add(member)
                member = self._crew.choose(key, tried)
                if member is None:
                    if said is None:
                        raise
                    return said[1]
            except RequestError as error:
                # What one before it said is no answer of this one.
                if said is None or said[0] is not error:
                    raise
                return said[1]

    async def metadata(
        self, model: str, version: str = "", *, deadline: float | None = None
    ) -> dict[str, Any]:
        """The model's metadata, of the first endpoint that has it."""
        found = await self._crew.ask_all(
            (model, version), lambda one: one.metadata(model, version, deadline=deadline)
        )
        return next(iter(found.values()))

    async def config(
        self, model: str, version: str = "", *, deadline: float | None = None
    ) -> dict[str, Any]:
        """
        The model's configuration, of the first endpoint that has it.

        Where another endpoint has it otherwise, or in other versions, the parameter
        `tritonkit.endpoints_differ` names them.
        """

        async def ask(one: Transport) -> tuple[dict[str, Any], Sequence[str]]:
            config = await one.config(model, version, deadline=deadline)
            if version:
                return config, ()
            metadata = await one.metadata(model, version, deadline=deadline)
            return config, metadata.get("versions") or ()

        found = await self._crew.ask_all((model, version), ask)
        return combined_config(
            {name: config for name, (config, _) in found.items()},
            {name: versions for name, (_, versions) in found.items()},
        )

    async def ready(
        self, model: str = "", version: str = "", *, deadline: float | None = None
    ) -> bool:
        """Whether one of them, or the named model on one of them, says that it takes requests."""
        found = await self._crew.ask_all(
            (model, version), lambda one: one.ready(model, version, deadline=deadline)
        )
        return any(found.values())

    async def statistics(
        self, model: str = "", version: str = "", *, deadline: float | None = None
    ) -> list[dict[str, Any]]:
        """
        Triton's counters, one entry for each endpoint, model and version.

        Each has its endpoint's URL under "endpoint". Of an endpoint that does not
        answer they are those that it answered last.
        """
        found = await self._crew.ask_all(
            (model, version), lambda one: one.statistics(model, version, deadline=deadline)
        )
        known = {**self._counters.pop((model, version), {}), **found}
        while len(self._counters) >= _REMEMBERED:
            del self._counters[next(iter(self._counters))]
        # In the same order each time, so that two answers can be compared.
        known = {name: known[name] for name in self._fleet.members if name in known}
        self._counters[model, version] = known
        return combined_statistics(known)

    async def aclose(self) -> None:
        """End the probes, and close every endpoint's connections."""
        await self._crew.aclose()


def _late(request: InferRequest) -> bool:
    remaining = request.remaining()
    return remaining is not None and remaining <= 0
