"""What a load generator writes down while it runs."""

from __future__ import annotations

import io
import json
from array import array
from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tritonkit.bench.record.counts import EMPTY, Counts
from tritonkit.bench.record.slices import SliceRecord, Slices, WayCounts
from tritonkit.bench.targets.target import Taken
from tritonkit.errors import RequestError

__all__ = ["SLICE_SECONDS", "Recorder", "Unanswered", "WrongAnswer"]

SLICE_SECONDS = 0.25
"""Fine enough for a timeline, long enough for a percentile."""

_NEVER = 1 << 62

_WARMUP_SLICES = 128
"""Of the time before the origin; what is earlier shows in no timeline."""

_FOLDED = 1024
"""Answers that are counted at once, in about 0.3 ms: a pause that few latencies can see."""


class WrongAnswer(RequestError):
    """The request succeeded, and its answer is not what was expected."""


class Unanswered(RequestError):
    """The run was interrupted before the request had ended."""


class Recorder:
    """
    Collects outcomes by the instant they belong to, warm-up and all.

    An answer costs an append of three numbers here. Every few thousand they are
    folded into the counts of slices, so that memory stays flat however long a run
    is. The window is cut afterwards, at the edges of slices. Processes of one run
    have a recorder each, count from the same start, and are merged.

    Instants are nanoseconds from the start of the load: the intended start of a
    request in an open loop, its end in a closed one.

    Args:
        slice_seconds: Length of a slice; doubled in a run of very many.
        origin: Seconds from the start of the load at which a slice begins in any case:
            the end of the warm-up. Of a long one only the last slices are kept, so that
            it does not make those of the window coarse.
        end_ns: Outcomes of this instant or a later one are not kept: an open loop goes on
            while the window's last requests are waited for. None to keep all.
    """

    def __init__(
        self,
        slice_seconds: float = SLICE_SECONDS,
        *,
        origin: float = 0.0,
        end_ns: int | None = None,
    ) -> None:
        slice_ns, origin_ns = max(1, round(slice_seconds * 1e9)), round(origin * 1e9)
        self._raw = array("q")
        self._raw_ways: dict[str, tuple[array[int], array[float]]] = {}
        self._slices = Slices(slice_ns, origin_ns)
        self._from_ns = origin_ns - _WARMUP_SLICES * slice_ns
        self._end_ns = _NEVER if end_ns is None else end_ns
        self._first: dict[str, tuple[int, str]] = {}
        self._left: int | None = None
        self._since_ns = 0
        self._full: Callable[[], None] | None = None
        self._full_at_ns: int | None = None
        self.ended = 0
        self.dropped_count = 0

    def answered(
        self, at_ns: int, latency_ns: int, service_ns: int, way: Taken | None = None
    ) -> None:
        """A request was answered, *latency_ns* after its intended start."""
        if self._full_at_ns is not None:
            return
        raw = self._raw
        raw.append(at_ns)
        raw.append(latency_ns)
        raw.append(service_ns)
        if way is not None:
            self._take(way, at_ns, latency_ns)
        if len(raw) >= 3 * _FOLDED:
            self._fold()
        self.ended += 1
        if self._left is not None:
            self._count_down(at_ns)

    def failed(self, at_ns: int, error: RequestError) -> None:
        """A request ended with *error*."""
        if self._full_at_ns is not None:
            return
        if self._from_ns <= at_ns < self._end_ns:
            kind = type(error).__name__
            first = self._first.get(kind)
            if first is None or at_ns < first[0]:
                self._first[kind] = (at_ns, str(error))
            self._slices.at(at_ns).fail(kind)
        self.ended += 1
        if self._left is not None:
            self._count_down(at_ns)

    def dropped(self, at_ns: int) -> None:
        """A request could not start, since too many others waited for their answers."""
        if self._from_ns <= at_ns < self._end_ns:
            self._slices.at(at_ns).dropped += 1
        self.dropped_count += 1

    def stop_after(self, count: int, full: Callable[[], None], *, since_ns: int = 0) -> None:
        """
        Record *count* more outcomes and nothing after them.

        Args:
            count: At least 1.
            full: Called with the last of them.
            since_ns: Outcomes of earlier instants are recorded and not counted.
        """
        self._left, self._full, self._since_ns = count, full, since_ns

    def end(self, at_ns: int) -> None:
        """Keep nothing of that instant or a later one, which has yet to come."""
        self._fold()
        self._end_ns = min(self._end_ns, at_ns)

    @property
    def end_ns(self) -> int | None:
        """The instant from which on nothing is kept; None where there is none."""
        return None if self._end_ns == _NEVER else self._end_ns

    @property
    def full_at_ns(self) -> int | None:
        """The instant of the last outcome that `stop_after` let in; None before it."""
        return self._full_at_ns

    @property
    def slice_ns(self) -> int:
        """Length of a slice as it is now."""
        self._fold()
        return self._slices.slice_ns

    def first_message(self, kind: str) -> str:
        """Of the first failure of a kind."""
        return self._first[kind][1]

    def slices(self) -> list[tuple[int, SliceRecord]]:
        """
        Starts of the slices in nanoseconds, rising, and what they hold.

        Those in which nothing happened are left out.
        """
        self._fold()
        return self._slices.items()

    def merge(self, other: Recorder) -> None:
        """Take in what another process of the same run recorded."""
        self._fold()
        other._fold()
        self._slices.merge(other._slices)
        for kind, (at_ns, message) in other._first.items():
            if kind not in self._first or at_ns < self._first[kind][0]:
                self._first[kind] = (at_ns, message)
        self.ended += other.ended
        self.dropped_count += other.dropped_count

    def encode(self) -> bytes:
        """All of it, for another process."""
        self._fold()
        arrays: list[Counts] = []
        slices = [
            {
                "start": start,
                "counts": _put(arrays, (record.latency, record.service, record.late)),
                "failures": record.failures,
                "dropped": record.dropped,
                "ways": {
                    name: [_put(arrays, (way.latency,)), way.rows, way.hits, way.cost]
                    for name, way in record.ways.items()
                },
            }
            for start, record in self._slices.items()
        ]
        head = {
            "slice_ns": self._slices.slice_ns,
            "origin_ns": self._slices.origin_ns,
            "ended": self.ended,
            "dropped": self.dropped_count,
            "first": self._first,
            "full_at_ns": self._full_at_ns,
            "slices": slices,
            "counts": [[c.buckets.size, c.total_ns, c.min_ns, c.max_ns] for c in arrays],
        }
        stream = io.BytesIO()
        np.savez(
            stream,
            head=np.frombuffer(json.dumps(head).encode(), dtype=np.uint8),
            buckets=np.concatenate([EMPTY.buckets, *(c.buckets for c in arrays)]),
            counts=np.concatenate([EMPTY.counts, *(c.counts for c in arrays)]),
        )
        return stream.getvalue()

    @classmethod
    def decode(cls, content: bytes) -> Self:
        """What `encode` gave."""
        with np.load(io.BytesIO(content)) as stored:
            head = json.loads(stored["head"].tobytes())
            arrays = _counts(head["counts"], stored["buckets"], stored["counts"])
        recorder = cls(head["slice_ns"] / 1e9, origin=head["origin_ns"] / 1e9)
        recorder._slices = Slices(head["slice_ns"], head["origin_ns"])
        for each in head["slices"]:
            record = recorder._slices.at(each["start"])
            latency, service, late = (arrays[at] for at in each["counts"])
            record.latency, record.service, record.late = latency, service, late
            record.failures, record.dropped = each["failures"], each["dropped"]
            record.ways = {
                name: WayCounts(latency=arrays[at], rows=rows, hits=hits, cost=cost)
                for name, ((at,), rows, hits, cost) in each["ways"].items()
            }
        recorder.ended, recorder.dropped_count = head["ended"], head["dropped"]
        recorder._first = {kind: (at, message) for kind, (at, message) in head["first"].items()}
        recorder._full_at_ns = head["full_at_ns"]
        return recorder

    def _take(self, way: Taken, at_ns: int, latency_ns: int) -> None:
        for name in (way.name, *way.arms):
            numbers, costs = self._raw_ways.setdefault(name, (array("q"), array("d")))
            numbers.extend((at_ns, latency_ns, way.rows, way.hits))
            costs.append(way.cost)

    def _count_down(self, at_ns: int) -> None:
        if self._left is None or at_ns < self._since_ns:
            return
        self._left -= 1
        if not self._left:
            self._full_at_ns = at_ns
            if self._full is not None:
                self._full()

    def _fold(self) -> None:
        if not self._raw:
            return
        raw = np.array(self._raw, dtype=np.int64).reshape(-1, 3)
        del self._raw[:]
        if not self._kept(raw[:, 0]).all():
            raw = raw[self._kept(raw[:, 0])]
        self._slices.add(*np.ascontiguousarray(raw.T))
        for name, (numbers, costs) in self._raw_ways.items():
            self._fold_way(name, np.array(numbers).reshape(-1, 4), np.array(costs))
        self._raw_ways.clear()

    def _kept(self, at_ns: NDArray[np.int64]) -> NDArray[np.bool_]:
        kept: NDArray[np.bool_] = (at_ns >= self._from_ns) & (at_ns < self._end_ns)
        return kept

    def _fold_way(self, name: str, numbers: NDArray[Any], costs: NDArray[np.float64]) -> None:
        kept = self._kept(numbers[:, 0])
        costs = costs[kept]
        at_ns, latency, rows, hits = np.ascontiguousarray(numbers[kept].T)
        for start, chosen in self._slices.grouped(at_ns):
            counts = WayCounts(
                latency=Counts.of(latency[chosen]),
                rows=int(rows[chosen].sum()),
                hits=int(hits[chosen].sum()),
                cost=float(costs[chosen].sum()),
            )
            self._slices.at(start).take({name: counts})


def _put(arrays: list[Counts], parts: tuple[Counts, ...]) -> list[int]:
    """Where each of *parts* is kept in *arrays*; what is there already is not kept twice."""
    places = []
    for part in parts:
        if not arrays or arrays[-1] is not part:
            arrays.append(part)
        places.append(len(arrays) - 1)
    return places


def _counts(
    heads: list[list[int]], buckets: NDArray[np.int32], counts: NDArray[np.int64]
) -> list[Counts]:
    found, start = [], 0
    for size, total_ns, min_ns, max_ns in heads:
        part = slice(start, start + size)
        found.append(Counts(buckets[part], counts[part], total_ns, min_ns, max_ns))
        start += size
    return found
