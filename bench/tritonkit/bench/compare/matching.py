"""Which measurement of one run stands beside which of another."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tritonkit.bench.measurement import Measurement, Point
from tritonkit.errors import ConfigError

__all__ = ["Matched", "by_point", "key", "match"]


@dataclass(frozen=True, slots=True)
class Matched:
    """
    Measurements of two runs.

    Args:
        pairs: Of the same point, in the order of the first run.
        only_base: Points that only the first has.
        only_new: Points that only the second has.
    """

    pairs: tuple[tuple[Measurement, Measurement], ...]
    only_base: tuple[Point, ...]
    only_new: tuple[Point, ...]


def key(point: Point) -> str:
    """The same for points of the same settings, load and batch size, and for no others."""
    return json.dumps(point.describe(), sort_keys=True)


def by_point(measurements: Iterable[Measurement], name: str) -> dict[str, Measurement]:
    """
    Measurements by their point.

    Raises:
        ConfigError: If there are two of one point.
    """
    found: dict[str, Measurement] = {}
    for measurement in measurements:
        point = key(measurement.point)
        if point in found:
            raise ConfigError(
                f"{name} holds the point {measurement.point} more than once; give each a file "
                "of its own, or measure it with --repeats."
            )
        found[point] = measurement
    return found


def match(
    base: Sequence[Measurement], new: Sequence[Measurement], names: tuple[str, str]
) -> Matched:
    """
    Points of two runs beside each other.

    Args:
        base: The first run.
        new: The second.
        names: Of their files, for errors.

    Raises:
        ConfigError: If they have no point in common, or one of them has a point twice.
    """
    first, second = by_point(base, names[0]), by_point(new, names[1])
    pairs = tuple((one, second[name]) for name, one in first.items() if name in second)
    only_base = tuple(one.point for name, one in first.items() if name not in second)
    only_new = tuple(one.point for name, one in second.items() if name not in first)
    if not pairs:
        raise ConfigError(
            f"{names[0]} and {names[1]} have no point in common: the first has "
            f"{_listed(only_base)}, the second {_listed(only_new)}."
        )
    return Matched(pairs, only_base, only_new)


def _listed(points: Sequence[Point]) -> str:
    shown = "; ".join(str(point) for point in points[:3])
    return f"{shown}; and {len(points) - 3} more" if len(points) > 3 else shown or "nothing"
