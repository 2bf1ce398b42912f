"""What a search is for: a figure that is to be best among what keeps a target."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from tritonkit.bench.measurement import Measurement, Point
from tritonkit.bench.search.judgement import Estimate, band_spread
from tritonkit.bench.search.target import Target
from tritonkit.errors import ConfigError

__all__ = ["Goal", "Objective", "reserved_cores"]

Goal = Literal["throughput", "goodput", "cost"]
"""What is to be best: rows a second, rows a second within the target, or what a row costs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """
    The figure that is to be best among what keeps the target.

    Args:
        target: What must hold.
        goal: What is to be best.
        price_per_hour: Of one core, for `cost`; None to count core-seconds.
    """

    target: Target = field(default_factory=Target)
    goal: Goal = "throughput"
    price_per_hour: float | None = None

    def __post_init__(self) -> None:
        if self.goal not in ("throughput", "goodput", "cost"):
            raise ConfigError(f"the goal is throughput, goodput or cost, but got {self.goal!r}.")
        if self.goal == "goodput" and self.target.latency_limit is None:
            raise ConfigError(
                "goodput counts answers within a latency; the target names none, "
                "such as 'p99 < 50ms'."
            )
        if self.price_per_hour is not None and not 0 < self.price_per_hour < math.inf:
            raise ConfigError(f"a price must be above 0, but got {self.price_per_hour}.")

    @property
    def smaller_is_better(self) -> bool:
        """Whether the figure is a cost."""
        return self.goal == "cost"

    @property
    def unit(self) -> str:
        """Of the figure."""
        if self.goal != "cost":
            return "infer/s"
        return "core-seconds an inference" if self.price_per_hour is None else "an inference"

    def value(self, measurement: Measurement) -> float:
        """The figure; 0, or an infinite cost, where nothing was answered."""
        if not measurement.requests:
            return math.inf if self.goal == "cost" else 0.0
        if self.goal == "throughput":
            return measurement.inferences_per_second
        if self.goal == "goodput":
            assert self.target.latency_limit is not None
            good = measurement.goodput(1e6 * self.target.latency_limit)
            return good * measurement.point.batch_size
        return self._cost(measurement)

    def gain(self, measurement: Measurement) -> Estimate:
        """The figure as a logarithm that is to be large, with its spread."""
        value = self.value(measurement)
        if not 0 < value < math.inf:
            return Estimate(-math.inf, 0.0)
        band = measurement.bands.get("requests_per_second")
        if band is not None and 0 < band.low <= band.high < math.inf:
            spread = band_spread(band.low, band.high, band.confidence)
        else:
            spread = 1 / math.sqrt(measurement.requests)
        return Estimate(-math.log(value) if self.goal == "cost" else math.log(value), spread)

    def worth(self, gain: float) -> float:
        """The figure of a logarithm that `gain` speaks of."""
        return math.exp(-gain if self.goal == "cost" else gain)

    def show(self, value: float) -> str:
        """The figure with its unit."""
        if self.goal != "cost":
            return f"{value:,.0f} {self.unit}" if value >= 100 else f"{value:,.3g} {self.unit}"
        return f"{value:.4g} {self.unit}"

    def _cost(self, measurement: Measurement) -> float:
        layers = sum(way.cost for way in measurement.ways)
        if layers > 0:
            return layers / (measurement.requests * measurement.point.batch_size)
        cores = reserved_cores(measurement.point) or measurement.usage.server_cpu or 1.0
        hourly = 3600.0 if self.price_per_hour is None else self.price_per_hour
        return cores * hourly / 3600.0 / measurement.inferences_per_second


def reserved_cores(point: Point) -> float | None:
    """What a point keeps for itself: its instances, each with its threads; None if unset."""
    instances = _number(point.settings.get("instances"))
    threads = _number(point.settings.get("threads"))
    if instances is None and threads is None:
        return None
    return (instances or 1.0) * (threads or 1.0)


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None
