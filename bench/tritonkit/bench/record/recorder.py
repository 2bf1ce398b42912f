"""What a load generator writes down while it runs."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

from tritonkit.bench.measurement import PERCENTILES, Failure, Latency
from tritonkit.bench.record.histogram import Histogram
from tritonkit.errors import RequestError

__all__ = ["Recorder"]


class Recorder:
    """
    Collects outcomes as cheaply as they can be; all arithmetic waits for the end.

    A latency costs an append of 8 bytes here, where recording it in a histogram
    at once would take a tenth of what a whole request takes.
    """

    def __init__(self) -> None:
        self._latencies_ns = array("q")
        self._first_messages: dict[str, str] = {}
        self._failure_counts: dict[str, int] = {}
        self.ended = 0

    def answered(self, latency_ns: int) -> None:
        """A request was answered after *latency_ns*."""
        self.ended += 1
        self._latencies_ns.append(latency_ns)

    def failed(self, error: RequestError) -> None:
        """A request ended with *error*."""
        self.ended += 1
        kind = type(error).__name__
        self._first_messages.setdefault(kind, str(error))
        self._failure_counts[kind] = self._failure_counts.get(kind, 0) + 1

    def latency(self, percentiles: Iterable[float] = PERCENTILES) -> Latency:
        """The answered requests' latency; figures are NaN where there are none."""
        histogram = Histogram()
        histogram.record(self._latencies_ns)
        found = histogram.percentiles_ns(percentiles)
        empty = not histogram.count
        return Latency(
            count=histogram.count,
            mean_us=histogram.mean_ns / 1e3,
            min_us=float("nan") if empty else histogram.min_ns / 1e3,
            max_us=float("nan") if empty else histogram.max_ns / 1e3,
            percentiles_us={p: value / 1e3 for p, value in found.items()},
            histogram=histogram.encode(),
        )

    def failures(self) -> tuple[Failure, ...]:
        """Failed requests by kind, most frequent first."""
        kinds = sorted(self._failure_counts, key=lambda kind: (-self._failure_counts[kind], kind))
        return tuple(
            Failure(kind=kind, count=self._failure_counts[kind], first=self._first_messages[kind])
            for kind in kinds
        )
