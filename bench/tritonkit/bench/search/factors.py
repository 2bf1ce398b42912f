"""A point as numbers and texts, in one order for all candidates of a search."""

from __future__ import annotations

from tritonkit.bench.load.shape import Closed
from tritonkit.bench.measurement import Point
from tritonkit.errors import ConfigError
from tritonkit.units import parse_duration

__all__ = ["factors_of"]


def factors_of(point: Point) -> tuple[float | str, ...]:
    """A point's load, batch size and settings, as numbers where they are."""
    load: float = (
        float(point.load.concurrency)
        if isinstance(point.load, Closed)
        else point.load.arrivals.rate
    )
    settings = [_as_number(point.settings[name]) for name in sorted(point.settings)]
    return (load, float(point.batch_size), *settings)


def _as_number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return parse_duration(text)
    except ConfigError:
        return text
