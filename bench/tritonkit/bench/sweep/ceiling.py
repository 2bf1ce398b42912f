"""From which load on heavier ones tell nothing new."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tritonkit.bench.load.shape import Closed
from tritonkit.bench.measurement import Measurement, Point
from tritonkit.bench.search.target import Target
from tritonkit.errors import ConfigError

__all__ = ["Ceiling"]


@dataclass(frozen=True, slots=True)
class Ceiling:
    """
    A target that is broken, with a throughput that grows no more.

    One alone is not enough: a longer queue breaks a target long before the server is
    busy where a batch window adds to each latency, and a throughput may stand still
    between two batch sizes.

    Args:
        target: Such as "p99 < 50ms".
        growth: The share that throughput must grow by to count as growing.
    """

    target: Target
    growth: float = 0.02

    def __post_init__(self) -> None:
        if not 0 <= self.growth < 1:
            raise ConfigError(f"growth must be in [0, 1), but got {self.growth}.")

    def reached(self, measured: Sequence[Measurement], point: Point) -> str:
        """
        Why *point* needs no measurement; empty where it does.

        Args:
            measured: Of its group, in the order of their loads.
            point: The next one.
        """
        lighter = [m for m in measured if _lighter(m.point, point)]
        if len(lighter) < 2:
            return ""
        *before, last = lighter
        best = max(m.inferences_per_second for m in before)
        grew = last.inferences_per_second > best * (1 + self.growth)
        if grew or self.target.holds(last):
            return ""
        return (
            f"at {last.point.load} already {'; '.join(self.target.broken(last))}, "
            "and the throughput grew no more"
        )


def _lighter(one: Point, two: Point) -> bool:
    if one.batch_size != two.batch_size:
        return False
    if isinstance(one.load, Closed) and isinstance(two.load, Closed):
        return one.load.concurrency < two.load.concurrency
    if isinstance(one.load, Closed) or isinstance(two.load, Closed):
        return False
    return one.load.arrivals.rate < two.load.arrivals.rate
