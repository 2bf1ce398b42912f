"""One circuit for each model."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from random import Random
from time import monotonic
from typing import TypeAlias, get_args

from tritonkit.client.forks import fork_safe_lock
from tritonkit.client.layers.breaker.circuit import Circuit, Limits, State
from tritonkit.client.layers.usual import Usual
from tritonkit.client.readings import Reading
from tritonkit.client.stack import Immediate, Layer, Transport
from tritonkit.client.types import InferRequest, InferResponse, Service
from tritonkit.errors import (
    BudgetExceeded,
    CircuitOpen,
    ConfigError,
    DeadlineExceeded,
    InvalidInput,
    LimitExceeded,
    NotKept,
    RequestError,
    ServerOverloaded,
)
from tritonkit.units import format_duration, parse_duration, parse_share

__all__ = ["Breaker"]

MAX_CIRCUITS = 1_000
"""Whoever asks for models that do not exist must not fill the memory."""

_NEUTRAL = (
    InvalidInput,
    # The service is full, not broken: that is for what limits the load.
    ServerOverloaded,
    LimitExceeded,
    # These were never sent.
    BudgetExceeded,
    CircuitOpen,
    NotKept,
)

_Key: TypeAlias = tuple[str, str]

_log = logging.getLogger(__name__)


class Breaker(Layer):
    """
    Stops asking a model that mostly fails, or is mostly slow, and probes it later.

    Calls inner once, or raises CircuitOpen without calling it. Each model, and each
    version that a request names, has a circuit of its own, so one model's failures
    never stop another's requests. A Breaker belongs to one server: give each Route
    with a server its own.

    Failures are ServerUnavailable, ModelUnavailable (it may be loaded again, and
    until then another way is better than asking), InferenceFailed, ProtocolError and
    DeadlineExceeded. A deadline counts only if the call was given as long as
    answered calls take on average: a caller in a hurry says nothing about the model.
    Nor does a call that is cancelled before its deadline, nor InvalidInput, BudgetExceeded,
    NotKept, ServerOverloaded and LimitExceeded, nor an error that is no RequestError.

    Put it below Cache, Tiers and Split, so that there is another way when it is
    open, and below Retry, so that it sees every attempt and ends those that are
    in vain.

    Args:
        failure_rate: The share of failed calls that opens a circuit; "0%" means
            that one failure does. Half: fewer may be some requests' own fault.
        slow: A call that takes so long is slow. What is slow depends on the
            model, so nothing is by default.
        slow_rate: The share of slow calls that opens a circuit.
        min_calls: In the window, before a rate means anything.
        window: How far back calls count. Long enough for ten calls of a quiet
            service, short enough that a busy one is given up in seconds.
        open_for: How long a circuit is open the first time, at most: a random time of
            the upper half. Short, for it costs no more than a probe.
        max_open_for: What doubling, once each time that the probes fail, ends at.
        probes: How many calls a half-open circuit lets through; it judges them by
            the same rates.
        probe_timeout: After which a probe that has not come back is replaced.
        clock: Seconds that only grow; the clock of the requests' deadlines.
        random: What the times between probes are drawn from.

    Raises:
        ConfigError: If an argument is out of range.
    """

    def __init__(
        self,
        failure_rate: str | float = "50%",
        *,
        slow: str | float | timedelta | None = None,
        slow_rate: str | float = "50%",
        min_calls: int = 10,
        window: str | float | timedelta = "10s",
        open_for: str | float | timedelta = "1s",
        max_open_for: str | float | timedelta = "30s",
        probes: int = 1,
        probe_timeout: str | float | timedelta = "5s",
        clock: Callable[[], float] = monotonic,
        random: Random | None = None,
    ) -> None:
        self.limits = Limits(
            failure_rate=parse_share(failure_rate, name="failure_rate"),
            slow=None if slow is None else parse_duration(slow, name="slow"),
            slow_rate=parse_share(slow_rate, name="slow_rate"),
            min_calls=min_calls,
            window=parse_duration(window, name="window"),
            open_for=parse_duration(open_for, name="open_for"),
            max_open_for=parse_duration(max_open_for, name="max_open_for"),
            probes=probes,
            probe_timeout=parse_duration(probe_timeout, name="probe_timeout"),
        )
        if min_calls < 0:
            raise ConfigError(f"min_calls must not be negative, but got {min_calls=}.")
        if probes < 1:
            raise ConfigError(f"probes must be at least 1, but got {probes=}.")
        if not self.limits.window:
            raise ConfigError(f"window must be above 0, but got {window=}.")
        if self.limits.max_open_for < self.limits.open_for:
            raise ConfigError(
                f"max_open_for must not be below open_for, but got {max_open_for=}, {open_for=}."
            )
        self._clock = clock
        self._random = random or Random()
        self._transport: Transport | None = None
        self._circuits: dict[_Key, Circuit] = {}
        self._usual = Usual()
        self._lock = fork_safe_lock()

    def __repr__(self) -> str:
        limits = self.limits
        slow = "" if limits.slow is None else f", slow={format_duration(limits.slow)!r}"
        return f"Breaker('{limits.failure_rate * 100:g}%'{slow})"

    def attach(self, transport: Transport) -> None:
        """
        Learn which server this is about.

        Raises:
            ConfigError: If the layer stands over another transport already.
        """
        if self._transport not in (None, transport):
            raise ConfigError("a Breaker belongs to one server; make another one")
        self._transport = transport

    def states(self) -> Mapping[str, State]:
        """The circuits of now: "closed", "open" or "half-open" by "model" or "model:version"."""
        with self._lock:
            now = self._clock()
            return {
                f"{model}:{version}" if version else model: circuit.state(now)
                for (model, version), circuit in self._circuits.items()
            }

    def observe(self) -> Iterator[Reading]:
        """How many circuits of a model are in each state: of its versions, mostly one."""
        with self._lock:
            now = self._clock()
            found = [(model, each.state(now)) for (model, _), each in self._circuits.items()]
        for (model, state), number in Counter(found).items():
            for other in get_args(State):
                labels = {"model": model, "state": other}
                yield Reading("breaker_circuits", number if other == state else 0, labels, "gauge")

    def now(self, request: InferRequest, inner: Immediate, /) -> InferResponse | None:
        """What a layer below has without waiting needs no server."""
        return inner(request)

    async def __call__(self, request: InferRequest, inner: Service, /) -> InferResponse:
        """Ask *inner*, unless the circuit is open."""
        key = (request.model, request.version)
        with self._lock:
            began = self._clock()
            circuit = self._circuits.get(key) or self._add(key, began)
            permit = circuit.begin(began)
            usual = self._usual.seconds(key)
        if permit is None:
            raise self._refusal(request.model, circuit, began)
        end = circuit.forget
        try:
            response = await inner(request)
            end = circuit.succeed
        except (RequestError, asyncio.CancelledError) as error:
            late = request.deadline is not None and request.deadline <= self._clock()
            if _is_failure(error, request.remaining(began), usual, late=late):
                end = circuit.fail
            raise
        finally:
            with self._lock:
                ended = self._clock()
                opened = end(permit, ended)
                if end == circuit.succeed:
                    self._usual.note(key, ended - began)
            if opened:
                # Once for an outage: that it lasts is no news.
                _log.log(
                    logging.DEBUG if permit.probe else logging.WARNING,
                    "the circuit of model %r is open: %s",
                    request.model,
                    circuit.reason,
                )
        return response

    def _add(self, key: _Key, now: float) -> Circuit:
        if len(self._circuits) >= MAX_CIRCUITS:
            # One that is closed has the least to lose.
            closed = (key for key, each in self._circuits.items() if each.state(now) == "closed")
            del self._circuits[next(closed, next(iter(self._circuits)))]
        circuit = self._circuits[key] = Circuit(self.limits, self._random)
        return circuit

    def _refusal(self, model: str, circuit: Circuit, now: float) -> CircuitOpen:
        seconds = circuit.retry_after(now)
        when = f"it is probed in {format_duration(seconds)}" if seconds else "it is being probed"
        return CircuitOpen(
            f"model {model!r} is not asked for now: {circuit.reason}; {when}",
            model=model,
            retry_after=seconds,
        )


def _is_failure(error: BaseException, given: float | None, usual: float, *, late: bool) -> bool:
    """
    Whether *error* is the service's fault.

    Args:
        error: What came of the call.
        given: Seconds that the call had; None for as many as it takes.
        usual: Seconds that answered calls took on average. Callers who all have
            the same deadline have a lower average than that, so they always
            count; no multiple of it would do.
        late: Whether the deadline has passed. Who is cancelled then was not given
            up by the caller, but by what keeps the deadline.
    """
    if isinstance(error, asyncio.CancelledError) and not late:
        return False
    if isinstance(error, (DeadlineExceeded, asyncio.CancelledError)):
        return given is None or (given > 0 and given >= usual)
    return not isinstance(error, _NEUTRAL)
