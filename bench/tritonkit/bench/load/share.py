"""What one process of several issues."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from tritonkit.bench.schedule.chunks import every

__all__ = ["Share"]


@dataclass(frozen=True, slots=True)
class Share:
    """
    One part of equal ones.

    Args:
        number: From 0.
        of: How many there are.
    """

    number: int = 0
    of: int = 1

    def part(self, whole: int) -> int:
        """Of so many slots or requests; the first parts have one more where it does not go up."""
        return whole // self.of + (self.number < whole % self.of)

    def thinned(self, chunks: Iterator[NDArray[Any]]) -> Iterator[NDArray[Any]]:
        """Every so manieth arrival or item, so that all parts together are all of them."""
        return every(chunks, self.of, self.number)
