"""The figures of a measurement that can be compared."""

from __future__ import annotations

from dataclasses import dataclass

from tritonkit.bench.measurement import percentile_name
from tritonkit.errors import ConfigError
from tritonkit.units import format_duration, parse_duration

__all__ = ["DEFAULT", "ERRORS", "MEAN", "THROUGHPUT", "Metric", "parse_metrics"]


@dataclass(frozen=True, slots=True)
class Metric:
    """
    One figure.

    Args:
        name: As the command line takes it.
        percentile: Of a percentile of latency; None of all others.
        within: Of goodput the seconds within which an answer counts; None of all others.
    """

    name: str
    percentile: float | None = None
    within: float | None = None

    @property
    def higher_is_better(self) -> bool:
        """Whether more of it is better."""
        return self.name == "throughput" or self.within is not None

    @property
    def relative(self) -> bool:
        """Whether its change is a share; that of errors is in points."""
        return self.name != "errors"

    def __str__(self) -> str:
        return self.name


THROUGHPUT = Metric("throughput")
"""Answered requests a second."""

MEAN = Metric("mean")
"""Of the latency."""

ERRORS = Metric("errors")
"""The share of requests without a right answer: failed, or never sent."""

DEFAULT = (THROUGHPUT, Metric("p50", 50.0), Metric("p99", 99.0), ERRORS)


def parse_metrics(text: str) -> tuple[Metric, ...]:
    """
    Read "p99,throughput,goodput:50ms".

    Raises:
        ConfigError: If a name is no metric.
    """
    found = dict.fromkeys(_parse(part.strip()) for part in text.split(","))
    return tuple(found)


def _parse(text: str) -> Metric:
    for metric in (THROUGHPUT, MEAN, ERRORS):
        if text == metric.name:
            return metric
    kind, colon, limit = text.partition(":")
    if kind == "goodput" and colon:
        within = parse_duration(limit, name="goodput")
        return Metric(f"goodput:{format_duration(within)}", within=within)
    try:
        percentile = float(text.removeprefix("p"))
    except ValueError:
        percentile = 0.0
    if not (text.startswith("p") and 0 < percentile <= 100):
        raise ConfigError(
            f"a metric is throughput, mean, errors, goodput:50ms or a percentile such as p99, "
            f"but got {text!r}."
        )
    return Metric(percentile_name(percentile), percentile)
