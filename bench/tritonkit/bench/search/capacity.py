"""The highest rate of an open loop that keeps a target: asked for probes, told what they gave."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tritonkit.bench.measurement import Measurement
from tritonkit.bench.search.judgement import Estimate
from tritonkit.bench.search.knowledge import run_to_run
from tritonkit.bench.search.target import Target, Verdict
from tritonkit.errors import ConfigError
from tritonkit.units import format_duration

__all__ = ["Capacity", "CapacitySearch", "Level", "Probe", "queue_grows"]

_LOWEST = 0.01
_HIGHEST = 10_000_000.0
"""Requests a second; beyond either end nobody asks."""

_LATE_US = 5000.0
"""A generator that starts its requests later than this may be the limit, not the server."""

_SWELLING = 2.0
_STEADILY = 0.8
"""A queue grows where latencies double from the first third to the last, in order."""

_FEWEST_SLICES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """
    A measurement to take.

    Args:
        rate: Requests a second.
        seconds: Length of the window.
        confirms: Whether it is the last look at the rate that was found.
    """

    rate: float
    seconds: float
    confirms: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """
    All that is known of one rate.

    Args:
        rate: Requests a second.
        measurements: Taken there, in order.
        probability: That the target holds.
        reason: Why it does not, or is not known; empty where it holds.
    """

    rate: float
    measurements: tuple[Measurement, ...]
    probability: float
    reason: str = ""

    @property
    def verdict(self) -> Verdict:
        """The probability in words."""
        return Verdict.of(self.probability)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """
    What a search came to.

    Args:
        rate: The highest rate that kept the target, most likely; None where none did.
        low: The highest rate that surely kept it; 0 where none surely did.
        high: The lowest rate that surely broke it; infinite where none did.
        confirmed: Whether a long run at `rate` kept it.
        levels: Every rate that was tried, rising.
        monotone: False where a rate held above one that did not; `rate` is then
            below both.
        limit: What ended the search before its time; empty where nothing did.
    """

    rate: float | None
    low: float
    high: float
    confirmed: bool
    levels: tuple[Level, ...]
    monotone: bool
    limit: str = ""


@dataclass(slots=True)
class _Evidence:
    measurements: list[Measurement] = field(default_factory=list)
    margins: list[Estimate] = field(default_factory=list)
    confirming: Measurement | None = None
    seconds: float = 0.0
    reason: str = ""
    broken: bool = False


class CapacitySearch:
    """
    Doubles a rate until it breaks the target, then halves the gap until it is small.

    A rate is left as soon as it surely keeps or surely breaks the target. Where that
    is not clear it is measured again for twice as long, up to `longest` altogether;
    then the more likely side counts. A queue that grows all through a window breaks
    the target whatever its latencies, as do requests that could not start. The rate
    that is found is confirmed by a run of `longest`; where it breaks the target, the
    search goes on below it.

    Args:
        target: What must hold.
        start: The first rate.
        seconds: Of the first look at a rate.
        longest: Of all looks at one rate together; eight times `seconds` if not given.
        tolerance: The gap at which the search ends, as a share of the rate.
        max_probes: After which it ends in any case.
    """

    def __init__(
        self,
        target: Target,
        *,
        start: float = 100.0,
        seconds: float = 5.0,
        longest: float | None = None,
        tolerance: float = 0.03,
        max_probes: int = 60,
    ) -> None:
        if not _LOWEST <= start <= _HIGHEST:
            raise ConfigError(f"start must be {_LOWEST:g} to {_HIGHEST:g}/s, but got {start:g}.")
        if not seconds > 0:
            raise ConfigError(f"seconds must be positive, but got {seconds}.")
        if not 0 < tolerance < 1:
            raise ConfigError(f"tolerance must be between 0 and 1, but got {tolerance}.")
        if max_probes < 1:
            raise ConfigError(f"max_probes must be at least 1, but got {max_probes}.")
        self.target = target
        self._start = start
        self._seconds = seconds
        self._longest = 8 * seconds if longest is None else max(longest, seconds)
        self._tolerance = tolerance
        self._left = max_probes
        self._seen: dict[float, _Evidence] = {}
        self._limit = ""
        self._asked: Probe | None = None

    def ask(self) -> Probe | None:
        """What to measure next; None at the end. The same until it is told."""
        if self._asked is None and not self._limit:
            if self._left <= 0:
                self._limit = "the number of probes"
            else:
                self._asked = self._next()
        return self._asked

    def tell(self, probe: Probe, measurement: Measurement) -> None:
        """What a probe gave."""
        self._asked = None
        self._left -= 1
        seen = self._seen.setdefault(probe.rate, _Evidence())
        seen.measurements.append(measurement)
        seen.seconds += probe.seconds
        margin = self.target.margin(measurement)
        seen.margins.append(Estimate(min(max(margin.mean, -3.0), 3.0), max(margin.spread, 0.01)))
        broken = list(self.target.broken(measurement))
        seen.reason = "; ".join(broken)
        if queue_grows(measurement):
            seen.broken, seen.reason = True, "the queue grows without end"
        if broken and measurement.late_us > _LATE_US:
            late = format_duration(measurement.late_us / 1e6)
            seen.reason += f"; the load generator was up to {late} late, so it may be the limit"
        if probe.confirms:
            seen.confirming = measurement

    def found(self) -> Capacity:
        """What is known by now."""
        levels = tuple(self._level(rate) for rate in sorted(self._seen))
        low, _ = self._bounds()
        sure = [level.rate for level in levels if level.verdict is Verdict.SURELY]
        broken = [level.rate for level in levels if level.verdict is Verdict.SURELY_NOT]
        return Capacity(
            rate=low,
            low=max((rate for rate in sure if low is not None and rate <= low), default=0.0),
            high=min((r for r in broken if low is None or r > low), default=math.inf),
            confirmed=low is not None and self._seen[low].confirming is not None,
            levels=levels,
            monotone=self._is_monotone(),
            limit=self._limit,
        )

    def _next(self) -> Probe | None:
        for rate in self._seen:
            if (more := self._more(rate)) is not None:
                return more
        low, high = self._bounds()
        if low is None and high is None:
            return Probe(rate=self._start, seconds=self._seconds)
        if low is None:
            assert high is not None
            return self._probe(high / 2)
        if high is None:
            return self._probe(low * 2)
        if high / low > 1 + self._tolerance:
            return self._probe(math.sqrt(low * high))
        if self._seen[low].confirming is None:
            return Probe(rate=low, seconds=self._longest, confirms=True)
        return None

    def _probe(self, rate: float) -> Probe | None:
        if not _LOWEST <= rate <= _HIGHEST:
            self._limit = f"the rate, {rate:g}/s"
            return None
        return Probe(rate=rate, seconds=self._seconds)

    def _more(self, rate: float) -> Probe | None:
        """Another look at a rate of which it is not known yet."""
        seen = self._seen[rate]
        left = self._longest - seen.seconds
        clear = self._level(rate).verdict in (Verdict.SURELY, Verdict.SURELY_NOT)
        if clear or left < 0.5 * self._seconds or seen.confirming is not None:
            return None
        return Probe(rate=rate, seconds=min(seen.seconds, left) if seen.seconds else left)

    def _bounds(self) -> tuple[float | None, float | None]:
        """The highest rate that holds below every one that does not, and the next above it."""
        broken = [rate for rate in self._seen if not self._holds(rate)]
        high = min(broken, default=None)
        below = [r for r in self._seen if self._holds(r) and (high is None or r < high)]
        return max(below, default=None), high

    def _is_monotone(self) -> bool:
        surely = [r for r in self._seen if self._level(r).verdict is Verdict.SURELY]
        _, high = self._bounds()
        return high is None or all(rate < high for rate in surely)

    def _holds(self, rate: float) -> bool:
        return self._level(rate).probability >= 0.5

    def _level(self, rate: float) -> Level:
        seen = self._seen[rate]
        probability = 0.0 if seen.broken else self._probability(seen)
        reason = seen.reason if probability < 0.975 else ""
        if probability < 0.5 and not reason:
            reason = "kept this time, but not by all looks together"
        return Level(
            rate=rate,
            measurements=tuple(seen.measurements),
            probability=probability,
            reason=reason,
        )

    def _probability(self, seen: _Evidence) -> float:
        """
        Of all looks together, each weighed by how much it can tell.

        Looks that contradict each other make less sure. The long run that confirms a
        rate breaks the target for good where it breaks it: that is what it is for.
        """
        if seen.confirming is not None and not self.target.holds(seen.confirming):
            return min(self.target.probability(seen.confirming), 0.49)
        if len(seen.measurements) == 1:
            return self.target.probability(seen.measurements[0])
        between = run_to_run([seen.margins])
        weights = [1 / (margin.spread**2 + between**2) for margin in seen.margins]
        mean = sum(w * m.mean for w, m in zip(weights, seen.margins, strict=True)) / sum(weights)
        return Estimate(mean, 1 / math.sqrt(sum(weights))).above(0.0)


def queue_grows(measurement: Measurement) -> bool:
    """
    Whether latencies rise all through the window, as where more comes than is served.

    A rate that is borne has latencies that rise and fall. One that is not adds to
    the queue in every slice.
    """
    slices = [s for s in measurement.timeline if s.start >= 0 and s.answered]
    if len(slices) < _FEWEST_SLICES:
        return False
    medians: Sequence[float] = [s.p50_us for s in slices]
    third = len(medians) // 3
    first, last = float(np.median(medians[:third])), float(np.median(medians[-third:]))
    if not last > _SWELLING * first:
        return False
    ranks = np.argsort(np.argsort(medians))
    return float(np.corrcoef(ranks, np.arange(len(ranks)))[0, 1]) > _STEADILY
