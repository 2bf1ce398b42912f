"""What a page shows: measurements with the names that tell them apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, nan

from tritonkit.bench.load.shape import Closed
from tritonkit.bench.measurement import Measurement
from tritonkit.bench.report.json import Report

__all__ = ["Configuration", "Entry", "configurations", "front"]


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One measurement.

    Args:
        measurement: What was measured.
        configuration: Of what, and with which requests; all that is not load.
        load: How much of it.
    """

    measurement: Measurement
    configuration: str
    load: str

    @property
    def name(self) -> str:
        """The two together."""
        return f"{self.configuration}, {self.load}" if self.configuration else self.load

    @property
    def p99(self) -> float:
        """In microseconds; NaN where there is none."""
        return self.percentile(99.0)

    def percentile(self, percentile: float) -> float:
        """In microseconds; NaN where it was not taken."""
        return self.measurement.latency.percentiles_us.get(percentile, nan)


@dataclass(frozen=True, slots=True)
class Configuration:
    """Measurements that differ in their load alone, by rising load."""

    name: str
    entries: tuple[Entry, ...]


def configurations(reports: Sequence[Report]) -> tuple[Configuration, ...]:
    """Everything of several reports; what is the same for all stands in no name."""
    several = len(reports) > 1
    models = {report.conditions.model for report in reports}
    sizes = {m.point.batch_size for report in reports for m in report.measurements}
    loops = {type(m.point.load) for report in reports for m in report.measurements}
    found: dict[str, list[Entry]] = {}
    for number, report in enumerate(reports, start=1):
        for measurement in report.measurements:
            point = measurement.point
            words = [report.conditions.model] if len(models) > 1 else []
            words += [f"file {number}"] if several and len(models) < len(reports) else []
            words += [f"{name} {value}" for name, value in point.settings.items()]
            words += [f"batch size {point.batch_size}"] if len(sizes) > 1 else []
            closed = isinstance(point.load, Closed)
            words += ["closed loop" if closed else "open loop"] if len(loops) > 1 else []
            name = ", ".join(words)
            found.setdefault(name, []).append(Entry(measurement, name, str(point.load)))
    return tuple(
        Configuration(name, tuple(sorted(entries, key=_amount))) for name, entries in found.items()
    )


def front(entries: Sequence[Entry]) -> list[Entry]:
    """Those that no other beats in both throughput and p99, by rising throughput."""
    known = [one for one in entries if isfinite(one.p99) and one.measurement.requests]
    known.sort(key=lambda one: (-one.measurement.inferences_per_second, one.p99))
    kept: list[Entry] = []
    for one in known:
        if not kept or one.p99 < kept[-1].p99:
            kept.append(one)
    return kept[::-1]


def _amount(entry: Entry) -> float:
    load = entry.measurement.point.load
    return load.concurrency if isinstance(load, Closed) else load.arrivals.rate
