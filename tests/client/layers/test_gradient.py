"""The limit against simulated servers of a known capacity."""

from __future__ import annotations

import heapq
import random
import statistics
from collections import deque
from collections.abc import Callable

import pytest

from tritonkit.client.layers.limit.gradient import BACKOFF, Gradient

SERVICE = {
    "constant": lambda random: 1.0,
    "lognormal": lambda random: random.lognormvariate(-0.125, 0.5),
    "exponential": lambda random: random.expovariate(1.0),
}


class Queueing:
    """
    A server of so many instances, 10 ms a request by default, and always more to send.

    `offered` is the most that callers ever have in flight.
    """

    def __init__(self, limit: Gradient, instances: int, service: str, seed: int) -> None:
        self.limit, self.instances = limit, instances
        self.seconds = 0.01
        self.offered = 10**6
        self.now = 0.0
        self.in_flight = 0
        self.limits: list[int] = []
        self._draw: Callable[[random.Random], float] = SERVICE[service]
        self._random = random.Random(seed)
        self._queue: deque[tuple[float, int]] = deque()
        self._working: list[tuple[float, float, int]] = []

    def run(self, answers: int) -> None:
        self.limits = []
        for _ in range(answers):
            while self.in_flight < min(self.limit.allowed, self.offered):
                self.in_flight += 1
                self._queue.append((self.now, self.in_flight))
            while self._queue and len(self._working) < self.instances:
                started, in_flight = self._queue.popleft()
                ends = self.now + self.seconds * self._draw(self._random)
                heapq.heappush(self._working, (ends, started, in_flight))
            self.now, started, in_flight = heapq.heappop(self._working)
            self.in_flight -= 1
            self.limit.answered(started, self.now, in_flight)
            self.limits.append(int(self.limit.limit))

    def typical(self) -> float:
        """The limit in the second half of the last run."""
        return statistics.median(self.limits[len(self.limits) // 2 :])


def gradient(initial: int = 20, **options: float) -> Gradient:
    return Gradient(**{"initial": initial, "minimum": 1, "maximum": 1000, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize("service", SERVICE)
@pytest.mark.parametrize("capacity", [16, 32, 100])
def test_converges_on_the_capacity(capacity: int, service: str) -> None:
    """Within 20 % of what the server works on at a time, from far below and from above."""
    for initial in (2, 4 * capacity):
        limit = gradient(initial)
        server = Queueing(limit, capacity, service, seed=capacity)
        server.run(20_000 + 300 * capacity)
        assert 0.8 * capacity <= server.typical() <= 1.2 * capacity


@pytest.mark.parametrize("service", SERVICE)
def test_recovers_after_a_brownout(service: str) -> None:
    """Three quarters of the instances go and come back: the limit follows both ways."""
    limit = gradient()
    server = Queueing(limit, 32, service, seed=1)
    server.run(20_000)
    server.instances = 8
    server.run(20_000)
    assert server.typical() <= 1.35 * 8
    server.instances = 32
    server.run(20_000)
    assert 0.8 * 32 <= server.typical() <= 1.2 * 32


def test_a_slower_model_is_no_smaller_server() -> None:
    """Five times the time for each answer, on as many instances: the limit stays."""
    limit = gradient()
    server = Queueing(limit, 32, "lognormal", seed=1)
    server.run(20_000)
    server.seconds *= 5
    server.run(20_000)
    assert 0.8 * 32 <= server.typical() <= 1.2 * 32


def test_does_not_grow_where_nobody_needs_it() -> None:
    """Less than half of the limit in flight teaches nothing about the other half."""
    limit = gradient(20)
    server = Queueing(limit, 1000, "constant", seed=1)
    server.offered = 9
    server.run(20_000)
    assert limit.limit == 20


def test_keeps_to_its_bounds() -> None:
    limit = gradient(5, minimum=4, maximum=12)
    Queueing(limit, 1000, "constant", seed=1).run(20_000)
    assert limit.limit == 12
    server = Queueing(limit, 1, "constant", seed=1)
    server.run(20_000)
    assert limit.limit >= 4
    for second in range(100):
        limit.overloaded(server.now + second + 0.5, server.now + second + 0.75)
    assert (limit.limit, limit.allowed) == (4, 4)


def test_what_was_sent_together_lowers_the_limit_once() -> None:
    """A hundred refusals of one moment are one overload."""
    limit = gradient(100)
    for _ in range(100):
        limit.overloaded(1.0, 2.0)
    assert limit.limit == 100 * BACKOFF
    limit.overloaded(2.5, 3.0)
    assert limit.limit == pytest.approx(100 * BACKOFF * BACKOFF)


def test_a_hopeless_deadline_is_no_overload() -> None:
    """Who waits for less than an answer ever takes learns nothing of the server."""
    limit = gradient(100)
    limit.late(1.0, 2.0)
    assert limit.limit == 100
    Queueing(limit, 1000, "constant", seed=1).run(1000)
    before = limit.limit
    assert limit.long == pytest.approx(0.01)
    limit.late(50.0, 50.009)
    assert limit.limit == before
    limit.late(51.0, 51.02)
    assert limit.limit == BACKOFF * before


def test_answers_that_take_no_time() -> None:
    """A clock that stands still divides nothing by nothing."""
    limit = gradient(4)
    for _ in range(10_000):
        limit.answered(1.0, 1.0, limit.allowed)
    assert limit.limit > 4
