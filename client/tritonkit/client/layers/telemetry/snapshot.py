"""All that is known at one moment."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from tritonkit.client.readings import Reading
from tritonkit.client.statistics.latency import LatencySketch

__all__ = ["QUANTILES", "Answered", "Failed", "Latency", "Snapshot"]

QUANTILES = (0.5, 0.9, 0.95, 0.99, 0.999)
"""Those that are shown."""


@dataclass(frozen=True, slots=True)
class Latency:
    """
    Seconds that calls took; 0 without any.

    Percentiles are off by at most one percent, the rest is exact.
    """

    mean: float
    p50: float
    p90: float
    p95: float
    p99: float
    p999: float
    max: float

    @classmethod
    def of(cls, sketch: LatencySketch) -> Self:
        """Of what a sketch has counted."""
        if not sketch.count:
            return cls(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
        mean = sketch.sum_ns / sketch.count / 1e9
        p50, p90, p95, p99, p999 = sketch.quantiles(QUANTILES)
        return cls(mean, p50, p90, p95, p99, p999, sketch.greatest_ns / 1e9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """
    Calls of one combination of labels that were answered.

    Args:
        model: That was asked.
        tier: That answered.
        arm: Of the experiments that they took part in.
        cache: Where their rows came from.
        requests: How many calls.
        rows: Of all of them; an answer that is kept whole counts as one.
        attempts: Requests that were sent to servers for them, as far as a layer counted.
        cost: What their traces tell of, in millionths.
        latency: How long they took.
    """

    model: str
    tier: str
    arm: str
    cache: str
    requests: int
    rows: int
    attempts: int
    cost: int
    latency: Latency


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """
    Calls of one model, in one arm, that ended with one kind of error.

    Args:
        model: "other" for names that never answered.
        error: Name of its class; "Cancelled" where the caller left.
        arm: Of the experiments that they took part in, as far as the client told them of it.
        requests: How many.
        latency: How long they took.
    """

    model: str
    error: str
    arm: str
    requests: int
    latency: Latency


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """
    What a Telemetry knows at one moment, since it was made.

    Args:
        client: The telemetry's name.
        answered: By model, tier, arm and cache state.
        failed: By model, kind of error and arm.
        origins: Rows by model and origin.
        tiers: Rows by model and tier, of answers for which there was a choice.
        degraded: Answers that are less than what was asked for, by model and reason.
        tokens: By model and direction, "in" or "out".
        spikes: Alarms by "global" or "user".
        readings: What the layers and the transports tell, bounded and added up.
        in_flight: Calls that wait for their answers.
        overflows: How often a label had no room for a value.
    """

    client: str
    answered: tuple[Answered, ...]
    failed: tuple[Failed, ...]
    origins: Mapping[str, Mapping[str, int]]
    tiers: Mapping[str, Mapping[str, int]]
    degraded: Mapping[str, Mapping[str, int]]
    tokens: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    spikes: Mapping[str, int] = field(default_factory=dict)
    readings: tuple[Reading, ...] = ()
    in_flight: int = 0
    overflows: int = 0

    @property
    def requests(self) -> int:
        """Calls that were answered."""
        return sum(each.requests for each in self.answered)

    @property
    def errors(self) -> int:
        """Calls that were not."""
        return sum(each.requests for each in self.failed)

    @property
    def cost(self) -> Mapping[str, int]:
        """
        Millionths that the layers of the stack spent by purse: "live", "refresh", "shadow".

        All that their ledgers were charged, also for attempts that failed, hedges that
        lost and answers that nobody waited for.
        """
        spent: dict[str, int] = {}
        for reading in self.readings:
            if reading.name == "cost":
                purse = reading.labels.get("purse", "live")
                spent[purse] = spent.get(purse, 0) + int(reading.value)
        return spent

    @property
    def cost_per_success(self) -> float:
        """Millionths that were spent, on whatever, for each answer; NaN without any."""
        return sum(self.cost.values()) / self.requests if self.requests else math.nan

    def total(self, name: str, **labels: str) -> float:
        """The sum of the readings with that name and those labels."""
        return sum(
            reading.value
            for reading in self.readings
            if reading.name == name and labels.items() <= dict(reading.labels).items()
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        per_success = self.cost_per_success
        return {
            "client": self.client,
            "requests": self.requests,
            "errors": self.errors,
            "in_flight": self.in_flight,
            "cost": dict(self.cost),
            "cost_per_success": None if math.isnan(per_success) else per_success,
            "answered": [_plain(each) for each in self.answered],
            "failed": [_plain(each) for each in self.failed],
            "origins": {model: dict(rows) for model, rows in self.origins.items()},
            "tiers": {model: dict(rows) for model, rows in self.tiers.items()},
            "degraded": {model: dict(counts) for model, counts in self.degraded.items()},
            "tokens": {model: dict(counts) for model, counts in self.tokens.items()},
            "spikes": dict(self.spikes),
            "readings": [
                {"name": each.name, "labels": dict(each.labels), "value": each.value}
                for each in self.readings
            ],
            "overflows": self.overflows,
        }

    def to_json(self) -> str:
        """The same as text."""
        return json.dumps(self.to_dict(), allow_nan=False)


def _plain(value: Answered | Failed) -> dict[str, Any]:
    found = asdict(value)
    found["seconds"] = found.pop("latency")
    return found
