"""What one run at one point gave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tritonkit.bench.load.shape import Closed, Load
from tritonkit.bench.observe.statistics import ModelTimes
from tritonkit.errors import ConfigError

__all__ = [
    "PERCENTILES",
    "Band",
    "Failure",
    "Latency",
    "Measurement",
    "Point",
    "Slice",
    "Usage",
    "WayRecord",
    "percentile_name",
]

PERCENTILES = (50.0, 75.0, 90.0, 95.0, 99.0, 99.9)
"""What every measurement reports."""


def percentile_name(percentile: float) -> str:
    """Such as "p99.9"; two percentiles never share one."""
    return f"p{repr(float(percentile)).removesuffix('.0')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """
    The settings of one run.

    Args:
        load: How requests are issued.
        batch_size: Rows of one request; 1 for a model that does not batch.
        settings: What was changed on the server, by name of the setting, in words
            that the command line takes: {"max_queue_delay": "500us"}.
    """

    load: Load
    batch_size: int = 1
    settings: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ConfigError(f"batch size must be at least 1, but got {self.batch_size}.")

    @property
    def concurrency(self) -> int | None:
        """Requests in flight of a closed loop; None of an open one."""
        return self.load.concurrency if isinstance(self.load, Closed) else None

    def describe(self) -> Mapping[str, Any]:
        """The settings in JSON's types; equal points have equal ones."""
        return {
            "load": dict(self.load.describe()),
            "batch_size": self.batch_size,
            "settings": dict(self.settings),
        }

    def __str__(self) -> str:
        changed = [f"{name} {value}" for name, value in self.settings.items()]
        rows = [f"batch size {self.batch_size}"] if self.batch_size > 1 else []
        return ", ".join([*changed, str(self.load), *rows])


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
        kind: Name of the class in `tritonkit.errors`, or "WrongAnswer" for an answer
            that is not what was expected.
        count: How many.
        first: The first one's message.
    """

    kind: str
    count: int
    first: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """
    A part of the window, for timelines and confidence intervals.

    Args:
        start: Seconds from the start of the window; negative in the warm-up.
        seconds: Its length.
        answered: Requests of it that were answered.
        failed: Requests of it that failed.
        dropped: Requests of it that could not start.
        p50_us: Of the answered ones' latency; NaN where there are none.
        p99_us: Likewise.
        max_us: Likewise.
        histogram: Of the answered ones' latency as HdrHistogram's base64 text, in ns:
            what comparisons draw from and merges add up; empty where it was not kept.
        repeat: The window that it belongs to, 0 for the first.
    """

    start: float
    seconds: float
    answered: int
    failed: int
    dropped: int
    p50_us: float
    p99_us: float
    max_us: float
    histogram: str = ""
    repeat: int = 0


@dataclass(frozen=True, slots=True)
class Band:
    """
    A confidence interval.

    Args:
        low: Its lower end.
        high: Its upper end.
        confidence: 0 to 1.
    """

    low: float
    high: float
    confidence: float = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """
    What a run took from the machines, as far as it could be seen.

    Args:
        client_cpu: Cores that the load generator used, over all of its processes.
        client_processes: How many processes it had; with `client_cpu` near it, the
            generator and not the server set the pace.
        client_rss_bytes: Most memory that it held.
        server_cpu: Cores that the server's processes used; None where the server is
            not on this machine or its processes cannot be read.
        server_rss_bytes: Most memory that they held.
        gpu_utilisation: Mean, 0 to 1, by the GPU's UUID; empty without GPUs.
        gpu_memory_bytes: Most memory in use, by UUID.
        gpu_power_watts: Mean, by UUID.
    """

    client_cpu: float
    client_processes: int = 1
    client_rss_bytes: int = 0
    server_cpu: float | None = None
    server_rss_bytes: int | None = None
    gpu_utilisation: Mapping[str, float] = field(default_factory=dict)
    gpu_memory_bytes: Mapping[str, int] = field(default_factory=dict)
    gpu_power_watts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class WayRecord:
    """
    The answers that came one way through a stack of layers.

    Args:
        name: The way: "memory", "redis", "accurate", "memory+accurate".
        latency: Of these answers, from the intended start.
        rows: Rows of their requests.
        hits: Rows that no model computed for them.
        cost: What they cost together, in the budget's unit.
    """

    name: str
    latency: Latency
    rows: int
    hits: int
    cost: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """
    One run at one point, of one or several repeats.

    In a closed loop a request counts when it ends inside the window, whether or not
    it started there, so what is in flight at either edge cancels out. In an open
    loop it counts when its intended start lies inside the window, and is waited for.

    Args:
        point: The settings.
        seconds: Length of the window, or of all repeats' windows together.
        latency: Of the answered requests, from the intended start; in a closed loop
            the intended start is that of sending.
        service_time: Of the same requests, from the sending.
        failures: By kind, most frequent first.
        intended: Requests whose time came inside the window; in a closed loop those
            that ended.
        dropped: Those of them that could not start, since `max_in_flight` others waited.
        late_us: p99 of the time between intended start and sending, in microseconds;
            0 in a closed loop. Above a millisecond the generator was too slow.
        usage: Of the machines.
        timeline: Slices, the warm-up's among them.
        warmup: Seconds that were cut off the start, by setting or because no steady
            state was there yet.
        unstable: Why the figures are not those of a steady state; None where they are.
        bands: Confidence intervals by name: "requests_per_second", "p50", "p99" (us).
        repeats: Windows behind the figures.
        ways: Of a target with layers, by way; empty otherwise.
        server: What the server's own counters say, the model first and then the
            models that an ensemble is composed of; None where it does not tell.
        metrics: What Prometheus counters gained and what gauges were on average, by
            name and labels as they are scraped; empty where they were not.
        interrupted: Whether the run was ended before its time.
        started: When the first window began, in seconds since 1970; None where that
            was not written down. Runs of several machines are put beside each other by it.
    """

    point: Point
    seconds: float
    latency: Latency
    service_time: Latency
    failures: tuple[Failure, ...]
    intended: int
    dropped: int = 0
    late_us: float = 0.0
    usage: Usage
    timeline: tuple[Slice, ...] = ()
    warmup: float = 0.0
    unstable: str | None = None
    bands: Mapping[str, Band] = field(default_factory=dict)
    repeats: int = 1
    ways: tuple[WayRecord, ...] = ()
    server: tuple[ModelTimes, ...] | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    interrupted: bool = False
    started: float | None = None

    @property
    def requests(self) -> int:
        """Requests that were answered."""
        return self.latency.count

    @property
    def failed(self) -> int:
        """Requests that failed; dropped ones were never sent and are not among them."""
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

    @property
    def intended_rate(self) -> float:
        """Requests a second whose time came; in a closed loop those that ended."""
        return self.intended / self.seconds

    @property
    def achieved_rate(self) -> float:
        """Requests a second that were sent: without the dropped ones."""
        return (self.intended - self.dropped) / self.seconds

    def goodput(self, target_us: float) -> float:
        """
        Requests a second that were answered within a target.

        Args:
            target_us: The longest latency that counts, in microseconds; 0.1 % more
                may count as well, since it is read from the histogram.
        """
        # It reads the text that a Latency holds, so it knows this module.
        from tritonkit.bench.record.decoded import counts_of

        return counts_of(self.latency).below(round(target_us * 1e3)) / self.seconds

    @property
    def client_cpu(self) -> float:
        """Cores that the load generator used."""
        return self.usage.client_cpu
