"""Asks again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextvars import ContextVar
from datetime import timedelta
from random import Random
from time import monotonic

from tritonkit.client.contexts import restore
from tritonkit.client.forks import fork_safe_lock
from tritonkit.client.layers.retry.backoff import Backoff
from tritonkit.client.layers.retry.budget import RetryBudget
from tritonkit.client.layers.usual import Usual
from tritonkit.client.readings import Counts, Reading
from tritonkit.client.spans import span
from tritonkit.client.stack import Immediate, Layer
from tritonkit.client.trace import MODEL, UNSEEN
from tritonkit.client.types import InferRequest, InferResponse, Service
from tritonkit.errors import (
    BudgetExceeded,
    CircuitOpen,
    ConfigError,
    DeadlineExceeded,
    InferenceFailed,
    LimitExceeded,
    ModelUnavailable,
    NotKept,
    RequestError,
    ServerOverloaded,
    ServerUnavailable,
)
from tritonkit.units import format_duration, parse_duration, parse_share

__all__ = ["Retry", "retrying"]

_UNSENT = (BudgetExceeded, CircuitOpen, LimitExceeded, NotKept)

_TRANSIENT = (
    CircuitOpen,
    DeadlineExceeded,
    InferenceFailed,
    # Another replica has it, or the one that is being loaded again will.
    ModelUnavailable,
    ServerOverloaded,
    ServerUnavailable,
)


retrying: ContextVar[bool] = ContextVar("tritonkit_retrying", default=False)
"""Whether this call is made on behalf of a Retry, which will make it again by itself."""


class Retry(Layer):
    """
    Asks again where the answer may be another one by then.

    Calls inner up to *attempts* times, with a random wait between, and raises
    what the last attempt raised. It asks again after ServerUnavailable,
    ServerOverloaded, InferenceFailed, ModelUnavailable (a model that is being
    loaded again comes back, and another replica has it), DeadlineExceeded where
    it was not the request's own deadline, and CircuitOpen, once the circuit is probed.
    Every other error is as true the second time: InvalidInput, BudgetExceeded,
    NotKept, LimitExceeded, ProtocolError. A step of a sequence is never sent twice.

    It gives up as soon as one more attempt is in vain: when the time until the deadline is
    less than answers from this model take on average, when a circuit stays open for longer
    than that (than *cap*, where there is no deadline), or when the budget is spent.

    Put it above Breaker and the transport and below Cache and Coalesce. One is enough: a Retry
    below another one calls inner once and leaves the rest to the outer one, so
    that attempts do not multiply. `trace.attempts` of an answer tells how many
    requests were sent; the failure of the attempt before is the cause of an error.

    Args:
        attempts: The first included. Three: what fails three times is not a moment's trouble.
        base: The longest wait before the second attempt; it doubles from there.
            About what a request takes.
        cap: The longest wait of all.
        budget: The share of requests that may be retries. A tenth: when everything
            fails, the service gets a tenth more and not three times as much.
        min_per_second: Retries beyond that share, so that a client with few
            requests has some.
        random: What the waits are drawn from.
        clock: Seconds that only grow; the clock of the requests' deadlines.
        sleep: What waits.

    Raises:
        ConfigError: If an argument is out of range.
    """

    def __init__(
        self,
        attempts: int = 3,
        *,
        base: str | float | timedelta = "20ms",
        cap: str | float | timedelta = "1s",
        budget: str | float = "10%",
        min_per_second: float = 1.0,
        random: Random | None = None,
        clock: Callable[[], float] = monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        if attempts < 1:
            raise ConfigError(f"attempts must be at least 1, but got {attempts=}.")
        if not 0 <= min_per_second <= 1e6:
            raise ConfigError(f"min_per_second must be 0 to 1e6, but got {min_per_second=}.")
        self.attempts = attempts
        self.backoff = Backoff(parse_duration(base, name="base"), parse_duration(cap, name="cap"))
        self.share = parse_share(budget, name="budget")
        self._budget = RetryBudget(self.share, min_per_second)
        self._usual = Usual()
        self._random = random or Random()
        self._clock = clock
        self._sleep = sleep
        self._lock = fork_safe_lock()
        self.counts = Counts("retries", "retries_denied")
        """Attempts after the first, and those that the budget of retries did not allow."""

    def __repr__(self) -> str:
        base, cap = format_duration(self.backoff.base), format_duration(self.backoff.cap)
        return f"Retry({self.attempts}, base={base!r}, cap={cap!r}, budget='{self.share * 100:g}%')"

    def observe(self) -> Iterable[Reading]:
        """Attempts after the first."""
        return self.counts.observe()

    def now(self, request: InferRequest, inner: Immediate, /) -> InferResponse | None:
        """What a layer below has without waiting did not fail."""
        return inner(request)

    async def __call__(self, request: InferRequest, inner: Service, /) -> InferResponse:
        """Ask *inner* until it answers, or asking is in vain."""
        if retrying.get() or request.in_sequence:
            return await inner(request)
        outer = retrying.set(True)
        failures: list[RequestError] = []
        try:
            return await self._retried(request, inner, failures)
        except RequestError:
            if request.spent is not None:
                request.spent.attempts += sum(not isinstance(one, _UNSENT) for one in failures)
            raise
        finally:
            # A traceback that holds its own exception is a cycle.
            failures.clear()
            restore(retrying, outer)

    async def _retried(
        self, request: InferRequest, inner: Service, failures: list[RequestError]
    ) -> InferResponse:
        key = (request.model, request.version)
        with self._lock:
            self._budget.deposit(self._clock())
        sent = 0
        for attempt in range(1, self.attempts + 1):
            began = self._clock()
            try:
                with span("attempt", number=attempt):
                    response = await inner(request)
            except RequestError as error:
                if failures and error.__cause__ is None and error not in failures:
                    # What an open circuit ends was sent before, and may have cost something.
                    error.__cause__ = failures[-1]
                failures.append(error)
                if not isinstance(error, _TRANSIENT) or attempt == self.attempts:
                    raise
                took = self._clock() - began
                delay = self._delay(attempt, error, self._room(request, took))
                if delay is None:
                    raise
                sent += not isinstance(error, CircuitOpen)
                await self._sleep(delay)
                # A busy loop sleeps for longer than it was asked to.
                room = self._room(request, took)
                if room is not None and room < 0:
                    raise
                self.counts.add("retries", request.model)
            else:
                with self._lock:
                    self._usual.note(key, self._clock() - began)
                return _with_attempts(response, sent)
        raise AssertionError("the last attempt returns or raises")

    def _room(self, request: InferRequest, took: float) -> float | None:
        """
        Seconds that may pass before an attempt comes too late; None without a deadline.

        Args:
            request: What is to be sent.
            took: Seconds of the last attempt: as good a guess as any before the first answer.
        """
        remaining = request.remaining(self._clock())
        if remaining is None:
            return None
        return remaining - (self._usual.seconds((request.model, request.version)) or took)

    def _delay(self, attempt: int, error: RequestError, room: float | None) -> float | None:
        """Seconds until the next attempt; None where there is to be none."""
        least = error.retry_after if isinstance(error, CircuitOpen) else 0.0
        with self._lock:
            delay = self.backoff.delay(attempt, self._random, room=room, least=least)
            allowed = delay is None or self._budget.withdraw(self._clock())
        if not allowed:
            self.counts.add("retries_denied", error.model)
            return None
        return delay


def _with_attempts(response: InferResponse, failed: int) -> InferResponse:
    """*response*, with the requests that failed before it, and its own where nobody counted it."""
    trace = response.trace
    if trace is UNSEEN and not failed:
        return response.traced(attempts=1)
    kept = trace.origins and MODEL not in trace.origins
    attempts = failed + (trace.attempts or (0 if kept else 1))
    return response.traced(attempts=attempts)
