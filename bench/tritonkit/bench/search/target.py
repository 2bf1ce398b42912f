"""What must hold: limits of latencies and of the error rate."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from tritonkit.bench.measurement import Measurement, percentile_name
from tritonkit.bench.search.judgement import (
    Estimate,
    band_spread,
    share_below,
    tail_spread,
    worse_of,
)
from tritonkit.errors import ConfigError
from tritonkit.units import format_duration, parse_duration, parse_share

__all__ = ["Criterion", "Target", "Verdict", "parse_target"]

_CRITERION = re.compile(r"\s*([A-Za-z_][A-Za-z_0-9.]*)\s*(<=|<)\s*(\S.*?)\s*", re.ASCII)
_PERCENTILE = re.compile(r"p([0-9]+(?:\.[0-9]+)?)")
_LATEST_ERRORS = 0.01
"""The share of failures that a target without percentiles bears."""

_SURE = 0.975
"""The upper end of a two-sided interval of 95 %."""


class Verdict(StrEnum):
    """Whether a target held, with what is known of the figure."""

    SURELY = "surely"
    PROBABLY = "probably"
    PROBABLY_NOT = "probably not"
    SURELY_NOT = "surely not"

    @classmethod
    def of(cls, probability: float) -> Verdict:
        """By the probability that the target holds."""
        if probability >= _SURE:
            return cls.SURELY
        if probability >= 0.5:
            return cls.PROBABLY
        return cls.PROBABLY_NOT if probability > 1 - _SURE else cls.SURELY_NOT


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """
    One part of a target.

    Args:
        figure: "p99" or another percentile, "mean", "max", or "error_rate".
        limit: Seconds, or a share of the requests.
        strict: Whether the limit itself is too much.
    """

    figure: str
    limit: float
    strict: bool = True

    def __post_init__(self) -> None:
        if self.percentile is None and self.figure not in ("mean", "max", "error_rate"):
            raise ConfigError(
                "a target is about p50, p99 or another percentile, mean, max or error_rate, "
                f"but got {self.figure!r}."
            )
        if self.percentile is not None and not 0 < self.percentile <= 100:
            raise ConfigError(f"a percentile must be in (0, 100], but got {self.figure!r}.")
        if self.strict and self.limit == 0:
            raise ConfigError(f"nothing is below 0: {self.figure} < 0 cannot hold; write <= 0.")

    @property
    def percentile(self) -> float | None:
        """Of a latency, 0 to 100; None of other figures."""
        match = _PERCENTILE.fullmatch(self.figure)
        return float(match[1]) if match else None

    @property
    def of_latency(self) -> bool:
        """Whether the limit is a time."""
        return self.figure != "error_rate"

    def value(self, measurement: Measurement) -> float:
        """
        The figure in a measurement, in the limit's unit.

        Raises:
            ConfigError: If the measurement lacks that percentile.
        """
        if self.figure == "error_rate":
            return _lost(measurement)
        if not measurement.requests:
            return math.inf
        if self.figure == "mean":
            return measurement.latency.mean_us / 1e6
        if self.figure == "max":
            return measurement.latency.max_us / 1e6
        assert self.percentile is not None
        found = measurement.latency.percentiles_us.get(self.percentile)
        if found is None:
            raise ConfigError(f"the measurement holds no {self.figure}.")
        return found / 1e6

    def estimate(self, measurement: Measurement) -> Estimate:
        """
        How far the figure is below its limit, as a logarithm: above 0 the limit is kept.

        Its spread comes from the measurement's confidence interval; without one,
        from the number of requests, as if latencies had an exponential tail.
        """
        value = self.value(measurement)
        if not self.of_latency:
            return self._errors(measurement)
        if value == math.inf or self.limit <= 0:
            return Estimate(-math.inf, 0.0)
        margin = math.log(self.limit / max(value, 1e-9))
        band = measurement.bands.get(
            percentile_name(self.percentile) if self.percentile is not None else self.figure
        )
        if band is not None and 0 < band.low <= band.high < math.inf:
            return Estimate(margin, band_spread(band.low, band.high, band.confidence))
        share = 0.5 if self.percentile is None else self.percentile / 100
        return Estimate(margin, tail_spread(share, measurement.requests))

    def probability(self, measurement: Measurement) -> float:
        """That the figure keeps its limit, 0 to 1."""
        if not self.of_latency:
            ended = measurement.requests + measurement.failed + measurement.dropped
            lost = measurement.failed + measurement.dropped
            return share_below(self.limit, lost, ended) if ended else 0.0
        return self.estimate(measurement).above(0.0)

    def _errors(self, measurement: Measurement) -> Estimate:
        ended = measurement.requests + measurement.failed + measurement.dropped
        if not ended:
            return Estimate(-math.inf, 0.0)
        # Half a failure more than there were: none is not the same as impossible.
        lost = measurement.failed + measurement.dropped + 0.5
        return Estimate(math.log((self.limit + 0.5 / ended) / (lost / ended)), 1 / math.sqrt(lost))

    def __str__(self) -> str:
        limit = format_duration(self.limit) if self.of_latency else f"{100 * self.limit:g}%"
        return f"{self.figure} {'<' if self.strict else '<='} {limit}"


@dataclass(frozen=True, slots=True)
class Target:
    """
    Criteria that must all hold.

    A request that failed or could not start kept no limit. So a target that limits
    a percentile limits the failures too: p99 bears one in a hundred. `criteria`
    holds that one as well, unless the target names an error rate itself.

    Args:
        named: What was asked for; empty where anything goes.
    """

    named: tuple[Criterion, ...] = ()

    @property
    def criteria(self) -> tuple[Criterion, ...]:
        """Those that were named, and the error rate that they imply."""
        if any(criterion.figure == "error_rate" for criterion in self.named):
            return self.named
        percentiles = [c.percentile for c in self.named if c.percentile is not None]
        bears = min((1 - p / 100 for p in percentiles), default=_LATEST_ERRORS)
        implied = Criterion(figure="error_rate", limit=round(bears, 9), strict=False)
        return (*self.named, implied)

    @property
    def percentiles(self) -> tuple[float, ...]:
        """What a measurement must report."""
        found = {c.percentile for c in self.named if c.percentile is not None}
        return tuple(sorted(found))

    @property
    def latency_limit(self) -> float | None:
        """Seconds within which an answer is good; None where the target limits no latency."""
        limits = [criterion.limit for criterion in self.named if criterion.of_latency]
        return min(limits, default=None)

    def holds(self, measurement: Measurement) -> bool:
        """Whether every figure, as it was measured, keeps its limit."""
        return all(_keeps(criterion, measurement) for criterion in self.criteria)

    def probability(self, measurement: Measurement) -> float:
        """
        That all of them hold: that of the one that is least sure.

        An error rate that is only implied asks for no proof where nothing failed.
        """
        whole = measurement.requests and not measurement.failed and not measurement.dropped
        criteria = self.named if whole else self.criteria
        return min((c.probability(measurement) for c in criteria), default=1.0)

    def verdict(self, measurement: Measurement) -> Verdict:
        """The same in words."""
        return Verdict.of(self.probability(measurement))

    def margin(self, measurement: Measurement) -> Estimate:
        """
        Of the criterion that is nearest to its limit, or furthest beyond it.

        Where nothing failed, the error rate is not among them: its distance from the
        limit would only tell how many requests there were.
        """
        whole = not measurement.failed and not measurement.dropped and measurement.requests
        criteria = [c for c in self.criteria if c.of_latency or not whole]
        if not criteria:
            return Estimate(math.inf, 0.0)
        return worse_of([criterion.estimate(measurement) for criterion in criteria])

    def broken(self, measurement: Measurement) -> Iterator[str]:
        """Each criterion that a measurement breaks, with its value."""
        for criterion in self.criteria:
            if not _keeps(criterion, measurement):
                yield f"{criterion.figure} is {_shown(criterion, measurement)}, not {criterion}"

    def figures(self, measurement: Measurement) -> str:
        """What the target speaks of, with its values."""
        named = [f"{c.figure} {_shown(c, measurement)}" for c in self.named]
        return ", ".join(named) or "no target"

    def __str__(self) -> str:
        return " and ".join(map(str, self.named)) or "no target"


def parse_target(text: str) -> Target:
    """
    Read a target.

    Args:
        text: "p99 < 50ms", "p95 <= 20ms and error_rate < 1%".

    Raises:
        ConfigError: If a part is no criterion, or two of them limit the same figure.
    """
    criteria: list[Criterion] = []
    for part in re.split(r"\s+and\s+", text.strip(), flags=re.IGNORECASE):
        match = _CRITERION.fullmatch(part)
        if match is None:
            raise ConfigError(
                "a target is such as 'p99 < 50ms' or 'p95 <= 20ms and error_rate < 1%', "
                f"but got {part!r}."
            )
        figure, sign, limit = match[1].lower(), match[2], match[3]
        read = parse_share if figure == "error_rate" else parse_duration
        criterion = Criterion(
            figure=figure, limit=read(limit, name=f"the limit of {figure}"), strict=sign == "<"
        )
        if any(criterion.figure == other.figure for other in criteria):
            raise ConfigError(f"the target limits {figure} twice: {text!r}.")
        criteria.append(criterion)
    return Target(tuple(criteria))


def _lost(measurement: Measurement) -> float:
    ended = measurement.requests + measurement.failed + measurement.dropped
    return (measurement.failed + measurement.dropped) / ended if ended else 1.0


def _keeps(criterion: Criterion, measurement: Measurement) -> bool:
    value = criterion.value(measurement)
    return value < criterion.limit if criterion.strict else value <= criterion.limit


def _shown(criterion: Criterion, measurement: Measurement) -> str:
    value = criterion.value(measurement)
    if not criterion.of_latency:
        return f"{100 * value:.3g}%"
    return "unknown, nothing was answered" if value == math.inf else format_duration(value)
