"""What became of the requests of a run, slice by slice of its time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

# numpy.unique imports it at its first call, and that would be under load.
import numpy.ma
from numpy.typing import NDArray

from tritonkit.bench.record.counts import EMPTY, Counts

__all__ = ["MAX_SLICES", "SliceRecord", "Slices", "WayCounts"]

MAX_SLICES = 512
"""Of a run; with more, pairs are joined. Each takes some ten kilobytes."""

_PIECES = 16
"""Counts of one slice that wait to be joined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WayCounts:
    """
    The answers of a slice that came one way.

    Args:
        latency: Of them.
        rows: Rows of their requests.
        hits: Rows that no model computed for them.
        cost: What they cost together.
    """

    latency: Counts = EMPTY
    rows: int = 0
    hits: int = 0
    cost: float = 0.0

    def __add__(self, other: WayCounts) -> WayCounts:
        return WayCounts(
            latency=Counts.joined([self.latency, other.latency]),
            rows=self.rows + other.rows,
            hits=self.hits + other.hits,
            cost=self.cost + other.cost,
        )


@dataclass(slots=True, kw_only=True)
class SliceRecord:
    """
    One slice.

    Args:
        latency: Of its answered requests, from the intended start.
        service: Of the same requests, from the sending.
        late: Between the two.
        failures: Failed requests by kind.
        dropped: Requests that could not start.
        ways: Answers by the way they came.
    """

    latency: Counts = EMPTY
    service: Counts = EMPTY
    late: Counts = EMPTY
    failures: dict[str, int] = field(default_factory=dict)
    dropped: int = 0
    ways: dict[str, WayCounts] = field(default_factory=dict)
    _pieces: list[tuple[Counts, Counts, Counts]] = field(default_factory=list)

    def add(self, latency: Counts, service: Counts, late: Counts) -> None:
        """Take answers in; they show after `settle`."""
        self._pieces.append((latency, service, late))
        if len(self._pieces) >= _PIECES:
            self.settle()

    def settle(self) -> None:
        """Join what was taken in."""
        if not self._pieces:
            return
        latency, service, late = zip(*self._pieces, strict=True)
        same = self.service is self.latency and all(
            part is whole for part, whole in zip(service, latency, strict=True)
        )
        self.latency = Counts.joined([self.latency, *latency])
        # In a closed loop the two are one, and are kept once.
        self.service = self.latency if same else Counts.joined([self.service, *service])
        self.late = Counts.joined([self.late, *late])
        self._pieces.clear()

    def fail(self, kind: str, count: int = 1) -> None:
        """Count failed requests."""
        self.failures[kind] = self.failures.get(kind, 0) + count

    def take(self, ways: Mapping[str, WayCounts]) -> None:
        """Count answers by way."""
        for name, counts in ways.items():
            self.ways[name] = self.ways[name] + counts if name in self.ways else counts

    def absorb(self, other: SliceRecord) -> None:
        """Take in all that another slice holds."""
        other.settle()
        self.settle()
        self.add(other.latency, other.service, other.late)
        self.settle()
        for kind, count in other.failures.items():
            self.fail(kind, count)
        self.dropped += other.dropped
        self.take(other.ways)

    @classmethod
    def joined(cls, parts: Iterable[SliceRecord]) -> SliceRecord:
        """All that several slices hold, as one."""
        whole = cls()
        for part in parts:
            part.settle()
            whole.add(part.latency, part.service, part.late)
            for kind, count in part.failures.items():
                whole.fail(kind, count)
            whole.dropped += part.dropped
            whole.take(part.ways)
        whole.settle()
        return whole


class Slices:
    """
    Slices of equal length, as many as a run has; their length doubles where they are too many.

    Args:
        slice_ns: Length of a slice.
        origin_ns: An instant at which a slice begins, whatever their length becomes.
    """

    def __init__(self, slice_ns: int, origin_ns: int) -> None:
        self.slice_ns = slice_ns
        self.origin_ns = origin_ns
        self._slices: dict[int, SliceRecord] = {}

    def at(self, at_ns: int) -> SliceRecord:
        """The slice of an instant; it must be used at once."""
        index = (at_ns - self.origin_ns) // self.slice_ns
        found = self._slices.get(index)
        if found is not None:
            return found
        self._slices[index] = SliceRecord()
        while max(self._slices) - min(self._slices) >= MAX_SLICES:
            self.coarsen()
        return self._slices[(at_ns - self.origin_ns) // self.slice_ns]

    def add(
        self, at_ns: NDArray[np.int64], latency: NDArray[np.int64], service: NDArray[np.int64]
    ) -> None:
        """Take answers in, each by its instant."""
        closed = np.array_equal(latency, service)
        for start, chosen in self.grouped(at_ns):
            counts = Counts.of(latency[chosen])
            times = counts if closed else Counts.of(service[chosen])
            late = _zeros(counts.count) if closed else Counts.of((latency - service)[chosen])
            self.at(start).add(counts, times, late)

    def grouped(self, at_ns: NDArray[np.int64]) -> list[tuple[int, NDArray[np.bool_]]]:
        """Slices that instants fall into: an instant of each slice, and which are its own."""
        indices = (at_ns - self.origin_ns) // self.slice_ns
        return [
            (int(index) * self.slice_ns + self.origin_ns, indices == index)
            for index in np.unique(indices)
        ]

    def coarsen(self) -> None:
        """Join each two slices."""
        self.slice_ns *= 2
        finer, self._slices = self._slices, {}
        for index in sorted(finer):
            self._slices.setdefault(index // 2, SliceRecord()).absorb(finer[index])

    def merge(self, other: Slices) -> None:
        """
        Take in what another run holds that has the same origin.

        The finer of the two is made as coarse as the other.
        """
        while self.slice_ns < other.slice_ns:
            self.coarsen()
        for start_ns, record in other.items():
            self.at(start_ns).absorb(record)

    def items(self) -> list[tuple[int, SliceRecord]]:
        """Starts of slices that hold anything, rising, and the slices."""
        found = []
        for index in sorted(self._slices):
            self._slices[index].settle()
            found.append((index * self.slice_ns + self.origin_ns, self._slices[index]))
        return found


def _zeros(count: int) -> Counts:
    return Counts(np.zeros(1, dtype=np.int32), np.array([count], dtype=np.int64))
