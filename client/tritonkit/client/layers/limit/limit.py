"""No more requests in flight than the server bears."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from time import monotonic
from typing import TypeAlias

from tritonkit.client.contexts import restore
from tritonkit.client.layers.limit.admission import PRIORITIES, Admission
from tritonkit.client.layers.limit.gradient import Gradient
from tritonkit.client.layers.limit.place import Place
from tritonkit.client.layers.limit.servers import ServerLimit, ServerLimits
from tritonkit.client.placement import Placement, placements, spare
from tritonkit.client.readings import Counts, Reading
from tritonkit.client.stack import Immediate, Layer, Transport
from tritonkit.client.types import InferRequest, InferResponse, Priority, Service
from tritonkit.errors import ConfigError, DeadlineExceeded, LimitExceeded, ServerOverloaded

__all__ = ["SHARES", "Limit"]

SHARES: Mapping[Priority, float] = {"batch": 0.8, "refresh": 0.5, "shadow": 0.25}
"""Of the limit, that a priority and those below it may hold together."""

MAX_MODELS = 1_000
"""Whoever asks for models that do not exist must not fill the memory."""

_Waiter: TypeAlias = "asyncio.Future[bool]"
"""True when there is a place, False when it is turned away."""


class Limit(Layer):
    """
    Keeps what is in flight to a model below what the server bears; the rest waits or is shed.

    Calls inner once, as soon as there is a place, or not at all. The limit of each
    model and version is learned from its latencies: it grows while a larger one makes no answer
    slower, shrinks where answers queue in the server, and loses a tenth when the
    server refuses a request or a deadline passes. What is in flight exceeds it only when
    it has just shrunk, by what was sent before; nothing is sent until it
    is below again.

    Over `Endpoints` each server has a limit of its own, learned from its own answers, and
    requests go where there is room. All together bear what those in service bear: one that is
    left out takes its part of the limit along until it is back. Waiting is in
    one line for all of them.

    Places go by the request's priority: live, batch, refresh, shadow. Each lower
    one and those below it hold at most their share, so that live requests find
    room. Where too many wait, the newest of the lowest priority is shed; so is a
    request whose deadline cannot be met by waiting. A second request of Hedge never
    waits: without room at another server there is none. Raises LimitExceeded for what is
    shed, DeadlineExceeded for what waits until its deadline, neither of them sent,
    and otherwise what inner raises.

    Put it below Cache and Coalesce, so that it counts requests and not callers,
    and below Retry and Hedge, so that every attempt needs a place; above Breaker.
    Each instance counts for itself, in each event loop: in the layers of a route it
    is that route's own.

    Args:
        initial: The limit of each server to begin with. 20 is found to be too small within
            seconds.
        minimum: What that of a server never falls below.
        maximum: What it never exceeds. 1000 is more than a server of one model has use
            for; the transport's connections are a limit of their own.
        fixed: A limit of each server that does not change, where its capacity is known.
        queue: Requests of a model that may wait, of all priorities together; 0 sheds
            what finds no place. By default 100: a burst is waited out, and
            a caller behind more than that is better told at once.
        shares: Of the limit, by priority, over the defaults. 0 lets none in, anything
            above at least one.
        tolerance: How much longer an answer may take at the limit than at 3/4
            of it. 1.05 stops where answers begin to queue, within a fifth of the
            requests that the server works on at a time. A model with a dynamic
            batcher wants 1.15: its answers take longer in larger batches, and are
            more. In simulations it then has 92 to 98 % of the throughput that it has without
            a limit, with 1.05 no more than 53 to 88 %.
        clock: Seconds that only grow, those of the deadlines.

    Raises:
        ConfigError: If an argument is out of range.
    """

    def __init__(
        self,
        initial: int = 20,
        *,
        minimum: int = 1,
        maximum: int = 1000,
        fixed: int | None = None,
        queue: int = 100,
        shares: Mapping[Priority, float] | None = None,
        tolerance: float = 1.05,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        if fixed is not None:
            if fixed < 1:
                raise ConfigError(f"fixed must be at least 1, but got {fixed=}.")
        elif not 1 <= minimum <= initial <= maximum:
            raise ConfigError(
                "minimum must be at least 1, and initial between minimum and maximum, "
                f"but got {minimum=}, {initial=}, {maximum=}."
            )
        if queue < 0:
            raise ConfigError(f"queue must not be negative, but got {queue=}.")
        if not tolerance >= 1:
            raise ConfigError(f"tolerance must be at least 1, but got {tolerance=}.")
        for priority, share in (shares or {}).items():
            if priority not in PRIORITIES:
                raise ConfigError(
                    f"shares must be of {', '.join(PRIORITIES)}, but got {priority!r}."
                )
            if not 0 <= share <= 1:
                raise ConfigError(f"a share must be 0 to 1, but got {share!r} for {priority!r}.")
        self.initial, self.minimum, self.maximum = initial, minimum, maximum
        self.fixed, self.queue, self.tolerance = fixed, queue, tolerance
        self.shares: Mapping[Priority, float] = {**SHARES, **(shares or {})}
        self._clock = clock
        self._transports: set[Transport] = set()
        self._servers: Callable[[str, str], Sequence[str]] | None = None
        self.counts = Counts("limit_shed")
        """Requests that were turned away."""
        # What the parent of a fork, or a closed loop, has in flight never comes back here.
        self._models: dict[asyncio.AbstractEventLoop, dict[tuple[str, str], _Model]] = {}

    def __repr__(self) -> str:
        if self.fixed is not None:
            return f"Limit(fixed={self.fixed})"
        return f"Limit({self.initial}, minimum={self.minimum}, maximum={self.maximum})"

    def attach(self, transport: Transport) -> None:
        """Learn of the servers; those of more than one transport count as one server."""
        self._transports.add(transport)
        alone = len(self._transports) == 1
        self._servers = transport.servers if alone and transport.several else None

    def observe(self) -> Iterator[Reading]:
        """Of each model the limit, what is in flight and what waits, in each event loop."""
        yield from self.counts.observe()
        for loop, models in list(self._models.items()):
            if loop.is_closed():
                continue
            for (name, _), state in list(models.items()):
                labels = {"model": name}
                yield Reading("limit_allowed", state.limits.known, labels, "gauge")
                yield Reading("limit_in_flight", state.admission.in_flight, labels, "gauge")
                yield Reading("limit_waiting", state.admission.waiting, labels, "gauge")

    def now(self, request: InferRequest, inner: Immediate, /) -> InferResponse | None:
        """What a layer below has without waiting takes no place."""
        return inner(request)

    def saturated(self, model: str | None = None) -> bool:
        """
        Whether a live request would have to wait now, for *model* or for any.

        For who adds load of its own accord, such as Hedge.
        """
        models = [
            state
            for by_model in list(self._models.values())
            for (name, _), state in list(by_model.items())
            if model in (None, name)
        ]
        return any(state.admission.in_flight >= state.allowed("") for state in models)

    async def __call__(self, request: InferRequest, inner: Service, /) -> InferResponse:
        """Answer *request* by inner when there is a place."""
        model = self._model(request.model, request.version)
        outer = placements.get()
        if outer and spare(outer):
            self._enter_or_leave(model, request, outer)
        elif not model.admission.enter(request.priority, model.allowed(request.version)):
            await self._wait(model, request)
        place = Place(model.limits, self._clock)
        token = None
        if model.several:
            token = placements.set((*outer, place))
        else:
            place.begin("")
        try:
            response = await inner(request)
        except ServerOverloaded:
            place.overloaded()
            raise
        except DeadlineExceeded:
            place.late()
            raise
        else:
            place.answered()
            return response
        finally:
            place.close()
            if token is not None:
                restore(placements, token)
            model.leave(request)

    def _enter_or_leave(
        self, model: _Model, request: InferRequest, wishes: Sequence[Placement]
    ) -> None:
        """A place for what may be left out, where one is free that it wishes for."""
        places = model.allowed(request.version)
        if not model.room(request.version, wishes) or not model.admission.enter(
            request.priority, places
        ):
            raise self._shed(model, request)

    async def _wait(self, model: _Model, request: InferRequest) -> None:
        """Return when there is a place."""
        waiter: _Waiter = asyncio.get_running_loop().create_future()
        now = self._clock()
        victim = model.admission.wait(
            waiter,
            request.priority,
            model.allowed(request.version),
            now=now,
            deadline=request.deadline,
            latency=model.latency(request.version),
        )
        if victim is waiter:
            raise self._shed(model, request)
        if victim is not None:
            victim.set_result(False)
        remaining = None if request.deadline is None else request.deadline - now
        try:
            await asyncio.wait((waiter,), timeout=remaining)
        except BaseException:
            if waiter.done() and waiter.result():
                # The place came with the cancellation.
                model.leave(request)
            else:
                model.admission.withdraw(waiter, request.priority)
            raise
        if not waiter.done():
            model.admission.withdraw(waiter, request.priority)
            raise DeadlineExceeded(
                "the deadline passed before there was a place among the "
                f"{model.allowed(request.version)} "
                f"requests in flight to model {request.model!r}",
                model=request.model,
            )
        if not waiter.result():
            raise self._shed(model, request)

    def _shed(self, model: _Model, request: InferRequest) -> LimitExceeded:
        self.counts.add("limit_shed", request.model)
        admission = model.admission
        return LimitExceeded(
            f"a {request.priority} request to model {request.model!r} was shed: "
            f"{admission.in_flight} are in flight of {model.allowed(request.version)} that may be, "
            f"and {admission.waiting} wait",
            model=request.model,
        )

    def _model(self, name: str, version: str) -> _Model:
        loop = asyncio.get_running_loop()
        models = self._models.get(loop)
        if models is None:
            for other in [other for other in self._models if other.is_closed()]:
                del self._models[other]
            models = self._models[loop] = {}
        # Triton has instances and a queue for each version.
        key = (name, version)
        model = models.get(key)
        if model is None:
            if len(models) >= MAX_MODELS:
                for idle in [other for other, each in models.items() if each.idle][:1]:
                    del models[idle]
            model = models[key] = _Model(
                name,
                Admission(queue=self.queue, shares=self.shares),
                ServerLimits(self._limit),
                self._servers,
            )
        return model

    def _limit(self) -> ServerLimit:
        if self.fixed is not None:
            return ServerLimit(None, self.fixed)
        gradient = Gradient(
            initial=self.initial,
            minimum=self.minimum,
            maximum=self.maximum,
            tolerance=self.tolerance,
        )
        return ServerLimit(gradient, 0)


_ONE = ("",)
"""The names of the servers where there is one."""


class _Model:
    """Who is in flight and who waits for one model, in one event loop."""

    __slots__ = ("_name", "_only", "_servers", "admission", "limits", "several")

    def __init__(
        self,
        name: str,
        admission: Admission[_Waiter],
        limits: ServerLimits,
        servers: Callable[[str, str], Sequence[str]] | None,
    ) -> None:
        self.admission, self.limits = admission, limits
        self.several = servers is not None
        self._name, self._servers = name, servers
        self._only = None if servers else limits.of("")

    @property
    def idle(self) -> bool:
        return not self.admission.in_flight and not self.admission.waiting

    def allowed(self, version: str) -> int:
        """Requests that may be in flight now."""
        if self._only is not None:
            return self._only.allowed
        return self.limits.allowed(self._serving(version))

    def latency(self, version: str) -> float | None:
        return self.limits.latency(self._serving(version))

    def room(self, version: str, wishes: Sequence[Placement]) -> bool:
        """Whether one of the servers that are wished for has room, where there are several."""
        if not self.several:
            return True
        serving = self._serving(version)
        # As the transport does: a wish that none suits is passed over.
        for wish in wishes:
            serving = [server for server in serving if wish.suits(server)] or serving
        return any(map(self.limits.room, serving))

    def leave(self, request: InferRequest) -> None:
        """Give a place back, and let those in who may have one now."""
        self.admission.leave(request.priority)
        if self.admission.waiting:
            for waiter in self.admission.admit(self.allowed(request.version)):
                waiter.set_result(True)

    def _serving(self, version: str) -> Sequence[str]:
        return _ONE if self._servers is None else self._servers(self._name, version)
