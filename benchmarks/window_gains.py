"""What batching gains in a sweep of batch windows: over what, for whom and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tritonkit.bench.measurement import Measurement
from tritonkit.bench.observe.statistics import ModelTimes
from tritonkit.units import format_duration

__all__ = ["Gains", "described"]

NAMED = 10.0
"""Times that batching is often said to gain, at the least."""


@dataclass(frozen=True, slots=True)
class Gains:
    """
    The best of a sweep with batching, beside what it can be compared with.

    Args:
        model: The part that runs the network, and that batches.
        best: The most throughput with batching.
        alone: One caller at a time without batching.
        beside: As many callers as the best has, without batching.
        apart: The most throughput without batching.
        lone: One caller under each window.
        equal: By number of callers, under the window of the best, beside as many without
            batching. One window for all, since the best of six would win by its noise.
    """

    model: str
    best: Measurement
    alone: Measurement
    beside: Measurement
    apart: Measurement
    lone: tuple[Measurement, ...]
    equal: tuple[tuple[Measurement, Measurement], ...]

    @classmethod
    def of(cls, measured: Sequence[Measurement], model: str) -> Gains:
        """Those of a whole sweep; points without an answer are left out."""
        answered = [m for m in measured if m.requests]
        off = {m.point.concurrency: m for m in answered if _batching(m) == "off"}
        on = [m for m in answered if _batching(m) == "on"]
        best = max(on, key=_rate)
        equal = []
        for callers, without in sorted(off.items()):
            joined = [
                m for m in on if m.point.concurrency == callers and _window(m) == _window(best)
            ]
            equal += [(each, without) for each in joined]
        return cls(
            model,
            best,
            off[1],
            off[best.point.concurrency],
            max(off.values(), key=_rate),
            tuple(m for m in on if m.point.concurrency == 1),
            tuple(equal),
        )

    def lines(self) -> list[str]:
        """For people."""
        best, longest = self.best, max(self.lone, key=lambda m: m.latency.percentiles_us[50.0])
        return [
            f"best: {_rate(best):,.0f}/s with a window of {_window(best)} and "
            f"{best.point.concurrency} callers, p99 {_time(best)}",
            f"  {_ratio(best, self.alone):.1f} times one caller at a time without batching "
            f"({_rate(self.alone):,.0f}/s, p99 {_time(self.alone)})",
            f"  {_ratio(best, self.beside):.1f} times as many callers without batching "
            f"({_rate(self.beside):,.0f}/s, p99 {_time(self.beside)})",
            f"  {_ratio(best, self.apart):.1f} times the best without batching "
            f"({_rate(self.apart):,.0f}/s, {self.apart.point.concurrency} callers)",
            f"for whom: {self._for_whom()}",
            f"why: {self._why()}",
            f"one caller pays: {_time(longest, 50.0)} at the median with a window of "
            f"{_window(longest)}, {_time(self.alone, 50.0)} without batching",
        ]

    def describe(self) -> dict[str, Any]:
        """The figures in JSON's types."""
        return {
            **{
                name: described(measurement)
                for name in ("best", "alone", "beside", "apart")
                for measurement in [getattr(self, name)]
            },
            "times": {
                "one caller": _ratio(self.best, self.alone),
                "as many callers": _ratio(self.best, self.beside),
                "best without": _ratio(self.best, self.apart),
            },
            "times_by_callers": {
                str(on.point.concurrency): _ratio(on, off) for on, off in self.equal
            },
            "one_caller_p50_ms": {
                "off": _ms(self.alone, 50.0),
                **{_window(m): _ms(m, 50.0) for m in self.lone},
            },
            "for_whom": self._for_whom(),
            "why": self._why(),
        }

    def _for_whom(self) -> str:
        more = [on.point.concurrency or 1 for on, off in self.equal if _ratio(on, off) >= 1.1]
        if not more:
            return "for nobody here: as many callers without batching get within a tenth of it"
        ratios = ", ".join(
            f"{_ratio(on, off):.1f} at {on.point.concurrency}" for on, off in self.equal
        )
        most = max(_ratio(on, off) for on, off in self.equal)
        named = "reached" if most >= NAMED else "not reached"
        return (
            f"from {min(more)} callers on; with a window of {_window(self.best)}, times as many "
            "callers without batching: "
            f"{ratios} ({NAMED:g} times is {named})"
        )

    def _why(self) -> str:
        joined, single = self._network(self.best), self._network(self.beside)
        if joined is None or single is None:
            return "the server gave no account"
        together, apart = joined.compute_infer.mean_us, single.compute_infer.mean_us
        rows = max(joined.mean_batch, 1.0)
        cpu = self.best.usage.client_cpu
        return (
            f"the network runs {format_duration(apart / 1e6)} for one row, and "
            f"{format_duration(together / 1e6)} for {rows:.1f}: a row "
            f"{apart / max(together / rows, 1e-9):.1f} times as fast; the load generator took "
            f"{cpu:.2f} cores meanwhile"
        )

    def _network(self, measurement: Measurement) -> ModelTimes | None:
        for times in measurement.server or ():
            if times.model == self.model and times.executions:
                return times
        return None


def _batching(measurement: Measurement) -> str:
    return measurement.point.settings["dynamic_batching"]


def _window(measurement: Measurement) -> str:
    return measurement.point.settings["max_queue_delay"]


def _rate(measurement: Measurement) -> float:
    return measurement.inferences_per_second


def _ratio(one: Measurement, other: Measurement) -> float:
    return _rate(one) / max(_rate(other), 1e-9)


def _ms(measurement: Measurement, percentile: float) -> float:
    return measurement.latency.percentiles_us[percentile] / 1e3


def _time(measurement: Measurement, percentile: float = 99.0) -> str:
    return format_duration(_ms(measurement, percentile) / 1e3)


def described(measurement: Measurement) -> dict[str, Any]:
    """The figures of a point that are compared."""
    return {
        "settings": dict(measurement.point.settings),
        "callers": measurement.point.concurrency,
        "inferences_per_second": _rate(measurement),
        "p50_ms": _ms(measurement, 50.0),
        "p99_ms": _ms(measurement, 99.0),
    }
