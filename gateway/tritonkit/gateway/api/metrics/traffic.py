"""What a worker counts of the requests that come to it."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate

from tritonkit.gateway.api.metrics.family import Family, Sample
from tritonkit.gateway.http.server import Server
from tritonkit.gateway.passed import Passed
from tritonkit.gateway.tenants.tenants import Tenants

__all__ = ["BOUNDS", "PREFIX", "Traffic"]

PREFIX = "tritonkit_gateway_"

BOUNDS = (
    0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0,
    10.0, 30.0,
)  # fmt: skip
"""Seconds: the bounds of the histogram. A kept answer takes 100 us, a job's poll half a minute."""


class Traffic:
    """
    Counters of one worker. Of its event loop only; read from any thread.

    Labels are a route, a status, a tenant's name and a reason: names that the gateway has,
    and none that a caller is free to write.

    Args:
        tenants: Whose refusals are told as well.
    """

    def __init__(self, tenants: Tenants | None = None) -> None:
        self.server: Server | None = None
        """Of the worker: what it knows of bodies and of answers that are due."""
        self._tenants = tenants
        self._requests: Counter[tuple[str, int, str]] = Counter()
        self._refused: Counter[tuple[str, str]] = Counter()
        self._buckets: dict[str, list[int]] = {}
        self._seconds: dict[str, float] = {}

    def observe(self, passed: Passed) -> None:
        """Count what became of a request: an observer of `Serving`."""
        if passed.error == "Refused":
            # Told no within microseconds: in the histogram they would hide how long answers take.
            self._requests[passed.route, passed.status, passed.tenant] += 1
            return
        self.count(passed.route, passed.status, passed.tenant, passed.seconds)

    def count(self, route: str, status: int, tenant: str, seconds: float) -> None:
        """Count a request that nobody tells observers of, such as a scrape."""
        self._requests[route, status, tenant] += 1
        buckets = self._buckets.get(route)
        if buckets is None:
            buckets = self._buckets[route] = [0] * (len(BOUNDS) + 1)
            self._seconds[route] = 0.0
        buckets[bisect_left(BOUNDS, seconds)] += 1
        self._seconds[route] += seconds

    def refused(self, reason: str, tenant: str = "") -> None:
        """Somebody was turned away before any tenant was asked: a header too long, a drain."""
        self._refused[reason, tenant] += 1

    def families(self) -> Iterator[Family]:
        """The metrics of now. What grows is copied in one step of the interpreter first."""
        yield Family(
            f"{PREFIX}requests",
            "counter",
            "Requests that were answered, by route, HTTP status and tenant",
            [
                Sample("_total", {"route": route, "status": str(status), "tenant": tenant}, count)
                for (route, status, tenant), count in sorted(dict(self._requests).items())
            ],
        )
        yield Family(
            f"{PREFIX}seconds",
            "histogram",
            "Seconds from a request's last byte to its answer's first, by route",
            [each for route in sorted(dict(self._buckets)) for each in self._histogram(route)],
        )
        server = self.server
        in_flight = 0 if server is None else len(server.tasks)
        moved = {"in": 0, "out": 0}
        if server is not None:
            moved = {"in": server.received, "out": server.sent}
        yield Family(
            f"{PREFIX}in_flight",
            "gauge",
            "Requests that wait for their answers",
            [Sample("", {}, in_flight)],
        )
        yield Family(
            f"{PREFIX}bytes",
            "counter",
            "Bytes of the bodies that came in and went out",
            [Sample("_total", {"direction": way}, count) for way, count in moved.items()],
        )
        refused = Counter(dict(self._refused))
        if self._tenants is not None:
            refused.update(dict(self._tenants.refusals))
        yield Family(
            f"{PREFIX}refused",
            "counter",
            "Requests that were turned away, by reason and tenant",
            [
                Sample("_total", {"reason": reason, "tenant": tenant}, count)
                for (reason, tenant), count in sorted(refused.items())
            ],
        )

    def _histogram(self, route: str) -> list[Sample]:
        counts = list(accumulate(self._buckets[route][:]))
        bounds = [*(f"{bound:g}" for bound in BOUNDS), "+Inf"]
        return [
            *(
                Sample("_bucket", {"route": route, "le": bound}, count)
                for bound, count in zip(bounds, counts, strict=True)
            ),
            Sample("_count", {"route": route}, counts[-1]),
            Sample("_sum", {"route": route}, self._seconds[route]),
        ]
