"""What one run at one point gave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tritonkit.bench.statistics import ModelTimes
from tritonkit.errors import ConfigError

__all__ = ["PERCENTILES", "Failure", "Latency", "Measurement", "Point", "percentile_name"]

PERCENTILES = (50.0, 90.0, 95.0, 99.0, 99.9)
"""What every measurement reports."""


def percentile_name(percentile: float) -> str:
    """Such as "p99.9"; two percentiles never share one."""
    return f"p{repr(float(percentile)).removesuffix('.0')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """
    The settings of one run.

    Args:
        concurrency: Requests in flight at any time (closed loop).
        batch_size: Rows of one request; 1 for a model that does not batch.
    """

    concurrency: int
    batch_size: int = 1

    def __post_init__(self) -> None:
        if self.concurrency < 1 or self.batch_size < 1:
            raise ConfigError(
                "concurrency and batch size must be at least 1, "
                f"but got {self.concurrency} and {self.batch_size}."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """
    How long answered requests took, in microseconds.

    Args:
        count: Requests behind the figures.
        mean_us: Exact mean.
        min_us: Exact smallest.
        max_us: Exact largest.
        percentiles_us: By percentile, 0 to 100; within 0.1 % of the exact value.
        histogram: The whole distribution as HdrHistogram's base64 text, in ns.
    """

    count: int
    mean_us: float
    min_us: float
    max_us: float
    percentiles_us: Mapping[float, float]
    histogram: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """
    Requests that failed in one way.

    Args:
        kind: Name of the class in `tritonkit.errors`.
        count: How many.
        first: The first one's message.
    """

    kind: str
    count: int
    first: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """
    One run at one point.

    A request counts when it ends inside the window, whether or not it started
    there. So what is in flight at either edge cancels out.

    Args:
        point: The settings.
        seconds: Length of the window.
        latency: Of the requests that were answered; failed ones are not in it.
        failures: By kind, most frequent first.
        client_cpu: Share of one core that the load generator used; near 1 the
            generator, not the server, set the pace.
        server: What the server's own counters say, the model first and then the
            models that an ensemble is composed of; None where it does not tell.
        interrupted: Whether the run was ended before its time.
    """

    point: Point
    seconds: float
    latency: Latency
    failures: tuple[Failure, ...]
    client_cpu: float
    server: tuple[ModelTimes, ...] | None = None
    interrupted: bool = False

    @property
    def requests(self) -> int:
        """Requests that were answered."""
        return self.latency.count

    @property
    def failed(self) -> int:
        """Requests that failed."""
        return sum(failure.count for failure in self.failures)

    @property
    def error_rate(self) -> float:
        """Share of the requests that failed, 0 to 1; 0 where none ended."""
        ended = self.requests + self.failed
        return self.failed / ended if ended else 0.0

    @property
    def requests_per_second(self) -> float:
        """Answered requests a second."""
        return self.requests / self.seconds

    @property
    def inferences_per_second(self) -> float:
        """Answered rows a second."""
        return self.requests_per_second * self.point.batch_size
